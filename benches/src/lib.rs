//! The parts of `strongroom-bench`: yardsticks, meters, cases, and reports.
//!
//! Invariants: everything that is compared runs alternately in one process tree on one disk; a figure keeps all its
//! samples and is reported as minimum, median and maximum; the server is the real program and is never linked. A step
//! that fails panics with the command and its result, as in the suites.

pub mod args;
pub mod bodies;
pub mod cases;
pub mod chart;
pub mod contrast;
pub mod figures;
pub mod machine;
pub mod meter;
pub mod minio;
pub mod page;
pub mod stats;
pub mod target;
pub mod wire;
pub mod yardstick;
