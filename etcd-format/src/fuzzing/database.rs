//! Fuzz targets for database files: raw bytes, single fields of a real one, and the snapshot's trailer.
//!
//! Owns: calls to everything that reads a database, and to the editor. The editor's promise: if a database passes the check, it
//! can be edited and passes again.

use sha2::{Digest, Sha256};

use super::Input;
use crate::{
    bolt::{
        Bolt, BoltError, CheckReport,
        edit::{self, Appended, BucketEdit, Edit},
    },
    hashkv::{self, At, Rules},
    inspect,
    snapshot::{self, SnapshotError, StreamDigest, Trailer},
    status,
    width::{le_u32, le_u64, u64_of, usize_of},
};

/// A snapshot that a real etcd saved.
const REAL: &[u8] = include_bytes!("../../tests/fixtures/etcd-3.4.db");

/// Number of keys whose lookup is compared with the walk: enough for every shape of a small tree.
const LOOKUPS_MAX: usize = 64;

const CHECKSUM_AT: usize = 72;
const FIELDS_AT: usize = 16;

/// A database unchanged, and again with corrected checksums in its metas.
pub(super) fn bolt(data: &[u8]) {
    exercise(data);
    let mut repaired = data.to_vec();
    repair_checksums(&mut repaired);
    if repaired != data {
        exercise(&repaired);
    }
}

/// A real database with changed fields: pages, positions in them, widths and values.
pub(super) fn bolt_fields(data: &[u8]) {
    const PAGE: usize = 4096;
    let mut db = REAL.get(..REAL.len() - 32).unwrap_or_default().to_vec();
    let pages = db.len() / PAGE;
    let mut input = Input::new(data);
    while !input.is_empty() {
        let page = usize::from(input.byte()) % pages;
        let place = usize::from(u16::from_le_bytes(input.array())) % PAGE;
        let width = 1 << (input.byte() % 4);
        let value = input.bytes(width);
        let at = page * PAGE + place;
        for (to, from) in db.iter_mut().skip(at).zip(value) {
            *to = *from;
        }
    }
    repair_checksums(&mut db);
    exercise(&db);
}

/// A snapshot as a stream: the first byte sets the size of the pieces, the rest is the file. Then the same with a correct
/// trailer.
pub(super) fn snapshot(data: &[u8]) {
    let mut input = Input::new(data);
    let piece = usize::from(input.byte()) + 1;
    let file = input.rest;
    let found = stream(file, piece);
    assert_eq!(
        found,
        stream(file, file.len().max(1)),
        "pieces of {piece} make a difference"
    );
    let with_trailer = snapshot::has_trailer(u64_of(file.len()));
    let db = file.get(..file.len() & !511).unwrap_or_default();
    match found {
        Ok(Trailer::Matches) => assert!(with_trailer, "a trailer out of nothing"),
        Ok(Trailer::Missing) => assert!(!with_trailer, "a trailer was overlooked"),
        Err(_) => {
            let sealed = [db, &Sha256::digest(db)].concat();
            let right = stream(&sealed, piece);
            assert_eq!(right.is_ok(), db.len() >= 1024, "{right:?}");
        }
    }
    let Ok(bolt) = snapshot::db_len(u64_of(file.len())).map(|len| Bolt::open(file, len)) else {
        return;
    };
    if let Ok(bolt) = bolt {
        let _ = status::examine(&bolt);
    }
}

fn stream(file: &[u8], piece: usize) -> Result<Trailer, SnapshotError> {
    let mut digest = StreamDigest::new();
    for bytes in file.chunks(piece) {
        digest.update(bytes);
    }
    let summary = digest.finish()?;
    let db = file.get(..usize_of(summary.db_len).unwrap_or(usize::MAX));
    let expected = Sha256::digest(db.expect("a database is no longer than its file"));
    assert_eq!(
        summary.sha256.as_slice(),
        expected.as_slice(),
        "the digest of the database"
    );
    Ok(summary.trailer)
}

