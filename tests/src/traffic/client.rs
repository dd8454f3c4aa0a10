//! One client of the workload: a random walk over its own keys, with reads of everybody's keys.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::calls::{CallError, Caller};
use super::content::{Token, hex, md5, md5_of};
use super::findings::Kind;
use super::keyspace::{Ending, Part, Share, Slot, State, Upload, Version};
use super::wire::Body;
use super::{Mix, Phase, Workload, own_bucket};
use crate::clock;
use crate::server::Server;
use crate::workload::random::Random;

/// For longer bodies the server's ETag is trusted: hashing is slower than sending.
const HASHED_BYTES_MAX: u64 = 16 << 20;

/// Maximum number of keys in one DeleteObjects.
const DELETED_TOGETHER_MAX: u32 = 6;

/// A slow reader waits this long after a number of bytes: some seconds for the largest everyday bodies.
const SLOW_WAIT: Duration = Duration::from_millis(20);
const SLOW_EVERY_BYTES: u64 = 64 * 1024;

/// A client, its position and its random choices.
#[derive(Debug)]
pub struct Client<'a> {
    workload: &'a Workload,
    phase: &'a Phase,
    /// The number of huge bodies being sent now.
    huge: &'a AtomicUsize,
    id: usize,
    random: Random,
    caller: Caller,
}

/// The client has seen the server die, or has made a finding after which it cannot continue.
struct Over;

impl<'a> Client<'a> {
    /// Client `id` of a workload.
    pub fn new(
        workload: &'a Workload,
        server: &Server,
        (phase, huge): (&'a Phase, &'a AtomicUsize),
        id: usize,
        random: Random,
    ) -> Self {
        Self {
            workload,
            phase,
            huge,
            id,
            random,
            caller: Caller::of(server),
        }
    }

    /// Works until the workload is over or the server is gone.
    pub fn run(mut self) {
        let shares = &self.workload.keyspace.shares;
        while !self.phase.is_over() {
            let done = match shares.get(self.id) {
                Some(share) => self.write(share),
                None => self.read(self.id % 2 == 1),
            };
            if done.is_err() {
                return;
            }
            let pause = self.random.below(self.workload.mix.pause_ms_max);
            clock::pass(Duration::from_millis(pause.into()));
        }
    }

    fn write(&mut self, share: &'a Share) -> Result<(), Over> {
        match self.random.below(100) {
            0..50 => self.put(share),
            50..60 => self.delete(share),
            60..64 => self.delete_many(share),
            64..80 => self.multipart(share),
            80..82 => self.own_bucket(),
            _ => self.read(false),
        }
    }

    fn put(&mut self, share: &'a Share) -> Result<(), Over> {
        let slot = self.slot_without_upload(share);
        let (len, guard) = self.length();
        let version = self.version(len);
        let token = version.token;
        let meant = version.etag.clone();
        let begun = slot.begin(State::Object(version));
        let answer = self.caller.put(&slot.key, token, len);
        drop(guard);
        let etag = self.judge(answer)?;
        self.same_etag(&slot.key, meant.as_ref(), &etag);
        slot.acknowledge(begun, Some(etag));
        self.workload.findings.acknowledged();
        Ok(())
    }

    fn delete(&mut self, share: &'a Share) -> Result<(), Over> {
        let slot = self.slot_without_upload(share);
        let begun = slot.begin(State::Absent);
        let answer = self.caller.delete(&slot.key);
        self.judge(answer)?;
        slot.acknowledge(begun, None);
        self.workload.findings.acknowledged();
        Ok(())
    }

    fn delete_many(&mut self, share: &'a Share) -> Result<(), Over> {
        let mut slots: Vec<&Slot> = (0..2 + self.random.below(DELETED_TOGETHER_MAX - 1))
            .map(|_| self.slot_without_upload(share))
            .collect();
        slots.sort_by(|a, b| a.key.cmp(&b.key));
        slots.dedup_by(|a, b| a.key == b.key);
        let begun: Vec<_> = slots.iter().map(|slot| slot.begin(State::Absent)).collect();
        let keys: Vec<_> = slots.iter().map(|slot| slot.key.as_str()).collect();
        let answer = self.caller.delete_many(&keys);
        self.judge(answer)?;
        for (slot, begun) in slots.iter().zip(begun) {
            slot.acknowledge(begun, None);
            self.workload.findings.acknowledged();
        }
        Ok(())
    }

