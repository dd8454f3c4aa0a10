//! Packs as files below one folder, with names by [`names`].
//!
//! Invariants: a placement is returned only after its bytes, the directory entry of its file and every new parent
//! folder are durable; a file is never written again after a failed write or sync; a failed sync latches the store
//! read-only, a full disk does not; paths are made only from pack ids.

#[cfg(any(test, feature = "testing"))]
mod delayed_syncs;
pub mod disk;
mod handles;
pub mod names;
mod writer;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::{fmt, io};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use self::disk::{DirSyncError, Disk, DiskFile, write_all};
use self::handles::Handles;
use self::names::{GROUP_BITS, epoch_path, group_path, numbered_dirs, pack_path, packs_in};
use self::writer::FileWriter;
use super::buffers::Buffer;
use super::format::header::{PACK_HEADER_BYTES, PackHeader};
use super::format::segment::SegmentLayout;
use super::leases::{WriterLease, WriterLeases};
use super::{Appended, PackEntry, PackOwner, PackWriter, Packs, SegmentDraft};
use crate::READ_HANDLES_MAX;
use crate::clock::Clock;
use crate::health::Health;
use crate::observer::{PackSync, Watch};
use crate::planted::{Bug, planted};
use crate::reserve::DISK_RESERVE_BYTES;
use crate::{Epoch, PackId, StoreError, StoreId};

/// The parts of the store that packs need.
#[derive(Clone)]
pub struct PackContext {
    /// The store to which frames and headers are bound.
    pub store: StoreId,
    /// This process's epoch: all packs that it creates carry it.
    pub epoch: Epoch,
    /// For creation times and sync times.
    pub clock: Arc<dyn Clock>,
    /// Latched by a failed sync.
    pub health: Arc<Health>,
    /// Notified of each sync.
    pub watch: Arc<Watch>,
}

/// [`Packs`] over a [`Disk`].
pub struct PackFiles {
    files: Arc<Files>,
    shared: Mutex<Option<OpenPack>>,
}

/// State shared by all writers and readers of one process.
struct Files {
    disk: Arc<dyn Disk>,
    context: PackContext,
    /// Serial of the last pack created.
    serial: AtomicU32,
    /// The group whose folders are known to be durable. Locked while folders are created, so that nobody relies on a
    /// folder whose entry another thread has not synced yet.
    group: Mutex<Option<u32>>,
    handles: Handles,
    leases: WriterLeases,
    #[cfg(any(test, feature = "testing"))]
    late: delayed_syncs::DelayedSyncs,
    /// Set once this process must not write any more, because another one may use the directory.
    closed: AtomicBool,
}

/// A pack being written. Its file is valid up to `len`.
struct OpenPack {
    pack: PackId,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    len: u64,
    lease: WriterLease,
}

impl PackFiles {
    /// Packs below the root of `disk`.
    pub fn new(disk: Arc<dyn Disk>, context: PackContext) -> PackFiles {
        let files = Files {
            disk,
            context,
            serial: AtomicU32::new(0),
            group: Mutex::new(None),
            handles: Handles::new(READ_HANDLES_MAX),
            leases: WriterLeases::default(),
            #[cfg(any(test, feature = "testing"))]
            late: delayed_syncs::DelayedSyncs::default(),
            closed: AtomicBool::new(false),
        };
        PackFiles {
            files: Arc::new(files),
            shared: Mutex::new(None),
        }
    }

    /// The newest epoch that has a folder.
    ///
    /// # Errors
    /// When the root cannot be read.
    pub fn newest_epoch(disk: &dyn Disk) -> Result<Option<Epoch>, StoreError> {
        let root = Path::new("");
        let epochs =
            numbered_dirs(disk, root, 8).map_err(|source| io_error(disk, "list", root, source))?;
        Ok(epochs.last().map(|(epoch, _)| Epoch(*epoch)))
    }

    /// Removes the empty folders of the epochs before `epoch`, which get no more packs. One that stays is harmless, so
    /// failures are not reported.
    pub fn remove_empty_dirs(disk: &dyn Disk, epoch: Epoch) {
        let older = numbered_dirs(disk, Path::new(""), 8).unwrap_or_default();
        for (_, epoch_dir) in older.into_iter().filter(|(number, _)| *number < epoch.0) {
            for (_, group) in numbered_dirs(disk, &epoch_dir, 5).unwrap_or_default() {
                let _not_empty = disk.remove_dir(&group);
            }
            let _not_empty = disk.remove_dir(&epoch_dir);
        }
    }

    /// Ends all writing through this process's handles, including writers that still exist.
    pub fn close(&self) {
        self.files.closed.store(true, Ordering::SeqCst);
        // Waits for an append in progress.
        *self.shared() = None;
    }

    fn shared(&self) -> MutexGuard<'_, Option<OpenPack>> {
        self.shared.lock()
    }
}

impl Packs for PackFiles {
    fn store(&self) -> StoreId {
        self.files.context.store
    }

