//! A decoder of aws-chunked framing, as a pure state machine: network reads in, slices of them out, no copies.
//!
//! ```text
//! size-hex [;chunk-signature=hex64] CRLF  data CRLF   ... repeated, the last with size 0 and no data
//! [name:value LF|CRLF]* [CRLF] [x-amz-trailer-signature:hex64 CRLF] CRLF
//! ```
//! Invariants: the result does not depend on where reads are split; nothing beyond one line is buffered, so a chunk may
//! be as large as the object (aws-sdk-go-v2 sends whole parts as one chunk). The bytes of a signed chunk are returned
//! before its signature is checked at its end, so the caller must not use them before [`ChunkedDecoder::finish`].

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};

use super::{TrailerRule, incomplete_body};
use crate::s3::authentication::ChunkSigner;
use crate::s3::error::{S3Error, S3ErrorCode};

/// Longest line: a trailer's name and value; a chunk header with its signature has 97 bytes.
const LINE_BYTES_MAX: usize = 1024;

/// Maximum number of trailer lines: enough for a checksum and a signature, with room.
const TRAILER_LINES_MAX: usize = 16;

/// Name of the line with the signature of the others.
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Trailer fields: lower-case names and values.
pub(crate) type Trailers = Vec<(String, String)>;

/// Decodes one body.
#[derive(Debug)]
pub(crate) struct ChunkedDecoder {
    state: State,
    line: Vec<u8>,
    chain: Option<ChunkChain>,
    trailer: TrailerRule,
    declared: u64,
    decoded: u64,
    consumed: u64,
    trailers: Trailers,
    trailer_signature: Option<String>,
}

/// Signatures of the chunks, if they are signed.
#[derive(Debug)]
struct ChunkChain {
    signer: ChunkSigner,
    hash: Sha256,
    signature: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Data { left: u64 },
    DataEnd,
    Trailer,
}

impl ChunkedDecoder {
    /// A body of signed chunks with `declared` plain bytes.
    pub(crate) fn signed(
        declared: u64,
        signer: ChunkSigner,
        trailer: TrailerRule,
    ) -> ChunkedDecoder {
        let chain = ChunkChain {
            signer,
            hash: Sha256::new(),
            signature: String::new(),
        };
        ChunkedDecoder {
            chain: Some(chain),
            trailer,
            ..ChunkedDecoder::unsigned(declared)
        }
    }

    /// A body of unsigned chunks with `declared` plain bytes; it may end in a trailer.
    pub(crate) fn unsigned(declared: u64) -> ChunkedDecoder {
        ChunkedDecoder {
            state: State::Header,
            line: Vec::new(),
            chain: None,
            trailer: TrailerRule::Present,
            declared,
            decoded: 0,
            consumed: 0,
            trailers: Vec::new(),
            trailer_signature: None,
        }
    }

    /// Takes the next bytes from the wire and appends their plain bytes to `out`.
    ///
    /// # Errors
    /// `IncompleteBody` on bad framing or more bytes than declared, `SignatureDoesNotMatch` on a bad chunk,
    /// `MalformedTrailerError` on a bad trailer.
    pub(crate) fn feed(
        &mut self,
        mut input: Bytes,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), S3Error> {
        while !input.is_empty() {
            let before = input.len();
            match self.state {
                State::Data { left } => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let piece = input.split_to(take);
                    self.take_data(left, piece, out);
                }
                State::Header | State::DataEnd | State::Trailer => {
                    if let Some(line) = self.take_line(&mut input)? {
                        self.take_control(&line)?;
                    }
                }
            }
            self.consumed += u64::try_from(before - input.len()).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    /// Ends the body: checks that it is complete and returns its trailer fields.
    ///
    /// # Errors
    /// As for [`ChunkedDecoder::feed`].
    pub(crate) fn finish(mut self) -> Result<Trailers, S3Error> {
        if self.state != State::Trailer || !self.line.is_empty() {
            return Err(self.broken("it ends before its last chunk"));
        }
        if self.decoded != self.declared {
            return Err(incomplete_body(format_args!(
                "x-amz-decoded-content-length is {}, the chunks hold {}",
                self.declared, self.decoded
            )));
        }
        if let (Some(chain), TrailerRule::Present) = (&mut self.chain, self.trailer) {
            let lines: Vec<String> = self
                .trailers
                .iter()
                .map(|(name, value)| {
                    format!(
                        "{name}:{value}
"
                    )
                })
                .collect();
            let canonical = lines.concat();
            let signature = self.trailer_signature.as_deref().unwrap_or("");
            if !chain
                .signer
                .accepts_trailer(canonical.as_bytes(), signature)
            {
                return Err(bad_signature("trailer"));
            }
        }
        Ok(self.trailers)
    }

    fn take_data(&mut self, left: u64, piece: Bytes, out: &mut VecDeque<Bytes>) {
        let taken = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.decoded += taken;
        if let Some(chain) = &mut self.chain {
            chain.hash.update(&piece);
        }
        out.push_back(piece);
        self.state = match left - taken {
            0 => State::DataEnd,
            left => State::Data { left },
        };
    }

    /// A complete line without its line end, or `None` until it is complete.
    fn take_line(&mut self, input: &mut Bytes) -> Result<Option<Vec<u8>>, S3Error> {
        let end = input.iter().position(|&b| b == b'\n');
        let take = end.unwrap_or(input.len());
        if self.line.len() + take > LINE_BYTES_MAX {
            return Err(self.broken("a chunk header or trailer line is too long"));
        }
        self.line.extend_from_slice(&input.split_to(take));
        if end.is_none() {
            return Ok(None);
        }
        input.advance(1);
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        } else if self.state != State::Trailer {
            return Err(self.broken("a line does not end in CR LF"));
        }
        Ok(Some(line))
    }

