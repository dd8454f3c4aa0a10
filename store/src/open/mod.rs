//! Opening and closing a store: checks the identity in the file and in Meta, increments the epoch, puts the parts
//! together.
//!
//! Opening needs no scan: it reads two rows and lists the folders of the epochs. The order makes a crash at any step
//! harmless: lock, identity file (`creating`), Meta with its identity row, identity file (`ready`).

pub mod directory;
pub mod identity;
pub mod lock;
#[cfg(feature = "rocksdb")]
pub mod read_only;

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::blocking_pool::{BlockingPool, DECISION_PERMITS, READ_PERMITS, WRITE_PERMITS};
use crate::clock::{Clock, Entropy};
use crate::health::Health;
use crate::meta::Meta;
use crate::meta::engine::Engine;
use crate::meta::group_commit::Committer;
use crate::observer::Watch;
use crate::open::identity::MetaIdentity;
use crate::open::lock::DirLock;
use crate::packs::Packs;
use crate::packs::local::disk::Disk;
use crate::packs::local::{PackContext, PackFiles};
use crate::{Epoch, StoreError, StoreId};

/// The folder of the metadata in the data directory.
pub const META_DIR: &str = "meta";

/// The folder of the packs in the data directory.
pub const PACKS_DIR: &str = "packs";

/// An open store.
pub struct Store {
    /// Its rows.
    pub meta: Arc<dyn Meta>,
    /// Its bytes.
    pub packs: Arc<dyn Packs>,
    /// Whether it is still writable.
    pub health: Arc<Health>,
    /// Where telemetry registers.
    pub watch: Arc<Watch>,
    /// Its identity.
    pub id: StoreId,
    /// This process's epoch, which is part of every name it creates.
    pub epoch: Epoch,
    /// Carries reads of packs from async code.
    pub reads: BlockingPool,
    /// Carries decisions over rows from async code.
    pub decisions: BlockingPool,
    /// Carries appends and syncs from async code.
    pub writes: BlockingPool,
    /// Where its work runs.
    pub execution: Execution,
    files: Arc<PackFiles>,
    committer: Arc<Committer>,
    lock: Mutex<Option<DirLock>>,
}

/// The layers below a store: an engine and a file layer. They may be real ones, memory backends, or either with faults.
pub struct Backends {
    /// Keeps the rows.
    pub engine: Arc<dyn Engine>,
    /// Keeps the packs.
    pub disk: Arc<dyn Disk>,
}

/// Where commits, appends and reads run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// On threads of their own, in groups that share syncs.
    Threaded,
    /// On the caller's thread: the polling order alone decides, so a seeded simulation can repeat it.
    #[cfg(any(test, feature = "testing"))]
    Inline,
}

impl Store {
    /// Opens the store of a data directory, or creates one if there is none. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Held`], or an error that names what is missing, damaged, foreign or newer. Nothing is changed
    /// then.
    #[cfg(feature = "rocksdb")]
    pub fn open(
        dir: &std::path::Path,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
    ) -> Result<Store, StoreError> {
        Store::open_over(dir, clock, entropy, |disk| disk)
    }

    /// As [`Store::open`], with the caller's file layer around the real one.
    ///
    /// # Errors
    /// As [`Store::open`].
    #[cfg(feature = "rocksdb")]
    pub fn open_over(
        dir: &std::path::Path,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        around: impl FnOnce(Arc<dyn Disk>) -> Arc<dyn Disk>,
    ) -> Result<Store, StoreError> {
        use crate::meta::rocks::{Creation, RocksEngine};
        use crate::open::directory::make_dirs;
        use crate::open::identity::{IDENTITY_FILE, STORE_FORMAT, Stage};
        use crate::packs::local::disk::RealDisk;

        // ORDER: the lock is taken before anything is read, so that no other process is in the middle of creating the
        // store.
        make_dirs(dir)?;
        let lock = DirLock::take(dir)?;
        let mut identity = identify(dir, entropy)?;
        let (meta_dir, packs_dir) = (dir.join(META_DIR), dir.join(PACKS_DIR));
        let creation = if identity.stage == Stage::Creating {
            make_dirs(&packs_dir)?;
            make_dirs(&meta_dir)?;
            Creation::IfMissing
        } else {
            Creation::MustExist
        };
        let engine = RocksEngine::open(dir, &meta_dir, creation)?;
        let disk = around(Arc::new(RealDisk::new(packs_dir)));
        let backends = Backends {
            engine: Arc::new(engine),
            disk,
        };
        let store = Store::assemble(backends, clock, Execution::Threaded, |found| match found {
            Some(found) if found != identity.id => Err(StoreError::ForeignMeta {
                dir: dir.to_owned(),
                found,
                expected: identity.id,
            }),
            None if identity.stage == Stage::Ready => Err(StoreError::Incomplete {
                dir: dir.to_owned(),
                found: IDENTITY_FILE,
                missing: "rows in meta",
            }),
            _ => Ok(identity.id),
        })?;
        let as_written = identity;
        identity.stage = Stage::Ready;
        identity.format = STORE_FORMAT;
        if identity != as_written {
            // ORDER: after the identity row is durable, else a crash in between would leave a `ready` store without
            // that row, or a file of a newer format than the rows.
            identity.write(dir)?;
        }
        *store.lock.lock() = Some(lock);
        Ok(store)
    }

