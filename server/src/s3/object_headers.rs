//! Headers that belong to an object: content headers, user metadata, storage class, tags, checksums.
//!
//! A write sends them, a read returns them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES,
    HeaderName, HeaderValue,
};

use crate::model::{Checksum, ChecksumKind, ContentHeaders, StorageClass, Tags, UserMetadata};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::head::Headers;
use crate::s3::query::Query;

/// Maximum bytes of names and values of user metadata; S3's own limit.
const METADATA_BYTES_MAX: usize = 2 * 1024;

/// S3's limits on tags of an object.
const TAGS_MAX: usize = 10;
const TAG_KEY_CHARS_MAX: usize = 128;
const TAG_VALUE_CHARS_MAX: usize = 256;

const METADATA_PREFIX: &str = "x-amz-meta-";

/// S3's content type for objects without one.
const DEFAULT_CONTENT_TYPE: HeaderValue = HeaderValue::from_static("binary/octet-stream");

/// Reads the content headers of a write.
///
/// # Errors
/// `InvalidArgument` for a value that is not UTF-8.
pub(crate) fn content(headers: Headers<'_>) -> Result<ContentHeaders, S3Error> {
    let one = |name: HeaderName| {
        let text = headers.utf8(name.as_str())?;
        Ok::<_, S3Error>(text.map(str::to_owned))
    };
    let list = |name: HeaderName| headers.list(name.as_str());
    Ok(ContentHeaders {
        content_type: one(CONTENT_TYPE)?,
        cache_control: list(CACHE_CONTROL)?,
        content_disposition: one(CONTENT_DISPOSITION)?,
        content_encoding: list(CONTENT_ENCODING)?.and_then(|text| without_aws_chunked(&text)),
        content_language: list(CONTENT_LANGUAGE)?,
        expires: one(EXPIRES)?,
    })
}

/// Removes `aws-chunked`, which describes the request and not the object. Everything else stays as it was sent.
fn without_aws_chunked(encoding: &str) -> Option<String> {
    let of_the_request = |coding: &&str| coding.trim().eq_ignore_ascii_case("aws-chunked");
    let rest: Vec<&str> = encoding
        .split(',')
        .filter(|coding| !of_the_request(coding))
        .collect();
    let rest = rest.join(",");
    let rest = rest.trim();
    (!rest.is_empty()).then(|| rest.to_owned())
}

/// Reads `x-amz-meta-*`; a repeated header becomes one value joined by commas.
///
/// # Errors
/// `MetadataTooLarge`, or `InvalidArgument` for a value that is not UTF-8.
pub(crate) fn metadata(headers: Headers<'_>) -> Result<UserMetadata, S3Error> {
    let mut all = Vec::new();
    let mut bytes = 0;
    for name in headers.names() {
        let Some(short) = name.strip_prefix(METADATA_PREFIX) else {
            continue;
        };
        let value = headers.list(name)?.unwrap_or_default();
        bytes += short.len() + value.len();
        all.push((short.to_owned(), value));
    }
    if bytes > METADATA_BYTES_MAX {
        return Err(S3Error::new(
            S3ErrorCode::MetadataTooLarge,
            "Your metadata headers exceed the maximum allowed metadata size",
        )
        .with_field("Size", bytes.to_string())
        .with_field("MaxSizeAllowed", METADATA_BYTES_MAX.to_string()));
    }
    Ok(UserMetadata(all))
}

/// Reads `x-amz-storage-class`; accepts the classes that MinIO accepts.
///
/// # Errors
/// `InvalidStorageClass`.
pub(crate) fn storage_class(headers: Headers<'_>) -> Result<StorageClass, S3Error> {
    match headers.text("x-amz-storage-class")? {
        None | Some("STANDARD") => Ok(StorageClass::default()),
        Some("REDUCED_REDUNDANCY") => Ok(StorageClass("REDUCED_REDUNDANCY".to_owned())),
        Some(other) => Err(S3Error::new(
            S3ErrorCode::InvalidStorageClass,
            "The storage class you specified is not valid",
        )
        .with_field("StorageClassRequested", other)),
    }
}

