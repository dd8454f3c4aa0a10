//! ListObjectsV2, page by page, or all objects of a prefix up to a limit.
//!
//! Names are requested and decoded with `encoding-type=url`, since XML cannot represent every key.

use hyper::Method;
use time::OffsetDateTime;

use super::error::{InvalidInput, Operation, S3Error, S3ErrorKind};
use super::exchange::{Call, S3Client};
use super::xml::Element;
use super::{dates, encode};

/// Default limit of [`S3Client::list_all`]: the deltas of one cluster, every 20 s for 58 days, about 50 MB.
pub const LIST_ALL_OBJECTS_MAX: usize = 250_000;
/// A page has up to 1,000 keys of 1,024 bytes, each byte up to 3 encoded, and 500 bytes of markup each: 3.6 MB.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most empty pages, so that a server cannot make a client list forever.
const EMPTY_PAGES_MAX: u32 = 1_000;

/// A request for one page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Only keys with this prefix.
    pub prefix: String,
    /// Group keys that share the text between the prefix and this delimiter.
    pub delimiter: Option<String>,
    /// Only keys after this one.
    pub start_after: Option<String>,
    /// [`ListPage::next`] of the previous page.
    pub continuation: Option<String>,
    /// Most entries (a server's own limit is 1,000).
    pub max_keys: Option<u32>,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEntry {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its entity tag without quotes.
    pub etag: String,
    /// When it was stored, if the server says so.
    pub last_modified: Option<OffsetDateTime>,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// Objects in key order.
    pub objects: Vec<ObjectEntry>,
    /// Common prefixes of grouped keys.
    pub common_prefixes: Vec<String>,
    /// The next page's continuation; `None` on the last.
    pub next: Option<String>,
}

impl S3Client {
    /// Lists one page.
    ///
    /// # Errors
    /// [`S3ErrorKind::NotFound`] if the bucket does not exist, [`S3ErrorKind::Malformed`] for an answer that is not from S3.
    pub async fn list_page(
        &self,
        bucket: &str,
        request: &ListRequest,
    ) -> Result<ListPage, S3Error> {
        let mut call = Call::new(Operation::ListObjects, Method::GET, Some(bucket), None);
        let max_keys = request.max_keys.map(|max| max.to_string());
        let query = &mut call.parts.query;
        query.extend([
            ("list-type", "2"),
            ("encoding-type", "url"),
            ("prefix", &request.prefix),
        ]);
        let optional = [
            ("delimiter", &request.delimiter),
            ("start-after", &request.start_after),
            ("continuation-token", &request.continuation),
            ("max-keys", &max_keys),
        ];
        query.extend(
            optional
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_deref()?))),
        );
        let (_parts, bytes) = self.collect(&call, PAGE_BYTES_MAX).await?;
        let root = self.xml(&call, &bytes)?;
        page(&root).map_err(|what| self.error(&call, S3ErrorKind::Malformed { what }))
    }

    /// Lists everything under a prefix, in key order.
    ///
    /// # Errors
    /// As [`Self::list_page`]; [`InvalidInput::TooManyObjects`] beyond `limit`.
    pub async fn list_all(
        &self,
        bucket: &str,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<ObjectEntry>, S3Error> {
        let call = Call::new(Operation::ListObjects, Method::GET, Some(bucket), None);
        let mut request = ListRequest {
            prefix: prefix.to_owned(),
            ..ListRequest::default()
        };
        let mut objects = Vec::new();
        let mut empty_pages = 0;
        loop {
            let page = self.list_page(bucket, &request).await?;
            empty_pages += u32::from(page.objects.is_empty());
            objects.extend(page.objects);
            if objects.len() > limit {
                return Err(self.error(
                    &call,
                    S3ErrorKind::Invalid(InvalidInput::TooManyObjects { limit }),
                ));
            }
            match page.next {
                None => return Ok(objects),
                next if next == request.continuation || empty_pages > EMPTY_PAGES_MAX => {
                    return Err(self.error(
                        &call,
                        S3ErrorKind::Malformed {
                            what: "a listing that never ends",
                        },
                    ));
                }
                next => request.continuation = next,
            }
        }
    }
}

