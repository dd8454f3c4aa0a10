//! A store with one of everything, and copies of it to damage.

use std::fs;
use std::path::Path;

use strongroom_tests::http::Answer;
use strongroom_tests::process::run;
use strongroom_tests::programs;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};
use strongroom_tests::workload::random::Random;
use tempfile::TempDir;

/// How the server that filled the store ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// By SIGTERM: the log of the metadata is empty.
    Stopped,
    /// By SIGKILL: everything is still in the log.
    Killed,
}

/// A filled store; every byte of its packs belongs to an object.
pub(crate) struct Stored {
    dir: TempDir,
    objects: Vec<(String, Vec<u8>)>,
}

/// A copy of it.
pub(crate) struct Copy {
    _dir: TempDir,
    pub(crate) server: Server,
    objects: Vec<(String, Vec<u8>)>,
}

impl Stored {
    pub(crate) fn new(rest: Rest) -> Self {
        let dir = TempDir::new().expect("a folder");
        let mut random = Random::new(11);
        let mut objects: Vec<(String, Vec<u8>)> = (0..24_usize)
            .map(|n| {
                // Every second one is incompressible; some have the same length, so that their frames have, too.
                let len = 1000 * (1 + n / 4);
                let bytes = match n % 2 {
                    0 => random.bytes(len),
                    _ => random.bytes(len / 8).repeat(8),
                };
                (format!("small-{n:02}"), bytes)
            })
            .collect();
        for n in 0..3 {
            objects.push((format!("large-{n}"), random.bytes(1_400_000)));
        }
        let mut server = Server::plan(dir.path());
        let mut command = server.command();
        command.env("STRONGROOM_PACK_MIB", "1");
        server.boot_as(command);
        let s3 = S3::of(&server);
        for (key, body) in &objects {
            let answer = s3.put(&format!("/{BUCKET}/{key}"), body);
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        match rest {
            Rest::Stopped => assert_eq!(server.stop(), Some(0)),
            Rest::Killed => server.kill(),
        }
        Self { dir, objects }
    }

    pub(crate) fn copy(&self, name: &str) -> Copy {
        let dir = TempDir::with_prefix(name).expect("a folder");
        copy_tree(&self.dir.path().join("server"), &dir.path().join("server"));
        Copy {
            server: Server::plan(dir.path()),
            _dir: dir,
            objects: self.objects.clone(),
        }
    }
}

impl Copy {
    pub(crate) fn objects(&self) -> u64 {
        u64::try_from(self.objects.len()).expect("small")
    }

    /// The number of objects with other bytes, and the number of incomplete objects.
    pub(crate) fn wrong_or_missing(&self) -> (u64, u64) {
        let s3 = S3::of(&self.server);
        let (mut wrong, mut missing) = (0, 0);
        for (key, body) in &self.objects {
            let request = s3.signed("GET", &format!("/{BUCKET}/{key}"), &[], b"");
            match s3.try_send(&request) {
                Ok(answer) if answer.status == 200 => {
                    // A stream that is cut is shorter than its announced length: the client notices.
                    let whole = announced(&answer) == Some(answer.body.len());
                    if whole && answer.body != *body {
                        wrong += 1;
                    } else if !whole {
                        missing += 1;
                        let served = answer.body.as_slice();
                        wrong += u64::from(!body.starts_with(served));
                    }
                }
                Ok(answer) => {
                    assert!(
                        answer.status >= 500 || answer.status == 404,
                        "{key}: {}",
                        answer.text()
                    );
                    missing += 1;
                }
                Err(_) => missing += 1,
            }
        }
        (wrong, missing)
    }

    /// The doctor's exit code and output.
    pub(crate) fn doctor_exit(&self) -> (i32, String) {
        let mut command = programs::server();
        command
            .arg("doctor")
            .arg("--data-dir")
            .arg(self.server.data_dir());
        let said = run(&mut command);
        (said.code.unwrap_or(-1), said.text())
    }

    /// Whether a server starts on it.
    pub(crate) fn starts(&mut self) -> bool {
        let command = self.server.command();
        self.server.try_boot_as(command).is_ok()
    }
}

fn announced(answer: &Answer) -> Option<usize> {
    answer.header("content-length")?.parse().ok()
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("room");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("room");
        }
    }
}
