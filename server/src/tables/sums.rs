//! Totals over the whole store. Every process has its own share, so that no two processes write one row. A share may be
//! negative, when one process deletes what another one put.

use crate::store::meta::Meta;
use crate::store::meta::row::decode_counter;
use crate::store::meta::walk::each_row;
use crate::store::{Epoch, StoreError};
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::table::{Keyed, Tally};

/// Plain bytes in all versions, changed by the process of an epoch; the sum over all epochs is the store's total.
#[derive(Debug, Clone, Copy)]
pub struct LogicalBytes;

impl Keyed for LogicalBytes {
    const KEYSPACE: Keyspace = Keyspace::LogicalBytes;
    type Key<'a> = Epoch;
    type Found = Epoch;

    fn write(epoch: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&epoch.0.to_be_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<Epoch, StoreError> {
        Ok(Epoch(u32::from_be_bytes(fields.array()?)))
    }
}

impl Tally for LogicalBytes {}

/// Stored bytes in all packs with a row, in the same way.
#[derive(Debug, Clone, Copy)]
pub struct StoredBytes;

impl Keyed for StoredBytes {
    const KEYSPACE: Keyspace = Keyspace::StoredBytes;
    type Key<'a> = Epoch;
    type Found = Epoch;

    fn write(epoch: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&epoch.0.to_be_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<Epoch, StoreError> {
        Ok(Epoch(u32::from_be_bytes(fields.array()?)))
    }
}

impl Tally for StoredBytes {}

/// The total of a store, over the shares of all processes. Never below zero.
///
/// # Errors
/// When rows cannot be read.
pub fn total<H: Tally>(meta: &dyn Meta, tally: H) -> Result<u64, StoreError> {
    let mut sum = 0_i64;
    each_row(meta, tally.whole().keys, |key, row| {
        // A share that is not a counter is a damaged hint.
        sum = sum.saturating_add(decode_counter(key, &row.value).unwrap_or(0));
        Ok(())
    })?;
    Ok(u64::try_from(sum).unwrap_or(0))
}
