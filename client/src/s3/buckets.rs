//! Bucket calls: create, look, delete, list.

use bytes::Bytes;
use hyper::Method;
use time::OffsetDateTime;

use super::config::S3Config;
use super::error::{Operation, S3Error};
use super::exchange::{Call, S3Client};
use super::signing::Payload;
use super::{dates, xml};

/// Answers without content; anything longer is not S3.
const SHORT_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// S3 accounts have up to 10,000 buckets (100 by default) of about 200 bytes each in the answer.
const BUCKET_LIST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A bucket in the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketEntry {
    /// Its name.
    pub name: String,
    /// When it was created, if the server says so.
    pub created: Option<OffsetDateTime>,
}

impl S3Client {
    /// Creates a bucket.
    ///
    /// # Errors
    /// `BucketAlreadyOwnedByYou` or `BucketAlreadyExists` (see [`S3Error::code`]) when it is there already.
    pub async fn create_bucket(&self, bucket: &str) -> Result<(), S3Error> {
        let mut call = Call::new(Operation::CreateBucket, Method::PUT, Some(bucket), None);
        let region = &self.config().region;
        if region != S3Config::REGION_DEFAULT {
            call.parts.payload = Payload::short(Bytes::from(xml::location_document(region)));
        }
        self.collect(&call, SHORT_ANSWER_BYTES_MAX).await.map(drop)
    }

    /// Asks whether a bucket exists and may be used.
    ///
    /// # Errors
    /// [`super::S3ErrorKind::NotFound`] when it does not exist.
    pub async fn head_bucket(&self, bucket: &str) -> Result<(), S3Error> {
        let call = Call::new(Operation::HeadBucket, Method::HEAD, Some(bucket), None);
        self.collect(&call, SHORT_ANSWER_BYTES_MAX).await.map(drop)
    }

    /// Deletes an empty bucket.
    ///
    /// # Errors
    /// `BucketNotEmpty` when it is not empty.
    pub async fn delete_bucket(&self, bucket: &str) -> Result<(), S3Error> {
        let call = Call::new(Operation::DeleteBucket, Method::DELETE, Some(bucket), None);
        self.collect(&call, SHORT_ANSWER_BYTES_MAX).await.map(drop)
    }

    /// Lists the account's buckets.
    ///
    /// # Errors
    /// When the call fails or the answer is not S3's.
    pub async fn list_buckets(&self) -> Result<Vec<BucketEntry>, S3Error> {
        let call = Call::new(Operation::ListBuckets, Method::GET, None, None);
        let (_parts, bytes) = self.collect(&call, BUCKET_LIST_BYTES_MAX).await?;
        let root = self.xml(&call, &bytes)?;
        let entry = |bucket: &xml::Element| BucketEntry {
            name: bucket.child_text("Name").unwrap_or_default().to_owned(),
            created: bucket.child_text("CreationDate").and_then(dates::from_xml),
        };
        Ok(root.child("Buckets").map_or_else(Vec::new, |buckets| {
            buckets.children_named("Bucket").map(entry).collect()
        }))
    }
}
