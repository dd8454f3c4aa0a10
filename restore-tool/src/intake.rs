//! The snapshot's way to disk: packed or not (told by its first bytes, never by its name), hashed beside the writing,
//! and stopped before the disk is full.
//!
//! It pulls from any buffered source, so a file and a download feed it alike. Blocks travel in a circle: filled here,
//! written here, hashed on a thread of their own, and back. Memory: [`BLOCKS_MAX`] blocks and one decoder's window. It
//! trusts nothing: what comes out is a file that [`crate::image`] has yet to check.

use std::{
    fs::File,
    io::{self, BufRead, Cursor, Read, Write as _},
    path::Path,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use strongroom_etcd_format::snapshot::{SnapshotError, StreamDigest, StreamSummary, Trailer};
use strongroom_snapshot_io::packing::{self, MAGIC_BYTES, Packing};

use crate::{
    error::{Damage, RestoreError, TargetError},
    interrupt::Interrupt,
    space,
    write_behind::WriteBehind,
};

/// Large enough that system calls and hand-overs cost nothing, small enough to stay in a cache.
const BLOCK_BYTES: usize = 1024 * 1024;
/// One being filled, one being hashed, and some for the one who is ahead.
const BLOCKS_MAX: usize = 6;
/// Free space is looked at again each time this much was written (a packed file does not tell its size beforehand), and
/// as much is handed to the disk.
const STRIDE_BYTES: u64 = 32 * 1024 * 1024;

/// Whether a snapshot must be vouched for by its trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashCheck {
    Required,
    /// For files that never had a trailer: copied out of a data directory.
    Skipped,
}

/// What the trailer says of a snapshot that was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vouching {
    Matches,
    /// There is none, and none was required.
    Missing,
    /// It belongs to other bytes, and none was required.
    Differs,
}

/// A snapshot that is on disk.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) packing: Packing,
    /// Bytes unpacked, trailer included.
    pub(crate) file_len: u64,
    /// Bytes of database.
    pub(crate) db_len: u64,
    /// Over the database.
    pub(crate) sha256: [u8; 32],
    pub(crate) vouching: Vouching,
}

/// Where the bytes go.
pub(crate) struct Destination<'a> {
    pub(crate) file: &'a File,
    pub(crate) path: &'a Path,
    pub(crate) behind: &'a WriteBehind,
    pub(crate) interrupt: &'a Interrupt,
}

/// A source's own failure on its way through a decoder, which knows only `io::Error`.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Carried(RestoreError);

/// Makes an error of the source one that [`take`] gives back as it is.
pub(crate) fn carry(error: impl Into<RestoreError>) -> io::Error {
    io::Error::other(Carried(error.into()))
}

/// Takes all of `stored` in. Errors of the source come through [`carry`].
pub(crate) fn take(
    mut stored: impl BufRead,
    into: &Destination<'_>,
    check: HashCheck,
) -> Result<Taken, RestoreError> {
    let mut first = Vec::with_capacity(MAGIC_BYTES);
    let magic = u64::try_from(MAGIC_BYTES).expect("a small constant");
    (&mut stored)
        .take(magic)
        .read_to_end(&mut first)
        .map_err(|error| explain(error, Packing::None, 0))?;
    let packing =
        packing::sniff(&first).map_err(|packing| RestoreError::ForeignPacking { packing })?;
    let plain = packing::reader(packing, Cursor::new(first).chain(stored))
        .map_err(|error| explain(error, packing, 0))?;
    let digest = thread::scope(|scope| {
        let (to_hash, blocks) = channel::<Vec<u8>>();
        let (back, free) = channel();
        let hasher = thread::Builder::new()
            .name("sha256".to_owned())
            .spawn_scoped(scope, move || digest_of(&blocks, &back))
            .map_err(RestoreError::Start)?;
        pour(plain, packing, into, &to_hash, &free)?;
        drop(to_hash);
        Ok::<_, RestoreError>(hasher.join().expect("hashing does not panic"))
    })?;
    judge(packing, digest.finish(), check)
}

fn digest_of(blocks: &Receiver<Vec<u8>>, back: &Sender<Vec<u8>>) -> StreamDigest {
    let mut digest = StreamDigest::new();
    for block in blocks {
        digest.update(&block);
        // Nobody takes it back after the last one.
        let _ended = back.send(block);
    }
    digest
}

/// Reads, writes and hands to the hasher, block by block.
fn pour(
    mut plain: Box<dyn Read + '_>,
    packing: Packing,
    into: &Destination<'_>,
    to_hash: &Sender<Vec<u8>>,
    free: &Receiver<Vec<u8>>,
) -> Result<(), RestoreError> {
    let (mut written, mut next_stride, mut made) = (0_u64, STRIDE_BYTES, 0);
    loop {
        into.interrupt.check()?;
        let mut block = if made < BLOCKS_MAX {
            made += 1;
            Vec::with_capacity(BLOCK_BYTES)
        } else {
            free.recv().expect("the hasher lives until the last block")
        };
        let full = u64::try_from(BLOCK_BYTES).expect("a small constant");
        block.clear();
        (&mut plain)
            .take(full)
            .read_to_end(&mut block)
            .map_err(|error| explain(error, packing, written))?;
        if block.is_empty() {
            return Ok(());
        }
        let mut file = into.file;
        file.write_all(&block)
            .map_err(|source| TargetError::io("writing", into.path, source))?;
        written += u64::try_from(block.len()).expect("a block's length fits 64 bits");
        if written >= next_stride {
            next_stride = written + STRIDE_BYTES;
            into.behind.nudge();
            space::require(into.path, 0)?;
        }
        to_hash
            .send(block)
            .expect("the hasher lives until the last block");
    }
}

/// The reason behind a failed read: the source's, or else the decoder's complaint about its input.
fn explain(error: io::Error, packing: Packing, unpacked: u64) -> RestoreError {
    match error.downcast::<Carried>() {
        Ok(Carried(error)) => error,
        Err(source) => Damage::Unpack {
            packing,
            unpacked,
            source,
        }
        .into(),
    }
}

fn judge(
    packing: Packing,
    found: Result<StreamSummary, SnapshotError>,
    check: HashCheck,
) -> Result<Taken, RestoreError> {
    let taken = |file_len, db_len, sha256, vouching| Taken {
        packing,
        file_len,
        db_len,
        sha256,
        vouching,
    };
    match (found, check) {
        (Ok(found), check) => match (found.trailer, check) {
            (Trailer::Matches, _) => Ok(taken(
                found.file_len,
                found.db_len,
                found.sha256,
                Vouching::Matches,
            )),
            (Trailer::Missing, HashCheck::Skipped) => Ok(taken(
                found.file_len,
                found.db_len,
                found.sha256,
                Vouching::Missing,
            )),
            (Trailer::Missing, HashCheck::Required) => Err(Damage::NoTrailer {
                len: found.file_len,
            }
            .into()),
        },
        (
            Err(SnapshotError::TrailerMismatch {
                offset,
                stored,
                computed,
            }),
            HashCheck::Skipped,
        ) => {
            let trailer = u64::try_from(stored.len()).expect("32");
            Ok(taken(offset + trailer, offset, computed, Vouching::Differs))
        }
        (Err(damage), _) => Err(Damage::Snapshot(damage).into()),
    }
}

#[cfg(test)]
mod tests;
