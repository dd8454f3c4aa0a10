//! Answers of the admin listener.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::to_bytes;
use axum::http::Method;
use axum::http::header::{ALLOW, CACHE_CONTROL};
use tracing::Dispatch;

use super::*;
use crate::clock::{ManualClock, UnixMillis};
use crate::jobs::{Job, JobClass, Scheduler};
use crate::telemetry::log::{LineFormat, LogFilter, build};

struct Fixture {
    admin: Admin,
    /// Keeps the log alive that `/log` controls.
    _dispatch: Dispatch,
    readiness: Arc<Readiness>,
    jobs: Arc<JobBoard>,
    samples: Arc<AtomicU32>,
}

fn fixture() -> Fixture {
    let readiness = Arc::new(Readiness::starting());
    let samples = Arc::new(AtomicU32::new(0));
    let metrics = Arc::new(Metrics::new(&["PutObject"]));
    let (jobs, counted) = (JobBoard::new(), Arc::clone(&samples));
    let (dispatch, log) = build(&LogFilter::default(), LineFormat::Plain, io::sink);
    let admin = Admin::new(
        metrics,
        Arc::clone(&readiness),
        Arc::clone(&jobs),
        Arc::new(log),
        Changes::ByAnyone,
        move || {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(())
        },
    );
    Fixture {
        admin,
        _dispatch: dispatch,
        readiness,
        jobs,
        samples,
    }
}

async fn ask(admin: &Admin, method: Method, path: &str) -> (StatusCode, String) {
    ask_with(admin, method, path, "").await
}

async fn ask_with(
    admin: &Admin,
    method: Method,
    path: &str,
    body: &'static str,
) -> (StatusCode, String) {
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().expect("the path is a URI");
    let response = admin.answer(request).await;
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX)
        .await
        .expect("a full body cannot fail");
    (
        status,
        String::from_utf8(body.to_vec()).expect("answers are text"),
    )
}

