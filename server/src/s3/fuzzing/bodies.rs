//! Targets over bodies: aws-chunked framing with its signatures and trailers, and the XML documents of requests.

use std::collections::VecDeque;
use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::refused;
use crate::clock::UnixMillis;
use crate::model::ChecksumAlgorithm;
use crate::model::key::KEY_BYTES_MAX;
use crate::s3::authentication::{ChunkSigner, Scope, SigningKey};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::identity::Credentials;
use crate::s3::payload::TrailerRule;
use crate::s3::payload::chunked::{ChunkedDecoder, Trailers};
use crate::s3::payload::expect::trailer_value;
use crate::s3::xml::read::XmlReader;
use crate::s3::xml::write;
use crate::s3::xml::{buckets, deletes, uploads};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TIMESTAMP: &str = "20130524T000000Z";
const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";
const NOW: UnixMillis = UnixMillis(1_369_353_600_000);
const SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The declared length is the length of the chunks, not the one in the input.
const HONEST: u8 = 0x40;
/// Signatures stay as in the input.
const FORGED: u8 = 0x80;

/// The framing selected by the first byte of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Unsigned,
    Signed(TrailerRule),
}

/// Input: mode, declared length (u16 LE), bytes per network read, body. Signatures are corrected unless the mode says
/// no.
pub(super) fn aws_chunked(data: &[u8]) {
    let Some(([mode, low, high, step], body)) = data.split_first_chunk() else {
        return;
    };
    let framing = match mode & 3 {
        0 => Framing::Unsigned,
        1 => Framing::Signed(TrailerRule::Absent),
        _ => Framing::Signed(TrailerRule::Present),
    };
    let resealed = reseal(body, framing == Framing::Signed(TrailerRule::Present));
    let declared = match mode & HONEST {
        0 => u64::from(u16::from_le_bytes([*low, *high])),
        _ => resealed.plain_len,
    };
    let forged = mode & FORGED != 0;
    let body = match framing {
        Framing::Signed(_) if !forged => resealed.body.as_slice(),
        _ => body,
    };
    let whole = decode(framing, declared, body, body.len().max(1));
    let pieces = decode(framing, declared, body, usize::from(*step) + 1);
    let outcome = |result: &Result<(Vec<u8>, Trailers), S3Error>| match result {
        Ok(decoded) => Ok(decoded.clone()),
        Err(error) => Err(error.code()),
    };
    assert_eq!(
        outcome(&whole),
        outcome(&pieces),
        "reads of {step} + 1 bytes make a difference"
    );
    match whole {
        Ok((plain, trailers)) => {
            assert_eq!(
                u64::try_from(plain.len()).ok(),
                Some(declared),
                "as many bytes as declared"
            );
            for algorithm in ChecksumAlgorithm::ALL {
                let _ = trailer_value(algorithm, &trailers).inspect_err(refused);
            }
        }
        Err(error) => {
            refused(&error);
            let mismatch = error.code() == S3ErrorCode::SignatureDoesNotMatch;
            assert!(
                !mismatch || forged,
                "AWS' own signatures are refused: {error}"
            );
        }
    }
}

fn decode(
    framing: Framing,
    declared: u64,
    body: &[u8],
    step: usize,
) -> Result<(Vec<u8>, Trailers), S3Error> {
    let mut decoder = match framing {
        Framing::Unsigned => ChunkedDecoder::unsigned(declared),
        Framing::Signed(trailer) => ChunkedDecoder::signed(declared, signer(), trailer),
    };
    let mut out = VecDeque::new();
    for read in body.chunks(step) {
        decoder.feed(Bytes::copy_from_slice(read), &mut out)?;
    }
    let trailers = decoder.finish()?;
    Ok((Vec::from(out).concat(), trailers))
}

fn signer() -> ChunkSigner {
    let scope = Scope {
        date: "20130524".to_owned(),
        region: "us-east-1".to_owned(),
    };
    let key = SigningKey::derive(&Credentials::new("user", SECRET), NOW, &scope);
    ChunkSigner::new(key, TIMESTAMP.to_owned(), scope.text(), SEED.to_owned())
}

/// A body with the chain of signatures that its chunks and trailers need.
struct Resealed {
    body: Vec<u8>,
    plain_len: u64,
}

