//! Test replacements for disks: memory backends with crashes, a faulty disk, packs as in an object store; and the
//! conformance suite that every backend passes. Normal builds contain none of it.

mod disk;
mod engine;
mod faulty_disk;
mod memory_backend;
mod pack_per_batch;
pub mod switches;

#[cfg(test)]
mod conformance;

pub use disk::{MemDisk, MemFiles};
pub use engine::{CommitFault, CommitFaults, MemEngine, MemRows};
pub use faulty_disk::{DiskFault, DiskFaults, DiskOp, FaultDisk};
pub use memory_backend::MemoryBackend;
pub use pack_per_batch::PackPerBatch;
