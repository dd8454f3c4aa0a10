//! The objects' contents: bytes generated from a token and an offset, so that they need not be stored.
//!
//! Every second block of 4 KiB repeats a pattern and compresses with any codec; the others do not compress. Each word
//! depends on its position, so a block served at another position, or for another object, is detected.

use std::fmt;
use std::str::FromStr;

use md5::{Digest, Md5};

/// Bytes generated or compared at once.
pub const PIECE_BYTES: usize = 256 * 1024;

/// Words per block of 4 KiB.
const BLOCK_WORDS: u64 = 512;

/// Identifies one version of one object: its content, and its user metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Token {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Token)
    }
}

/// Fills `out` with the bytes from `offset` on.
pub fn fill(token: Token, offset: u64, out: &mut [u8]) {
    let skip = usize::try_from(offset % 8).expect("below 8");
    let head = if skip == 0 {
        0
    } else {
        out.len().min(8 - skip)
    };
    let (first, rest) = out.split_at_mut(head);
    let bytes = word(token, offset / 8).to_le_bytes();
    first.copy_from_slice(&bytes[skip..skip + head]);
    for (at, chunk) in (offset.div_ceil(8)..).zip(rest.chunks_mut(8)) {
        let bytes = word(token, at).to_le_bytes();
        chunk.copy_from_slice(&bytes[..chunk.len()]);
    }
}

/// The position where `seen`, served from `offset`, first differs from the expected bytes.
pub fn difference(token: Token, offset: u64, seen: &[u8]) -> Option<u64> {
    let mut meant = vec![0; seen.len()];
    fill(token, offset, &mut meant);
    if meant == seen {
        return None;
    }
    let at = meant.iter().zip(seen).position(|(a, b)| a != b)?;
    Some(offset + u64::try_from(at).expect("a length"))
}

/// MD5 of the bytes `from..from + len`.
pub fn md5(token: Token, from: u64, len: u64) -> [u8; 16] {
    let mut hash = Md5::new();
    pieces(from, len, |at, bytes| {
        let mut piece = vec![0; bytes];
        fill(token, at, &mut piece);
        hash.update(&piece);
        true
    });
    hash.finalize().into()
}

/// MD5 of other bytes.
pub fn md5_of(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// Calls `each` with offset and length of each piece, as long as it returns true.
pub(super) fn pieces(from: u64, len: u64, mut each: impl FnMut(u64, usize) -> bool) {
    let mut at = from;
    while at < from + len {
        let left = usize::try_from(from + len - at).unwrap_or(usize::MAX);
        let bytes = left.min(PIECE_BYTES);
        if !each(at, bytes) {
            return;
        }
        at += u64::try_from(bytes).expect("a length");
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

fn word(token: Token, index: u64) -> u64 {
    let block = index / BLOCK_WORDS;
    if block.is_multiple_of(2) {
        let turn = u32::try_from(index % 8).expect("below 8");
        mixed(token.0 ^ mixed(block)).rotate_left(8 * turn)
    } else {
        mixed(
            token
                .0
                .wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        )
    }
}

/// The finisher of SplitMix64.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_follow_from_token_and_offset_however_they_are_cut() {
        let token = Token(7);
        let mut whole = vec![0; 20_000];
        fill(token, 0, &mut whole);
        for (from, len) in [(0, 20_000), (1, 3), (5, 9), (4_090, 12_001), (19_999, 1)] {
            let mut part = vec![0; len];
            fill(token, u64::try_from(from).expect("small"), &mut part);
            assert_eq!(part, whole[from..from + len], "{from}+{len}");
        }
        assert_eq!(difference(token, 3, &whole[3..]), None);
        whole[9_000] ^= 1;
        assert_eq!(difference(token, 3, &whole[3..]), Some(9_000));
        assert!(difference(Token(8), 0, &whole).is_some());
    }
}