    fn own_bucket(&mut self) -> Result<(), Over> {
        let (caller, findings) = (&mut self.caller, &self.workload.findings);
        let answer = own_bucket::round(caller, self.id, self.phase, findings);
        self.judge(answer)
    }

    /// The next step of the client's upload.
    fn multipart(&mut self, share: &'a Share) -> Result<(), Over> {
        let upload = share.upload.lock().clone();
        let Some(upload) = upload else {
            return self.create(share);
        };
        let slot = &share.slots[upload.place];
        let id = upload.id.clone().unwrap_or_default();
        let last = upload
            .parts
            .values()
            .any(|part| part.len != self.workload.mix.part_bytes);
        let full = upload.parts.len() >= usize::from(self.workload.mix.parts_max);
        match self.random.below(10) {
            0 => {
                set(share, |upload| upload.ending = Ending::Aborting);
                let answer = self.caller.abort((&slot.key, &id));
                self.judge(answer)?;
                *share.upload.lock() = None;
                self.workload.findings.acknowledged();
                Ok(())
            }
            1..4 if !upload.is_empty() => self.complete(share, &upload),
            _ if last || full => self.complete(share, &upload),
            _ => self.part(share, &upload),
        }
    }

    fn create(&mut self, share: &'a Share) -> Result<(), Over> {
        let places = u32::try_from(share.slots.len()).expect("few keys");
        let place = usize::try_from(self.random.below(places)).expect("few keys");
        let token = Token(self.random.bits());
        *share.upload.lock() = Some(Upload {
            place,
            token,
            id: None,
            parts: std::collections::BTreeMap::new(),
            sending: None,
            ending: Ending::Open,
        });
        let answer = self.caller.create(&share.slots[place].key, token);
        let id = self.judge(answer)?;
        set(share, |upload| upload.id = Some(id));
        self.workload.findings.acknowledged();
        Ok(())
    }

    fn part(&mut self, share: &'a Share, upload: &Upload) -> Result<(), Over> {
        let slot = &share.slots[upload.place];
        let number = u16::try_from(upload.parts.len() + 1).expect("few parts");
        let short = self.random.below(3) == 0;
        let len = if short {
            self.log_uniform(
                self.workload.mix.bytes_min,
                self.workload.mix.everyday_bytes_max,
            )
        } else {
            self.workload.mix.part_bytes
        };
        let (token, from) = (upload.token, upload.len());
        let etag = hex(&md5(token, from, len));
        let part = Part { len, etag };
        set(share, |upload| {
            upload.sending = Some((number, part.clone()));
        });
        let id = upload.id.as_deref().unwrap_or_default();
        let body = Body::Content { token, from, len };
        let answer = self.caller.part((&slot.key, id), number, body);
        let etag = self.judge(answer)?;
        self.same_etag(&slot.key, Some(&part.etag), &etag);
        set(share, |upload| {
            upload.sending = None;
            upload.parts.insert(number, part);
        });
        self.workload.findings.acknowledged();
        Ok(())
    }

    fn complete(&mut self, share: &'a Share, upload: &Upload) -> Result<(), Over> {
        let slot = &share.slots[upload.place];
        let tags = upload.parts.values().flat_map(|part| unhex(&part.etag));
        let joined = hex(&md5_of(&tags.collect::<Vec<_>>()));
        let version = Version {
            token: upload.token,
            len: upload.len(),
            etag: Some(format!("{joined}-{}", upload.parts.len())),
        };
        set(share, |upload| {
            upload.ending = Ending::Completing(version.clone());
        });
        let begun = slot.begin(State::Object(version.clone()));
        let id = upload.id.as_deref().unwrap_or_default();
        let parts = upload.parts.clone().into_iter();
        let answer = self.caller.complete((&slot.key, id), parts);
        let etag = self.judge(answer)?;
        self.same_etag(&slot.key, version.etag.as_ref(), &etag);
        slot.acknowledge(begun, Some(etag));
        *share.upload.lock() = None;
        self.workload.findings.acknowledged();
        Ok(())
    }

