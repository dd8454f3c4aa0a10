//! One function per fuzz target over what clients send, shared by libFuzzer and by the replay of seeds on stable Rust.
//!
//! Owns: how raw bytes become heads and bodies of requests, and what must hold whatever the bytes. Compiled for tests and
//! with the feature `fuzzing` only. Where a signature guards a parser, the function also makes it right, with AWS' own
//! functions, so that the fuzzer gets behind it. Invariants: a target may only panic where the server is wrong; nothing a
//! client sends makes a 500, and every refusal is a readable document.

mod bodies;
mod heads;

use super::error::{S3Error, S3ErrorCode};
use super::xml::read::XmlReader;

/// What a target does with its input.
pub type Target = fn(&[u8]);

/// The targets by the names of their files and of their folders of seeds.
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
/// There is no such target, or the server is wrong about this input.
pub fn run(target: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, run) = found.expect("the fuzz targets are those of the table");
    run(data);
}

/// What every refusal must be: the client's fault, and told in XML that reads back to the same code.
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
