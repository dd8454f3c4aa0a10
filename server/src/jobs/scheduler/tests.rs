//! Runs, failures, panics, classes and the shutdown of a scheduler.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;

use parking_lot::Mutex;
use serde_json::json;

use super::*;
use crate::clock::ManualClock;
use crate::jobs::{JobError, JobProgress, JobStatus};

/// Long enough for a loaded machine; a passing test never waits this long.
const WITHIN: Duration = Duration::from_secs(30);

const SOON: Duration = Duration::from_millis(5);

fn scheduler() -> (Scheduler, Arc<JobBoard>) {
    let board = JobBoard::new();
    let clock = Arc::new(ManualClock::at(UnixMillis(1_000)));
    (Scheduler::new(Arc::clone(&board), clock), board)
}

fn job(
    name: &'static str,
    class: JobClass,
    every: Duration,
    work: impl Fn(&JobRun) -> Result<serde_json::Value, JobError> + Send + Sync + 'static,
) -> Job {
    Job {
        name,
        class,
        every,
        work: Box::new(work),
    }
}

/// Work whose runs are counted from 1.
fn numbered(
    work: impl Fn(u64) -> Result<serde_json::Value, JobError> + Send + Sync + 'static,
) -> impl Fn(&JobRun) -> Result<serde_json::Value, JobError> + Send + Sync + 'static {
    let runs = AtomicU64::new(0);
    move |_| work(runs.fetch_add(1, Ordering::SeqCst) + 1)
}

