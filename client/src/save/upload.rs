//! Saves into a store: sends parts while the stream runs, a bounded number at a time.
//!
//! Memory: one part being filled and [`PARTS_IN_FLIGHT_MAX`] in flight.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::task::JoinSet;

use super::Sink;
use super::error::SaveError;
use crate::clock;
use crate::s3::{
    Existing, Operation, PARTS_MAX, PartTag, PutOptions, S3Client, S3Error, S3ErrorKind, UploadId,
};

/// The smallest part: few requests for a typical database (6 for 100 MB), and at most 48 MiB of memory.
pub const PART_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// One part is hashed and sent while the previous one waits for its answer. More would only cost memory.
pub const PARTS_IN_FLIGHT_MAX: usize = 2;
/// Part sizes are whole MiB, so that they align with a store's blocks.
const PART_STEP_BYTES: u64 = 1024 * 1024;
/// An abort must not take longer than a person waits after Ctrl-C.
const ABORT_LIMIT: Duration = Duration::from_secs(10);

/// The part size for a database: the smallest for which [`PARTS_MAX`] parts are enough, even if the database grows by a quarter
/// between the query of its size and the snapshot.
pub fn part_bytes(db_bytes: u64) -> u64 {
    let room = db_bytes.saturating_add(db_bytes / 4);
    let least = room.div_ceil(u64::from(PARTS_MAX));
    least
        .div_ceil(PART_STEP_BYTES)
        .saturating_mul(PART_STEP_BYTES)
        .max(PART_BYTES_MIN)
}

/// Fails early, with a clear message, if the upload cannot work. The client also learns the server's clock from it.
pub(super) async fn check_bucket(client: &S3Client, bucket: &str) -> Result<(), S3Error> {
    match client.head_bucket(bucket).await {
        // Write-only credentials may not check the bucket; the upload itself will show whether it works.
        Err(error) if matches!(error.kind(), S3ErrorKind::Auth { .. }) => Ok(()),
        outcome => outcome,
    }
}

/// Checks whether the store has the object with its full length. `false` if the check is not allowed.
pub(super) async fn confirm(
    client: &S3Client,
    bucket: &str,
    key: &str,
    bytes: u64,
) -> Result<bool, S3Error> {
    match client.head_object(bucket, key).await {
        Ok(head) if head.size == bytes => Ok(true),
        Ok(head) => Err(S3Error::new(
            S3ErrorKind::Integrity {
                what: "size of the stored object",
                expected: format!("{bytes} bytes"),
                actual: format!("{} bytes", head.size),
            },
            Operation::HeadObject,
            &client.config().endpoint,
        )
        .at(Some(bucket), Some(key))),
        Err(error) => {
            tracing::warn!("the object is stored, but could not be looked at: {error}");
            Ok(false)
        }
    }
}

pub(super) struct PartUploader {
    target: Arc<Target>,
    part_bytes: usize,
    filling: BytesMut,
    number: u32,
    flying: JoinSet<Result<PartTag, S3Error>>,
    landed: Vec<PartTag>,
}

struct Target {
    client: S3Client,
    bucket: String,
    key: String,
    upload: UploadId,
}

impl PartUploader {
    pub(super) async fn begin(
        client: &S3Client,
        bucket: &str,
        key: &str,
        part_bytes: u64,
    ) -> Result<Self, SaveError> {
        let options = PutOptions {
            content_type: Some("application/octet-stream".to_owned()),
            ..PutOptions::default()
        };
        let upload = client.create_upload(bucket, key, &options).await?;
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        Ok(Self {
            target: Arc::new(Target {
                client: client.clone(),
                bucket,
                key,
                upload,
            }),
            part_bytes: usize::try_from(part_bytes).unwrap_or(usize::MAX),
            filling: BytesMut::new(),
            number: 0,
            flying: JoinSet::new(),
            landed: Vec::new(),
        })
    }

    /// Sends the part that is being filled, after waiting for a free slot.
    async fn launch(&mut self) -> Result<(), SaveError> {
        while self.flying.len() >= PARTS_IN_FLIGHT_MAX {
            self.land().await?;
        }
        self.number += 1;
        let (number, bytes, target) = (
            self.number,
            self.filling.split().freeze(),
            Arc::clone(&self.target),
        );
        self.flying.spawn(async move {
            target
                .client
                .upload_part(&target.bucket, &target.key, &target.upload, number, bytes)
                .await
        });
        Ok(())
    }

    async fn land(&mut self) -> Result<(), SaveError> {
        if let Some(joined) = self.flying.join_next().await {
            self.landed
                .push(joined.expect("sending a part does not panic and is not cancelled")?);
        }
        Ok(())
    }

    /// Sends the rest and waits for every answer.
    pub(super) async fn flush(&mut self) -> Result<(), SaveError> {
        if !self.filling.is_empty() {
            self.launch().await?;
        }
        while !self.flying.is_empty() {
            self.land().await?;
        }
        Ok(())
    }

    /// Makes the object visible, unless another one has the key; aborts the upload if that fails.
    pub(super) async fn complete(mut self) -> Result<String, SaveError> {
        self.landed.sort_unstable_by_key(PartTag::number);
        let Target {
            client,
            bucket,
            key,
            upload,
        } = &*self.target;
        match client
            .complete_upload(bucket, key, upload, &self.landed, Existing::Keep)
            .await
        {
            Ok(result) => Ok(result.etag),
            Err(error) => {
                self.abort().await;
                Err(error.into())
            }
        }
    }

    /// Aborts the upload, if the server can be reached.
    pub(super) async fn abort(mut self) {
        self.flying.shutdown().await;
        let Target {
            client,
            bucket,
            key,
            upload,
        } = &*self.target;
        let (id, left) = (
            upload.as_str(),
            "the open upload could not be aborted; the server will expire it",
        );
        match clock::within(ABORT_LIMIT, client.abort_upload(bucket, key, upload)).await {
            Some(Ok(())) => tracing::info!(bucket, key, "the upload was aborted"),
            Some(Err(error)) => tracing::warn!(upload = id, "{left}: {error}"),
            None => tracing::warn!(
                upload = id,
                "{left}: no answer within {} s",
                ABORT_LIMIT.as_secs()
            ),
        }
    }
}

impl Sink for PartUploader {
    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), SaveError> {
        while !bytes.is_empty() {
            if self.filling.is_empty() {
                self.filling.reserve(self.part_bytes);
            }
            let (now, rest) = bytes.split_at(bytes.len().min(self.part_bytes - self.filling.len()));
            self.filling.extend_from_slice(now);
            bytes = rest;
            if self.filling.len() == self.part_bytes {
                self.launch().await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_so_that_ten_thousand_hold_the_database() {
        const GIB: u64 = 1024 * 1024 * 1024;
        assert_eq!(part_bytes(0), PART_BYTES_MIN);
        assert_eq!(part_bytes(100 * GIB), PART_BYTES_MIN);
        for db_bytes in [127 * GIB, 128 * GIB, 500 * GIB, 4_000 * GIB] {
            let part = part_bytes(db_bytes);
            assert!(
                part * u64::from(PARTS_MAX) >= db_bytes + db_bytes / 4,
                "{db_bytes}: {part}"
            );
            assert_eq!(part % PART_STEP_BYTES, 0);
        }
        assert!(part_bytes(128 * GIB) > PART_BYTES_MIN);
        assert!(part_bytes(u64::MAX) > 0);
    }
}
