//! Both meta pages of a file.
//!
//! Owns: where they are, which the page size decides that only they tell. Must not know which of them counts.

use super::{
    error::BoltError,
    meta::{META_BYTES, Meta, MetaDefect, PAGE_SIZE_MAX, PAGE_SIZE_MIN},
    source::PageSource,
};
use crate::width::u64_of;

/// The metas of pages 0 and 1, or what is wrong with each.
pub(super) fn both_metas<S: PageSource>(
    source: &S,
    db_len: u64,
) -> Result<[Result<Meta, MetaDefect>; 2], BoltError> {
    let first = meta_at(source, db_len, 0)?;
    let second = match first {
        Ok(meta) => meta_at(source, db_len, u64::from(meta.page_size))?
            .and_then(|second| same_size(second, meta.page_size)),
        Err(_) => second_meta_by_probe(source, db_len)?,
    };
    Ok([first, second])
}

fn meta_at<S: PageSource>(
    source: &S,
    db_len: u64,
    offset: u64,
) -> Result<Result<Meta, MetaDefect>, BoltError> {
    let mut bytes = [0; META_BYTES];
    let len = u64_of(META_BYTES);
    if offset.checked_add(len).is_none_or(|end| end > db_len) {
        return Ok(Err(MetaDefect::Short));
    }
    source
        .read_at(offset, &mut bytes)
        .map_err(|source| BoltError::Read {
            offset,
            len,
            source,
        })?;
    Ok(Meta::decode(&bytes))
}

/// With page 0 lost the page size is unknown: page 1 is where a meta page says so.
fn second_meta_by_probe<S: PageSource>(
    source: &S,
    db_len: u64,
) -> Result<Result<Meta, MetaDefect>, BoltError> {
    let mut defect = MetaDefect::Short;
    let mut page_size = PAGE_SIZE_MIN;
    while page_size <= PAGE_SIZE_MAX {
        match meta_at(source, db_len, u64::from(page_size))?
            .and_then(|meta| same_size(meta, page_size))
        {
            Ok(meta) => return Ok(Ok(meta)),
            // The commonest page size names what is wrong with page 1.
            Err(found) if page_size == 4096 => defect = found,
            Err(_) => {}
        }
        page_size *= 2;
    }
    Ok(Err(defect))
}

fn same_size(meta: Meta, page_size: u32) -> Result<Meta, MetaDefect> {
    if meta.page_size == page_size {
        Ok(meta)
    } else {
        Err(MetaDefect::PageSize {
            found: meta.page_size,
        })
    }
}
