//! The packs that this process is writing, or has written but not committed yet. Collection skips them.
//!
//! A lease only avoids wasted work; it is not a lock. If the pack was marked for deletion anyway, its commit loses with
//! a conflict.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::PackId;

/// The leased packs, each with the number of its leases.
#[derive(Debug, Clone, Default)]
pub struct WriterLeases {
    packs: Arc<Mutex<BTreeMap<PackId, usize>>>,
}

/// A writer's lease of its pack. It ends when it and all its clones are dropped.
#[derive(Debug)]
pub struct WriterLease {
    leases: WriterLeases,
    pack: PackId,
}

impl WriterLeases {
    /// Takes a lease of a pack.
    pub fn lease(&self, pack: PackId) -> WriterLease {
        *self.packs.lock().entry(pack).or_insert(0) += 1;
        WriterLease {
            leases: self.clone(),
            pack,
        }
    }

    /// Whether the pack is leased.
    pub fn is_leased(&self, pack: PackId) -> bool {
        self.packs.lock().contains_key(&pack)
    }
}

impl Clone for WriterLease {
    fn clone(&self) -> WriterLease {
        self.leases.lease(self.pack)
    }
}

impl Drop for WriterLease {
    fn drop(&mut self) {
        let mut packs = self.leases.packs.lock();
        let count = packs.get_mut(&self.pack).expect("each lease is counted");
        *count -= 1;
        if *count == 0 {
            packs.remove(&self.pack);
        }
    }
}
