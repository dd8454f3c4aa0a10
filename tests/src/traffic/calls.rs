//! The S3 calls of a client over one kept connection, each with its answer parsed into the form that the histories
//! compare.
//!
//! Small bodies are hashed into the signature, large ones are not, so that the CPU is left to the server.
#![expect(
    clippy::missing_errors_doc,
    reason = "all calls fail in the same three ways, which `CallError` documents"
)]

use std::io;

use super::content::Token;
use super::keyspace::{Part, State, Version};
use super::wire::{Body, Wire};
use crate::http::Head;
use crate::s3::S3;
use crate::server::{BUCKET, Server};

/// Bodies up to this size are hashed into the signature.
const SIGNED_BYTES_MAX: u64 = 64 * 1024;

/// The user metadata that identifies the version.
const TOKEN_HEADER: &str = "x-amz-meta-token";

/// The content type of every object.
const CONTENT_TYPE: &str = "application/x-suite";

/// Keys per page of a listing: few, so that listings have several pages.
const PAGE_KEYS: u32 = 100;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The connection could not be made or was cut.
    #[error("{call}: connection: {source}")]
    Line {
        /// The call.
        call: String,
        /// The socket's error.
        source: io::Error,
    },
    /// The server answered with an error.
    #[error("{call}: {status} {text}")]
    Refused {
        /// The call.
        call: String,
        /// The HTTP status.
        status: u16,
        /// The body.
        text: String,
    },
    /// The object has other bytes or another head than any of its versions.
    #[error("{call}: wrong: {what}")]
    Wrong {
        /// The call.
        call: String,
        /// The difference.
        what: String,
    },
}

impl CallError {
    /// Whether the server answered that it does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

/// An upload as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedUpload {
    /// Its key.
    pub key: String,
    /// Its id.
    pub id: String,
}

/// A caller of one server.
#[derive(Debug)]
pub struct Caller {
    s3: S3,
    wire: Wire,
}

impl Caller {
    /// A caller of this server.
    pub fn of(server: &Server) -> Self {
        Self {
            s3: S3::of(server),
            wire: Wire::to(server.s3_addr()),
        }
    }

    /// PutObject; returns the ETag.
    pub fn put(&mut self, key: &str, token: Token, len: u64) -> Result<String, CallError> {
        let text = token.to_string();
        let headers = [
            (TOKEN_HEADER, text.as_str()),
            ("content-type", CONTENT_TYPE),
        ];
        let body = Body::Content {
            token,
            from: 0,
            len,
        };
        let (head, _) = self.call("PUT", &format!("/{BUCKET}/{key}"), &headers, body)?;
        Ok(etag(&head))
    }

    /// The status of any request with an empty body.
    pub fn status(&mut self, method: &str, path: &str) -> Result<u16, CallError> {
        match self.call(method, path, &[], Body::Bytes(b"")) {
            Ok((head, _)) => Ok(head.status),
            Err(CallError::Refused { status, .. }) => Ok(status),
            Err(other) => Err(other),
        }
    }

    /// Sends a request without a body over a connection of its own, and hangs up.
    pub fn hang_up_after(&self, method: &str, path: &str) {
        let request = self.s3.signed(method, path, &[], b"");
        // The server may have died: the next call tells.
        let _gone = crate::http::send_and_hang_up(self.wire.addr(), &request.bytes());
    }

    /// DeleteObject.
    pub fn delete(&mut self, key: &str) -> Result<(), CallError> {
        let path = format!("/{BUCKET}/{key}");
        self.call("DELETE", &path, &[], Body::Bytes(b""))
            .map(|_| ())
    }

    /// DeleteObjects; the answer must name each key.
    pub fn delete_many(&mut self, keys: &[&str]) -> Result<(), CallError> {
        let mut document = String::from("<Delete>");
        for key in keys {
            document.push_str("<Object><Key>");
            document.push_str(key);
            document.push_str("</Key></Object>");
        }
        document.push_str("</Delete>");
        let path = format!("/{BUCKET}?delete=");
        let (_, text) = self.call("POST", &path, &[], Body::Bytes(document.as_bytes()))?;
        if texts(&text, "Deleted").len() == keys.len() {
            return Ok(());
        }
        Err(CallError::Refused {
            call: format!("DeleteObjects {keys:?}"),
            status: 200,
            text,
        })
    }

