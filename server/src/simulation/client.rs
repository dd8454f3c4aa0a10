//! Simulated clients: each does a few randomly drawn operations and records every answer in the history.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::bucket::Since;
use super::history::{Piece, Ticket, Token};
use super::world::World;
use crate::bodies::incoming::{BodyTarget, Expected, IngestError};
use crate::gc::UPLOAD_AGE_MAX;
use crate::gc::{Collector, CollectorSettings};
use crate::model::{PartNumber, UploadId, UserMetadata};
use crate::objects::{Attributes, ObjectsError, PutCondition, StoredBody, VersionSelector};
use crate::storage::Storage;
use crate::store::PackId;
use crate::store::blocking_pool::let_others_run;
use crate::tables::Writers;
use crate::tables::table::get;
use crate::trial::{self, key as key_of, owner};

/// Number of keys in a run: few, so that clients use the same ones.
const KEYS: u64 = 5;

/// Bytes of a frame, and so of a pack of these small sizes: a larger body spans several packs.
const FRAME: usize = 256 * 1024;

pub(super) struct Client {
    pub(super) world: Arc<World>,
    pub(super) storage: Arc<Storage>,
    /// The bucket when the current operation began.
    pub(super) since: Mutex<Since>,
}

impl Client {
    /// Does this number of operations.
    pub(super) async fn run(self, operations: u64) {
        for _ in 0..operations {
            if self.world.violation().is_some() {
                return;
            }
            *self.since.lock() = self.world.bucket_changes.now();
            match self.world.dice.below(13) {
                0..=3 => self.put().await,
                4..=5 => self.delete().await,
                6..=8 => self.get().await,
                9 => self.give_up().await,
                10 => self.delete_bucket().await,
                _ => self.upload_something().await,
            }
        }
    }

    pub(super) fn key(&self) -> String {
        format!("key-{}", self.world.dice.below(KEYS))
    }

    /// A body's size: mostly small, some with a pack of their own, few with several.
    pub(super) fn piece(&self) -> Piece {
        let dice = &self.world.dice;
        let len = match dice.below(40) {
            0 => 0,
            1..=27 => dice.index(4096),
            28..=38 => 4096 + dice.index(20_000),
            _ => FRAME + dice.index(2 * FRAME),
        };
        Piece {
            seed: dice.below(u64::MAX),
            len,
        }
    }

    pub(super) async fn body(
        &self,
        key: &str,
        part: Option<(UploadId, PartNumber)>,
        piece: Piece,
    ) -> Result<StoredBody, Failure> {
        let objects = &self.storage.objects;
        let target = BodyTarget {
            bucket: objects.bucket(&self.world.bucket).await?.id,
            key: key_of(key),
            part,
        };
        let mut ingest = self.storage.ingest.begin(&target, Expected::default());
        let mut rest = Bytes::from(piece.bytes());
        while !rest.is_empty() {
            let next = rest.split_to(rest.len().min(100_000));
            ingest.write(next).await?;
            let_others_run().await;
        }
        let body = ingest.finish().await?;
        // The commit may come late, as if its thread had to wait.
        for _ in 0..[0, 0, 5, 60][self.world.dice.index(4)] {
            let_others_run().await;
        }
        Ok(body)
    }

    async fn put(&self) {
        let (key, piece, token) = (self.key(), self.piece(), self.world.token());
        let ticket = {
            let mut history = self.world.history();
            history.describe(token, piece);
            history.begin(&key, Some(token))
        };
        let answer = async {
            let body = self.body(&key, None, piece).await?;
            let (objects, always) = (&self.storage.objects, PutCondition::Always);
            let (bucket, key) = (&self.world.bucket, key_of(&key));
            let put = objects.put(bucket, &key, body, attributes(token), always);
            Ok(put.await?.etag)
        };
        if let Some(etag) = self.enter(&ticket, "put", answer.await)
            && etag != piece.etag()
        {
            self.world.violated(format!("{key} got a wrong ETag"));
        }
    }

