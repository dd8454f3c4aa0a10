//! What clients know about multipart uploads. Several clients may work on one upload at once.
//!
//! A part's number is a register like a key. An upload ends once: by one Abort, or by one Complete whose answer every
//! repeated Complete gets. If a part began after the end, or has other content than the one that Complete took, no
//! order of operations allows its acknowledgement.

use std::collections::BTreeMap;

use super::{History, Piece, Ticket, Token};
use crate::clock::UnixMillis;
use crate::model::{ETag, UploadId};

/// An upload, as its clients know it.
pub(super) struct Upload {
    key: String,
    token: Token,
    /// A time not later than its creation: the collector aborts old uploads.
    begun: UnixMillis,
    /// By number: every body that was sent.
    parts: BTreeMap<u16, Vec<PartWrite>>,
    /// Aborts and Completes that were requested.
    ends_asked: u32,
    ended: Option<Ended>,
    /// The object that Complete writes: once, whichever client asks.
    ticket: Option<Ticket>,
}

struct PartWrite {
    piece: Piece,
    began: u64,
    /// When it was acknowledged.
    ended: Option<u64>,
}

/// The acknowledged end of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ended {
    at: u64,
    /// The part that Complete used; none for an Abort.
    took: Option<(u16, ETag)>,
}

impl Upload {
    fn writes(&self, number: u16) -> &[PartWrite] {
        self.parts.get(&number).map_or(&[], Vec::as_slice)
    }

    /// Whether the number may hold a body of this ETag, given all acknowledged writes.
    fn may_hold(&self, number: u16, etag: ETag) -> bool {
        let writes = self.writes(number);
        let overwritten = |write: &PartWrite| {
            let after = |end| writes.iter().any(|w| w.ended.is_some() && w.began > end);
            write.ended.is_some_and(after)
        };
        let fits = |write: &&PartWrite| write.piece.etag() == etag;
        writes.iter().filter(fits).any(|write| !overwritten(write))
    }

    /// Checks that no acknowledged part contradicts an acknowledged end.
    fn agrees(&self) -> Result<(), String> {
        let Some(ended) = self.ended else {
            return Ok(());
        };
        let late = |write: &PartWrite| write.ended.is_some() && write.began > ended.at;
        if self.parts.values().flatten().any(late) {
            return Err("took a part after its end".to_owned());
        }
        match ended.took {
            Some((number, etag)) if !self.may_hold(number, etag) => Err(format!(
                "was completed with a part {number} that had been replaced"
            )),
            _ => Ok(()),
        }
    }
}

impl History {
    pub(in super::super) fn begin_upload(
        &mut self,
        id: UploadId,
        key: &str,
        token: Token,
        begun: UnixMillis,
    ) {
        let upload = Upload {
            key: key.to_owned(),
            token,
            begun,
            parts: BTreeMap::new(),
            ends_asked: 0,
            ended: None,
            ticket: None,
        };
        self.uploads.insert(id, upload);
    }

    /// Uploads that are not known to have ended, with their keys.
    pub(in super::super) fn open_uploads(&self) -> Vec<(UploadId, String)> {
        let open = self.uploads.iter().filter(|(_, u)| u.ended.is_none());
        open.map(|(id, upload)| (*id, upload.key.clone())).collect()
    }

    pub(in super::super) fn all_uploads(&self) -> Vec<(UploadId, String, UnixMillis)> {
        let all = self.uploads.iter();
        all.map(|(id, upload)| (*id, upload.key.clone(), upload.begun))
            .collect()
    }

    pub(in super::super) fn begun(&self, id: UploadId) -> Option<UnixMillis> {
        Some(self.uploads.get(&id)?.begun)
    }

    /// All open uploads may have ended with their bucket.
    pub(in super::super) fn abort_all(&mut self) {
        for (id, _) in self.open_uploads() {
            self.begin_abort(id);
        }
    }

    /// How often the upload's end was requested.
    pub(in super::super) fn ends_asked(&self, id: UploadId) -> u32 {
        self.uploads.get(&id).map_or(0, |upload| upload.ends_asked)
    }

