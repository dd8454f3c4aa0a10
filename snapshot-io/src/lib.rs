//! Reads snapshot files from any source: detects their kind, decompresses and hashes them, and checks their pages.
//!
//! [`packing`] detects a file's kind by its first bytes. [`intake`] reads a source to its end, decompresses it, hashes it and
//! passes the bytes on, block by block. [`image`] opens the database in it; a compressed one is decompressed into a [`scratch`]
//! file. [`pages`] reads a database file page by page and checks it.
//!
//! Invariants: memory does not grow with the snapshot; files are not trusted: errors give the position of a defect, and nothing
//! panics; no clock, no environment, no network, no async runtime. [`strongroom_etcd_format`] handles the contents of a snapshot.
//!
//! ```
//! use std::io::Cursor;
//!
//! use strongroom_snapshot_io::{image::Image, intake::Trailer, pages::NeverStop, scratch::Scratch};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file: &[u8] = include_bytes!("../../etcd-format/tests/fixtures/etcd-3.4.db");
//! let scratch = Scratch::in_folder("/tmp");
//! let image = Image::unpack(Cursor::new(file), "etcd.db", &scratch, NeverStop)?;
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
