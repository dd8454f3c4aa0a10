//! What the committer needs from an engine: ordered bytes, read in one view, changed by synced batches.
//!
//! An engine knows neither versions nor conditions. There are two engines: RocksDB and the in-memory backend.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::row::decode;
use super::{Key, Row, Version};
use crate::StoreError;

/// The engine's own row: the last commit sequence. It is never read or written through [`super::Meta`].
pub const SEQUENCE_KEY: &[u8] = &[0x00];

/// Rows that change together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The new bytes of each key; `None` removes it.
    pub writes: BTreeMap<Key, Option<Bytes>>,
    /// The last commit sequence, kept with the rows in the same batch.
    pub sequence: Version,
}

impl Batch {
    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.writes
            .iter()
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len))
            .sum()
    }
}

/// Ordered bytes on a disk, or in a memory backend.
pub trait Engine: Send + Sync + 'static {
    /// The bytes of each key, in one consistent view, in the order of `keys`.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError>;

    /// Up to `limit` rows with `from <= key < to`, ascending, in one consistent view, without [`SEQUENCE_KEY`].
    ///
    /// # Errors
    /// When the engine cannot read.
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError>;

    /// Applies a batch completely or not at all. It is durable when this returns, and not visible before.
    ///
    /// # Errors
    /// When the engine cannot write or sync. After the next start the batch may be there or not.
    fn apply(&self, batch: &Batch) -> Result<(), StoreError>;

    /// The sequence of the last batch applied; zero for a new store.
    ///
    /// # Errors
    /// When the engine cannot read it.
    fn last_sequence(&self) -> Result<Version, StoreError>;

    /// Stops background work and closes the files. Later calls return [`StoreError::Closed`].
    fn close(&self);
}

/// The rows of each key, decoded, in one view.
pub(super) fn read_rows(engine: &dyn Engine, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
    let stored = engine.get_many(keys)?;
    keys.iter()
        .zip(&stored)
        .map(|(key, bytes)| bytes.as_ref().map(|bytes| decode(key, bytes)).transpose())
        .collect()
}

/// The rows of a range, decoded, in one view.
pub(super) fn scan_rows(
    engine: &dyn Engine,
    from: &[u8],
    to: &[u8],
    limit: usize,
) -> Result<Vec<(Key, Row)>, StoreError> {
    let stored = engine.scan(from, to, limit)?;
    stored
        .into_iter()
        .map(|(key, bytes)| decode(&key, &bytes).map(|row| (key, row)))
        .collect()
}
