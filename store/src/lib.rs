//! The two storage seams: [`meta`], ordered rows under mini-transactions, and [`packs`], append-only files of frames.
//!
//! Everything here is synchronous; the layers above call it through [`blocking_pool::BlockingPool`]. No type of an
//! engine is exposed: only `meta/rocks` names RocksDB. This crate does not know what rows mean.

pub mod blocking_pool;
pub mod clock;
pub mod error;
pub mod health;
pub mod ids;
pub mod meta;
pub mod observer;
pub mod open;
pub mod packs;
pub mod planted;
pub mod reserve;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

/// Packs kept open for reading: every snapshot of a busy hour.
pub const READ_HANDLES_MAX: usize = 256;

/// Table files that Meta keeps open.
pub const TABLE_HANDLES_MAX: usize = 128;

pub use error::{ErrorClass, StoreError};
pub use ids::{Epoch, FormatVersion, ManifestId, PackId, StoreId};
pub use open::{Backends, Execution, Store};
#[cfg(any(test, feature = "testing"))]
pub use testing::MemoryBackend;
