//! Saves from a real etcd into a scripted store.

use std::os::unix::fs::PermissionsExt as _;

use parking_lot::Mutex;
use strongroom_tests::fake_s3::{FakeS3, Reply, Request};

use super::*;
use crate::clock::Clock;
use crate::etcd::single::Etcd;
use crate::etcd::{EtcdConfig, EtcdError, choose_member};
use crate::exit::ExitCode;
use crate::s3::scripted::{answer, client_of};

fn quiet(_: u64, _: Option<u64>) {}

fn digest(bytes: &[u8]) -> StreamSummary {
    let mut digest = StreamDigest::new();
    digest.update(bytes);
    digest.finish().expect("a sound snapshot")
}

const COMPLETED: &str =
    "<CompleteMultipartUploadResult><ETag>\"e-1\"</ETag></CompleteMultipartUploadResult>";

/// A store that accepts uploads and keeps only its request log.
fn store(_: usize, seen: &Request) -> Reply {
    match (seen.method.as_str(), seen.target.contains('?')) {
        ("POST", _) if seen.target.ends_with("?uploads=") => {
            answer(200, &[], "<R><UploadId>u1</UploadId></R>")
        }
        ("POST", _) => answer(200, &[], COMPLETED),
        ("PUT", true) => answer(200, &[("ETag", "\"p\"")], ""),
        _ => answer(200, &[], ""),
    }
}

fn calls(server: &FakeS3) -> Vec<String> {
    let call = |seen: &Request| {
        let query = seen.target.split_once('?').map_or("", |(_, query)| query);
        format!("{} {query}", seen.method)
    };
    server.seen().iter().map(call).collect()
}

fn place() -> S3Uri {
    S3Uri::parse("s3://backups/cluster1").expect("valid")
}

#[tokio::test]
async fn a_file_holds_what_etcd_sent_and_verifies() {
    let etcd = Etcd::start(1_000, 50).await;
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("a.db");
    let seen = Mutex::new((0, None));
    let progress = |received, total| *seen.lock() = (received, total);
    let saved = to_file(
        etcd.member().await,
        &target,
        &progress,
        std::future::pending(),
    )
    .await
    .expect("saves");
    let bytes = std::fs::read(&target).expect("it is there");
    assert_eq!(saved.summary, digest(&bytes));
    assert_eq!(saved.summary.trailer, Trailer::Matches);
    assert_eq!(saved.member.revision, 51);
    assert_eq!(saved.saved_to, SavedTo::File(target.clone()));
    assert_eq!(
        std::fs::metadata(&target)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let (received, total) = *seen.lock();
    assert_eq!(received, saved.summary.file_len);
    assert!(
        total.is_some_and(|total| total.abs_diff(received) <= 32),
        "{total:?}"
    );
    let bolt = strongroom_etcd_format::bolt::Bolt::open(bytes.as_slice(), saved.summary.db_len)
        .expect("bolt");
    bolt.check().expect("every page is sound");
}

#[tokio::test]
async fn an_etcd_that_dies_mid_stream_leaves_nothing() {
    let etcd = Etcd::start(250_000, 60).await;
    let folder = tempfile::tempdir().expect("a folder");
    let member = etcd.member().await;
    let died = std::sync::Once::new();
    let progress = |_: u64, _: Option<u64>| died.call_once(|| etcd.kill());
    let error = to_file(
        member,
        &folder.path().join("a.db"),
        &progress,
        std::future::pending(),
    )
    .await
    .expect_err("etcd is dead");
    assert!(
        matches!(&error, SaveError::Etcd(EtcdError::StreamBroken { .. })),
        "{error:?}"
    );
    assert_eq!(error.exit_code(), ExitCode::Network);
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        0
    );
    let gone = choose_member(&etcd.config())
        .await
        .err()
        .expect("nobody is there");
    assert_eq!(gone.exit_code(), ExitCode::Network, "{gone}");
}

#[tokio::test]
async fn an_interrupted_save_leaves_nothing() {
    let etcd = Etcd::start(250_000, 40).await;
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("a.db");
    let error = to_file(etcd.member().await, &target, &quiet, std::future::ready(()))
        .await
        .expect_err("stopped");
    assert_eq!(error.exit_code(), ExitCode::Interrupted);
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        0
    );

    let server = FakeS3::script(store);
    let client = client_of(&server, Clock::system());
    let begun = tokio::sync::Notify::new();
    let progress = |_: u64, _: Option<u64>| begun.notify_one();
    let stop = begun.notified();
    let error = to_s3(etcd.member().await, &client, &place(), &progress, stop)
        .await
        .expect_err("stopped");
    assert_eq!(error.exit_code(), ExitCode::Interrupted);
    assert_eq!(
        calls(&server),
        ["HEAD ", "POST uploads=", "DELETE uploadId=u1"]
    );
}

#[tokio::test]
async fn an_upload_is_completed_only_after_the_trailer_and_in_order() {
    let etcd = Etcd::start(250_000, 80).await;
    let server = FakeS3::script(store);
    let client = client_of(&server, Clock::system());
    let error = to_s3(
        etcd.member().await,
        &client,
        &place(),
        &quiet,
        std::future::pending(),
    )
    .await
    .expect_err("the store says that the object is empty");
    assert_eq!(error.exit_code(), ExitCode::Integrity, "{error}");
    let mut seen = server.seen();
    let position = |call: &str| {
        calls(&server)
            .iter()
            .position(|seen| seen == call)
            .expect(call)
    };
    let last_part =
        position("PUT partNumber=1&uploadId=u1").max(position("PUT partNumber=2&uploadId=u1"));
    assert!(
        position("POST uploadId=u1") > last_part,
        "{:?}",
        calls(&server)
    );
    seen.retain(|seen| seen.method == "PUT");
    seen.sort_by(|a, b| a.target.cmp(&b.target));
    let bytes: Vec<u8> = seen.iter().flat_map(|seen| seen.body.clone()).collect();
    assert_eq!(seen[0].body.len(), 16 * 1024 * 1024);
    assert_eq!(digest(&bytes).trailer, Trailer::Matches);
    assert!(
        seen[0]
            .target
            .starts_with("/backups/cluster1/v2/Full-00000000-00000081-"),
        "{}",
        seen[0].target
    );
}

