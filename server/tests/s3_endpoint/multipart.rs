//! Multipart uploads from create to complete or abort.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use crate::harness::{Endpoint, Reply};
use crate::objects::pattern;

const PART: usize = 5 * 1024 * 1024;

pub(crate) async fn create(endpoint: &Endpoint, key: &str) -> String {
    let reply = endpoint
        .call("POST", &format!("/bkt/{key}?uploads"))
        .send()
        .await
        .expect_status(200);
    reply.element("UploadId").expect("an id")
}

pub(crate) async fn put_part(
    endpoint: &Endpoint,
    key: &str,
    upload: &str,
    number: u16,
    body: &[u8],
) -> String {
    let target = format!("/bkt/{key}?partNumber={number}&uploadId={upload}");
    let reply = endpoint
        .call("PUT", &target)
        .body(body)
        .send()
        .await
        .expect_status(200);
    reply.header("etag").expect("an ETag").to_owned()
}

pub(crate) fn complete_body(parts: &[(u16, String)]) -> String {
    let named = |(number, etag): &_| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    };
    let parts = parts.iter().map(named).collect::<Vec<_>>().concat();
    format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}</CompleteMultipartUpload>"
    )
}

pub(crate) async fn complete(
    endpoint: &Endpoint,
    key: &str,
    upload: &str,
    parts: &[(u16, String)],
) -> Reply {
    let body = complete_body(parts);
    endpoint
        .call("POST", &format!("/bkt/{key}?uploadId={upload}"))
        .body(body.as_bytes())
        .send()
        .await
}

/// Puts three parts out of order, with a gap in the numbers and one number twice: the last one counts.
async fn put_three(
    endpoint: &Endpoint,
    key: &str,
    upload: &str,
    body: &[u8],
) -> Vec<(u16, String)> {
    put_part(endpoint, key, upload, 2, b"replaced").await;
    let mut parts = Vec::new();
    for (number, piece) in [(7, 2), (1, 0), (2, 1)] {
        let bytes = body.chunks(PART).nth(piece).expect("three pieces");
        let etag = put_part(endpoint, key, upload, number, bytes).await;
        assert_eq!(etag, format!("\"{}\"", hex::encode(Md5::digest(bytes))));
        parts.push((number, etag));
    }
    parts.sort();
    parts
}

