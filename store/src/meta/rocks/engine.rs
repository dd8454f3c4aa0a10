//! The engine on RocksDB.
//!
//! Rows keep their own keys in one keyspace. The commit sequence is under [`SEQUENCE_KEY`] and changes in the same
//! write batch as the rows. The settings keep three promises: synced data is there or its loss is reported, memory and
//! file descriptors are bounded, nothing is compressed twice.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parking_lot::RwLock;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DB, DBCompressionType, DBRecoveryMode,
    ErrorKind, IteratorMode, LogLevel, Options, ReadOptions, WriteBatch, WriteOptions,
};

use rustix::io::Errno;

use super::log_check::{BLOCK_BYTES, Block, LogCheck};
use crate::meta::engine::{Batch, Engine, SEQUENCE_KEY};
use crate::meta::{Key, Version};
use crate::planted::{Bug, planted};
use crate::reserve;
use crate::{StoreError, TABLE_HANDLES_MAX};

/// Blocks, indexes and filters in memory: the whole Meta of some 100,000 objects.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// Size of a table file. A compaction cannot be smaller than one and what it overlaps.
const TABLE_BYTES: u64 = reserve::MEMTABLE_BYTES;

/// From this number of flushed tables on, commits are slowed down.
const FLUSHED_TABLES_SLOW: u8 = 8;

/// One flush and one compaction, on a machine of two cores.
const BACKGROUND_JOBS: i32 = 2;

/// A table file with this many deletes in a window of rows is compacted soon: a page of 1000 keys reads past them.
const DELETES_WINDOW: usize = 4096;
const DELETES_MAX: usize = 2048;

/// Whether the database may be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// The store is being created: an earlier attempt may have created the database or not.
    IfMissing,
    /// The store is known to have rows: a missing database is reported as a loss.
    MustExist,
}

/// RocksDB in one folder.
pub struct RocksEngine {
    path: PathBuf,
    /// `None` once closed.
    db: RwLock<Option<DB>>,
}

impl RocksEngine {
    /// Opens the database in `meta`, the metadata's folder of the data directory `data`.
    ///
    /// # Errors
    /// [`StoreError::MetaUnopened`] with the next command to type.
    pub fn open(data: &Path, meta: &Path, creation: Creation) -> Result<RocksEngine, StoreError> {
        check_logs(data, meta)?;
        let mut options = options();
        options.create_if_missing(creation == Creation::IfMissing);
        let db = DB::open(&options, meta).map_err(|error| unopened(data, meta, error))?;
        Ok(RocksEngine {
            path: meta.to_owned(),
            db: RwLock::new(Some(db)),
        })
    }

    /// Opens the database for reading; nothing in its folder changes.
    ///
    /// # Errors
    /// As [`RocksEngine::open`].
    pub fn look(data: &Path, meta: &Path) -> Result<RocksEngine, StoreError> {
        check_logs(data, meta)?;
        let db = DB::open_for_read_only(&options(), meta, false)
            .map_err(|error| unopened(data, meta, error))?;
        Ok(RocksEngine {
            path: meta.to_owned(),
            db: RwLock::new(Some(db)),
        })
    }

    fn with<T>(
        &self,
        op: &'static str,
        run: impl FnOnce(&DB) -> Result<T, rocksdb::Error>,
    ) -> Result<T, StoreError> {
        let guard = self.db.read();
        let db = guard.as_ref().ok_or(StoreError::Closed)?;
        run(db).map_err(|error| match error.kind() {
            ErrorKind::Corruption => StoreError::EngineCorruption {
                op,
                message: error.into_string(),
            },
            _ => StoreError::Engine {
                op,
                message: error.into_string(),
            },
        })
    }
}

impl Engine for RocksEngine {
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.with("read", |db| {
            // A snapshot, so that keys read one after another show the same moment.
            let view = db.snapshot();
            let rows = view.multi_get(keys.iter().map(|key| &key[..]));
            rows.into_iter()
                .map(|row| row.map(|bytes| bytes.map(Bytes::from)))
                .collect()
        })
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        self.with("scan", |db| {
            let mut read = ReadOptions::default();
            read.set_iterate_lower_bound(from);
            read.set_iterate_upper_bound(to);
            let rows = db.iterator_opt(IteratorMode::Start, read);
            let visible = rows.filter(|row| !matches!(row, Ok((key, _)) if **key == *SEQUENCE_KEY));
            visible
                .take(limit)
                .map(|row| row.map(|(key, value)| (Bytes::from(key), Bytes::from(value))))
                .collect()
        })
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        self.with("write", |db| {
            let mut changes = WriteBatch::default();
            for (key, value) in &batch.writes {
                match value {
                    Some(value) => changes.put(key, value),
                    None => changes.delete(key),
                }
            }
            changes.put(SEQUENCE_KEY, batch.sequence.0.to_be_bytes());
            // ORDER: the log is synced before the rows become visible; RocksDB inserts them only then.
            let mut write = WriteOptions::default();
            write.set_sync(!planted(Bug::AckBeforeSync));
            db.write_opt(changes, &write)
        })
    }

    fn last_sequence(&self) -> Result<Version, StoreError> {
        let stored = self.with("read", |db| db.get(SEQUENCE_KEY))?;
        match stored.as_deref().map(<[u8; 8]>::try_from) {
            None => Ok(Version(0)),
            Some(Ok(bytes)) => Ok(Version(u64::from_be_bytes(bytes))),
            Some(Err(_)) => Err(StoreError::DamagedRow {
                key: SEQUENCE_KEY.to_vec(),
                what: "the commit sequence is not eight bytes",
            }),
        }
    }

    fn close(&self) {
        let db = self.db.write().take();
        if let Some(db) = db {
            // A closed store is complete in its tables: none of its rows depends on a log's last record, whose length
            // no checksum covers. A failed flush loses nothing: the log is synced.
            let _log_remains = db.flush();
            db.cancel_all_background_work(true);
        }
    }
}

