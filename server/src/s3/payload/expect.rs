//! What headers promise about a body: length, Content-MD5, signed SHA-256, one additional checksum.
//!
//! Parsing only: whoever reads the body computes and compares. A checksum that comes in a trailer is promised by name
//! first and gets its value when the body has ended.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::CONTENT_LENGTH;

use super::PayloadMode;
use crate::model::ChecksumAlgorithm;
use crate::model::upload::PART_BYTES_MAX;
use crate::s3::error::{S3Error, S3ErrorCode};

/// What must hold for a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyPromise {
    /// Plain bytes.
    pub(crate) length: u64,
    /// `Content-MD5`.
    pub(crate) md5: Option<[u8; 16]>,
    /// The signed digest.
    pub(crate) sha256: Option<[u8; 32]>,
    /// `x-amz-checksum-*`.
    pub(crate) checksum: Option<PromisedChecksum>,
}

/// An additional checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PromisedChecksum {
    /// Its value came in a header.
    Known(ChecksumAlgorithm, Bytes),
    /// Its value follows the body.
    InTrailer(ChecksumAlgorithm),
}

impl PromisedChecksum {
    /// Which function.
    pub(crate) fn algorithm(&self) -> ChecksumAlgorithm {
        match self {
            PromisedChecksum::Known(algorithm, _) | PromisedChecksum::InTrailer(algorithm) => {
                *algorithm
            }
        }
    }

    /// The value, from the header or from the trailer that came.
    ///
    /// # Errors
    /// `MalformedTrailerError` when the announced trailer is missing, `InvalidRequest` when its value is no checksum.
    pub(crate) fn value(&self, trailers: &[(String, String)]) -> Result<Bytes, S3Error> {
        match self {
            PromisedChecksum::Known(_, value) => Ok(value.clone()),
            PromisedChecksum::InTrailer(algorithm) => {
                let value = trailers
                    .iter()
                    .find(|(name, _)| name == algorithm.header())
                    .map(|(_, value)| value);
                let value = value.ok_or_else(|| {
                    S3Error::new(
                        S3ErrorCode::MalformedTrailer,
                        format!(
                            "The trailer {} was announced and did not come.",
                            algorithm.header()
                        ),
                    )
                })?;
                parse_checksum(*algorithm, value)
            }
        }
    }
}

impl BodyPromise {
    /// Reads the headers of a request with a body.
    ///
    /// # Errors
    /// `MissingContentLength`, `EntityTooLarge`, `InvalidDigest` and `InvalidRequest` by what is wrong.
    pub(crate) fn read(headers: &HeaderMap, mode: PayloadMode) -> Result<BodyPromise, S3Error> {
        let length = length(headers, mode)?;
        BodyPromise::of_length(headers, mode, length, checksum(headers)?)
    }

    /// As [`BodyPromise::read`], where a checksum header speaks of an object rather than of the body.
    ///
    /// # Errors
    /// As [`BodyPromise::read`].
    pub(crate) fn read_without_checksum(
        headers: &HeaderMap,
        mode: PayloadMode,
    ) -> Result<BodyPromise, S3Error> {
        BodyPromise::of_length(headers, mode, length(headers, mode)?, None)
    }

    /// As [`BodyPromise::read`], of a request that may have no body and has none.
    ///
    /// # Errors
    /// `InvalidDigest` and `InvalidRequest`.
    pub(crate) fn of_nothing(
        headers: &HeaderMap,
        mode: PayloadMode,
    ) -> Result<BodyPromise, S3Error> {
        BodyPromise::of_length(headers, mode, 0, checksum(headers)?)
    }

