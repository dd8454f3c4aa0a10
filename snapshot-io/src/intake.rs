//! A snapshot's way into this process: told by its first bytes, unpacked, and digested beside being handed on.
//!
//! It pulls from any buffered source, so a file and a download feed it alike. Blocks travel in a circle: filled here,
//! given to the caller's sink here, digested on a thread of their own, and back. Memory: [`BLOCKS_MAX`] blocks and one
//! decoder's window. The pages of what comes out have yet to be checked.

use std::{
    io::{self, BufRead, Cursor, Read},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use strongroom_etcd_format::snapshot::{self, SnapshotError, StreamDigest, StreamSummary};

use crate::packing::{self, ForeignPacking, Kind, MAGIC_BYTES, Packing};

/// Large enough that system calls and hand-overs cost nothing, small enough to stay in a cache.
pub const BLOCK_BYTES: usize = 1024 * 1024;
/// One being filled, one being digested, and some for the side that is ahead.
const BLOCKS_MAX: usize = 6;
/// etcd advises at most 8 GiB; this leaves room for eight times that, and ends a decompression bomb.
pub const UNPACKED_BYTES_MAX: u64 = 64 << 30;

/// A snapshot that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How it was packed.
    pub packing: Packing,
    /// Bytes unpacked, trailer included.
    pub file_len: u64,
    /// Bytes of database.
    pub db_len: u64,
    /// SHA-256 over the database bytes.
    pub sha256: [u8; 32],
    /// The state of the trailer.
    pub trailer: Trailer,
}

/// The state of a snapshot's trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailer {
    /// It is the SHA-256 of the database.
    Matches,
    /// There is none: the length is that of a database alone, as of a file copied out of a data directory.
    Missing,
    /// It belongs to other bytes.
    Differs {
        /// The SHA-256 in the file.
        stored: [u8; 32],
    },
}

/// Why a source does not give a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Packed in a way that is not read here.
    #[error("it is {packing}, which this version does not unpack")]
    Foreign {
        /// Its packing.
        packing: ForeignPacking,
    },
    /// The source failed.
    #[error("reading failed at byte {offset}")]
    Read {
        /// How far it was read, packed bytes.
        offset: u64,
        /// As the source gave it.
        source: io::Error,
    },
    /// The packed stream is damaged or ends early.
    #[error("its {packing} stream breaks after {unpacked} unpacked bytes")]
    Unpack {
        /// How it is packed.
        packing: Packing,
        /// Bytes that came out before.
        unpacked: u64,
        /// The decoder's error.
        source: io::Error,
    },
    /// More came out than any etcd holds.
    #[error("it unpacks to more than {limit} bytes: that is no snapshot of an etcd")]
    TooLarge {
        /// How much was allowed.
        limit: u64,
    },
    /// The length is none that a snapshot has, or the trailer belongs to other bytes.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The digest's thread does not start.
    #[error("no thread can be started")]
    Thread(#[source] io::Error),
}

impl Taken {
    /// The same, unless its trailer belongs to other bytes. A missing one passes.
    ///
    /// # Errors
    /// [`SnapshotError::TrailerMismatch`].
    pub fn unaltered(self) -> Result<Self, SnapshotError> {
        match self.trailer {
            Trailer::Matches | Trailer::Missing => Ok(self),
            Trailer::Differs { stored } => Err(SnapshotError::TrailerMismatch {
                offset: self.db_len,
                stored,
                computed: self.sha256,
            }),
        }
    }
}

