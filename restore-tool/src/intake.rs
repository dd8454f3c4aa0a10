//! The snapshot's way to disk: compressed or not (told by its first bytes, never by its name), hashed while it is
//! written, and stopped before the disk is full.
//!
//! A push interface, so that a file and an HTTP body feed it alike. Memory: what the caller pushes (at most 1 MiB at a
//! time) and one inflate window. It trusts nothing: what comes out is a file that [`crate::image`] has yet to check.

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

use flate2::write::MultiGzDecoder;
use strongroom_etcd_format::snapshot::{StreamDigest, StreamSummary, Trailer};

use crate::{
    error::{Damage, RestoreError, TargetError},
    interrupt::Interrupt,
    space,
};

/// Free space is looked at again each time this much was written; a gzip file does not tell its size beforehand.
const SPACE_CHECK_BYTES: u64 = 32 * 1024 * 1024;
/// The longest of the known magics.
const MAGIC_BYTES_MAX: usize = 4;

/// How the snapshot was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Raw,
    Gzip,
}

/// Formats that other writers use and this program does not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignPacking {
    /// etcdbrctl's `.zlib`.
    Zlib,
    /// Zstandard.
    Zstd,
    /// A zip archive.
    Zip,
    /// An age-encrypted file.
    Age,
}

/// Where pushed bytes go.
pub(crate) struct Intake(State);

enum State {
    /// Fewer bytes than a magic has.
    Sniffing(Vec<u8>, Box<Sink>),
    Raw(Box<Sink>),
    Gzip(Box<MultiGzDecoder<Sink>>),
    /// Only between taking a state and putting the next one.
    Taken,
}

/// A snapshot that is on disk, trailer checked.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) packing: Packing,
    pub(crate) summary: StreamSummary,
}

impl Intake {
    pub(crate) fn new(file: File, path: PathBuf, interrupt: Interrupt) -> Self {
        let sink = Sink {
            file,
            path,
            interrupt,
            digest: StreamDigest::new(),
            written: 0,
            unchecked: 0,
            failed: None,
        };
        Self(State::Sniffing(
            Vec::with_capacity(MAGIC_BYTES_MAX),
            Box::new(sink),
        ))
    }

    /// Takes the next bytes of the stored form.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        self.0 = match std::mem::replace(&mut self.0, State::Taken) {
            State::Sniffing(mut head, sink) => {
                head.extend_from_slice(bytes);
                if head.len() < MAGIC_BYTES_MAX {
                    State::Sniffing(head, sink)
                } else {
                    unpack(&head, *sink)?
                }
            }
            mut open => {
                open.feed(bytes)?;
                open
            }
        };
        Ok(())
    }

    /// The stored form has ended.
    pub(crate) fn finish(self) -> Result<Taken, RestoreError> {
        let state = match self.0 {
            State::Sniffing(head, sink) => unpack(&head, *sink)?,
            open => open,
        };
        let (packing, sink) = match state {
            State::Raw(sink) => (Packing::Raw, *sink),
            State::Gzip(mut decoder) => match decoder.try_finish() {
                Ok(()) => {
                    let sink = decoder.finish().map_err(|source| Damage::Gzip {
                        unpacked: 0,
                        source,
                    })?;
                    (Packing::Gzip, sink)
                }
                Err(error) => return Err(decoder.get_mut().explain(error)),
            },
            State::Sniffing(..) | State::Taken => {
                unreachable!("unpack returns an open state and finish consumes it")
            }
        };
        let summary = sink.digest.finish().map_err(Damage::Snapshot)?;
        match summary.trailer {
            Trailer::Matches => Ok(Taken { packing, summary }),
            Trailer::Missing => Err(Damage::NoTrailer {
                len: summary.file_len,
            }
            .into()),
        }
    }
}

impl State {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        match self {
            Self::Raw(sink) => sink.write_all(bytes).map_err(|error| sink.explain(error)),
            Self::Gzip(decoder) => match decoder.write_all(bytes) {
                Ok(()) => Ok(()),
                Err(error) => Err(decoder.get_mut().explain(error)),
            },
            Self::Sniffing(..) | Self::Taken => unreachable!("push handles the other states"),
        }
    }
}

fn unpack(head: &[u8], sink: Sink) -> Result<State, RestoreError> {
    if let Some(packing) = foreign(head) {
        return Err(RestoreError::ForeignPacking { packing });
    }
    let mut state = match head {
        [0x1f, 0x8b, ..] => State::Gzip(Box::new(MultiGzDecoder::new(sink))),
        _ => State::Raw(Box::new(sink)),
    };
    state.feed(head)?;
    Ok(state)
}

/// A bolt file starts with page id 0, eight zero bytes, so none of these can be one.
fn foreign(head: &[u8]) -> Option<ForeignPacking> {
    match head {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(ForeignPacking::Zstd),
        [b'P', b'K', 3, 4, ..] => Some(ForeignPacking::Zip),
        [b'a', b'g', b'e', b'-', ..] => Some(ForeignPacking::Age),
        // RFC 1950: deflate with a 32 KiB window, and the two bytes are a multiple of 31.
        [0x78, flags, ..] if (0x7800 + u16::from(*flags)) % 31 == 0 => Some(ForeignPacking::Zlib),
        _ => None,
    }
}

/// The file under construction.
struct Sink {
    file: File,
    path: PathBuf,
    interrupt: Interrupt,
    digest: StreamDigest,
    written: u64,
    /// Bytes since the free space was last looked at.
    unchecked: u64,
    /// Why a write was refused; an `io::Error` cannot carry it through the decoder.
    failed: Option<RestoreError>,
}

impl Sink {
    /// The reason behind an error of `write`: ours, or else the decoder's complaint about its input.
    fn explain(&mut self, error: io::Error) -> RestoreError {
        self.failed.take().unwrap_or_else(|| {
            Damage::Gzip {
                unpacked: self.written,
                source: error,
            }
            .into()
        })
    }

    fn accept(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        self.interrupt.check()?;
        self.digest.update(bytes);
        self.file
            .write_all(bytes)
            .map_err(|source| TargetError::io("writing", &self.path, source))?;
        let added = u64::try_from(bytes.len()).expect("a slice's length fits 64 bits");
        self.written += added;
        self.unchecked += added;
        if self.unchecked >= SPACE_CHECK_BYTES {
            self.unchecked = 0;
            space::require(&self.path, 0)?;
        }
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.accept(bytes).map_err(|error| {
            self.failed = Some(error);
            io::Error::other("the sink keeps the reason")
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