    /// CreateMultipartUpload; returns the id.
    pub fn create(&mut self, key: &str, token: Token) -> Result<String, CallError> {
        let text = token.to_string();
        let headers = [
            (TOKEN_HEADER, text.as_str()),
            ("content-type", CONTENT_TYPE),
        ];
        let path = format!("/{BUCKET}/{key}?uploads=");
        let (_, text) = self.call("POST", &path, &headers, Body::Bytes(b""))?;
        Ok(texts(&text, "UploadId").pop().unwrap_or_default())
    }

    /// UploadPart; returns the ETag.
    pub fn part(
        &mut self,
        (key, id): (&str, &str),
        number: u16,
        body: Body<'_>,
    ) -> Result<String, CallError> {
        let path = format!("/{BUCKET}/{key}?partNumber={number}&uploadId={id}");
        let (head, _) = self.call("PUT", &path, &[], body)?;
        Ok(etag(&head))
    }

    /// CompleteMultipartUpload; returns the ETag.
    pub fn complete(
        &mut self,
        (key, id): (&str, &str),
        parts: impl Iterator<Item = (u16, Part)>,
    ) -> Result<String, CallError> {
        let mut document = String::from("<CompleteMultipartUpload>");
        for (number, Part { etag, .. }) in parts {
            let part = format!("<PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag>");
            document.extend(["<Part>", &part, "</Part>"]);
        }
        document.push_str("</CompleteMultipartUpload>");
        let path = format!("/{BUCKET}/{key}?uploadId={id}");
        let (_, text) = self.call("POST", &path, &[], Body::Bytes(document.as_bytes()))?;
        match texts(&text, "ETag").pop() {
            Some(etag) => Ok(bare(&etag)),
            // The status is sent before the outcome is known.
            None => Err(CallError::Refused {
                call: format!("Complete {path}"),
                status: 200,
                text,
            }),
        }
    }

    /// AbortMultipartUpload.
    pub fn abort(&mut self, (key, id): (&str, &str)) -> Result<(), CallError> {
        let path = format!("/{BUCKET}/{key}?uploadId={id}");
        self.call("DELETE", &path, &[], Body::Bytes(b""))
            .map(|_| ())
    }

    /// GetObject, compared while streaming with the content of the token in its metadata. `pace` is called with the
    /// number of bytes seen so far.
    pub fn get(&mut self, key: &str, mut pace: impl FnMut(u64)) -> Result<State, CallError> {
        let call = format!("GET {key}");
        let wrong = |what: String| CallError::Wrong {
            call: call.clone(),
            what,
        };
        let request = self.s3.signed("GET", &format!("/{BUCKET}/{key}"), &[], b"");
        let request = request.with_header("connection", "keep-alive");
        let line = |source| CallError::Line {
            call: call.clone(),
            source,
        };
        let head = self
            .wire
            .ask(&request.head(), Body::Bytes(b""))
            .map_err(line)?;
        if head.status != 200 {
            let text = self.wire.document(&head).map_err(line)?;
            return match head.status {
                404 if text.contains("<Code>NoSuchKey</Code>") => Ok(State::Absent),
                status => Err(CallError::Refused { call, status, text }),
            };
        }
        let token = head.header(TOKEN_HEADER).and_then(|text| text.parse().ok());
        let token: Token = token.ok_or_else(|| wrong(format!("no token in {head:?}")))?;
        let len = head
            .content_length()
            .ok_or_else(|| wrong("no length".to_owned()))?;
        if head.header("content-type") != Some(CONTENT_TYPE) {
            return Err(wrong(format!("not the type it was put with: {head:?}")));
        }
        let mut differs = None;
        let read = self.wire.read(&head, |at, bytes| {
            differs = super::content::difference(token, at, bytes);
            pace(at);
            differs.is_none()
        });
        if let Some(at) = differs {
            return Err(wrong(format!("byte {at} of {len} is not {token}'s")));
        }
        read.map_err(line)?;
        let etag = Some(etag(&head));
        Ok(State::Object(Version { token, len, etag }))
    }