impl std::fmt::Debug for RocksEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksEngine")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Why a database does not open. A failing disk is not damage: RocksDB reports it only by the system's error text.
fn unopened(data: &Path, meta: &Path, error: rocksdb::Error) -> StoreError {
    let message = error.into_string();
    let refusals = [Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::ACCESS];
    let refusal = refusals.into_iter().map(io::Error::from).find(|refusal| {
        // Without the number that std appends to the text.
        let words = refusal.to_string();
        let words = words.split(" (os error").next().unwrap_or_default();
        message.starts_with("IO error") && message.contains(words)
    });
    match refusal {
        Some(full) if full.kind() == io::ErrorKind::StorageFull => StoreError::DiskFull {
            path: meta.to_owned(),
        },
        Some(source) => StoreError::Io {
            op: "open",
            path: meta.to_owned(),
            source,
        },
        None => StoreError::MetaUnopened {
            data: data.to_owned(),
            meta: meta.to_owned(),
            message,
        },
    }
}

/// Refuses logs and manifests with damage that RocksDB would not report; see [`super::log_check`].
fn check_logs(data: &Path, meta: &Path) -> Result<(), StoreError> {
    let failed = |path: &Path, source| StoreError::Io {
        op: "read",
        path: path.to_owned(),
        source,
    };
    let entries = match fs::read_dir(meta) {
        Ok(entries) => entries,
        // RocksDB reports what is missing, and creates it in a new store.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(meta, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| failed(meta, error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("MANIFEST-") && !name.ends_with(".log") {
            continue;
        }
        if let Some(at) = damage_in_log(&path).map_err(|error| failed(&path, error))? {
            return Err(StoreError::MetaUnopened {
                data: data.to_owned(),
                meta: meta.to_owned(),
                message: format!("{name}: the record at byte {at} is damaged"),
            });
        }
    }
    Ok(())
}

/// The first damaged record of a log, read block by block.
fn damage_in_log(path: &Path) -> io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let (mut block, mut check) = (Vec::new(), LogCheck::default());
    let mut start = 0;
    while start < len {
        block.clear();
        file.by_ref().take(BLOCK_BYTES).read_to_end(&mut block)?;
        let which = if start + BLOCK_BYTES < len {
            Block::Inner
        } else {
            Block::Last
        };
        if let Some(at) = check.next(&block, which) {
            return Ok(Some(at));
        }
        start += BLOCK_BYTES;
    }
    Ok(None)
}

fn options() -> Options {
    let mut options = Options::default();
    // Point-in-time recovery, the default, would silently end at the first damaged record and drop the acknowledged
    // commits after it. This mode accepts a half-written end of the log, which a crash leaves, and refuses everything
    // else.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    // A removed or truncated log is noticed at the next start.
    options.set_track_and_verify_wals_in_manifest(true);
    // Old records of a recycled log could be taken for new ones.
    options.set_recycle_log_file_num(0);
    options.set_paranoid_checks(true);

    bound_space(&mut options);
    options.set_max_open_files(i32::try_from(TABLE_HANDLES_MAX).expect("few"));
    options.set_max_background_jobs(BACKGROUND_JOBS);
    // A listing reads past each deleted row until a compaction drops it.
    options.add_compact_on_deletion_collector_factory(DELETES_WINDOW, DELETES_MAX, 0.0);
    options.set_compression_type(DBCompressionType::None);
    options.set_bottommost_compression_type(DBCompressionType::None);

    let mut tables = BlockBasedOptions::default();
    tables.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
    // Counted into the cache, else indexes and filters would grow without limit.
    tables.set_cache_index_and_filter_blocks(true);
    tables.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // In pieces of a few KiB: the index or filter of a whole table may be larger than a shard of the cache can keep,
    // so each lookup would read and check hundreds of KiB again.
    tables.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    tables.set_partition_filters(true);
    tables.set_pin_top_level_index_and_filter(true);
    // Ten bits answer 99 % of the lookups of absent rows without a read; each new object makes such a lookup.
    tables.set_bloom_filter(10.0, false);
    // From version 6 on, footers have checksums, and each block's checksum is bound to its file and place.
    tables.set_format_version(6);
    options.set_block_based_table_factory(&tables);

    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// Bounds what the database writes before it frees something: [`reserve::DISK_RESERVE_BYTES`] counts each of these.
fn bound_space(options: &mut Options) {
    let bytes = |n: u64| usize::try_from(n).expect("at most 64 MiB");
    options.set_write_buffer_size(bytes(reserve::MEMTABLE_BYTES));
    options.set_max_write_buffer_number(reserve::MEMTABLES_MAX.into());
    options.set_max_total_wal_size(reserve::LOG_BYTES_MAX);
    options.set_max_manifest_file_size(bytes(reserve::MANIFEST_BYTES_MAX));
    options.set_keep_log_file_num(reserve::OWN_LOG_FILES.into());
    options.set_max_log_file_size(bytes(reserve::OWN_LOG_BYTES));
    options.set_level_zero_slowdown_writes_trigger(FLUSHED_TABLES_SLOW.into());
    options.set_level_zero_stop_writes_trigger(reserve::FLUSHED_TABLES_MAX.into());
    options.set_max_bytes_for_level_base(reserve::FIRST_LEVEL_BYTES);
    options.set_target_file_size_base(TABLE_BYTES);
    options.set_max_compaction_bytes(reserve::COMPACTION_BYTES_MAX);
}

#[cfg(test)]
mod tests;
