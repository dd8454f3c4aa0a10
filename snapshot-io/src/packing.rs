//! The compression of snapshots, detected by their first bytes.
//!
//! etcdbrctl writes gzip and zlib, scripts write gzip and zstd. A bolt database starts with eight zero bytes (the number of
//! page 0), so a compressed file cannot be mistaken for one. Must not know the source of the bytes.

use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

/// Length of the longest magic number.
pub const MAGIC_BYTES: usize = 8;
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
}

impl fmt::Display for Compression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        })
    }
}

/// An unsupported compression or encryption of snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsupportedFormat {
    /// Written by k3s.
    Zip,
    /// etcdbrctl's `.Z`.
    Lzw,
    /// Encrypted with age, as by talos-backup.
    Age,
}

impl fmt::Display for UnsupportedFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Zip => "a zip archive",
            Self::Lzw => "packed by compress (LZW)",
            Self::Age => "encrypted by age",
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
    /// bytes do not decide, because people rename files: etcdbrctl's LZW has no magic number but the suffix `.Z`. An empty name
    /// has no effect.
    pub fn of(first: &[u8], name: &str) -> Self {
        match first {
            [0, 0, 0, 0, 0, 0, 0, 0, ..] => Self::Database,
            [0x1f, 0x8b, ..] => Self::Packed(Compression::Gzip),
            [0x1f, 0x9d, ..] => Self::Foreign(UnsupportedFormat::Lzw),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Packed(Compression::Zstd),
            [b'P', b'K', 3, 4, ..] => Self::Foreign(UnsupportedFormat::Zip),
            _ if first.starts_with(b"age-encr") => Self::Foreign(UnsupportedFormat::Age),
            // RFC 1950: method 8, a window of at most 32 KiB, and a header divisible by 31.
            [
                method @ (0x08 | 0x18 | 0x28 | 0x38 | 0x48 | 0x58 | 0x68 | 0x78),
                flags,
                ..,
            ] if (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0 => {
                Self::Packed(Compression::Zlib)
            }
            _ if name.strip_suffix(".Z").is_some() => Self::Foreign(UnsupportedFormat::Lzw),
            _ => Self::Unknown,
        }
    }
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
            (b"\x1f\x9d\x90", "", Kind::Foreign(UnsupportedFormat::Lzw)),
            (b"\x28\xb5\x2f\xfd", "", Kind::Packed(Compression::Zstd)),
            (b"\x78\x9c\x00", "x.Z", Kind::Packed(Compression::Zlib)),
            (b"\x78\x9d\x00", "", Kind::Unknown),
            (b"PK\x03\x04", "", Kind::Foreign(UnsupportedFormat::Zip)),
            (
                b"age-encryption.org",
                "",
                Kind::Foreign(UnsupportedFormat::Age),
            ),
            (
                b"\x00\x01\x02\x10\x48",
                "Full-1-2-3.Z",
                Kind::Foreign(UnsupportedFormat::Lzw),
            ),
            (b"\x00\x01\x02\x10\x48", "", Kind::Unknown),
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
