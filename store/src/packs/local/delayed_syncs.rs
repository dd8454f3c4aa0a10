//! The planted bug `CommitBeforePackSync`: packs are synced later than their commits need. Normal builds do not contain
//! it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::PackId;
use crate::packs::local::disk::DiskFile;

/// Packs that wait. With only one, the next batch appended to the shared pack would often repair it.
const PACKS_LATE: usize = 2;

/// Packs whose sync is postponed, longest waiting first.
#[derive(Default)]
pub(super) struct DelayedSyncs(Mutex<VecDeque<(PackId, Arc<dyn DiskFile>)>>);

impl DelayedSyncs {
    /// Replaces a pack's sync: the pack waits until two others have asked for theirs.
    pub(super) fn put_off(&self, pack: PackId, file: &Arc<dyn DiskFile>) -> io::Result<()> {
        let mut waiting = self.0.lock();
        if !waiting.iter().any(|(late, _)| *late == pack) {
            waiting.push_back((pack, Arc::clone(file)));
        }
        if waiting.len() <= PACKS_LATE {
            return Ok(());
        }
        match waiting.pop_front() {
            Some((_, longest)) => longest.sync(),
            None => Ok(()),
        }
    }
}