    pub(in super::super) fn begin_part(&mut self, id: UploadId, number: u16, piece: Piece) -> u64 {
        let began = self.tick();
        self.upload(id)
            .parts
            .entry(number)
            .or_default()
            .push(PartWrite {
                piece,
                began,
                ended: None,
            });
        began
    }

    pub(in super::super) fn acknowledge_part(
        &mut self,
        id: UploadId,
        number: u16,
        began: u64,
    ) -> Result<(), String> {
        let now = self.tick();
        let upload = self.upload(id);
        let writes = upload.parts.entry(number).or_default();
        for write in writes.iter_mut().filter(|write| write.began == began) {
            write.ended = Some(now);
        }
        upload.agrees()
    }

    /// Whether the part was, or may have been, written since then.
    pub(in super::super) fn part_moved(&self, id: UploadId, number: u16, since: u64) -> bool {
        let writes = self.uploads.get(&id).map_or(&[][..], |u| u.writes(number));
        writes.iter().any(|w| w.ended.is_none_or(|end| end > since))
    }

    /// The body with this ETag that was sent for the number.
    pub(in super::super) fn sent(&self, id: UploadId, number: u16, etag: ETag) -> Option<Piece> {
        let mut sent = self.uploads.get(&id)?.writes(number).iter();
        sent.find_map(|write| (write.piece.etag() == etag).then_some(write.piece))
    }

    pub(in super::super) fn begin_abort(&mut self, id: UploadId) {
        self.upload(id).ends_asked += 1;
    }

    pub(in super::super) fn begin_complete(&mut self, id: UploadId, piece: Piece) {
        let upload = self.upload(id);
        upload.ends_asked += 1;
        let (key, token, is_first) = (upload.key.clone(), upload.token, upload.ticket.is_none());
        self.describe(token, piece);
        if is_first {
            let ticket = self.begin(&key, Some(token));
            self.upload(id).ticket = Some(ticket);
        }
    }

    pub(in super::super) fn acknowledge_abort(&mut self, id: UploadId) -> Result<(), String> {
        let at = self.tick();
        let upload = self.upload(id);
        match upload.ended.replace(Ended { at, took: None }) {
            Some(before) => Err(format!("was aborted after it had ended: {before:?}")),
            None => Ok(()),
        }
    }

    /// `whole` is the ETag in the answer, of an object of one part.
    pub(in super::super) fn acknowledge_complete(
        &mut self,
        id: UploadId,
        whole: ETag,
    ) -> Result<(), String> {
        let at = self.tick();
        let upload = self.upload(id);
        let numbers = upload.parts.iter();
        let mut sent = numbers.flat_map(|(number, writes)| writes.iter().map(|w| (*number, w)));
        let took = sent.find(|(_, write)| write.piece.etag_as_a_part() == whole);
        let Some((number, write)) = took else {
            return Err(format!("was completed as {whole}, which nobody asked for"));
        };
        let (piece, took) = (write.piece, Some((number, write.piece.etag())));
        match upload.ended {
            Some(before) if before.took.map(|(_, etag)| etag) != took.map(|(_, etag)| etag) => {
                return Err(format!("ended twice: {before:?}, then as {whole}"));
            }
            Some(_) => return Ok(()),
            None => upload.ended = Some(Ended { at, took }),
        }
        let (agrees, token, ticket) = (upload.agrees(), upload.token, upload.ticket.clone());
        self.bodies.insert(token, vec![piece]);
        if let Some(ticket) = ticket {
            self.acknowledge(&ticket);
        }
        agrees
    }

