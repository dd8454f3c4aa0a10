//! Errors of the store, with the data that an operator needs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Epoch, FormatVersion, PackId, StoreId};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The disk or the engine failed this once: try again.
    Retry,
    /// The store is closing: try again, elsewhere or after its restart.
    Closing,
    /// The disk is full: make room. Deletes and collection still work.
    Full,
    /// The store is read-only until a restart: find the cause first.
    Latched,
    /// Stored bytes are damaged or missing: check the store.
    Damaged,
    /// A part of the data directory belongs to another store or time: put the right one back.
    Misplaced,
    /// Written by a newer version: use that version.
    Newer,
    /// Another process uses the directory: stop it first.
    Held,
    /// There is no store.
    Absent,
    /// A fault of the program.
    Bug,
}

/// An error of Meta or Packs.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system failed.
    #[error("{op} {}: {source}", path.display())]
    Io {
        /// The system call family, such as "write" or "fsync".
        op: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No space is left for new packs; only this request fails.
    #[error("the disk of {} is full", path.display())]
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// The metadata engine failed.
    #[error("metadata {op}: {message}")]
    Engine {
        /// What it was asked to do.
        op: &'static str,
        /// The engine's own message.
        message: String,
    },
    /// The metadata engine found damage in what it read.
    #[error("metadata {op}: {message}")]
    EngineCorruption {
        /// What it was asked to do.
        op: &'static str,
        /// The engine's own message.
        message: String,
    },
    /// The metadata cannot be opened.
    #[error(
        "the metadata in {} cannot be opened: {message}; nothing was changed. Keep a copy \
         (cp -a {} {}.damaged); until it is mended, serve an empty directory, so that backups go on: \
         strongroom-server serve --data-dir {}.new",
        meta.display(), data.display(), data.display(), data.display()
    )]
    MetaUnopened {
        /// The data directory.
        data: PathBuf,
        /// The metadata's own directory in it.
        meta: PathBuf,
        /// The engine's own message.
        message: String,
    },
    /// A transaction larger than one commit may be.
    #[error("a transaction of {bytes} bytes exceeds {max}")]
    TxnTooLarge {
        /// The bytes of its keys and values.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A failed sync or commit: the store is read-only until a restart.
    #[error(
        "the store is read-only since {reason}; find the cause in the log, mend the disk, restart the server"
    )]
    ReadOnly {
        /// What failed first.
        reason: String,
    },
    /// A stored row cannot be decoded.
    #[error("damaged row {}: {what}", hex::encode(key))]
    DamagedRow {
        /// Its key.
        key: Vec<u8>,
        /// The part that is wrong.
        what: &'static str,
    },
    /// A frame cannot be decoded or fails its checksum.
    #[error("pack {pack} is damaged at offset {offset}: {what}")]
    DamagedFrame {
        /// The pack.
        pack: PackId,
        /// Where the frame starts.
        offset: u64,
        /// Which check failed.
        what: &'static str,
    },
    /// A pack's file is gone.
    #[error("pack {pack} is missing")]
    PackMissing {
        /// The pack.
        pack: PackId,
    },
    /// A pack ends before a range that rows say it holds.
    #[error("pack {pack} has {len} bytes, {need} are needed")]
    PackShort {
        /// The pack.
        pack: PackId,
        /// Its length.
        len: u64,
        /// The end of the requested range.
        need: u64,
    },
    /// A pack of another store is in this one's place.
    #[error("pack {pack} belongs to store {found}, this is {expected}")]
    ForeignPack {
        /// The pack.
        pack: PackId,
        /// The store in its header.
        found: StoreId,
        /// This store.
        expected: StoreId,
    },
    /// Written by a newer Strongroom. This is not damage.
    #[error(
        "{what} was written by a newer version of Strongroom: format {}, this build reads up to {}; use the newer version",
        found.0, newest.0
    )]
    NewerFormat {
        /// Which part of the store.
        what: &'static str,
        /// The format found.
        found: FormatVersion,
        /// The newest format that this build knows.
        newest: FormatVersion,
    },
    /// A pack written by a newer Strongroom. This is not damage.
    #[error(
        "pack {pack} was written by a newer version of Strongroom: format {}, this build reads up to {}; use the newer \
         version",
        found.0, newest.0
    )]
    NewerPack {
        /// The pack.
        pack: PackId,
        /// The format in its header.
        found: FormatVersion,
        /// The newest format that this build knows.
        newest: FormatVersion,
    },
    /// The identity file cannot be read.
    #[error(
        "the identity file {} is damaged: {what}; put it back from a copy. Until then, serve an empty directory, so \
         that backups go on: strongroom-server serve --data-dir {}.new",
        path.display(), data.display()
    )]
    IdentityDamaged {
        /// The data directory.
        data: PathBuf,
        /// The file.
        path: PathBuf,
        /// Which check failed.
        what: &'static str,
    },
    /// One part of the store exists, but another part that was written before it is missing.
    #[error("{} holds {found} but no {missing}: was it moved away? Put it back and start again", dir.display())]
    Incomplete {
        /// The data directory.
        dir: PathBuf,
        /// The part that exists.
        found: &'static str,
        /// The part that is missing.
        missing: &'static str,
    },
    /// The directory contains no store.
    #[error("there is no store in {}", dir.display())]
    NoStore {
        /// The directory.
        dir: PathBuf,
    },
    /// The metadata in the directory belongs to another store.
    #[error(
        "the metadata in {} belongs to store {found}, the directory to store {expected}; put the right one back",
        dir.display()
    )]
    ForeignMeta {
        /// The data directory.
        dir: PathBuf,
        /// The store named by the metadata.
        found: StoreId,
        /// The store named by the identity file.
        expected: StoreId,
    },
    /// The metadata is an older copy: it does not know the starts of the server that wrote the newest packs.
    #[error(
        "the metadata knows {} starts of the server, packs were written by start {}: it was put back from an older \
         copy. Starting would discard those packs; put the newer metadata back, or the whole directory from one copy",
        known.0, packs.0
    )]
    MetaBehind {
        /// The last epoch in Meta.
        known: Epoch,
        /// The newest epoch among the packs.
        packs: Epoch,
    },
    /// Another process uses the directory.
    #[error("{} is in use by another process; stop it first (its pid may be in {}/LOCK)", dir.display(), dir.display())]
    Held {
        /// The data directory.
        dir: PathBuf,
    },
    /// One failure shared by several requests of a batch.
    #[error(transparent)]
    Shared(Arc<StoreError>),
    /// The process has used up all pack names of its epoch.
    #[error("start {} of the server has used up its pack names; restart it", epoch.0)]
    PacksExhausted {
        /// The process's epoch.
        epoch: Epoch,
    },
    /// No shared pack is open.
    #[error("no shared pack is open")]
    NoSharedPack,
    /// Other commits on the same rows always won.
    #[error("other commits on the same rows came first {tries} times; try again")]
    Contended {
        /// The number of decisions tried.
        tries: u32,
    },
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// What to do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            StoreError::Shared(inner) => inner.class(),
            StoreError::Io { .. }
            | StoreError::Contended { .. }
            | StoreError::Engine { .. }
            | StoreError::NoSharedPack => ErrorClass::Retry,
            StoreError::Closed => ErrorClass::Closing,
            StoreError::DiskFull { .. } => ErrorClass::Full,
            StoreError::ReadOnly { .. } | StoreError::PacksExhausted { .. } => ErrorClass::Latched,
            StoreError::EngineCorruption { .. }
            | StoreError::MetaUnopened { .. }
            | StoreError::DamagedRow { .. }
            | StoreError::DamagedFrame { .. }
            | StoreError::PackMissing { .. }
            | StoreError::PackShort { .. }
            | StoreError::ForeignPack { .. } => ErrorClass::Damaged,
            StoreError::IdentityDamaged { .. }
            | StoreError::Incomplete { .. }
            | StoreError::ForeignMeta { .. }
            | StoreError::MetaBehind { .. } => ErrorClass::Misplaced,
            StoreError::NewerFormat { .. } | StoreError::NewerPack { .. } => ErrorClass::Newer,
            StoreError::Held { .. } => ErrorClass::Held,
            StoreError::NoStore { .. } => ErrorClass::Absent,
            StoreError::TxnTooLarge { .. } => ErrorClass::Bug,
        }
    }

    /// The file that the system could not access, and why, if there is one.
    pub fn io(&self) -> Option<(&Path, &io::Error)> {
        match self {
            StoreError::Shared(inner) => inner.io(),
            StoreError::Io { path, source, .. } => Some((path, source)),
            _ => None,
        }
    }

    /// The pack that the error is about, and the place in it.
    pub fn pack(&self) -> Option<(PackId, Option<u64>)> {
        match self {
            StoreError::Shared(inner) => inner.pack(),
            StoreError::DamagedFrame { pack, offset, .. } => Some((*pack, Some(*offset))),
            StoreError::PackShort { pack, len, .. } => Some((*pack, Some(*len))),
            StoreError::PackMissing { pack }
            | StoreError::ForeignPack { pack, .. }
            | StoreError::NewerPack { pack, .. } => Some((*pack, None)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shared_by_a_batch_says_what_its_cause_says() {
        let pack = PackId {
            epoch: Epoch(1),
            serial: 2,
        };
        let shared = |error| StoreError::Shared(Arc::new(StoreError::Shared(Arc::new(error))));
        let short = shared(StoreError::PackShort {
            pack,
            len: 7,
            need: 8,
        });
        assert_eq!(short.class(), ErrorClass::Damaged);
        assert_eq!(short.pack(), Some((pack, Some(7))));
        let refused = shared(StoreError::Io {
            op: "open",
            path: "/d/x".into(),
            source: io::ErrorKind::PermissionDenied.into(),
        });
        assert_eq!((refused.class(), refused.pack()), (ErrorClass::Retry, None));
        let (path, source) = refused.io().expect("the system refused");
        assert_eq!(
            (path, source.kind()),
            (Path::new("/d/x"), io::ErrorKind::PermissionDenied)
        );
        assert!(short.io().is_none());
    }
}
