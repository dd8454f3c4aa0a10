//! One suite over the two seams: what every engine of Meta and every kind of Packs must do, written against the traits.
//!
//! A new engine joins by opening a [`Store`] over it in [`Subject`]; what a single engine does in its own way is tested
//! beside it.

mod meta;
mod packs;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::clock::{ManualClock, SeededEntropy, UnixMillis};
use crate::meta::{Condition, Key, Meta, Outcome, Row, Txn, Version, Write};
use crate::{Execution, Store, StoreError, Twin};

/// A store under test that can be closed and opened again.
pub(super) struct Subject {
    place: Place,
    store: Option<Store>,
}

enum Place {
    Memory(Twin, Execution),
    #[cfg(feature = "rocksdb")]
    Directory(tempfile::TempDir),
}

impl Subject {
    fn open(place: Place) -> Subject {
        let mut subject = Subject { place, store: None };
        subject.reopen();
        subject
    }

    /// Closes the store and opens it again, as the next process does.
    pub(super) fn reopen(&mut self) {
        self.store = None;
        let clock = Arc::new(ManualClock::at(UnixMillis(1_700_000_000_000)));
        let entropy = SeededEntropy::new(7);
        let store = match &self.place {
            Place::Memory(twin, commits) => twin.open(clock, &entropy, *commits),
            #[cfg(feature = "rocksdb")]
            Place::Directory(dir) => Store::open(dir.path(), clock, &entropy),
        };
        self.store = Some(store.expect("a whole store opens"));
    }

    pub(super) fn store(&self) -> &Store {
        self.store
            .as_ref()
            .expect("open but for a moment in reopen")
    }

    fn meta(&self) -> &dyn Meta {
        &*self.store().meta
    }
}

/// Runs a test on every implementation.
pub(super) fn on_each(test: impl Fn(&mut Subject)) {
    test(&mut Subject::open(Place::Memory(
        Twin::new(),
        Execution::Threaded,
    )));
    test(&mut Subject::open(Place::Memory(
        Twin::new(),
        Execution::Inline,
    )));
    #[cfg(feature = "rocksdb")]
    test(&mut Subject::open(Place::Directory(
        tempfile::tempdir().expect("a folder"),
    )));
}

pub(super) fn key(text: &'static str) -> Key {
    Bytes::from_static(text.as_bytes())
}

pub(super) fn put(name: &'static str, value: &'static str) -> Write {
    Write::Put(key(name), Bytes::from_static(value.as_bytes()))
}

pub(super) fn commit(
    meta: &dyn Meta,
    conditions: Vec<Condition>,
    writes: Vec<Write>,
) -> Result<Outcome, StoreError> {
    meta.commit(Txn { conditions, writes }).wait_blocking()
}

/// The version of a commit that must apply.
pub(super) fn done(meta: &dyn Meta, conditions: Vec<Condition>, writes: Vec<Write>) -> Version {
    match commit(meta, conditions, writes).expect("a healthy store") {
        Outcome::Done(version) => version,
        Outcome::Conflict(index) => panic!("condition {index} does not hold"),
    }
}

pub(super) fn get(meta: &dyn Meta, name: &'static str) -> Option<Row> {
    meta.get_many(&[key(name)])
        .expect("a healthy store")
        .pop()
        .flatten()
}

/// All rows of the upper layers.
pub(super) fn all(meta: &dyn Meta) -> BTreeMap<Key, Row> {
    meta.scan(b"\x10", b"\xff\xff", 1_000_000)
        .expect("a healthy store")
        .into_iter()
        .collect()
}
