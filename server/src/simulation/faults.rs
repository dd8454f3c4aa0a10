//! The faults in one life of the simulated process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;

use super::schedule::SeededChoices;
use crate::clock::SeededEntropy;
use crate::store::reserve::DISK_RESERVE_BYTES;
use crate::store::testing::{CommitFault, DiskFault, DiskFaults, DiskOp, MemoryBackend};

/// One fault of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The power fails at this operation of the packs' disk.
    PowerAtDisk(u64),
    /// This operation of the packs' disk fails.
    Disk(u64, DiskFault),
    /// This batch of rows fails.
    Commit(u64, CommitFault),
    /// The disk has this much space beyond the reserve.
    Room(u64),
}

/// Operations and batches of an average life: each fault strikes at one of this number.
const OPERATIONS: u64 = 150;
const BATCHES: u64 = 80;

impl Fault {
    pub(super) fn roll(dice: &SeededChoices) -> Fault {
        let errno = [Errno::IO, Errno::NOSPC, Errno::ROFS][dice.index(3)];
        match dice.below(8) {
            0 | 1 => Fault::PowerAtDisk(dice.below(OPERATIONS)),
            2 => Fault::Disk(dice.below(OPERATIONS), DiskFault::Fails(errno)),
            3 => Fault::Disk(dice.below(OPERATIONS), DiskFault::Short(dice.index(100))),
            4 => Fault::Commit(dice.below(BATCHES), CommitFault::Refused),
            5 => Fault::Commit(dice.below(BATCHES), CommitFault::KeptAndRefused),
            6 => Fault::Room(dice.below(200_000)),
            _ => Fault::None,
        }
    }
}

/// Arms the fault for the life that begins now.
pub(super) fn arm(
    fault: Fault,
    backend: &MemoryBackend,
    died: &Arc<AtomicBool>,
    struck: &Arc<AtomicBool>,
    seed: u64,
) -> impl DiskFaults + use<> {
    struck.store(false, Ordering::SeqCst);
    backend.rows.heal();
    backend.files.set_capacity(match fault {
        Fault::Room(bytes) => DISK_RESERVE_BYTES + bytes,
        _ => u64::MAX,
    });
    if let Fault::Commit(at, how) = fault {
        let first = backend.rows.batches();
        let struck = Arc::clone(struck);
        backend.rows.inject(move |batch| {
            let now = batch == first + at;
            struck.fetch_or(now, Ordering::SeqCst);
            now.then_some(how)
        });
    }
    let (backend, died, struck) = (backend.clone(), Arc::clone(died), Arc::clone(struck));
    move |_: DiskOp, number: u64, _: &Path| match fault {
        Fault::PowerAtDisk(at) if number == at => {
            // A part of the data in transit is on the disk; nobody gets the answer.
            if !died.swap(true, Ordering::SeqCst) {
                backend.crash_torn(&SeededEntropy::new(seed));
            }
            struck.store(true, Ordering::SeqCst);
            Some(DiskFault::Fails(Errno::IO))
        }
        Fault::Disk(at, how) if number == at => {
            struck.store(true, Ordering::SeqCst);
            Some(how)
        }
        _ => None,
    }
}
