//! `strongroom snapshot get`: an object into a file, unpacked and checked like a save, so that every tool of etcd takes it.
//!
//! For a choice of one's own: an older snapshot after the newest proved damaged, or one pinned snapshot for all masters.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;
use strongroom_etcd_format::bolt::{Bolt, PageSource as _};
use strongroom_etcd_format::inspect::{self, InspectError};
use strongroom_snapshot_io::intake::{BLOCK_BYTES, Taken, Trailer};
use strongroom_snapshot_io::scratch::Scratch;

use super::failure::{Failure, Refused};
use super::report;
use super::settings::GetPlan;
use crate::image::Image;
use crate::s3::S3Client;
use crate::save::{FillError, PartFile, SaveError};

pub(super) async fn run(
    plan: GetPlan,
    as_json: bool,
    interrupt: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let GetPlan { s3, uri, file } = plan;
    let client = S3Client::new(*s3)?;
    // Before the download: what is in the way, and who else writes there.
    let mut part = PartFile::create(&file)?;
    // On the target's disk: it must have the room anyway, and /tmp may be memory.
    let scratch = Scratch::in_folder(part.folder());
    let (name, got) = (uri.to_string(), file.clone());
    let fetched = async {
        let image = Image::fetch(&client, &uri, &scratch).await?;
        let copied = part.fill(move |target| {
            let revision = check(&image).map_err(|source| {
                FillError::Source(Failure::Look {
                    name: image.name().to_owned(),
                    source: Refused::Database(source),
                })
            })?;
            copy(&image, target)?;
            Ok((revision, *image.taken()))
        });
        copied.await
    };
    let (revision, taken) = tokio::select! {
        biased;
        () = interrupt => return Err(SaveError::Interrupted.into()),
        fetched = fetched => fetched?,
    };
    part.persist().await?;
    let outcome = Outcome {
        file: got,
        name,
        revision,
        taken,
    };
    outcome.warn();
    report::result(&if as_json {
        outcome.json()
    } else {
        outcome.line()
    })
}

/// Walks every page and record; the revision.
fn check(image: &Image) -> Result<i64, InspectError> {
    let bolt = Bolt::open(image, image.taken().db_len)?;
    let (_pages, found) = inspect::check_and_inspect(&bolt)?;
    Ok(found.current_revision())
}

/// Copies the snapshot with its trailer.
fn copy(image: &Image, target: &mut File) -> Result<(), FillError<Failure>> {
    let mut block = vec![0; BLOCK_BYTES];
    let (mut at, len) = (0_u64, image.len());
    while at < len {
        let rest = usize::try_from(len - at).unwrap_or(usize::MAX);
        let block = block.get_mut(..rest.min(BLOCK_BYTES)).unwrap_or_default();
        image
            .read_at(at, block)
            .map_err(|source| FillError::Source(Failure::Reread { source }))?;
        target.write_all(block).map_err(FillError::Write)?;
        at += u64::try_from(block.len()).unwrap_or(len);
    }
    Ok(())
}

/// The report.
struct Outcome {
    file: PathBuf,
    name: String,
    revision: i64,
    taken: Taken,
}

impl Outcome {
    fn line(&self) -> String {
        format!(
            "got {}: revision {}, {}, sha256 {}, from {}\n",
            self.file.display(),
            self.revision,
            report::size(self.taken.file_len),
            hex::encode(self.taken.sha256),
            self.name.escape_debug(),
        )
    }

    fn json(&self) -> String {
        let document = json!({
            "file": self.file.display().to_string(),
            "object": self.name,
            "revision": self.revision,
            "bytes": self.taken.file_len,
            "db_bytes": self.taken.db_len,
            "sha256": hex::encode(self.taken.sha256),
            "trailer": self.taken.trailer == Trailer::Matches,
            "compression": self.taken.packing.to_string(),
        });
        format!("{document}\n")
    }

    fn warn(&self) {
        if self.taken.trailer == Trailer::Missing {
            tracing::warn!(
                "the object has no SHA-256 trailer, as a file copied from a data directory: etcdutl takes it only with \
                 --skip-hash-check"
            );
        }
    }
}
