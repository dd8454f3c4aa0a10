//! A snapshot opened for reading: read-only, decompressed, with its trailer compared.
//!
//! An uncompressed file is read in place and never written to. All other sources go into a [`Scratch`] file. Memory use is at
//! most a few MiB. The pages are not checked yet; [`Image::check`] does that.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Seek as _, Write as _},
    os::unix::fs::FileExt as _,
};

use strongroom_etcd_format::{
    bolt::{CheckReport, PageSource},
    inspect::{InspectError, Inspection},
};

use crate::{
    intake::{self, BLOCK_BYTES, IntakeError, Taken, UNPACKED_BYTES_MAX},
    packing::{Kind, MAGIC_BYTES},
    pages::{FilePages, Stop},
    scratch::{Scratch, ScratchError},
};

/// A decompressed snapshot. [`Image::taken`] has the state of its trailer.
#[derive(Debug)]
pub struct Image<S> {
    pages: FilePages<S>,
    taken: Taken,
}

/// Why a snapshot cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It is missing, not readable, or not a snapshot.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// There is no space for the decompressed snapshot.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The caller stopped it.
    #[error("stopped")]
    Stopped,
}

impl<S: Stop> Image<S> {
    /// Opens a file, in place if it is not compressed.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn open(
        mut file: File,
        name: &str,
        scratch: &Scratch,
        stop: S,
    ) -> Result<Self, ImageError> {
        let failed = |source| IntakeError::Read { offset: 0, source };
        let mut first = [0; MAGIC_BYTES];
        let len = read_up_to(&file, &mut first).map_err(failed)?;
        let kind = Kind::of(first.get(..len).unwrap_or_default(), name);
        // The caller may have written it and left its position anywhere.
        file.rewind().map_err(failed)?;
        let stored = file.try_clone().map_err(failed)?;
        let stored = BufReader::with_capacity(BLOCK_BYTES, stored);
        if let Kind::Packed(_) = kind {
            return Self::unpack(stored, name, scratch, stop);
        }
        let taken = intake::take(stored, name, UNPACKED_BYTES_MAX, |_| go_on(&stop))?;
        Ok(Self::of(file, taken, stop))
    }

    /// Decompresses all of `stored` into a scratch file.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn unpack(
        stored: impl BufRead,
        name: &str,
        scratch: &Scratch,
        stop: S,
    ) -> Result<Self, ImageError> {
        let mut file = scratch.file()?;
        let taken = intake::take(stored, name, UNPACKED_BYTES_MAX, |block| {
            go_on(&stop)?;
            file.write_all(block)
                .map_err(|source| scratch.failed("write to", source))?;
            Ok::<(), ImageError>(())
        })?;
        Ok(Self::of(file, taken, stop))
    }

    fn of(file: File, taken: Taken, stop: S) -> Self {
        Self {
            pages: FilePages::new(file, taken.file_len, stop),
            taken,
        }
    }

    /// Its compression, length, digest and trailer.
    pub fn taken(&self) -> &Taken {
        &self.taken
    }

    /// Walks every page and decodes every record.
    ///
    /// # Errors
    /// As [`FilePages::check`].
    pub fn check(&self) -> Result<(CheckReport, Inspection), InspectError> {
        self.pages.check(self.taken.db_len)
    }
}

impl<S: Stop> PageSource for Image<S> {
    fn len(&self) -> u64 {
        self.pages.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.pages.read_at(offset, buf)
    }
}

fn go_on(stop: &impl Stop) -> Result<(), ImageError> {
    if stop.is_raised() {
        return Err(ImageError::Stopped);
    }
    Ok(())
}

/// Fills `buf`, or less if the file is shorter.
fn read_up_to(file: &File, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, u64::try_from(filled).unwrap_or(u64::MAX)) {
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
