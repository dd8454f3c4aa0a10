//! The length and the digests of a body as its headers state them: Content-MD5, signed SHA-256, one additional
//! checksum.
//!
//! Parsing only, once for each request; the reader of the body computes and compares. A checksum in a trailer is
//! announced by name and gets its value at the end of the body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::CONTENT_LENGTH;

use super::PayloadMode;
use crate::bodies::incoming::Expected;
use crate::bodies::incoming::digests::ChecksumValue;
use crate::model::ChecksumAlgorithm;
use crate::model::upload::PART_BYTES_MAX;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::head::Headers;

/// Whether a request must state the length of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// It must.
    Required,
    /// It may have no body, and then no length.
    Optional,
}

/// The subject of the checksum headers of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksums {
    /// The body.
    OfBody,
    /// The object.
    OfObject,
}

/// Reads the stated length and digests of a request.
///
/// # Errors
/// `MissingContentLength`, `EntityTooLarge`, `InvalidDigest`, `InvalidRequest` or `InvalidArgument`.
pub(crate) fn expected(
    headers: Headers<'_>,
    mode: PayloadMode,
    length: Length,
    checksums: Checksums,
) -> Result<Expected, S3Error> {
    check_framing(headers, mode)?;
    let length = match (announced(headers, mode)?, length) {
        (Some(length), _) => length,
        (None, Length::Optional) => 0,
        (None, Length::Required) => {
            return Err(S3Error::new(
                S3ErrorCode::MissingContentLength,
                "You must provide the Content-Length HTTP header.",
            ));
        }
    };
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
        PayloadMode::Unsigned | PayloadMode::SignedChunks { .. } | PayloadMode::UnsignedChunks => {
            None
        }
    };
    let checksum = match checksums {
        Checksums::OfBody => checksum(headers)?,
        Checksums::OfObject => None,
    };
    Ok(Expected {
        length: Some(length),
        md5: content_md5(headers)?,
        sha256,
        checksum,
    })
}

/// The value of a checksum that was announced for the trailer.
///
/// # Errors
/// `MalformedTrailerError` when it is missing, `InvalidRequest` when it is not a checksum.
pub(crate) fn trailer_value(
    algorithm: ChecksumAlgorithm,
    trailers: &[(String, String)],
) -> Result<Bytes, S3Error> {
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
    parse_checksum(algorithm, value)
}

/// The length of the content, where the body is framed.
const DECODED: &str = "x-amz-decoded-content-length";

fn is_framed(mode: PayloadMode) -> bool {
    matches!(
        mode,
        PayloadMode::SignedChunks { .. } | PayloadMode::UnsignedChunks
    )
}

/// Refuses a body that is framed by one header and plain by another: its framing would be stored as content.
fn check_framing(headers: Headers<'_>, mode: PayloadMode) -> Result<(), S3Error> {
    if is_framed(mode) {
        return Ok(());
    }
    let codings = headers.list("content-encoding")?.unwrap_or_default();
    let coded = codings
        .split(',')
        .any(|coding| coding.trim().eq_ignore_ascii_case("aws-chunked"));
    let sent = headers.text(CONTENT_LENGTH.as_str())?;
    let content = headers.text(DECODED)?;
    if coded || (sent.is_some() && content.is_some() && sent != content) {
        return Err(invalid(
            "The body is aws-chunked by its content-encoding or x-amz-decoded-content-length, and not by its \
             x-amz-content-sha256, which must then be one of STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
             STREAMING-AWS4-HMAC-SHA256-PAYLOAD or STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER.",
        ));
    }
    Ok(())
}

fn announced(headers: Headers<'_>, mode: PayloadMode) -> Result<Option<u64>, S3Error> {
    let name = if is_framed(mode) || !headers.has(CONTENT_LENGTH.as_str()) {
        DECODED
    } else {
        CONTENT_LENGTH.as_str()
    };
    let Some(text) = headers.text(name)? else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_| S3Error::invalid_argument(name, text, "The length of the body is no number."))
}

