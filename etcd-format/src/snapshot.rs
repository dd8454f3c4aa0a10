//! The snapshot file: a bolt database followed by its SHA-256.
//!
//! Owns: the 32-byte trailer that `etcdctl snapshot save` appends, the rule that detects it, and the digest of a stream. Must not
//! know the contents of the database. Source: etcd `server/etcdserver/api/v3rpc/maintenance.go` and
//! `etcdutl/snapshot/v3_snapshot.go`.
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | n, a multiple of the page size | the bolt database, see [`crate::bolt`] |
//! | n | 32 | SHA-256 of the bytes before; missing in files copied from a data directory |
//!
//! The length shows whether there is a trailer: page sizes are multiples of 512, so `length % 512` is 32 or 0.
//!
//! ```
//! use strongroom_etcd_format::snapshot::{StreamDigest, Trailer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/etcd-3.4.db"));
//! let mut digest = StreamDigest::new();
//! for piece in file.chunks(32 * 1024) {
//!     digest.update(piece);
//! }
//! let summary = digest.finish()?;
//! assert_eq!((summary.trailer, summary.db_len), (Trailer::Matches, 118_784));
//! # Ok(())
//! # }
//! ```

use std::fmt;

use sha2::{Digest, Sha256};

/// Length of the trailer: one SHA-256.
pub const TRAILER_BYTES: u64 = 32;

/// Smallest page. Databases consist of whole pages, so the remainder shows whether there is a trailer.
const PAGE_BYTES_MIN: u64 = 512;

/// Two meta pages of the smallest size: a database cannot be shorter.
const DB_BYTES_MIN: u64 = 2 * PAGE_BYTES_MIN;

const TRAILER_LEN: usize = 32;

/// Whether a file of this length ends with a trailer. etcd's own tools use only this test.
pub fn has_trailer(file_len: u64) -> bool {
    file_len % PAGE_BYTES_MIN == TRAILER_BYTES
}

/// The length of the database in a file of this length.
///
/// # Errors
/// The length shows that it is not a snapshot.
pub fn db_len(file_len: u64) -> Result<u64, SnapshotError> {
    if file_len == 0 {
        return Err(SnapshotError::Empty);
    }
    if file_len < DB_BYTES_MIN {
        return Err(SnapshotError::TooShort { len: file_len });
    }
    match file_len % PAGE_BYTES_MIN {
        0 => Ok(file_len),
        TRAILER_BYTES => Ok(file_len - TRAILER_BYTES),
        _ => Err(SnapshotError::Length { len: file_len }),
    }
}

/// Hashes a stream of unknown length. It always holds back the last 32 bytes.
#[derive(Debug, Clone)]
pub struct StreamDigest {
    hasher: Sha256,
    /// The last bytes seen, not yet hashed: they may turn out to be the trailer.
    held: [u8; TRAILER_LEN],
    held_len: usize,
    file_len: u64,
}

impl StreamDigest {
    /// A new digest.
    pub fn new() -> Self {
        Self {
            hasher: Sha256::new(),
            held: [0; TRAILER_LEN],
            held_len: 0,
            file_len: 0,
        }
    }

    /// Takes the next bytes of the file, in pieces of any size.
    pub fn update(&mut self, bytes: &[u8]) {
        self.file_len += crate::width::u64_of(bytes.len());
        let held = self
            .held
            .get(..self.held_len)
            .expect("held_len never exceeds the array");
        if let Some(split) = bytes.len().checked_sub(TRAILER_LEN) {
            let (body, tail) = bytes.split_at(split);
            self.hasher.update(held);
            self.hasher.update(body);
            self.held.copy_from_slice(tail);
            self.held_len = TRAILER_LEN;
            return;
        }
        // Fewer than 32 bytes: release only as many of the oldest bytes as necessary.
        let mut joined = [0_u8; 2 * TRAILER_LEN];
        let total = self.held_len + bytes.len();
        let (old, new) = joined.split_at_mut(self.held_len);
        old.copy_from_slice(held);
        new.get_mut(..bytes.len())
            .expect("fewer than 32 bytes fit behind 32")
            .copy_from_slice(bytes);
        let release = total.saturating_sub(TRAILER_LEN);
        let joined = joined
            .get(..total)
            .expect("both parts are at most 32 bytes");
        let (released, kept) = joined.split_at(release);
        self.hasher.update(released);
        self.held
            .get_mut(..kept.len())
            .expect("at most 32 bytes are kept")
            .copy_from_slice(kept);
        self.held_len = kept.len();
    }

    /// The number of bytes so far.
    pub fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Decides by the length whether the last 32 bytes are a trailer, and if so, compares them.
    ///
    /// # Errors
    /// The length shows that it is not a snapshot, or the trailer does not match.
    pub fn finish(mut self) -> Result<StreamSummary, SnapshotError> {
        let db_len = db_len(self.file_len)?;
        let held = self
            .held
            .get(..self.held_len)
            .expect("held_len never exceeds the array");
        if db_len == self.file_len {
            self.hasher.update(held);
            let sha256 = self.hasher.finalize().into();
            return Ok(StreamSummary {
                file_len: self.file_len,
                db_len,
                sha256,
                trailer: Trailer::Missing,
            });
        }
        let computed: [u8; TRAILER_LEN] = self.hasher.finalize().into();
        if computed != self.held {
            return Err(SnapshotError::TrailerMismatch {
                offset: db_len,
                stored: self.held,
                computed,
            });
        }
        Ok(StreamSummary {
            file_len: self.file_len,
            db_len,
            sha256: computed,
            trailer: Trailer::Matches,
        })
    }
}

