//! The pages of a part file, read back for a check of the whole database.
//!
//! They were written a moment ago, so they come from the page cache: about 0.3 s for 400 MB. Memory: one page, a bit per
//! page and a few bytes per live key.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Weak;

use strongroom_etcd_format::bolt::{Bolt, PageSource};
use strongroom_etcd_format::inspect::{self, InspectError};

/// A file whose pages are read as long as somebody waits for them.
pub(super) struct FilePages {
    file: File,
    len: u64,
    wanted: Weak<()>,
}

impl FilePages {
    pub(super) fn new(file: &File, wanted: Weak<()>) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let file = file.try_clone()?;
        Ok(Self { file, len, wanted })
    }

    /// Every page and every record.
    pub(super) fn check(&self, db_len: u64) -> Result<(), InspectError> {
        let bolt = Bolt::open(self, db_len)?;
        inspect::check_and_inspect(&bolt).map(|_| ())
    }
}

impl PageSource for FilePages {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if self.wanted.strong_count() == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.file.read_exact_at(buf, offset)
    }
}
