//! Answers of the two generations of ListObjects.

use super::write::XmlWriter;
use crate::model::{BucketName, Owner};
use crate::objects::{ListEntry, Listing};
use crate::s3::arguments::{ListObjects, ListVersion, NameEncoding};
use crate::s3::http_date;
use crate::s3::object_headers::checksum_type;
use crate::s3::query::encode_path;

/// A name as this listing writes names.
pub(super) fn name(encoding: NameEncoding, text: &str) -> String {
    match encoding {
        NameEncoding::Plain => text.to_owned(),
        NameEncoding::Url => encode_path(text),
    }
}

/// One page, in the form that was asked for; `next_token` is the opaque form of where the next page starts.
pub(crate) fn list_objects(
    bucket: &BucketName,
    asked: &ListObjects,
    page: &Listing,
    next_token: Option<&str>,
) -> Vec<u8> {
    let encoded = |text: &str| name(asked.encoding, text);
    let mut xml = XmlWriter::document();
    xml.open_root("ListBucketResult");
    xml.text("Name", bucket.as_str());
    xml.text("Prefix", &encoded(asked.prefix.as_deref().unwrap_or("")));
    match &asked.version {
        ListVersion::V1 { marker } => {
            xml.text("Marker", &encoded(marker.as_deref().unwrap_or("")));
            if let Some(next) = &page.next {
                xml.text("NextMarker", &encoded(next));
            }
        }
        ListVersion::V2 {
            start_after,
            continuation_token,
            ..
        } => {
            xml.value("KeyCount", page.entries.len() + page.prefixes.len());
            if let Some(after) = start_after {
                xml.text("StartAfter", &encoded(after));
            }
            if let Some(token) = continuation_token {
                xml.text("ContinuationToken", token);
            }
            if let Some(token) = next_token {
                xml.text("NextContinuationToken", token);
            }
        }
    }
    xml.value("MaxKeys", asked.max_keys);
    if let Some(delimiter) = &asked.delimiter {
        xml.text("Delimiter", &encoded(delimiter));
    }
    if asked.encoding == NameEncoding::Url {
        xml.text("EncodingType", "url");
    }
    xml.value("IsTruncated", page.next.is_some());
    let with_owner = match asked.version {
        ListVersion::V1 { .. } => true,
        ListVersion::V2 { fetch_owner, .. } => fetch_owner,
    };
    for entry in &page.entries {
        contents(
            &mut xml,
            asked.encoding,
            entry,
            with_owner.then_some(&entry.row.owner),
        );
    }
    for prefix in &page.prefixes {
        common_prefix(&mut xml, &encoded(prefix));
    }
    xml.close("ListBucketResult");
    xml.finish()
}

fn contents(
    xml: &mut XmlWriter,
    encoding: NameEncoding,
    entry: &ListEntry,
    shown_owner: Option<&Owner>,
) {
    xml.open("Contents");
    xml.text("Key", &name(encoding, entry.key.as_str()));
    xml.text("LastModified", &http_date::iso(entry.row.time));
    xml.text("ETag", &format!("\"{}\"", entry.row.etag));
    for (algorithm, kind) in &entry.row.checksums {
        xml.text("ChecksumAlgorithm", algorithm.name());
        xml.text("ChecksumType", checksum_type(*kind));
    }
    xml.value("Size", entry.row.size);
    if let Some(of) = shown_owner {
        owner(xml, "Owner", of);
    }
    xml.text("StorageClass", &entry.row.class.0);
    xml.close("Contents");
}

/// A user, as S3 writes one.
pub(super) fn owner(xml: &mut XmlWriter, element: &str, owner: &Owner) {
    xml.open(element);
    xml.text("ID", &owner.0);
    xml.text("DisplayName", &owner.0);
    xml.close(element);
}

/// A common prefix, already encoded.
pub(super) fn common_prefix(xml: &mut XmlWriter, prefix: &str) {
    xml.open("CommonPrefixes");
    xml.text("Prefix", prefix);
    xml.close("CommonPrefixes");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMillis;
    use crate::model::{ETag, ObjectKey, StorageClass, VersionNumber};
    use crate::schema::CurrentRow;

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
            "<Key>a%26b%20%2B</Key><LastModified>1994-11-06T08:49:37.000Z</LastModified><ETag>&#34;07070707070707070707070707070707&#34;</ETag><Size>5</Size><Owner><ID>root</ID><DisplayName>root</DisplayName></Owner><StorageClass>STANDARD</StorageClass>",
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