/// Reads `x-amz-tagging`, which has the form of a query string.
///
/// # Errors
/// `InvalidArgument` for malformed text, or beyond S3's limits.
pub(crate) fn tags(headers: Headers<'_>) -> Result<Tags, S3Error> {
    const NAME: &str = "x-amz-tagging";
    let Some(text) = headers.text(NAME)? else {
        return Ok(Tags::default());
    };
    let refused = |why| S3Error::invalid_argument(NAME, text, why);
    let query = Query::parse(text)
        .map_err(|_| refused("The tagging header is not encoded as URL query parameters."))?;
    let tags: Vec<(String, String)> = query.into_pairs();
    let fits = |(key, value): &(String, String)| {
        (1..=TAG_KEY_CHARS_MAX).contains(&key.chars().count())
            && value.chars().count() <= TAG_VALUE_CHARS_MAX
    };
    if tags.len() > TAGS_MAX || !tags.iter().all(fits) {
        return Err(refused(
            "Object tags: at most 10, keys of 1 to 128 characters, values of at most 256.",
        ));
    }
    let repeated = tags
        .iter()
        .enumerate()
        .any(|(i, (key, _))| tags.iter().skip(i + 1).any(|(other, _)| other == key));
    if repeated {
        return Err(refused("Cannot provide multiple Tags with the same key"));
    }
    Ok(Tags(tags))
}

/// Writes the stored content headers, with the overrides that a GET may name in its query.
///
/// # Errors
/// `InvalidArgument` for an override that is not a valid header value.
pub(crate) fn write_content(
    out: &mut HeaderMap,
    content: &ContentHeaders,
    query: &Query,
) -> Result<(), S3Error> {
    let fields = [
        (CONTENT_TYPE, "response-content-type", &content.content_type),
        (
            CACHE_CONTROL,
            "response-cache-control",
            &content.cache_control,
        ),
        (
            CONTENT_DISPOSITION,
            "response-content-disposition",
            &content.content_disposition,
        ),
        (
            CONTENT_ENCODING,
            "response-content-encoding",
            &content.content_encoding,
        ),
        (
            CONTENT_LANGUAGE,
            "response-content-language",
            &content.content_language,
        ),
        (EXPIRES, "response-expires", &content.expires),
    ];
    out.insert(CONTENT_TYPE, DEFAULT_CONTENT_TYPE);
    for (name, parameter, stored) in fields {
        if let Some(text) = query.nonempty(parameter) {
            let value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
                S3Error::invalid_argument(parameter, text, "The value is not allowed in a header.")
            })?;
            out.insert(name, value);
        } else if let Some(text) = stored {
            insert(out, name, text);
        }
    }
    Ok(())
}

/// Writes the stored user metadata.
pub(crate) fn write_metadata(out: &mut HeaderMap, metadata: &UserMetadata) {
    for (name, value) in &metadata.0 {
        if let Ok(name) = HeaderName::try_from(format!("{METADATA_PREFIX}{name}")) {
            insert(out, name, value);
        }
    }
}

/// Writes the object's checksums and their type.
pub(crate) fn write_checksums(out: &mut HeaderMap, checksums: &[Checksum]) {
    for checksum in checksums {
        insert(
            out,
            HeaderName::from_static(checksum.algorithm.header()),
            &checksum_text(checksum),
        );
        insert(
            out,
            HeaderName::from_static("x-amz-checksum-type"),
            checksum_type(checksum.kind),
        );
    }
}

/// A checksum in S3's text form.
pub(crate) fn checksum_text(checksum: &Checksum) -> String {
    let value = STANDARD.encode(&checksum.value);
    match checksum.kind {
        ChecksumKind::FullObject => value,
        ChecksumKind::Composite { parts } => format!("{value}-{parts}"),
    }
}

/// S3's name for the coverage of a checksum.
pub(crate) fn checksum_type(kind: ChecksumKind) -> &'static str {
    match kind {
        ChecksumKind::FullObject => "FULL_OBJECT",
        ChecksumKind::Composite { .. } => "COMPOSITE",
    }
}

