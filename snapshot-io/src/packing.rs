//! How snapshots are packed by their writers, told by their first bytes and never by their names.
//!
//! etcdbrctl writes gzip and zlib, scripts write gzip and zstd. A bolt database begins with eight zero bytes (the number of
//! page 0), so no packed file can be taken for one. Must not know where the bytes come from.

use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

/// The longest of the magics.
pub const MAGIC_BYTES: usize = 8;
/// zstd's own default: a frame that wants a larger window was not made for streaming.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// How a snapshot is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// gzip, of one or several members.
    Gzip,
    /// zlib.
    Zlib,
    /// Zstandard.
    Zstd,
}

impl fmt::Display for Packing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        })
    }
}

/// How else snapshots are found packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignPacking {
    /// k3s writes these.
    Zip,
    /// etcdbrctl's `.Z`.
    Lzw,
    /// Encrypted by age, as talos-backup does.
    Age,
}

impl fmt::Display for ForeignPacking {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Zip => "a zip archive",
            Self::Lzw => "packed by compress (LZW)",
            Self::Age => "encrypted by age",
        })
    }
}

/// Tells a packing by a file's first [`MAGIC_BYTES`] (or all of it, if it is shorter).
///
/// # Errors
/// One that is known and cannot be unpacked here.
pub fn sniff(first: &[u8]) -> Result<Packing, ForeignPacking> {
    match first {
        [0x1f, 0x8b, ..] => Ok(Packing::Gzip),
        [0x1f, 0x9d, ..] => Err(ForeignPacking::Lzw),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Packing::Zstd),
        [b'P', b'K', 3, 4, ..] => Err(ForeignPacking::Zip),
        _ if first.starts_with(b"age-encr") => Err(ForeignPacking::Age),
        // RFC 1950: method 8 with a window of at most 32 KiB, and a header that 31 divides.
        [
            method @ (0x08 | 0x18 | 0x28 | 0x38 | 0x48 | 0x58 | 0x68 | 0x78),
            flags,
            ..,
        ] if (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0 => Ok(Packing::Zlib),
        _ => Ok(Packing::None),
    }
}

/// Unpacks while it is read; bytes that are not packed pass through.
///
/// # Errors
/// The decoder cannot be made (memory).
pub fn reader<'r>(packing: Packing, packed: impl BufRead + 'r) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match packing {
        Packing::None => Box::new(packed),
        Packing::Gzip => Box::new(MultiGzDecoder::new(packed)),
        Packing::Zlib => Box::new(ZlibDecoder::new(packed)),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    })
}
