//! Background jobs: what runs beside requests.

mod scheduler;

pub use scheduler::{JobBoard, JobClock, JobState, JobStatus, LastRun, Progress, Step, Work};
