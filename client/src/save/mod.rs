//! Saves a snapshot: from a member's stream into a file or directly into a multipart upload, without a temporary copy.
//!
//! Invariants: nothing becomes visible (rename, Complete) before the stream has ended successfully, its SHA-256 trailer was
//! compared and its meta pages were checked. A file gets its name only after every page and record was checked. (The pages of
//! an upload are already sent by then; the tools that read it check them.) On any failure the part file is removed or the
//! upload aborted. Memory stays below three parts.

mod error;
mod file;
mod head;
mod target;
mod upload;

use std::path::{Path, PathBuf};
use std::pin::Pin;

use strongroom_etcd_format::name::{LAYOUT, SnapshotName};
use strongroom_etcd_format::snapshot::{StreamDigest, StreamSummary, Trailer};

pub use error::SaveError;
#[cfg(feature = "cli")]
pub(crate) use file::{FillError, PartFile};
pub use upload::{PART_BYTES_MIN, PARTS_IN_FLIGHT_MAX, part_bytes};

use crate::etcd::{Doubt, Member, MemberStatus, SnapshotStream};
use crate::s3::S3Client;
use crate::uri::S3Uri;
#[cfg(not(feature = "cli"))]
use file::PartFile;
use head::Head;
use upload::PartUploader;

/// Names tried for one object. All masters of a cluster may save in the same second; each round, one of them gets its name.
const NAME_TRIES_MAX: u32 = 8;

/// A saved snapshot, with its member and destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The member's address.
    pub endpoint: String,
    /// The member's status before the stream; the snapshot has its revision or a later one.
    pub member: MemberStatus,
    /// Why the newest writes may be missing in it.
    pub doubt: Option<Doubt>,
    /// Length and digest of the snapshot; its trailer matches.
    pub summary: StreamSummary,
    /// Its file or object.
    pub saved_to: SavedTo,
}

/// The file or object of a saved snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavedTo {
    /// A file.
    File(PathBuf),
    /// An object in a store.
    Object {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The entity tag from the server.
        etag: String,
        /// Whether a check afterwards found the object with its full length. Write-only credentials do not allow this check.
        confirmed: bool,
    },
}

/// Called after each piece, with the bytes so far, and the total once etcd has announced it.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Send + Sync);

/// Saves into `target` through `<target>.part`, readable by the owner only.
///
/// # Errors
/// See [`SaveError`]; `target` is then unchanged.
pub async fn to_file(
    mut member: Member,
    target: &Path,
    progress: Progress<'_>,
    interrupt: impl Future<Output = ()>,
) -> Result<Saved, SaveError> {
    let (endpoint, status) = (member.endpoint().to_owned(), member.status().clone());
    let doubt = member.doubt();
    let mut part = PartFile::create(target)?;
    let streamed = async {
        let mut stream = member.snapshot().await?;
        let summary = pump(&mut stream, &mut part, progress).await?;
        // ORDER: before the name. The trailer covers only the transfer from the member, not the member's data itself.
        part.check(&endpoint, summary.db_len).await?;
        Ok::<_, SaveError>(summary)
    };
    let summary = tokio::select! {
        biased;
        () = interrupt => return Err(SaveError::Interrupted),
        summary = streamed => summary?,
    };
    part.persist().await?;
    Ok(Saved {
        endpoint,
        member: status,
        doubt,
        summary,
        saved_to: SavedTo::File(target.to_owned()),
    })
}

