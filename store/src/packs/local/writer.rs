//! The writer of a pack that belongs to one body.

use std::sync::Arc;

use bytes::Bytes;

use super::{Files, OpenPack};
use crate::packs::format::segment::SegmentLayout;
use crate::packs::{EncodedFrame, Finished, Origin, PIECE_BYTES_MAX, PackWriter};
use crate::{PackId, StoreError};

/// One body's own pack.
pub(super) struct FileWriter {
    files: Arc<Files>,
    open: OpenPack,
    layout: SegmentLayout,
    failed: bool,
}

impl FileWriter {
    /// Writes from the end of `open`, which already has its header.
    pub(super) fn new(files: Arc<Files>, open: OpenPack, layout: SegmentLayout) -> FileWriter {
        FileWriter {
            files,
            open,
            layout,
            failed: false,
        }
    }

    fn write(&mut self, bytes: &[Bytes]) -> Result<(), StoreError> {
        // Set before and cleared after: a writer that failed once must not leave a gap.
        if std::mem::replace(&mut self.failed, true) {
            return Err(StoreError::Closed);
        }
        self.files.room()?;
        self.files.write(&self.open, self.open.len, bytes)?;
        self.open.len = self.layout.end();
        self.failed = false;
        Ok(())
    }
}

impl PackWriter for FileWriter {
    fn pack(&self) -> PackId {
        self.open.pack
    }

    fn len(&self) -> u64 {
        self.open.len
    }

    fn append(&mut self, frames: &[EncodedFrame]) -> Result<(), StoreError> {
        let stored: usize = frames.iter().map(|frame| frame.body().len()).sum();
        assert!(
            stored <= PIECE_BYTES_MAX,
            "a piece has at most {PIECE_BYTES_MAX} bytes"
        );
        let mut out = Vec::with_capacity(2 * frames.len());
        for frame in frames {
            self.layout.push(frame, &mut out);
        }
        self.write(&out)
    }

    fn finish(self: Box<Self>, origin: &Origin) -> Result<Finished, StoreError> {
        let FileWriter {
            files,
            mut open,
            layout,
            failed,
        } = *self;
        if failed {
            return Err(StoreError::Closed);
        }
        files.room()?;
        let mut out = Vec::new();
        let segment = layout.finish(origin, &mut out);
        files.write(&open, open.len, &out)?;
        open.len = segment.offset + segment.stored_len;
        files.sync_pack(&open, open.len)?;
        Ok(Finished {
            segment,
            lease: open.lease,
        })
    }
}