/// Reads a ListBucketResult; the error is the defect.
fn page(root: &Element) -> Result<ListPage, &'static str> {
    if root.name != "ListBucketResult" {
        return Err("not a ListBucketResult");
    }
    let encoded = root.child_text("EncodingType") == Some("url");
    let name = |text: &str| {
        if encoded {
            encode::decode_listed(text).ok_or("a key that is not UTF-8")
        } else {
            Ok(text.to_owned())
        }
    };
    let object = |entry: &Element| {
        Ok(ObjectEntry {
            key: name(
                entry
                    .child_text("Key")
                    .filter(|key| !key.is_empty())
                    .ok_or("an object without a key")?,
            )?,
            size: entry
                .child_text("Size")
                .and_then(|size| size.parse().ok())
                .ok_or("an object without a size")?,
            etag: entry
                .child_text("ETag")
                .unwrap_or_default()
                .trim_matches('"')
                .to_owned(),
            last_modified: entry.child_text("LastModified").and_then(dates::from_xml),
        })
    };
    let next = match root.child_text("IsTruncated") {
        Some("true") => Some(
            root.child_text("NextContinuationToken")
                .filter(|token| !token.is_empty())
                .ok_or("a page that continues without saying where")?
                .to_owned(),
        ),
        _ => None,
    };
    Ok(ListPage {
        objects: root
            .children_named("Contents")
            .map(object)
            .collect::<Result<_, &'static str>>()?,
        common_prefixes: root
            .children_named("CommonPrefixes")
            .filter_map(|entry| entry.child_text("Prefix"))
            .map(name)
            .collect::<Result<_, _>>()?,
        next,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(xml: &str) -> Result<ListPage, &'static str> {
        page(&Element::parse(xml.as_bytes()).expect("well-formed"))
    }

    #[test]
    fn a_page_is_read_with_encoded_names_in_any_order() {
        let read = parse(
            "<ListBucketResult><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>\
             <CommonPrefixes><Prefix>p%2Bq/</Prefix></CommonPrefixes>\
             <Contents><Key>a+b%0A%2F</Key><LastModified>2026-11-22T09:44:13.000Z</LastModified>\
             <ETag>&quot;e-2&quot;</ETag><Size>18446744073709551615</Size></Contents>\
             <CommonPrefixes><Prefix>r/</Prefix></CommonPrefixes>\
             <NextContinuationToken>t k</NextContinuationToken></ListBucketResult>",
        )
        .expect("a page");
        assert_eq!(read.common_prefixes, ["p+q/", "r/"]);
        assert_eq!(read.next.as_deref(), Some("t k"));
        let object = read.objects.first().expect("one object");
        assert_eq!(
            (object.key.as_str(), object.size, object.etag.as_str()),
            ("a b\n/", u64::MAX, "e-2")
        );
        assert_eq!(
            object.last_modified.map(OffsetDateTime::unix_timestamp),
            Some(1_795_340_653)
        );
    }

    #[test]
    fn names_stay_as_they_are_when_the_server_does_not_encode() {
        let read = parse("<ListBucketResult><Contents><Key>a+b%20</Key><Size>1</Size></Contents></ListBucketResult>")
            .expect("a page");
        assert_eq!(
            read.objects.first().map(|object| object.key.as_str()),
            Some("a+b%20")
        );
        assert_eq!(read.next, None);
    }

    #[test]
    fn a_page_that_lies_is_refused() {
        let contents = |inner: &str| {
            format!("<ListBucketResult><Contents>{inner}</Contents></ListBucketResult>")
        };
        for xml in [
            "<html/>".to_owned(),
            contents("<Size>1</Size>"),
            contents("<Key/><Size>1</Size>"),
            contents("<Key>a</Key>"),
            contents("<Key>a</Key><Size>-1</Size>"),
            contents("<Key>a</Key><Size>18446744073709551616</Size>"),
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>".to_owned(),
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%FF</Key><Size>1</Size></Contents></ListBucketResult>".to_owned(),
        ] {
            assert!(parse(&xml).is_err(), "{xml}");
        }
    }
}
