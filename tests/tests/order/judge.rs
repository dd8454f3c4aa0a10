//! The order that makes an acknowledged request durable, checked on a trace.
//!
//! For a request: every pack written for it is synced after its last write; the entry of every new pack, and of every new
//! folder above it, is synced by its folder; then the commit is written to Meta's log; the log is synced (and its entry,
//! when it is new); then the answer goes out.

use std::path::Path;

use strongroom_tests::trace::Call;
use strongroom_tests::traffic::content::Token;

/// An answered request, and how to find its calls.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// A text in the commit's batch, if the batch contains anything of the request.
    commit: Option<String>,
    /// A text in the answer: the ETag or upload id.
    answer: String,
    /// A text in each pack write of a small body that shares its pack: the object's key. Other packs are not checked.
    key: Option<String>,
    /// Minimum number of packs that it takes.
    pub(crate) packs_min: usize,
}

impl Request {
    /// A put of an object.
    pub(crate) fn object(key: &str, token: Token, etag: String) -> Self {
        Self {
            commit: Some(token.to_string()),
            answer: etag,
            key: Some(key.to_owned()),
            packs_min: 1,
        }
    }

    /// A part: its commit contains no plain text of it, so it must be the only request at that time.
    pub(crate) fn part(etag: String) -> Self {
        Self {
            commit: None,
            answer: etag,
            key: None,
            packs_min: 1,
        }
    }

    /// A request without a body.
    pub(crate) fn step(commit: String, answer: String) -> Self {
        Self {
            commit: Some(commit),
            answer,
            key: None,
            packs_min: 0,
        }
    }

    /// The call that answered it.
    pub(crate) fn answer<'a>(&self, calls: &'a [Call]) -> Option<&'a Call> {
        calls.iter().find(|call| {
            call.path.starts_with("socket:")
                && call.is_write()
                && call.arguments.contains("HTTP/1.1 200")
                && call.arguments.contains(&self.answer)
        })
    }
}

/// Whether a path is Meta's log.
pub(crate) fn is_meta_log(path: &str) -> bool {
    path.contains("/meta/") && Path::new(path).extension().is_some_and(|e| e == "log")
}

/// Whether a path is a pack.
pub(crate) fn is_pack(path: &str) -> bool {
    path.contains("/packs/") && Path::new(path).extension().is_some_and(|e| e == "pack")
}

/// Violations of the order in a request with the calls `calls`; `all` are the calls since the server's start.
pub(crate) fn violations(all: &[Call], calls: &[Call], request: &Request) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut broken = |what: String| wrong.push(format!("{request:?}: {what}"));
    let answer = request.answer(calls).expect("the caller has seen it");
    let mut commits = calls.iter().filter(|c| {
        is_meta_log(&c.path)
            && c.is_write()
            && c.before(answer)
            && request
                .commit
                .as_ref()
                .is_none_or(|token| c.arguments.contains(token))
    });
    let Some(commit) = commits.next_back() else {
        broken("no commit was written before the answer".to_owned());
        return wrong;
    };
    if !synced_between(all, commit, answer) {
        broken(format!(
            "not before the answer: {} log is synced",
            commit.path
        ));
    }
    if !entry_durable(all, &commit.path, answer) {
        broken(format!(
            "not before the answer: {}'s folder is synced",
            commit.path
        ));
    }
    let mut packs: Vec<&str> = Vec::new();
    let own = |call: &&Call| {
        is_pack(&call.path)
            && call.is_write()
            && call.before(answer)
            && request
                .key
                .as_ref()
                .is_none_or(|key| call.arguments.contains(key.as_str()))
    };
    // The key is in each segment's table; every write to a pack that contains the key counts.
    packs.extend(calls.iter().filter(own).map(|call| call.path.as_str()));
    packs.sort_unstable();
    packs.dedup();
    if packs.len() < request.packs_min {
        broken(format!(
            "in {} packs, at least {}",
            packs.len(),
            request.packs_min
        ));
    }
    for pack in packs {
        let written = |c: &&Call| c.path == pack && c.is_write() && c.before(commit);
        let last = calls
            .iter()
            .filter(written)
            .rfind(own)
            .or_else(|| calls.iter().rfind(written));
        match last {
            Some(last) if synced_between(all, last, commit) => {}
            _ => broken(format!("not before the commit: {pack}'s pack is synced")),
        }
        let mut entry = pack;
        while let Some(folder) = parent(entry) {
            if !entry_durable(all, entry, commit) {
                broken(format!("not before the commit: {entry}'s folder is synced"));
            }
            entry = folder;
        }
    }
    wrong
}

/// Whether the file written by `write` was synced after it and before `then`.
fn synced_between(all: &[Call], write: &Call, then: &Call) -> bool {
    let sync = |c: &Call| c.is_sync() && c.path == write.path && write.before(c) && c.before(then);
    all.iter().any(sync)
}

/// Whether the entry of `path`, if it was created in this life, was made durable before `then`.
fn entry_durable(all: &[Call], path: &str, then: &Call) -> bool {
    let made = all.iter().find(|c| c.path == path && c.is_creation());
    let (Some(made), Some(folder)) = (made, parent(path)) else {
        return true;
    };
    let sync = |c: &Call| c.is_sync() && c.path == folder && made.before(c) && c.before(then);
    all.iter().any(sync)
}

/// The folder, up to the data directory's own entries.
fn parent(path: &str) -> Option<&str> {
    let (folder, _) = path.rsplit_once('/')?;
    (folder.contains("/server")).then_some(folder)
}
