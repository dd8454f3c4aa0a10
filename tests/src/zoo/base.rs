//! The sound snapshot from which all others are made: from a real etcd, with something in every bucket.
//!
//! It was recorded once and is committed, since no two runs of etcd write the same bytes.

use std::io::{Read as _, Write as _};
use std::path::Path;

use etcd_client::{AlarmAction, AlarmType, Client, ConnectOptions};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use super::image::Image;
use crate::etcd::{Cluster, Version};

/// Enough rows for several leaves below a branch.
const ANIMALS: usize = 48;

/// The committed file, compressed.
pub fn packed(fixtures: &Path) -> Vec<u8> {
    let path = fixtures.join("base.db.gz");
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The database in it.
pub fn unpacked(packed: &[u8]) -> Image {
    let mut file = Vec::new();
    let read = GzDecoder::new(packed).read_to_end(&mut file);
    read.expect("the base is sound");
    Image::of_snapshot(&file)
}

/// Records a new base: rows, tombstones, a compaction, a lease, a user and a role, members that were added and removed,
/// an alarm.
pub fn record(dir: &Path) -> Vec<u8> {
    let mut cluster = Cluster::start(&dir.join("etcd"), Version::V3_6, 1);
    let animal = |number: usize| format!("/registry/zoo/animal-{number:02}");
    for number in 0..ANIMALS {
        cluster.put(&animal(number), &"tame ".repeat(40));
    }
    // Larger than a page, so that its leaf has overflow pages.
    cluster.put("/registry/zoo/elephant", &"trunk ".repeat(1_200));
    for number in 0..6 {
        cluster.ctl(&["del", &animal(number)]).ok();
    }
    cluster.ctl(&["compact", "20"]).ok();
    let granted = cluster.ctl(&["lease", "grant", "3600"]).ok().stdout;
    let lease = granted.split_whitespace().nth(1).expect("an id").to_owned();
    cluster
        .ctl(&["put", "/registry/zoo/visitor", "today", "--lease", &lease])
        .ok();
    cluster.add_learner("gone", "http://127.0.0.1:1");
    let gone = id_of(
        &cluster.ctl(&["member", "list"]).ok().stdout,
        "http://127.0.0.1:1",
    );
    cluster.ctl(&["member", "remove", &gone]).ok();
    cluster.add_learner("cub", "http://127.0.0.1:2");
    cluster.enable_auth();
    raise_alarm(&cluster);
    let file = dir.join("base.db");
    cluster.save_snapshot(0, &file);
    cluster.destroy();
    let snapshot = std::fs::read(&file).expect("etcdctl saved it");
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&snapshot).expect("memory takes it");
    packed.finish().expect("memory takes it")
}

/// `member list` prints `id, status, name, peer URLs, ...`.
fn id_of(list: &str, peer_url: &str) -> String {
    let line = list.lines().find(|line| line.contains(peer_url));
    let id = line.and_then(|line| line.split(',').next());
    id.expect("the member is listed").to_owned()
}

fn raise_alarm(cluster: &Cluster) {
    let user = cluster.user().expect("authentication is on");
    let options = ConnectOptions::new().with_user(user.name, user.password);
    let raised = async {
        let mut client = Client::connect(cluster.client_urls(), Some(options)).await?;
        client
            .alarm(AlarmAction::Activate, AlarmType::Nospace, None)
            .await
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .expect("runtime starts")
        .block_on(raised)
        .expect("etcd raises the alarm");
}