    /// Opens a store over any engine and file layer, which must belong together: there is no identity file. Blocks.
    ///
    /// # Errors
    /// As [`Store::open`], without those of the directory.
    pub fn over(
        backends: Backends,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        execution: Execution,
    ) -> Result<Store, StoreError> {
        let mut fresh = StoreId([0; 16]);
        entropy.fill(&mut fresh.0);
        Store::assemble(backends, clock, execution, |found| {
            Ok(found.unwrap_or(fresh))
        })
    }

    fn assemble(
        backends: Backends,
        clock: Arc<dyn Clock>,
        execution: Execution,
        identify: impl FnOnce(Option<StoreId>) -> Result<StoreId, StoreError>,
    ) -> Result<Store, StoreError> {
        let Backends { engine, disk } = backends;
        let health = Arc::new(Health::new());
        let watch = Arc::new(Watch::new());
        let start = match execution {
            Execution::Threaded => Committer::start,
            #[cfg(any(test, feature = "testing"))]
            Execution::Inline => Committer::inline,
        };
        let pool = |permits| match execution {
            Execution::Threaded => BlockingPool::new(permits),
            #[cfg(any(test, feature = "testing"))]
            Execution::Inline => BlockingPool::inline(),
        };
        // From here on, an error drops the committer, which closes the engine.
        let committer = Arc::new(start(
            engine,
            Arc::clone(&clock),
            Arc::clone(&health),
            Arc::clone(&watch),
        )?);
        let found = MetaIdentity::read(&*committer)?;
        let id = identify(found.id)?;
        if let Some(packs) = PackFiles::newest_epoch(&*disk)?
            && packs > found.epoch
        {
            return Err(StoreError::MetaBehind {
                known: found.epoch,
                packs,
            });
        }
        // ORDER: the epoch is durable before its first pack can be created, else two processes could use one name.
        let epoch = found.claim(&*committer, id)?;
        // ORDER: the new epoch is durable, so that no check of a later start needs the folders of earlier ones.
        PackFiles::remove_empty_dirs(&*disk, epoch);
        let context = PackContext {
            store: id,
            epoch,
            clock,
            health: Arc::clone(&health),
            watch: Arc::clone(&watch),
        };
        let files = Arc::new(PackFiles::new(disk, context));
        Ok(Store {
            meta: Arc::<Committer>::clone(&committer),
            packs: Arc::<PackFiles>::clone(&files),
            health,
            watch,
            id,
            epoch,
            reads: pool(READ_PERMITS),
            decisions: pool(DECISION_PERMITS),
            writes: pool(WRITE_PERMITS),
            files,
            execution,
            committer,
            lock: Mutex::new(None),
        })
    }

    /// Decides what is queued, closes the engine and releases the directory. Blocks. Later calls through remaining
    /// handles return [`StoreError::Closed`].
    pub fn close(&self) {
        // ORDER: packs first, so that no queued commit depends on a pack that was refused; the lock last, so that the
        // next process finds files that no longer change.
        self.files.close();
        self.committer.close();
        drop(self.lock.lock().take());
    }
}

/// The contents of the identity file; in an empty directory, the file is written first. Returns an error when a part is
/// missing that must exist at this stage.
#[cfg(feature = "rocksdb")]
fn identify(
    dir: &std::path::Path,
    entropy: &dyn Entropy,
) -> Result<crate::open::identity::Identity, StoreError> {
    use crate::open::identity::{IDENTITY_FILE, Identity, STORE_FORMAT, Stage};

    let parts = [META_DIR, PACKS_DIR].map(|part| (part, dir.join(part).is_dir()));
    let incomplete = |found, missing| {
        Err(StoreError::Incomplete {
            dir: dir.to_owned(),
            found,
            missing,
        })
    };
    match (Identity::read(dir)?, parts) {
        (Some(identity), _) if identity.stage == Stage::Creating => Ok(identity),
        (Some(_), [(part, false), _] | [_, (part, false)]) => incomplete(IDENTITY_FILE, part),
        (Some(identity), _) => Ok(identity),
        // The file is durable before the folders are created, so no crash leaves folders without the file.
        (None, [(part, true), _] | [_, (part, true)]) => incomplete(part, IDENTITY_FILE),
        (None, _) => {
            let mut id = StoreId([0; 16]);
            entropy.fill(&mut id.0);
            let identity = Identity {
                id,
                format: STORE_FORMAT,
                stage: Stage::Creating,
            };
            identity.write(dir)?;
            Ok(identity)
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("id", &self.id)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "rocksdb"))]
mod tests;
