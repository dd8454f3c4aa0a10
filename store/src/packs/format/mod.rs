//! The bytes of a pack: a header, then segments, which are runs of frames. Pure: bytes in, bytes out.
//!
//! docs/format.md is the description; each file draws its own part. It knows no files, and nothing of who reads or writes.

pub mod frame;
pub mod header;
pub mod segment;

pub use frame::EncodedFrame;
pub use segment::Origin;