/// Sets a header. Text that is not a valid header value is left out; stored text came in a header and is valid.
pub(crate) fn insert(out: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
        out.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    #[test]
    fn content_headers_and_metadata_round_trip() {
        let headers = of(&[
            ("content-type", "text/plain; charset=utf-8"),
            ("content-encoding", "aws-chunked, gzip"),
            ("cache-control", "no-store"),
            ("content-disposition", "attachment"),
            ("content-language", "de"),
            ("expires", "never"),
            ("x-amz-meta-a", "1"),
            ("x-amz-meta-a", "2"),
        ]);
        let stored = content(Headers::new(&headers)).expect("valid");
        assert_eq!(stored.content_encoding.as_deref(), Some("gzip"));
        let meta = metadata(Headers::new(&headers)).expect("valid");
        assert_eq!(meta.0, [("a".to_owned(), "1,2".to_owned())]);
        let mut out = HeaderMap::new();
        let query = Query::parse("response-content-type=a%2Fb&response-expires=").expect("valid");
        write_content(&mut out, &stored, &query).expect("valid");
        write_metadata(&mut out, &meta);
        let expected = of(&[
            ("content-type", "a/b"),
            ("content-encoding", "gzip"),
            ("cache-control", "no-store"),
            ("content-disposition", "attachment"),
            ("content-language", "de"),
            ("expires", "never"),
            ("x-amz-meta-a", "1,2"),
        ]);
        assert_eq!(out, expected);
        assert_eq!(
            content(Headers::new(&of(&[("content-encoding", "aws-chunked")])))
                .expect("valid")
                .content_encoding,
            None
        );
    }

    #[test]
    fn encodings_stay_as_sent_apart_from_aws_chunked() {
        for (sent, kept) in [
            ("gzip", Some("gzip")),
            ("gzip , br;q=1", Some("gzip , br;q=1")),
            ("aws-chunked, gzip", Some("gzip")),
            ("gzip,AWS-chunked", Some("gzip")),
            ("a, aws-chunked, b", Some("a, b")),
            ("aws-chunked", None),
            ("aws-chunked,aws-chunked", None),
            ("", None),
        ] {
            assert_eq!(without_aws_chunked(sent).as_deref(), kept, "{sent}");
        }
    }

    #[test]
    fn metadata_has_a_limit() {
        let read = |pairs: &[(&'static str, &str)]| metadata(Headers::new(&of(pairs)));
        let fits = "x".repeat(METADATA_BYTES_MAX - 1);
        assert!(read(&[("x-amz-meta-k", &fits)]).is_ok());
        let error = read(&[("x-amz-meta-k", &fits), ("x-amz-meta-l", "")]);
        assert_eq!(
            error.expect_err("one byte more").code(),
            S3ErrorCode::MetadataTooLarge
        );
    }

    #[test]
    fn only_classes_that_are_kept_are_taken() {
        let read =
            |class: &str| storage_class(Headers::new(&of(&[("x-amz-storage-class", class)])));
        assert!(read("STANDARD").is_ok() && read("REDUCED_REDUNDANCY").is_ok());
        let error = read("GLACIER").expect_err("not kept");
        assert_eq!(error.code(), S3ErrorCode::InvalidStorageClass);
    }

    /// Tags with a byte outside UTF-8 were dropped, and the object was stored without tags.
    #[test]
    fn values_that_cannot_be_read_are_refused() {
        let mut map = HeaderMap::new();
        map.append("x-amz-tagging", HeaderValue::from_static("a=1"));
        map.append("x-amz-tagging", HeaderValue::from_static("b=2"));
        let odd = HeaderValue::from_bytes(b"\xff").expect("a header value");
        map.append("x-amz-storage-class", odd);
        map.append("content-type", HeaderValue::from_static("a/b"));
        map.append("content-type", HeaderValue::from_static("c/d"));
        let headers = Headers::new(&map);
        for error in [
            tags(headers).err(),
            storage_class(headers).err(),
            content(headers).err(),
        ] {
            let code = error.map(|error| error.code());
            assert_eq!(code, Some(S3ErrorCode::InvalidArgument));
        }
    }

    #[test]
    fn tags_are_pairs_within_limits() {
        let tags_of = |text: &str| tags(Headers::new(&of(&[("x-amz-tagging", text)])));
        let expected = vec![
            ("a".to_owned(), "1 2".to_owned()),
            ("b".to_owned(), String::new()),
        ];
        assert_eq!(tags_of("a=1+2&b=").expect("valid"), Tags(expected));
        assert!(tags_of("a=1&a=2").is_err());
        assert!(tags_of("%zz").is_err());
        let many: Vec<String> = (0..11).map(|i| format!("k{i}=v")).collect();
        assert!(tags_of(&many.join("&")).is_err());
    }
}
