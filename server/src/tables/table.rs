//! A table: one keyspace, one type of key, one type of value. Reads and scans know both types.
//!
//! ```compile_fail
//! use strongroom_server::tables::{Buckets, Draft, HeadRow};
//! use strongroom_server::model::BucketName;
//!
//! // A head row is no bucket's value: this does not compile.
//! fn wrong(draft: &mut Draft<'_>, name: &BucketName, head: &HeadRow) {
//!     draft.put(Buckets, name, head);
//! }
//! ```

use std::marker::PhantomData;
use std::ops::ControlFlow;

use crate::store::StoreError;
use crate::store::meta::row::decode_counter;
use crate::store::meta::walk::{KeyRange, each_page, row_of};
use crate::store::meta::{Key, Meta, Row, Version};
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::{self, Record};

/// A keyspace and the type of its keys. Fields are written and read in the same order.
pub trait Keyed: Copy + Send + Sync + 'static {
    /// The keyspace of its rows.
    const KEYSPACE: Keyspace;

    /// A key as a caller passes it.
    type Key<'a>: Copy;

    /// A key as a row returns it.
    type Found;

    /// Writes the key's fields.
    fn write(key: Self::Key<'_>, out: &mut KeyWriter);

    /// Reads the key's fields.
    ///
    /// # Errors
    /// [`StoreError::DamagedRow`] when the key was not written by [`Keyed::write`].
    fn read(fields: &mut KeyReader<'_>) -> Result<Self::Found, StoreError>;

    /// The row's key in bytes.
    fn key(self, key: Self::Key<'_>) -> Key {
        let mut out = KeyWriter::new(Self::KEYSPACE);
        Self::write(key, &mut out);
        out.done()
    }

    /// The fields of a row's key.
    ///
    /// # Errors
    /// [`StoreError::DamagedRow`] when the key was not written by this table.
    fn split(self, key: &Key) -> Result<Self::Found, StoreError> {
        let mut fields = KeyReader::new(key, Self::KEYSPACE)?;
        let found = Self::read(&mut fields)?;
        fields.end()?;
        Ok(found)
    }

    /// Every row of the keyspace.
    fn whole(self) -> Range<Self> {
        Range::of_prefix(KeyWriter::new(Self::KEYSPACE))
    }
}

/// A table of records.
pub trait Table: Keyed {
    /// The type of its rows' values.
    type Value: Record;

    /// Reads a row's value.
    ///
    /// # Errors
    /// [`StoreError::DamagedRow`], [`StoreError::NewerFormat`].
    fn value(self, key: &Key, row: &Row) -> Result<Self::Value, StoreError> {
        record::decode(Self::KEYSPACE.row_name(), key, &row.value)
    }
}

/// A table of counters that safety depends on: none falls below zero, and none is stored at zero.
pub trait Counter: Keyed {}

/// A table of totals that are hints: they saturate and never make a transaction fail.
pub trait Tally: Keyed {}

/// Rows of one table between two keys.
#[derive(Debug, Clone)]
pub struct Range<T> {
    /// The keys.
    pub keys: KeyRange,
    table: PhantomData<T>,
}

impl<T: Keyed> Range<T> {
    /// The rows whose keys start with the written fields.
    pub(super) fn of_prefix(mut prefix: KeyWriter) -> Range<T> {
        let from = prefix.done();
        let to = after_prefix(&from);
        Range {
            keys: KeyRange { from, to },
            table: PhantomData,
        }
    }

    /// The rows of this range at and after `from`.
    #[must_use]
    pub fn starting_at(mut self, from: Key) -> Range<T> {
        if from > self.keys.from {
            self.keys.from = from;
        }
        self
    }
}

/// The first key after all that start with `prefix`.
pub fn after_prefix(prefix: &[u8]) -> Key {
    let kept = prefix
        .iter()
        .rposition(|b| *b != 0xff)
        .map_or(0, |last| last + 1);
    let mut out = bytes::BytesMut::from(prefix.get(..kept).unwrap_or_default());
    if let Some(last) = out.last_mut() {
        *last += 1;
    }
    out.freeze()
}

/// A row of a table.
#[derive(Debug, Clone)]
pub struct Entry<T: Table> {
    /// Its key in bytes.
    pub place: Key,
    /// The commit that wrote it.
    pub version: Version,
    /// Its key.
    pub key: T::Found,
    /// Its value.
    pub value: T::Value,
}

impl<T: Table> Entry<T> {
    /// Decodes a row found by a scan.
    ///
    /// # Errors
    /// [`StoreError::DamagedRow`], [`StoreError::NewerFormat`].
    pub fn of(table: T, place: &Key, row: &Row) -> Result<Entry<T>, StoreError> {
        Ok(Entry {
            key: table.split(place)?,
            value: table.value(place, row)?,
            version: row.version,
            place: place.clone(),
        })
    }
}

/// One value by key.
///
/// # Errors
/// When the engine cannot read, or the row does not decode.
pub fn get<T: Table>(
    meta: &dyn Meta,
    table: T,
    key: T::Key<'_>,
) -> Result<Option<T::Value>, StoreError> {
    let place = table.key(key);
    let row = row_of(meta, &place)?;
    row.map(|row| table.value(&place, &row)).transpose()
}

/// Values by key, in one view, in the order of the keys.
///
/// # Errors
/// As [`get`].
pub fn get_many<'k, T: Table>(
    meta: &dyn Meta,
    table: T,
    keys: impl IntoIterator<Item = T::Key<'k>>,
) -> Result<Vec<Option<T::Value>>, StoreError> {
    let places: Vec<Key> = keys.into_iter().map(|key| table.key(key)).collect();
    let rows = meta.get_many(&places)?;
    let values = places.iter().zip(rows);
    values
        .map(|(place, row)| row.map(|row| table.value(place, &row)).transpose())
        .collect()
}