fn content_md5(headers: Headers<'_>) -> Result<Option<[u8; 16]>, S3Error> {
    let Some(text) = headers.text("content-md5")? else {
        return Ok(None);
    };
    let decoded = STANDARD
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    decoded.map(Some).ok_or_else(|| {
        S3Error::new(
            S3ErrorCode::InvalidDigest,
            "The Content-MD5 you specified is not valid.",
        )
        .with_field("Content-MD5", text)
    })
}

type Promised = (ChecksumAlgorithm, ChecksumValue);

fn checksum(headers: Headers<'_>) -> Result<Option<Promised>, S3Error> {
    const SEVERAL: &str =
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
    let mut promised = None;
    for algorithm in ChecksumAlgorithm::ALL {
        if let Some(text) = headers.text(algorithm.header())? {
            let value = ChecksumValue::Known(parse_checksum(algorithm, text)?);
            if promised.replace((algorithm, value)).is_some() {
                return Err(invalid(SEVERAL));
            }
        }
    }
    let trailers = headers.list("x-amz-trailer")?.unwrap_or_default();
    for name in trailers.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        let algorithm = ChecksumAlgorithm::ALL
            .into_iter()
            .find(|a| a.header().eq_ignore_ascii_case(name));
        let Some(algorithm) = algorithm else {
            return Err(invalid(
                "The value specified in the x-amz-trailer header is not supported",
            ));
        };
        let value = (algorithm, ChecksumValue::InTrailer);
        if promised.replace(value).is_some() {
            return Err(invalid(SEVERAL));
        }
    }
    check_named_algorithm(headers, promised.as_ref())?;
    Ok(promised)
}

/// SDKs also name the algorithm; it must be the algorithm of the checksum that was sent.
fn check_named_algorithm(headers: Headers<'_>, promised: Option<&Promised>) -> Result<(), S3Error> {
    let Some(text) = headers.text("x-amz-sdk-checksum-algorithm")? else {
        return Ok(());
    };
    let Some(named) = ChecksumAlgorithm::parse(text) else {
        return Err(invalid(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        ));
    };
    match promised {
        Some((algorithm, _)) if *algorithm == named => Ok(()),
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
    use hyper::HeaderMap;
    use hyper::header::HeaderValue;

    use super::*;

    fn read(
        pairs: &[(&'static str, &'static str)],
        mode: PayloadMode,
    ) -> Result<Expected, S3Error> {
        let mut map = HeaderMap::new();
        for &(name, value) in pairs {
            map.append(name, HeaderValue::from_static(value));
        }
        let headers = Headers::new(&map);
        expected(headers, mode, Length::Required, Checksums::OfBody)
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
        assert_eq!(plain.length, Some(5));
        assert_eq!(
            plain.md5.map(hex::encode).as_deref(),
            Some("5d41402abc4b2a76b9719d911017c592")
        );
        let value = Bytes::from_static(&[0x36, 0x10, 0xa6, 0x86]);
        assert_eq!(
            plain.checksum,
            Some((
                ChecksumAlgorithm::Crc32,
                ChecksumValue::Known(value.clone())
            ))
        );

        let framed = [
            ("content-length", "99"),
            ("x-amz-decoded-content-length", "5"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ];
        let framed = read(&framed, PayloadMode::UnsignedChunks).expect("valid");
        assert_eq!(framed.length, Some(5));
        let promised = framed.checksum.expect("announced");
        assert_eq!(
            promised,
            (ChecksumAlgorithm::Crc32, ChecksumValue::InTrailer)
        );
        let came = |trailers: &[_]| trailer_value(ChecksumAlgorithm::Crc32, trailers);
        let trailers = vec![("x-amz-checksum-crc32".to_owned(), "NhCmhg==".to_owned())];
        assert_eq!(came(&trailers).expect("came"), value);
        assert_eq!(
            came(&[]).expect_err("missing").code(),
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
            (
                &[("content-length", "1"), ("content-length", "2")],
                InvalidArgument,
            ),
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