/// Signs as a client does. Bytes that are no longer a chunk are copied unchanged.
fn reseal(mut rest: &[u8], with_trailer: bool) -> Resealed {
    let mut chain = Chain {
        previous: SEED.to_owned(),
    };
    let mut out = Vec::new();
    let mut plain_len = 0_u64;
    while let Some((size, after)) = chunk_header(rest) {
        let len = usize::try_from(size).unwrap_or(usize::MAX).min(after.len());
        let (piece, after) = after.split_at(len);
        let signature = chain.chunk(piece);
        out.extend(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        out.extend(piece);
        plain_len = plain_len.saturating_add(size);
        rest = after;
        if size == 0 {
            if with_trailer {
                out.extend(chain.trailer(rest));
                rest = &[];
            }
            break;
        } else if let Some(after) = rest.strip_prefix(b"\r\n") {
            out.extend(b"\r\n");
            rest = after;
        } else {
            break;
        }
    }
    out.extend(rest);
    Resealed {
        body: out,
        plain_len,
    }
}

/// A chunk's size, and the bytes after its header line.
fn chunk_header(rest: &[u8]) -> Option<(u64, &[u8])> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, after) = rest.split_at(end);
    let size = std::str::from_utf8(line).ok()?.split(';').next()?;
    let size = u64::from_str_radix(size, 16).ok()?;
    Some((size, after.get(2..)?))
}

struct Chain {
    previous: String,
}

impl Chain {
    fn chunk(&mut self, piece: &[u8]) -> String {
        let hash = hex::encode(Sha256::digest(piece));
        self.sign(
            "AWS4-HMAC-SHA256-PAYLOAD",
            &format!("{EMPTY_SHA256}\n{hash}"),
        )
    }

    /// The trailer lines followed by their signature, which replaces any existing one.
    fn trailer(&mut self, lines: &[u8]) -> Vec<u8> {
        let (mut out, mut canonical) = (Vec::new(), String::new());
        for line in lines.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
            let field = std::str::from_utf8(line)
                .ok()
                .and_then(|line| line.split_once(':'));
            if let Some((name, value)) = field {
                let name = name.trim().to_ascii_lowercase();
                if name == "x-amz-trailer-signature" {
                    continue;
                }
                canonical.extend([name.as_str(), ":", value.trim(), "\n"]);
            }
            out.extend(line);
            out.extend(b"\r\n");
        }
        let hash = hex::encode(Sha256::digest(canonical.as_bytes()));
        let signature = self.sign("AWS4-HMAC-SHA256-TRAILER", &hash);
        out.extend(format!("x-amz-trailer-signature:{signature}\r\n\r\n").as_bytes());
        out
    }

    fn sign(&mut self, algorithm: &str, hashes: &str) -> String {
        let time = UNIX_EPOCH + Duration::from_secs(NOW.secs());
        let key = generate_signing_key(SECRET, time, "us-east-1", "s3");
        let text = format!(
            "{algorithm}\n{TIMESTAMP}\n{SCOPE}\n{}\n{hashes}",
            self.previous
        );
        self.previous = calculate_signature(key, text.as_bytes());
        self.previous.clone()
    }
}

/// Every XML document that a request may carry.
pub(super) fn xml(data: &[u8]) {
    if let Err(error) = buckets::create_bucket(data) {
        refused(&error);
    }
    match deletes::delete_objects(data) {
        Ok(request) => {
            assert!((1..=1000).contains(&request.targets.len()), "S3's limit");
            for target in &request.targets {
                let key = target.key.as_str();
                assert!((1..=KEY_BYTES_MAX).contains(&key.len()), "S3's limit");
                // No such key can be made; one of an earlier version is shown with U+FFFD.
                if write::unrepresentable(key).is_none() {
                    assert_eq!(written_and_read(key), key, "a key comes back in an answer");
                }
            }
        }
        Err(error) => refused(&error),
    }
    match uploads::complete_upload(data) {
        Ok(parts) => assert!((1..=10_000).contains(&parts.len()), "S3's limit"),
        Err(error) => refused(&error),
    }
}

fn written_and_read(text: &str) -> String {
    let body = write::answer("Key", &text);
    let mut xml = XmlReader::open(&body, "Key").expect("own XML is read");
    let read = xml.text().expect("own XML is read");
    xml.end().expect("own XML is read");
    read
}
