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
    let parts: String = parts
        .iter()
        .map(|(number, etag)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        })
        .collect();
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

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_one_object() {
    let endpoint = Endpoint::start().await;
    let create = endpoint
        .call("POST", "/bkt/dir/key?uploads=")
        .header("content-type", "application/x-etcd")
        .header("x-amz-meta-revision", "7");
    let reply = create.send().await.expect_status(200);
    assert_eq!(
        (
            reply.element("Bucket").as_deref(),
            reply.element("Key").as_deref()
        ),
        (Some("bkt"), Some("dir/key"))
    );
    let upload = reply.element("UploadId").expect("an id");
    let body = pattern(2 * PART + 12_345);
    let mut parts = Vec::new();
    let mut digests = Md5::new();
    // Out of order, with a gap in the numbers, and one put twice: the last one counts.
    put_part(&endpoint, "dir/key", &upload, 2, b"replaced").await;
    for (number, piece) in [(7, 2), (1, 0), (2, 1)] {
        let bytes = body.chunks(PART).nth(piece).expect("three pieces");
        let etag = put_part(&endpoint, "dir/key", &upload, number, bytes).await;
        assert_eq!(etag, format!("\"{}\"", hex::encode(Md5::digest(bytes))));
        parts.push((number, etag));
    }
    parts.sort();
    for piece in body.chunks(PART) {
        digests.update(Md5::digest(piece));
    }
    endpoint.get("dir/key").await.expect_error(404, "NoSuchKey");

    let listed = endpoint
        .call(
            "GET",
            &format!("/bkt/dir/key?uploadId={upload}&max-parts=2"),
        )
        .send()
        .await;
    let listed = listed.expect_status(200);
    assert_eq!(listed.elements("PartNumber"), ["1", "2"]);
    assert_eq!(listed.element("IsTruncated").as_deref(), Some("true"));
    assert_eq!(listed.element("NextPartNumberMarker").as_deref(), Some("2"));
    let rest = endpoint
        .call(
            "GET",
            &format!("/bkt/dir/key?uploadId={upload}&part-number-marker=2"),
        )
        .send()
        .await;
    assert_eq!(rest.expect_status(200).elements("PartNumber"), ["7"]);
    let uploads = endpoint
        .call("GET", "/bkt?uploads&prefix=dir/")
        .send()
        .await
        .expect_status(200);
    assert_eq!(uploads.elements("UploadId"), [upload.clone()]);

    let done = complete(&endpoint, "dir/key", &upload, &parts)
        .await
        .expect_status(200);
    let etag = format!("{}-3", hex::encode(digests.finalize()));
    assert_eq!(done.element("ETag"), Some(format!("&#34;{etag}&#34;")));
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
    let uploads = endpoint
        .call("GET", "/bkt?uploads")
        .send()
        .await
        .expect_status(200);
    assert!(uploads.elements("UploadId").is_empty());
    let late = endpoint
        .call(
            "PUT",
            &format!("/bkt/dir/key?partNumber=1&uploadId={upload}"),
        )
        .body(b"late");
    late.send().await.expect_error(404, "NoSuchUpload");
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

#[tokio::test(flavor = "multi_thread")]
async fn checksums_of_parts_make_the_objects() {
    let endpoint = Endpoint::start().await;
    let body = pattern(PART + 1000);
    let crc = |bytes: &[u8]| STANDARD.encode(crc32fast::hash(bytes).to_be_bytes());
    for (kind, expected) in [("COMPOSITE", None), ("FULL_OBJECT", Some(crc(&body)))] {
        let create = endpoint
            .call("POST", "/bkt/key?uploads")
            .header("x-amz-checksum-algorithm", "CRC32")
            .header("x-amz-checksum-type", kind);
        let created = create.send().await.expect_status(200);
        assert_eq!(created.header("x-amz-checksum-type"), Some(kind));
        let upload = created.element("UploadId").expect("an id");
        let mut parts = String::new();
        let mut values = Vec::new();
        for (number, piece) in body
            .chunks(PART)
            .enumerate()
            .map(|(at, piece)| (at + 1, piece))
        {
            let put = endpoint
                .call(
                    "PUT",
                    &format!("/bkt/key?partNumber={number}&uploadId={upload}"),
                )
                .body(piece)
                .header("x-amz-checksum-crc32", crc(piece));
            let reply = put.send().await.expect_status(200);
            assert_eq!(
                reply.header("x-amz-checksum-crc32"),
                Some(crc(piece).as_str())
            );
            let etag = reply.header("etag").expect("an ETag");
            let value = crc(piece);
            values.extend_from_slice(&crc32fast::hash(piece).to_be_bytes());
            parts.push_str(&format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><ChecksumCRC32>{value}</ChecksumCRC32></Part>"
            ));
        }
        let expected = expected.unwrap_or_else(|| format!("{}-2", crc(&values)));
        let other = endpoint
            .call("PUT", &format!("/bkt/key?partNumber=9&uploadId={upload}"))
            .body(b"x");
        let other = other.header("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        other.send().await.expect_error(400, "InvalidRequest");

        let xml = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
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