    fn open_shared(&self) -> Result<PackId, StoreError> {
        let mut shared = self.shared();
        *shared = None;
        let open = self.files.create()?;
        // ORDER: the pack's file and entry are durable before its row says `live`.
        self.files.sync_pack(&open, open.len)?;
        Ok(shared.insert(open).pack)
    }

    fn append(&self, batch: &[SegmentDraft]) -> Result<Appended, StoreError> {
        let mut shared = self.shared();
        let open = shared.as_mut().ok_or(StoreError::NoSharedPack)?;
        let files = &self.files;
        let appended = append_batch(files, open, batch);
        if appended.is_err() {
            // Closed at its last good batch: nothing ever refers to the bytes that a failed write or sync left after
            // it.
            *shared = None;
        }
        appended
    }

    fn is_held(&self, pack: PackId) -> bool {
        self.files.leases.is_leased(pack)
    }

    fn begin(&self) -> Result<Box<dyn PackWriter>, StoreError> {
        let open = self.files.create()?;
        let layout = SegmentLayout::at(self.store(), open.pack, open.len);
        Ok(Box::new(FileWriter::new(
            Arc::clone(&self.files),
            open,
            layout,
        )))
    }

    fn read(&self, pack: PackId, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        let file = self
            .files
            .handles
            .get_or_open(pack, || self.files.open_verified(pack))?;
        let failed = |source| self.files.failed("read", &pack_path(pack), source);
        let size = file.size().map_err(failed)?;
        let mut out = Vec::with_capacity(ranges.len());
        for range in ranges {
            let short = StoreError::PackShort {
                pack,
                len: size,
                need: range.end,
            };
            // Checked before memory is allocated: a damaged row may ask for any length.
            if range.end > size {
                return Err(short);
            }
            let Ok(len) = usize::try_from(range.end.saturating_sub(range.start)) else {
                return Err(short);
            };
            let mut buffer = Buffer::of(len);
            let read = file
                .read_at(range.start, &mut buffer[..len])
                .map_err(failed)?;
            if read != len {
                return Err(short);
            }
            out.push(buffer.share(len));
        }
        Ok(out)
    }

    fn remove(&self, pack: PackId) -> Result<(), StoreError> {
        let files = &self.files;
        files.writable()?;
        files.handles.forget(pack);
        let path = pack_path(pack);
        match files.disk.remove(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(files.failed("remove", &path, error)),
        }
        files.sync_dir(&group_path(pack))
    }

    fn list(&self, after: Option<PackId>, limit: usize) -> Result<Vec<PackEntry>, StoreError> {
        let disk = &*self.files.disk;
        let first = after.unwrap_or(PackId {
            epoch: Epoch(0),
            serial: 0,
        });
        let failed = |path: &Path, source| self.files.failed("list", path, source);
        let mut out = Vec::new();
        let root = PathBuf::new();
        for (epoch, epoch_dir) in
            numbered_dirs(disk, &root, 8).map_err(|error| failed(&root, error))?
        {
            if epoch < first.epoch.0 {
                continue;
            }
            for (group, dir) in
                numbered_dirs(disk, &epoch_dir, 5).map_err(|error| failed(&epoch_dir, error))?
            {
                if epoch == first.epoch.0 && group < first.serial >> GROUP_BITS {
                    continue;
                }
                let mut packs = packs_in(disk, &dir).map_err(|error| failed(&dir, error))?;
                packs.retain(|pack| after.is_none_or(|after| *pack > after));
                for pack in packs {
                    if out.len() >= limit {
                        return Ok(out);
                    }
                    let path = pack_path(pack);
                    match disk.size(&path) {
                        Ok(len) => out.push(PackEntry { pack, len }),
                        // Removed since the folder was read.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(failed(&path, error)),
                    }
                }
            }
        }
        Ok(out)
    }
}

fn append_batch(
    files: &Files,
    open: &mut OpenPack,
    batch: &[SegmentDraft],
) -> Result<Appended, StoreError> {
    files.room()?;
    let mut out = Vec::new();
    let mut end = open.len;
    let mut segments = Vec::with_capacity(batch.len());
    for draft in batch {
        let mut layout = SegmentLayout::at(files.context.store, open.pack, end);
        draft
            .frames
            .iter()
            .for_each(|frame| layout.push(frame, &mut out));
        let segment = layout.finish(&draft.origin, &mut out);
        end += segment.stored_len;
        segments.push(segment);
    }
    files.write(open, open.len, &out)?;
    files.sync_file(open, end - open.len)?;
    open.len = end;
    Ok(Appended {
        segments,
        pack: open.pack,
        pack_len: end,
        owner: PackOwner::Shared,
    })
}

