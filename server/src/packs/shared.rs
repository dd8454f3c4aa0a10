//! The shared pack of a process: opened, then sealed at the end of its last good batch.

use crate::packs::claim::signed;
use crate::store::meta::Meta;
use crate::store::packs::format::header::PACK_HEADER_BYTES;
use crate::store::{PackId, StoreError};
use crate::tables::draft::{Operation, Settled, settle};
use crate::tables::table::each;
use crate::tables::{
    Keyed as _, PackRow, PackRows, PackUsers, Rows as _, StoredBytes, WriterRow, Writers,
};

/// Makes a new pack file the open shared pack of its process. Blocks.
///
/// # Errors
/// [`StoreError::NoSharedPack`] when the collection found the file before its row and marked it: open another pack.
pub(crate) fn open(meta: &dyn Meta, pack: PackId) -> Result<(), StoreError> {
    let opened = settle(meta, Operation::OpenPack, |draft| {
        if draft.read(PackRows, pack)?.is_some() {
            return Ok(Settled::Nothing(false));
        }
        let writer = draft
            .read(Writers, pack.epoch)?
            .ok_or_else(|| no_writer(pack))?;
        let open = Some(pack);
        draft.put(PackRows, pack, &PackRow::Live);
        draft.put(Writers, pack.epoch, &WriterRow { open, ..writer });
        Ok(Settled::Commit(true))
    })?;
    if opened {
        Ok(())
    } else {
        Err(StoreError::NoSharedPack)
    }
}

/// Seals a live pack: bytes at and after `len` are unused. A pack that is not live stays as it is. Blocks.
///
/// # Errors
/// When rows cannot be read or written.
pub(crate) fn seal(meta: &dyn Meta, pack: PackId, len: u64) -> Result<(), StoreError> {
    settle(meta, Operation::SealPack, |draft| {
        let live = draft.read(PackRows, pack)? == Some(PackRow::Live);
        if live {
            draft.put(PackRows, pack, &PackRow::Sealed { len });
            draft.tally(StoredBytes, pack.epoch, signed(len));
        }
        let writer = draft.read(Writers, pack.epoch)?;
        let writer = writer.filter(|writer| writer.open == Some(pack));
        if let Some(writer) = writer {
            let open = None;
            draft.put(Writers, pack.epoch, &WriterRow { open, ..writer });
        }
        Ok(match (live, writer) {
            (false, None) => Settled::Nothing(()),
            _ => Settled::Commit(()),
        })
    })
}

/// Seals the open pack of a process that did not seal it: at the end of the last segment that a manifest uses, which it
/// returns. Blocks.
///
/// # Errors
/// When rows cannot be read or written.
pub(crate) fn seal_at_last_use(meta: &dyn Meta, pack: PackId) -> Result<u64, StoreError> {
    let mut end = PACK_HEADER_BYTES;
    each(meta, PackUsers, PackUsers.of_pack(pack), |user| {
        end = end.max(user.value.end);
        Ok(())
    })?;
    seal(meta, pack, end)?;
    Ok(end)
}

fn no_writer(pack: PackId) -> StoreError {
    StoreError::DamagedRow {
        key: Writers.key(pack.epoch).to_vec(),
        what: "the row of a running writer is gone",
    }
}