/// Calls everything that reads a database on one that may be broken.
pub(super) fn exercise(db: &[u8]) {
    let Ok(bolt) = Bolt::open(db, u64_of(db.len())) else {
        return;
    };
    let _ = bolt.get(b"key", &[0; 17]);
    let _ = bolt.get(b"meta", b"consistent_index");
    let _ = bolt.for_each(b"meta", &mut |_, _, _| Ok::<(), BoltError>(()));
    let appended = edit::append(&bolt, &an_edit());
    let Ok(report) = bolt.check() else {
        assert!(
            status::examine(&bolt).is_err(),
            "a broken database has no status"
        );
        return;
    };
    assert!(
        report.pages_reachable + report.pages_free <= bolt.used_len() / u64::from(bolt.page_size())
    );
    compare_lookups(&bolt, &report);
    let examined = status::examine(&bolt);
    assert_eq!(
        examined.is_ok(),
        inspect::inspect(&bolt).is_ok(),
        "two walks, one answer"
    );
    for rules in [Rules::Etcd34, Rules::Etcd35] {
        for at in [At::Current, At::Revision(1), At::Revision(i64::MAX)] {
            let _ = hashkv::hash_kv(&bolt, at, rules);
        }
    }
    // The last possible transaction ids have no successor.
    if bolt.meta().txid < u64::MAX - 2 {
        let after = applied(db, &appended.expect("it passed the check"));
        let edited = Bolt::open(after.as_slice(), u64_of(after.len())).expect("new metas");
        edited.check().expect("an edit keeps a database right");
        let found = edited.get(b"meta", b"term").expect("it passed the check");
        assert_eq!(found.as_deref(), Some([7; 8].as_slice()), "what was put");
    }
}

/// An edit like that of a restore: replaces a bucket, puts a key into a small one, and one after all rows of the large one.
fn an_edit() -> Edit {
    Edit {
        buckets: vec![
            BucketEdit::replace_all(b"members", [(b"1".to_vec(), b"{}".to_vec())]),
            BucketEdit::upsert(b"meta", [(b"term".to_vec(), vec![7; 8])]),
            BucketEdit::remove(b"meta", [b"consistent_index".to_vec()]),
            BucketEdit::upsert(b"key", [(vec![0xff; 17], Vec::new())]),
        ],
    }
}

/// The database with an edit written to it.
pub(super) fn applied(db: &[u8], appended: &Appended) -> Vec<u8> {
    let mut out = db.to_vec();
    out.resize(usize_of(appended.new_len).expect("inputs are small"), 0);
    for (offset, bytes) in appended.writes() {
        let at = usize_of(offset).expect("inputs are small");
        let place = out.get_mut(at..at + bytes.len());
        place
            .expect("every write lies within the new length")
            .copy_from_slice(bytes);
    }
    out
}

/// A lookup reads other pages than the walk, in another order. Both must find the same.
fn compare_lookups(bolt: &Bolt<&[u8]>, report: &CheckReport) {
    let mut entries = Vec::new();
    let mut keys = 0;
    let walked = bolt.check_each(&mut |entry| {
        keys += 1;
        if entries.len() < LOOKUPS_MAX {
            entries.push((
                entry.bucket.to_vec(),
                entry.key.to_vec(),
                entry.value.to_vec(),
            ));
        }
        Ok::<(), BoltError>(())
    });
    assert_eq!(
        walked.expect("it passed before"),
        *report,
        "the same walk twice"
    );
    assert_eq!(keys, report.keys, "keys visited and keys counted");
    for (bucket, key, value) in &entries {
        let found = bolt.get(bucket, key).expect("it passed the check");
        assert_eq!(
            found.as_ref(),
            Some(value),
            "key {key:02x?} in {bucket:02x?}"
        );
    }
}

/// Corrects the checksums of both metas. The page size in page 0 gives the start of page 1; otherwise the usual size is used.
fn repair_checksums(db: &mut [u8]) {
    let said = le_u32(db, 24).and_then(|size| usize_of(u64::from(size)));
    let second = said
        .filter(|size| (512..=1 << 24).contains(size))
        .unwrap_or(4096);
    for start in [0, second] {
        let Some(meta) = db.get_mut(start..start.saturating_add(CHECKSUM_AT + 8)) else {
            continue;
        };
        let fields = meta.get(FIELDS_AT..CHECKSUM_AT).unwrap_or_default();
        let checksum = fnv1a64(fields);
        if le_u64(meta, CHECKSUM_AT) != Some(checksum) {
            let place = meta.get_mut(CHECKSUM_AT..).unwrap_or_default();
            place.copy_from_slice(&checksum.to_le_bytes());
        }
    }
}

/// FNV-1a, 64 bits.
pub(super) fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
