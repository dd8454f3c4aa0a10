//! Walks over rows, one page at a time, and single lookups, using only the calls of [`Meta`].

use std::ops::ControlFlow;

use bytes::{BufMut, BytesMut};

use super::row::decode_counter;
use super::{Key, Meta, Row};
use crate::StoreError;

/// Rows of one page: the memory of one step of a walk.
pub const PAGE_ROWS: usize = 500;

/// Half-open bounds of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// First key.
    pub from: Key,
    /// First key after.
    pub to: Key,
}

/// The first possible key after `key` itself.
pub fn after_key(key: &Key) -> Key {
    let mut out = BytesMut::with_capacity(key.len() + 1);
    out.put_slice(key);
    out.put_u8(0);
    out.freeze()
}

/// Calls `visit` for each page of a range until it breaks. The last page may be empty.
///
/// # Errors
/// When the engine cannot read, or an error of `visit`.
pub fn each_page(
    meta: &dyn Meta,
    range: KeyRange,
    mut visit: impl FnMut(&[(Key, Row)]) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let KeyRange { mut from, to } = range;
    loop {
        let rows = meta.scan(&from, &to, PAGE_ROWS)?;
        if visit(&rows)?.is_break() {
            return Ok(());
        }
        match rows.last() {
            Some((last, _)) if rows.len() == PAGE_ROWS => from = after_key(last),
            _ => return Ok(()),
        }
    }
}

/// Calls `visit` for each row of a range.
///
/// # Errors
/// As [`each_page`].
pub fn each_row(
    meta: &dyn Meta,
    range: KeyRange,
    mut visit: impl FnMut(&Key, &Row) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    each_page(meta, range, |rows| {
        rows.iter().try_for_each(|(key, row)| visit(key, row))?;
        Ok(ControlFlow::Continue(()))
    })
}

/// One row, by key.
///
/// # Errors
/// When the engine cannot read.
pub fn row_of(meta: &dyn Meta, key: &Key) -> Result<Option<Row>, StoreError> {
    let rows = meta.get_many(std::slice::from_ref(key))?;
    Ok(rows.into_iter().next().flatten())
}

/// A counter's value; one without a row is zero.
///
/// # Errors
/// When the engine cannot read, or the row is no counter.
pub fn counter(meta: &dyn Meta, key: &Key) -> Result<i64, StoreError> {
    match row_of(meta, key)? {
        Some(row) => decode_counter(key, &row.value),
        None => Ok(0),
    }
}
