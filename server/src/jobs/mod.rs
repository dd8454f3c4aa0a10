//! Background jobs: work that the server does on its own, next to requests.
//!
//! [`Scheduler`] runs each [`Job`] at its interval, and [`JobBoard`] shows operators the progress and results of runs.
//! Every job has a file of its own here. A job that supports `--dry-run` can run without changing anything, so that a
//! command prints what it would do (see [`crate::gc::forecast`]). ARCHITECTURE.md explains how to add a job.
//!
//! Invariants: the jobs of one class run one at a time, and no class waits for another; a run is never interrupted in
//! the middle of a step; a job keeps nothing in memory from one run to the next, so it runs again after an error or a
//! panic.

mod board;
pub mod gc;
mod job;
mod scheduler;

pub use board::{JobBoard, JobProgress, JobState, JobStatus, LastRun};
pub use job::{Job, JobClass, JobError, JobRun, Work};
pub use scheduler::Scheduler;
