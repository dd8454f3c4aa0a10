//! Opens the snapshot in a file or object and inspects it, off the event loop.

use super::failure::{Failure, Refused};
use super::settings::{LookPlan, SnapshotSource};
use crate::image::Image;
use crate::s3::S3Client;

/// Opens the snapshot and inspects it.
pub(super) async fn look<T: Send + 'static>(
    plan: LookPlan,
    ask: impl FnOnce(&Image) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Failure> {
    let LookPlan { source, scratch } = plan;
    let image = match source {
        SnapshotSource::File(path) => {
            let opened = tokio::task::spawn_blocking(move || Image::open(&path, &scratch)).await;
            opened.expect("opening a file does not panic")?
        }
        SnapshotSource::Object(config, uri) => {
            let client = S3Client::new(*config)?;
            Image::fetch(&client, &uri, &scratch).await?
        }
    };
    let asked = tokio::task::spawn_blocking(move || {
        ask(&image).map_err(|refused| Failure::Look {
            name: image.name().to_owned(),
            source: refused,
        })
    });
    asked.await.expect("decoders do not panic")
}
