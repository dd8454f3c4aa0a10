//! What is stored, as gauges show it: two counters of Meta, the engine's files, the file system.

use std::fs;
use std::path::Path;

use crate::schema::RowKey;
use crate::store::StoreError;
use crate::store::meta::{Meta, row};
use crate::telemetry::StorageUsage;

/// Reads the figures. Blocks; cheap enough for each scrape: two rows and one directory listing of bounded size.
pub(crate) fn storage(meta: &dyn Meta, meta_dir: &Path) -> Result<StorageUsage, StoreError> {
    let keys = [RowKey::LogicalBytes.encode(), RowKey::StoredBytes.encode()];
    let rows = meta.get_many(&keys)?;
    let mut counts = [0_u64; 2];
    for ((key, row), count) in keys.iter().zip(rows).zip(&mut counts) {
        if let Some(row) = row {
            *count = u64::try_from(row::decode_counter(key, &row.value)?).unwrap_or(0);
        }
    }
    let [logical_bytes, packs_bytes] = counts;
    Ok(StorageUsage {
        logical_bytes,
        packs_bytes,
        meta_bytes: files_bytes(meta_dir),
    })
}

/// Size and free bytes of the file system that holds `dir`; nothing where it cannot be asked.
pub(crate) fn filesystem(dir: &Path) -> Option<(u64, u64)> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some((
        stat.f_blocks.saturating_mul(stat.f_frsize),
        stat.f_bavail.saturating_mul(stat.f_frsize),
    ))
}

/// Bytes of the files directly in `dir`; one that vanishes meanwhile counts nothing.
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
