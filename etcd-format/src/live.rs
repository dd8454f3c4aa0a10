//! Tracks live user keys without storing the keys.
//!
//! Owns: a map from keys to small values. It stores the 64-bit hash of a key, with a random seed. Among ten million keys, the
//! probability of a collision is three in a million, and collisions cannot be crafted. An entry takes its value and 9 to 18
//! bytes, regardless of the key's length. Must not know rows.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
};

use crate::width::u64_of;

/// Live keys, each with a value of its owner.
#[derive(Debug)]
pub(crate) struct LiveKeys<V> {
    seed: RandomState,
    keys: HashMap<u64, V, BuildHasherDefault<Already>>,
}

impl<V> LiveKeys<V> {
    /// A map without live keys.
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

    /// The last value of a live key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        self.keys.get(&self.seed.hash_one(key))
    }

    /// The number of live keys.
    pub(crate) fn count(&self) -> u64 {
        u64_of(self.keys.len())
    }
}

/// A hasher for values that are already hashes.
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
