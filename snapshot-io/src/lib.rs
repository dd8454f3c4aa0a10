//! Snapshot files from any source: how they are packed, and their bytes.

pub mod packing;
