//! Packs where each batch gets a pack of its own, as in an object store.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::packs::leases::WriterLeases;
use crate::packs::{Appended, PackEntry, PackOwner, PackWriter, Packs, SegmentDraft};
use crate::{PackId, StoreError, StoreId};

/// [`Packs`] over others: the shared pack is a new one for each batch.
pub struct PackPerBatch {
    packs: Arc<dyn Packs>,
    leases: WriterLeases,
    /// Every batch's pack so far.
    batches: Mutex<BTreeSet<PackId>>,
}

impl PackPerBatch {
    /// Keeps its packs in `packs`.
    pub fn over(packs: Arc<dyn Packs>) -> PackPerBatch {
        PackPerBatch {
            packs,
            leases: WriterLeases::default(),
            batches: Mutex::default(),
        }
    }
}

impl Packs for PackPerBatch {
    fn store(&self) -> StoreId {
        self.packs.store()
    }

    fn open_shared(&self) -> Result<PackId, StoreError> {
        self.packs.open_shared()
    }

    fn append(&self, batch: &[SegmentDraft]) -> Result<Appended, StoreError> {
        // Locked to the end, so that no other batch gets into this one's pack.
        let mut batches = self.batches.lock();
        let pack = self.packs.open_shared()?;
        // ORDER: leased here before `is_held` stops asking the layer below.
        let lease = self.leases.lease(pack);
        batches.insert(pack);
        Ok(Appended {
            owner: PackOwner::Batch(lease),
            ..self.packs.append(batch)?
        })
    }

    fn is_held(&self, pack: PackId) -> bool {
        // The layer below holds its open pack, which is complete here.
        let whole = self.batches.lock().contains(&pack);
        self.leases.is_leased(pack) || !whole && self.packs.is_held(pack)
    }

    fn begin(&self) -> Result<Box<dyn PackWriter>, StoreError> {
        self.packs.begin()
    }

    fn read(&self, pack: PackId, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        self.packs.read(pack, ranges)
    }

    fn remove(&self, pack: PackId) -> Result<(), StoreError> {
        self.packs.remove(pack)
    }

    fn list(&self, after: Option<PackId>, limit: usize) -> Result<Vec<PackEntry>, StoreError> {
        self.packs.list(after, limit)
    }
}
