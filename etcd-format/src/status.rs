//! The numbers of `snapshot status`: a fingerprint of one file, its revision, its keys and its size.
//!
//! Owns: the values that etcd's tools 3.4 to 3.7 compute, in the same walk that checks and inspects the database. Must not know
//! how they are printed. Source: etcd `etcdutl/snapshot/v3_snapshot.go` (`Status`).
//!
//! # The rules
//! ```text
//! hash      = CRC-32C over, for each top-level bucket in order: its name, then each key and value in order
//!             (no lengths, no separators; empty buckets count by their name)
//! revision  = main revision of the last row of bucket `key`, 0 without rows
//! totalKey  = 3.4 and 3.5: keys in all buckets (`total_entries`)
//!             from 3.6 on: user keys alive at the last revision (`live_keys`)
//! totalSize = pages below the high water mark x page size: the file without its trailer
//! version   = from 3.6 on: meta/storageVersion where that is a version, else empty
//! ```
//! The hash includes values that differ between members (raft index, term, member list). So it compares two *files*. Use
//! [`crate::hashkv`] to compare the data of two members.
//!
//! ```
//! use strongroom_etcd_format::{bolt::Bolt, snapshot, status};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/etcd-3.4.db"));
//! let bolt = Bolt::open(file, snapshot::db_len(u64::try_from(file.len())?)?)?;
//! let found = status::examine(&bolt)?.status;
//! assert_eq!((found.hash, found.revision, found.total_size), (0xc517_5e8e, 186, 118_784));
//! assert_eq!((found.total_entries, found.live_keys), (170, 103));
//! # Ok(())
//! # }
//! ```

use crate::{
    bolt::{Bolt, CheckReport, Entry, PageSource},
    crc32c,
    inspect::{self, InspectError, Inspection, Inspector},
    version::is_version,
};

/// The values that `etcdutl snapshot status` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The fingerprint.
    pub hash: u32,
    /// The revision of the last row.
    pub revision: i64,
    /// Keys in all buckets: `totalKey` of etcd 3.4 and 3.5.
    pub total_entries: u64,
    /// Live user keys: `totalKey` since etcd 3.6. Counted by their hashes, see [`Inspection::live_keys`].
    pub live_keys: u64,
    /// Bytes of the database.
    pub total_size: u64,
    /// The storage version, if etcd would print one.
    pub version: Option<String>,
}

/// The results of one walk over a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The report of the check, which passed.
    pub report: CheckReport,
    /// etcd's records.
    pub inspection: Inspection,
    /// The numbers that etcd's tools print.
    pub status: Status,
    /// Members that were removed since the cluster was created or restored.
    pub members_removed: u64,
}

/// Checks the whole database, reads etcd's records and computes the status. Reads each page once (those of the top-level tree
/// and of bucket `meta` several times). Memory: one page, a bit per page and at most 18 MiB for live keys.
///
/// # Errors
/// The database is damaged or not written by etcd.
pub fn examine<S: PageSource>(bolt: &Bolt<S>) -> Result<Examined, InspectError> {
    let buckets = bolt.buckets()?;
    inspect::require_buckets(&buckets)?;
    let names = buckets.into_iter().map(|bucket| bucket.name);
    let mut fingerprint = Fingerprint::new(names.collect());
    let mut inspector = Inspector::new(bolt);
    let mut members_removed = 0;
    let report = bolt.check_each(&mut |entry| {
        fingerprint.entry(entry)?;
        members_removed += u64::from(entry.bucket == b"members_removed");
        inspector.entry(entry)
    })?;
    let inspection = inspector.finish()?;
    let status = Status {
        hash: fingerprint.finish(),
        revision: inspection.revision,
        total_entries: report.keys,
        live_keys: inspection.live_keys.number(),
        total_size: bolt.used_len(),
        version: inspection
            .storage_version
            .clone()
            .filter(|text| is_version(text)),
    };
    Ok(Examined {
        report,
        inspection,
        status,
        members_removed,
    })
}

/// The incremental hash. It needs the list of all buckets in advance, since empty ones have no entries.
struct Fingerprint {
    crc: crc_fast::Digest,
    names: std::vec::IntoIter<Vec<u8>>,
    current: Option<Vec<u8>>,
}

impl Fingerprint {
    fn new(names: Vec<Vec<u8>>) -> Self {
        Self {
            crc: crc32c::running(),
            names: names.into_iter(),
            current: None,
        }
    }

    fn entry(&mut self, entry: Entry<'_>) -> Result<(), InspectError> {
        while self.current.as_deref() != Some(entry.bucket) {
            self.current = self.names.next();
            match &self.current {
                Some(name) => self.crc.update(name),
                // The walk meets the buckets in the order of their list, unless another program writes to the file.
                None => {
                    return Err(InspectError::Changing {
                        what: "a bucket",
                        offset: entry.offset,
                    });
                }
            }
        }
        self.crc.update(entry.key);
        self.crc.update(entry.value);
        Ok(())
    }

    fn finish(mut self) -> u32 {
        for name in self.names {
            self.crc.update(&name);
        }
        crc32c::value(&self.crc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bolt::edit::{self, BucketEdit, Edit},
        width::u64_of,
    };

    const REAL: &[u8] = include_bytes!("../tests/fixtures/etcd-3.4.db");

    #[test]
    fn removed_members_are_counted() {
        let real = &REAL[..REAL.len() - 32];
        let bolt = Bolt::open(real, u64_of(real.len())).expect("etcd wrote it");
        let removed = |id: &[u8]| (id.to_vec(), b"removed".to_vec());
        let buckets = vec![BucketEdit::replace_all(
            b"members_removed",
            [removed(b"7"), removed(b"8")],
        )];
        let appended = edit::append(&bolt, &Edit { buckets }).expect("it fits");
        let mut db = real.to_vec();
        db.extend(&appended.pages);
        db[..4096].copy_from_slice(&appended.metas[0]);
        let bolt = Bolt::open(db.as_slice(), appended.new_len).expect("the metas are new");
        assert_eq!(examine(&bolt).expect("it is right").members_removed, 2);
    }

    #[test]
    fn empty_buckets_count_by_their_name() {
        let names = || vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()];
        let mut fingerprint = Fingerprint::new(names());
        let entry = |bucket| Entry {
            bucket,
            key: b"k",
            value: b"v",
            offset: 9,
        };
        fingerprint.entry(entry(b"b")).expect("it is listed");
        assert_eq!(fingerprint.finish(), crc32c::of(b"abkvc"));
        assert_eq!(Fingerprint::new(names()).finish(), crc32c::of(b"abc"));
        // The file is changed between the list and the walk.
        let unlisted = Fingerprint::new(names()).entry(entry(b"z"));
        assert!(
            matches!(unlisted, Err(InspectError::Changing { offset: 9, .. })),
            "{unlisted:?}"
        );
    }
}