    fn of_length(
        headers: &HeaderMap,
        mode: PayloadMode,
        length: u64,
        checksum: Option<PromisedChecksum>,
    ) -> Result<BodyPromise, S3Error> {
        if length > PART_BYTES_MAX {
            return Err(S3Error::new(
                S3ErrorCode::EntityTooLarge,
                "Your proposed upload exceeds the maximum allowed object size.",
            )
            .with_field("ProposedSize", length.to_string())
            .with_field("MaxSizeAllowed", PART_BYTES_MAX.to_string()));
        }
        let sha256 = match mode {
            PayloadMode::Signed { sha256 } => Some(sha256),
            PayloadMode::Unsigned
            | PayloadMode::SignedChunks { .. }
            | PayloadMode::UnsignedChunks => None,
        };
        Ok(BodyPromise {
            length,
            md5: content_md5(headers)?,
            sha256,
            checksum,
        })
    }
}

fn length(headers: &HeaderMap, mode: PayloadMode) -> Result<u64, S3Error> {
    const DECODED: &str = "x-amz-decoded-content-length";
    let framed = matches!(
        mode,
        PayloadMode::SignedChunks { .. } | PayloadMode::UnsignedChunks
    );
    let name = if framed || !headers.contains_key(CONTENT_LENGTH) {
        DECODED
    } else {
        CONTENT_LENGTH.as_str()
    };
    let Some(value) = headers.get(name) else {
        return Err(S3Error::new(
            S3ErrorCode::MissingContentLength,
            "You must provide the Content-Length HTTP header.",
        ));
    };
    let text = value.to_str().unwrap_or("");
    text.trim()
        .parse()
        .map_err(|_| S3Error::invalid_argument(name, text, "The length of the body is no number."))
}

fn content_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, S3Error> {
    let Some(value) = headers.get("content-md5") else {
        return Ok(None);
    };
    let decoded = STANDARD
        .decode(value.as_bytes().trim_ascii())
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    decoded.map(Some).ok_or_else(|| {
        S3Error::new(
            S3ErrorCode::InvalidDigest,
            "The Content-MD5 you specified is not valid.",
        )
        .with_field("Content-MD5", String::from_utf8_lossy(value.as_bytes()))
    })
}

