//! The seams with interruptions: other tasks run before each call.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::schedule::{SeededChoices, Tasks};
use crate::clock::UnixMillis;
use crate::store::meta::{Key, Meta, Pending, Prefetched, Row, Txn};
use crate::store::packs::{Appended, PackEntry, PackWriter, Packs, SegmentDraft};
use crate::store::{PackId, StoreError, StoreId};

/// Maximum steps of other tasks during one call.
const STEPS_MAX: u64 = 6;

/// Lets other tasks run now and then.
#[derive(Clone)]
pub(super) struct OtherTasks {
    pub(super) tasks: Arc<Tasks>,
    pub(super) dice: Arc<SeededChoices>,
}

impl OtherTasks {
    fn run(&self) {
        if self.dice.one_in(2) {
            for _ in 0..=self.dice.below(STEPS_MAX) {
                self.tasks.step(&self.dice);
            }
        }
    }
}

/// Rows with an interrupted reader.
pub(super) struct InterruptedMeta {
    pub(super) meta: Arc<dyn Meta>,
    pub(super) others: OtherTasks,
}

impl Meta for InterruptedMeta {
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        self.others.run();
        self.meta.get_many(keys)
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Row)>, StoreError> {
        self.others.run();
        self.meta.scan(from, to, limit)
    }

    fn commit(&self, txn: Txn) -> Pending {
        self.others.run();
        self.meta.commit(txn)
    }

    fn prefetch(&self, txn: &Txn) -> Result<Prefetched, StoreError> {
        self.others.run();
        self.meta.prefetch(txn)
    }

    fn commit_prefetched(&self, txn: Txn, prefetched: Option<Prefetched>) -> Pending {
        self.others.run();
        self.meta.commit_prefetched(txn, prefetched)
    }

    fn now(&self) -> UnixMillis {
        self.meta.now()
    }
}

/// Packs whose removal is interrupted.
pub(super) struct InterruptedPacks {
    pub(super) packs: Arc<dyn Packs>,
    pub(super) others: OtherTasks,
}

impl Packs for InterruptedPacks {
    fn store(&self) -> StoreId {
        self.packs.store()
    }

    fn open_shared(&self) -> Result<PackId, StoreError> {
        self.packs.open_shared()
    }

    fn append(&self, batch: &[SegmentDraft]) -> Result<Appended, StoreError> {
        self.packs.append(batch)
    }

    fn is_held(&self, pack: PackId) -> bool {
        self.others.run();
        self.packs.is_held(pack)
    }

    fn begin(&self) -> Result<Box<dyn PackWriter>, StoreError> {
        self.packs.begin()
    }

    fn read(&self, pack: PackId, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        self.packs.read(pack, ranges)
    }

    fn remove(&self, pack: PackId) -> Result<(), StoreError> {
        self.others.run();
        self.packs.remove(pack)
    }

    fn list(&self, after: Option<PackId>, limit: usize) -> Result<Vec<PackEntry>, StoreError> {
        self.others.run();
        let listed = self.packs.list(after, limit);
        self.others.run();
        listed
    }
}

type Interruption = (u64, Box<dyn FnOnce() + Send>);

/// Rows whose caller is interrupted once, before the n-th call.
pub(super) struct InterruptedOnce {
    meta: Arc<dyn Meta>,
    next: Mutex<Option<Interruption>>,
}

impl InterruptedOnce {
    pub(super) fn new(meta: Arc<dyn Meta>) -> InterruptedOnce {
        InterruptedOnce {
            meta,
            next: Mutex::new(None),
        }
    }

    /// Runs `act` before the call that follows this number of calls.
    pub(super) fn arm(&self, calls: u64, act: impl FnOnce() + Send + 'static) {
        *self.next.lock() = Some((calls, Box::new(act)));
    }

    /// Returns whether the interruption has not happened yet.
    pub(super) fn disarm(&self) -> bool {
        let mut next = self.next.lock();
        next.take().is_some()
    }

    fn called(&self) {
        let due = {
            let mut next = self.next.lock();
            match &mut *next {
                Some((left, _)) if *left > 0 => {
                    *left -= 1;
                    None
                }
                _ => next.take(),
            }
        };
        if let Some((_, act)) = due {
            act();
        }
    }
}

impl Meta for InterruptedOnce {
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        self.called();
        self.meta.get_many(keys)
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Row)>, StoreError> {
        self.called();
        self.meta.scan(from, to, limit)
    }

    fn commit(&self, txn: Txn) -> Pending {
        self.called();
        self.meta.commit(txn)
    }

    fn prefetch(&self, txn: &Txn) -> Result<Prefetched, StoreError> {
        self.called();
        self.meta.prefetch(txn)
    }

    fn commit_prefetched(&self, txn: Txn, prefetched: Option<Prefetched>) -> Pending {
        self.called();
        self.meta.commit_prefetched(txn, prefetched)
    }

    fn now(&self) -> UnixMillis {
        self.meta.now()
    }
}