impl Default for StreamDigest {
    fn default() -> Self {
        Self::new()
    }
}

/// The result for a complete stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamSummary {
    /// Bytes in the file, trailer included.
    pub file_len: u64,
    /// Bytes of database.
    pub db_len: u64,
    /// SHA-256 over the database bytes.
    pub sha256: [u8; 32],
    /// The state of the trailer.
    pub trailer: Trailer,
}

/// The state of a snapshot's trailer. A wrong one is an error, not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailer {
    /// The trailer equals the SHA-256 of the database.
    Matches,
    /// No trailer: the length is that of a database alone, as for a file copied from a data directory.
    Missing,
}

/// The file is not a snapshot, or was changed after it was saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The file is empty.
    #[error("the snapshot is empty")]
    Empty,
    /// Shorter than the smallest database.
    #[error("the snapshot has {len} bytes, a database has at least {DB_BYTES_MIN}")]
    TooShort {
        /// Bytes in the file.
        len: u64,
    },
    /// Neither whole pages nor whole pages and a trailer.
    #[error(
        "the snapshot has {len} bytes, which is neither a multiple of {PAGE_BYTES_MIN} (a database) nor 32 more (a database \
         and its SHA-256): it was cut short, compressed, or is something else"
    )]
    Length {
        /// Bytes in the file.
        len: u64,
    },
    /// The stored SHA-256 does not match the database bytes.
    #[error(
        "the snapshot's SHA-256 trailer at offset {offset} is {}, but its {offset} database bytes have {}: they were altered",
        Hex(stored),
        Hex(computed)
    )]
    TrailerMismatch {
        /// The offset of the trailer: the length of the database.
        offset: u64,
        /// The trailer.
        stored: [u8; 32],
        /// The digest of the bytes before it.
        computed: [u8; 32],
    },
}

/// A digest that displays as hex.
struct Hex<'d>(&'d [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_with_trailer(pages: usize) -> Vec<u8> {
        let mut file: Vec<u8> = (0..pages * 512)
            .map(|n| u8::try_from(n % 251).expect("below 251"))
            .collect();
        let digest: [u8; 32] = Sha256::digest(&file).into();
        file.extend(digest);
        file
    }

    fn digest_in_pieces(file: &[u8], piece: usize) -> Result<StreamSummary, SnapshotError> {
        let mut digest = StreamDigest::new();
        for bytes in file.chunks(piece) {
            digest.update(bytes);
        }
        assert_eq!(digest.file_len(), crate::width::u64_of(file.len()));
        digest.finish()
    }

    #[test]
    fn the_trailer_is_found_whatever_the_pieces() {
        let file = file_with_trailer(4);
        let whole: [u8; 32] = Sha256::digest(&file[..2048]).into();
        for piece in [1, 7, 31, 32, 33, 64, 511, 512, 2047, 2080, 5000] {
            let summary = digest_in_pieces(&file, piece).expect("the trailer is right");
            let expected = StreamSummary {
                file_len: 2080,
                db_len: 2048,
                sha256: whole,
                trailer: Trailer::Matches,
            };
            assert_eq!(summary, expected, "pieces of {piece}");
            let bare = digest_in_pieces(&file[..2048], piece).expect("whole pages pass");
            assert_eq!(
                bare,
                StreamSummary {
                    file_len: 2048,
                    db_len: 2048,
                    sha256: whole,
                    trailer: Trailer::Missing
                }
            );
        }
    }

    #[test]
    fn a_flipped_byte_is_a_mismatch_that_tells_both_digests() {
        let mut file = file_with_trailer(4);
        file[100] ^= 1;
        let error = digest_in_pieces(&file, 100).expect_err("a byte was flipped");
        let SnapshotError::TrailerMismatch {
            offset: 2048,
            stored,
            computed,
        } = error
        else {
            panic!("expected a mismatch, got {error:?}");
        };
        assert_eq!(stored, file[2048..]);
        assert_eq!(computed, <[u8; 32]>::from(Sha256::digest(&file[..2048])));
    }

    #[test]
    fn lengths_that_no_snapshot_has_are_refused() {
        let file = file_with_trailer(4);
        assert_eq!(digest_in_pieces(&[], 1), Err(SnapshotError::Empty));
        assert_eq!(
            digest_in_pieces(&file[..32], 7),
            Err(SnapshotError::TooShort { len: 32 })
        );
        assert_eq!(
            digest_in_pieces(&file[..544], 7),
            Err(SnapshotError::TooShort { len: 544 })
        );
        assert_eq!(
            digest_in_pieces(&file[..2079], 7),
            Err(SnapshotError::Length { len: 2079 })
        );
        assert!(has_trailer(2080) && !has_trailer(2048) && !has_trailer(2079));
    }
}
