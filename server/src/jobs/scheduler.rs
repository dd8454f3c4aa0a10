//! Background jobs: what runs beside requests, when it runs next, and how it went, for operators to see.
//!
//! A job's `work` is never interrupted, but it asks after each of its steps whether to go on; the wait between two is
//! interrupted by the stop of the server. So the server stops after at most one step, and none is cut in its middle.
//! What the jobs do is not known here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::clock::{Clock, UnixMillis};
use crate::store::gate::Gate;

/// What a job does each time; the value tells what was done. Blocks. It tells how far it is, and ends early when told to.
pub type Work = Box<dyn FnMut(&Progress) -> Result<serde_json::Value, String> + Send>;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it does now.
    pub doing: &'static str,
    /// How many things this step has looked at.
    pub seen: u64,
}

/// Where work tells how far it is.
pub struct Progress {
    board: Arc<JobBoard>,
    place: usize,
    stopping: watch::Receiver<bool>,
}

impl Progress {
    /// Shows the step to operators; false when the server stops and the work should end here.
    pub fn at(&self, step: Step) -> bool {
        self.board
            .change(self.place, |job| job.progress = Some(step));
        !*self.stopping.borrow()
    }
}

/// What a job's runs are timed and ended by.
pub struct JobClock {
    /// Times and durations.
    pub clock: Arc<dyn Clock>,
    /// How many jobs work at once.
    pub gate: Gate,
    /// True once the server stops.
    pub stopping: watch::Receiver<bool>,
}

/// A job as an operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobStatus {
    /// Its name.
    pub name: &'static str,
    /// Whether it works or waits.
    pub state: JobState,
    /// How far the run under way is.
    pub progress: Option<Step>,
    /// How often it has run.
    pub runs: u64,
    /// How many of the runs failed.
    pub failures: u64,
    /// When the last run that did not fail ended, in Unix milliseconds.
    pub last_success: Option<UnixMillis>,
    /// How its last run went.
    pub last: Option<LastRun>,
}

/// Whether a job works or waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum JobState {
    /// Its work is under way.
    Running {
        /// Since when, in Unix milliseconds.
        since: UnixMillis,
    },
    /// It waits for its time.
    Waiting {
        /// When it runs next, in Unix milliseconds.
        next: UnixMillis,
    },
    /// The server is stopping.
    Stopped,
}

/// How a run went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastRun {
    /// When it began, in Unix milliseconds.
    pub began: UnixMillis,
    /// How long it took.
    pub took_secs: f64,
    /// What it did, or why it failed.
    pub result: Result<serde_json::Value, String>,
}

/// All jobs of a server.
#[derive(Debug, Default)]
pub struct JobBoard {
    jobs: Mutex<Vec<JobStatus>>,
}

impl JobBoard {
    /// A board without jobs.
    pub fn new() -> Arc<JobBoard> {
        Arc::new(JobBoard::default())
    }

    /// Every job, in the order in which they were started.
    pub fn list(&self) -> Vec<JobStatus> {
        self.jobs().clone()
    }

    /// Runs `work` every `every`, the first time after one such wait, until `stopping` says so. The task ends then,
    /// after the work under way.
    pub fn start(
        self: &Arc<Self>,
        name: &'static str,
        every: Duration,
        timing: JobClock,
        work: Work,
    ) -> JoinHandle<()> {
        let JobClock {
            clock,
            gate,
            stopping,
        } = timing;
        let place = {
            let mut jobs = self.jobs();
            let next = after(clock.now(), every);
            jobs.push(JobStatus {
                name,
                state: JobState::Waiting { next },
                progress: None,
                runs: 0,
                failures: 0,
                last_success: None,
                last: None,
            });
            jobs.len() - 1
        };
        let task = JobTask {
            board: Arc::clone(self),
            place,
            name,
            every,
            clock,
            gate,
        };
        tokio::spawn(task.run(work, stopping))
    }

    fn change(&self, place: usize, change: impl FnOnce(&mut JobStatus)) {
        if let Some(job) = self.jobs().get_mut(place) {
            change(job);
        }
    }

    fn jobs(&self) -> MutexGuard<'_, Vec<JobStatus>> {
        // Each change leaves the list whole, so a panic elsewhere does not spoil it.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct JobTask {
    board: Arc<JobBoard>,
    place: usize,
    name: &'static str,
    every: Duration,
    clock: Arc<dyn Clock>,
    gate: Gate,
}

impl JobTask {
    async fn run(self, mut work: Work, mut stopping: watch::Receiver<bool>) {
        let mut runs = 0_u64;
        loop {
            let next = after(self.clock.now(), self.every);
            self.board
                .change(self.place, |job| job.state = JobState::Waiting { next });
            tokio::select! {
                // A sender that is gone means that the server has ended without saying so.
                _stop = stopping.wait_for(|stop| *stop) => break,
                // The job's own interval, which an operator sets: nothing happens that could be waited for instead.
                () = tokio::time::sleep(self.every) => {}
            }
            runs += 1;
            let span = tracing::error_span!("job", job = self.name, run = runs);
            work = self.once(work, stopping.clone()).instrument(span).await;
        }
        self.board
            .change(self.place, |job| job.state = JobState::Stopped);
    }

