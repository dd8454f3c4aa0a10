//! One function per fuzz target over client input, shared by libFuzzer and by the replay of seeds on stable Rust.
//!
//! Each target turns raw bytes into the head or the body of a request and checks invariants. Compiled only for tests
//! and with the feature `fuzzing`. Where a signature protects a parser, the target also tries the right signature, made
//! by AWS' own functions, so that the fuzzer reaches the parser. Invariants: a target panics only on a fault of the
//! server; no request causes a 500; every refusal is a readable document.

mod bodies;
mod heads;

use super::error::{S3Error, S3ErrorCode};
use super::xml::read::XmlReader;

/// A fuzz target.
pub type Target = fn(&[u8]);

/// The targets, by the names of their files and seed folders.
pub const TARGETS: &[(&str, Target)] = &[
    ("sigv4", heads::sigv4),
    ("request_uri", heads::request_uri),
    ("request_headers", heads::request_headers),
    ("aws_chunked", bodies::aws_chunked),
    ("xml", bodies::xml),
];

/// Runs one target.
///
/// # Panics
/// When there is no such target, or when the server handles this input wrongly.
pub fn run(target: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, run) = found.expect("the fuzz targets are those of the table");
    run(data);
}

/// Checks a refusal: it blames the client, and its XML decodes to the same code.
fn refused(error: &S3Error) {
    assert_ne!(
        error.code(),
        S3ErrorCode::InternalError,
        "nothing a client sends makes a 500: {error}"
    );
    assert_eq!(
        told(error, "Code").as_deref(),
        Some(error.code().wire()),
        "{error}"
    );
}

/// The text of one element of an error's body.
fn told(error: &S3Error, element: &str) -> Option<String> {
    let body = error.body("/resource", "request", "host");
    let mut xml = XmlReader::open(&body, "Error").expect("an error is XML");
    let mut found = None;
    while let Some(name) = xml.child().expect("an error is XML") {
        let text = xml.text().expect("an error's elements hold text");
        if name == element {
            found = Some(text);
        }
    }
    xml.end().expect("nothing follows an error");
    found
}

#[cfg(test)]
mod tests;