    fn take_control(&mut self, line: &[u8]) -> Result<(), S3Error> {
        match self.state {
            State::Header => self.take_header(line),
            State::DataEnd if line.is_empty() => {
                self.check_chunk()?;
                self.state = State::Header;
                Ok(())
            }
            State::DataEnd => Err(self.broken("a chunk is longer than its size says")),
            State::Trailer => self.take_trailer(line),
            State::Data { .. } => Err(self.broken("a line within data")),
        }
    }

    fn take_header(&mut self, line: &[u8]) -> Result<(), S3Error> {
        let line =
            std::str::from_utf8(line).map_err(|_| self.broken("a chunk header is no text"))?;
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let digits = !size.is_empty() && size.bytes().all(|b| b.is_ascii_hexdigit());
        let size = u64::from_str_radix(size, 16)
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| self.broken("a chunk size is no hexadecimal number"))?;
        if size > self.declared - self.decoded {
            return Err(incomplete_body(format_args!(
                "the chunks hold more than the x-amz-decoded-content-length of {}",
                self.declared
            )));
        }
        if let Some(chain) = &mut self.chain {
            let signature = extension
                .strip_prefix("chunk-signature=")
                .ok_or_else(|| bad_signature("chunk"))?;
            signature.clone_into(&mut chain.signature);
        }
        if size > 0 {
            self.state = State::Data { left: size };
            return Ok(());
        }
        self.check_chunk()?;
        self.state = State::Trailer;
        Ok(())
    }

    fn check_chunk(&mut self) -> Result<(), S3Error> {
        let Some(chain) = &mut self.chain else {
            return Ok(());
        };
        let sha256 = std::mem::take(&mut chain.hash).finalize();
        if chain.signer.accepts_chunk(&sha256, &chain.signature) {
            Ok(())
        } else {
            Err(bad_signature("chunk"))
        }
    }

    /// Blank lines are ignored: minio-go sends one between the fields and their signature.
    fn take_trailer(&mut self, line: &[u8]) -> Result<(), S3Error> {
        let line = std::str::from_utf8(line)
            .map_err(|_| bad_trailer("it is no text"))?
            .trim();
        if line.is_empty() {
            return Ok(());
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| bad_trailer("a line is no `name:value`"))?;
        if self.trailer == TrailerRule::Absent || self.trailers.len() >= TRAILER_LINES_MAX {
            return Err(bad_trailer("there are lines that were not announced"));
        }
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        if name == TRAILER_SIGNATURE {
            self.trailer_signature = Some(value);
        } else if self.trailers.iter().any(|(seen, _)| *seen == name) {
            return Err(bad_trailer("a name appears twice"));
        } else {
            self.trailers.push((name, value));
        }
        Ok(())
    }

    fn broken(&self, why: &str) -> S3Error {
        incomplete_body(format_args!(
            "the aws-chunked body is broken near byte {}: {why}",
            self.consumed
        ))
    }
}

fn bad_signature(of: &str) -> S3Error {
    S3Error::new(
        S3ErrorCode::SignatureDoesNotMatch,
        format!("The signature of a {of} does not match. Check your key and signing method."),
    )
}

fn bad_trailer(why: &str) -> S3Error {
    S3Error::new(
        S3ErrorCode::MalformedTrailer,
        format!("The request contained trailing data that was not well-formed: {why}."),
    )
}

#[cfg(test)]
mod tests;
