//! The zoo: one sound snapshot, and many variants that each have one wrong field in one structure.
//!
//! Checksums (FNV of meta pages, SHA-256 of the file) are corrected after the change, so that a reader finds the defect
//! and not the checksum; where a checksum is the defect, everything else is right. Each specimen has the expected
//! message and exit code of the three tools. [`table`] writes all of them as differences from the base.
//!
//! | module | damages |
//! |---|---|
//! | [`metas`] | meta pages, the high water mark |
//! | [`pages`] | page headers of trees and freelist |
//! | [`elements`] | elements of branches and leaves, buckets |
//! | [`rows`] | the history: row keys and their values |
//! | [`records`] | all other records of etcd |
//! | [`files`] | lengths, trailers, packings |
//! | [`harmless`], [`harmless_records`] | what etcd accepts, and so do we |

pub mod base;
pub mod elements;
pub mod files;
pub mod harmless;
pub mod harmless_records;
pub mod image;
pub mod member;
pub mod metas;
pub mod pages;
pub mod records;
pub mod rows;
pub mod table;

use std::path::Path;

use image::Image;

/// A broken snapshot and the expected messages.
#[derive(Debug, Clone)]
pub struct Specimen {
    /// Its name, which is also its file's name.
    pub name: &'static str,
    /// The file from which its bytes differ least.
    pub over: Over,
    /// All of its bytes.
    pub bytes: Vec<u8>,
    /// Expected from `strongroom-restore --snapshot`.
    pub restore: Verdict,
    /// Expected from `strongroom snapshot status`.
    pub status: Verdict,
    /// Expected from `strongroom snapshot save FILE` when an etcd sends these bytes; `None` if no etcd could send them.
    pub save: Option<Verdict>,
}

/// The file against which a specimen is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The base, unpacked.
    Base,
    /// The base as committed.
    Packed,
    /// Nothing.
    Nothing,
}

/// The expected answer of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its exit code.
    pub code: i32,
    /// Text in its message: the place and the reason.
    pub says: String,
}

impl Verdict {
    /// An integrity failure.
    pub fn refused(says: impl Into<String>) -> Self {
        Self {
            code: 7,
            says: says.into(),
        }
    }
}

/// Corrupts a database and returns the expected message.
pub type Corrupt = fn(&mut Image) -> String;

/// A name and a corruption.
pub type Corruption = (&'static str, Corrupt);

impl Specimen {
    /// A specimen that all three tools refuse with the same message.
    pub fn refused(name: &'static str, over: Over, bytes: Vec<u8>, says: &str) -> Self {
        let verdict = Verdict::refused(says);
        Self {
            name,
            over,
            bytes,
            restore: verdict.clone(),
            status: verdict.clone(),
            save: (over != Over::Packed).then_some(verdict),
        }
    }
}

/// The base and every specimen.
#[derive(Debug)]
pub struct Zoo {
    /// The base as committed.
    pub packed: Vec<u8>,
    /// The database in it.
    pub base: Image,
    /// The broken ones.
    pub broken: Vec<Specimen>,
}

impl Zoo {
    /// Makes all of them from the base in this folder.
    pub fn from(fixtures: &Path) -> Self {
        let packed = base::packed(fixtures);
        let base = base::unpacked(&packed);
        let corruptions = [
            metas::CORRUPTIONS,
            pages::CORRUPTIONS,
            elements::CORRUPTIONS,
            rows::CORRUPTIONS,
            records::CORRUPTIONS,
        ];
        let corrupted = corruptions.into_iter().flatten().map(|(name, corrupt)| {
            let mut image = base.clone();
            let says = corrupt(&mut image);
            Specimen::refused(name, Over::Base, image.snapshot(), &says)
        });
        let broken = corrupted.chain(files::specimens(&base, &packed)).collect();
        Self {
            packed,
            base,
            broken,
        }
    }
}
