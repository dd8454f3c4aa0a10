//! Usage values for gauges: counters of Meta, the open pack, the engine's files, the file system.

use std::fs;
use std::path::Path;

use crate::store::StoreError;
use crate::store::meta::Meta;
use crate::store::packs::Packs;
use crate::tables::table::each;
use crate::tables::{Keyed as _, LogicalBytes, Quarantine, StoredBytes, Writers, total};
use crate::telemetry::StorageUsage;

/// Reads the values. It blocks, and is cheap enough for each scrape: a few rows, one file length, one small directory.
pub(crate) fn storage(
    meta: &dyn Meta,
    packs: &dyn Packs,
    meta_dir: &Path,
) -> Result<StorageUsage, StoreError> {
    let logical_bytes = total(meta, LogicalBytes)?;
    let counted_bytes = total(meta, StoredBytes)?;
    let mut open_bytes = 0_u64;
    each(meta, Writers, Writers.whole(), |writer| {
        if let Some(open) = writer.value.open {
            // The counter does not include it until it is sealed.
            open_bytes = open_bytes.saturating_add(packs.entry(open)?.map_or(0, |entry| entry.len));
        }
        Ok(())
    })?;
    let mut quarantined = 0_u64;
    each(meta, Quarantine, Quarantine.whole(), |_| {
        quarantined += 1;
        Ok(())
    })?;
    let packs_bytes = counted_bytes.saturating_add(open_bytes);
    Ok(StorageUsage {
        logical_bytes,
        packs_bytes,
        meta_bytes: files_bytes(meta_dir),
        quarantined,
    })
}

/// Size and free bytes of the file system that holds `dir`, if the system reports them.
pub(crate) fn filesystem(dir: &Path) -> Option<(u64, u64)> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some((
        stat.f_blocks.saturating_mul(stat.f_frsize),
        stat.f_bavail.saturating_mul(stat.f_frsize),
    ))
}

/// Bytes of the files directly in `dir`. A file that is removed meanwhile does not count.
fn files_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|m| m.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_summed_and_a_missing_directory_is_empty() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::write(dir.path().join("a"), [0; 100]).expect("writable");
        fs::write(dir.path().join("b"), [0; 11]).expect("writable");
        fs::create_dir(dir.path().join("c")).expect("writable");
        assert_eq!(files_bytes(dir.path()), 111);
        assert_eq!(files_bytes(&dir.path().join("nothing")), 0);
        let (size, free) = filesystem(dir.path()).expect("a directory lies on a file system");
        assert!(size > 0 && free <= size);
    }
}
