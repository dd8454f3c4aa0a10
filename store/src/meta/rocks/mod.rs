//! RocksDB under Meta: the engine, and a check of its logs before RocksDB reads them. No other module names RocksDB.

#[cfg(feature = "rocksdb")]
mod engine;
mod log_check;

#[cfg(feature = "rocksdb")]
pub use engine::{Creation, RocksEngine};
