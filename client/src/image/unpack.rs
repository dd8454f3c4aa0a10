//! Snapshots that their writers compressed, told by their first bytes and never by their names.
//!
//! etcdbrctl writes gzip and zlib, scripts write gzip and zstd. A bolt database begins with eight zero bytes (the number of
//! page 0), so no packed file can be taken for one.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};

use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::error::ImageError;
use super::scratch::Scratch;
use super::{BLOCK_BYTES, ImageError as Error};

/// etcd advises at most 8 GiB; this leaves room for eight times that, and ends a decompression bomb.
pub(super) const UNPACKED_BYTES_MAX: u64 = 64 << 30;
/// The longest of the magics.
pub(super) const MAGIC_BYTES: usize = 8;
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

pub(super) fn sniff(first: &[u8]) -> Result<Packing, ForeignPacking> {
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

/// Unpacks the whole file into a temporary one.
pub(super) fn into_scratch(
    packing: Packing,
    packed: File,
    name: &str,
    scratch: &Scratch,
) -> Result<File, ImageError> {
    let broken = |unpacked, source| Error::Unpack {
        name: name.to_owned(),
        packing,
        unpacked,
        source,
    };
    let mut stream = decoder(packing, packed).map_err(|source| broken(0, source))?;
    let mut out = scratch.file()?;
    let mut block = vec![0; BLOCK_BYTES];
    let mut unpacked = 0_u64;
    loop {
        let len = match stream.read(&mut block) {
            Ok(0) => return Ok(out),
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(unpacked, error)),
        };
        out.write_all(block.get(..len).unwrap_or_default())
            .map_err(|source| scratch.failed("write to", source))?;
        unpacked = unpacked.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        if unpacked > UNPACKED_BYTES_MAX {
            return Err(Error::TooLarge {
                name: name.to_owned(),
            });
        }
    }
}

/// The caller's file has been read by position only: it still stands at its beginning, unless it was written before.
fn decoder(packing: Packing, mut packed: File) -> io::Result<Box<dyn Read>> {
    io::Seek::rewind(&mut packed)?;
    let packed = BufReader::with_capacity(BLOCK_BYTES, packed);
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
