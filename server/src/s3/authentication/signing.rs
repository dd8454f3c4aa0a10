//! Signing keys, and the chain of signatures over the chunks of a body.
//!
//! AWS' own crate derives the key; HMAC and comparison are ours. Each chunk's signature covers the previous one, so
//! chunks cannot be dropped, repeated or moved.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4::generate_signing_key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{EMPTY_SHA256, Scope};
use crate::clock::UnixMillis;
use crate::s3::identity::Credentials;

/// A key that is valid for one day, region and service.
#[derive(Clone)]
pub(crate) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key of a scope.
    pub(crate) fn derive(credentials: &Credentials, at: UnixMillis, scope: &Scope) -> SigningKey {
        let time = UNIX_EPOCH + Duration::from_secs(at.secs());
        let key = generate_signing_key(credentials.secret(), time, &scope.region, "s3");
        SigningKey(Hmac::new_from_slice(key.as_ref()).expect("HMAC takes keys of any length"))
    }

    /// The signature in hex, if it is the right one for `text`.
    pub(crate) fn accepts(&self, text: &str, signature: &str) -> Option<String> {
        let right = self.sign(text);
        let same: bool = right.as_bytes().ct_eq(signature.as_bytes()).into();
        same.then_some(right)
    }

    fn sign(&self, text: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Verifies the chunks of one body, in order.
#[derive(Debug, Clone)]
pub(crate) struct ChunkSigner {
    key: SigningKey,
    timestamp: String,
    scope: String,
    previous: String,
}

impl ChunkSigner {
    /// A chain that starts at the request's own signature.
    pub(crate) fn new(
        key: SigningKey,
        timestamp: String,
        scope: String,
        seed: String,
    ) -> ChunkSigner {
        ChunkSigner {
            key,
            timestamp,
            scope,
            previous: seed,
        }
    }

    /// Whether `signature` belongs to the next chunk, whose plain bytes have the hash `sha256`.
    pub(crate) fn accepts_chunk(&mut self, sha256: &[u8], signature: &str) -> bool {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{EMPTY_SHA256}\n{}",
            self.timestamp,
            self.scope,
            self.previous,
            hex::encode(sha256)
        );
        self.advance(&text, signature)
    }

    /// Whether `signature` belongs to the trailer, given as `name:value\n` lines.
    pub(crate) fn accepts_trailer(&mut self, canonical: &[u8], signature: &str) -> bool {
        let text = format!(
            "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}",
            self.timestamp,
            self.scope,
            self.previous,
            hex::encode(Sha256::digest(canonical))
        );
        self.advance(&text, signature)
    }

    fn advance(&mut self, text: &str, signature: &str) -> bool {
        match self.key.accepts(text, signature) {
            Some(accepted) => {
                self.previous = accepted;
                true
            }
            None => false,
        }
    }
}
