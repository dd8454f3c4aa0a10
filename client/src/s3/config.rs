//! The configuration of a client: endpoint, credentials, limits. This module does not read the environment.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::clock::Clock;
use crate::tls::PemFile;

/// A credential that is never shown: no `Display`, and `Debug` prints `Secret(..)`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for signing or authenticating only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(..)")
    }
}

/// The position of the bucket name in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// `https://host/bucket/key`: works with every server and any certificate.
    #[default]
    PathStyle,
    /// `https://bucket.host/key`: needs wildcard names and certificates.
    VirtualHost,
}

/// Time limits of each step, and the number of tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Name lookup and TCP connect, per address.
    pub connect: Duration,
    /// From sending a request to the header of its answer, for requests with a small body.
    pub answer: Duration,
    /// The same for CompleteMultipartUpload: a server joins up to 10,000 parts.
    pub complete: Duration,
    /// The longest idle time within a body.
    pub idle: Duration,
    /// The slowest acceptable upload. It extends `answer` in proportion to the size of the body.
    pub upload_bytes_per_sec_min: u64,
    /// Tries of one call, including the first.
    pub attempts: u32,
    /// The pause before the first retry; it doubles each time, up to `backoff_max`.
    pub backoff_first: Duration,
    /// The longest pause between two tries.
    pub backoff_max: Duration,
}

impl Limits {
    /// Long enough for three retransmissions of a TCP SYN (1, 3, 7 s).
    pub const CONNECT: Duration = Duration::from_secs(10);
    /// S3 servers answer within seconds; a disk with a full queue may take longer to sync.
    pub const ANSWER: Duration = Duration::from_secs(30);
    /// etcdbrctl allows 30 s for Complete. Joining 10,000 parts on a busy server may take longer, and all bytes are already
    /// there.
    pub const COMPLETE: Duration = Duration::from_mins(5);
    /// A server that reads from a failing disk may stall; a minute of silence means that it is gone.
    pub const IDLE: Duration = Duration::from_mins(1);
    /// 128 KiB/s moves a part of 16 MiB in about two minutes (etcdbrctl allows 180 s per part).
    pub const UPLOAD_BYTES_PER_SEC_MIN: u64 = 128 * 1024;
    /// With the pauses below, five tries take about 6 s: enough for a server restart, and a dead server is reported soon.
    pub const ATTEMPTS: u32 = 5;
    /// The first pause.
    pub const BACKOFF_FIRST: Duration = Duration::from_millis(400);
    /// The longest pause.
    pub const BACKOFF_MAX: Duration = Duration::from_secs(10);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Self::CONNECT,
            answer: Self::ANSWER,
            complete: Self::COMPLETE,
            idle: Self::IDLE,
            upload_bytes_per_sec_min: Self::UPLOAD_BYTES_PER_SEC_MIN,
            attempts: Self::ATTEMPTS,
            backoff_first: Self::BACKOFF_FIRST,
            backoff_max: Self::BACKOFF_MAX,
        }
    }
}

/// Everything an [`super::S3Client`] needs.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// `http://` or `https://`, host, optional port, optional base path.
    pub endpoint: Url,
    /// The region in the signature's scope; most non-AWS servers accept any.
    pub region: String,
    /// The access key id.
    pub access_key: String,
    /// The secret key.
    pub secret_key: Secret,
    /// The token of temporary credentials.
    pub session_token: Option<Secret>,
    /// PEM certificates to trust *instead of* the system's, as AWS_CA_BUNDLE does.
    pub ca_bundle: Option<PemFile>,
    /// Path style by default.
    pub addressing: Addressing,
    /// Timeouts and tries.
    pub limits: Limits,
    /// The clock for the dates in signatures.
    pub clock: Clock,
}

impl S3Config {
    /// The default region, which every S3 server accepts.
    pub const REGION_DEFAULT: &'static str = "us-east-1";

    /// Path style, default limits, system clock, no token, the system's trusted certificates.
    pub fn new(endpoint: Url, access_key: impl Into<String>, secret_key: Secret) -> Self {
        Self {
            endpoint,
            region: Self::REGION_DEFAULT.to_owned(),
            access_key: access_key.into(),
            secret_key,
            session_token: None,
            ca_bundle: None,
            addressing: Addressing::PathStyle,
            limits: Limits::default(),
            clock: Clock::system(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        let config = S3Config::new(
            Url::parse("http://127.0.0.1:9000").expect("valid"),
            "id",
            Secret::new("hunter2-hunter2"),
        );
        let printed = format!("{config:?}");
        assert!(
            !printed.contains("hunter2") && printed.contains("Secret(..)"),
            "{printed}"
        );
    }
}
