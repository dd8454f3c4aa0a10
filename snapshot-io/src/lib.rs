//! Snapshot files from any source: their kind, their unpacked bytes, their digest, their pages.
//!
//! [`packing`] tells a file's kind by its first bytes. [`intake`] reads a source to its end, unpacks it, digests it and
//! hands the bytes on, block by block. [`image`] makes an open database of it, for which a packed one goes into a [`scratch`]
//! file. [`pages`] reads a database file page by page and checks it.
//!
//! Invariants: memory does not grow with a snapshot; nothing in a file is trusted: errors tell where it is wrong, and
//! nothing panics; no clock, no environment, no network, no async runtime. The contents of a
//! snapshot belong to [`strongroom_etcd_format`].
//!
//! ```
//! use std::io::Cursor;
//!
//! use strongroom_snapshot_io::{image::Image, intake::Trailer, pages::Unstoppable, scratch::Scratch};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file: &[u8] = include_bytes!("../../etcd-format/tests/fixtures/etcd-3.4.db");
//! let scratch = Scratch::in_folder("/tmp");
//! let image = Image::unpack(Cursor::new(file), "etcd.db", &scratch, Unstoppable)?;
//! assert_eq!(image.taken().trailer, Trailer::Matches);
//! let (_pages, found) = image.check()?;
//! assert!(found.current_revision() > 1);
//! # Ok(())
//! # }
//! ```

pub mod image;
pub mod intake;
pub mod packing;
pub mod pages;
pub mod scratch;