/// A source of rows: a [`Draft`](super::Draft), which requires the rows, or the rows themselves for an answer without a
/// commit.
pub trait Rows {
    /// Reads one row.
    ///
    /// # Errors
    /// When the engine cannot read, or the row cannot be decoded.
    fn read<T: Table>(&mut self, table: T, key: T::Key<'_>)
    -> Result<Option<T::Value>, StoreError>;

    /// Reads rows in one view, in the order of the keys.
    ///
    /// # Errors
    /// As [`Rows::read`].
    fn read_many<'k, T: Table>(
        &mut self,
        table: T,
        keys: impl IntoIterator<Item = T::Key<'k>>,
    ) -> Result<Vec<Option<T::Value>>, StoreError>;
}

impl Rows for &dyn Meta {
    fn read<T: Table>(
        &mut self,
        table: T,
        key: T::Key<'_>,
    ) -> Result<Option<T::Value>, StoreError> {
        get(*self, table, key)
    }

    fn read_many<'k, T: Table>(
        &mut self,
        table: T,
        keys: impl IntoIterator<Item = T::Key<'k>>,
    ) -> Result<Vec<Option<T::Value>>, StoreError> {
        get_many(*self, table, keys)
    }
}

/// Whether a row exists; its value is not checked.
///
/// # Errors
/// When the engine cannot read.
pub fn exists<T: Keyed>(meta: &dyn Meta, table: T, key: T::Key<'_>) -> Result<bool, StoreError> {
    Ok(row_of(meta, &table.key(key))?.is_some())
}

/// A counter; one without a row is zero.
///
/// # Errors
/// When the engine cannot read, or the row is no counter.
pub fn count<C: Counter>(meta: &dyn Meta, counter: C, key: C::Key<'_>) -> Result<i64, StoreError> {
    let place = counter.key(key);
    match row_of(meta, &place)? {
        Some(row) => decode_counter(&place, &row.value),
        None => Ok(0),
    }
}

/// A tally; one without a row is zero.
///
/// # Errors
/// When the engine cannot read, or the row is no counter.
pub fn tallied<H: Tally>(meta: &dyn Meta, tally: H, key: H::Key<'_>) -> Result<i64, StoreError> {
    let place = tally.key(key);
    match row_of(meta, &place)? {
        Some(row) => decode_counter(&place, &row.value),
        None => Ok(0),
    }
}

/// The first rows of a range, at most `limit`.
///
/// # Errors
/// As [`get`].
pub fn scan<T: Table>(
    meta: &dyn Meta,
    table: T,
    range: &Range<T>,
    limit: usize,
) -> Result<Vec<Entry<T>>, StoreError> {
    let rows = meta.scan(&range.keys.from, &range.keys.to, limit)?;
    rows.iter()
        .map(|(place, row)| Entry::of(table, place, row))
        .collect()
}

/// Calls `visit` for each row of a range, a page at a time.
///
/// # Errors
/// As [`get`], or an error of `visit`.
pub fn each<T: Table>(
    meta: &dyn Meta,
    table: T,
    range: Range<T>,
    mut visit: impl FnMut(Entry<T>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    each_page(meta, range.keys, |rows| {
        for (place, row) in rows {
            visit(Entry::of(table, place, row)?)?;
        }
        Ok(ControlFlow::Continue(()))
    })
}