#[tokio::test]
async fn a_store_that_fails_gets_an_abort() {
    let etcd = Etcd::start(10, 1).await;
    let refuses_parts = |n: usize, seen: &Request| match seen.method.as_str() {
        "PUT" => Reply::error(507, "XMinioStorageFull"),
        _ => store(n, seen),
    };
    let server = FakeS3::script(refuses_parts);
    let client = client_of(&server, Clock::system());
    let error = to_s3(
        etcd.member().await,
        &client,
        &place(),
        &quiet,
        std::future::pending(),
    )
    .await
    .expect_err("the store is full");
    assert!(error.to_string().contains("XMinioStorageFull"), "{error}");
    let expected = [
        "HEAD ",
        "POST uploads=",
        "PUT partNumber=1&uploadId=u1",
        "DELETE uploadId=u1",
    ];
    assert_eq!(calls(&server), expected);

    let no_bucket = FakeS3::script(|_, _| answer(404, &[], ""));
    let client = client_of(&no_bucket, Clock::system());
    let error = to_s3(
        etcd.member().await,
        &client,
        &place(),
        &quiet,
        std::future::pending(),
    )
    .await;
    assert_eq!(
        error.expect_err("no bucket").exit_code(),
        ExitCode::NotFound
    );
    assert_eq!(calls(&no_bucket), ["HEAD "]);
}

#[tokio::test]
async fn a_dead_endpoint_is_passed_over() {
    let etcd = Etcd::start(10, 1).await;
    let endpoints = vec!["127.0.0.1:1".to_owned(), etcd.url.clone()];
    let config = EtcdConfig {
        endpoints,
        ..etcd.config()
    };
    assert_eq!(
        choose_member(&config).await.expect("the second").endpoint(),
        etcd.url
    );
    let tls = EtcdConfig {
        endpoints: vec![etcd.url.replace("http", "https")],
        ..etcd.config()
    };
    let error = choose_member(&tls)
        .await
        .err()
        .expect("etcd speaks no TLS here");
    assert!(
        matches!(error.exit_code(), ExitCode::Auth | ExitCode::Network),
        "{error}"
    );
}

#[tokio::test]
async fn a_name_that_another_master_took_is_kept_and_the_next_second_used() {
    let etcd = Etcd::start(10, 1).await;
    let taken = Mutex::new(Vec::new());
    let server = FakeS3::script(move |n, seen| {
        let mut taken = taken.lock();
        match (seen.method.as_str(), seen.headers.get("if-none-match")) {
            // Two other masters were faster in two seconds.
            ("POST", Some(_)) if taken.len() < 2 => {
                taken.push(seen.path().to_owned());
                Reply::error(412, "PreconditionFailed")
            }
            ("POST", Some(_)) => {
                assert!(!taken.contains(&seen.path().to_owned()), "{taken:?}");
                store(n, seen)
            }
            ("HEAD", _) if seen.path().contains("Full-") => answer(403, &[], ""),
            _ => store(n, seen),
        }
    });
    let client = client_of(&server, Clock::system());
    let saved = to_s3(
        etcd.member().await,
        &client,
        &place(),
        &quiet,
        std::future::pending(),
    )
    .await
    .expect("the third name is free");
    let SavedTo::Object { key, .. } = saved.saved_to else {
        panic!("an object was saved")
    };
    let posts = |query: &str| {
        let seen = server.seen();
        let posts = seen.iter().filter(|seen| seen.target.ends_with(query));
        posts.map(|seen| seen.path().to_owned()).collect::<Vec<_>>()
    };
    let names = posts("?uploads=");
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0] < names[1] && names[1] < names[2], "{names:?}");
    assert_eq!(names[2], format!("/backups/{key}"));
    let aborts = server
        .seen()
        .iter()
        .filter(|seen| seen.method == "DELETE")
        .count();
    assert_eq!(aborts, 2, "the lost uploads are aborted");
}

#[tokio::test]
async fn names_have_the_server_s_time_if_this_clock_is_wrong() {
    let date = httpdate::fmt_http_date(Clock::system().now());
    let server = FakeS3::script(move |n, _| match n {
        0 => answer(403, &[("Date", &date)], ""),
        _ => answer(200, &[], ""),
    });
    let client = client_of(&server, Clock::shifted_by_secs(-7_200));
    client.head_bucket("bkt").await.expect("the second try");
    let off = Clock::system().unix_secs() - created_now(&client);
    assert!(off.abs() <= 5, "{off}");
}

#[test]
fn names_follow_etcdbrctl() {
    assert_eq!(
        object_key(&place(), 60, 1_795_340_653),
        "cluster1/v2/Full-00000000-00000060-1795340653"
    );
    assert_eq!(
        object_key(&place(), 123_456_789, 1_795_340_653),
        "cluster1/v2/Full-00000000-123456789-1795340653"
    );
}
