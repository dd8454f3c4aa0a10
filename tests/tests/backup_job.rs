//! Today's backup jobs with unchanged S3 clients: the aws command and boto3.

use std::path::Path;

use strongroom_tests::process::{Finished, run};
use strongroom_tests::programs;
use strongroom_tests::server::Server;
use strongroom_tests::workload::random::Random;

const LARGE_BYTES: usize = 100_000_000;

fn aws(server: &Server, args: &[&str]) -> Finished {
    let mut command = programs::python("aws");
    server.aws_environment(&mut command);
    run(command.args(args))
}

fn name(path: &Path) -> &str {
    path.to_str().expect("temporary paths are text")
}

#[test]
fn aws_cli_makes_stores_lists_fetches_verifies_and_deletes() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let (small, large, back) = (
        dir.path().join("small"),
        dir.path().join("large"),
        dir.path().join("back"),
    );
    std::fs::write(&small, "small").expect("written");
    std::fs::write(&large, Random::new(1).bytes(LARGE_BYTES)).expect("written");

    aws(&server, &["s3", "mb", "s3://job"]).ok();
    aws(
        &server,
        &["s3", "cp", name(&small), "s3://job/prod/v2/small"],
    )
    .ok();
    aws(
        &server,
        &["s3", "cp", name(&large), "s3://job/prod/v2/large"],
    )
    .ok();
    let listed = aws(&server, &["s3", "ls", "--recursive", "s3://job/"])
        .ok()
        .stdout;
    let sizes: Vec<_> = listed
        .lines()
        .filter_map(|l| l.split_whitespace().nth(2))
        .collect();
    assert_eq!(sizes, ["100000000", "5"], "{listed}");

    for (file, key) in [(&small, "small"), (&large, "large")] {
        aws(
            &server,
            &["s3", "cp", &format!("s3://job/prod/v2/{key}"), name(&back)],
        )
        .ok();
        assert!(
            std::fs::read(&back).expect("fetched") == std::fs::read(file).expect("kept"),
            "{key} came back changed"
        );
    }
    let head = aws(
        &server,
        &[
            "s3api",
            "head-object",
            "--bucket",
            "job",
            "--key",
            "prod/v2/large",
        ],
    )
    .ok()
    .stdout;
    assert!(head.contains("\"ContentLength\": 100000000"), "{head}");

    aws(&server, &["s3", "cp", "s3://job/absent", name(&back)])
        .code(1)
        .says("404");
    aws(&server, &["s3", "rb", "s3://job"])
        .code(1)
        .says("BucketNotEmpty");
    aws(&server, &["s3", "rm", "--recursive", "s3://job/prod"]).ok();
    assert_eq!(
        aws(&server, &["s3", "ls", "--recursive", "s3://job/"]).stdout,
        ""
    );
    aws(&server, &["s3", "rb", "s3://job"]).ok();
}

#[test]
fn aws_cli_syncs_a_folder_both_ways() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    for i in 0..30 {
        let sub = from.join(format!("d{}", i % 3));
        std::fs::create_dir_all(&sub).expect("made");
        std::fs::write(sub.join(format!("file {i}")), Random::new(i).bytes(10_000))
            .expect("written");
    }
    aws(&server, &["s3", "mb", "s3://sync"]).ok();
    aws(&server, &["s3", "sync", name(&from), "s3://sync/copy"]).ok();
    aws(&server, &["s3", "sync", "s3://sync/copy", name(&to)]).ok();
    run(std::process::Command::new("diff")
        .arg("-r")
        .arg(&from)
        .arg(&to))
    .ok();
    let again = aws(&server, &["s3", "sync", name(&from), "s3://sync/copy"]).ok();
    assert_eq!(again.stdout, "", "a second sync has nothing to do");
}

#[test]
fn boto3_does_a_backup_job() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let mut python = programs::python("python3");
    server.aws_environment(&mut python);
    run(python.arg(programs::workspace().join("tests/tests/backup_job.py"))).ok();
}