    async fn once(&self, mut work: Work, stopping: watch::Receiver<bool>) -> Work {
        let (began, start) = (self.clock.now(), self.clock.elapsed());
        self.board.change(self.place, |job| {
            job.state = JobState::Running { since: began }
        });
        let progress = Progress {
            board: Arc::clone(&self.board),
            place: self.place,
            stopping,
        };
        let (work, result) = self
            .gate
            .run(move || {
                let result = work(&progress);
                (work, result)
            })
            .await;
        let took_secs = self.clock.elapsed().saturating_sub(start).as_secs_f64();
        match &result {
            Ok(done) => tracing::debug!(%done, took_secs, "a job has run"),
            Err(error) => {
                tracing::error!(%error, took_secs, "a job failed; it is tried again at its next time");
            }
        }
        let ended = self.clock.now();
        self.board.change(self.place, |job| {
            job.progress = None;
            job.runs += 1;
            match &result {
                Ok(_) => job.last_success = Some(ended),
                Err(_) => job.failures += 1,
            }
            job.last = Some(LastRun {
                began,
                took_secs,
                result,
            });
        });
        work
    }
}

fn after(now: UnixMillis, wait: Duration) -> UnixMillis {
    UnixMillis(
        now.0
            .saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::clock::ManualClock;

    struct Started {
        board: Arc<JobBoard>,
        stop: watch::Sender<bool>,
        task: JoinHandle<()>,
        runs: Arc<AtomicU64>,
    }

    /// A job that runs each time its wait ends; its third run fails.
    fn start(every: Duration) -> Started {
        let (stop, stopping) = watch::channel(false);
        let (board, runs) = (JobBoard::new(), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&runs);
        let work: Work = Box::new(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
            2 => Err("the third run fails".to_owned()),
            run => Ok(serde_json::json!({ "run": run })),
        });
        let clock = Arc::new(ManualClock::at(UnixMillis(1_000)));
        let gate = Gate::new(1);
        let timing = JobClock {
            clock,
            gate,
            stopping,
        };
        let task = board.start("count", every, timing, work);
        Started {
            board,
            stop,
            task,
            runs,
        }
    }

    const WITHIN: Duration = Duration::from_secs(30);

    async fn after_runs(started: &Started, runs: u64) -> JobStatus {
        let reached = async {
            loop {
                let status = started.board.list().remove(0);
                if status.runs >= runs {
                    return status;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(WITHIN, reached)
            .await
            .expect("the job runs in time")
    }

    #[tokio::test]
    async fn a_job_goes_on_after_a_failure_and_shows_it() {
        let started = start(Duration::from_millis(20));
        let first = started.board.list().remove(0);
        assert_eq!((first.runs, first.last), (0, None));
        assert_eq!(
            first.state,
            JobState::Waiting {
                next: UnixMillis(1_020)
            }
        );
        let third = after_runs(&started, 3).await;
        assert_eq!(
            third.last.map(|last| last.result),
            Some(Err("the third run fails".to_owned()))
        );
        let fourth = after_runs(&started, 4).await;
        assert_eq!(
            fourth.last.map(|last| last.result),
            Some(Ok(serde_json::json!({ "run": 3 })))
        );
    }

    #[tokio::test]
    async fn work_shows_how_far_it_is_and_hears_of_the_stop() {
        let (stop, stopping) = watch::channel(false);
        let board = JobBoard::new();
        let work: Work = Box::new(move |progress| {
            let mut seen = 0;
            while progress.at(Step {
                doing: "counting",
                seen,
            }) {
                seen += 1;
                std::thread::yield_now();
            }
            Ok(serde_json::json!(seen))
        });
        let timing = JobClock {
            clock: Arc::new(ManualClock::at(UnixMillis(1_000))),
            gate: Gate::new(1),
            stopping,
        };
        let task = board.start("count", Duration::from_millis(1), timing, work);
        let counted = async {
            loop {
                match board.list().remove(0).progress {
                    Some(Step {
                        doing: "counting",
                        seen: 3..,
                    }) => return,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(WITHIN, counted)
            .await
            .expect("it is shown");
        stop.send_replace(true);
        let ended = tokio::time::timeout(WITHIN, task).await;
        ended
            .expect("it hears of the stop")
            .expect("it does not panic");
        let status = board.list().remove(0);
        assert_eq!((status.runs, status.progress), (1, None));
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait_and_no_run_follows() {
        let started = start(Duration::from_hours(1));
        started.stop.send_replace(true);
        let ended = tokio::time::timeout(WITHIN, started.task)
            .await
            .expect("it does not wait for its hour");
        ended.expect("it does not panic");
        assert_eq!(started.board.list().remove(0).state, JobState::Stopped);
        assert_eq!(started.runs.load(Ordering::SeqCst), 0);
    }
}