fn etag_of_parts(body: &[u8]) -> String {
    let mut digests = Md5::new();
    for piece in body.chunks(PART) {
        digests.update(Md5::digest(piece));
    }
    format!(
        "{}-{}",
        hex::encode(digests.finalize()),
        body.chunks(PART).count()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_one_object() {
    let endpoint = Endpoint::start().await;
    let create = endpoint
        .call("POST", "/bkt/dir/key?uploads=")
        .header("content-type", "application/x-etcd")
        .header("x-amz-meta-revision", "7");
    let reply = create.send().await.expect_status(200);
    assert_eq!(reply.element("Bucket").as_deref(), Some("bkt"));
    assert_eq!(reply.element("Key").as_deref(), Some("dir/key"));
    let upload = reply.element("UploadId").expect("an id");
    let body = pattern(2 * PART + 12_345);
    let parts = put_three(&endpoint, "dir/key", &upload, &body).await;
    endpoint.get("dir/key").await.expect_error(404, "NoSuchKey");

    let done = complete(&endpoint, "dir/key", &upload, &parts)
        .await
        .expect_status(200);
    let etag = etag_of_parts(&body);
    assert_eq!(done.element("ETag"), Some(format!("&quot;{etag}&quot;")));
    let again = complete(&endpoint, "dir/key", &upload, &parts)
        .await
        .expect_status(200);
    assert_eq!(
        again.element("ETag"),
        done.element("ETag"),
        "a repeated Complete gets the same answer"
    );

    let got = endpoint.get("dir/key").await.expect_status(200);
    assert_eq!(got.header("etag"), Some(format!("\"{etag}\"").as_str()));
    assert_eq!(got.header("content-type"), Some("application/x-etcd"));
    assert_eq!(got.header("x-amz-meta-revision"), Some("7"));
    assert!(got.body == body);
    let across = format!("bytes={}-{}", PART - 10, PART + 9);
    let part = endpoint
        .call("GET", "/bkt/dir/key")
        .header("range", across)
        .send()
        .await
        .expect_status(206);
    assert_eq!(Some(part.body.as_slice()), body.get(PART - 10..PART + 10));
    let late = endpoint
        .call(
            "PUT",
            &format!("/bkt/dir/key?partNumber=1&uploadId={upload}"),
        )
        .body(b"late");
    late.send().await.expect_error(404, "NoSuchUpload");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_uploads_are_listed_in_pages() {
    let endpoint = Endpoint::start().await;
    let upload = create(&endpoint, "dir/key").await;
    for number in [7, 1, 2] {
        put_part(&endpoint, "dir/key", &upload, number, b"part").await;
    }
    let parts = async |query: &str| {
        let target = format!("/bkt/dir/key?uploadId={upload}{query}");
        endpoint
            .call("GET", &target)
            .send()
            .await
            .expect_status(200)
    };
    let first = parts("&max-parts=2").await;
    assert_eq!(first.elements("PartNumber"), ["1", "2"]);
    assert_eq!(first.element("IsTruncated").as_deref(), Some("true"));
    assert_eq!(first.element("NextPartNumberMarker").as_deref(), Some("2"));
    let rest = parts("&part-number-marker=2").await;
    assert_eq!(rest.elements("PartNumber"), ["7"]);
    assert_eq!(rest.element("IsTruncated").as_deref(), Some("false"));

    let other = create(&endpoint, "other").await;
    let uploads = async |query: &str| {
        endpoint
            .call("GET", &format!("/bkt?uploads{query}"))
            .send()
            .await
            .expect_status(200)
    };
    assert_eq!(
        uploads("").await.elements("UploadId"),
        [upload.clone(), other.clone()]
    );
    assert_eq!(
        uploads("&prefix=dir/").await.elements("UploadId"),
        std::slice::from_ref(&upload)
    );
    let first = uploads("&max-uploads=1").await;
    assert_eq!(first.element("NextKeyMarker").as_deref(), Some("dir/key"));
    let next = uploads(&format!("&key-marker=dir/key&upload-id-marker={upload}")).await;
    assert_eq!(next.elements("UploadId"), std::slice::from_ref(&other));
    let rolled = uploads("&delimiter=/").await;
    assert_eq!(rolled.elements("UploadId"), [other]);
    assert_eq!(rolled.elements("CommonPrefixes"), ["<Prefix>dir/</Prefix>"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_completes_get_their_codes_and_change_nothing() {
    let endpoint = Endpoint::start().await;
    let upload = create(&endpoint, "key").await;
    let small = put_part(&endpoint, "key", &upload, 1, b"small").await;
    let last = put_part(&endpoint, "key", &upload, 2, b"last").await;
    let named = |parts: &[(u16, &str)]| {
        parts
            .iter()
            .map(|(n, e)| (*n, (*e).to_owned()))
            .collect::<Vec<_>>()
    };
    let cases: [(Vec<(u16, String)>, &str); 6] = [
        (named(&[]), "MalformedXML"),
        (named(&[(1, &small), (2, &last)]), "EntityTooSmall"),
        (named(&[(2, &last), (1, &small)]), "InvalidPartOrder"),
        (named(&[(1, &small), (1, &small)]), "InvalidPartOrder"),
        (named(&[(1, &last)]), "InvalidPart"),
        (named(&[(3, &last)]), "InvalidPart"),
    ];
    for (parts, code) in cases {
        complete(&endpoint, "key", &upload, &parts)
            .await
            .expect_error(400, code);
    }
    let target = format!("/bkt/key?uploadId={upload}");
    endpoint
        .call("POST", &target)
        .body(b"<Complete")
        .send()
        .await
        .expect_error(400, "MalformedXML");
    let parts = named(&[(1, &small)]);
    let wrong_size = endpoint
        .call("POST", &target)
        .body(complete_body(&parts).as_bytes());
    wrong_size
        .header("x-amz-mp-object-size", "6")
        .send()
        .await
        .expect_error(400, "InvalidRequest");
    complete(&endpoint, "key", "00000000000000000000000000000000", &parts)
        .await
        .expect_error(404, "NoSuchUpload");
    complete(&endpoint, "other", &upload, &parts)
        .await
        .expect_error(404, "NoSuchUpload");
    endpoint.get("key").await.expect_error(404, "NoSuchKey");
    complete(&endpoint, "key", &upload, &parts)
        .await
        .expect_status(200);
    assert_eq!(endpoint.get("key").await.expect_status(200).body, b"small");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_upload_is_gone() {
    let endpoint = Endpoint::start().await;
    let upload = create(&endpoint, "key").await;
    let etag = put_part(&endpoint, "key", &upload, 1, b"part").await;
    let target = format!("/bkt/key?uploadId={upload}");
    endpoint
        .call("DELETE", &target)
        .send()
        .await
        .expect_status(204);
    endpoint
        .call("DELETE", &target)
        .send()
        .await
        .expect_error(404, "NoSuchUpload");
    endpoint
        .call("GET", &target)
        .send()
        .await
        .expect_error(404, "NoSuchUpload");
    complete(&endpoint, "key", &upload, &[(1, etag)])
        .await
        .expect_error(404, "NoSuchUpload");
    endpoint.get("key").await.expect_error(404, "NoSuchKey");
    endpoint
        .call("POST", "/none-such/key?uploads")
        .send()
        .await
        .expect_error(404, "NoSuchBucket");
}

fn crc(bytes: &[u8]) -> String {
    STANDARD.encode(crc32fast::hash(bytes).to_be_bytes())
}

/// Puts the pieces of `body` as parts with their checksums; returns the XML that names them.
async fn put_with_checksums(endpoint: &Endpoint, upload: &str, body: &[u8]) -> String {
    let mut parts = Vec::new();
    for (at, piece) in body.chunks(PART).enumerate() {
        let (number, value) = (at + 1, crc(piece));
        let put = endpoint
            .call(
                "PUT",
                &format!("/bkt/key?partNumber={number}&uploadId={upload}"),
            )
            .body(piece)
            .header("x-amz-checksum-crc32", value.clone());
        let reply = put.send().await.expect_status(200);
        assert_eq!(reply.header("x-amz-checksum-crc32"), Some(value.as_str()));
        let etag = reply.header("etag").expect("an ETag");
        parts.push(format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><ChecksumCRC32>{value}</ChecksumCRC32></Part>"
        ));
    }
    format!(
        "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
        parts.concat()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_of_parts_make_the_objects() {
    let endpoint = Endpoint::start().await;
    let body = pattern(PART + 1000);
    let values: Vec<u8> = body
        .chunks(PART)
        .flat_map(|piece| crc32fast::hash(piece).to_be_bytes())
        .collect();
    for (kind, expected) in [
        ("COMPOSITE", format!("{}-2", crc(&values))),
        ("FULL_OBJECT", crc(&body)),
    ] {
        let create = endpoint
            .call("POST", "/bkt/key?uploads")
            .header("x-amz-checksum-algorithm", "CRC32")
            .header("x-amz-checksum-type", kind);
        let created = create.send().await.expect_status(200);
        assert_eq!(created.header("x-amz-checksum-type"), Some(kind));
        let upload = created.element("UploadId").expect("an id");
        let xml = put_with_checksums(&endpoint, &upload, &body).await;
        let other = endpoint
            .call("PUT", &format!("/bkt/key?partNumber=9&uploadId={upload}"))
            .body(b"x");
        let other = other.header("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        other.send().await.expect_error(400, "InvalidRequest");

        let complete = endpoint
            .call("POST", &format!("/bkt/key?uploadId={upload}"))
            .body(xml.as_bytes());
        let wrong = complete.clone().header("x-amz-checksum-crc32", "AAAAAA==");
        wrong.send().await.expect_error(400, "BadDigest");
        let done = complete
            .header("x-amz-checksum-crc32", expected.clone())
            .send()
            .await
            .expect_status(200);
        assert_eq!(done.element("ChecksumCRC32"), Some(expected.clone()));
        assert_eq!(done.element("ChecksumType").as_deref(), Some(kind));
        let head = endpoint
            .call("HEAD", "/bkt/key")
            .header("x-amz-checksum-mode", "ENABLED")
            .send()
            .await;
        assert_eq!(head.header("x-amz-checksum-crc32"), Some(expected.as_str()));
    }
    let impossible = endpoint
        .call("POST", "/bkt/key?uploads")
        .header("x-amz-checksum-algorithm", "SHA256")
        .header("x-amz-checksum-type", "FULL_OBJECT");
    impossible.send().await.expect_error(400, "InvalidRequest");
}

/// A page of nothing said that more follows, without a marker: clients asked for it for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_nothing_is_the_last() {
    let endpoint = Endpoint::start().await;
    let upload = create(&endpoint, "key").await;
    put_part(&endpoint, "key", &upload, 1, b"part").await;
    let parts = format!("/bkt/key?uploadId={upload}&max-parts=0");
    for (target, inside) in [("/bkt?uploads&max-uploads=0", "Upload"), (&parts, "Part")] {
        let page = endpoint.call("GET", target).send().await.expect_status(200);
        let truncated = page.element("IsTruncated");
        assert_eq!(truncated.as_deref(), Some("false"), "{target}");
        assert_eq!(page.elements(inside), [""; 0], "{target}");
    }
}

/// The pages of a listing with a delimiter repeated a prefix on each page, and stopped counting it.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_are_rolled_up_over_pages() {
    let endpoint = Endpoint::start().await;
    for key in ["a", "dir/1", "dir/2", "dir/3", "e", "other/1", "other/2"] {
        create(&endpoint, key).await;
        create(&endpoint, key).await;
    }
    for size in 1..=7 {
        let (mut seen, mut marker) = (Vec::new(), String::new());
        loop {
            let target = format!("/bkt?uploads&delimiter=%2F&max-uploads={size}{marker}");
            let page = endpoint.call("GET", &target).send().await;
            let page = page.expect_status(200);
            let mut found = page.elements("Key");
            let prefixes = page.elements("CommonPrefixes");
            found.extend(
                prefixes
                    .iter()
                    .map(|p| p.replace("<Prefix>", "").replace("</Prefix>", "")),
            );
            assert!(found.len() <= size, "{}", page.text());
            seen.extend(found);
            if page.element("IsTruncated").as_deref() == Some("false") {
                break;
            }
            let key = page.element("NextKeyMarker").expect("a marker");
            let id = page.element("NextUploadIdMarker").expect("its second half");
            let key = key.replace('/', "%2F");
            marker = format!("&key-marker={key}&upload-id-marker={id}");
        }
        seen.sort();
        assert_eq!(
            seen,
            ["a", "a", "dir/", "e", "e", "other/"],
            "pages of {size}"
        );
    }
}

/// Who asked for a checksum got one of whatever had arrived, computed here.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_without_the_promised_checksum_is_refused() {
    let endpoint = Endpoint::start().await;
    let create = endpoint.call("POST", "/bkt/key?uploads");
    let create = create.header("x-amz-checksum-algorithm", "CRC32");
    let created = create.send().await.expect_status(200);
    let upload = created.element("UploadId").expect("an id");
    let target = format!("/bkt/key?partNumber=1&uploadId={upload}");
    let part = endpoint.call("PUT", &target).body(b"hello");
    let refused = part.send().await.expect_error(400, "InvalidRequest");
    let message = refused.element("Message").expect("a message");
    assert!(
        message.contains("CRC32") && message.contains("null"),
        "{message}"
    );
    let bad = part.clone().header("x-amz-checksum-crc32", "AAAAAA==");
    bad.send().await.expect_error(400, "BadDigest");
    let good = part.header("x-amz-checksum-crc32", "NhCmhg==");
    let stored = good.send().await.expect_status(200);
    let etag = stored.header("etag").expect("an ETag").to_owned();
    for checksum in ["AAAAAA==", "bad"] {
        let body = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>\
             <ChecksumCRC32>{checksum}</ChecksumCRC32></Part></CompleteMultipartUpload>"
        );
        let done = endpoint.call("POST", &format!("/bkt/key?uploadId={upload}"));
        let done = done.body(body.as_bytes()).send().await;
        done.expect_error(400, "BadDigest");
    }
}
