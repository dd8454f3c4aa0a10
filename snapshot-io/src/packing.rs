//! The compression of snapshots, detected by their first bytes.
//!
//! etcdbrctl writes gzip, zlib and Go's LZW, scripts write gzip and zstd. A bolt database starts with eight zero bytes (the number
//! of page 0), so a compressed file cannot be mistaken for one. [`foreign`] names the files that people have instead of a
//! snapshot. Must not know the source of the bytes.

mod foreign;
mod lzw;

use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

pub use foreign::{ForeignFile, UnsupportedFormat};

/// A tar header's magic number ends here; all others are in the first few bytes.
pub const MAGIC_BYTES: usize = foreign::TAR_MAGIC_END;
/// zstd's own default: a frame with a larger window was not made for streaming.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// A supported compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not compressed.
    None,
    /// gzip, with one or several members.
    Gzip,
    /// zlib.
    Zlib,
    /// Zstandard.
    Zstd,
    /// LZW of Go's `compress/lzw` (least significant bit first, 8 bits), as in etcdbrctl's `.Z` files. It has no magic number
    /// and no checksum.
    Lzw,
}

impl fmt::Display for Compression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
            Self::Lzw => "Go's LZW",
        })
    }
}

/// The kind of a file, detected by its first bytes and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It starts like a bolt database.
    Database,
    /// It has a supported compression.
    Packed(Compression),
    /// It is known but not supported.
    Foreign(UnsupportedFormat),
    /// Unknown.
    Unknown,
}

impl Kind {
    /// Detects the kind by a file's first [`MAGIC_BYTES`] (or the whole file, if it is shorter). The name is used only if the
    /// bytes do not decide, because people rename files: etcdbrctl's LZW of anything but a database is recognized by the suffix
    /// `.Z`. An empty name has no effect.
    pub fn of(first: &[u8], name: &str) -> Self {
        match first {
            [0, 0, 0, 0, 0, 0, 0, 0, ..] => Self::Database,
            [0x1f, 0x8b, ..] => Self::Packed(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Packed(Compression::Zstd),
            _ if first.starts_with(&lzw::DATABASE_START) => Self::Packed(Compression::Lzw),
            _ => match foreign::of(first) {
                Some(format) => Self::Foreign(format),
                None if starts_zlib(first) => Self::Packed(Compression::Zlib),
                None if name.strip_suffix(".Z").is_some() => Self::Packed(Compression::Lzw),
                None => Self::Unknown,
            },
        }
    }
}

/// RFC 1950: method 8, a window of at most 32 KiB, and a header divisible by 31.
fn starts_zlib(first: &[u8]) -> bool {
    let [method, flags, ..] = first else {
        return false;
    };
    method & 0x8f == 0x08 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0
}

/// A reader that decompresses; uncompressed bytes pass through.
///
/// # Errors
/// The decoder cannot be created (memory).
pub fn reader<'r>(
    packing: Compression,
    packed: impl BufRead + 'r,
) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match packing {
        Compression::None => Box::new(packed),
        Compression::Gzip => Box::new(MultiGzDecoder::new(packed)),
        Compression::Zlib => Box::new(ZlibDecoder::new(packed)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
        Compression::Lzw => Box::new(lzw::Decoder::new(packed)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_tell_and_the_name_helps_where_they_do_not() {
        let cases = [
            (&[0; 8][..], "x.gz", Kind::Database),
            (b"\x1f\x8b\x08", "x.db", Kind::Packed(Compression::Gzip)),
            (b"\x28\xb5\x2f\xfd", "", Kind::Packed(Compression::Zstd)),
            (b"\x78\x9c\x00", "x.Z", Kind::Packed(Compression::Zlib)),
            (b"\x78\x9d\x00", "", Kind::Unknown),
            // A delta of etcdbrctl: `[` in nine bits after the clear code.
            (b"\x00\xb7\x10", "x.Z", Kind::Packed(Compression::Lzw)),
            (b"\x00\xb7\x10", "", Kind::Unknown),
            (b"\x00\x00\x00", "", Kind::Unknown),
            (b"", "x.gz", Kind::Unknown),
        ];
        for (first, name, kind) in cases {
            assert_eq!(
                Kind::of(first, name),
                kind,
                "{} {name}",
                first.escape_ascii()
            );
        }
    }
}
