//! An ordinary client against the real server: the AWS SDK for Rust as its users configure it, with all its defaults
//! (checksums in trailers, chunked bodies, retries).

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use strongroom_tests::server::{ACCESS_KEY, BUCKET, SECRET_KEY, Server};
use strongroom_tests::workload::random::Random;
use tempfile::TempDir;

/// Minimum size of all parts except the last.
const PART_BYTES: usize = 5 << 20;

/// A server, and a client built as in the SDK's documentation; plain HTTP, so that no TLS is linked.
fn started() -> (TempDir, Server, Client) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let operator = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "suites");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .credentials_provider(operator)
        .region(Region::new("us-east-1"))
        .endpoint_url(server.endpoint())
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    (dir, server, Client::from_conf(config))
}

async fn put(client: &Client, key: &str, body: &[u8]) {
    let body = ByteStream::from(body.to_vec());
    let put = client.put_object().bucket(BUCKET).key(key).body(body);
    put.send().await.expect("put");
}

async fn get(client: &Client, key: &str) -> Vec<u8> {
    let got = client.get_object().bucket(BUCKET).key(key).send().await;
    let body = got.expect("got").body.collect().await;
    body.expect("whole").to_vec()
}

#[tokio::test]
async fn an_object_is_put_read_and_deleted() {
    let (_dir, _server, client) = started();
    let body = Random::new(1).bytes(700_000);
    let put = client.put_object().bucket(BUCKET).key("v2/a snapshot é");
    let put = put
        .content_type("application/x-etcd")
        .metadata("node", "master-1")
        .body(ByteStream::from(body.clone()));
    let tag = put.send().await.expect("put").e_tag.expect("a tag");

    let object = || client.get_object().bucket(BUCKET).key("v2/a snapshot é");
    let got = object().send().await.expect("got");
    assert_eq!(got.e_tag.as_ref(), Some(&tag));
    assert_eq!(got.content_type.as_deref(), Some("application/x-etcd"));
    let metadata = got.metadata.expect("metadata");
    assert_eq!(metadata.get("node").map(String::as_str), Some("master-1"));
    let whole = got.body.collect().await.expect("whole").to_vec();
    assert!(whole == body);
    let part = object().range("bytes=299990-300009").send().await;
    let part = part.expect("got").body.collect().await.expect("whole");
    assert_eq!(part.to_vec(), body[299_990..300_010]);

    let unchanged = object().if_none_match(&tag).send().await;
    let unchanged = unchanged.expect_err("it has not changed");
    let status = unchanged.raw_response().map(|raw| raw.status().as_u16());
    assert_eq!(status, Some(304));
    let head = client.head_object().bucket(BUCKET).key("v2/a snapshot é");
    let len = head.send().await.expect("there").content_length;
    assert_eq!(len, Some(700_000));

    let delete = client.delete_object().bucket(BUCKET).key("v2/a snapshot é");
    delete.send().await.expect("deleted");
    let gone = object().send().await.expect_err("it is gone");
    assert!(gone.into_service_error().is_no_such_key());
}

#[tokio::test]
async fn a_put_may_demand_that_nothing_is_there() {
    let (_dir, _server, client) = started();
    let put = |body: &'static [u8]| {
        let put = client.put_object().bucket(BUCKET).key("once");
        put.if_none_match("*").body(ByteStream::from_static(body))
    };
    put(b"first").send().await.expect("nothing was there");
    let refused = put(b"second").send().await.expect_err("something is there");
    assert_eq!(refused.code(), Some("PreconditionFailed"));
    assert_eq!(get(&client, "once").await, b"first");
}

#[tokio::test]
async fn a_listing_is_walked_by_pages_and_by_folders() {
    let (_dir, _server, client) = started();
    let keys: Vec<_> = (0..7).map(|n| format!("cluster-{}/{n}", n % 2)).collect();
    for key in &keys {
        put(&client, key, b"x").await;
    }
    let pages = client.list_objects_v2().bucket(BUCKET).max_keys(3);
    let mut pages = pages.into_paginator().send();
    let mut listed = Vec::new();
    while let Some(page) = pages.next().await {
        let entries = page.expect("a page").contents.unwrap_or_default();
        assert!(entries.len() <= 3);
        listed.extend(entries.into_iter().filter_map(|entry| entry.key));
    }
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(listed, sorted);
    let folders = client.list_objects_v2().bucket(BUCKET).delimiter("/");
    let folders = folders.send().await.expect("a page").common_prefixes;
    let folders = folders.unwrap_or_default().into_iter();
    let folders: Vec<_> = folders.filter_map(|folder| folder.prefix).collect();
    assert_eq!(folders, ["cluster-0/", "cluster-1/"]);

    let names = keys.iter().map(|key| {
        let name = ObjectIdentifier::builder().key(key);
        name.build().expect("a key is set")
    });
    let delete = Delete::builder().set_objects(Some(names.collect()));
    let delete = client
        .delete_objects()
        .bucket(BUCKET)
        .delete(delete.build().expect("objects are set"));
    let deleted = delete.send().await.expect("an answer");
    assert_eq!(deleted.deleted().len(), keys.len());
    assert!(deleted.errors().is_empty(), "{deleted:?}");
    let left = client.list_objects_v2().bucket(BUCKET).send().await;
    assert_eq!(left.expect("a page").key_count, Some(0));
}

#[tokio::test]
async fn an_upload_in_parts_is_completed_and_another_aborted() {
    let (_dir, _server, client) = started();
    let parts = [Random::new(2).bytes(PART_BYTES), b"the end".to_vec()];
    let create = || client.create_multipart_upload().bucket(BUCKET).key("parts");
    let id = create().send().await.expect("created").upload_id;
    let id = id.expect("an id");
    let mut named = Vec::new();
    for (number, body) in (1..).zip(&parts) {
        let part = client.upload_part().bucket(BUCKET).key("parts");
        let part = part.upload_id(&id).part_number(number);
        let part = part.body(ByteStream::from(body.clone())).send().await;
        let tag = part.expect("stored").e_tag.expect("a tag");
        named.push(
            CompletedPart::builder()
                .part_number(number)
                .e_tag(tag)
                .build(),
        );
    }
    let listed = client.list_parts().bucket(BUCKET).key("parts");
    let listed = listed.upload_id(&id).send().await.expect("a list");
    assert_eq!(listed.parts().len(), 2);
    let named = CompletedMultipartUpload::builder().set_parts(Some(named));
    let complete = client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("parts");
    let complete = complete.upload_id(&id).multipart_upload(named.build());
    complete.send().await.expect("completed");
    assert!(get(&client, "parts").await == parts.concat());

    let other = create().send().await.expect("created").upload_id;
    let abort = client.abort_multipart_upload().bucket(BUCKET).key("parts");
    let abort = abort.set_upload_id(other).send().await;
    abort.expect("aborted");
    let open = client.list_multipart_uploads().bucket(BUCKET).send().await;
    assert!(open.expect("a list").uploads().is_empty());
}

#[tokio::test]
async fn a_wrong_secret_is_told() {
    let (_dir, _server, client) = started();
    let stranger = Credentials::new(ACCESS_KEY, "another secret", None, None, "suites");
    let config = client.config().to_builder().credentials_provider(stranger);
    let refused = Client::from_conf(config.build())
        .list_buckets()
        .send()
        .await;
    let refused = refused.expect_err("nobody knows this secret");
    assert_eq!(refused.code(), Some("SignatureDoesNotMatch"));
}
