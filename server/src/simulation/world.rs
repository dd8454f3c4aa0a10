//! One simulated machine: its disk, the process that runs on it, and what its clients were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::bucket::BucketChanges;
use super::client::collector_settings;
use super::faults::{Fault, arm};
use super::history::{History, Token};
use super::schedule::{SeededChoices, Tasks, alone};
use crate::bodies::incoming::Sizes;
use crate::clock::{Clock as _, ManualClock, SeededEntropy, UnixMillis};
use crate::doctor::{self, Report};
use crate::gc::UPLOAD_AGE_MAX;
use crate::model::{BucketName, ObjectKey, Owner};
use crate::objects::{ListQuery, NewBucket, ObjectsError, VersionSelector};
use crate::storage::Storage;
use crate::store::blocking_pool::let_others_run;
use crate::store::packs::local::disk::Disk;
use crate::store::testing::{FaultDisk, MemoryBackend};
use crate::store::{Backends, Execution, Store};

/// Bodies of this size and above have packs of their own.
const SMALL_BODY: u64 = 4 * 1024;

/// Sizes of packs: for one batch, a few, many.
const PACKS: [u64; 3] = [65, 4 * 1024, 24 * 1024];

/// Runs after which a collection must have nothing left to do.
const ROUNDS_TO_REST: u32 = 12;

pub(super) struct World {
    pub(super) dice: Arc<SeededChoices>,
    pub(super) backend: MemoryBackend,
    pub(super) clock: Arc<ManualClock>,
    entropy: Arc<SeededEntropy>,
    pub(super) bucket: BucketName,
    pub(super) tasks: Arc<Tasks>,
    history: Mutex<History>,
    violation: Mutex<Option<String>>,
    /// The power failed during an operation.
    pub(super) died: Arc<AtomicBool>,
    /// The fault of this life has struck.
    pub(super) struck: Arc<AtomicBool>,
    /// A fault is armed in this life: errors are allowed.
    pub(super) faulty: AtomicBool,
    pub(super) grace: Duration,
    sizes: Sizes,
    next_token: Mutex<Token>,
    pub(super) bucket_changes: BucketChanges,
}

impl World {
    pub(super) fn new(seed: u64) -> Arc<World> {
        let dice = Arc::new(SeededChoices::new(seed));
        let grace = if dice.one_in(2) {
            Duration::ZERO
        } else {
            Duration::from_mins(30)
        };
        let sizes = Sizes {
            small_body: SMALL_BODY,
            pack: PACKS[dice.index(PACKS.len())],
        };
        Arc::new(World {
            dice,
            sizes,
            backend: MemoryBackend::new(),
            clock: Arc::new(ManualClock::at(UnixMillis(1_700_000_000_000))),
            entropy: Arc::new(SeededEntropy::new(seed ^ 0x5eed)),
            bucket: BucketName::parse("etcd-backup").expect("a valid name"),
            tasks: Arc::default(),
            history: Mutex::default(),
            violation: Mutex::default(),
            died: Arc::default(),
            struck: Arc::default(),
            faulty: AtomicBool::new(false),
            grace,
            next_token: Mutex::new(0),
            bucket_changes: BucketChanges::default(),
        })
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock()
    }

    pub(super) fn token(&self) -> Token {
        let mut next = self.next_token.lock();
        *next += 1;
        *next
    }

    /// Records a violation; the first one is reported.
    pub(super) fn violated(&self, what: impl Into<String>) {
        let mut violation = self.violation.lock();
        violation.get_or_insert_with(|| what.into());
    }

    pub(super) fn violation(&self) -> Option<String> {
        let violation = self.violation.lock();
        violation.clone()
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.faulty.load(Ordering::SeqCst) || self.died.load(Ordering::SeqCst)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.died.load(Ordering::SeqCst)
    }

