//! Which series exist, and what changes them.

use super::*;
use crate::clock::UnixMillis;
use crate::jobs::JobClass;

fn metrics() -> Metrics {
    Metrics::new(&["PutObject", "GetObject"])
}

fn finished(api: &'static str, status: u16) -> FinishedRequest {
    FinishedRequest {
        api,
        status,
        duration: Duration::from_millis(20),
        received: 7,
        sent: 11,
    }
}

#[test]
fn series_that_alerts_need_exist_before_the_first_request() {
    let text = metrics().encode().expect("the registry encodes");
    for line in [
        "strongroom_s3_requests_total{api=\"PutObject\",code=\"500\"} 0",
        "strongroom_s3_requests_total{api=\"other\",code=\"403\"} 0",
        "strongroom_s3_request_duration_seconds_count{api=\"GetObject\"} 0",
        "strongroom_s3_received_bytes_total{api=\"PutObject\"} 0",
        "strongroom_storage_stored_bytes{kind=\"packs\"} 0",
        "strongroom_storage_logical_bytes 0",
        "strongroom_meta_commit_duration_seconds_count 0",
        "strongroom_store_read_only 0",
    ] {
        assert!(text.lines().any(|l| l == line), "missing {line} in\n{text}");
    }
    assert!(text.contains("strongroom_build_info{version="), "{text}");
}

/// The values of a label in docs/metrics.md.
fn documented(label: &str) -> Vec<String> {
    let manual = include_str!("../../../../docs/metrics.md");
    let row = format!("| `{label}` |");
    let line = manual.lines().find_map(|line| line.strip_prefix(&row));
    let values = line.unwrap_or_else(|| panic!("no row {row}")).split('`');
    values.skip(1).step_by(2).map(str::to_owned).collect()
}

/// The suites compare the rest of the page with a running server, which shows only codes that it has already returned.
#[test]
fn the_manual_lists_every_code() {
    let mut documented = documented(names::LABEL_CODE);
    documented.sort();
    let mut codes = names::CODES.to_vec();
    codes.sort_unstable();
    assert_eq!(documented, codes);
}

#[test]
fn jobs_are_counted_as_their_board_counts_them() {
    let metrics = metrics();
    let mut job = JobStatus {
        name: "gc",
        class: JobClass::Upkeep,
        state: crate::jobs::JobState::Stopped,
        progress: None,
        runs: 6,
        failures: 2,
        panics: 1,
        skipped: 2,
        last_success: None,
        last: None,
    };
    metrics.set_jobs(std::slice::from_ref(&job));
    let text = metrics.encode().expect("the registry encodes");
    for line in [
        "strongroom_job_runs_total{name=\"gc\",result=\"success\"} 3",
        "strongroom_job_runs_total{name=\"gc\",result=\"failure\"} 2",
        "strongroom_job_runs_total{name=\"gc\",result=\"panic\"} 1",
        "strongroom_job_last_success_timestamp_seconds{name=\"gc\"} 0",
        "strongroom_job_last_skipped{name=\"gc\"} 2",
        "strongroom_job_running{name=\"gc\"} 0",
    ] {
        assert!(text.lines().any(|l| l == line), "missing {line} in\n{text}");
    }
    job.runs = 7;
    job.last_success = Some(UnixMillis(1_700_000_001_500));
    job.state = crate::jobs::JobState::Running {
        since: UnixMillis(0),
    };
    metrics.set_jobs(&[job]);
    let text = metrics.encode().expect("the registry encodes");
    for line in [
        "strongroom_job_runs_total{name=\"gc\",result=\"success\"} 4",
        "strongroom_job_last_success_timestamp_seconds{name=\"gc\"} 1700000001.5",
        "strongroom_job_running{name=\"gc\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "missing {line} in\n{text}");
    }
}

#[test]
fn a_finished_request_counts_once_under_its_operation_and_code() {
    let metrics = metrics();
    metrics.request_answered("PutObject", Duration::from_millis(4));
    metrics.answer_broken();
    metrics.request_finished(finished("PutObject", 200));
    let text = metrics.encode().expect("the registry encodes");
    assert!(
        text.contains("strongroom_s3_requests_total{api=\"PutObject\",code=\"200\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains(
            "strongroom_s3_time_to_first_byte_seconds_bucket{api=\"PutObject\",le=\"0.005\"} 1\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("strongroom_s3_broken_answers_total 1\n"),
        "{text}"
    );
    assert!(
        text.contains("strongroom_s3_received_bytes_total{api=\"PutObject\"} 7\n"),
        "{text}"
    );
    assert!(
        text.contains("strongroom_s3_sent_bytes_total{api=\"PutObject\"} 11\n"),
        "{text}"
    );
    assert!(text.contains(
        "strongroom_s3_request_duration_seconds_bucket{api=\"PutObject\",le=\"0.025\"} 1\n"
    ));
    assert!(text.contains(
        "strongroom_s3_request_duration_seconds_bucket{api=\"PutObject\",le=\"0.01\"} 0\n"
    ));
}

#[test]
fn unknown_operations_and_codes_fall_into_other() {
    let metrics = metrics();
    let series = |m: &Metrics| m.encode().expect("the registry encodes").lines().count();
    metrics.request_finished(finished("SomethingNew", 299));
    let before = series(&metrics);
    metrics.request_finished(finished("SomethingElse", 298));
    assert_eq!(
        series(&metrics),
        before,
        "an unknown operation or code must not add series"
    );
    let text = metrics.encode().expect("the registry encodes");
    assert!(
        text.contains("strongroom_s3_requests_total{api=\"other\",code=\"other\"} 2\n"),
        "{text}"
    );
}

#[test]
fn in_flight_requests_are_counted_out_when_their_guard_goes() {
    let metrics = metrics();
    let guard = metrics.request_started("GetObject");
    let line = "strongroom_s3_requests_in_flight{api=\"GetObject\"} 1\n";
    assert!(
        metrics
            .encode()
            .expect("the registry encodes")
            .contains(line)
    );
    drop(guard);
    assert!(
        !metrics
            .encode()
            .expect("the registry encodes")
            .contains(line)
    );
}

#[test]
fn commits_and_syncs_feed_their_histograms() {
    let metrics = metrics();
    metrics.committed(Duration::from_millis(3), 17);
    metrics.pack_synced(Duration::from_millis(3), 4096);
    let text = metrics.encode().expect("the registry encodes");
    assert!(
        text.contains("strongroom_pack_sync_duration_seconds_count 1\n"),
        "{text}"
    );
    assert!(
        text.contains("strongroom_pack_written_bytes_total 4096\n"),
        "{text}"
    );
    assert!(
        text.contains("strongroom_meta_commit_duration_seconds_bucket{le=\"0.005\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("strongroom_meta_commit_duration_seconds_bucket{le=\"0.0025\"} 0\n"),
        "{text}"
    );
    assert!(
        text.contains("strongroom_meta_commit_batch_transactions_sum 17\n"),
        "{text}"
    );
}

#[test]
fn panics_of_the_stores_threads_are_counted() {
    let metrics = metrics();
    metrics.store_thread_panicked(names::THREAD_APPENDER);
    let text = metrics.encode().expect("the registry encodes");
    for line in [
        "strongroom_store_thread_panics_total{thread=\"appender\"} 1",
        "strongroom_store_thread_panics_total{thread=\"committer\"} 0",
    ] {
        assert!(text.lines().any(|l| l == line), "missing {line} in\n{text}");
    }
}
