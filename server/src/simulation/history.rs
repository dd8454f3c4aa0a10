//! The record of what clients were told, and what later reads may therefore return.
//!
//! Each key is a register with overlapping writes. A read may return the value of a write that began before the read
//! ended, unless another acknowledged write lies completely between the two. A write without an answer may take effect
//! at any time.

mod uploads;

use std::collections::BTreeMap;

use uploads::Upload;

use crate::clock::{Entropy, SeededEntropy};
use crate::model::{ETag, UploadId};

/// Identifies one body; stored in its object's metadata.
pub(super) type Token = u64;

/// A piece of a body: bytes generated from a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) seed: u64,
    pub(super) len: usize,
}

impl Piece {
    /// Its bytes; every second piece compresses well.
    pub(super) fn bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        if self.seed.is_multiple_of(2) {
            SeededEntropy::new(self.seed).fill(&mut bytes);
        } else {
            let pattern = self.seed.to_le_bytes();
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = pattern[at % 8] ^ u8::try_from((at / 97) % 251).expect("below 251");
            }
        }
        bytes
    }

    pub(super) fn etag(self) -> ETag {
        use md5::Digest;
        ETag::whole(md5::Md5::digest(self.bytes()).into())
    }

    /// The ETag of an object completed from this part alone.
    pub(super) fn etag_as_a_part(self) -> ETag {
        use md5::Digest;
        ETag {
            md5: md5::Md5::digest(self.etag().md5).into(),
            parts: 1,
        }
    }
}

struct Write {
    value: Option<Token>,
    began: u64,
    /// When it was acknowledged.
    ended: Option<u64>,
}

/// Everything that clients know.
#[derive(Default)]
pub(super) struct History {
    time: u64,
    keys: BTreeMap<String, Vec<Write>>,
    /// The bodies of each token; several while an upload is being completed.
    bodies: BTreeMap<Token, Vec<Piece>>,
    uploads: BTreeMap<UploadId, Upload>,
    /// Acknowledged operations with a checked result.
    pub(super) checked: u64,
}

/// A write in progress: its key and its position in the key's history.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    key: String,
    began: u64,
}

impl History {
    fn tick(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    /// Adds a possible body of a token.
    pub(super) fn describe(&mut self, token: Token, piece: Piece) {
        self.bodies.entry(token).or_default().push(piece);
    }

    /// Whether these bytes are a possible body of the token; `None` when the token is unknown.
    pub(super) fn may_be(&self, token: Token, bytes: &[u8]) -> Option<bool> {
        let pieces = self.bodies.get(&token)?;
        Some(pieces.iter().any(|piece| piece.bytes() == bytes))
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.keys.keys().cloned().collect()
    }

    pub(super) fn begin(&mut self, key: &str, value: Option<Token>) -> Ticket {
        let began = self.tick();
        self.keys.entry(key.to_owned()).or_default().push(Write {
            value,
            began,
            ended: None,
        });
        Ticket {
            key: key.to_owned(),
            began,
        }
    }

    pub(super) fn acknowledge(&mut self, ticket: &Ticket) {
        let now = self.tick();
        self.write(ticket).ended = Some(now);
    }

    /// Definitely refused: the write never happened.
    pub(super) fn refuse(&mut self, ticket: &Ticket) {
        let writes = self.keys.entry(ticket.key.clone()).or_default();
        writes.retain(|write| write.began != ticket.began);
    }

    fn write(&mut self, ticket: &Ticket) -> &mut Write {
        let writes = self.keys.entry(ticket.key.clone()).or_default();
        let found = writes.iter_mut().find(|write| write.began == ticket.began);
        found.expect("a ticket's write is there until it is refused")
    }

    pub(super) fn now(&mut self) -> u64 {
        self.tick()
    }

    /// A key that had an object at every moment since `from`, whatever the order of the changes in progress.
    /// The caller's own changes do not count.
    pub(super) fn surely_present(&self, from: u64, own: &[Ticket]) -> Option<String> {
        let present = |writes: &Vec<Write>| {
            let before = |write: &Write, moment| write.ended.is_some_and(|end| end < moment);
            let others = |write: &&Write| own.iter().all(|ticket| ticket.began != write.began);
            let (deletes, puts): (Vec<_>, Vec<_>) = writes
                .iter()
                .filter(others)
                .partition(|write| write.value.is_none());
            let puts: Vec<_> = puts.into_iter().filter(|put| before(put, from)).collect();
            let replaced = |delete: &&Write| puts.iter().any(|put| before(delete, put.began));
            !puts.is_empty() && deletes.iter().all(replaced)
        };
        let mut full = self.keys.iter().filter(|(_, writes)| present(writes));
        full.next().map(|(key, _)| key.clone())
    }

    /// Checks the result of a read that began at `from`.
    pub(super) fn judge(
        &mut self,
        key: &str,
        from: u64,
        found: Option<Token>,
    ) -> Result<(), String> {
        let until = self.tick();
        self.checked += 1;
        let writes = self.keys.entry(key.to_owned()).or_default();
        let superseded = |after: u64| {
            let between =
                |write: &&Write| write.began > after && write.ended.is_some_and(|end| end < from);
            writes.iter().find(between)
        };
        let mut newer = None;
        if found.is_none() {
            newer = superseded(0);
            if newer.is_none() {
                return Ok(());
            }
        }
        for write in writes
            .iter()
            .filter(|write| write.value == found && write.began < until)
        {
            let Some(ended) = write.ended else {
                return Ok(());
            };
            newer = superseded(ended);
            if newer.is_none() {
                return Ok(());
            }
        }
        let by = newer.map_or_else(String::new, |write| {
            format!(
                "; {:?} was acknowledged at {:?}, before the read began at {from}",
                write.value, write.ended
            )
        });
        Err(format!("{key} gives {found:?}{by}"))
    }

    /// Nothing is in progress, and `found` is the current state: it settles all earlier writes.
    pub(super) fn settle(&mut self, key: &str, found: Option<Token>) {
        let began = self.tick();
        let ended = Some(self.tick());
        let settled = Write {
            value: found,
            began,
            ended,
        };
        self.keys.insert(key.to_owned(), vec![settled]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overwritten_value_may_be_read_only_while_the_overwrite_runs() {
        let mut history = History::default();
        let first = history.begin("a", Some(1));
        history.acknowledge(&first);
        let second = history.begin("a", Some(2));
        let during = history.now();
        history.acknowledge(&second);
        let after = history.now();
        assert!(history.judge("a", during, Some(1)).is_ok());
        assert!(history.judge("a", during, Some(2)).is_ok());
        assert!(history.judge("a", during, None).is_err());
        assert!(history.judge("a", after, Some(1)).is_err());
        assert!(history.judge("a", after, Some(2)).is_ok());
    }

    #[test]
    fn a_write_without_an_answer_may_have_happened_or_not() {
        let mut history = History::default();
        let first = history.begin("a", Some(1));
        history.acknowledge(&first);
        let _unanswered = history.begin("a", None);
        let after = history.now();
        assert!(history.judge("a", after, Some(1)).is_ok());
        assert!(history.judge("a", after, None).is_ok());
        history.settle("a", None);
        let after = history.now();
        assert!(history.judge("a", after, Some(1)).is_err());
        assert!(history.judge("a", after, Some(9)).is_err());
    }
}
