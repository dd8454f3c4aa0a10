//! The in-memory backend of the engine: visible rows (*live*) and rows that survive a crash (*durable*) are kept apart.
//!
//! The backend outlives the simulated process: [`MemRows`] is the disk, [`MemEngine`] is one process's opening of it. A
//! crash ends every opening (a dead process cannot write) and drops unsynced data. Each batch asks for its fault, so a
//! test decides which commit fails, and how.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use crate::StoreError;
use crate::clock::Entropy;
use crate::meta::engine::{Batch, Engine};
use crate::meta::{Key, Version};
use crate::planted::{Bug, planted};

/// How a batch fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing is kept, and the engine reports the failure.
    Refused,
    /// The batch is durable, yet the engine reports a failure (the sync's answer was lost).
    KeptAndRefused,
    /// The engine reports success, but the batch is not synced: a crash may drop it. The next synced batch makes it
    /// durable, as in a log.
    NotSynced,
}

/// Decides which batches fail. `batch` counts from 1 over the life of the rows.
pub trait CommitFaults: Send + Sync {
    /// The fault of this batch, if any.
    fn fault(&self, batch: u64) -> Option<CommitFault>;
}

impl<F> CommitFaults for F
where
    F: Fn(u64) -> Option<CommitFault> + Send + Sync,
{
    fn fault(&self, batch: u64) -> Option<CommitFault> {
        self(batch)
    }
}

/// Rows that survive the processes that open them.
#[derive(Clone, Default)]
pub struct MemRows {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Increases at each crash; an opening from an earlier life is dead.
    life: u64,
    batches: u64,
    keys_read: usize,
    live: Rows,
    durable: Rows,
    /// Batches in `live` but not in `durable`, oldest first.
    unsynced: Vec<Batch>,
    faults: Option<Box<dyn CommitFaults>>,
}

#[derive(Clone, Default)]
struct Rows {
    rows: BTreeMap<Key, Bytes>,
    sequence: Version,
}

impl Rows {
    fn apply(&mut self, batch: &Batch) {
        for (key, value) in &batch.writes {
            match value {
                Some(value) => self.rows.insert(key.clone(), value.clone()),
                None => self.rows.remove(key),
            };
        }
        self.sequence = batch.sequence;
    }
}

impl MemRows {
    /// No rows.
    pub fn new() -> MemRows {
        MemRows::default()
    }

    /// Sets the source of faults from now on.
    pub fn inject(&self, faults: impl CommitFaults + 'static) {
        self.state().faults = Some(Box::new(faults));
    }

    /// No faults from now on.
    pub fn heal(&self) {
        self.state().faults = None;
    }

    /// Batches requested so far, including failed ones.
    pub fn batches(&self) -> u64 {
        self.state().batches
    }

    /// Keys read one by one so far.
    pub fn keys_read(&self) -> usize {
        self.state().keys_read
    }

    /// A process opens the rows: it sees everything in the log, even a batch whose sync reported a failure.
    pub fn open(&self) -> MemEngine {
        self.state().replay();
        MemEngine {
            life: self.state().life,
            closed: Mutex::new(false),
            state: Arc::clone(&self.state),
        }
    }

    /// Rows as they are now, which no longer change with these.
    #[must_use]
    pub fn copied(&self) -> MemRows {
        let state = self.state();
        MemRows {
            state: Arc::new(Mutex::new(State {
                live: state.live.clone(),
                durable: state.durable.clone(),
                unsynced: state.unsynced.clone(),
                ..State::default()
            })),
        }
    }

    /// The power fails: every opening ends, and all unsynced data is lost.
    pub fn crash(&self) {
        self.state().crash_keeping(0);
    }

    /// The power fails with some of the unsynced log on the disk: a random number of its oldest batches is kept.
    pub fn crash_torn(&self, entropy: &dyn Entropy) {
        let mut state = self.state();
        let choices = u64::try_from(state.unsynced.len()).map_or(u64::MAX, |n| n.saturating_add(1));
        let keep = entropy.next_u64() % choices;
        state.crash_keeping(usize::try_from(keep).unwrap_or(usize::MAX));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn crash_keeping(&mut self, batches: usize) {
        let State {
            durable, unsynced, ..
        } = self;
        unsynced
            .iter()
            .take(batches)
            .for_each(|batch| durable.apply(batch));
        unsynced.clear();
        self.live = self.durable.clone();
        self.life += 1;
    }

    fn replay(&mut self) {
        self.live = self.durable.clone();
        for batch in &self.unsynced {
            self.live.apply(batch);
        }
    }

    fn sync(&mut self) {
        let State {
            durable, unsynced, ..
        } = self;
        unsynced.drain(..).for_each(|batch| durable.apply(&batch));
    }
}

/// One process's opening of [`MemRows`].
pub struct MemEngine {
    state: Arc<Mutex<State>>,
    life: u64,
    closed: Mutex<bool>,
}

impl MemEngine {
    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state.lock();
        if *self.closed.lock() || state.life != self.life {
            return Err(StoreError::Closed);
        }
        Ok(state)
    }
}

