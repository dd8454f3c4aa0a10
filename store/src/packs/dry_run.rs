//! A dry-run view of packs: removals are recorded but not carried out, and nothing is written.
//!
//! Invariant: the underlying [`Packs`] is only read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{Appended, PackEntry, PackWriter, Packs, SegmentDraft};
use crate::{Epoch, PackId, StoreError, StoreId};

/// A [`Packs`] that reads through to another one and records the removals.
pub struct DryRunPacks {
    below: Arc<dyn Packs>,
    /// Lengths of removed packs; zero for a missing one.
    removed: Mutex<BTreeMap<PackId, u64>>,
}

impl DryRunPacks {
    /// The packs of `below`, with none removed yet.
    pub fn over(below: Arc<dyn Packs>) -> DryRunPacks {
        DryRunPacks {
            below,
            removed: Mutex::new(BTreeMap::new()),
        }
    }

    /// The files that would be removed, in order of name.
    pub fn removed(&self) -> Vec<PackEntry> {
        let removed = self.removed.lock();
        let files = removed.iter().filter(|(_, len)| **len > 0);
        files
            .map(|(pack, len)| PackEntry {
                pack: *pack,
                len: *len,
            })
            .collect()
    }

    fn is_removed(&self, pack: PackId) -> bool {
        self.removed.lock().contains_key(&pack)
    }

    /// The length of a pack's file, if there is one.
    fn length(&self, pack: PackId) -> Result<Option<u64>, StoreError> {
        let found = self.below.list(before(pack), 1)?;
        let found = found.into_iter().find(|entry| entry.pack == pack);
        Ok(found.map(|entry| entry.len))
    }
}

/// The name directly before a pack's, unless it is the first.
fn before(pack: PackId) -> Option<PackId> {
    if let Some(serial) = pack.serial.checked_sub(1) {
        return Some(PackId { serial, ..pack });
    }
    pack.epoch.0.checked_sub(1).map(|epoch| PackId {
        epoch: Epoch(epoch),
        serial: u32::MAX,
    })
}

fn read_only() -> StoreError {
    StoreError::ReadOnly {
        reason: "this is a dry run".to_owned(),
    }
}

impl Packs for DryRunPacks {
    fn store(&self) -> StoreId {
        self.below.store()
    }

    fn open_shared(&self) -> Result<PackId, StoreError> {
        Err(read_only())
    }

    fn append(&self, _batch: &[SegmentDraft]) -> Result<Appended, StoreError> {
        Err(read_only())
    }

    fn is_held(&self, pack: PackId) -> bool {
        self.below.is_held(pack)
    }

    fn begin(&self) -> Result<Box<dyn PackWriter>, StoreError> {
        Err(read_only())
    }

    fn read(&self, pack: PackId, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        if self.is_removed(pack) {
            return Err(StoreError::PackMissing { pack });
        }
        self.below.read(pack, ranges)
    }

    fn remove(&self, pack: PackId) -> Result<(), StoreError> {
        if !self.is_removed(pack) {
            let len = self.length(pack)?.unwrap_or(0);
            self.removed.lock().insert(pack, len);
        }
        Ok(())
    }

    fn list(&self, after: Option<PackId>, limit: usize) -> Result<Vec<PackEntry>, StoreError> {
        let mut out = Vec::new();
        let mut after = after;
        while out.len() < limit {
            let page = self.below.list(after, limit)?;
            let Some(last) = page.last().map(|entry| entry.pack) else {
                break;
            };
            after = Some(last);
            out.extend(
                page.into_iter()
                    .filter(|entry| !self.is_removed(entry.pack)),
            );
        }
        out.truncate(limit);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, SeededEntropy, UnixMillis};
    use crate::{Execution, MemoryBackend};

    #[test]
    fn a_dry_run_removes_for_its_own_eyes_only() {
        let clock = Arc::new(ManualClock::at(UnixMillis(5)));
        let store = MemoryBackend::new()
            .open(clock, &SeededEntropy::new(1), Execution::Inline)
            .expect("opened");
        let made: Vec<PackId> = (0..5)
            .map(|_| store.packs.open_shared().expect("room"))
            .collect();
        let dry = DryRunPacks::over(Arc::clone(&store.packs));
        let names = |packs: &dyn Packs, after, limit| -> Vec<PackId> {
            let listed = packs.list(after, limit).expect("listed").into_iter();
            listed.map(|entry| entry.pack).collect()
        };
        assert_eq!(names(&dry, None, 9), made);
        for pack in [made[1], made[2], made[1]] {
            dry.remove(pack).expect("recorded");
        }
        let never = PackId {
            epoch: Epoch(9),
            serial: 0,
        };
        dry.remove(never).expect("nothing to remove");
        assert_eq!(names(&dry, None, 9), [made[0], made[3], made[4]]);
        assert_eq!(
            names(&dry, Some(made[0]), 1),
            [made[3]],
            "past the removed ones"
        );
        assert!(
            matches!(dry.read(made[1], &[]), Err(StoreError::PackMissing { pack }) if pack == made[1])
        );
        assert!(dry.read(made[3], &[0..64, 0..8]).is_ok());
        let entry = |pack| PackEntry { pack, len: 64 };
        assert_eq!(dry.removed(), [entry(made[1]), entry(made[2])]);
        assert!(matches!(
            dry.open_shared(),
            Err(StoreError::ReadOnly { .. })
        ));
        assert!(matches!(dry.append(&[]), Err(StoreError::ReadOnly { .. })));
        assert!(dry.begin().is_err());
        assert_eq!(names(&*store.packs, None, 9), made, "nothing happened");
    }
}
