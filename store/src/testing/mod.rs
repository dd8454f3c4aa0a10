//! What tests put in place of disks: memory backends with crashes, a faulty disk, packs as an object store has them; and the
//! conformance suite that every backend passes. A normal build has none of it.

mod faulty_disk;
mod files;
mod memory_backend;
mod pack_per_batch;
mod rows;
pub mod switches;

#[cfg(test)]
mod conformance;

pub use faulty_disk::{DiskFault, DiskFaults, DiskOp, FaultDisk};
pub use files::{MemDisk, MemFiles};
pub use memory_backend::Twin;
pub use pack_per_batch::PackPerBatch;
pub use rows::{CommitFault, CommitFaults, MemEngine, MemRows};
