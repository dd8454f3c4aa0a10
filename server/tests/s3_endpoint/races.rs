//! Concurrent requests: the last commit wins, and nobody sees a mixture.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::harness::Endpoint;
use crate::multipart::{complete, create, put_part};

/// Bytes that identify their writer at every position; larger and smaller than the bodies of a shared pack.
fn body_of(writer: u8) -> Vec<u8> {
    let len = if writer.is_multiple_of(2) {
        300_000
    } else {
        1_300_000
    };
    vec![writer; len]
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_puts_and_deletes_leave_one_whole_object() {
    let endpoint = Arc::new(Endpoint::start().await);
    endpoint.put("key", &body_of(0)).await.expect_status(200);
    let mut requests = JoinSet::new();
    for writer in 1..=12 {
        let endpoint = Arc::clone(&endpoint);
        requests.spawn(async move {
            for _ in 0..3 {
                endpoint
                    .put("key", &body_of(writer))
                    .await
                    .expect_status(200);
            }
        });
    }
    for _ in 0..4 {
        let endpoint = Arc::clone(&endpoint);
        requests.spawn(async move {
            for _ in 0..20 {
                let got = endpoint.get("key").await;
                if got.status == 404 {
                    got.expect_error(404, "NoSuchKey");
                    continue;
                }
                let got = got.expect_status(200);
                let writer = *got.body.first().expect("no empty body was put");
                assert!(
                    got.body == body_of(writer),
                    "a mixture of writer {writer} and another"
                );
            }
        });
    }
    {
        let endpoint = Arc::clone(&endpoint);
        requests.spawn(async move {
            for _ in 0..5 {
                endpoint
                    .call("DELETE", "/bkt/key")
                    .send()
                    .await
                    .expect_status(204);
            }
        });
    }
    while let Some(done) = requests.join_next().await {
        done.expect("no request failed");
    }
    endpoint.put("key", &body_of(13)).await.expect_status(200);
    assert!(endpoint.get("key").await.expect_status(200).body == body_of(13));
    let listed = endpoint.call("GET", "/bkt").send().await.expect_status(200);
    assert_eq!(listed.elements("Size"), ["1300000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn complete_against_abort_has_one_winner() {
    let endpoint = Arc::new(Endpoint::start().await);
    let mut outcomes = BTreeSet::new();
    for round in 0..20_u8 {
        let key = format!("key-{round}");
        let upload = create(&endpoint, &key).await;
        let etag = put_part(&endpoint, &key, &upload, 1, &[round; 1000]).await;
        let completing = {
            let (endpoint, key, upload) = (Arc::clone(&endpoint), key.clone(), upload.clone());
            tokio::spawn(async move {
                complete(&endpoint, &key, &upload, &[(1, etag)])
                    .await
                    .status
            })
        };
        let aborting = {
            let (endpoint, target) = (
                Arc::clone(&endpoint),
                format!("/bkt/{key}?uploadId={upload}"),
            );
            tokio::spawn(async move { endpoint.call("DELETE", &target).send().await.status })
        };
        let completed = completing.await.expect("no panic");
        let aborted = aborting.await.expect("no panic");
        let there = endpoint.get(&key).await.status;
        assert!(
            matches!(
                (completed, aborted, there),
                (200, 404, 200) | (404, 204, 404)
            ),
            "complete {completed}, abort {aborted}, then {there}"
        );
        outcomes.insert(completed);
    }
    assert!(!outcomes.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn create_if_absent_has_one_winner() {
    let endpoint = Arc::new(Endpoint::start().await);
    let mut requests = JoinSet::new();
    for writer in 0..8_u8 {
        let endpoint = Arc::clone(&endpoint);
        requests.spawn(async move {
            let put = endpoint
                .call("PUT", "/bkt/lock")
                .body(&[writer])
                .header("if-none-match", "*");
            (put.send().await.status, writer)
        });
    }
    let mut winners = Vec::new();
    while let Some(done) = requests.join_next().await {
        match done.expect("no panic") {
            (200, writer) => winners.push(writer),
            (status, _) => assert_eq!(status, 412),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(endpoint.get("lock").await.expect_status(200).body, winners);
}
