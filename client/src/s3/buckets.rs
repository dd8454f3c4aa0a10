//! The only call about a bucket.

use hyper::Method;

use super::error::{Operation, S3Error};
use super::exchange::{Call, S3Client};

/// Limit for answers without content; a longer answer is not from S3.
const SHORT_ANSWER_BYTES_MAX: usize = 64 * 1024;

impl S3Client {
    /// Checks that a bucket exists and may be used.
    ///
    /// # Errors
    /// [`super::S3ErrorKind::NotFound`] if it does not exist.
    pub async fn head_bucket(&self, bucket: &str) -> Result<(), S3Error> {
        let call = Call::new(Operation::HeadBucket, Method::HEAD, Some(bucket), None);
        self.collect(&call, SHORT_ANSWER_BYTES_MAX).await.map(drop)
    }
}
