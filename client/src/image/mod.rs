//! Opens a snapshot for inspection: a file, or an object that is downloaded first.
//!
//! An uncompressed file is read in place and never written to. Everything else goes into an unnamed file, which the kernel
//! removes when the process ends. A trailer that does not match is an error; a missing one is not.

mod error;
mod fetch;

use std::{fs::File, io, path::Path};

use strongroom_etcd_format::bolt::PageSource;
use strongroom_snapshot_io::{
    image::Image as Unpacked, intake::Taken, pages::NeverStop, scratch::Scratch,
};

pub use error::ImageError;

use crate::s3::S3Client;
use crate::uri::S3Uri;

/// A decompressed snapshot. Its trailer matches or is missing.
#[derive(Debug)]
pub struct Image {
    unpacked: Unpacked<NeverStop>,
    name: String,
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

    /// Downloads the object at `uri`: the key is the complete path.
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
        // People rename files, so only the bytes decide the kind.
        let unpacked = match Unpacked::open(file, "", scratch, NeverStop) {
            Ok(unpacked) => unpacked,
            Err(error) => return Err(ImageError::of(name, error)),
        };
        match unpacked.taken().unaltered() {
            Ok(_) => Ok(Self { unpacked, name }),
            Err(altered) => Err(ImageError::Snapshot {
                name,
                source: altered.into(),
            }),
        }
    }

    /// Its name for messages: a path or an `s3://` address.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its compression, length, digest and trailer.
    pub fn taken(&self) -> &Taken {
        self.unpacked.taken()
    }
}

impl PageSource for Image {
    fn len(&self) -> u64 {
        self.unpacked.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.unpacked.read_at(offset, buf)
    }
}

#[cfg(test)]
mod tests;