impl Files {
    /// A new pack with its header written; only its parent folders are durable yet.
    fn create(&self) -> Result<OpenPack, StoreError> {
        self.room()?;
        let serial = self
            .serial
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                last.checked_add(1)
            })
            .map_err(|_| StoreError::PacksExhausted {
                epoch: self.context.epoch,
            })?;
        let pack = PackId {
            epoch: self.context.epoch,
            serial: serial + 1,
        };
        // ORDER: leased before the file exists that collection could find.
        let lease = self.leases.lease(pack);
        self.make_dirs(pack)?;
        let path = pack_path(pack);
        let file = self
            .disk
            .create(&path)
            .map_err(|error| self.failed("create", &path, error))?;
        let open = OpenPack {
            pack,
            path,
            file,
            len: PACK_HEADER_BYTES,
            lease,
        };
        let header = PackHeader {
            store: self.context.store,
            pack,
            created: self.context.clock.now(),
        };
        self.write(&open, 0, &[header.encode()])?;
        Ok(open)
    }

    /// Creates the two parent folders of a pack if they are missing, and makes their entries durable.
    fn make_dirs(&self, pack: PackId) -> Result<(), StoreError> {
        let group = pack.serial >> GROUP_BITS;
        let mut durable = self.group.lock();
        // Serials increase, so a smaller group was created before; a writer may be late by one.
        if durable.is_some_and(|durable| group <= durable) {
            return Ok(());
        }
        // ORDER: each new level is durable before anything is put into it, else a synced pack could vanish with its
        // folder's entry.
        for (parent, dir) in [
            (PathBuf::new(), epoch_path(pack.epoch)),
            (epoch_path(pack.epoch), group_path(pack)),
        ] {
            match self.disk.make_dir(&dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(self.failed("create", &dir, error));
                }
                // An existing folder may come from a call that failed before its sync.
                _ => self.sync_dir(&parent)?,
            }
        }
        *durable = Some(group);
        Ok(())
    }

    /// Refuses growth when the disk is (nearly) full or the store is read-only.
    fn room(&self) -> Result<(), StoreError> {
        self.writable()?;
        let root = Path::new("");
        let free = self
            .disk
            .free_bytes()
            .map_err(|error| self.failed("statvfs", root, error))?;
        if free < DISK_RESERVE_BYTES {
            return Err(StoreError::DiskFull {
                path: self.disk.name(root),
            });
        }
        Ok(())
    }

    fn writable(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Closed);
        }
        self.context.health.writable()
    }

    fn write(&self, open: &OpenPack, offset: u64, bytes: &[Bytes]) -> Result<(), StoreError> {
        write_all(&*open.file, offset, bytes)
            .map_err(|error| self.failed("write", &open.path, error))
    }

    /// Makes a pack's bytes and then its entry durable.
    fn sync_pack(&self, open: &OpenPack, bytes: u64) -> Result<(), StoreError> {
        // ORDER: file, then folder: an entry that survives a crash must lead to complete contents.
        self.sync_file(open, bytes)?;
        self.sync_dir(&group_path(open.pack))
    }

    fn sync_file(&self, open: &OpenPack, bytes: u64) -> Result<(), StoreError> {
        let started = self.context.clock.elapsed();
        #[cfg(any(test, feature = "testing"))]
        if planted(Bug::CommitBeforePackSync) {
            let synced = self.late.put_off(open.pack, &open.file);
            return synced.map_err(|error| self.latched(&open.path, error));
        }
        open.file
            .sync()
            .map_err(|error| self.latched(&open.path, error))?;
        let took = self.context.clock.elapsed().saturating_sub(started);
        self.context.watch.pack_synced(PackSync { bytes, took });
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> Result<(), StoreError> {
        if planted(Bug::NoDirSync) {
            return Ok(());
        }
        self.disk.sync_dir(path).map_err(|error| match error {
            DirSyncError::NotOpened(error) => self.failed("open", path, error),
            DirSyncError::NotSynced(error) => self.latched(path, error),
        })
    }

    fn open_verified(&self, pack: PackId) -> Result<Arc<dyn DiskFile>, StoreError> {
        let path = pack_path(pack);
        let file = match self.disk.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::PackMissing { pack });
            }
            Err(error) => return Err(self.failed("open", &path, error)),
        };
        let mut header = vec![0; usize::try_from(PACK_HEADER_BYTES).expect("64")];
        let read = file
            .read_at(0, &mut header)
            .map_err(|error| self.failed("read", &path, error))?;
        header.truncate(read);
        PackHeader::decode(self.context.store, pack, &header)?;
        Ok(file)
    }

    /// After a failed sync, nobody knows what the kernel still holds.
    fn latched(&self, path: &Path, error: io::Error) -> StoreError {
        self.context.health.latch(format!(
            "fsync of {} failed: {error}",
            self.disk.name(path).display()
        ));
        io_error(&*self.disk, "fsync", path, error)
    }

    fn failed(&self, op: &'static str, path: &Path, error: io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull {
                path: self.disk.name(path),
            },
            _ => io_error(&*self.disk, op, path, error),
        }
    }
}

fn io_error(disk: &dyn Disk, op: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        op,
        path: disk.name(path),
        source,
    }
}

impl fmt::Debug for PackFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackFiles")
            .field("epoch", &self.files.context.epoch)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