#[tokio::test]
async fn readiness_follows_the_process_and_liveness_does_not() {
    let Fixture {
        admin, readiness, ..
    } = fixture();
    let (status, body) = ask(&admin, Method::GET, "/readyz").await;
    assert_eq!(
        (status, body.as_str()),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "starting: the store is being opened\n"
        )
    );
    readiness.serve(|| None);
    assert_eq!(
        ask(&admin, Method::GET, "/readyz").await,
        (StatusCode::OK, "ok\n".to_owned())
    );
    readiness.stop();
    let (status, body) = ask(&admin, Method::GET, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.starts_with("stopping"), "{body}");
    assert_eq!(ask(&admin, Method::GET, "/livez").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_latched_store_is_told_by_readyz_and_by_a_metric() {
    let Fixture {
        admin, readiness, ..
    } = fixture();
    readiness.serve(|| Some("fsync failed".to_owned()));
    let (status, body) = ask(&admin, Method::GET, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("fsync failed"), "{body}");
    let (_, metrics) = ask(&admin, Method::GET, "/metrics").await;
    assert!(
        metrics.contains("\nstrongroom_store_read_only 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("\nstrongroom_ready 0\n"), "{metrics}");
}

#[tokio::test]
async fn a_scrape_waits_for_the_store_and_samples_first() {
    let Fixture {
        admin,
        readiness,
        samples,
        ..
    } = fixture();
    let (early, _) = ask(&admin, Method::GET, "/metrics").await;
    assert_eq!(early, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(samples.load(Ordering::SeqCst), 0);
    readiness.serve(|| None);
    let (status, body) = ask(&admin, Method::GET, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("strongroom_s3_requests_total"), "{body}");
    ask(&admin, Method::GET, "/metrics?x=y").await;
    assert_eq!(samples.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let fixture = fixture();
    let admin = &fixture.admin;
    assert_eq!(
        ask(admin, Method::GET, "/nothing").await.0,
        StatusCode::NOT_FOUND
    );
    for (method, path, allowed) in [
        (Method::POST, "/metrics", "GET, HEAD"),
        (Method::DELETE, "/", "GET, HEAD"),
        (Method::POST, "/log", "GET, HEAD, PUT, DELETE"),
    ] {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).expect("a request");
        let refused = admin.answer(request).await;
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(refused.headers()[ALLOW], allowed, "{path}");
        assert_eq!(refused.headers()[CACHE_CONTROL], "no-store", "{path}");
    }
    let head = (StatusCode::OK, String::new());
    assert_eq!(ask(admin, Method::HEAD, "/livez").await, head);
}

/// A bug in a background job must not cost a deployment its backup target.
#[tokio::test]
async fn a_job_that_panics_shows_in_metrics_and_jobs_and_not_in_readiness() {
    let Fixture {
        admin,
        readiness,
        jobs,
        ..
    } = fixture();
    readiness.serve(|| None);
    let clock = Arc::new(ManualClock::at(UnixMillis(1_000)));
    let mut scheduler = Scheduler::new(jobs, clock);
    scheduler.start(Job {
        name: "bad",
        class: JobClass::Upkeep,
        every: Duration::from_millis(5),
        work: Box::new(|_| panic!("planted by the test")),
    });
    let twice = async {
        loop {
            let (_, metrics) = ask(&admin, Method::GET, "/metrics").await;
            let series = "strongroom_job_runs_total{name=\"bad\",result=\"panic\"} ";
            let panics = metrics.lines().find_map(|line| line.strip_prefix(series));
            if panics.is_some_and(|n| n.parse::<u64>().is_ok_and(|n| n >= 2)) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let ran = tokio::time::timeout(Duration::from_secs(30), twice).await;
    ran.expect("it runs again, and is counted");
    let (_, shown) = ask(&admin, Method::GET, "/jobs").await;
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert!(shown[0]["panics"].as_u64() >= Some(2), "{shown}");
    assert_eq!(
        shown[0]["last"]["result"]["Err"],
        "panicked: planted by the test"
    );
    let ready = (StatusCode::OK, "ok\n".to_owned());
    assert_eq!(ask(&admin, Method::GET, "/readyz").await, ready);
    scheduler.end().await;
}

#[tokio::test]
async fn what_is_logged_can_be_changed_and_set_back() {
    let fixture = fixture();
    let admin = &fixture.admin;
    let shown = |filter: &str, overridden: bool| {
        format!(
            "{{\"filter\":\"{filter}\",\"configured\":\"warn,strongroom_server=info\",\"overridden\":{overridden}}}"
        )
    };
    let default = (StatusCode::OK, shown("warn,strongroom_server=info", false));
    assert_eq!(ask(admin, Method::GET, "/log").await, default);
    let debug = (StatusCode::OK, shown("warn,strongroom_server=debug", true));
    assert_eq!(ask_with(admin, Method::PUT, "/log", "debug\n").await, debug);
    assert_eq!(ask(admin, Method::GET, "/log").await, debug);
    fixture.readiness.serve(|| None);
    let (_, metrics) = ask(admin, Method::GET, "/metrics").await;
    assert!(
        metrics.contains("\nstrongroom_log_filter_overridden 1\n"),
        "{metrics}"
    );
    assert_eq!(ask(admin, Method::DELETE, "/log").await, default);
    let (_, metrics) = ask(admin, Method::GET, "/metrics").await;
    assert!(
        metrics.contains("\nstrongroom_log_filter_overridden 0\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_bad_filter_changes_nothing_and_says_why() {
    const LONG: &str = concat!("a=info,", "0123456789012345678901234567890123456789");
    let fixture = fixture();
    let admin = &fixture.admin;
    let before = ask(admin, Method::GET, "/log").await;
    for (body, status, why) in [
        (
            "debgu",
            400,
            "`debgu` is no log filter: `debgu` is no level",
        ),
        ("", 400, "it is empty"),
        ("off", 400, "it hides the errors of strongroom-server"),
        ("debug,strongroom_server=off", 400, "it hides the errors"),
        ("hyper=debug", 400, "it hides the errors"),
        ("strongroom_server=loud", 400, "expected one of"),
    ] {
        let (refused, text) = ask_with(admin, Method::PUT, "/log", body).await;
        assert_eq!(refused.as_u16(), status, "{body}: {text}");
        assert!(text.contains(why) && text.ends_with('\n'), "{body}: {text}");
    }
    let long: &'static str = LONG.repeat(40).leak();
    let (refused, text) = ask_with(admin, Method::PUT, "/log", long).await;
    assert_eq!(
        (refused.as_u16(), text.as_str()),
        (413, "a log filter has at most 1024 bytes\n")
    );
    let mut request = Request::new(Body::from(&b"\xff"[..]));
    *request.method_mut() = Method::PUT;
    *request.uri_mut() = "/log".parse().expect("a URI");
    assert_eq!(
        admin.answer(request).await.status(),
        StatusCode::BAD_REQUEST
    );
    let (refused, _) = ask(admin, Method::POST, "/log").await;
    assert_eq!(refused, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(ask(admin, Method::GET, "/log").await, before);
}
