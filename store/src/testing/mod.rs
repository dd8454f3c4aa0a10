//! Backends for tests. A normal build has none of them.

mod pack_per_batch;

pub use pack_per_batch::PackPerBatch;
