//! Answers of ListObjects, versions 1 and 2.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::elements::{CommonPrefix, IsoTime, OwnerElement, QuotedETag, encoding_type, name};
use super::write::answer;
use crate::model::BucketName;
use crate::objects::{ListEntry, Listing};
use crate::s3::arguments::{ListObjects, ListVersion, NameEncoding};
use crate::s3::object_headers::checksum_type;

/// Both versions; each leaves out the fields of the other.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListBucketResult<'a> {
    name: &'a str,
    prefix: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_after: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_continuation_token: Option<&'a str>,
    max_keys: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    delimiter: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_type: Option<&'static str>,
    is_truncated: bool,
    contents: Entries<'a>,
    common_prefixes: Vec<CommonPrefix<'a>>,
}

/// One `Contents` each, made as it is written: a page of them would be as large as the answer.
struct Entries<'a> {
    page: &'a [ListEntry],
    encoding: NameEncoding,
    owners: Owners,
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.page.iter();
        serializer.collect_seq(entries.map(|entry| contents(self.encoding, entry, self.owners)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Contents<'a> {
    key: Cow<'a, str>,
    last_modified: IsoTime,
    #[serde(rename = "ETag")]
    etag: QuotedETag,
    checksum_algorithm: Vec<&'static str>,
    checksum_type: Vec<&'static str>,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<OwnerElement<'a>>,
    storage_class: &'a str,
}

/// Whether entries name their owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owners {
    Shown,
    Hidden,
}

/// One page, in the requested form; `next_token` is the start of the next page.
pub(crate) fn list_objects(
    bucket: &BucketName,
    asked: &ListObjects,
    page: &Listing,
    next_token: Option<&str>,
) -> Vec<u8> {
    let encoded = |text| name(asked.encoding, text);
    let owners = match asked.version {
        ListVersion::V1 { .. }
        | ListVersion::V2 {
            fetch_owner: true, ..
        } => Owners::Shown,
        ListVersion::V2 {
            fetch_owner: false, ..
        } => Owners::Hidden,
    };
    let prefixes = page.prefixes.iter();
    let common = ListBucketResult {
        name: bucket.as_str(),
        prefix: encoded(asked.prefix.as_deref().unwrap_or("")),
        max_keys: asked.max_keys,
        delimiter: asked.delimiter.as_deref().map(encoded),
        encoding_type: encoding_type(asked.encoding),
        is_truncated: page.next.is_some(),
        contents: Entries {
            page: &page.entries,
            encoding: asked.encoding,
            owners,
        },
        common_prefixes: prefixes
            .map(|prefix| CommonPrefix {
                prefix: encoded(prefix),
            })
            .collect(),
        marker: None,
        next_marker: None,
        key_count: None,
        start_after: None,
        continuation_token: None,
        next_continuation_token: None,
    };
    let fields = match &asked.version {
        ListVersion::V1 { marker } => ListBucketResult {
            marker: Some(encoded(marker.as_deref().unwrap_or(""))),
            next_marker: page.next.as_deref().map(encoded),
            ..common
        },
        ListVersion::V2 {
            start_after,
            continuation_token,
            ..
        } => ListBucketResult {
            key_count: Some(page.entries.len() + page.prefixes.len()),
            start_after: start_after.as_deref().map(encoded),
            continuation_token: continuation_token.as_deref(),
            next_continuation_token: next_token,
            ..common
        },
    };
    answer("ListBucketResult", &fields)
}

fn contents(encoding: NameEncoding, entry: &ListEntry, owners: Owners) -> Contents<'_> {
    let row = &entry.row;
    let checksums = row.checksums.iter();
    Contents {
        key: name(encoding, entry.key.as_str()),
        last_modified: IsoTime(row.time),
        etag: QuotedETag(row.etag),
        checksum_algorithm: checksums.clone().map(|(of, _)| of.name()).collect(),
        checksum_type: checksums.map(|(_, kind)| checksum_type(*kind)).collect(),
        size: row.size,
        owner: (owners == Owners::Shown).then(|| OwnerElement::of(&row.owner)),
        storage_class: &row.class.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMillis;
    use crate::model::{ETag, ObjectKey, Owner, StorageClass, VersionNumber};
    use crate::tables::CurrentRow;

    fn page() -> Listing {
        let row = CurrentRow {
            number: VersionNumber(1),
            size: 5,
            etag: ETag::whole([7; 16]),
            time: UnixMillis(784_111_777_000),
            class: StorageClass::default(),
            owner: Owner("root".to_owned()),
            checksums: Vec::new(),
        };
        Listing {
            entries: vec![ListEntry {
                key: ObjectKey::parse("a&b +").expect("a key"),
                row,
            }],
            prefixes: vec!["p q/".to_owned()],
            next: Some("p q/".to_owned()),
        }
    }

    fn written(asked: &ListObjects, token: Option<&str>) -> String {
        let bucket = BucketName::parse("bkt").expect("a name");
        String::from_utf8(list_objects(&bucket, asked, &page(), token)).expect("XML is UTF-8")
    }

    #[test]
    fn url_encoding_covers_every_name() {
        let asked = ListObjects {
            version: ListVersion::V1 {
                marker: Some("m m".to_owned()),
            },
            prefix: Some("x y".to_owned()),
            delimiter: Some(" ".to_owned()),
            encoding: NameEncoding::Url,
            max_keys: 2,
        };
        let text = written(&asked, None);
        for part in [
            "<Prefix>x%20y</Prefix>",
            "<Marker>m%20m</Marker>",
            "<NextMarker>p%20q/</NextMarker>",
            "<Delimiter>%20</Delimiter>",
            "<EncodingType>url</EncodingType>",
            "<IsTruncated>true</IsTruncated>",
            "<Key>a%26b%20%2B</Key><LastModified>1994-11-06T08:49:37.000Z</LastModified><ETag>&quot;07070707070707070707070707070707&quot;</ETag><Size>5</Size><Owner><ID>root</ID><DisplayName>root</DisplayName></Owner><StorageClass>STANDARD</StorageClass>",
            "<CommonPrefixes><Prefix>p%20q/</Prefix></CommonPrefixes>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_second_generation_counts_and_hands_out_tokens() {
        let version = ListVersion::V2 {
            start_after: Some("s s".to_owned()),
            continuation_token: Some("old".to_owned()),
            fetch_owner: false,
        };
        let asked = ListObjects {
            version,
            prefix: None,
            delimiter: None,
            encoding: NameEncoding::Plain,
            max_keys: 2,
        };
        let text = written(&asked, Some("new"));
        for part in [
            "<KeyCount>2</KeyCount><StartAfter>s s</StartAfter><ContinuationToken>old</ContinuationToken><NextContinuationToken>new</NextContinuationToken>",
            "<Key>a&amp;b +</Key>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(
            !text.contains("<Owner>") && !text.contains("Marker"),
            "{text}"
        );
    }
}
