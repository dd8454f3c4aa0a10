//! Checks the first bytes of a stream after its length is known: they must be the start of a bolt database, and none of its
//! pages may be missing.
//!
//! An upload cannot be read back before it becomes visible. So apart from length and trailer, this is its only check. The other
//! pages are not checked.

use std::io;

use strongroom_etcd_format::bolt::{Bolt, BoltError, PageSource};

/// Enough for both meta pages with every page size in use: the second starts at 64 KiB at the latest.
const HEAD_BYTES: usize = 128 * 1024;

/// The first bytes.
#[derive(Debug, Default)]
pub(super) struct Head {
    bytes: Vec<u8>,
}

impl Head {
    /// Adds the next bytes of the stream.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES.saturating_sub(self.bytes.len()).min(bytes.len());
        let (kept, _) = bytes.split_at(room);
        self.bytes.extend_from_slice(kept);
    }

    /// Checks the metas, and that their pages fit into `db_len` bytes.
    pub(super) fn check(&self, db_len: u64) -> Result<(), BoltError> {
        let stream = Stream {
            head: &self.bytes,
            len: db_len,
        };
        Bolt::open(stream, db_len).map(|_| ())
    }
}

/// The kept start of the database, followed by zeros, which are not a valid meta page.
struct Stream<'h> {
    head: &'h [u8],
    len: u64,
}

impl PageSource for Stream<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let kept = self.head.get(at..).unwrap_or_default();
        let known = kept.len().min(buf.len());
        let (front, back) = buf.split_at_mut(known);
        front.copy_from_slice(kept.get(..known).unwrap_or_default());
        back.fill(0);
        Ok(())
    }
}
