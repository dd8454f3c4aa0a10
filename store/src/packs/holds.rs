//! Which packs this process is writing, or has written and not committed yet: hygiene leaves those alone.
//!
//! A hold is a courtesy and no lock: a commit whose pack was condemned all the same loses with a conflict.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::PackId;

/// The packs held now.
#[derive(Debug, Clone, Default)]
pub(super) struct Holds {
    packs: Arc<Mutex<BTreeSet<PackId>>>,
}

/// A writer's hold on its pack; dropped, it lets go.
#[derive(Debug)]
pub struct PackHold {
    holds: Holds,
    pack: PackId,
}

impl Holds {
    pub(super) fn hold(&self, pack: PackId) -> PackHold {
        self.packs().insert(pack);
        PackHold {
            holds: self.clone(),
            pack,
        }
    }

    pub(super) fn is_held(&self, pack: PackId) -> bool {
        self.packs().contains(&pack)
    }

    fn packs(&self) -> MutexGuard<'_, BTreeSet<PackId>> {
        // One insert or remove at a time: a panic elsewhere leaves nothing half done.
        self.packs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PackHold {
    fn drop(&mut self) {
        self.holds.packs().remove(&self.pack);
    }
}
