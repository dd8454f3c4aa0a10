//! Reads a database file page by page.
//!
//! Each read first checks for a stop request, so a walk over gigabytes ends within one page. Memory does not grow with the file.
//! Must not know the origin of the file.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use strongroom_etcd_format::{
    bolt::{Bolt, CheckReport, PageSource},
    inspect::{self, InspectError, Inspection},
};

/// A stop request for a walk over pages.
pub trait Stop {
    /// Whether the walk should stop.
    fn is_raised(&self) -> bool;
}

/// Never stops.
#[derive(Debug, Clone, Copy)]
pub struct NeverStop;

impl Stop for NeverStop {
    fn is_raised(&self) -> bool {
        false
    }
}

/// A file as pages.
#[derive(Debug)]
pub struct FilePages<S> {
    file: File,
    len: u64,
    stop: S,
}

impl<S: Stop> FilePages<S> {
    /// The file's first `len` bytes.
    pub fn new(file: File, len: u64, stop: S) -> Self {
        Self { file, len, stop }
    }

    /// Walks every page and decodes every record of the database in the first `db_len` bytes.
    ///
    /// # Errors
    /// The damage and its position. A failed or stopped read gives [`BoltError::Read`], a stopped one with the kind
    /// `Interrupted`.
    ///
    /// [`BoltError::Read`]: strongroom_etcd_format::bolt::BoltError::Read
    pub fn check(&self, db_len: u64) -> Result<(CheckReport, Inspection), InspectError> {
        let bolt = Bolt::open(self, db_len)?;
        inspect::check_and_inspect(&bolt)
    }

    /// The file with the pages.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The stop request.
    pub fn stop(&self) -> &S {
        &self.stop
    }

    /// Sets the new length after the caller has changed the file.
    pub fn set_len(&mut self, len: u64) {
        self.len = len;
    }
}

impl<S: Stop> PageSource for FilePages<S> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if self.stop.is_raised() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.file.read_exact_at(buf, offset)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, io::Write as _};

    use strongroom_etcd_format::bolt::BoltError;

    use super::*;

    /// Stops after it was checked so many times.
    struct After(Cell<u32>);

    impl Stop for After {
        fn is_raised(&self) -> bool {
            self.0.replace(self.0.get().saturating_sub(1)) == 0
        }
    }

    const SNAPSHOT: &[u8] = include_bytes!("../../etcd-format/tests/fixtures/etcd-3.4.db");
    const DB_LEN: u64 = 118_784;

    fn pages<S: Stop>(stop: S) -> FilePages<S> {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(SNAPSHOT).expect("written");
        FilePages::new(file, DB_LEN, stop)
    }

    #[test]
    fn a_check_reads_it_all_unless_it_is_stopped() {
        let (report, _) = pages(NeverStop).check(DB_LEN).expect("it is whole");
        assert!(report.pages_reachable > 10);
        for reads in [0, 1, 10] {
            let error = pages(After(Cell::new(reads))).check(DB_LEN);
            let stopped = |error: &InspectError| match error {
                InspectError::Bolt(BoltError::Read { source, .. }) => {
                    source.kind() == io::ErrorKind::Interrupted
                }
                _ => false,
            };
            assert!(error.as_ref().is_err_and(stopped), "{error:?}");
        }
    }
}
