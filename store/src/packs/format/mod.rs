//! The bytes of a pack: a header, then segments, which are runs of frames. Pure: bytes in, bytes out.
//!
//! docs/format.md describes the format; each file here draws its own part. This module knows neither files nor readers
//! and writers.

pub mod frame;
pub mod header;
pub mod segment;

pub use frame::EncodedFrame;
pub use segment::Origin;
