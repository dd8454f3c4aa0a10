//! A save that cannot succeed is refused, and one that breaks in the middle leaves no object behind.

use std::net::SocketAddr;
use std::process::Command;

use etcd_client::{AlarmAction, AlarmType, Client};
use strongroom_tests::backup::{save, save_command, save_file, save_to_command};
use strongroom_tests::clock::READY_WITHIN;
use strongroom_tests::etcd::{Cluster, Security, Version};
use strongroom_tests::process::{Finished, Process, run};
use strongroom_tests::programs;
use strongroom_tests::proxy::{Proxy, Stall};
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};
use strongroom_tests::tls::Tls;
use strongroom_tests::workload;

/// Objects that make a database of several parts (parts have at least 5 MiB).
const SEVERAL_PARTS: u32 = 8_000;

/// Where streams are stalled: after the first part, before the end.
const MID_STREAM_BYTES: u64 = 12 << 20;

fn assert_nothing_stored(server: &Server) {
    assert_eq!(
        S3::of(server).keys(BUCKET, ""),
        [""; 0],
        "nothing may be stored"
    );
}

fn refused(server: &Server, command: &mut Command, codes: &[i32], says: &str) -> Finished {
    let finished = run(command).code_in(codes);
    assert!(
        finished.stderr.to_lowercase().contains(says),
        "`{says}` is not in: {}",
        finished.stderr
    );
    assert_nothing_stored(server);
    finished
}

fn addr_of(url: &str) -> SocketAddr {
    url.trim_start_matches("http://")
        .parse()
        .expect("an address")
}

#[test]
fn an_alarm_of_corruption_is_refused() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_6, 1);
    cluster.put("k", "v");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime starts");
    runtime.block_on(async {
        let mut client = Client::connect(cluster.client_urls(), None)
            .await
            .expect("etcd answers");
        let raised = client
            .alarm(AlarmAction::Activate, AlarmType::Corrupt, None)
            .await;
        raised.expect("etcd raises the alarm");
    });
    refused(
        &server,
        &mut save_command(&server, &cluster.client_urls(), "p"),
        &[7, 8],
        "corrupt",
    );
}

#[test]
fn wrong_certificates_and_wrong_credentials_are_refused() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let tls = Tls::create(&dir.path().join("pki"));
    let stranger = Tls::create(&dir.path().join("stranger"));
    let mut cluster = Cluster::plan(
        &dir.path().join("etcd"),
        Version::V3_6,
        1,
        Security::Mutual(tls.clone()),
    );
    cluster.boot();
    let command = |ca: &Tls, client: &Tls| {
        let mut command = save_command(&server, &cluster.client_urls(), "p");
        command.arg("--cacert").arg(&ca.cacert);
        command
            .arg("--cert")
            .arg(&client.client.cert)
            .arg("--key")
            .arg(&client.client.key);
        command
    };
    refused(
        &server,
        &mut command(&stranger, &tls),
        &[5, 6],
        "certificate",
    );
    refused(&server, &mut command(&tls, &stranger), &[5, 6], "");
    refused(
        &server,
        command(&tls, &tls).env("AWS_SECRET_ACCESS_KEY", "wrong"),
        &[5],
        "signature",
    );
    let mut absent = save_to_command(&server, &cluster.client_urls(), "s3://absent-bucket/p");
    absent.arg("--cacert").arg(&tls.cacert);
    absent
        .arg("--cert")
        .arg(&tls.client.cert)
        .arg("--key")
        .arg(&tls.client.key);
    refused(&server, &mut absent, &[4], "absent-bucket");
    let mut nowhere = save_command(&server, &["http://127.0.0.1:1".to_owned()], "p");
    refused(&server, &mut nowhere, &[6], "127.0.0.1:1");
}

#[test]
fn etcd_killed_in_mid_stream_leaves_no_object_and_no_file() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let mut cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_5, 1);
    workload::fill(&cluster.client_urls(), 5, SEVERAL_PARTS);
    let file = dir.path().join("snapshot.db");

    for to_file in [false, true] {
        let proxy = Proxy::before(
            addr_of(&cluster.client_url(0)),
            Stall::Answers(MID_STREAM_BYTES),
        );
        let endpoint = format!("http://{}", proxy.addr());
        let mut command = if to_file {
            let mut command = programs::client();
            command
                .args(["snapshot", "save", "--endpoints", &endpoint])
                .arg(&file);
            command
        } else {
            save_command(&server, &[endpoint], "p")
        };
        let log = dir.path().join(format!("save-{to_file}.log"));
        let mut saving = Process::spawn("strongroom", &mut command, &log);
        proxy.wait_stalled();
        cluster.kill(0);
        drop(proxy);
        let status = saving.wait(READY_WITHIN);
        assert_eq!(status.code(), Some(6), "{}", saving.log());
        assert_nothing_stored(&server);
        let left: Vec<_> = std::fs::read_dir(dir.path())
            .expect("listed")
            .flatten()
            .map(|e| e.file_name())
            .collect();
        let files: Vec<_> = left
            .iter()
            .filter(|n| n.to_string_lossy().starts_with("snapshot.db"))
            .collect();
        assert!(files.is_empty(), "a broken save left {files:?}");
        cluster.boot();
    }
    save(&server, &cluster, 0, "p");
    save_file(&cluster, 0, &file);
}

#[test]
fn the_server_killed_in_mid_stream_leaves_no_object() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = Server::start(dir.path());
    let cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_6, 1);
    workload::fill(&cluster.client_urls(), 6, SEVERAL_PARTS);
    let proxy = Proxy::before(server.s3_addr(), Stall::Requests(MID_STREAM_BYTES));
    let mut command = save_command(&server, &cluster.client_urls(), "p");
    command.env("AWS_ENDPOINT_URL", format!("http://{}", proxy.addr()));
    let mut saving = Process::spawn("strongroom", &mut command, &dir.path().join("save.log"));
    proxy.wait_stalled();
    server.kill();
    drop(proxy);
    let status = saving.wait(READY_WITHIN);
    assert_eq!(status.code(), Some(6), "{}", saving.log());
    server.boot();
    assert_nothing_stored(&server);
    save(&server, &cluster, 0, "p");
    assert_eq!(S3::of(&server).keys(BUCKET, "p/v2/Full-00000000-").len(), 1);
}
