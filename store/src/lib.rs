//! The two storage seams: [`meta`], ordered rows under mini-transactions, and [`packs`], append-only files of frames.
//!
//! Everything here is synchronous; the layers above reach it through [`gate::Gate`]. No type of an engine shows
//! through: only `meta/rocks.rs` names RocksDB. What rows mean is not known here.

pub mod clock;
pub mod directory;
pub mod error;
pub mod gate;
pub mod health;
pub mod identity;
pub mod ids;
pub mod lock;
pub mod meta;
pub mod observer;
pub mod opening;
pub mod packs;
pub mod planted;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(feature = "rocksdb")]
pub mod viewing;

pub use error::{ErrorClass, StoreError};
pub use ids::{Epoch, FormatVersion, ManifestId, PackId, StoreId};
pub use opening::{Execution, Seams, Store};
#[cfg(any(test, feature = "testing"))]
pub use testing::Twin;
