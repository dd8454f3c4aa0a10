//! The disk space that no pack may take, because Meta needs it: deletes and collections must commit on a full disk, else
//! nothing could ever make room.
//!
//! Each figure is also the setting that bounds it: see `meta/rocks/engine`.

/// Size of one memtable: the rows of some 25,000 puts.
pub(crate) const MEMTABLE_BYTES: u64 = 8 << 20;

/// One is being filled, two are being flushed.
pub(crate) const MEMTABLES_MAX: u8 = 3;

/// The log of everything not flushed yet; keeps replay at start well under a second.
pub(crate) const LOG_BYTES_MAX: u64 = 64 << 20;

/// RocksDB's list of its own files, where a new one starts; for a moment there are two.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 4 << 20;

/// RocksDB's own log: files, and bytes of each.
pub(crate) const OWN_LOG_FILES: u8 = 4;
pub(crate) const OWN_LOG_BYTES: u64 = 2 << 20;

/// Flushed tables that wait for their first compaction. Commits wait at this number, and are slowed down before.
pub(crate) const FLUSHED_TABLES_MAX: u8 = 12;

/// Tables of the first sorted level, which such a compaction writes anew.
pub(crate) const FIRST_LEVEL_BYTES: u64 = 32 << 20;

/// Tables of further levels that one compaction writes anew.
pub(crate) const COMPACTION_BYTES_MAX: u64 = 64 << 20;

/// Below this many free bytes, no pack grows: the log, one flush of all memtables, manifests and own logs, and the
/// largest compaction. There is one at a time, and it removes its inputs only after it has written its outputs.
pub const DISK_RESERVE_BYTES: u64 = {
    let flush = widened(MEMTABLES_MAX) * MEMTABLE_BYTES;
    let small = 2 * MANIFEST_BYTES_MAX + widened(OWN_LOG_FILES) * OWN_LOG_BYTES;
    let first_level = widened(FLUSHED_TABLES_MAX) * MEMTABLE_BYTES + FIRST_LEVEL_BYTES;
    let compaction = if first_level > COMPACTION_BYTES_MAX {
        first_level
    } else {
        COMPACTION_BYTES_MAX
    };
    LOG_BYTES_MAX + flush + small + compaction
};

#[expect(clippy::as_conversions, reason = "From is not const")]
const fn widened(n: u8) -> u64 {
    n as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_what_docs_promise() {
        // docs/durability.md, docs/operations.md and docs/metrics.md.
        assert_eq!(DISK_RESERVE_BYTES, 232 << 20);
    }
}
