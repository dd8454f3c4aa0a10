//! Downloads an object into a temporary file and resumes after broken connections.

use std::fs::File;
use std::io::{self, Write as _};

use bytes::Bytes;
use strongroom_snapshot_io::intake::BLOCK_BYTES;
use strongroom_snapshot_io::scratch::Scratch;

use super::error::ImageError;
use crate::s3::{BodyStream, S3Client, S3Error, S3ErrorKind};
use crate::uri::S3Uri;

/// Connections in a row without data before the download is given up. Each connection already includes several tries.
const EMPTY_CONNECTIONS_MAX: u32 = 3;

pub(super) async fn into_scratch(
    client: &S3Client,
    uri: &S3Uri,
    scratch: &Scratch,
) -> Result<File, ImageError> {
    let (bucket, key) = (uri.bucket(), uri.prefix());
    let object = client.get_object(bucket, key, None).await?;
    let (len, etag) = (object.len, object.etag);
    let mut file = Blocks {
        file: scratch.file()?,
        block: Vec::with_capacity(BLOCK_BYTES),
        scratch,
    };
    let (mut body, mut received, mut fruitless) = (object.body, 0_u64, 0);
    loop {
        let before = received;
        let Err(error) = drain(&mut body, &mut file, &mut received).await? else {
            return file.finish().await;
        };
        fruitless = if received > before { 0 } else { fruitless + 1 };
        if fruitless >= EMPTY_CONNECTIONS_MAX || received >= len || !is_worth_another_try(&error) {
            return Err(error.into());
        }
        tracing::info!(received, len, "the connection broke; continuing");
        let rest = received..=len - 1;
        body = client
            .get_object_if_match(bucket, key, Some(rest), &etag)
            .await?
            .body;
    }
}

/// Reads the pieces of the body; the inner error is that of the connection.
async fn drain(
    body: &mut BodyStream,
    file: &mut Blocks<'_>,
    received: &mut u64,
) -> Result<Result<(), S3Error>, ImageError> {
    while let Some(piece) = body.next().await {
        match piece {
            Ok(bytes) => {
                *received = received.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                file.write(&bytes).await?;
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

fn is_worth_another_try(error: &S3Error) -> bool {
    matches!(
        error.kind(),
        S3ErrorKind::Network | S3ErrorKind::Timeout { .. } | S3ErrorKind::Integrity { .. }
    )
}

/// A file that is written in blocks on the blocking pool.
struct Blocks<'s> {
    file: File,
    block: Vec<u8>,
    scratch: &'s Scratch,
}

impl Blocks<'_> {
    async fn write(&mut self, bytes: &Bytes) -> Result<(), ImageError> {
        self.block.extend_from_slice(bytes);
        if self.block.len() < BLOCK_BYTES {
            return Ok(());
        }
        self.hand_over().await
    }

    async fn hand_over(&mut self) -> Result<(), ImageError> {
        let failed = |source| self.scratch.failed("write to", source);
        let mut file = self.file.try_clone().map_err(failed)?;
        let mut block = std::mem::take(&mut self.block);
        let written = tokio::task::spawn_blocking(move || {
            file.write_all(&block)?;
            block.clear();
            Ok::<_, io::Error>(block)
        });
        self.block = written
            .await
            .expect("writing a block does not panic")
            .map_err(failed)?;
        Ok(())
    }

    async fn finish(mut self) -> Result<File, ImageError> {
        self.hand_over().await?;
        Ok(self.file)
    }
}
