//! `/metrics` of a used server, compared with promtool and docs/metrics.md.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Output, Stdio};

use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::metrics::{self, Family};
use strongroom_tests::programs;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};

use crate::page::{Page, Row};
use crate::started;

/// Uses most features, correctly and wrongly, and waits for a collection.
fn used() -> (tempfile::TempDir, Server) {
    let (dir, server) = started(&[]);
    let s3 = S3::of(&server);
    let large = vec![7; 3 << 20];
    let path = |key: &str| format!("/{BUCKET}/{key}");
    for (key, body) in [("small", &large[..100]), ("large", &large[..])] {
        assert_eq!(s3.put(&path(key), body).status, 200);
        assert_eq!(s3.get(&path(key)).body, body);
    }
    assert_eq!(s3.get(&path("absent")).status, 404);
    let stranger = s3.with_secret("another-secret-0000");
    assert_eq!(stranger.get(&path("small")).status, 403);
    assert_eq!(s3.get(&format!("/{BUCKET}?list-type=2")).status, 200);
    assert_eq!(s3.delete(&path("large")).status, 204);
    assert_eq!(s3.get("/").status, 200);
    until("a collection", READY_WITHIN, || {
        let series = r#"strongroom_job_runs_total{name="gc",result="success"}"#;
        match metrics::value(&server, series) {
            runs if runs > 0.5 => Ok(()),
            runs => Err(runs),
        }
    });
    (dir, server)
}

fn promtool(scrape: &str) -> Output {
    let mut child = programs::promtool()
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(scrape.as_bytes()).expect("promtool reads");
    drop(stdin);
    child.wait_with_output().expect("promtool ends")
}

#[test]
fn promtool_finds_nothing_wrong() {
    let (_dir, server) = used();
    let scrape = metrics::scrape(&server);
    let said = promtool(&scrape);
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && text.is_empty(), "{text}");
}

/// Otherwise the test above would accept a promtool that checks nothing.
#[test]
fn promtool_would_find_what_is_wrong() {
    let bad = "# HELP strongroom_wait_minutes Minutes.\n# TYPE strongroom_wait_minutes counter\nstrongroom_wait_minutes 1\n";
    let said = promtool(bad);
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(
        !said.status.success() && text.contains("strongroom_wait_minutes"),
        "{text}"
    );
}

#[test]
fn the_page_of_metrics_says_what_the_server_says() {
    let (_dir, server) = used();
    let families = metrics::families(&metrics::scrape(&server));
    let page = Page::read();
    let row_of = |family: &Family| Row {
        kind: family.kind.clone(),
        labels: family.labels.keys().cloned().collect(),
        help: family.help.clone(),
    };
    let shown: BTreeMap<_, _> = families
        .iter()
        .map(|(name, family)| (name.clone(), row_of(family)))
        .collect();
    for name in shown.keys().chain(page.metrics.keys()) {
        assert_eq!(
            page.metrics.get(name),
            shown.get(name),
            "{name}: docs/metrics.md (left), the server (right)"
        );
    }
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (label, seen) in families.into_values().flat_map(|family| family.labels) {
        values.entry(label).or_default().extend(seen);
    }
    for label in values.keys().chain(page.labels.keys()) {
        let (documented, seen) = (page.labels.get(label), values.get(label));
        match (label.as_str(), documented, seen) {
            // Codes appear once they are returned; a unit test compares their list.
            ("code", Some(documented), Some(seen)) => {
                let unknown: Vec<_> = seen.difference(documented).collect();
                assert!(
                    unknown.is_empty(),
                    "codes that are not on the page: {unknown:?}"
                );
            }
            ("version", Some(documented), Some(_)) => assert_eq!(documented.len(), 0),
            _ => assert_eq!(documented, seen, "{label}: docs/metrics.md, the server"),
        }
    }
}

#[test]
fn what_happened_is_counted() {
    let (_dir, server) = used();
    for (series, at_least) in [
        (
            r#"strongroom_s3_requests_total{api="PutObject",code="200"}"#,
            2.0,
        ),
        (
            r#"strongroom_s3_requests_total{api="GetObject",code="403"}"#,
            1.0,
        ),
        (
            r#"strongroom_s3_time_to_first_byte_seconds_count{api="GetObject"}"#,
            4.0,
        ),
        (
            r#"strongroom_s3_request_duration_seconds_count{api="GetObject"}"#,
            4.0,
        ),
        ("strongroom_meta_commit_duration_seconds_count", 2.0),
        ("strongroom_pack_sync_duration_seconds_count", 2.0),
        (
            r#"strongroom_job_last_success_timestamp_seconds{name="gc"}"#,
            1.7e9,
        ),
        ("process_threads", 3.0),
        ("process_virtual_memory_bytes", 1e6),
    ] {
        let value = metrics::value(&server, series);
        assert!(value >= at_least, "{series} is {value}, not {at_least}");
    }
    let first_byte = metrics::value(
        &server,
        r#"strongroom_s3_time_to_first_byte_seconds_sum{api="GetObject"}"#,
    );
    let whole = metrics::value(
        &server,
        r#"strongroom_s3_request_duration_seconds_sum{api="GetObject"}"#,
    );
    assert!(first_byte < whole, "{first_byte} s of {whole} s");
}
