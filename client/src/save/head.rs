//! A check of a stream's first bytes, once its length is known: whether a bolt database begins there, and whether all of
//! its pages came.
//!
//! An upload cannot be read back before it becomes visible, so this is all that it is checked for beside length and
//! trailer. The pages behind are not looked at.

use std::io;

use strongroom_etcd_format::bolt::{Bolt, BoltError, PageSource};

/// Both meta pages for every page size that machines have: the second begins at 64 KiB at the latest.
const HEAD_BYTES: usize = 128 * 1024;

/// The first bytes.
#[derive(Debug, Default)]
pub(super) struct Head {
    bytes: Vec<u8>,
}

impl Head {
    /// Takes the next bytes of the stream.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES.saturating_sub(self.bytes.len()).min(bytes.len());
        let (kept, _) = bytes.split_at(room);
        self.bytes.extend_from_slice(kept);
    }

    /// The metas, and that their pages fit into `db_len` bytes.
    pub(super) fn check(&self, db_len: u64) -> Result<(), BoltError> {
        let stream = Stream {
            head: &self.bytes,
            len: db_len,
        };
        Bolt::open(stream, db_len).map(|_| ())
    }
}

/// The database as far as it was kept: zeros behind that, which are no meta page.
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