impl Engine for MemEngine {
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let mut state = self.state()?;
        state.keys_read += keys.len();
        Ok(keys
            .iter()
            .map(|key| state.live.rows.get(key).cloned())
            .collect())
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let state = self.state()?;
        let range = (Bound::Included(from), Bound::Excluded(to));
        let rows = state.live.rows.range::<[u8], _>(range);
        Ok(rows
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut state = self.state()?;
        state.batches += 1;
        let fault = state
            .faults
            .as_ref()
            .and_then(|faults| faults.fault(state.batches));
        let failed = || StoreError::Engine {
            op: "write",
            message: "injected failure".to_owned(),
        };
        match fault {
            Some(CommitFault::Refused) => return Err(failed()),
            Some(CommitFault::KeptAndRefused) => {
                state.unsynced.push(batch.clone());
                state.sync();
                return Err(failed());
            }
            Some(CommitFault::NotSynced) => state.unsynced.push(batch.clone()),
            None => {
                state.unsynced.push(batch.clone());
                if !planted(Bug::AckBeforeSync) {
                    state.sync();
                }
            }
        }
        state.live.apply(batch);
        Ok(())
    }

    fn last_sequence(&self) -> Result<Version, StoreError> {
        Ok(self.state()?.live.sequence)
    }

    fn close(&self) {
        *self.closed.lock() = true;
    }
}

impl std::fmt::Debug for MemRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("MemRows")
            .field("live", &state.live.rows.len())
            .field("durable", &state.durable.rows.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;

    fn put(sequence: u64, key: &'static str) -> Batch {
        let writes = BTreeMap::from([(Bytes::from(key), Some(Bytes::from("v")))]);
        Batch {
            writes,
            sequence: Version(sequence),
        }
    }

    fn keys(engine: &MemEngine) -> Vec<Bytes> {
        let rows = engine.scan(b"", b"z", 10).expect("an open engine");
        rows.into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn a_crash_drops_what_was_not_synced_and_ends_the_process() {
        let rows = MemRows::new();
        let engine = rows.open();
        engine.apply(&put(1, "a")).expect("no fault");
        rows.inject(|_| Some(CommitFault::NotSynced));
        engine.apply(&put(2, "b")).expect("reports success");
        assert_eq!(keys(&engine), ["a", "b"]);
        rows.crash();
        assert!(matches!(engine.scan(b"", b"z", 1), Err(StoreError::Closed)));
        let engine = rows.open();
        assert_eq!(keys(&engine), ["a"]);
        assert_eq!(engine.last_sequence().expect("open"), Version(1));
    }

    #[test]
    fn a_synced_batch_makes_the_ones_before_it_durable() {
        let rows = MemRows::new();
        let engine = rows.open();
        rows.inject(|batch| (batch == 1).then_some(CommitFault::NotSynced));
        engine.apply(&put(1, "a")).expect("reports success");
        engine.apply(&put(2, "b")).expect("no fault");
        rows.crash();
        assert_eq!(keys(&rows.open()), ["a", "b"]);
    }

    #[test]
    fn a_torn_crash_keeps_a_prefix_of_the_log() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..64 {
            let rows = MemRows::new();
            let engine = rows.open();
            rows.inject(|_| Some(CommitFault::NotSynced));
            for (sequence, key) in [(1, "a"), (2, "b")] {
                engine.apply(&put(sequence, key)).expect("reports success");
            }
            rows.crash_torn(&SeededEntropy::new(seed));
            seen.insert(keys(&rows.open()).len());
        }
        assert_eq!(seen, [0, 1, 2].into());
    }

    #[test]
    fn a_refused_batch_leaves_nothing_and_a_kept_one_shows_after_the_crash() {
        let rows = MemRows::new();
        let engine = rows.open();
        rows.inject(|batch| {
            Some(if batch == 1 {
                CommitFault::Refused
            } else {
                CommitFault::KeptAndRefused
            })
        });
        assert!(engine.apply(&put(1, "a")).is_err());
        assert!(engine.apply(&put(1, "b")).is_err());
        assert!(keys(&engine).is_empty());
        rows.crash();
        assert_eq!(keys(&rows.open()), ["b"]);
    }
}