fn checksum(headers: &HeaderMap) -> Result<Option<PromisedChecksum>, S3Error> {
    let mut promised = None;
    for algorithm in ChecksumAlgorithm::ALL {
        if let Some(value) = headers.get(algorithm.header()) {
            let value = parse_checksum(algorithm, value.to_str().unwrap_or(""))?;
            if promised
                .replace(PromisedChecksum::Known(algorithm, value))
                .is_some()
            {
                return Err(invalid(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
                ));
            }
        }
    }
    for name in trailer_names(headers) {
        let algorithm = ChecksumAlgorithm::ALL
            .into_iter()
            .find(|a| a.header().eq_ignore_ascii_case(&name));
        let Some(algorithm) = algorithm else {
            return Err(invalid(
                "The value specified in the x-amz-trailer header is not supported",
            ));
        };
        if promised
            .replace(PromisedChecksum::InTrailer(algorithm))
            .is_some()
        {
            return Err(invalid(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
    }
    check_named_algorithm(headers, promised.as_ref())?;
    Ok(promised)
}

fn trailer_names(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all("x-amz-trailer").iter();
    let names = values.flat_map(|value| value.as_bytes().split(|&b| b == b','));
    names
        .map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned())
        .filter(|name| !name.is_empty())
}

/// SDKs also name the algorithm; where they do, it must be the one that came.
fn check_named_algorithm(
    headers: &HeaderMap,
    promised: Option<&PromisedChecksum>,
) -> Result<(), S3Error> {
    let Some(value) = headers.get("x-amz-sdk-checksum-algorithm") else {
        return Ok(());
    };
    let Some(named) = ChecksumAlgorithm::parse(value.to_str().unwrap_or("").trim()) else {
        return Err(invalid(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        ));
    };
    match promised {
        Some(promised) if promised.algorithm() == named => Ok(()),
        Some(_) => Err(invalid(
            "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        )),
        None => Err(invalid(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
        )),
    }
}

/// Reads a checksum in base64.
pub(crate) fn parse_checksum(algorithm: ChecksumAlgorithm, text: &str) -> Result<Bytes, S3Error> {
    let decoded = STANDARD
        .decode(text.trim())
        .ok()
        .filter(|bytes| bytes.len() == algorithm.value_bytes());
    decoded.map(Bytes::from).ok_or_else(|| {
        S3Error::new(
            S3ErrorCode::InvalidRequest,
            format!("Value for {} header is invalid.", algorithm.header()),
        )
    })
}

fn invalid(message: &'static str) -> S3Error {
    S3Error::new(S3ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn read(
        pairs: &[(&'static str, &'static str)],
        mode: PayloadMode,
    ) -> Result<BodyPromise, S3Error> {
        let pairs = pairs
            .iter()
            .map(|&(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)));
        BodyPromise::read(&pairs.collect(), mode)
    }

    #[test]
    fn promises_are_read_from_headers_and_trailer_names() {
        let plain = read(
            &[
                ("content-length", "5"),
                ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
                ("x-amz-checksum-crc32", "NhCmhg=="),
            ],
            PayloadMode::Unsigned,
        );
        let plain = plain.expect("valid");
        assert_eq!(plain.length, 5);
        assert_eq!(
            plain.md5.map(hex::encode).as_deref(),
            Some("5d41402abc4b2a76b9719d911017c592")
        );
        let value = Bytes::from_static(&[0x36, 0x10, 0xa6, 0x86]);
        assert_eq!(
            plain.checksum,
            Some(PromisedChecksum::Known(
                ChecksumAlgorithm::Crc32,
                value.clone()
            ))
        );

        let framed = [
            ("content-length", "99"),
            ("x-amz-decoded-content-length", "5"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ];
        let framed = read(&framed, PayloadMode::UnsignedChunks).expect("valid");
        assert_eq!(framed.length, 5);
        let promised = framed.checksum.expect("announced");
        assert_eq!(
            promised,
            PromisedChecksum::InTrailer(ChecksumAlgorithm::Crc32)
        );
        let trailers = vec![("x-amz-checksum-crc32".to_owned(), "NhCmhg==".to_owned())];
        assert_eq!(promised.value(&trailers).expect("came"), value);
        assert_eq!(
            promised.value(&Vec::new()).expect_err("missing").code(),
            S3ErrorCode::MalformedTrailer
        );
    }

    #[test]
    fn broken_promises_get_their_codes() {
        use S3ErrorCode::{
            EntityTooLarge, InvalidArgument, InvalidDigest, InvalidRequest, MissingContentLength,
        };
        let cases: &[(&[(&'static str, &'static str)], S3ErrorCode)] = &[
            (&[], MissingContentLength),
            (&[("content-length", "x")], InvalidArgument),
            (&[("content-length", "5368709121")], EntityTooLarge),
            (
                &[("content-length", "0"), ("content-md5", "abc")],
                InvalidDigest,
            ),
            (
                &[("content-length", "0"), ("content-md5", "NhCmhg==")],
                InvalidDigest,
            ),
            (
                &[("content-length", "0"), ("x-amz-checksum-crc32", "AA==")],
                InvalidRequest,
            ),
            (
                &[
                    ("content-length", "0"),
                    ("x-amz-checksum-crc32", "NhCmhg=="),
                    ("x-amz-checksum-crc32c", "NhCmhg=="),
                ],
                InvalidRequest,
            ),
            (
                &[("content-length", "0"), ("x-amz-trailer", "x-other")],
                InvalidRequest,
            ),
            (
                &[
                    ("content-length", "0"),
                    ("x-amz-sdk-checksum-algorithm", "CRC32"),
                ],
                InvalidRequest,
            ),
            (
                &[
                    ("content-length", "0"),
                    ("x-amz-sdk-checksum-algorithm", "SHA1"),
                    ("x-amz-checksum-crc32", "NhCmhg=="),
                ],
                InvalidRequest,
            ),
        ];
        for (headers, code) in cases {
            let error = read(headers, PayloadMode::Unsigned).expect_err("broken");
            assert_eq!(error.code(), *code, "{headers:?}");
        }
        let error = read(&[("content-length", "9")], PayloadMode::UnsignedChunks)
            .expect_err("no decoded length");
        assert_eq!(error.code(), MissingContentLength);
    }
}