    /// Starts a process on the contents of the disk. With a fault, it may fail.
    pub(super) fn open(&self, fault: Fault) -> Result<Arc<Storage>, ObjectsError> {
        self.died.store(false, Ordering::SeqCst);
        self.faulty.store(fault != Fault::None, Ordering::SeqCst);
        let Backends { engine, disk } = self.backend.seams();
        let dice = self.dice.below(u64::MAX);
        let faults = arm(fault, &self.backend, &self.died, &self.struck, dice);
        let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new(disk, faults));
        let store = Store::over(
            Backends { engine, disk },
            self.clock.clone(),
            &*self.entropy,
            Execution::Inline,
        )?;
        alone(async {
            let storage = Storage::open(
                Arc::new(store),
                self.clock.clone(),
                self.entropy.clone(),
                self.sizes,
            )
            .await?;
            let owner = NewBucket::plain(Owner("root".to_owned()));
            storage.objects.create_bucket(&self.bucket, owner).await?;
            if self.bucket_changes.settle() {
                self.history().abort_all();
            }
            Ok(Arc::new(storage))
        })
    }

    /// The power fails now, unless it has already failed; the process is gone.
    pub(super) fn crash(&self) {
        if !self.died.swap(true, Ordering::SeqCst) {
            if self.dice.one_in(2) {
                self.backend.crash_torn(&*self.entropy);
            } else {
                self.backend.crash();
            }
        }
        self.tasks.kill();
    }

    /// Checks, while nothing runs: everything acknowledged is there, byte for byte, and listed; rows and packs agree.
    pub(super) fn check(&self, storage: &Storage, when: &str) {
        let keys = self.history().keys();
        let found: Vec<(String, Option<Token>)> = keys
            .into_iter()
            .filter_map(|key| match alone(self.read(storage, &key, 0)) {
                Ok(found) => Some((key, found)),
                Err(why) => {
                    self.violated(format!("{when}: {why}"));
                    None
                }
            })
            .collect();
        for (key, value) in &found {
            let mut history = self.history();
            let now = history.now();
            if let Err(why) = history.judge(key, now, *value) {
                self.violated(format!("{when}: {why}"));
            }
            history.settle(key, *value);
        }
        self.check_listing(storage, when, &found);
        self.check_uploads(storage, when);
        let report = examine(storage);
        for finding in &report.findings {
            self.violated(format!("{when}: {}", finding.what));
        }
    }

    /// Checks that collections free everything dead and leave nothing behind.
    pub(super) fn check_rest(&self, storage: &Storage) {
        for _ in 0..ROUNDS_TO_REST {
            self.clock.advance(self.grace);
            let collector = storage.collector(collector_settings(self));
            if let Err(error) = collector.run() {
                self.violated(format!("a collection at rest fails: {error}"));
            }
        }
        let census = examine(storage).census;
        if census.orphans + census.marked + census.dead > 0 {
            self.violated(format!("collections leave something behind: {census:?}"));
        }
    }

    /// A key's token, after all bytes of its object were compared; `Err` names a mismatch. A slow client lets others
    /// run up to `pauses` times before each piece.
    pub(super) async fn read(
        &self,
        storage: &Storage,
        key: &str,
        pauses: u64,
    ) -> Result<Option<Token>, String> {
        let name = ObjectKey::parse(key).expect("a valid key");
        let opened = storage
            .reader
            .open(&self.bucket, &name, VersionSelector::Current)
            .await;
        let object = match opened {
            Ok(object) => object,
            Err(ObjectsError::NoSuchKey(_) | ObjectsError::NoSuchBucket(_)) => return Ok(None),
            Err(error) => return Err(format!("{key} cannot be opened: {error}")),
        };
        let data = object.found.data.clone();
        let token = data.metadata.0.iter().find(|(name, _)| name == "token");
        let token: Token = token
            .and_then(|(_, value)| value.parse().ok())
            .ok_or_else(|| format!("{key} has lost its metadata"))?;
        let mut stream = storage.reader.stream(object, 0..data.size);
        let mut got = Vec::new();
        loop {
            for _ in 0..self.dice.below(pauses + 1) {
                let_others_run().await;
            }
            match stream.next().await {
                Ok(Some(piece)) => got.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) => return Err(format!("{key} cannot be read: {error}")),
            }
        }
        match self.history().may_be(token, &got) {
            Some(true) => Ok(Some(token)),
            Some(false) => Err(format!("{key} has wrong bytes")),
            None => Err(format!("{key} has the body of nobody")),
        }
    }

    fn check_listing(&self, storage: &Storage, when: &str, found: &[(String, Option<Token>)]) {
        let present: Vec<&String> = found
            .iter()
            .filter(|(_, value)| value.is_some())
            .map(|(key, _)| key)
            .collect();
        let mut listed = Vec::new();
        let mut after = None;
        loop {
            let query = ListQuery {
                prefix: String::new(),
                delimiter: None,
                after: after.take(),
                max: 2,
            };
            match alone(storage.objects.list(&self.bucket, query)) {
                Ok(page) => {
                    listed.extend(page.entries.into_iter().map(|entry| entry.key.to_string()));
                    after = page.next;
                }
                Err(error) => self.violated(format!("{when}: the listing fails: {error}")),
            }
            if after.is_none() {
                break;
            }
        }
        if !listed.iter().eq(present.iter().copied()) {
            self.violated(format!("{when}: listed {listed:?}, present {present:?}"));
        }
    }

    /// Whether the collector may have aborted an upload of this age.
    pub(super) fn is_old(&self, begun: UnixMillis) -> bool {
        self.clock.now().since(begun) > UPLOAD_AGE_MAX
    }

    fn check_uploads(&self, storage: &Storage, when: &str) {
        let uploads = self.history().all_uploads();
        for (id, key, begun) in uploads {
            let name = ObjectKey::parse(&key).expect("a valid key");
            let parts = alone(storage.objects.list_parts(&self.bucket, &name, id, 0, 1000));
            let found = match parts {
                Ok((parts, _)) => {
                    let parts = parts.iter().map(|(number, row)| (number.get(), row.etag));
                    Some(parts.collect::<Vec<_>>())
                }
                Err(ObjectsError::NoSuchUpload(_)) => None,
                Err(error) => {
                    self.violated(format!("{when}: upload {id}: {error}"));
                    continue;
                }
            };
            let old = self.is_old(begun);
            let settled = self.history().settle_upload(id, found.as_deref(), old);
            if let Err(why) = settled {
                self.violated(format!("{when}: upload {id} of {key} {why}"));
            }
        }
    }
}

fn examine(storage: &Storage) -> Report {
    doctor::examine(&*storage.store.meta, &*storage.store.packs)
}
