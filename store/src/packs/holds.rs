//! Which packs this process is writing, or has written and not committed yet: hygiene leaves those alone.
//!
//! A hold is a courtesy and no lock: a commit whose pack was condemned all the same loses with a conflict.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::PackId;

/// The packs held now, each as often as it is held.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    packs: Arc<Mutex<BTreeMap<PackId, usize>>>,
}

/// A writer's hold on its pack. It and each of its clones let go when they are dropped.
#[derive(Debug)]
pub struct PackHold {
    holds: Holds,
    pack: PackId,
}

impl Holds {
    /// Holds a pack.
    pub fn hold(&self, pack: PackId) -> PackHold {
        *self.packs.lock().entry(pack).or_insert(0) += 1;
        PackHold {
            holds: self.clone(),
            pack,
        }
    }

    /// Whether somebody holds the pack.
    pub fn is_held(&self, pack: PackId) -> bool {
        self.packs.lock().contains_key(&pack)
    }
}

impl Clone for PackHold {
    fn clone(&self) -> PackHold {
        self.holds.hold(self.pack)
    }
}

impl Drop for PackHold {
    fn drop(&mut self) {
        let mut packs = self.holds.packs.lock();
        let count = packs.get_mut(&self.pack).expect("each hold is counted");
        *count -= 1;
        if *count == 0 {
            packs.remove(&self.pack);
        }
    }
}
