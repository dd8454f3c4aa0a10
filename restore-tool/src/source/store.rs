//! A snapshot in an S3 store: a named object, or the newest full snapshot of a cluster.
//!
//! A named object is restored whatever it is called, and nothing beside it is listed. For the newest one:
//! It lists `<prefix>/v2/` and etcdbrctl's old `<prefix>/v1/`, with the slash, so that `cluster1` never includes `cluster10`. If
//! nothing is found, this is an error.

use indicatif::ProgressBar;
use strongroom_client::{
    s3::{ListRequest, S3Client, S3Config, S3Error},
    uri::S3Uri,
};

use super::{
    Context, Found, Origin,
    download::{Download, Object},
    prefixes,
};
use crate::{
    chain::{Candidate, Chain, NoBase, Selection},
    console::lines,
    error::{RestoreError, SourceError},
    interrupt::Interrupted,
};

/// etcdbrctl's folders: the current one and the old, read-only one.
const FOLDERS: [&str; 2] = ["v2/", "v1/"];
/// Enough for a million objects: deltas every 20 s for 230 days.
const PAGES_MAX: u64 = 1_000;
/// An object to download.
pub(super) struct SnapshotObject(Object);

/// Finds the newest full snapshot at `place`.
pub(super) async fn find(
    config: &S3Config,
    place: &S3Uri,
    around: &Context<'_>,
) -> Result<Found, RestoreError> {
    around.console.line(lines::FINDING);
    unless_interrupted(around, look(config, place, around)).await
}

/// Finds the object at `address`.
pub(super) async fn named(
    config: &S3Config,
    address: &S3Uri,
    around: &Context<'_>,
) -> Result<Found, RestoreError> {
    let ask = async {
        let client = S3Client::new(config.clone()).map_err(SourceError::finding)?;
        let (bucket, key) = (address.bucket(), address.prefix());
        let head = client.head_object(bucket, key).await;
        let head = head.map_err(|source| SourceError::asking_for(address, source))?;
        tell_clock(&client, around);
        let file_name = key.rsplit_once('/').map_or(key, |(_, name)| name);
        Ok(Found {
            shown: file_name.to_owned(),
            place: address.to_string(),
            bytes: head.size,
            newer_deltas: None,
            next_older: None,
            origin: Origin::Store(SnapshotObject(Object {
                client,
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                bytes: head.size,
                etag: head.etag,
            })),
        })
    };
    unless_interrupted(around, ask).await
}

async fn unless_interrupted(
    around: &Context<'_>,
    ask: impl Future<Output = Result<Found, RestoreError>>,
) -> Result<Found, RestoreError> {
    let mut interrupt = around.interrupt.clone();
    tokio::select! {
        biased;
        () = interrupt.raised() => Err(Interrupted.into()),
        found = ask => found,
    }
}

async fn look(
    config: &S3Config,
    place: &S3Uri,
    around: &Context<'_>,
) -> Result<Found, RestoreError> {
    let client = S3Client::new(config.clone()).map_err(SourceError::finding)?;
    let selection = select(&client, place).await?;
    tell_clock(&client, around);
    let Selection {
        base,
        shadowed,
        newer_deltas,
        newer_empty,
        older_delta_revision,
        next_older,
    } = match selection {
        Ok(selection) => selection,
        Err(nothing) => return Err(no_base(&client, place, nothing).await.into()),
    };
    if let Some(empty) = newer_empty {
        around.console.warn(format!(
            "{empty} is newer but EMPTY: its upload failed, so what was written since the snapshot below is not restored"
        ));
    }
    warn_of_higher(
        &base,
        shadowed.as_ref(),
        older_delta_revision,
        place.bucket(),
        around,
    );
    if let Some((count, last)) = newer_deltas.beyond(base.revision) {
        around.console.warn(format!(
            "{count} newer delta snapshot(s) up to revision {last} are NOT applied: what was written after the full \
             snapshot (by its name revision {}) is not restored",
            base.revision
        ));
    }
    let object = object(client, place.bucket(), &base).await?;
    Ok(Found {
        shown: base.shown,
        place: format!("s3://{}/{}", place.bucket(), base.key),
        bytes: base.bytes,
        newer_deltas: Some(newer_deltas),
        next_older: next_older.map(|key| format!("s3://{}/{key}", place.bucket())),
        origin: Origin::Store(SnapshotObject(object)),
    })
}

/// Checks that the object is the listed one; its ranges are requested with this ETag.
async fn object(client: S3Client, bucket: &str, base: &Candidate) -> Result<Object, SourceError> {
    let head = client
        .head_object(bucket, &base.key)
        .await
        .map_err(SourceError::fetching)?;
    if head.size != base.bytes {
        return Err(SourceError::Length {
            bucket: bucket.to_owned(),
            key: base.key.clone(),
            expected: base.bytes,
            received: head.size,
        });
    }
    Ok(Object {
        client,
        bucket: bucket.to_owned(),
        key: base.key.clone(),
        bytes: base.bytes,
        etag: head.etag,
    })
}

async fn no_base(client: &S3Client, place: &S3Uri, nothing: NoBase) -> SourceError {
    let bucket = place.bucket().to_owned();
    match nothing {
        NoBase::Empty { shown } => SourceError::OnlyEmpty { bucket, shown },
        NoBase::Absent => SourceError::NoSnapshot {
            prefix: place.prefix().to_owned(),
            elsewhere: prefixes::with_snapshots(client, &bucket).await,
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
        .map_err(SourceError::finding)?;
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

/// Visits the keys of a listing; false if it has more than `pages_max` pages.
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

fn warn_of_higher(
    base: &Candidate,
    shadowed: Option<&Candidate>,
    delta: Option<i64>,
    bucket: &str,
    around: &Context<'_>,
) {
    if let Some(other) = shadowed {
        around.console.warn(format!(
            "{} is older and has a higher revision ({} > {}): was the cluster rebuilt in between, or does another \
             cluster write to this prefix? The newest one is restored; for the other: --snapshot s3://{}/{}",
            other.shown, other.revision, base.revision, bucket, other.key
        ));
    } else if let Some(revision) = delta {
        around.console.warn(format!(
            "older delta snapshots reach a higher revision ({revision} > {}): was the cluster rebuilt in between?",
            base.revision
        ));
    }
}

/// Reports if requests are signed with the server's time.
fn tell_clock(client: &S3Client, around: &Context<'_>) {
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
    pub(super) fn open(&self, around: &Context<'_>, progress: ProgressBar) -> Download {
        Download::start(
            self.0.clone(),
            around.console,
            around.interrupt,
            around.runtime,
            progress,
        )
    }
}
