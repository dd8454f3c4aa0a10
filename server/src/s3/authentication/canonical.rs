//! SigV4's canonical request and string to sign.
//!
//! Pure text building, as in "Signature Calculations for the Authorization Header" of the Amazon S3 API reference.
//! Header values are bytes, not text: they are signed and compared as sent.

use hyper::header::{EXPECT, HOST};
use sha2::{Digest, Sha256};

use crate::s3::head::Headers;

/// The parts of a request that a signature covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct CanonicalRequest<'a> {
    pub(super) method: &'a str,
    pub(super) canonical_query: &'a str,
    pub(super) headers: Headers<'a>,
    /// HTTP/2 may name the host outside the headers.
    pub(super) host: Option<&'a str>,
    /// Lower-case names, sorted.
    pub(super) signed_headers: &'a [String],
    pub(super) payload_hash: &'a str,
    /// Another value of one header than the one that arrived.
    pub(super) instead: Option<(&'a str, &'a str)>,
}

impl CanonicalRequest<'_> {
    /// The canonical request for one spelling of the path.
    pub(super) fn bytes(&self, path: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(
            format!("{}\n{path}\n{}\n", self.method, self.canonical_query).as_bytes(),
        );
        for name in self.signed_headers {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            self.push_values(&mut out, name);
            out.push(b'\n');
        }
        out.push(b'\n');
        out.extend_from_slice(self.signed_headers.join(";").as_bytes());
        out.push(b'\n');
        out.extend_from_slice(self.payload_hash.as_bytes());
        out
    }

    /// Appends all values of a header: each trimmed, runs of spaces folded, joined by commas.
    fn push_values(&self, out: &mut Vec<u8>, name: &str) {
        if let Some((_, value)) = self.instead.filter(|(of, _)| *of == name) {
            out.extend_from_slice(value.as_bytes());
            return;
        }
        if !self.headers.has(name) {
            if name == EXPECT {
                // Proxies may answer it themselves and drop it; it has only one value.
                out.extend_from_slice(b"100-continue");
            } else if name == HOST {
                out.extend_from_slice(self.host.unwrap_or("").as_bytes());
            }
        }
        for (place, value) in self.headers.raw_values(name).enumerate() {
            if place > 0 {
                out.push(b',');
            }
            let words = value
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty());
            for (index, word) in words.enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(word);
            }
        }
    }
}

/// SigV4's string to sign.
pub(super) fn string_to_sign(
    algorithm: &str,
    timestamp: &str,
    scope: &str,
    canonical_request: &[u8],
) -> String {
    format!(
        "{algorithm}\n{timestamp}\n{scope}\n{}",
        hex::encode(Sha256::digest(canonical_request))
    )
}
