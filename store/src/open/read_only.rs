//! A store opened read-only: nothing in its directory changes, and no server may run on it at the same time.

use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::health::Health;
use crate::meta::Meta;
use crate::meta::read_only::ReadOnlyMeta;
use crate::observer::Watch;
use crate::open::identity::{IDENTITY_FILE, Identity, MetaIdentity, Stage};
use crate::open::lock::DirLock;
use crate::open::{META_DIR, PACKS_DIR};
use crate::packs::Packs;
use crate::packs::local::disk::{Disk, RealDisk};
use crate::packs::local::{PackContext, PackFiles};
use crate::{Epoch, StoreError, StoreId};

/// The parts of a store, for reading.
pub struct ReadOnlyStore {
    /// Its rows, or why they cannot be read.
    pub meta: Result<Arc<dyn Meta>, StoreError>,
    /// Its bytes.
    pub packs: Arc<dyn Packs>,
    /// Its identity.
    pub id: StoreId,
    _lock: Option<DirLock>,
}

impl ReadOnlyStore {
    /// Opens the store of a data directory. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Held`], or the identity file does not identify the store. Errors of Meta are in
    /// [`ReadOnlyStore::meta`], so that packs can still be inspected.
    pub fn open(dir: &Path, clock: &Arc<dyn Clock>) -> Result<ReadOnlyStore, StoreError> {
        let lock = DirLock::look(dir)?;
        let packs_dir = dir.join(PACKS_DIR);
        let identity = Identity::read(dir)?.ok_or_else(|| {
            let dir = dir.to_owned();
            if packs_dir.is_dir() {
                StoreError::Incomplete {
                    dir,
                    found: PACKS_DIR,
                    missing: IDENTITY_FILE,
                }
            } else {
                StoreError::NoStore { dir }
            }
        })?;
        if !packs_dir.is_dir() {
            return Err(StoreError::Incomplete {
                dir: dir.to_owned(),
                found: IDENTITY_FILE,
                missing: PACKS_DIR,
            });
        }
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(packs_dir));
        let meta = rows(dir, &identity, &*disk, clock);
        Ok(ReadOnlyStore {
            meta,
            packs: look_at(disk, identity.id, clock),
            id: identity.id,
            _lock: lock,
        })
    }
}

/// Packs that will not be written.
fn look_at(disk: Arc<dyn Disk>, store: StoreId, clock: &Arc<dyn Clock>) -> Arc<dyn Packs> {
    let packs = PackFiles::new(
        disk,
        PackContext {
            store,
            epoch: Epoch(0),
            clock: Arc::clone(clock),
            health: Arc::new(Health::new()),
            watch: Arc::new(Watch::new()),
        },
    );
    packs.close();
    Arc::new(packs)
}

fn rows(
    dir: &Path,
    identity: &Identity,
    disk: &dyn Disk,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Meta>, StoreError> {
    let incomplete = |missing| StoreError::Incomplete {
        dir: dir.to_owned(),
        found: IDENTITY_FILE,
        missing,
    };
    let meta_dir = dir.join(META_DIR);
    if !meta_dir.is_dir() {
        return Err(incomplete(META_DIR));
    }
    let engine = crate::meta::rocks::RocksEngine::look(dir, &meta_dir)?;
    let meta: Arc<dyn Meta> = Arc::new(ReadOnlyMeta::new(Arc::new(engine), Arc::clone(clock)));
    let found = MetaIdentity::read(&*meta)?;
    match found.id {
        Some(id) if id != identity.id => {
            return Err(StoreError::ForeignMeta {
                dir: dir.to_owned(),
                found: id,
                expected: identity.id,
            });
        }
        None if identity.stage == Stage::Ready => return Err(incomplete("rows in meta")),
        _ => {}
    }
    match PackFiles::newest_epoch(disk)? {
        Some(packs) if packs > found.epoch => Err(StoreError::MetaBehind {
            known: found.epoch,
            packs,
        }),
        _ => Ok(meta),
    }
}