/// Reads `stored` to its end and gives each unpacked block to `sink`, at most `bytes_max` in all. A failure of the source
/// comes out as [`IntakeError::Read`], with the source's own error in it, also through a decoder. `name` helps where the
/// bytes do not tell what they are; see [`Kind::of`].
///
/// # Errors
/// [`IntakeError`], or the sink's own error.
pub fn take<E: From<IntakeError>>(
    stored: impl BufRead,
    name: &str,
    bytes_max: u64,
    sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Taken, E> {
    let mut stored = Source {
        inner: stored,
        offset: 0,
    };
    let mut first = Vec::with_capacity(MAGIC_BYTES);
    (&mut stored)
        .take(len_u64(MAGIC_BYTES))
        .read_to_end(&mut first)
        .map_err(|error| explain(error, Packing::None, 0))?;
    let packing = match Kind::of(&first, name) {
        Kind::Foreign(packing) => return Err(IntakeError::Foreign { packing }.into()),
        Kind::Packed(packing) => packing,
        Kind::Database | Kind::Unknown => Packing::None,
    };
    let plain = packing::reader(packing, Cursor::new(first).chain(stored))
        .map_err(|error| explain(error, packing, 0))?;
    let digest = thread::scope(|scope| {
        let (to_digest, blocks) = channel::<Vec<u8>>();
        let (back, free) = channel();
        let digester = thread::Builder::new()
            .name("sha256".to_owned())
            .spawn_scoped(scope, move || digest_of(&blocks, &back))
            .map_err(IntakeError::Thread)?;
        let circle = Circle { to_digest, free };
        circle.pour(plain, packing, bytes_max, sink)?;
        drop(circle);
        Ok::<_, E>(digester.join().expect("digesting does not panic"))
    })?;
    Ok(judge(packing, digest.finish())?)
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

/// The blocks' way to the digest and back.
struct Circle {
    to_digest: Sender<Vec<u8>>,
    free: Receiver<Vec<u8>>,
}

impl Circle {
    /// Reads, gives to the sink and hands to the digest, block by block.
    fn pour<E: From<IntakeError>>(
        &self,
        mut plain: Box<dyn Read + '_>,
        packing: Packing,
        bytes_max: u64,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut unpacked, mut made) = (0_u64, 0);
        loop {
            let mut block = if made < BLOCKS_MAX {
                made += 1;
                Vec::with_capacity(BLOCK_BYTES)
            } else {
                self.free
                    .recv()
                    .expect("the digest lives until the last block")
            };
            block.clear();
            (&mut plain)
                .take(len_u64(BLOCK_BYTES))
                .read_to_end(&mut block)
                .map_err(|error| explain(error, packing, unpacked))?;
            if block.is_empty() {
                return Ok(());
            }
            unpacked = unpacked.saturating_add(len_u64(block.len()));
            if unpacked > bytes_max {
                return Err(IntakeError::TooLarge { limit: bytes_max }.into());
            }
            sink(&block)?;
            self.to_digest
                .send(block)
                .expect("the digest lives until the last block");
        }
    }
}

/// The caller's source. Its failures are marked, so that they can be told from a decoder's complaint about its input.
struct Source<R> {
    inner: R,
    offset: u64,
}

/// A source's failure on its way through a decoder, which knows only `io::Error`.
#[derive(Debug, thiserror::Error)]
#[error("the source failed at byte {offset}")]
struct SourceFailed {
    offset: u64,
    source: io::Error,
}

fn mark(offset: u64, source: io::Error) -> io::Error {
    match source.kind() {
        // Asked again by whoever reads.
        io::ErrorKind::Interrupted => source,
        _ => io::Error::other(SourceFailed { offset, source }),
    }
}

impl<R: BufRead> Read for Source<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self
            .inner
            .read(buf)
            .map_err(|source| mark(self.offset, source))?;
        self.offset += len_u64(len);
        Ok(len)
    }
}

impl<R: BufRead> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let offset = self.offset;
        self.inner.fill_buf().map_err(|source| mark(offset, source))
    }

    fn consume(&mut self, amount: usize) {
        self.offset += len_u64(amount);
        self.inner.consume(amount);
    }
}

/// The reason behind a failed read: the source's, or else the decoder's complaint about its input.
fn explain(error: io::Error, packing: Packing, unpacked: u64) -> IntakeError {
    match error.downcast::<SourceFailed>() {
        Ok(SourceFailed { offset, source }) => IntakeError::Read { offset, source },
        Err(source) => IntakeError::Unpack {
            packing,
            unpacked,
            source,
        },
    }
}

/// A wrong trailer is a state here; the caller decides whether it is an error.
fn judge(
    packing: Packing,
    found: Result<StreamSummary, SnapshotError>,
) -> Result<Taken, IntakeError> {
    match found {
        Ok(found) => Ok(Taken {
            packing,
            file_len: found.file_len,
            db_len: found.db_len,
            sha256: found.sha256,
            trailer: match found.trailer {
                snapshot::Trailer::Matches => Trailer::Matches,
                snapshot::Trailer::Missing => Trailer::Missing,
            },
        }),
        Err(SnapshotError::TrailerMismatch {
            offset,
            stored,
            computed,
        }) => Ok(Taken {
            packing,
            file_len: offset + snapshot::TRAILER_BYTES,
            db_len: offset,
            sha256: computed,
            trailer: Trailer::Differs { stored },
        }),
        Err(error) => Err(error.into()),
    }
}

fn len_u64(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits 64 bits")
}

#[cfg(test)]
mod tests;
