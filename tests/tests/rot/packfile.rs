//! The positions of the parts of a pack: a second implementation of docs/format.md, which shares no code with the
//! server.

use std::fs;
use std::ops::Range;
use std::path::Path;

/// A kind of bytes in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The pack's own header.
    Header,
    /// A data frame's header.
    FrameHeader,
    /// A data frame's stored bytes.
    Stored,
    /// A whole data frame.
    Frame,
    /// A table frame.
    Table,
    /// The tail after a table.
    Tail,
}

impl Part {
    /// The kinds in which bits are flipped.
    pub(crate) const ALL: [Part; 5] = [
        Part::Header,
        Part::FrameHeader,
        Part::Stored,
        Part::Table,
        Part::Tail,
    ];
}

const HEADER: u64 = 64;
const FRAME_HEADER: u64 = 32;
const TAIL: u64 = 8;

/// The parts of a healthy pack, in order.
pub(crate) fn parts(path: &Path) -> Vec<(Part, Range<u64>)> {
    let bytes = fs::read(path).expect("the pack is there");
    let len = u64::try_from(bytes.len()).expect("small");
    let mut parts = vec![(Part::Header, 0..HEADER)];
    let mut at = HEADER;
    while at < len {
        let head = usize::try_from(at).expect("small");
        assert_eq!(&bytes[head..head + 2], b"FR", "a frame at {at}");
        let stored: [u8; 4] = bytes[head + 12..head + 16].try_into().expect("four");
        let end = at + FRAME_HEADER + u64::from(u32::from_le_bytes(stored));
        if bytes[head + 3] == 2 {
            parts.push((Part::Table, at..end));
            parts.push((Part::Tail, end..end + TAIL));
            at = end + TAIL;
        } else {
            parts.push((Part::FrameHeader, at..at + FRAME_HEADER));
            parts.push((Part::Stored, at + FRAME_HEADER..end));
            parts.push((Part::Frame, at..end));
            at = end;
        }
    }
    parts
}
