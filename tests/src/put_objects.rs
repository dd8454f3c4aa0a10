//! Objects that a suite puts, and a later check of the server's answers.
//!
//! Contents are generated from seed, key and size, so only names are kept. One thread, small objects: for load and
//! kills there is [`crate::traffic`].

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::history::History;
use crate::s3::S3;
use crate::server::{BUCKET, Server};
use crate::workload::random::Random;

/// The acknowledged objects.
#[derive(Debug, Clone)]
pub struct PutObjects {
    seed: u64,
    /// By key: the object's size, or none.
    keys: BTreeMap<String, History<Option<usize>>>,
}

/// The server's answers about the acknowledged objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Served byte for byte.
    pub right: Vec<String>,
    /// Refused with 5xx, or the connection was cut: an honest failure.
    pub failed: Vec<String>,
    /// 404, as if they had never existed.
    pub absent: Vec<String>,
    /// Served with other bytes, or with an invalid answer.
    pub wrong: Vec<String>,
}

impl PutObjects {
    /// Empty.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            keys: BTreeMap::new(),
        }
    }

    /// Incompressible bytes.
    pub fn content(&self, key: &str, size: usize) -> Vec<u8> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Random::new(self.seed ^ hasher.finish()).bytes(size)
    }

    /// Puts an object and records it if the put was acknowledged. Returns the status, 0 if there was no answer.
    pub fn put(&mut self, server: &Server, key: &str, size: usize) -> u16 {
        let s3 = S3::of(server);
        let body = self.content(key, size);
        let answer = s3.try_send(&s3.signed("PUT", &path(key), &[], &body));
        let status = answer.map_or(0, |answer| answer.status);
        let begun = self.history(key).begin(Some(size));
        match status {
            200 => self.history(key).acknowledge(begun),
            // No answer: the object may exist.
            0 => {}
            // A refusal changes nothing.
            _ => self.history(key).refuse(begun),
        }
        status
    }

    /// Puts an object; the server must accept it.
    #[track_caller]
    pub fn must_put(&mut self, server: &Server, key: &str, size: usize) {
        let status = self.put(server, key, size);
        assert_eq!(status, 200, "{key}, {size} bytes");
    }

    /// Deletes an object. Without an acknowledgement, both states are right.
    pub fn delete(&mut self, server: &Server, key: &str) -> u16 {
        let s3 = S3::of(server);
        let answer = s3.try_send(&s3.signed("DELETE", &path(key), &[], b""));
        let status = answer.map_or(0, |answer| answer.status);
        let begun = self.history(key).begin(None);
        if status == 204 {
            self.history(key).acknowledge(begun);
        }
        status
    }

    fn history(&mut self, key: &str) -> &mut History<Option<usize>> {
        let absent = || History::of(None);
        self.keys.entry(key.to_owned()).or_insert_with(absent)
    }

    /// The keys that must have an object.
    pub fn keys(&self) -> Vec<String> {
        self.sizes().map(|(key, _)| key.to_owned()).collect()
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        u64::try_from(self.sizes().count()).expect("few")
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sizes().next().is_none()
    }

    /// The objects that must exist: acknowledged, with no later request.
    fn sizes(&self) -> impl Iterator<Item = (&str, usize)> {
        let settled = |history: &History<Option<usize>>| match history.allowed() {
            [Some(size)] => Some(*size),
            _ => None,
        };
        let keys = self.keys.iter();
        keys.filter_map(move |(key, history)| Some((key.as_str(), settled(history)?)))
    }

    /// Reads every object.
    pub fn look(&self, server: &Server) -> Seen {
        let s3 = S3::of(server);
        let mut seen = Seen::default();
        for (key, size) in self.sizes() {
            let list = match s3.try_send(&s3.signed("GET", &path(key), &[], b"")) {
                Err(_) => &mut seen.failed,
                Ok(answer) if answer.status >= 500 => &mut seen.failed,
                Ok(answer) if answer.status == 404 => &mut seen.absent,
                Ok(answer) if answer.status == 200 => {
                    let content = self.content(key, size);
                    if answer.body == content {
                        &mut seen.right
                    } else if content.starts_with(&answer.body) {
                        // Shorter than its Content-Length: every client notices.
                        &mut seen.failed
                    } else {
                        &mut seen.wrong
                    }
                }
                Ok(_) => &mut seen.wrong,
            };
            list.push(key.to_owned());
        }
        seen
    }

    /// Panics unless every acknowledged object is served byte for byte.
    #[track_caller]
    pub fn assert_whole(&self, server: &Server, what: &str) {
        let seen = self.look(server);
        assert_eq!(seen.right.len(), self.sizes().count(), "{what}: {seen:?}");
    }

    /// Panics unless a refused object is absent, or complete nevertheless.
    #[track_caller]
    pub fn assert_absent_or_whole(&self, server: &Server, key: &str, size: usize) {
        let answer = S3::of(server).get(&path(key));
        let whole = answer.status == 200 && answer.body == self.content(key, size);
        assert!(
            answer.status == 404 || whole,
            "{key} was refused and is half there: {} with {} bytes",
            answer.status,
            answer.body.len()
        );
    }
}

/// An object's path.
pub fn path(key: &str) -> String {
    format!("/{BUCKET}/{key}")
}
