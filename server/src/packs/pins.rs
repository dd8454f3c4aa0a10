//! The packs that are being read: the removal of a pack waits for its pins.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::store::PackId;

/// The number of readers of each pack.
#[derive(Debug, Default)]
pub struct Pins {
    counts: Mutex<HashMap<PackId, usize>>,
}

/// A reader's hold on packs; released when dropped.
#[derive(Debug)]
pub struct Pin {
    pins: Arc<Pins>,
    packs: Vec<PackId>,
}

impl Pins {
    /// Nothing is pinned.
    pub fn new() -> Arc<Pins> {
        Arc::new(Pins::default())
    }

    /// Pins each pack once, even if it is named several times.
    pub fn pin(self: &Arc<Self>, packs: impl IntoIterator<Item = PackId>) -> Pin {
        let mut packs: Vec<PackId> = packs.into_iter().collect();
        packs.sort_unstable();
        packs.dedup();
        let mut counts = self.counts();
        for pack in &packs {
            *counts.entry(*pack).or_default() += 1;
        }
        drop(counts);
        Pin {
            pins: Arc::clone(self),
            packs,
        }
    }

    /// Whether a reader holds the pack.
    pub fn is_pinned(&self, pack: PackId) -> bool {
        self.counts().contains_key(&pack)
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<PackId, usize>> {
        self.counts.lock()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut counts = self.pins.counts();
        for pack in &self.packs {
            if let Some(count) = counts.get_mut(pack) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(pack);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Epoch;

    #[test]
    fn a_pack_stays_pinned_until_its_last_reader_lets_go() {
        let pack = PackId {
            epoch: Epoch(1),
            serial: 7,
        };
        let pins = Pins::new();
        let first = pins.pin([pack, pack]);
        let second = pins.pin([pack]);
        drop(first);
        assert!(pins.is_pinned(pack));
        drop(second);
        assert!(!pins.is_pinned(pack));
    }
}
