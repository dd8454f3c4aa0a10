//! The check after a restart: each object must be one that its history allows, byte by byte. Its state then becomes the
//! history.
//!
//! Nothing else talks to the server at the same time. Every key is read whole; the listing must agree with the reads;
//! open uploads and their parts must be the acknowledged ones.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

use parking_lot::Mutex;

use super::Workload;
use super::calls::{CallError, Caller, ListedUpload};
use super::findings::{Findings, Kind};
use super::keyspace::{Ending, Part, Share, Slot, State, Upload, Version};
use crate::server::Server;

/// Parallel readers of the check: two per core of the suites' machine.
const READERS: usize = 4;

/// Compares everything, and adopts the result as the new history.
pub fn after_restart(workload: &Workload, server: &Server) {
    let findings = &workload.findings;
    let slots: Vec<_> = workload.keyspace.slots().collect();
    let listed = Mutex::new(listing(server, findings));
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            let work = || {
                let mut caller = Caller::of(server);
                while let Some(slot) = slots.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let entry = listed.lock().remove(&slot.key);
                    object(slot, &mut caller, entry.as_ref(), findings);
                }
            };
            let spawned = Builder::new().spawn_scoped(scope, work);
            spawned.expect("the system gives a thread");
        }
    });
    for (key, entry) in listed.lock().iter() {
        findings.add(
            Kind::Wrong,
            format!("{key} {entry:?} is listed, nobody put it"),
        );
    }
    let mut caller = Caller::of(server);
    let mut open = caller.uploads().unwrap_or_else(|trouble| {
        findings.add(Kind::Wrong, format!("uploads: {trouble}"));
        Vec::new()
    });
    for share in &workload.keyspace.shares {
        upload(share, &mut open, &mut caller, findings);
    }
    for upload in open {
        findings.add(
            Kind::Wrong,
            format!("{upload:?} is open, nobody created it"),
        );
    }
}

type Listing = BTreeMap<String, (u64, String)>;

fn listing(server: &Server, findings: &Findings) -> Listing {
    match Caller::of(server).list() {
        Ok(all) => all
            .into_iter()
            .map(|(key, size, etag)| (key, (size, etag)))
            .collect(),
        Err(trouble) => {
            findings.add(Kind::Wrong, format!("listing: {trouble}"));
            Listing::new()
        }
    }
}

fn object(slot: &Slot, caller: &mut Caller, entry: Option<&(u64, String)>, findings: &Findings) {
    let allowed = slot.allowed();
    if slot.is_news() {
        findings.checked();
    }
    let found = match caller.get(&slot.key, |_| ()) {
        Ok(found) => found,
        Err(trouble) => {
            let wrong = matches!(trouble, CallError::Wrong { .. });
            let kind = if wrong { Kind::Wrong } else { Kind::Lost };
            findings.add(
                kind,
                format!("after a restart: {trouble}; could be {allowed:?}"),
            );
            slot.adopt(allowed.into_iter().next().expect("the acknowledged state"));
            return;
        }
    };
    if !allowed.iter().any(|state| state.is(&found)) {
        let what = format!("{}: found {found:?}, could be {allowed:?}", slot.key);
        findings.add(kind_of(&found, &allowed), what);
    }
    let meant = match &found {
        State::Absent => None,
        State::Object(version) => Some((version.len, version.etag.clone().unwrap_or_default())),
    };
    if entry != meant.as_ref() {
        let what = format!("{}: listed as {entry:?}, read as {meant:?}", slot.key);
        findings.add(Kind::Wrong, what);
    }
    slot.adopt(found);
}

/// If the token differs, the version is an older one, so the acknowledged one is lost; the same token with another head
/// is wrong.
fn kind_of(found: &State, allowed: &[State]) -> Kind {
    let token = |state: &State| match state {
        State::Absent => None,
        State::Object(version) => Some(version.token),
    };
    let same = token(found).is_some() && allowed.iter().any(|state| token(state) == token(found));
    if same { Kind::Wrong } else { Kind::Lost }
}

fn upload(share: &Share, open: &mut Vec<ListedUpload>, caller: &mut Caller, findings: &Findings) {
    let mut known = share.upload.lock();
    let Some(upload) = known.take() else { return };
    let slot = &share.slots[upload.place];
    let Some(id) = &upload.id else {
        // Its creation was not answered: an upload may exist, but its id is unknown.
        if let Some(at) = open.iter().position(|listed| listed.key == slot.key) {
            let listed = open.remove(at);
            if let Err(trouble) = caller.abort((&listed.key, &listed.id)) {
                findings.add(Kind::Wrong, trouble);
            }
        }
        return;
    };
    let listed = open
        .iter()
        .position(|listed| listed.id == *id && listed.key == slot.key)
        .map(|at| open.remove(at));
    findings.checked();
    let is_there = |version: &Version| {
        let now = slot.allowed().into_iter().next();
        matches!(now, Some(State::Object(found)) if found.token == version.token)
    };
    match (&upload.ending, listed) {
        (Ending::Aborting, None) => {}
        (Ending::Completing(version), None) if is_there(version) => {}
        (Ending::Completing(version), Some(listed)) if is_there(version) => {
            findings.add(Kind::Wrong, format!("{listed:?} is complete and open"));
        }
        (_, None) => findings.add(Kind::Lost, format!("{}: {upload:?} is gone", slot.key)),
        (_, Some(_)) => {
            let parts = parts(&upload, (&slot.key, id), caller, findings);
            *known = Some(Upload {
                parts,
                sending: None,
                ending: Ending::Open,
                ..upload
            });
        }
    }
}

/// The acknowledged parts, and perhaps the one that was being sent.
fn parts(
    upload: &Upload,
    (key, id): (&str, &str),
    caller: &mut Caller,
    findings: &Findings,
) -> BTreeMap<u16, Part> {
    let found: BTreeMap<_, _> = match caller.parts((key, id)) {
        Ok(found) => found.into_iter().collect(),
        Err(trouble) => {
            findings.add(Kind::Lost, trouble);
            return upload.parts.clone();
        }
    };
    let mut with_sent = upload.parts.clone();
    with_sent.extend(upload.sending.clone());
    if found != upload.parts && found != with_sent {
        let fewer = upload
            .parts
            .keys()
            .any(|number| !found.contains_key(number));
        let kind = if fewer { Kind::Lost } else { Kind::Wrong };
        findings.add(
            kind,
            format!("{key}: parts {found:?}, could be {with_sent:?}"),
        );
    }
    found
}
