//! A forecast: a run whose changes stay in memory, and the packs that it would change.
//!
//! A running server may change all of this a moment later, so the forecast is no promise.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::clock::Clock;
use crate::gc::run::{Collector, CollectorSettings};
use crate::packs::Pins;
use crate::store::meta::walk::PAGE_ROWS;
use crate::store::meta::{DryRunMeta, Meta};
use crate::store::packs::{DryRunPacks, Packs};
use crate::store::{PackId, StoreError};
use crate::tables::table::{each, get};
use crate::tables::upgrade::NO_PROCESS;
use crate::tables::{Keyed as _, PackRow, PackRows, Quarantine};

/// What a collection would do now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Plan {
    /// Open uploads that are too old.
    pub expired_uploads: u64,
    /// Uploads whose parts are removed.
    pub uploads: u64,
    /// Manifests that nothing uses.
    pub manifests: u64,
    /// Expired answers of Complete.
    pub answers: u64,
    /// Packs that would be unused, by name, with the bytes that are freed after the grace period.
    pub marked: BTreeMap<String, u64>,
    /// Pack files without a row, by name, with their bytes.
    pub orphans: BTreeMap<String, u64>,
    /// Packs with bodies that no row names, in quarantine then, by name, with their bytes.
    pub quarantined: BTreeMap<String, u64>,
    /// Marked packs whose grace period is over, by name, with the bytes that are freed at once.
    pub removed: BTreeMap<String, u64>,
    /// Marked packs that are still in their grace period.
    pub waiting: u64,
    /// Bytes that are freed in total.
    pub bytes: u64,
    /// Rows and files that could not be read or processed; the log names each.
    pub skipped: u64,
}

/// Computes what a collection would do now. Blocks.
///
/// # Errors
/// When rows or the packs' folder cannot be read.
pub fn forecast(
    meta: &Arc<dyn Meta>,
    packs: Arc<dyn Packs>,
    settings: CollectorSettings,
    clock: Arc<dyn Clock>,
) -> Result<Plan, StoreError> {
    let would_be: Arc<dyn Meta> = Arc::new(DryRunMeta::over(Arc::clone(meta)));
    let files = Arc::new(DryRunPacks::over(packs));
    let collector = Collector {
        meta: Arc::clone(&would_be),
        packs: Arc::<DryRunPacks>::clone(&files),
        pins: Pins::new(),
        clock,
        epoch: NO_PROCESS,
        settings,
    };
    let report = collector.run()?;
    let mut plan = Plan {
        expired_uploads: report.expired_uploads,
        uploads: report.uploads,
        manifests: report.manifests,
        answers: report.answers,
        skipped: report.skipped,
        ..Plan::default()
    };
    for file in files.removed() {
        plan.bytes += file.len;
        plan.removed.insert(file.pack.to_string(), file.len);
    }
    let lengths = lengths(&*files)?;
    each(&*would_be, PackRows, PackRows.whole(), |pack| {
        let (PackRow::Marked { .. }, Some(len)) = (pack.value, lengths.get(&pack.key)) else {
            return Ok(());
        };
        plan.bytes += len;
        let named = match get(&**meta, PackRows, pack.key)? {
            None => &mut plan.orphans,
            Some(PackRow::Marked { .. }) => {
                plan.waiting += 1;
                return Ok(());
            }
            Some(PackRow::Live | PackRow::Sealed { .. }) => &mut plan.marked,
        };
        named.insert(pack.key.to_string(), *len);
        Ok(())
    })?;
    each(&*would_be, Quarantine, Quarantine.whole(), |pack| {
        let len = lengths.get(&pack.key).copied().unwrap_or_default();
        plan.quarantined.insert(pack.key.to_string(), len);
        Ok(())
    })?;
    Ok(plan)
}

/// Every pack file with its length.
fn lengths(packs: &dyn Packs) -> Result<BTreeMap<PackId, u64>, StoreError> {
    let mut lengths = BTreeMap::new();
    let mut after = None;
    loop {
        let files = packs.list(after, PAGE_ROWS)?;
        lengths.extend(files.iter().map(|file| (file.pack, file.len)));
        match files.last() {
            Some(last) if files.len() == PAGE_ROWS => after = Some(last.pack),
            _ => return Ok(lengths),
        }
    }
}
