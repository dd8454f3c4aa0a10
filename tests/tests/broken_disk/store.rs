//! Shared by the parts of this suite: a server with its log outside its data directory, and rows of the table.

use std::fs;
use std::path::Path;

use strongroom_tests::garbage;
use strongroom_tests::server::Server;
use strongroom_tests::soak::Row;

/// A server below `dir` with its data directory on another file system; nothing runs yet.
pub(crate) fn on_disk(dir: &Path, disk: &Path) -> Server {
    let data = disk.join("data");
    fs::create_dir(&data).expect("made");
    let server = Server::plan(dir);
    std::os::unix::fs::symlink(&data, server.data_dir()).expect("linked");
    server
}

/// Starts it with frequent garbage collection and no grace period.
pub(crate) fn boot(server: &mut Server) {
    let mut command = server.command();
    garbage::eager(&mut command);
    server.boot_as(command);
}

/// The status of a busy or full server, which aws cli, boto3 and minio-go retry by themselves.
const RETRIED: u16 = 503;

/// Panics unless the request was refused with the status that clients retry.
#[track_caller]
pub(crate) fn assert_refused(status: u16, what: &str) {
    assert_eq!(status, RETRIED, "{what}");
}

/// Prints a row; a loss has already ended the test.
pub(crate) fn report(fault: &str, cycles: u64, checked: u64) {
    let row = Row {
        fault: fault.to_owned(),
        cycles,
        checked,
        lost: 0,
        wrong: 0,
        seed: 0,
    };
    row.report();
}
