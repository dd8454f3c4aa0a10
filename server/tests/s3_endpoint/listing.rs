//! Listings: ListObjects versions 1 and 2, prefixes, delimiters, pages.

use crate::harness::{Endpoint, Reply};

const KEYS: [&str; 9] = ["a", "b/1", "b/2", "b/c/3", "d", "e/", "e/1", "f", "gg"];

async fn filled() -> Endpoint {
    let endpoint = Endpoint::start().await;
    for key in KEYS {
        endpoint.put(key, key.as_bytes()).await.expect_status(200);
    }
    endpoint
}

async fn list(endpoint: &Endpoint, query: &str) -> Reply {
    endpoint
        .call("GET", &format!("/bkt?{query}"))
        .send()
        .await
        .expect_status(200)
}

/// Keys, then prefixes.
fn names(reply: &Reply) -> (Vec<String>, Vec<String>) {
    let prefixes = reply.elements("CommonPrefixes");
    let prefixes = prefixes
        .iter()
        .map(|p| p.replace("<Prefix>", "").replace("</Prefix>", ""))
        .collect();
    (reply.elements("Key"), prefixes)
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_and_delimiters_roll_up() {
    let endpoint = filled().await;
    for version in ["", "list-type=2&"] {
        let all = list(&endpoint, version).await;
        assert_eq!(all.elements("Key"), KEYS);
        assert_eq!(all.element("IsTruncated").as_deref(), Some("false"));
        assert_eq!(all.element("MaxKeys").as_deref(), Some("1000"));
        let empty = list(
            &endpoint,
            &format!("{version}prefix=&delimiter=&marker=&start-after=&max-keys="),
        )
        .await;
        assert_eq!(empty.elements("Key"), KEYS, "empty is absent");
        let top = list(&endpoint, &format!("{version}delimiter=/")).await;
        assert_eq!(
            names(&top),
            (
                vec!["a".into(), "d".into(), "f".into(), "gg".into()],
                vec!["b/".into(), "e/".into()]
            )
        );
        let inside = list(&endpoint, &format!("{version}delimiter=%2F&prefix=b/")).await;
        assert_eq!(
            names(&inside),
            (vec!["b/1".into(), "b/2".into()], vec!["b/c/".into()])
        );
        let folder = list(&endpoint, &format!("{version}delimiter=/&prefix=e/")).await;
        assert_eq!(names(&folder), (vec!["e/".into(), "e/1".into()], vec![]));
        let nothing = list(&endpoint, &format!("{version}prefix=zzz")).await;
        assert_eq!(names(&nothing), (vec![], vec![]));
        let zero = list(&endpoint, &format!("{version}max-keys=0")).await;
        assert_eq!(names(&zero), (vec![], vec![]));
        assert_eq!(zero.element("IsTruncated").as_deref(), Some("false"));
    }
    let owners = list(&endpoint, "list-type=2&fetch-owner=true").await;
    assert_eq!(owners.elements("DisplayName").len(), KEYS.len());
    let without = list(&endpoint, "list-type=2").await;
    assert!(without.elements("DisplayName").is_empty());
    let entry = without
        .elements("Contents")
        .into_iter()
        .next()
        .expect("an entry");
    assert_eq!(
        entry,
        "<Key>a</Key><LastModified>2026-11-22T00:00:00.000Z</LastModified>\
         <ETag>&quot;0cc175b9c0f1b6a831c399e269772661&quot;</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass>"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_give_everything_once() {
    let endpoint = filled().await;
    for delimiter in ["", "%2F"] {
        let whole = names(&list(&endpoint, &format!("delimiter={delimiter}")).await);
        for size in 1..=7 {
            let base = format!("delimiter={delimiter}&max-keys={size}");
            let mut seen = (Vec::new(), Vec::new());
            let mut marker = String::new();
            loop {
                let page = list(
                    &endpoint,
                    &format!("{base}&marker={}", marker.replace('/', "%2F")),
                )
                .await;
                let (keys, prefixes) = names(&page);
                assert!(keys.len() + prefixes.len() <= size);
                seen.0.extend(keys);
                seen.1.extend(prefixes);
                match page.element("NextMarker") {
                    Some(next) => marker = next,
                    None => break,
                }
                assert_eq!(page.element("IsTruncated").as_deref(), Some("true"));
            }
            assert_eq!(seen, whole, "V1, delimiter {delimiter:?}, pages of {size}");

            let mut seen = (Vec::new(), Vec::new());
            let mut token = String::new();
            loop {
                let page = list(
                    &endpoint,
                    &format!("list-type=2&{base}&continuation-token={token}"),
                )
                .await;
                let (keys, prefixes) = names(&page);
                assert_eq!(
                    page.element("KeyCount"),
                    Some((keys.len() + prefixes.len()).to_string())
                );
                seen.0.extend(keys);
                seen.1.extend(prefixes);
                match page.element("NextContinuationToken") {
                    Some(next) => token = next,
                    None => break,
                }
            }
            assert_eq!(seen, whole, "V2, delimiter {delimiter:?}, pages of {size}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn start_after_and_bad_arguments() {
    let endpoint = filled().await;
    let after = list(&endpoint, "list-type=2&start-after=b/c/3").await;
    assert_eq!(after.elements("Key"), ["d", "e/", "e/1", "f", "gg"]);
    let between = list(&endpoint, "list-type=2&start-after=c&max-keys=1").await;
    assert_eq!(between.elements("Key"), ["d"]);
    assert_eq!(
        list(&endpoint, "max-keys=5000")
            .await
            .element("MaxKeys")
            .as_deref(),
        Some("1000")
    );
    for bad in [
        "list-type=2&continuation-token=xyz",
        "max-keys=-1",
        "max-keys=many",
        "encoding-type=utf8",
        "list-type=9",
    ] {
        endpoint
            .call("GET", &format!("/bkt?{bad}"))
            .send()
            .await
            .expect_error(400, "InvalidArgument");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_page_of_keys() {
    let endpoint = Endpoint::start().await;
    let puts = (0..1005).map(|number| {
        let endpoint = &endpoint;
        async move {
            endpoint
                .put(&format!("key-{number:05}"), b"")
                .await
                .expect_status(200)
        }
    });
    let mut puts: Vec<_> = puts.collect();
    // Group commit makes concurrent puts cheap; 64 at a time keep the number of descriptors low.
    while !puts.is_empty() {
        let batch: Vec<_> = puts.drain(..puts.len().min(64)).collect();
        join_all(batch).await;
    }
    let first = list(&endpoint, "list-type=2").await;
    assert_eq!(first.element("KeyCount").as_deref(), Some("1000"));
    let token = first
        .element("NextContinuationToken")
        .expect("there is more");
    let rest = list(
        &endpoint,
        &format!("list-type=2&continuation-token={token}"),
    )
    .await;
    assert_eq!(rest.element("KeyCount").as_deref(), Some("5"));
    assert_eq!(
        rest.elements("Key").first().map(String::as_str),
        Some("key-01000")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_token_is_repeated_and_asks_for_the_first_page() {
    let endpoint = filled().await;
    let page = list(&endpoint, "list-type=2&continuation-token=").await;
    assert_eq!(page.elements("Key"), KEYS);
    assert_eq!(page.element("ContinuationToken").as_deref(), Some(""));
    let without = list(&endpoint, "list-type=2").await;
    assert_eq!(without.element("ContinuationToken"), None);
}

/// Drives the futures of one task together.
async fn join_all<F: Future>(futures: Vec<F>) {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        futures.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if futures.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
