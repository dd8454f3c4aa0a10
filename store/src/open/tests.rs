//! What opening accepts and refuses on real directories, also after crashes.

use std::path::Path;

use super::*;
use crate::FormatVersion;
use crate::clock::{ManualClock, SeededEntropy, UnixMillis};
use crate::meta::{Outcome, Txn, Write};
use crate::open::identity::{IDENTITY_FILE, Identity, STORE_FORMAT, Stage};
use crate::open::read_only::ReadOnlyStore;
use crate::testing::{CommitFault, MemoryBackend};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(UnixMillis(1_700_000_000_000)))
}

fn open(dir: &Path, seed: u64) -> Result<Store, StoreError> {
    Store::open(dir, clock(), &SeededEntropy::new(seed))
}

#[test]
fn a_store_keeps_its_id_and_counts_its_starts() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path().join("new/data");
    let first = open(&dir, 1).expect("created");
    let (id, epoch) = (first.id, first.epoch);
    assert_eq!(epoch, Epoch(1));
    assert!(matches!(open(&dir, 2), Err(StoreError::Held { .. })));
    first.close();
    let second = open(&dir, 2).expect("opened");
    assert_eq!((second.id, second.epoch), (id, Epoch(2)));
    let identity = Identity::read(&dir).expect("intact").expect("there");
    assert_eq!(
        identity,
        Identity {
            id,
            format: STORE_FORMAT,
            stage: Stage::Ready
        }
    );
}

#[test]
fn a_creation_that_was_cut_short_is_taken_up_again() {
    let dir = tempfile::tempdir().expect("a folder");
    // After the identity file.
    let identity = Identity {
        id: StoreId([9; 16]),
        format: STORE_FORMAT,
        stage: Stage::Creating,
    };
    identity.write(dir.path()).expect("written");
    assert_eq!(open(dir.path(), 1).expect("taken up").id, identity.id);
    // After Meta's rows, before the identity file says `ready`.
    identity.write(dir.path()).expect("written");
    let store = open(dir.path(), 1).expect("taken up");
    assert_eq!((store.id, store.epoch), (identity.id, Epoch(2)));
    store.close();
    assert_eq!(
        Identity::read(dir.path())
            .expect("intact")
            .expect("there")
            .stage,
        Stage::Ready
    );
}

/// The identity row of a store of the given format, as bytes.
fn identity_row(format: u8, id: StoreId) -> bytes::Bytes {
    bytes::Bytes::from([&[1, format, 0], &id.0[..]].concat())
}

fn put_identity_row(store: &Store, format: u8) {
    let key = bytes::Bytes::from_static(&[1]);
    let txn = Txn {
        conditions: vec![],
        writes: vec![Write::Put(key, identity_row(format, store.id))],
    };
    let outcome = store.meta.commit(txn).wait_blocking();
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
}

fn read_identity_row(meta: &dyn Meta) -> bytes::Bytes {
    let rows = meta.get_many(&[bytes::Bytes::from_static(&[1])]);
    rows.expect("readable").remove(0).expect("there").value
}

#[test]
fn an_older_store_is_only_read_until_it_is_opened_to_be_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let store = open(dir, 1).expect("created");
    let id = store.id;
    put_identity_row(&store, 1);
    store.close();
    let older = Identity {
        id,
        format: FormatVersion(1),
        stage: Stage::Ready,
    };
    older.write(dir).expect("written");
    let file = || std::fs::read_to_string(dir.join(IDENTITY_FILE)).expect("there");
    // Read-only opening changes nothing.
    let clock: Arc<dyn Clock> = clock();
    let view = ReadOnlyStore::open(dir, &clock).expect("opened");
    let meta = view.meta.as_ref().expect("readable");
    assert_eq!(read_identity_row(&**meta), identity_row(1, id));
    drop(view);
    assert_eq!(file(), older.encode());
    // A start upgrades it, rows first; if a crash leaves the old file, the next start completes it.
    for _ in 0..2 {
        let store = open(dir, 1).expect("opened");
        assert_eq!(read_identity_row(&*store.meta), identity_row(2, id));
        store.close();
        let newer = Identity {
            format: FormatVersion(2),
            ..older
        };
        assert_eq!(file(), newer.encode());
        older.write(dir).expect("written");
    }
}

#[test]
fn a_start_that_cannot_commit_leaves_the_older_format() {
    let backend = MemoryBackend::new();
    let seeded = SeededEntropy::new(1);
    let open = || backend.open(clock(), &seeded, Execution::Threaded);
    put_identity_row(&open().expect("created"), 1);
    backend.rows.inject(|_| Some(CommitFault::Refused));
    assert!(open().is_err());
    backend.rows.heal();
    let rows = backend.rows.open();
    let stored = rows.get_many(&[bytes::Bytes::from_static(&[1])]);
    let stored = stored.expect("readable").remove(0).expect("there");
    let row = crate::meta::row::decode(&[1], &stored).expect("a row");
    let store = open().expect("opened");
    assert_eq!(row.value, identity_row(1, store.id));
    assert_eq!(read_identity_row(&*store.meta), identity_row(2, store.id));
}

#[test]
fn a_newer_store_is_refused_as_newer_and_not_as_damaged() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let store = open(dir, 1).expect("created");
    let id = store.id;
    put_identity_row(&store, 3);
    store.close();
    let refused = open(dir, 1).expect_err("newer rows");
    assert!(
        matches!(
            refused,
            StoreError::NewerFormat {
                found: FormatVersion(3),
                newest: STORE_FORMAT,
                ..
            }
        ),
        "{refused:?}"
    );
    let text = refused.to_string();
    assert!(text.contains("written by a newer version"), "{text}");
    let newer = Identity {
        id,
        format: FormatVersion(3),
        stage: Stage::Ready,
    };
    newer.write(dir).expect("written");
    assert!(matches!(
        open(dir, 1),
        Err(StoreError::NewerFormat {
            what: "the data directory",
            ..
        })
    ));
}