    /// A GET of any client's key: the result must be a state that the key had during the request.
    fn read(&mut self, slowly: bool) -> Result<(), Over> {
        let all = self.workload.mix.writers * self.workload.mix.keys;
        let all = u32::try_from(all).expect("few keys");
        let at = usize::try_from(self.random.below(all)).expect("few keys");
        let slot = self.workload.keyspace.slots().nth(at).expect("below all");
        let mark = slot.mark();
        let (mut next, phase) = (SLOW_EVERY_BYTES, self.phase);
        let answer = self.caller.get(&slot.key, |seen| {
            if slowly && seen >= next && !phase.is_over() {
                next += SLOW_EVERY_BYTES;
                clock::pass(SLOW_WAIT);
            }
        });
        let found = self.judge(answer)?;
        let allowed = slot.since(mark);
        if !allowed.iter().any(|state| state.is(&found)) {
            let what = format!("{}: read {found:?}, could be {allowed:?}", slot.key);
            let gone = found == State::Absent;
            let kind = if gone { Kind::Lost } else { Kind::Wrong };
            self.workload.findings.add(kind, what);
        }
        self.workload.findings.read();
        Ok(())
    }

    /// Evaluates an answer: failures are findings unless the server is dying.
    fn judge<T>(&self, answer: Result<T, CallError>) -> Result<T, Over> {
        if answer.is_ok() && self.phase.is_unpowered() {
            return Err(Over);
        }
        answer.map_err(|trouble| {
            let wrong = matches!(trouble, CallError::Wrong { .. });
            if wrong || !self.phase.is_dying() {
                self.workload.findings.add(Kind::Wrong, trouble);
            }
            Over
        })
    }

    fn same_etag(&self, key: &str, meant: Option<&String>, seen: &str) {
        if meant.is_some_and(|meant| meant != seen) {
            let what = format!("{key}: ETag {seen} in place of {meant:?}");
            self.workload.findings.add(Kind::Wrong, what);
        }
    }

    /// One of the client's keys, except the key of its upload: a Complete without an answer leaves two possible states.
    fn slot_without_upload(&mut self, share: &'a Share) -> &'a Slot {
        let taken = share.upload.lock().as_ref().map(|upload| upload.place);
        let places = u32::try_from(share.slots.len()).expect("few keys");
        loop {
            let place = usize::try_from(self.random.below(places)).expect("few keys");
            if Some(place) != taken {
                return &share.slots[place];
            }
        }
    }

    fn version(&mut self, len: u64) -> Version {
        let token = Token(self.random.bits());
        let etag = (len <= HASHED_BYTES_MAX).then(|| hex(&md5(token, 0, len)));
        Version { token, len, etag }
    }

    /// A body's length; for a huge body, also one of the few permits.
    fn length(&mut self) -> (u64, Option<HugePlace<'a>>) {
        let Mix {
            bytes_min,
            everyday_bytes_max,
            large_bytes_max,
            huge_bytes_max,
            ..
        } = self.workload.mix;
        match self.random.below(100) {
            0 if huge_bytes_max > 0 => {
                if let Some(place) = HugePlace::take(self.huge) {
                    let len = self.log_uniform(large_bytes_max, huge_bytes_max);
                    return (len, Some(place));
                }
                (self.log_uniform(bytes_min, large_bytes_max), None)
            }
            0..10 => (self.log_uniform(bytes_min, large_bytes_max), None),
            _ => (self.log_uniform(bytes_min, everyday_bytes_max), None),
        }
    }

    /// Between `min` and `max`, with each doubling equally likely.
    fn log_uniform(&mut self, min: u64, max: u64) -> u64 {
        let doublings = (max / min).max(1).ilog2();
        let base = min << self.random.below(doublings + 1);
        let more = u32::try_from(base).expect("below 4 GiB");
        (base + u64::from(self.random.below(more))).min(max)
    }
}

/// A permit for a huge body.
struct HugePlace<'a>(&'a AtomicUsize);

/// Maximum number of huge bodies sent at a time: more would starve the small ones.
const HUGE_MAX: usize = 2;

impl<'a> HugePlace<'a> {
    fn take(huge: &'a AtomicUsize) -> Option<Self> {
        let place = Self(huge);
        // If it was one too many, dropping it returns it.
        (huge.fetch_add(1, Ordering::SeqCst) < HUGE_MAX).then_some(place)
    }
}

impl Drop for HugePlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn set(share: &Share, change: impl FnOnce(&mut Upload)) {
    if let Some(upload) = share.upload.lock().as_mut() {
        change(upload);
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .filter_map(|i| text.get(2 * i..2 * i + 2))
        .filter_map(|pair| u8::from_str_radix(pair, 16).ok())
        .collect()
}
