//! The locations of the programs under test and their peers, and their environment. The only module that reads the
//! environment, except for the numbers of [`crate::soak`].
//!
//! Programs are found in cargo's target folder, peers in the cache folder that the setup scripts fill; both can be
//! overridden. A missing program is reported together with the command that builds or installs it.
#![expect(
    clippy::disallowed_methods,
    reason = "this module is the harness' view of the environment"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::etcd::Version;

/// The variables that a child needs; the rest (credentials, proxies, endpoints) must not leak into it.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME"];

/// `strongroom-server`.
pub fn server() -> Command {
    command(&built("strongroom-server", "STRONGROOM_SERVER_BIN"))
}

/// `strongroom-server` with bugs that its environment can enable: to see the suites fail.
pub fn planted_server() -> Command {
    command(&built(
        "strongroom-server-planted",
        "STRONGROOM_PLANTED_BIN",
    ))
}

/// `strongroom`, the client.
pub fn client() -> Command {
    command(&built("strongroom", "STRONGROOM_BIN"))
}

/// `strongroom-restore`, the static build for control-plane nodes.
pub fn restore() -> Command {
    command(&restore_path())
}

/// The path of the static restore tool.
pub fn restore_path() -> PathBuf {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let release = release_dir();
    let target = release.parent().expect("release lies in the target folder");
    let built = target.join(host).join("release/strongroom-restore");
    existing(
        std::env::var_os("STRONGROOM_RESTORE_BIN").map_or(built, PathBuf::from),
        "make build",
    )
}

/// `etcd`, `etcdctl` or `etcdutl` of a version.
pub fn etcd(version: Version, program: &str) -> Command {
    let path = cache()
        .join("peers")
        .join(format!("etcd-{version}"))
        .join(program);
    command(&existing(
        path,
        &format!(
            "STRONGROOM_CACHE={} tests/setup/etcd.sh {version}",
            cache().display()
        ),
    ))
}

/// `aws` or `python3` from the folder with the S3 clients.
pub fn python(program: &str) -> Command {
    let path = cache().join("python/bin").join(program);
    command(&existing(
        path,
        &format!(
            "STRONGROOM_CACHE={} tests/setup/python.sh",
            cache().display()
        ),
    ))
}

/// A command that sees only the harmless part of our environment.
pub fn command(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env_clear();
    for name in PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// The etcd version of the demo: 3.4 needs no Go on a bare machine, so it is the default.
pub fn demo_etcd() -> String {
    std::env::var("STRONGROOM_DEMO_ETCD").unwrap_or_else(|_| "3.4".to_owned())
}

/// The workspace folder: the nearest parent with the lock file. Tests run inside their package. A path from compile
/// time could belong to another checkout, since checkouts share one target folder.
pub fn workspace() -> PathBuf {
    let here = std::env::current_dir().expect("the current folder is known");
    let root = here.ancestors().find(|dir| dir.join("Cargo.lock").exists());
    root.unwrap_or_else(|| panic!("{} lies in no workspace", here.display()))
        .to_owned()
}

/// MinIO, which the benchmarks compare with.
pub fn minio() -> Command {
    let path = cache().join("peers/minio/minio");
    command(&existing(
        path,
        &format!(
            "STRONGROOM_CACHE={} tests/setup/minio.sh",
            cache().display()
        ),
    ))
}

/// Prometheus' `promtool`.
pub fn promtool() -> Command {
    let path = cache().join("tools/bin/promtool");
    command(&existing(
        path,
        &format!(
            "STRONGROOM_CACHE={} tests/setup/promtool.sh",
            cache().display()
        ),
    ))
}

/// Where all suites on this machine reserve their ports.
pub fn port_reservations() -> PathBuf {
    cache().join("ports")
}

fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
    std::env::var_os("STRONGROOM_CACHE").map_or_else(
        || {
            std::env::var_os("XDG_CACHE_HOME")
                .map_or_else(home, PathBuf::from)
                .join("strongroom")
        },
        PathBuf::from,
    )
}

/// The copy of a program that was taken after its build. The one in `release` may differ: `cargo test` builds it with
/// the features of the tests.
fn built(name: &str, variable: &str) -> PathBuf {
    let release = release_dir();
    let target = release.parent().expect("release lies in the target folder");
    existing(
        std::env::var_os(variable)
            .map_or_else(|| target.join("programs").join(name), PathBuf::from),
        "make build, or make planted, with this CARGO_TARGET_DIR",
    )
}

/// Tests run from `release/deps`, binaries from `release`.
fn release_dir() -> PathBuf {
    let own = std::env::current_exe().expect("own path is known");
    let dir = own.parent().expect("an executable has a folder");
    if dir.ends_with("deps") {
        dir.parent().expect("deps has a parent").to_owned()
    } else {
        dir.to_owned()
    }
}

fn existing(path: PathBuf, make: &str) -> PathBuf {
    assert!(
        path.exists(),
        "{} is not there; run: {make}",
        path.display()
    );
    path
}
