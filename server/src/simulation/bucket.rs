//! A simulated client that deletes the bucket of all others, and creates it again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::client::{Client, Failure};
use super::history::Ticket;
use crate::objects::{NewBucket, ObjectsError};
use crate::trial::owner;

/// Whether the bucket is being deleted or missing, and how often this has changed.
#[derive(Debug, Default)]
pub(super) struct BucketChanges {
    unsettled: AtomicBool,
    count: AtomicU64,
}

/// The state when an operation began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Since {
    unsettled: bool,
    count: u64,
}

impl BucketChanges {
    fn set(&self, unsettled: bool) {
        self.unsettled.store(unsettled, Ordering::SeqCst);
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    /// The bucket is there, and nobody deletes it: a life begins. Returns whether the last one ended while it was being
    /// deleted.
    pub(super) fn settle(&self) -> bool {
        let before = self.now();
        self.set(false);
        before.unsettled
    }

    pub(super) fn now(&self) -> Since {
        Since {
            unsettled: self.unsettled.load(Ordering::SeqCst),
            count: self.count.load(Ordering::SeqCst),
        }
    }

    /// Whether an operation may have met a bucket that was being deleted.
    pub(super) fn concern(&self, since: Since) -> bool {
        since.unsettled || self.now().count != since.count
    }
}

impl Client {
    /// Deletes the bucket. It succeeds only while the bucket may be empty, and ends its uploads. Otherwise nothing
    /// changes, for nobody.
    pub(super) async fn delete_bucket(&self) {
        let (objects, bucket) = (&self.storage.objects, &self.world.bucket);
        // One at a time, else it would be another client's bucket that is created again.
        if self.world.bucket_changes.now().unsettled {
            return;
        }
        self.world.bucket_changes.set(true);
        let (from, tickets) = {
            let mut history = self.world.history();
            let from = history.now();
            let keys = history.keys();
            let begun = keys.iter().map(|key| history.begin(key, None));
            let tickets: Vec<_> = begun.collect();
            (from, tickets)
        };
        match objects.delete_bucket(bucket).await {
            Ok(()) => {
                self.enter_deletion(from, &tickets);
                self.create_bucket_again().await;
            }
            Err(ObjectsError::BucketNotEmpty(_)) => {
                let mut history = self.world.history();
                for ticket in &tickets {
                    history.refuse(ticket);
                }
                drop(history);
                self.world.bucket_changes.set(false);
            }
            Err(error) => self.tolerate("delete bucket", &Failure::Objects(error)),
        }
    }

    fn enter_deletion(&self, from: u64, tickets: &[Ticket]) {
        let mut history = self.world.history();
        let full = history.surely_present(from, tickets);
        for ticket in tickets {
            history.acknowledge(ticket);
        }
        history.abort_all();
        drop(history);
        if let Some(key) = full {
            let what = format!("the bucket was deleted, and {key} was in it");
            self.world.violated(what);
        }
    }

    async fn create_bucket_again(&self) {
        let (objects, bucket) = (&self.storage.objects, &self.world.bucket);
        match objects
            .create_bucket(bucket, NewBucket::plain(owner()))
            .await
        {
            Ok(_) => self.world.bucket_changes.set(false),
            Err(error) => self.tolerate("create bucket", &Failure::Objects(error)),
        }
    }
}
