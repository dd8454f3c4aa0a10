//! Which user keys are alive, without keeping the keys.
//!
//! Owns: a map from keys to small values in which a key is its 64-bit hash under a random seed. Among ten million keys two
//! share a hash with a chance of three in a million, and nobody can craft keys that do. An entry takes its value and 9 to
//! 18 bytes, whatever the key's length. Must not know rows.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
};

use crate::width::u64_of;

/// Live keys, each with what its owner remembers of it.
#[derive(Debug)]
pub(crate) struct LiveKeys<V> {
    seed: RandomState,
    keys: HashMap<u64, V, BuildHasherDefault<Already>>,
}

impl<V> LiveKeys<V> {
    /// No key is alive.
    pub(crate) fn new() -> Self {
        Self {
            seed: RandomState::new(),
            keys: HashMap::default(),
        }
    }

    /// The key was written.
    pub(crate) fn put(&mut self, key: &[u8], value: V) {
        self.keys.insert(self.seed.hash_one(key), value);
    }

    /// The key was deleted.
    pub(crate) fn delete(&mut self, key: &[u8]) {
        self.keys.remove(&self.seed.hash_one(key));
    }

    /// What was last said of a live key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        self.keys.get(&self.seed.hash_one(key))
    }

    /// How many keys are alive.
    pub(crate) fn count(&self) -> u64 {
        u64_of(self.keys.len())
    }
}

/// A hasher for what is a hash already.
#[derive(Debug, Default)]
pub(crate) struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only u64 keys are put into this map");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
