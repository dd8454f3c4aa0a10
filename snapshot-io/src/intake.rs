//! Reads a snapshot: detects its kind by its first bytes, decompresses it, and hashes it while it passes the bytes on.
//!
//! It reads from any buffered source, such as a file or a download. Blocks circulate: this thread fills them and passes them to
//! the caller's sink, a second thread hashes them and returns them. Memory: [`BLOCKS_MAX`] blocks and one decoder window. The
//! pages of the output are not checked yet.

use std::{
    io::{self, BufRead, Cursor, Read},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use strongroom_etcd_format::{
    bolt::{self, BoltError},
    snapshot::{self, SnapshotError, StreamDigest, StreamSummary},
};

use crate::packing::{self, Compression, ForeignFile, Kind, MAGIC_BYTES, UnsupportedFormat};

/// Large enough that system calls and hand-overs are cheap, small enough for the CPU cache.
pub const BLOCK_BYTES: usize = 1024 * 1024;
/// One block is being filled, one is being hashed; the others are for the side that is ahead.
const BLOCKS_MAX: usize = 6;
/// etcd recommends at most 8 GiB. This allows eight times that, and stops a decompression bomb.
pub const UNPACKED_BYTES_MAX: u64 = 64 << 30;

/// A snapshot that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Its compression.
    pub packing: Compression,
    /// Length after decompression, with trailer.
    pub file_len: u64,
    /// Length of the database.
    pub db_len: u64,
    /// SHA-256 over the database bytes.
    pub sha256: [u8; 32],
    /// The state of the trailer.
    pub trailer: Trailer,
}

/// The state of a snapshot's trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailer {
    /// It equals the SHA-256 of the database.
    Matches,
    /// There is none: the length is that of a database alone, as for a file copied from a data directory.
    Missing,
    /// It does not match the database.
    Differs {
        /// The SHA-256 in the file.
        stored: [u8; 32],
    },
}

/// Why a source is not a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// It is known, but not a snapshot that can be read here.
    #[error("it is {0}")]
    Foreign(ForeignFile),
    /// Its first block has no meta page of a database. The rest was not read.
    #[error(transparent)]
    NotADatabase(BoltError),
    /// The source failed.
    #[error("reading failed at byte {offset}")]
    Read {
        /// The number of bytes read from the source, before decompression.
        offset: u64,
        /// The source's error.
        source: io::Error,
    },
    /// The compressed stream is damaged or ends early.
    #[error("its {packing} stream breaks after {unpacked} unpacked bytes")]
    Unpack {
        /// Its compression.
        packing: Compression,
        /// The number of decompressed bytes before the error.
        unpacked: u64,
        /// The decoder's error.
        source: io::Error,
    },
    /// The output is larger than any etcd database.
    #[error("it unpacks to more than {limit} bytes: that is no snapshot of an etcd")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The length is not that of a snapshot, or the trailer does not match.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The hashing thread cannot be started.
    #[error("no thread can be started")]
    Thread(#[source] io::Error),
}

impl Taken {
    /// Returns itself, or an error if the trailer does not match. A missing trailer is accepted.
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

/// Reads `stored` to its end and passes each decompressed block to `sink`, at most `bytes_max` bytes in total. A failure of the
/// source gives [`IntakeError::Read`] with the source's own error, even behind a decoder. `name` helps if the bytes do not show
/// the kind; see [`Kind::of`].
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
        .map_err(|error| explain(error, Compression::None, 0))?;
    let packing = match Kind::of(&first, name) {
        Kind::Foreign(format) => {
            let inside = Compression::None;
            return Err(IntakeError::Foreign(ForeignFile { format, inside }).into());
        }
        Kind::Packed(packing) => packing,
        Kind::Database | Kind::Unknown => Compression::None,
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
        // After the last block, the receiver is gone.
        let _ended = back.send(block);
    }
    digest
}

/// The channels that move blocks to the hashing thread and back.
struct Circle {
    to_digest: Sender<Vec<u8>>,
    free: Receiver<Vec<u8>>,
}

impl Circle {
    /// Reads block by block, passes each to the sink and then to the hashing thread.
    fn pour<E: From<IntakeError>>(
        &self,
        mut plain: Box<dyn Read + '_>,
        packing: Compression,
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
            if unpacked == 0 {
                require_database(&block, packing)?;
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

/// Refuses a file by its first block, so that a wrong one is not read to its end. Only files without a valid meta page are
/// refused, and no reader accepts these: pages have at most 64 KiB in practice, so both meta pages are in the block.
fn require_database(block: &[u8], inside: Compression) -> Result<(), IntakeError> {
    let format = match Kind::of(block, "") {
        _ if inside == Compression::None => None,
        Kind::Foreign(format) => Some(format),
        Kind::Packed(packing) => Some(UnsupportedFormat::Compressed(packing)),
        Kind::Database | Kind::Unknown => None,
    };
    if let Some(format) = format {
        return Err(IntakeError::Foreign(ForeignFile { format, inside }));
    }
    let len = snapshot::db_len(len_u64(block.len()));
    if matches!(len, Err(SnapshotError::TooShort { .. })) {
        // This is the whole file, and its length is what is wrong with it.
        return Ok(());
    }
    bolt::announced_len(block)
        .map(|_| ())
        .map_err(IntakeError::NotADatabase)
}

/// The caller's source. It marks its failures, so that they can be distinguished from a decoder's errors.
struct Source<R> {
    inner: R,
    offset: u64,
}

/// A source's failure, wrapped to pass through a decoder, which knows only `io::Error`.
#[derive(Debug, thiserror::Error)]
#[error("the source failed at byte {offset}")]
struct SourceFailed {
    offset: u64,
    source: io::Error,
}

fn mark(offset: u64, source: io::Error) -> io::Error {
    match source.kind() {
        // The reader tries again.
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

/// The reason of a failed read: the source's error, or otherwise the decoder's error.
fn explain(error: io::Error, packing: Compression, unpacked: u64) -> IntakeError {
    match error.downcast::<SourceFailed>() {
        Ok(SourceFailed { offset, source }) => IntakeError::Read { offset, source },
        Err(source) => IntakeError::Unpack {
            packing,
            unpacked,
            source,
        },
    }
}

/// A wrong trailer is only a state here; the caller decides whether it is an error.
fn judge(
    packing: Compression,
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
