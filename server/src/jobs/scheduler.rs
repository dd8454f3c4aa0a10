//! Runs jobs at their intervals, each class in a lane of its own.
//!
//! A run that ends with an error is repeated at the job's next time. After a panic the wait doubles, up to
//! [`BACKOFF_MAX`], until a run ends without a panic. This keeps the log from flooding, and the job still runs once the
//! cause has gone.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::clock::{Clock, UnixMillis};
use crate::jobs::board::{BoardEntry, after};
use crate::jobs::{Job, JobBoard, JobClass, JobRun, JobState, LastRun, Work};
use crate::store::blocking_pool::BlockingPool;

/// Longest wait after panics, unless the job's own interval is longer: short enough that space is freed within hours
/// once the cause has gone, long enough that its log lines do not hide others.
const BACKOFF_MAX: Duration = Duration::from_hours(1);

/// The jobs of a server.
pub struct Scheduler {
    board: Arc<JobBoard>,
    clock: Arc<dyn Clock>,
    lanes: [(JobClass, BlockingPool); JobClass::ALL.len()],
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Scheduler {
    /// A scheduler without jobs; later jobs are shown on `board`.
    pub fn new(board: Arc<JobBoard>, clock: Arc<dyn Clock>) -> Scheduler {
        Scheduler {
            board,
            clock,
            lanes: JobClass::ALL.map(|class| (class, BlockingPool::new(JobClass::LANES))),
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Runs `job` from now on; the first run comes after one wait.
    pub fn start(&mut self, job: Job) {
        let entry = self.board.add(&job, after(self.clock.now(), job.every));
        let mut lanes = self.lanes.iter();
        let (_, lane) = lanes
            .find(|(class, _)| *class == job.class)
            .expect("`ALL` lists every class, and each has a lane");
        let task = JobTask {
            name: job.name,
            every: job.every,
            work: Arc::new(job.work),
            entry,
            lane: lane.clone(),
            clock: Arc::clone(&self.clock),
            stop: self.stop.clone(),
        };
        self.tasks.spawn(task.run());
    }

    /// Lets each current run end after its current step; starts no more runs.
    pub async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(failure) = ended {
                tracing::error!(%failure, "the scheduler of a job panicked; this is a bug, please report it");
            }
        }
    }
}

/// One job and the objects that its runs need.
struct JobTask {
    name: &'static str,
    every: Duration,
    work: Arc<Work>,
    entry: BoardEntry,
    lane: BlockingPool,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
}

/// How the work of a run ended.
enum Outcome {
    Done(serde_json::Value),
    Failed(String),
    Panicked(String),
}

impl JobTask {
    async fn run(self) {
        let (mut runs, mut panics_in_a_row) = (0_u64, 0_u32);
        loop {
            let wait = wait_after(self.every, panics_in_a_row);
            let next = after(self.clock.now(), wait);
            self.entry
                .change(|job| job.state = JobState::Waiting { next });
            tokio::select! {
                () = self.stop.cancelled() => break,
                // The job's own interval, which an operator sets: there is no event to wait for instead.
                () = tokio::time::sleep(wait) => {}
            }
            runs += 1;
            let span = tracing::error_span!("job", job = self.name, run = runs);
            match self.run_once().instrument(span).await {
                None => break,
                Some(Outcome::Panicked(_)) => panics_in_a_row = panics_in_a_row.saturating_add(1),
                Some(Outcome::Done(_) | Outcome::Failed(_)) => panics_in_a_row = 0,
            }
        }
        self.entry.change(|job| job.state = JobState::Stopped);
    }

    /// Runs the work once its class has a free lane; returns `None` when the server stops before that.
    async fn run_once(&self) -> Option<Outcome> {
        let since = self.clock.now();
        self.entry
            .change(|job| job.state = JobState::Queued { since });
        let (work, clock) = (Arc::clone(&self.work), Arc::clone(&self.clock));
        let run = JobRun {
            entry: self.entry.clone(),
            stop: self.stop.clone(),
        };
        let ended = self.lane.run(move || {
            if run.is_stopping() {
                return None;
            }
            let (began, start) = (clock.now(), clock.elapsed());
            run.entry
                .change(|job| job.state = JobState::Running { since: began });
            let outcome = outcome_of(&work, &run);
            Some((began, clock.elapsed().saturating_sub(start), outcome))
        });
        let (began, took, outcome) = ended.await?;
        self.record(began, took.as_secs_f64(), &outcome);
        Some(outcome)
    }

    fn record(&self, began: UnixMillis, took_secs: f64, outcome: &Outcome) {
        let ended = self.clock.now();
        match outcome {
            Outcome::Done(done) => tracing::debug!(%done, took_secs, "a job has run"),
            Outcome::Failed(error) => {
                tracing::error!(
                    error,
                    took_secs,
                    "a job failed; it is tried again at its next time"
                );
            }
            Outcome::Panicked(panic) => {
                tracing::error!(
                    panic,
                    took_secs,
                    "a job panicked; it is tried again after a longer wait. This is a bug, please report it"
                );
            }
        }
        self.entry.change(|job| {
            job.progress = None;
            job.runs += 1;
            let result = match outcome {
                Outcome::Done(done) => {
                    job.last_success = Some(ended);
                    Ok(done.clone())
                }
                Outcome::Failed(error) => {
                    job.failures += 1;
                    Err(error.clone())
                }
                Outcome::Panicked(panic) => {
                    job.panics += 1;
                    Err(format!("panicked: {panic}"))
                }
            };
            job.last = Some(LastRun {
                began,
                took_secs,
                result,
            });
        });
    }
}

/// Does the work, and catches its panic: the work keeps nothing between runs, so no half-changed state survives.
fn outcome_of(work: &Work, run: &JobRun) -> Outcome {
    match catch_unwind(AssertUnwindSafe(|| work(run))) {
        Ok(Ok(done)) => Outcome::Done(done),
        Ok(Err(error)) => Outcome::Failed(error.to_string()),
        Err(panic) => Outcome::Panicked(text_of(&*panic)),
    }
}

/// A panic's message.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    literal
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// The wait before the next run.
fn wait_after(every: Duration, panics_in_a_row: u32) -> Duration {
    let doubled = every.saturating_mul(2_u32.saturating_pow(panics_in_a_row));
    doubled.min(BACKOFF_MAX.max(every))
}

#[cfg(test)]
mod tests;
