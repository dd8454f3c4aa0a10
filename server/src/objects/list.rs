//! Listing a bucket's current objects by prefix and delimiter, a page at a time.

use crate::model::{BucketName, ObjectKey};
use crate::objects::decision::present;
use crate::objects::{Objects, ObjectsError};
use crate::store::meta::walk::{KeyRange, after_key};
use crate::store::meta::{Key, Meta};
use crate::tables::{CurrentRow, Currents, Keyed as _, Table as _};

/// S3's largest page.
pub const PAGE_MAX: usize = 1000;

/// Rows per read while common prefixes may be skipped. After a common prefix one row is read, then again this many.
const DELIMITER_BATCH: usize = 64;

/// The arguments of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Only keys that start with this.
    pub prefix: String,
    /// Group keys by this text after the prefix.
    pub delimiter: Option<String>,
    /// Only entries after this key or common prefix.
    pub after: Option<String>,
    /// Maximum number of entries and prefixes together; limited to [`PAGE_MAX`].
    pub max: usize,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// Its key.
    pub key: ObjectKey,
    /// What the listing shows of it.
    pub row: CurrentRow,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Objects, ascending by key.
    pub entries: Vec<ListEntry>,
    /// Common prefixes, ascending.
    pub prefixes: Vec<String>,
    /// The last key or common prefix of this page, if more follow.
    pub next: Option<String>,
}

impl Objects {
    /// One page of a bucket.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`].
    pub async fn list(
        &self,
        bucket: &BucketName,
        query: ListQuery,
    ) -> Result<Listing, ObjectsError> {
        let bucket = bucket.clone();
        self.look(move |mut meta| {
            let id = present(&mut meta, &bucket)?.id;
            let range = Currents.of_prefix(id, &query.prefix).keys;
            let from = match &query.after {
                Some(after) => start_after(id, &query, after),
                None => range.from.clone(),
            };
            let range = KeyRange {
                from: from.max(range.from),
                to: range.to,
            };
            collect(meta, id, &query, range)
        })
        .await
    }
}

/// The start of the next page: after a key, or after everything under a common prefix.
fn start_after(id: crate::model::BucketId, query: &ListQuery, after: &str) -> Key {
    let is_prefix = query
        .delimiter
        .as_ref()
        .is_some_and(|d| after.ends_with(d.as_str()) && rolled_up(query, after) == Some(after));
    if is_prefix {
        return Currents.of_prefix(id, after).keys.to;
    }
    match ObjectKey::parse(after) {
        Ok(key) => after_key(&Currents.key((id, &key))),
        // Longer than any key: no key starts with it, and keys after it sort after the text.
        Err(_) => Currents.of_prefix(id, after).keys.from,
    }
}

fn rolled_up<'a>(query: &ListQuery, key: &'a str) -> Option<&'a str> {
    common_prefix(&query.prefix, query.delimiter.as_deref(), key)
}

/// The common prefix that `key` belongs to.
pub(super) fn common_prefix<'a>(
    prefix: &str,
    delimiter: Option<&str>,
    key: &'a str,
) -> Option<&'a str> {
    let delimiter = delimiter?;
    let at = key.strip_prefix(prefix)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

fn collect(
    meta: &dyn Meta,
    id: crate::model::BucketId,
    query: &ListQuery,
    mut range: KeyRange,
) -> Result<Listing, ObjectsError> {
    let max = query.max.min(PAGE_MAX);
    let mut page = Listing::default();
    let mut last: Option<String> = None;
    if max == 0 {
        return Ok(page);
    }
    // After one common prefix another is likely: rows read beyond its first row are thrown away.
    let mut batch = DELIMITER_BATCH;
    loop {
        let wanted = max + 1 - (page.entries.len() + page.prefixes.len());
        let limit = if query.delimiter.is_some() {
            wanted.min(batch)
        } else {
            wanted
        };
        let rows = meta.scan(&range.from, &range.to, limit)?;
        let exhausted = rows.len() < limit;
        let mut skipped = false;
        for (key, row) in rows {
            let (_, object) = Currents.split(&key)?;
            if page.entries.len() + page.prefixes.len() == max {
                page.next = last;
                return Ok(page);
            }
            range.from = after_key(&key);
            if let Some(prefix) = rolled_up(query, object.as_str()) {
                range.from = Currents.of_prefix(id, prefix).keys.to;
                last = Some(prefix.to_owned());
                page.prefixes.push(prefix.to_owned());
                skipped = true;
                break;
            }
            last = Some(object.as_str().to_owned());
            page.entries.push(ListEntry {
                row: Currents.value(&key, &row)?,
                key: object,
            });
        }
        if exhausted && !skipped {
            return Ok(page);
        }
        batch = if skipped {
            1
        } else {
            DELIMITER_BATCH.min(8 * batch)
        };
    }
}
