//! Writers: the processes that may still write packs, each with its open shared pack.
//!
//! ORDER: a process has its row before it makes its first pack. The row is removed only when that process can no longer
//! write: by the process itself at a clean stop, or by a later one that holds the directory's lock.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::store::{Epoch, PackId, StoreError};
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Keyed, Table};

/// A process that may still write packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterRow {
    /// When it started.
    pub since: UnixMillis,
    /// Its open shared pack: ending this writer requires sealing the pack.
    pub open: Option<PackId>,
}

impl Record for WriterRow {}

/// The processes that may still write, by epoch. A writer's epoch has ended when it has no row.
#[derive(Debug, Clone, Copy)]
pub struct Writers;

impl Keyed for Writers {
    const KEYSPACE: Keyspace = Keyspace::Writer;
    type Key<'a> = Epoch;
    type Found = Epoch;

    fn write(epoch: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&epoch.0.to_be_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<Epoch, StoreError> {
        Ok(Epoch(u32::from_be_bytes(fields.array()?)))
    }
}

impl Table for Writers {
    type Value = WriterRow;
}
