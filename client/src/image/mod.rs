//! A snapshot at hand for looking into it, wherever it lies: read-only, unpacked, with its trailer compared.
//!
//! Owns: opening a file, fetching an object, unpacking either, and the digest over all of it. Must not know what is in the
//! database. Invariants: a file that is not packed is read in place and never written to; everything else goes into a file
//! without a name, readable by the owner only, that the kernel removes with the process; memory stays below a few MiB.

mod error;
mod fetch;
mod scratch;
mod unpack;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use strongroom_etcd_format::bolt::PageSource;
use strongroom_etcd_format::snapshot::{StreamDigest, StreamSummary};
use strongroom_snapshot_io::packing::{self, Packing};

pub use error::ImageError;
pub use scratch::Scratch;

use crate::s3::S3Client;
use crate::uri::S3Uri;

/// Sequential reads of this size cost nothing beside the hash over them.
const BLOCK_BYTES: usize = 1024 * 1024;

/// An unpacked snapshot whose trailer, where it has one, matches.
#[derive(Debug)]
pub struct Image {
    file: File,
    name: String,
    packing: Packing,
    summary: StreamSummary,
}

impl Image {
    /// Opens a file.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn open(path: &Path, scratch: &Scratch) -> Result<Self, ImageError> {
        let name = path.display().to_string();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((found, file)) if found.is_file() => Self::unpacked(file, name, scratch),
            Ok(_) => Err(ImageError::NotAFile { name }),
            Err(source) => Err(ImageError::Open { name, source }),
        }
    }

    /// Fetches the object whose key is the whole path of `uri`.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub async fn fetch(
        client: &S3Client,
        uri: &S3Uri,
        scratch: &Scratch,
    ) -> Result<Self, ImageError> {
        let file = fetch::into_scratch(client, uri, scratch).await?;
        let (name, scratch) = (uri.to_string(), scratch.clone());
        let unpacked =
            tokio::task::spawn_blocking(move || Self::unpacked(file, name, &scratch)).await;
        unpacked.expect("unpacking does not panic")
    }

    fn unpacked(file: File, name: String, scratch: &Scratch) -> Result<Self, ImageError> {
        let mut first = [0; packing::MAGIC_BYTES];
        let len = read_up_to(&file, 0, &mut first).map_err(|source| ImageError::Read {
            name: name.clone(),
            offset: 0,
            source,
        })?;
        let packing = match packing::sniff(first.get(..len).unwrap_or_default()) {
            Ok(packing) => packing,
            Err(packing) => return Err(ImageError::Foreign { name, packing }),
        };
        let file = match packing {
            Packing::None => file,
            packed => unpack::into_scratch(packed, file, &name, scratch)?,
        };
        let summary = digest(&file, &name)?;
        Ok(Self {
            file,
            name,
            packing,
            summary,
        })
    }

    /// How people call it: a path or an `s3://` address.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it was packed.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// Its length, digest and trailer.
    pub fn summary(&self) -> &StreamSummary {
        &self.summary
    }
}

impl PageSource for Image {
    fn len(&self) -> u64 {
        self.summary.file_len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }
}

fn digest(file: &File, name: &str) -> Result<StreamSummary, ImageError> {
    let mut digest = StreamDigest::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let offset = digest.file_len();
        let len = read_up_to(file, offset, &mut block).map_err(|source| ImageError::Read {
            name: name.to_owned(),
            offset,
            source,
        })?;
        if len == 0 {
            break;
        }
        digest.update(block.get(..len).unwrap_or_default());
    }
    digest.finish().map_err(|source| ImageError::Snapshot {
        name: name.to_owned(),
        source,
    })
}

/// Fills as much of `buf` as the file has from `offset` on.
fn read_up_to(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
