//! The knowledge of the clients: the history of each key, and each client's upload.
//!
//! It lives in the test's process, so it survives every death of the server. Each key has one writer; any number of readers
//! may look.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::content::Token;
use crate::history::{Begun, History, Mark};

/// A version of an object as its writer meant it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Names its content, and stands in its metadata.
    pub token: Token,
    /// Its length.
    pub len: u64,
    /// Its ETag without quotes; `None` for a large body whose answer has not come.
    pub etag: Option<String>,
}

/// What a key can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No object.
    Absent,
    /// An object.
    Object(Version),
}

impl State {
    /// Whether `found` is this state; an ETag that the writer could not know fits.
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

    /// The writer asks for `state`.
    pub fn begin(&self, state: State) -> Begun {
        self.history.lock().begin(state)
    }

    /// The server acknowledged it; `etag` is what it said, for a body whose ETag the writer does not compute.
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

    /// What a reader that began at `mark` may have seen by now.
    pub fn since(&self, mark: Mark) -> Vec<State> {
        self.history.lock().since(mark).to_vec()
    }

    /// The acknowledged state, first, and those begun after it.
    pub fn allowed(&self) -> Vec<State> {
        self.history.lock().allowed().to_vec()
    }

    /// Whether its state was acknowledged since the last check.
    pub fn is_news(&self) -> bool {
        self.history.lock().is_news()
    }

    /// After a check: what was found is what is.
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
    /// Complete has been asked for; the object it makes.
    Completing(Version),
    /// Abort has been asked for.
    Aborting,
}

/// A multipart upload of one client.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Which of the client's keys it is for.
    pub place: usize,
    /// The object's content.
    pub token: Token,
    /// `None` while its creation has not been answered.
    pub id: Option<String>,
    /// Parts acknowledged, by number.
    pub parts: BTreeMap<u16, Part>,
    /// The part whose upload has not been answered.
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

/// What one client owns.
#[derive(Debug)]
pub struct Share {
    /// Its keys.
    pub slots: Vec<Slot>,
    /// Its one upload.
    pub upload: Mutex<Option<Upload>>,
}

/// All of it.
#[derive(Debug)]
pub struct Keyspace {
    /// By client.
    pub shares: Vec<Share>,
}

impl Keyspace {
    /// An empty bucket, and what each of `clients` will own in it.
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

    /// The tokens of all that has been acknowledged, in any form: what a log must not lose.
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