    async fn delete(&self) {
        let key = self.key();
        let ticket = self.world.history().begin(&key, None);
        let (bucket, owner) = (&self.world.bucket, owner());
        let answer = self
            .storage
            .objects
            .delete(bucket, &key_of(&key), VersionSelector::Current, &owner)
            .await;
        self.enter(&ticket, "delete", answer.map_err(Failure::Objects));
    }

    async fn get(&self) {
        let key = self.key();
        let from = self.world.history().now();
        let pauses = [0, 0, 20, 150][self.world.dice.index(4)];
        let judged = match self.world.read(&self.storage, &key, pauses).await {
            Ok(found) => self.world.history().judge(&key, from, found),
            Err(why) if self.world.is_faulty() => {
                // A failing disk may fail a read, but must not change its result.
                if why.contains("wrong bytes") {
                    Err(why)
                } else {
                    Ok(())
                }
            }
            Err(why) => Err(why),
        };
        if let Err(why) = judged {
            self.world.violated(why);
        }
    }

    /// A client that disconnects when its body is stored but not committed.
    async fn give_up(&self) {
        let body = self.body(&self.key(), None, self.piece()).await;
        drop(body);
    }

    /// Records an answer; returns the result of a successful one.
    fn enter<T>(&self, ticket: &Ticket, what: &str, answer: Result<T, Failure>) -> Option<T> {
        match answer {
            Ok(answer) => {
                self.world.history().acknowledge(ticket);
                Some(answer)
            }
            Err(failure) => {
                if matches!(
                    failure,
                    Failure::Objects(
                        ObjectsError::PackGone(_)
                            | ObjectsError::BucketBusy(_)
                            | ObjectsError::NoSuchBucket(_)
                    )
                ) {
                    self.world.history().refuse(ticket);
                }
                self.tolerate(what, &failure);
                None
            }
        }
    }

    /// Whether small bodies are being appended to the pack.
    fn is_open(&self, pack: PackId) -> bool {
        let writer = get(&*self.storage.store.meta, Writers, pack.epoch).ok();
        writer
            .flatten()
            .is_some_and(|writer| writer.open == Some(pack))
    }

    /// Errors are allowed in lives with a fault. A healthy life allows only a request to retry, for a commit so late
    /// that its pack was sealed, found unused and marked in the meantime, or while the bucket is being deleted.
    pub(super) fn tolerate(&self, what: &str, failure: &Failure) {
        let retry_message = match failure {
            Failure::Objects(ObjectsError::PackGone(pack)) => !self.is_open(*pack),
            Failure::Objects(
                ObjectsError::BucketBusy(_)
                | ObjectsError::NoSuchBucket(_)
                | ObjectsError::NoSuchUpload(_),
            ) => self.world.bucket_changes.concern(*self.since.lock()),
            _ => false,
        };
        if !retry_message && !self.world.is_faulty() {
            self.world
                .violated(format!("{what} fails on a healthy store: {failure}"));
        }
    }
}

/// Collects now and then, and lets time pass.
pub(super) async fn collect(world: Arc<World>, collector: Collector, rounds: u64) {
    for _ in 0..rounds {
        for _ in 0..world.dice.below(40) {
            let_others_run().await;
        }
        if world.dice.one_in(10) {
            world.clock.advance(UPLOAD_AGE_MAX + Duration::from_secs(1));
        } else {
            world
                .clock
                .advance(Duration::from_mins(world.dice.below(20)));
        }
        if let Err(error) = collector.run()
            && !world.is_faulty()
        {
            world.violated(format!("a collection fails on a healthy store: {error}"));
        }
    }
}

/// The collector settings of a life.
pub(super) fn collector_settings(world: &World) -> CollectorSettings {
    CollectorSettings {
        grace: world.grace,
        quarantine: world.grace,
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

/// The attributes of a simulated object.
pub(super) fn attributes(token: Token) -> Attributes {
    Attributes {
        metadata: UserMetadata(vec![("token".to_owned(), token.to_string())]),
        ..trial::attributes()
    }
}