/// Saves as an object under `place`, with the name that etcdbrctl would use. If another save has just stored an object of that
/// name (masters save in the same second), it is kept, and this one saves again under a later second.
///
/// # Errors
/// See [`SaveError`]; then no object is visible, and the upload was aborted if the server could be reached.
pub async fn to_s3(
    mut member: Member,
    client: &S3Client,
    place: &S3Uri,
    progress: Progress<'_>,
    interrupt: impl Future<Output = ()>,
) -> Result<Saved, SaveError> {
    let mut interrupt = std::pin::pin!(interrupt);
    tokio::select! {
        biased;
        () = &mut interrupt => return Err(SaveError::Interrupted),
        usable = upload::check_bucket(client, place.bucket()) => usable?,
    }
    let mut created_unix = created_now(client);
    let mut tries = 1;
    loop {
        let key = object_key(place, member.status().revision, created_unix);
        let stop = interrupt.as_mut();
        match save_as(&key, &mut member, client, place, progress, stop).await {
            Err(SaveError::S3(error)) if error.is_taken() && tries < NAME_TRIES_MAX => {
                tracing::warn!("another save has just stored {key}; saving under a later second");
                created_unix = created_now(client).max(created_unix.saturating_add(1));
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

async fn save_as(
    key: &str,
    member: &mut Member,
    client: &S3Client,
    place: &S3Uri,
    progress: Progress<'_>,
    mut interrupt: Pin<&mut impl Future<Output = ()>>,
) -> Result<Saved, SaveError> {
    let (endpoint, status) = (member.endpoint().to_owned(), member.status().clone());
    let mut uploader =
        PartUploader::begin(client, place.bucket(), key, part_bytes(status.db_bytes)).await?;
    let streamed = async {
        let mut stream = member.snapshot().await?;
        let summary = pump(&mut stream, &mut uploader, progress).await?;
        uploader.flush().await?;
        Ok(summary)
    };
    let outcome = tokio::select! {
        biased;
        () = &mut interrupt => Err(SaveError::Interrupted),
        summary = streamed => summary,
    };
    let summary = match outcome {
        Ok(summary) => summary,
        Err(error) => {
            uploader.abort().await;
            return Err(error);
        }
    };
    // ORDER: the trailer was compared in `pump`; only now may the object become visible.
    let etag = uploader.complete().await?;
    let confirmed = upload::confirm(client, place.bucket(), key, summary.file_len).await?;
    let saved_to = SavedTo::Object {
        bucket: place.bucket().to_owned(),
        key: key.to_owned(),
        etag,
        confirmed,
    };
    Ok(Saved {
        endpoint,
        member: status,
        doubt: member.doubt(),
        summary,
        saved_to,
    })
}

/// Now by the server's clock if this machine's is known to be wrong, because a name's time decides which snapshot is the newest.
fn created_now(client: &S3Client) -> i64 {
    let offset_secs = client.clock_offset_secs().unwrap_or(0);
    client
        .config()
        .clock
        .unix_secs()
        .saturating_add(offset_secs)
}

/// etcdbrctl's name.
fn object_key(place: &S3Uri, revision: i64, created_unix: i64) -> String {
    place.join(&format!(
        "{LAYOUT}/{}",
        SnapshotName::full(revision, created_unix)
    ))
}

/// A destination of the bytes.
trait Sink {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), SaveError>;
}

/// Copies the stream into the sink. At the end, compares the trailer and checks the meta pages.
async fn pump(
    stream: &mut SnapshotStream,
    sink: &mut impl Sink,
    progress: Progress<'_>,
) -> Result<StreamSummary, SaveError> {
    let (mut digest, mut head) = (StreamDigest::new(), Head::default());
    while let Some(piece) = stream.next().await? {
        digest.update(piece.bytes());
        head.update(piece.bytes());
        sink.write(piece.bytes()).await?;
        progress(stream.received(), stream.total());
    }
    let endpoint = || stream.endpoint().to_owned();
    let summary = digest.finish().map_err(|source| SaveError::Snapshot {
        endpoint: endpoint(),
        source,
    })?;
    if summary.trailer == Trailer::Missing {
        return Err(SaveError::NoTrailer {
            endpoint: endpoint(),
            bytes: summary.file_len,
        });
    }
    head.check(summary.db_len)
        .map_err(|error| SaveError::Database {
            endpoint: endpoint(),
            source: error.into(),
        })?;
    Ok(summary)
}

#[cfg(test)]
mod tests;