/// The status of job `name`, once it satisfies `wanted`.
async fn status(board: &JobBoard, name: &str, wanted: impl Fn(&JobStatus) -> bool) -> JobStatus {
    let reached = async {
        loop {
            let jobs = board.list();
            let job = jobs.into_iter().find(|job| job.name == name);
            match job {
                Some(job) if wanted(&job) => return job,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(WITHIN, reached)
        .await
        .expect("the job gets there in time")
}

async fn end(scheduler: Scheduler) {
    tokio::time::timeout(WITHIN, scheduler.end())
        .await
        .expect("the scheduler ends in time");
}

#[tokio::test]
async fn a_job_goes_on_after_a_failure_and_shows_it() {
    let (mut scheduler, board) = scheduler();
    let work = numbered(|run| match run {
        3 => Err("the third run fails".into()),
        run => Ok(json!({ "run": run })),
    });
    let every = Duration::from_millis(20);
    scheduler.start(job("count", JobClass::Upkeep, every, work));
    let first = board.list().remove(0);
    assert_eq!((first.runs, first.last), (0, None));
    let next = UnixMillis(1_020);
    assert_eq!(first.state, JobState::Waiting { next });
    let third = status(&board, "count", |job| job.runs == 3).await;
    assert_eq!(
        third.last.map(|last| last.result),
        Some(Err("the third run fails".to_owned()))
    );
    let fourth = status(&board, "count", |job| job.runs == 4).await;
    assert_eq!(
        fourth.last.map(|last| last.result),
        Some(Ok(json!({ "run": 4 })))
    );
    assert_eq!((fourth.failures, fourth.panics), (1, 0));
    end(scheduler).await;
}

#[tokio::test]
async fn a_job_that_panics_shows_it_waits_longer_and_runs_again() {
    let (mut scheduler, board) = scheduler();
    let work = numbered(|run| {
        assert!(run > 2, "planted in run {run}");
        Ok(json!(run))
    });
    scheduler.start(job("bad", JobClass::Upkeep, SOON, work));
    for (run, waits) in [(1, 10), (2, 20)] {
        let next = UnixMillis(1_000 + waits);
        let panicked = status(&board, "bad", |job| {
            job.runs == run && job.state == JobState::Waiting { next }
        });
        let panicked = panicked.await;
        assert_eq!((panicked.panics, panicked.failures), (run, 0));
        assert_eq!(
            panicked.last.map(|last| last.result),
            Some(Err(format!("panicked: planted in run {run}")))
        );
        assert_eq!(panicked.last_success, None);
    }
    let next = UnixMillis(1_005);
    let mended = status(&board, "bad", |job| {
        job.runs == 3 && job.state == JobState::Waiting { next }
    });
    let mended = mended.await;
    assert_eq!(mended.last.map(|last| last.result), Some(Ok(json!(3))));
    assert_eq!(mended.panics, 2);
    end(scheduler).await;
}

#[test]
fn the_wait_after_panics_is_bounded() {
    let every = Duration::from_mins(10);
    let waits = [0, 1, 2, 3, 40].map(|panics| wait_after(every, panics).as_secs() / 60);
    assert_eq!(waits, [10, 20, 40, 60, 60]);
    let daily = Duration::from_hours(24);
    assert_eq!(wait_after(daily, 5), daily, "never shorter than asked for");
}

#[tokio::test]
async fn a_long_job_of_one_class_does_not_delay_one_of_another() {
    let (mut scheduler, board) = scheduler();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let long = move |_: &JobRun| {
        // Ends when the test drops the other end, also when the test fails.
        let _gone = held.lock().recv();
        Ok(json!(null))
    };
    scheduler.start(job("long", JobClass::Scan, SOON, long));
    let running = |job: &JobStatus| matches!(job.state, JobState::Running { .. });
    status(&board, "long", running).await;
    scheduler.start(job("short", JobClass::Upkeep, SOON, |_| Ok(json!(null))));
    status(&board, "short", |job| job.runs >= 3).await;
    assert!(running(&board.list()[0]), "the long one is still at it");
    drop(release);
    end(scheduler).await;
}

#[tokio::test]
async fn jobs_of_one_class_run_one_at_a_time() {
    let (mut scheduler, board) = scheduler();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for name in ["one", "two", "three"] {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        let work = move |_: &JobRun| {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            // Long enough to be met by another run, short enough for a machine where each yield waits its turn.
            for _ in 0..20 {
                std::thread::yield_now();
            }
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(json!(null))
        };
        scheduler.start(job(name, JobClass::Upkeep, Duration::from_millis(1), work));
    }
    for name in ["one", "two", "three"] {
        status(&board, name, |job| job.runs >= 5).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
    end(scheduler).await;
}

#[tokio::test]
async fn work_shows_how_far_it_is_and_hears_of_the_stop() {
    let (mut scheduler, board) = scheduler();
    let work = |run: &JobRun| {
        let mut seen = 0;
        while !run.is_stopping() {
            seen += 1;
            let doing = "counting";
            run.report(JobProgress { doing, seen });
            std::thread::yield_now();
        }
        Ok(json!(seen))
    };
    scheduler.start(job("count", JobClass::Upkeep, SOON, work));
    let counting = |job: &JobStatus| {
        let doing = "counting";
        matches!(job.progress, Some(now) if now.doing == doing && now.seen >= 3)
    };
    status(&board, "count", counting).await;
    end(scheduler).await;
    let job = board.list().remove(0);
    assert_eq!((job.runs, job.progress), (1, None));
    assert_eq!(job.state, JobState::Stopped);
}

#[tokio::test]
async fn a_stop_ends_the_waits_and_no_run_follows() {
    let (mut scheduler, board) = scheduler();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let holding = move |run: &JobRun| {
        while !run.is_stopping() {
            std::thread::yield_now();
        }
        let _gone = held.lock().recv();
        Ok(json!(null))
    };
    scheduler.start(job("holding", JobClass::Upkeep, SOON, holding));
    status(&board, "holding", |job| {
        matches!(job.state, JobState::Running { .. })
    })
    .await;
    scheduler.start(job("queued", JobClass::Upkeep, SOON, |_| Ok(json!(null))));
    status(&board, "queued", |job| {
        matches!(job.state, JobState::Queued { .. })
    })
    .await;
    let hourly = Duration::from_hours(1);
    scheduler.start(job("hourly", JobClass::Upkeep, hourly, |_| Ok(json!(null))));
    drop(release);
    end(scheduler).await;
    let runs: Vec<_> = board.list().into_iter().map(|job| job.runs).collect();
    assert_eq!(runs, [1, 0, 0]);
    let stopped = |job: &JobStatus| job.state == JobState::Stopped;
    assert!(board.list().iter().all(stopped));
}