    /// Nothing is in progress, and this is the current state (none: the upload is gone): it settles all earlier
    /// requests.
    pub(in super::super) fn settle_upload(
        &mut self,
        id: UploadId,
        found: Option<&[(u16, ETag)]>,
        may_be_gone: bool,
    ) -> Result<(), String> {
        let (began, ended) = (self.tick(), Some(self.tick()));
        let upload = self.upload(id);
        upload.ticket = None;
        let Some(found) = found else {
            let known = upload.ended.is_some() || upload.ends_asked > 0 || may_be_gone;
            let gone = Ended {
                at: began,
                took: None,
            };
            upload.ended.get_or_insert(gone);
            return if known {
                Ok(())
            } else {
                Err("is lost".to_owned())
            };
        };
        if upload.ended.is_some() {
            return Err("is back".to_owned());
        }
        // No requested end happened.
        upload.ends_asked = 0;
        let mut settled = BTreeMap::new();
        for (number, etag) in found {
            let mut writes = upload.writes(*number).iter();
            let sent = writes.find(|write| write.piece.etag() == *etag);
            let Some(write) = sent.filter(|_| upload.may_hold(*number, *etag)) else {
                return Err(format!("has a part {number} that is not what was sent"));
            };
            let piece = write.piece;
            settled.insert(
                *number,
                vec![PartWrite {
                    piece,
                    began,
                    ended,
                }],
            );
        }
        let acknowledged = |writes: &[PartWrite]| writes.iter().any(|w| w.ended.is_some());
        let mut had = upload
            .parts
            .iter()
            .filter(|(_, writes)| acknowledged(writes));
        if let Some((number, _)) = had.find(|(number, _)| !settled.contains_key(number)) {
            return Err(format!("has lost its part {number}"));
        }
        upload.parts = settled;
        Ok(())
    }

    fn upload(&mut self, id: UploadId) -> &mut Upload {
        let upload = self.uploads.get_mut(&id);
        upload.expect("an upload is known from its first answer on")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: UploadId = UploadId([7; 16]);

    fn piece(seed: u64) -> Piece {
        Piece { seed, len: 9 }
    }

    fn with_parts(seeds: &[u64]) -> History {
        let mut history = History::default();
        history.begin_upload(ID, "a", 1, UnixMillis(0));
        for seed in seeds {
            let began = history.begin_part(ID, 1, piece(*seed));
            history.acknowledge_part(ID, 1, began).expect("it is open");
        }
        history
    }

    #[test]
    fn an_upload_ends_once() {
        let mut history = with_parts(&[1]);
        history.begin_complete(ID, piece(1));
        history.begin_complete(ID, piece(1));
        let whole = piece(1).etag_as_a_part();
        history.acknowledge_complete(ID, whole).expect("the first");
        history
            .acknowledge_complete(ID, whole)
            .expect("a repeated one");
        assert!(history.acknowledge_abort(ID).is_err());
        let mut history = with_parts(&[1]);
        history.begin_complete(ID, piece(1));
        history.acknowledge_abort(ID).expect("the first");
        assert!(history.acknowledge_abort(ID).is_err());
        let mut history = with_parts(&[1]);
        history.begin_complete(ID, piece(1));
        history.acknowledge_abort(ID).expect("the first");
        assert!(history.acknowledge_complete(ID, whole).is_err());
    }

    #[test]
    fn an_end_takes_the_part_that_was_there() {
        let mut history = with_parts(&[1, 2]);
        history.begin_complete(ID, piece(1));
        let replaced = piece(1).etag_as_a_part();
        assert!(history.acknowledge_complete(ID, replaced).is_err());
        let mut history = with_parts(&[1]);
        let beside = history.begin_part(ID, 1, piece(2));
        history.begin_complete(ID, piece(1));
        history
            .acknowledge_complete(ID, replaced)
            .expect("not yet replaced");
        assert!(history.acknowledge_part(ID, 1, beside).is_err());
        let mut history = with_parts(&[1]);
        history.acknowledge_abort(ID).expect("aborted");
        let late = history.begin_part(ID, 1, piece(2));
        assert!(history.acknowledge_part(ID, 1, late).is_err());
    }

    #[test]
    fn what_is_found_settles_an_upload() {
        let found = |seed| [(1, piece(seed).etag())];
        let mut history = with_parts(&[1, 2]);
        assert!(history.settle_upload(ID, Some(&found(1)), false).is_err());
        let mut history = with_parts(&[1, 2]);
        let _unanswered = history.begin_part(ID, 1, piece(3));
        history
            .settle_upload(ID, Some(&found(3)), false)
            .expect("it may have happened");
        assert!(history.settle_upload(ID, Some(&found(2)), false).is_err());
        assert!(history.settle_upload(ID, Some(&[]), false).is_err());
        assert!(history.settle_upload(ID, None, false).is_err());
    }
}