    /// Every object of the bucket: key, size, ETag.
    pub fn list(&mut self) -> Result<Vec<(String, u64, String)>, CallError> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/{BUCKET}?list-type=2&max-keys={PAGE_KEYS}&start-after={after}");
            let (_, text) = self.call("GET", &path, &[], Body::Bytes(b""))?;
            for entry in texts(&text, "Contents") {
                let one = |tag| texts(&entry, tag).pop().unwrap_or_default();
                let size = one("Size").parse().unwrap_or(u64::MAX);
                all.push((one("Key"), size, bare(&one("ETag"))));
            }
            match all.last() {
                Some((last, ..)) if text.contains("<IsTruncated>true<") => {
                    after = last.replace('/', "%2F");
                }
                _ => return Ok(all),
            }
        }
    }

    /// Every open upload of the bucket; there is less than one page.
    pub fn uploads(&mut self) -> Result<Vec<ListedUpload>, CallError> {
        let path = format!("/{BUCKET}?uploads=");
        let (_, text) = self.call("GET", &path, &[], Body::Bytes(b""))?;
        let one = |entry: &str, tag| texts(entry, tag).pop().unwrap_or_default();
        let listed = |entry: String| ListedUpload {
            key: one(&entry, "Key"),
            id: one(&entry, "UploadId"),
        };
        Ok(texts(&text, "Upload").into_iter().map(listed).collect())
    }

    /// The parts of an upload, by number.
    pub fn parts(&mut self, (key, id): (&str, &str)) -> Result<Vec<(u16, Part)>, CallError> {
        let path = format!("/{BUCKET}/{key}?uploadId={id}");
        let (_, text) = self.call("GET", &path, &[], Body::Bytes(b""))?;
        let part = |entry: String| {
            let one = |tag| texts(&entry, tag).pop().unwrap_or_default();
            let part = Part {
                len: one("Size").parse().unwrap_or(u64::MAX),
                etag: bare(&one("ETag")),
            };
            (one("PartNumber").parse().unwrap_or(0), part)
        };
        Ok(texts(&text, "Part").into_iter().map(part).collect())
    }

    fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body<'_>,
    ) -> Result<(Head, String), CallError> {
        let mut small = Vec::new();
        if let Body::Content { token, from, len } = body
            && len <= SIGNED_BYTES_MAX
        {
            small.resize(usize::try_from(len).expect("small"), 0);
            super::content::fill(token, from, &mut small);
        }
        let len = body.len();
        let body = if small.is_empty() {
            body
        } else {
            Body::Bytes(&small)
        };
        let request = match body {
            Body::Bytes(bytes) => self.s3.signed(method, path, headers, bytes),
            Body::Content { .. } => self.s3.unsigned_payload(method, path, headers, b""),
        };
        let request = request
            .with_header("content-length", &len.to_string())
            .with_header("connection", "keep-alive");
        let call = format!("{method} {path}");
        let answer = self.wire.ask(&request.head(), body).and_then(|head| {
            let text = self.wire.document(&head)?;
            Ok((head, text))
        });
        match answer {
            Err(source) => Err(CallError::Line { call, source }),
            Ok((head, text)) if head.status >= 300 => Err(CallError::Refused {
                call,
                status: head.status,
                text,
            }),
            Ok(done) => Ok(done),
        }
    }
}

/// The contents of every `tag` in a document in which `tag` is never nested.
fn texts(document: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let inner = |part: &str| part.split(&close).next().map(str::to_owned);
    document.split(&open).skip(1).filter_map(inner).collect()
}

fn etag(head: &Head) -> String {
    bare(head.header("etag").unwrap_or_default())
}

fn bare(etag: &str) -> String {
    etag.replace("&quot;", "").replace('"', "")
}
