//! Writes the snapshot to disk: [`intake`] decompresses and hashes it; written data is synced while more arrives. It stops before
//! the disk is full.
//!
//! The file is not checked yet; [`crate::image`] does that.

use std::{
    fs::File,
    io::{self, BufRead, Write as _},
    path::Path,
};

use strongroom_etcd_format::bolt;
use strongroom_snapshot_io::intake::{self, IntakeError, Taken, Trailer, UNPACKED_BYTES_MAX};

use crate::{
    error::{Damage, RestoreError, SourceError, TargetError},
    interrupt::Interrupt,
    space,
    write_behind::WriteBehind,
};

/// After each of these strides, free space is checked again (the size of a compressed file is not known in advance) and the
/// data is synced.
const STRIDE_BYTES: u64 = 32 * 1024 * 1024;

/// Whether a snapshot needs a matching trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashCheck {
    Required,
    /// For files without a trailer, copied from a data directory.
    Skipped,
}

/// The destination of the bytes.
pub(crate) struct Destination<'a> {
    pub(crate) file: &'a File,
    pub(crate) path: &'a Path,
    pub(crate) behind: &'a WriteBehind,
    pub(crate) interrupt: &'a Interrupt,
}

/// A source's own error, wrapped to pass through a reader, which knows only `io::Error`.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Carried(RestoreError);

/// Wraps an error of the source, so that [`take`] returns it unchanged.
pub(crate) fn wrap_source_error(error: impl Into<RestoreError>) -> io::Error {
    io::Error::other(Carried(error.into()))
}

/// Reads all of `stored`. Errors of the source pass through [`wrap_source_error`].
pub(crate) fn take(
    stored: impl BufRead,
    into: &Destination<'_>,
    check: HashCheck,
) -> Result<Taken, RestoreError> {
    let (mut written, mut next_stride) = (0_u64, STRIDE_BYTES);
    // People rename files, so only the bytes decide the kind.
    let taken = intake::take(stored, "", UNPACKED_BYTES_MAX, |block| {
        into.interrupt.check()?;
        if let (0, Ok(announced @ ..=UNPACKED_BYTES_MAX)) = (written, bolt::announced_len(block)) {
            // A compressed file tells its unpacked size only here. A larger one is damage, which the check will tell.
            space::require(into.path, announced)?;
        }
        let mut file = into.file;
        file.write_all(block)
            .map_err(|source| TargetError::io("writing", into.path, source))?;
        written += u64::try_from(block.len()).expect("a block's length fits 64 bits");
        if written >= next_stride {
            next_stride = written + STRIDE_BYTES;
            into.behind.request_sync();
            space::require(into.path, 0)?;
        }
        Ok::<(), RestoreError>(())
    })?;
    match check {
        HashCheck::Required => Ok(vouched_for(taken)?),
        HashCheck::Skipped => Ok(taken),
    }
}

fn vouched_for(taken: Taken) -> Result<Taken, Damage> {
    let taken = taken.unaltered()?;
    match taken.trailer {
        Trailer::Missing => Err(Damage::NoTrailer {
            len: taken.file_len,
        }),
        Trailer::Matches | Trailer::Differs { .. } => Ok(taken),
    }
}

impl From<IntakeError> for RestoreError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Foreign(file) => Self::Foreign(file),
            IntakeError::NotADatabase(damage) => Damage::from(damage).into(),
            IntakeError::Read { offset, source } => match source.downcast::<Carried>() {
                Ok(Carried(error)) => error,
                Err(source) => SourceError::Read { offset, source }.into(),
            },
            IntakeError::Thread(source) => Self::Start(source),
            IntakeError::Snapshot(damage) => Damage::from(damage).into(),
            damage @ (IntakeError::Unpack { .. } | IntakeError::TooLarge { .. }) => {
                Damage::Unpack(damage).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::interrupt::{self, Interrupted};

    fn take_from(
        source: impl Read,
        interrupt: &Interrupt,
        check: HashCheck,
    ) -> Result<(Taken, Vec<u8>), RestoreError> {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("db");
        let file = File::create_new(&path).expect("new file");
        let behind = WriteBehind::start(&file, &path)?;
        let into = Destination {
            file: &file,
            path: &path,
            behind: &behind,
            interrupt,
        };
        let taken = super::take(BufReader::new(source), &into, check)?;
        Ok((taken, std::fs::read(&path).expect("written")))
    }

    /// A real snapshot, for its meta pages.
    const REAL: &[u8] = include_bytes!("../../etcd-format/tests/fixtures/etcd-3.4.db");

    /// An endless source that raises the interrupt after a few blocks.
    struct Endless(interrupt::Trigger, usize);

    impl Read for Endless {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1 == 100 {
                self.0.raise();
            }
            buf.fill(0);
            Ok(buf.len())
        }
    }

    #[test]
    fn an_interrupt_stops_it_between_two_blocks() {
        let (trigger, interrupt) = interrupt::channel();
        let endless = REAL.chain(Endless(trigger, 0));
        let error = take_from(endless, &interrupt, HashCheck::Required).expect_err("never ends");
        assert!(matches!(error, RestoreError::Interrupted(_)), "{error}");
    }

    #[test]
    fn without_the_check_a_trailer_may_be_missing_or_wrong_and_nothing_else()
    -> Result<(), RestoreError> {
        let mut db = vec![0; 8 * 4096];
        db[..8192].copy_from_slice(&REAL[..8192]);
        let good = [&db[..], &Sha256::digest(&db)].concat();
        let mut altered = good.clone();
        altered[20_000] ^= 1;
        let (_trigger, interrupt) = interrupt::channel();
        let take = |stored: &[u8], check| take_from(stored, &interrupt, check);
        for stored in [&good[..], &db, &altered] {
            let (taken, written) = take(stored, HashCheck::Skipped)?;
            assert_eq!((taken.db_len, written.as_slice()), (32_768, stored));
        }
        take(&good, HashCheck::Required)?;
        let damage = |stored: &[u8], check| match take(stored, check).expect_err("damaged") {
            RestoreError::Damage(damage) => damage,
            other => panic!("{other}"),
        };
        assert!(matches!(
            damage(&db, HashCheck::Required),
            Damage::NoTrailer { len: 32_768 }
        ));
        for (stored, check) in [
            (&altered[..], HashCheck::Required),
            (&good[..20_001], HashCheck::Required),
            (&good[..20_001], HashCheck::Skipped),
            (&[], HashCheck::Skipped),
        ] {
            assert!(matches!(damage(stored, check), Damage::Snapshot(_)));
        }
        Ok(())
    }

    #[test]
    fn a_sources_own_failure_comes_out_as_it_went_in() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(wrap_source_error(Interrupted))
            }
        }
        let (_trigger, interrupt) = interrupt::channel();
        let error = take_from(Failing, &interrupt, HashCheck::Required).expect_err("failed");
        assert!(matches!(error, RestoreError::Interrupted(_)), "{error}");
    }
}
