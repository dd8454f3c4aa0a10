//! One test suite over the two seams: what every Meta engine and every kind of Packs must do, written against the
//! traits.
//!
//! A new engine joins by opening a [`Store`] over it in [`Subject`]; a [`Meta`] without an engine joins in
//! [`on_each_meta`]. Behaviour specific to one backend is tested next to that backend.

mod map;
mod meta;
mod packs;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use self::map::MapMeta;
use crate::clock::{ManualClock, SeededEntropy, UnixMillis};
use crate::meta::{Condition, DryRunMeta, Key, Meta, Outcome, Row, Txn, Version, Write};
use crate::{Execution, MemoryBackend, Store, StoreError};

/// A store under test that can be closed and opened again.
pub(super) struct Subject {
    backend: Backend,
    store: Option<Store>,
}

enum Backend {
    Memory(MemoryBackend, Execution),
    #[cfg(feature = "rocksdb")]
    Directory(tempfile::TempDir),
}

impl Subject {
    fn open(backend: Backend) -> Subject {
        let mut subject = Subject {
            backend,
            store: None,
        };
        subject.reopen();
        subject
    }

    /// Closes the store and opens it again, as the next process would.
    pub(super) fn reopen(&mut self) {
        self.store = None;
        let clock = Arc::new(ManualClock::at(UnixMillis(1_700_000_000_000)));
        let entropy = SeededEntropy::new(7);
        let store = match &self.backend {
            Backend::Memory(backend, commits) => backend.open(clock, &entropy, *commits),
            #[cfg(feature = "rocksdb")]
            Backend::Directory(dir) => Store::open(dir.path(), clock, &entropy),
        };
        self.store = Some(store.expect("a whole store opens"));
    }

    pub(super) fn store(&self) -> &Store {
        self.store
            .as_ref()
            .expect("open but for a moment in reopen")
    }
}

/// Runs a test on every kind of store.
pub(super) fn on_each(test: impl Fn(&mut Subject)) {
    let memory = |execution| Subject::open(Backend::Memory(MemoryBackend::new(), execution));
    test(&mut memory(Execution::Threaded));
    test(&mut memory(Execution::Inline));
    #[cfg(feature = "rocksdb")]
    test(&mut Subject::open(Backend::Directory(
        tempfile::tempdir().expect("a folder"),
    )));
}

/// A [`Meta`] under test: that of a store, or one that needs nothing else from this crate.
pub(super) trait MetaSubject {
    fn meta(&self) -> &dyn Meta;

    /// Ends this use of it and begins another, as the next process would.
    fn reopen(&mut self) {}
}

impl MetaSubject for Subject {
    fn meta(&self) -> &dyn Meta {
        &*self.store().meta
    }

    fn reopen(&mut self) {
        Subject::reopen(self);
    }
}

impl MetaSubject for MapMeta {
    fn meta(&self) -> &dyn Meta {
        self
    }
}

/// A dry run over a map; after a reopen, another dry run over the first.
struct DryRun(Arc<DryRunMeta>);

impl MetaSubject for DryRun {
    fn meta(&self) -> &dyn Meta {
        &*self.0
    }

    fn reopen(&mut self) {
        let below = Arc::<DryRunMeta>::clone(&self.0);
        self.0 = Arc::new(DryRunMeta::over(below));
    }
}

/// Runs a test on every implementation of [`Meta`].
pub(super) fn on_each_meta(test: impl Fn(&mut dyn MetaSubject)) {
    on_each(|subject| test(subject));
    test(&mut MapMeta::default());
    let map = Arc::new(MapMeta::default());
    test(&mut DryRun(Arc::new(DryRunMeta::over(map))));
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
