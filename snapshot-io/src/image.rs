//! A snapshot that can be looked into: read-only, unpacked, with its trailer compared.
//!
//! A file that is not packed is read in place and never written to; all else goes into a [`Scratch`] file. Memory stays
//! below a few MiB. The pages have yet to be checked, by [`Image::check`].

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

/// An unpacked snapshot. The state of its trailer is in [`Image::taken`].
#[derive(Debug)]
pub struct Image<S> {
    pages: FilePages<S>,
    taken: Taken,
}

/// Why a snapshot cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It is not at hand, not readable, or no snapshot.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// There is no room for it unpacked.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// Nobody wants it any more.
    #[error("stopped")]
    Stopped,
}

impl<S: Stop> Image<S> {
    /// Opens a file: in place where it is not packed.
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

    /// Unpacks all of `stored` into a scratch file.
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

    /// Its packing, length, digest and trailer.
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

/// Fills as much of `buf` as the file has.
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
