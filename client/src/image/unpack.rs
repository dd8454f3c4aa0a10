//! A packed snapshot into a temporary file.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Write as _};

use strongroom_snapshot_io::packing::{self, Packing};

use super::error::ImageError;
use super::scratch::Scratch;
use super::{BLOCK_BYTES, ImageError as Error};

/// etcd advises at most 8 GiB; this leaves room for eight times that, and ends a decompression bomb.
pub(super) const UNPACKED_BYTES_MAX: u64 = 64 << 30;

/// Unpacks the whole file into a temporary one.
pub(super) fn into_scratch(
    packing: Packing,
    mut packed: File,
    name: &str,
    scratch: &Scratch,
) -> Result<File, ImageError> {
    let broken = |unpacked, source| Error::Unpack {
        name: name.to_owned(),
        packing,
        unpacked,
        source,
    };
    // The caller's file has been read by position only, but may have been written before.
    let mut stream = io::Seek::rewind(&mut packed)
        .map(|()| BufReader::with_capacity(BLOCK_BYTES, packed))
        .and_then(|packed| packing::reader(packing, packed))
        .map_err(|source| broken(0, source))?;
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
