//! Simulated clients with multipart uploads; several clients use the same upload at once.

use super::client::{Client, Failure, attributes};
use super::history::Piece;
use crate::clock::Clock as _;
use crate::model::{PartNumber, UploadId};
use crate::objects::{CompletePart, CompleteRequest, NewUpload, ObjectsError, PutCondition};
use crate::trial::key as key_of;

/// Part numbers of a run: few, so that clients use the same ones. Complete names only one part, since all parts except
/// the last would have to be large.
const NUMBERS: u64 = 2;

impl Client {
    /// Continues an existing upload, or begins one.
    pub(super) async fn upload_something(&self) {
        let chosen = {
            let open = self.world.history().open_uploads();
            let go_on = !open.is_empty() && !self.world.dice.one_in(3);
            go_on.then(|| open[self.world.dice.index(open.len())].clone())
        };
        let (id, key) = match chosen {
            Some(chosen) => chosen,
            None => match self.begin_upload().await {
                Some(begun) => begun,
                None => return,
            },
        };
        for _ in 0..self.world.dice.below(3) {
            self.put_part(id, &key).await;
        }
        match self.world.dice.below(4) {
            0 => self.abort(id, &key).await,
            1 => {}
            _ => self.complete(id, &key).await,
        }
    }

    async fn begin_upload(&self) -> Option<(UploadId, String)> {
        let (key, token) = (self.key(), self.world.token());
        let begun = self.world.clock.now();
        let new = NewUpload {
            attributes: attributes(token),
            checksum: None,
        };
        let (objects, bucket) = (&self.storage.objects, &self.world.bucket);
        match objects.create_upload(bucket, &key_of(&key), new).await {
            Ok(id) => {
                let mut history = self.world.history();
                history.begin_upload(id, &key, token, begun);
                Some((id, key))
            }
            Err(error) => {
                self.tolerate("create upload", &Failure::Objects(error));
                None
            }
        }
    }

    async fn put_part(&self, id: UploadId, key: &str) {
        let number = u16::try_from(1 + self.world.dice.below(NUMBERS)).expect("in range");
        let number_of = PartNumber::new(u64::from(number)).expect("in range");
        let piece = self.piece();
        let began = self.world.history().begin_part(id, number, piece);
        let answer = async {
            let body = self.body(key, Some((id, number_of)), piece).await?;
            let (objects, bucket) = (&self.storage.objects, &self.world.bucket);
            let name = key_of(key);
            let put = objects.put_part(bucket, &name, id, number_of, body);
            Ok(put.await?)
        };
        match answer.await {
            Ok(_) => {
                let agrees = self.world.history().acknowledge_part(id, number, began);
                self.agree(id, agrees);
            }
            Err(failure) => self.fail_upload(id, "put part", &failure, 1),
        }
    }

    async fn abort(&self, id: UploadId, key: &str) {
        self.world.history().begin_abort(id);
        let (objects, bucket) = (&self.storage.objects, &self.world.bucket);
        match objects.abort_upload(bucket, &key_of(key), id).await {
            Ok(()) => {
                let agrees = self.world.history().acknowledge_abort(id);
                self.agree(id, agrees);
            }
            Err(error) => self.fail_upload(id, "abort", &Failure::Objects(error), 2),
        }
    }

    async fn complete(&self, id: UploadId, key: &str) {
        let since = self.world.history().now();
        let (objects, bucket) = (&self.storage.objects, &self.world.bucket);
        let name = key_of(key);
        let listed = objects.list_parts(bucket, &name, id, 0, 1000).await;
        let listed = match listed {
            Ok((listed, _)) => listed,
            Err(error) => {
                return self.fail_upload(id, "list parts", &Failure::Objects(error), 1);
            }
        };
        let mut pieces: Vec<Piece> = Vec::new();
        for (number, row) in &listed {
            let Some(piece) = self.world.history().sent(id, number.get(), row.etag) else {
                let what = format!("part {} of {key} is nobody's", number.get());
                return self.world.violated(what);
            };
            pieces.push(piece);
        }
        if listed.is_empty() {
            return self.abort(id, key).await;
        }
        let chosen = self.world.dice.index(listed.len());
        let (number, row) = &listed[chosen];
        let request = CompleteRequest {
            parts: vec![CompletePart {
                number: *number,
                etag: row.etag,
                checksums: Vec::new(),
            }],
            checksum: None,
            size: None,
            condition: PutCondition::Always,
        };
        self.world.history().begin_complete(id, pieces[chosen]);
        let completed = objects.complete_upload(bucket, &name, id, request);
        match completed.await {
            Ok(done) => {
                let agrees = self.world.history().acknowledge_complete(id, done.etag);
                self.agree(id, agrees);
            }
            Err(ObjectsError::InvalidPart(_))
                if self.world.history().part_moved(id, number.get(), since) => {}
            Err(error) => self.fail_upload(id, "complete", &Failure::Objects(error), 2),
        }
    }

    fn agree(&self, id: UploadId, agrees: Result<(), String>) {
        if let Err(why) = agrees {
            self.world.violated(format!("upload {id} {why}"));
        }
    }

    /// A missing upload is no failure when it is old or when its end was requested so often.
    fn fail_upload(&self, id: UploadId, what: &str, failure: &Failure, ends: u32) {
        let may_be_gone = {
            let history = self.world.history();
            let old = history
                .begun(id)
                .is_some_and(|begun| self.world.is_old(begun));
            old || history.ends_asked(id) >= ends
        };
        let gone = matches!(failure, Failure::Objects(ObjectsError::NoSuchUpload(_)));
        if !(may_be_gone && gone) {
            self.tolerate(what, failure);
        }
    }
}
