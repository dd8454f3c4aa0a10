//! A read-only view of rows.

use std::sync::Arc;

use super::engine::{Engine, read_rows, scan_rows};
use super::{Key, Meta, Pending, Row, Txn};
use crate::StoreError;
use crate::clock::{Clock, UnixMillis};

/// [`Meta`] over an engine that was opened for reading.
pub struct ReadOnlyMeta {
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
}

impl ReadOnlyMeta {
    /// Rows of `engine`.
    pub fn new(engine: Arc<dyn Engine>, clock: Arc<dyn Clock>) -> ReadOnlyMeta {
        ReadOnlyMeta { engine, clock }
    }
}

impl Meta for ReadOnlyMeta {
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        read_rows(&*self.engine, keys)
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Row)>, StoreError> {
        scan_rows(&*self.engine, from, to, limit)
    }

    fn commit(&self, _txn: Txn) -> Pending {
        Pending::ready(Err(StoreError::ReadOnly {
            reason: "it was opened for looking only".to_owned(),
        }))
    }

    fn now(&self) -> UnixMillis {
        self.clock.now()
    }
}

impl Drop for ReadOnlyMeta {
    fn drop(&mut self) {
        self.engine.close();
    }
}
