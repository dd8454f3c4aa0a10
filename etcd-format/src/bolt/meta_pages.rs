//! Both meta pages of a file.
//!
//! Owns: their positions. These depend on the page size, which only the meta pages contain. Must not know which one is used.

use super::{
    error::BoltError,
    meta::{META_BYTES, Meta, MetaDefect, PAGE_SIZE_MAX, PAGE_SIZE_MIN},
    source::PageSource,
};
use crate::width::u64_of;

/// The metas of pages 0 and 1, or the defect of each.
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

/// The used length of a database, as the newer valid meta page in its first bytes says. Two pages are enough: 128 KiB for the
/// largest pages in use. The file may be longer, if it was copied from a data directory.
///
/// # Errors
/// There is no valid meta page.
pub fn announced_len(head: &[u8]) -> Result<u64, BoltError> {
    let newer = match both_metas(&head, u64_of(head.len()))? {
        [Ok(first), Ok(second)] if second.txid > first.txid => second,
        [Ok(first), _] => first,
        [Err(_), Ok(second)] => second,
        [Err(first), Err(second)] => return Err(BoltError::NoValidMeta { first, second }),
    };
    Ok(newer.high_water.saturating_mul(u64::from(newer.page_size)))
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

/// Without page 0 the page size is unknown. This tries each page size until a valid page 1 is found.
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
            // Report the defect of page 1 at the most common page size.
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
