//! Opens the snapshot in a file or object and inspects it, off the event loop.

use strongroom_etcd_format::bolt::Bolt;
use strongroom_etcd_format::inspect::LiveRows;

use super::failure::{Failure, Refused};
use super::settings::{LookPlan, SnapshotSource};
use crate::image::Image;
use crate::s3::S3Client;

/// Opens the snapshot: its trailer is compared, its pages are not checked yet.
pub(super) async fn open(plan: LookPlan) -> Result<Image, Failure> {
    let LookPlan { source, scratch } = plan;
    match source {
        SnapshotSource::File(path) => {
            let opened = tokio::task::spawn_blocking(move || Image::open(&path, &scratch)).await;
            Ok(opened.expect("opening a file does not panic")?)
        }
        SnapshotSource::Object(config, uri) => {
            let client = S3Client::new(*config)?;
            Ok(Image::fetch(&client, &uri, &scratch).await?)
        }
    }
}

/// Opens the snapshot and inspects it.
pub(super) async fn look<T: Send + 'static>(
    plan: LookPlan,
    ask: impl FnOnce(&Image) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Failure> {
    let image = open(plan).await?;
    let asked = tokio::task::spawn_blocking(move || {
        ask(&image).map_err(|refused| Failure::Look {
            name: image.name().to_owned(),
            source: refused,
        })
    });
    asked.await.expect("decoders do not panic")
}

/// Opens the database in a snapshot and finds the rows of its live keys, after all of it was verified.
///
/// # Errors
/// [`Refused::Database`].
pub(super) fn live_rows(image: &Image) -> Result<(Bolt<&Image>, LiveRows), Refused> {
    let bolt =
        Bolt::open(image, image.taken().db_len).map_err(|error| Refused::Database(error.into()))?;
    let live = LiveRows::find(&bolt).map_err(Refused::Database)?;
    Ok((bolt, live))
}
