//! The byte stream of Maintenance.Snapshot. etcd sends pieces of 32 KiB, and at the end the SHA-256 of all of them.

use std::time::Duration;

use etcd_client::{SnapshotResponse, SnapshotStreaming};

use super::error::{Awaited, EtcdError, Meaning, cause};
use crate::clock;

/// etcd reads pages from disk while it sends; a minute without a piece means that it hangs.
const IDLE_LIMIT: Duration = Duration::from_mins(1);

/// A snapshot stream.
pub struct SnapshotStream {
    endpoint: String,
    stream: SnapshotStreaming,
    received: u64,
    missing: u64,
    total: Option<u64>,
}

/// Some bytes of the snapshot, still in their message.
pub struct Piece(SnapshotResponse);

impl Piece {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.blob()
    }
}

impl SnapshotStream {
    pub(super) fn new(endpoint: String, stream: SnapshotStreaming) -> Self {
        Self {
            endpoint,
            stream,
            received: 0,
            missing: 0,
            total: None,
        }
    }

    /// The endpoint it comes from.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Bytes so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The total number of bytes, once etcd has announced it with the first piece.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The next piece, or `None` after the last.
    ///
    /// # Errors
    /// If the stream breaks off, stalls, or ends before all announced bytes arrived.
    pub async fn next(&mut self) -> Result<Option<Piece>, EtcdError> {
        let endpoint = || self.endpoint.clone();
        let message = match clock::within(IDLE_LIMIT, self.stream.message()).await {
            Some(Ok(Some(message))) => message,
            Some(Ok(None)) if self.missing == 0 => return Ok(None),
            Some(Ok(None)) => {
                let (received, missing) = (self.received, self.missing);
                return Err(EtcdError::StreamShort {
                    endpoint: endpoint(),
                    received,
                    missing,
                });
            }
            Some(Err(error)) => return Err(self.broken(error)),
            None => {
                let awaited = Awaited::SnapshotBytes;
                return Err(EtcdError::Timeout {
                    endpoint: endpoint(),
                    awaited,
                    limit: IDLE_LIMIT,
                });
            }
        };
        let bytes = u64::try_from(message.blob().len()).unwrap_or(u64::MAX);
        self.received = self.received.saturating_add(bytes);
        self.missing = message.remaining_bytes();
        self.total
            .get_or_insert(self.received.saturating_add(self.missing));
        Ok(Some(Piece(message)))
    }

    /// A refusal stays a refusal; any other error means that the stream broke off.
    fn broken(&self, error: etcd_client::Error) -> EtcdError {
        if matches!(
            Meaning::of_client(&error),
            Meaning::Denied | Meaning::Learner
        ) {
            return EtcdError::of_client(&self.endpoint, error);
        }
        EtcdError::StreamBroken {
            endpoint: self.endpoint.clone(),
            received: self.received,
            source: cause(error),
        }
    }
}
