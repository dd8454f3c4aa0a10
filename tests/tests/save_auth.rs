//! Saves from clusters with authentication on, off and misjudged, for every etcd version.
//!
//! Up to 3.5, etcd refuses a snapshot with the code of a broken connection. A job that repeats on such codes ran for ever.

use std::path::Path;

use strongroom_tests::etcd::{Cluster, Version};
use strongroom_tests::process::{Finished, run};
use strongroom_tests::programs;

const ROOT: &str = "root:throw-away";
const AUTH: i32 = 5;

fn save(cluster: &Cluster, file: &Path, user: Option<&str>) -> Finished {
    let mut command = programs::client();
    command
        .args(["snapshot", "save", "--endpoints", &cluster.client_url(0)])
        .arg(file);
    if let Some(user) = user {
        command.args(["--user", user]);
    }
    run(&mut command)
}

#[test]
fn a_refused_user_exits_5_and_an_unneeded_one_saves_in_every_version() {
    for version in Version::ALL {
        let dir = tempfile::tempdir().expect("temporary folder");
        let file = dir.path().join("snapshot.db");
        let mut cluster = Cluster::start(&dir.path().join("etcd"), version, 1);
        cluster.put("k", "v");

        let unneeded = save(&cluster, &file, Some(ROOT)).ok();
        assert!(
            unneeded.stderr.contains("authentication is not enabled"),
            "{version}: {}",
            unneeded.stderr
        );
        std::fs::remove_file(&file).expect("it was saved");

        cluster.enable_auth();
        for user in [None, Some("reader:throw-away-too"), Some("root:wrong")] {
            let refused = save(&cluster, &file, user)
                .code(AUTH)
                .says("--user NAME:PASSWORD");
            assert!(
                !refused.stderr.contains("cannot be reached"),
                "{version}, {user:?}: {}",
                refused.stderr
            );
            assert!(!file.exists(), "{version}, {user:?}");
        }
        save(&cluster, &file, Some(ROOT)).ok();
        assert!(file.exists(), "{version}");
    }
}