#[test]
fn parts_that_were_moved_away_are_named() {
    for part in [META_DIR, PACKS_DIR, IDENTITY_FILE] {
        let dir = tempfile::tempdir().expect("a folder");
        open(dir.path(), 1).expect("created").close();
        std::fs::rename(dir.path().join(part), dir.path().join("aside")).expect("moved");
        match open(dir.path(), 1) {
            Err(StoreError::Incomplete { missing, .. }) => assert_eq!(missing, part),
            other => panic!("{part}: {other:?}"),
        }
        std::fs::rename(dir.path().join("aside"), dir.path().join(part)).expect("moved back");
        open(dir.path(), 1).expect("whole again");
    }
}

#[test]
fn an_emptied_meta_is_refused_and_not_created_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    open(dir.path(), 1).expect("created").close();
    let meta = dir.path().join(META_DIR);
    std::fs::remove_dir_all(&meta).expect("removed");
    std::fs::create_dir(&meta).expect("made");
    let refused = open(dir.path(), 1).expect_err("no rows");
    let StoreError::MetaUnopened { .. } = &refused else {
        panic!("{refused:?}")
    };
    let text = refused.to_string();
    assert!(
        text.contains(&format!("serve --data-dir {}.new", dir.path().display())),
        "{text}"
    );
    assert!(text.contains(&meta.display().to_string()), "{text}");
}

#[test]
fn parts_of_another_store_are_refused() {
    let (one, two) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let first = open(one.path(), 1).expect("created").id;
    let second = open(two.path(), 2).expect("created").id;
    assert_ne!(first, second);
    std::fs::remove_dir_all(one.path().join(META_DIR)).expect("removed");
    std::fs::rename(two.path().join(META_DIR), one.path().join(META_DIR)).expect("swapped");
    match open(one.path(), 1) {
        Err(StoreError::ForeignMeta {
            found, expected, ..
        }) => assert_eq!((found, expected), (second, first)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_older_copy_of_the_metadata_does_not_discard_newer_packs() {
    let dir = tempfile::tempdir().expect("a folder");
    let (meta, copy) = (dir.path().join(META_DIR), dir.path().join("copy"));
    open(dir.path(), 1).expect("created").close();
    std::fs::create_dir(&copy).expect("made");
    for entry in std::fs::read_dir(&meta).expect("listed") {
        let entry = entry.expect("listed");
        std::fs::copy(entry.path(), copy.join(entry.file_name())).expect("copied");
    }
    let store = open(dir.path(), 1).expect("opened");
    store.packs.open_shared().expect("room");
    store.close();
    std::fs::remove_dir_all(&meta).expect("removed");
    std::fs::rename(&copy, &meta).expect("put back");
    match open(dir.path(), 1) {
        Err(StoreError::MetaBehind { known, packs }) => {
            assert_eq!((known, packs), (Epoch(1), Epoch(2)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn damaged_and_newer_identity_files_are_refused_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    open(dir.path(), 1).expect("created").close();
    let path = dir.path().join(IDENTITY_FILE);
    let good = std::fs::read(&path).expect("there");
    for bad in [&good[..50], b"", &[0; 5000]] {
        std::fs::write(&path, bad).expect("written");
        assert!(
            matches!(open(dir.path(), 1), Err(StoreError::IdentityDamaged { path: named, .. }) if named == path)
        );
    }
    std::fs::write(&path, &good).expect("written");
    open(dir.path(), 1).expect("whole again");
}

#[test]
fn the_memory_backend_comes_back_from_a_crash_with_what_was_acknowledged() {
    let backend = MemoryBackend::new();
    let store = backend
        .open(clock(), &SeededEntropy::new(1), Execution::Threaded)
        .expect("opened");
    let (id, pack) = (store.id, store.packs.open_shared().expect("room"));
    let key = bytes::Bytes::from_static(b"\x10k");
    let txn = Txn {
        conditions: vec![],
        writes: vec![Write::Put(key.clone(), key.clone())],
    };
    let outcome = store.meta.commit(txn.clone()).wait_blocking();
    assert!(matches!(outcome, Ok(Outcome::Done(_))));
    backend.crash_torn(&SeededEntropy::new(3));
    assert!(matches!(
        store.meta.commit(txn).wait_blocking(),
        Err(StoreError::ReadOnly { .. } | StoreError::Closed)
    ));
    assert!(store.packs.open_shared().is_err(), "the dead cannot write");
    let store = backend
        .open(clock(), &SeededEntropy::new(2), Execution::Threaded)
        .expect("opened");
    assert_eq!((store.id, store.epoch), (id, Epoch(2)));
    assert!(store.meta.get_many(&[key]).expect("readable")[0].is_some());
    assert!(store.packs.read(pack, &[0..64, 0..8]).is_ok());
}

#[test]
fn an_opening_whose_epoch_is_not_committed_fails() {
    let backend = MemoryBackend::new();
    backend.rows.inject(|_| Some(CommitFault::Refused));
    assert!(
        backend
            .open(clock(), &SeededEntropy::new(1), Execution::Threaded)
            .is_err()
    );
    backend.rows.heal();
    assert_eq!(
        backend
            .open(clock(), &SeededEntropy::new(1), Execution::Threaded)
            .expect("opened")
            .epoch,
        Epoch(1)
    );
}
