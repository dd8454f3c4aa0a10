//! What the clients know: the history of each key, and each client's upload.
//!
//! It is kept in the test's process, so it survives every crash of the server. Each key has one writer and any number
//! of readers.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::content::Token;
use crate::history::{Begun, History, Mark};

/// A version of an object as its writer intended it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Identifies its content; stored in its metadata.
    pub token: Token,
    /// Its length.
    pub len: u64,
    /// Its ETag without quotes; `None` for a large body without an answer yet.
    pub etag: Option<String>,
}

/// A possible state of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No object.
    Absent,
    /// An object.
    Object(Version),
}

impl State {
    /// Whether `found` is this state; if the writer could not know the ETag, any ETag matches.
    pub fn is(&self, found: &State) -> bool {
        match (self, found) {
            (Self::Absent, Self::Absent) => true,
            (Self::Object(meant), Self::Object(found)) => {
                meant.token == found.token
                    && meant.len == found.len
                    && (meant.etag.is_none() || meant.etag == found.etag)
            }
            _ => false,
        }
    }
}

/// One key.
#[derive(Debug)]
pub struct Slot {
    /// The object's key; needs no encoding in a path.
    pub key: String,
    history: Mutex<History<State>>,
}

impl Slot {
    fn new(key: String) -> Self {
        Self {
            key,
            history: Mutex::new(History::of(State::Absent)),
        }
    }

    /// The writer requests `state`.
    pub fn begin(&self, state: State) -> Begun {
        self.history.lock().begin(state)
    }

    /// The server acknowledged it; `etag` is the server's, for a body whose ETag the writer does not compute.
    pub fn acknowledge(&self, begun: Begun, etag: Option<String>) {
        let mut history = self.history.lock();
        if let Some(State::Object(version)) = history.state_mut(begun)
            && version.etag.is_none()
        {
            version.etag = etag;
        }
        history.acknowledge(begun);
    }

    /// A reader begins.
    pub fn mark(&self) -> Mark {
        self.history.lock().mark()
    }

    /// The states that a reader that began at `mark` may have seen by now.
    pub fn since(&self, mark: Mark) -> Vec<State> {
        self.history.lock().since(mark).to_vec()
    }

    /// The acknowledged state first, then those begun after it.
    pub fn allowed(&self) -> Vec<State> {
        self.history.lock().allowed().to_vec()
    }

    /// Whether its state was acknowledged since the last check.
    pub fn is_news(&self) -> bool {
        self.history.lock().is_news()
    }

    /// After a check: the state found is the state of the key.
    pub fn adopt(&self, found: State) {
        self.history.lock().adopt(found);
    }
}

/// A part of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its length.
    pub len: u64,
    /// Its ETag without quotes.
    pub etag: String,
}

/// How an upload is being ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Not at all.
    Open,
    /// Complete was requested; the object that it creates.
    Completing(Version),
    /// Abort was requested.
    Aborting,
}

/// A multipart upload of one client.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The index of its key among the client's keys.
    pub place: usize,
    /// The object's content.
    pub token: Token,
    /// `None` while its creation is not answered.
    pub id: Option<String>,
    /// Acknowledged parts, by number.
    pub parts: BTreeMap<u16, Part>,
    /// The part whose upload is not answered.
    pub sending: Option<(u16, Part)>,
    /// How it is being ended.
    pub ending: Ending,
}

impl Upload {
    /// The offset at which the next part begins.
    pub fn len(&self) -> u64 {
        self.parts.values().map(|part| part.len).sum()
    }

    /// Whether it has no parts.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// The keys and the upload of one client.
#[derive(Debug)]
pub struct Share {
    /// Its keys.
    pub slots: Vec<Slot>,
    /// Its one upload.
    pub upload: Mutex<Option<Upload>>,
}

/// The knowledge of all clients.
#[derive(Debug)]
pub struct Keyspace {
    /// By client.
    pub shares: Vec<Share>,
}

impl Keyspace {
    /// An empty bucket, and the share of each of `clients` in it.
    pub fn new(clients: usize, keys: usize) -> Self {
        let share = |client| Share {
            slots: (0..keys)
                .map(|place| Slot::new(format!("client-{client:02}/key-{place:02}")))
                .collect(),
            upload: Mutex::new(None),
        };
        Self {
            shares: (0..clients).map(share).collect(),
        }
    }

    /// Every key.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.shares.iter().flat_map(|share| &share.slots)
    }

    /// The tokens of everything acknowledged, in any form: what a log must not lose.
    pub fn acknowledged(&self) -> Vec<Token> {
        let of = |slot: &Slot| match slot.allowed().into_iter().next() {
            Some(State::Object(version)) => Some(version.token),
            _ => None,
        };
        let uploads = self.shares.iter().filter_map(|share| {
            let upload = share.upload.lock();
            upload.as_ref().map(|upload| upload.token)
        });
        self.slots().filter_map(of).chain(uploads).collect()
    }
}
