//! Checks a store: every row decodes and agrees with the others, every byte that a row names verifies.
//!
//! Works over the two seams, changes nothing, and continues after a finding as far as it can. It reads the whole store,
//! so it takes as long as the disk needs for that. Memory: some 64 bytes for each manifest, pack and open upload, and
//! at most [`FINDINGS_MAX`] findings.

mod bytes;
mod finding;
mod names;
mod rows;
mod totals;
mod unnamed;

use serde::Serialize;

pub use finding::{FINDINGS_MAX, Finding, Findings};
pub use unnamed::{UNNAMED_MAX, Unnamed};

use crate::doctor::totals::Totals;
use crate::doctor::unnamed::UnnamedBodies;
use crate::store::StoreError;
use crate::store::meta::Meta;
use crate::store::packs::Packs;

/// The contents of a store, and its problems.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The problems; none in a healthy store.
    pub findings: Vec<Finding>,
    /// The number of all findings, including those beyond [`FINDINGS_MAX`].
    pub findings_total: u64,
    /// Bodies that no row names.
    pub unnamed: Vec<Unnamed>,
    /// The number of all such bodies, including those beyond [`UNNAMED_MAX`].
    pub unnamed_total: u64,
    /// How much was checked.
    #[serde(flatten)]
    pub census: Census,
}

/// The contents of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Census {
    /// Rows of every kind.
    pub rows: u64,
    /// Versions of objects, including delete markers.
    pub objects: u64,
    /// Open uploads.
    pub uploads: u64,
    /// Manifests, including those of parts and dead ones.
    pub manifests: u64,
    /// Stored bytes verified.
    pub bytes: u64,
    /// Pack files.
    pub packs: u64,
    /// Pack files without a row: left by a crash, or newer than Meta.
    pub orphans: u64,
    /// Pack files that wait for their removal.
    pub marked: u64,
    /// Manifests that wait for the collection.
    pub dead: u64,
}

/// Checks a store. Blocks until all of it is read.
pub fn examine(meta: &dyn Meta, packs: &dyn Packs) -> Report {
    let mut findings = Findings::default();
    let mut census = Census::default();
    let mut totals = Totals::default();
    let readable = rows::check(meta, &mut totals, &mut census, &mut findings);
    // If some rows could not be read, wrong totals would only add noise.
    if readable {
        totals.check(meta, &mut census, &mut findings);
    }
    let damaged = bytes::of_manifests(meta, packs, &mut census, &mut findings);
    let mut unnamed = UnnamedBodies::new(meta);
    bytes::of_packs(
        meta,
        packs,
        &totals,
        &mut census,
        &mut findings,
        &mut unnamed,
    );
    names::add_objects(meta, &damaged, &mut findings);
    Report {
        unnamed: unnamed.shown,
        unnamed_total: unnamed.total,
        ..findings.report(census)
    }
}

/// Checks only the packs, when the rows cannot be read.
pub fn examine_packs(refused: &StoreError, packs: &dyn Packs) -> Report {
    let mut findings = Findings::default();
    let mut census = Census::default();
    findings.store(refused);
    bytes::of_packs_alone(packs, &mut census, &mut findings);
    findings.report(census)
}

#[cfg(test)]
mod tests;
