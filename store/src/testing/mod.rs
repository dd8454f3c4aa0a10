//! What tests put in place of disks: memory backends with crashes, a faulty disk, packs as an object store has them; and the
//! conformance suite that every backend passes. A normal build has none of it.

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
