//! The source of the reader's bytes.
//!
//! Owns: the only interface between the formats and any file, memory or store. Must not know what the bytes mean.

use std::io;

use crate::width::{u64_of, usize_of};

/// Random access to an immutable image.
pub trait PageSource {
    /// Length of the image in bytes.
    fn len(&self) -> u64;

    /// Whether the image is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` with the bytes at `offset`.
    ///
    /// # Errors
    /// Not all bytes can be read; a range beyond [`PageSource::len`] gives `UnexpectedEof`.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
}

impl PageSource for [u8] {
    fn len(&self) -> u64 {
        u64_of(<[u8]>::len(self))
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bytes = usize_of(offset)
            .and_then(|start| self.get(start..))
            .and_then(|rest| rest.get(..buf.len()))
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

impl PageSource for Vec<u8> {
    fn len(&self) -> u64 {
        PageSource::len(self.as_slice())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_at(offset, buf)
    }
}

impl<T: PageSource + ?Sized> PageSource for &T {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buf)
    }
}
