//! The newest full snapshot of a cluster in an S3 store, and a download that survives cut connections.
//!
//! Listed are `<prefix>/v2/` and etcdbrctl's old `<prefix>/v1/`, with the slash, so that `cluster1` never sees
//! `cluster10`. Nothing found is an error, never a success.

use std::collections::BTreeSet;

use indicatif::ProgressBar;
use strongroom_client::{
    s3::{GetObject, ListRequest, S3Client, S3Config, S3Error, S3ErrorKind},
    uri::S3Uri,
};

use super::{Found, Origin, Surroundings};
use crate::{
    chain::{Candidate, Chain, NoBase, Selection},
    console::lines,
    error::{RestoreError, SourceError},
    intake::Intake,
    interrupt::Interrupted,
};

/// etcdbrctl's folders: the present one and the read-only old one.
const FOLDERS: [&str; 2] = ["v2/", "v1/"];
/// A million objects: deltas every 20 s for 230 days.
const PAGES_MAX: u64 = 1_000;
/// When nothing is found, so many pages of the bucket are searched for a better prefix to name.
const HINT_PAGES_MAX: u64 = 5;
/// So many prefixes are named at most.
const HINTS_MAX: usize = 8;
/// A download is taken up again so often; each time the client itself tries to connect for several seconds.
const RESUMES_MAX: u32 = 5;

/// An object to download.
pub(super) struct SnapshotObject {
    client: S3Client,
    bucket: String,
    key: String,
    bytes: u64,
}

pub(super) async fn find(
    config: &S3Config,
    place: &S3Uri,
    around: &Surroundings<'_>,
) -> Result<Found, RestoreError> {
    around.console.line(lines::FINDING);
    let mut interrupt = around.interrupt.clone();
    tokio::select! {
        biased;
        () = interrupt.raised() => Err(Interrupted.into()),
        found = look(config, place, around) => found,
    }
}

async fn look(
    config: &S3Config,
    place: &S3Uri,
    around: &Surroundings<'_>,
) -> Result<Found, RestoreError> {
    let client = S3Client::new(config.clone()).map_err(|source| SourceError::Store {
        doing: "find",
        source,
    })?;
    let selection = select(&client, place).await?;
    tell_clock(&client, around);
    let Selection {
        base,
        shadowed,
        newer_deltas,
        newer_empty,
        older_delta_revision,
    } = match selection {
        Ok(selection) => selection,
        Err(nothing) => return Err(no_base(&client, place, nothing).await.into()),
    };
    if let Some(empty) = newer_empty {
        around.console.warn(format!(
            "{empty} is newer but EMPTY: its upload failed, so what was written since the snapshot below is not restored"
        ));
    }
    warn_of_higher(&base, shadowed.as_ref(), older_delta_revision, around);
    if let Some((count, last)) = newer_deltas.beyond(base.revision) {
        around.console.warn(format!(
            "{count} newer delta snapshot(s) up to revision {last} are NOT applied: what was written after the full \
             snapshot (by its name revision {}) is not restored",
            base.revision
        ));
    }
    Ok(Found {
        shown: base.shown,
        place: format!("s3://{}/{}", place.bucket(), base.key),
        bytes: base.bytes,
        newer_deltas: Some(newer_deltas),
        origin: Origin::Store(SnapshotObject {
            client,
            bucket: place.bucket().to_owned(),
            key: base.key,
            bytes: base.bytes,
        }),
    })
}

async fn no_base(client: &S3Client, place: &S3Uri, nothing: NoBase) -> SourceError {
    let bucket = place.bucket().to_owned();
    match nothing {
        NoBase::Empty { shown } => SourceError::OnlyEmpty { bucket, shown },
        NoBase::Absent => SourceError::NoSnapshot {
            prefix: place.join(FOLDERS[0]),
            elsewhere: prefixes_with_snapshots(client, &bucket).await,
            bucket,
        },
    }
}

async fn select(
    client: &S3Client,
    place: &S3Uri,
) -> Result<Result<Selection, NoBase>, SourceError> {
    let mut chain = Chain::default();
    for folder in FOLDERS {
        let folder = place.join(folder);
        let request = ListRequest {
            prefix: folder.clone(),
            ..ListRequest::default()
        };
        let whole = each_key(client, place.bucket(), request, PAGES_MAX, |key, bytes| {
            chain.offer(&folder, key, bytes);
        })
        .await
        .map_err(|source| SourceError::Store {
            doing: "find",
            source,
        })?;
        if !whole {
            let bucket = place.bucket().to_owned();
            return Err(SourceError::TooMany {
                bucket,
                prefix: folder,
                limit: PAGES_MAX * 1_000,
            });
        }
    }
    Ok(chain.select())
}

/// Visits the keys of a listing; false when it is longer than `pages_max` pages.
async fn each_key(
    client: &S3Client,
    bucket: &str,
    mut request: ListRequest,
    pages_max: u64,
    mut visit: impl FnMut(&str, u64),
) -> Result<bool, S3Error> {
    for _ in 0..pages_max {
        let page = client.list_page(bucket, &request).await?;
        for object in &page.objects {
            visit(&object.key, object.size);
        }
        match page.next {
            None => return Ok(true),
            next => request.continuation = next,
        }
    }
    Ok(false)
}

/// A help for the message: which prefixes do hold full snapshots? Failures only make the message shorter.
async fn prefixes_with_snapshots(client: &S3Client, bucket: &str) -> Vec<String> {
    let mut prefixes = BTreeSet::new();
    let _shorter = each_key(
        client,
        bucket,
        ListRequest::default(),
        HINT_PAGES_MAX,
        |key, bytes| {
            if bytes > 0
                && prefixes.len() < HINTS_MAX
                && let Some((prefix, _)) = key.rsplit_once("/v2/Full-")
            {
                prefixes.insert(prefix.to_owned());
            }
        },
    )
    .await;
    prefixes.into_iter().collect()
}

fn warn_of_higher(
    base: &Candidate,
    shadowed: Option<&Candidate>,
    delta: Option<i64>,
    around: &Surroundings<'_>,
) {
    if let Some(other) = shadowed {
        around.console.warn(format!(
            "{} is older and has a higher revision ({} > {}): was the cluster rebuilt in between, or does another \
             cluster write to this prefix? The newest one is restored; for the other: --snapshot FILE",
            other.shown, other.revision, base.revision
        ));
    } else if let Some(revision) = delta {
        around.console.warn(format!(
            "older delta snapshots reach a higher revision ({revision} > {}): was the cluster rebuilt in between?",
            base.revision
        ));
    }
}

/// Says when requests are signed with the server's time.
fn tell_clock(client: &S3Client, around: &Surroundings<'_>) {
    let Some(offset) = client.clock_offset_secs().filter(|offset| *offset != 0) else {
        return;
    };
    let side = if offset > 0 { "behind" } else { "ahead of" };
    around.console.warn(format!(
        "this machine's clock is {} s {side} the store's; requests are signed with the store's time. Set the clock \
         before etcd starts",
        offset.unsigned_abs()
    ));
}

impl SnapshotObject {
    pub(super) async fn fetch(
        &mut self,
        intake: &mut Intake,
        around: &Surroundings<'_>,
        progress: &ProgressBar,
    ) -> Result<(), RestoreError> {
        let mut interrupt = around.interrupt.clone();
        tokio::select! {
            biased;
            () = interrupt.raised() => Err(Interrupted.into()),
            fetched = self.download(intake, around, progress) => fetched,
        }
    }

    async fn download(
        &self,
        intake: &mut Intake,
        around: &Surroundings<'_>,
        progress: &ProgressBar,
    ) -> Result<(), RestoreError> {
        let failed = |source| SourceError::Store {
            doing: "fetch",
            source,
        };
        let mut answer = self
            .client
            .get_object(&self.bucket, &self.key, None)
            .await
            .map_err(failed)?;
        if answer.len != self.bytes {
            return Err(self.wrong_length(answer.len).into());
        }
        let etag = answer.etag.clone();
        let mut received = 0;
        let mut resumes = 0;
        loop {
            let Err(error) = self
                .drain(&mut answer, &mut received, intake, progress)
                .await?
            else {
                break;
            };
            resumes += 1;
            if resumes > RESUMES_MAX
                || etag.is_empty()
                || !is_passing(&error)
                || received >= self.bytes
            {
                return Err(failed(error).into());
            }
            around.console.line(format_args!(
                "the connection broke after {received} of {} bytes; continuing from there ({resumes} of {RESUMES_MAX})",
                self.bytes
            ));
            let rest = received..=self.bytes - 1;
            // The ETag makes sure that it is still the same object.
            answer = self
                .client
                .get_object_if_match(&self.bucket, &self.key, Some(rest), &etag)
                .await
                .map_err(failed)?;
        }
        if received != self.bytes {
            return Err(self.wrong_length(received).into());
        }
        Ok(())
    }

    /// Pushes one answer's body. The outer error is final, the inner one the connection's.
    async fn drain(
        &self,
        answer: &mut GetObject,
        received: &mut u64,
        intake: &mut Intake,
        progress: &ProgressBar,
    ) -> Result<Result<(), S3Error>, RestoreError> {
        while let Some(piece) = answer.body.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return Ok(Err(error)),
            };
            *received += u64::try_from(piece.len()).expect("a piece's length fits 64 bits");
            if *received > self.bytes {
                return Err(self.wrong_length(*received).into());
            }
            intake.push(&piece)?;
            progress.set_position(*received);
        }
        Ok(Ok(()))
    }

    fn wrong_length(&self, received: u64) -> SourceError {
        SourceError::Length {
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            expected: self.bytes,
            received,
        }
    }
}

fn is_passing(error: &S3Error) -> bool {
    matches!(
        error.kind(),
        S3ErrorKind::Network | S3ErrorKind::Timeout { .. } | S3ErrorKind::Integrity { .. }
    )
}
