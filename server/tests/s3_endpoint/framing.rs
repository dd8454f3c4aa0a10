//! Bodies in every framing that clients use, and bodies that do not match their headers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::harness::{Connection, Endpoint, Length, Wire};
use crate::objects::pattern;

const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

fn crc32(body: &[u8]) -> String {
    STANDARD.encode(crc32fast::hash(body).to_be_bytes())
}

/// A body as boto3 sends it over https: one trailer, `declared` plain bytes.
fn trailed(endpoint: &Endpoint, body: &[u8], declared: usize, chunk: usize, crc: &str) -> Wire {
    let call = endpoint
        .call("PUT", "/bkt/key")
        .payload(UNSIGNED_TRAILER)
        .header("content-encoding", "aws-chunked")
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .header("x-amz-sdk-checksum-algorithm", "CRC32")
        .header("x-amz-decoded-content-length", declared.to_string());
    let mut wire = call.wire();
    let mut framed = Vec::new();
    for piece in body.chunks(chunk) {
        framed.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        framed.extend_from_slice(piece);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(format!("0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n").as_bytes());
    wire.length = Length::Announced(framed.len());
    wire.body = framed;
    wire
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_stores_the_same_bytes() {
    let endpoint = Endpoint::start().await;
    for len in [0, 5, 1_500_000] {
        let body = pattern(len);
        let put = || endpoint.call("PUT", "/bkt/key").body(&body);
        let wires: Vec<(&str, Wire)> = vec![
            ("signed", put().wire()),
            ("unsigned", put().payload("UNSIGNED-PAYLOAD").wire()),
            ("signed chunks", put().signed_chunks(64 * 1024)),
            ("one signed chunk", put().signed_chunks(usize::MAX)),
            (
                "signed chunks in transfer chunks",
                put().signed_chunks(8192).chunked(),
            ),
            (
                "unsigned chunks and a trailer",
                trailed(&endpoint, &body, len, 64 * 1024, &crc32(&body)),
            ),
            (
                "one unsigned chunk and a trailer",
                trailed(&endpoint, &body, len, usize::MAX, &crc32(&body)),
            ),
            (
                "boto3 over https",
                trailed(&endpoint, &body, len, 1 << 20, &crc32(&body)).chunked(),
            ),
        ];
        for (what, wire) in wires {
            endpoint
                .put("key", b"something else")
                .await
                .expect_status(200);
            let reply = wire.send().await;
            assert_eq!(reply.status, 200, "{what}, {len} bytes: {}", reply.text());
            let got = endpoint.get("key").await.expect_status(200);
            assert!(got.body == body, "{what}, {len} bytes");
            assert_eq!(got.header("content-encoding"), None, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_about_unsigned_chunks_store_nothing() {
    let endpoint = Endpoint::start().await;
    let body = pattern(200_000);
    let (len, good) = (body.len(), crc32(&body));
    let cases = [
        (
            "fewer than declared",
            len + 1,
            good.as_str(),
            "IncompleteBody",
        ),
        (
            "more than declared",
            len - 1,
            good.as_str(),
            "IncompleteBody",
        ),
        ("a wrong trailer", len, "AAAAAA==", "BadDigest"),
        ("a trailer that is no checksum", len, "!", "InvalidRequest"),
    ];
    for (what, declared, crc, code) in cases {
        let reply = trailed(&endpoint, &body, declared, 65_536, crc)
            .send()
            .await;
        assert_eq!(
            reply.element("Code").as_deref(),
            Some(code),
            "{what}: {}",
            reply.text()
        );
        reply.expect_error(400, code);
    }
    let mut no_trailer = trailed(&endpoint, &body, len, 65_536, &good);
    let trailer = format!("x-amz-checksum-crc32:{good}\r\n\r\n");
    no_trailer
        .body
        .truncate(no_trailer.body.len() - trailer.len());
    no_trailer.body.extend_from_slice(b"\r\n");
    no_trailer.length = Length::Announced(no_trailer.body.len());
    no_trailer
        .send()
        .await
        .expect_error(400, "MalformedTrailerError");

    let mut wrong_size = trailed(&endpoint, &body, len, 65_536, &good);
    wrong_size.body.splice(0..5, *b"0ffff");
    wrong_size.send().await.expect_error(400, "IncompleteBody");

    let no_length = endpoint
        .call("PUT", "/bkt/key")
        .payload(UNSIGNED_TRAILER)
        .body(b"0\r\n\r\n");
    no_length
        .send()
        .await
        .expect_error(411, "MissingContentLength");
    endpoint.get("key").await.expect_error(404, "NoSuchKey");
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_about_signed_chunks_store_nothing() {
    let endpoint = Endpoint::start().await;
    let body = pattern(200_000);
    let put = endpoint.call("PUT", "/bkt/key").body(&body);
    // In a signature, and in the bytes of the first and of a later chunk.
    for at in [30, 1000, 150_000] {
        let mut forged = put.clone().signed_chunks(64 * 1024);
        let byte = forged.body.get_mut(at).expect("within the body");
        *byte = if *byte == b'0' { b'1' } else { b'0' };
        forged
            .send()
            .await
            .expect_error(403, "SignatureDoesNotMatch");
    }
    let mut no_end = put.signed_chunks(64 * 1024);
    let last_chunk = "0;chunk-signature=".len() + 64 + "\r\n\r\n".len();
    no_end.body.truncate(no_end.body.len() - last_chunk);
    no_end.length = Length::Announced(no_end.body.len());
    no_end.send().await.expect_error(400, "IncompleteBody");
    endpoint.get("key").await.expect_error(404, "NoSuchKey");
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_about_the_length_store_nothing() {
    let endpoint = Endpoint::start().await;
    let body = pattern(100_000);
    let put = endpoint.call("PUT", "/bkt/key").body(&body);

    let mut untold = put.wire();
    untold.length = Length::Untold;
    untold.body.clear();
    untold
        .send()
        .await
        .expect_error(411, "MissingContentLength");
    put.wire()
        .chunked()
        .send()
        .await
        .expect_error(411, "MissingContentLength");

    let mut huge = put.wire();
    huge.length = Length::Announced(6 << 30);
    let reply = Connection::open(&endpoint.host)
        .await
        .exchange(&huge)
        .await
        .expect("an answer");
    reply.expect_error(400, "EntityTooLarge");

    // The client announces more than it sends, then leaves.
    let mut cut = put.wire();
    cut.length = Length::Announced(body.len() + 1);
    let mut connection = Connection::open(&endpoint.host).await;
    connection.send_head(&cut).await;
    connection.write(&cut.body).await;
    connection.half_close().await;
    if let Some(reply) = connection.reply().await {
        reply.expect_error(400, "IncompleteBody");
    }
    // A length shorter than the body: the digest does not match, and the rest is not a request.
    let mut short = put.wire();
    short.length = Length::Announced(body.len() - 1);
    short
        .send()
        .await
        .expect_error(400, "XAmzContentSHA256Mismatch");
    endpoint.get("key").await.expect_error(404, "NoSuchKey");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_the_old_object() {
    let endpoint = Endpoint::start().await;
    endpoint.put("key", b"old").await.expect_status(200);
    let body = pattern(5_000_000);
    for sent in [0, 1, 300_000, 4_999_999] {
        let wire = endpoint.call("PUT", "/bkt/key").body(&body).wire();
        let mut connection = Connection::open(&endpoint.host).await;
        let part = body.get(..sent).expect("shorter than the body");
        connection.send_head(&wire).await;
        connection.write(part).await;
        drop(connection);
        assert_eq!(endpoint.get("key").await.expect_status(200).body, b"old");
    }
}

/// Five bytes went in, fifteen were served.
#[tokio::test(flavor = "multi_thread")]
async fn framing_that_only_one_header_speaks_of_is_never_stored_as_content() {
    let endpoint = Endpoint::start().await;
    let framed = b"5\r\nhello\r\n0\r\n\r\n";
    let upload = endpoint.call("POST", "/bkt/key?uploads").send().await;
    let upload = upload.expect_status(200).element("UploadId");
    let part = format!("/bkt/key?partNumber=1&uploadId={}", upload.expect("an id"));
    for target in ["/bkt/key", &part] {
        for payload in [Some("UNSIGNED-PAYLOAD"), None] {
            for headers in [
                &[
                    ("content-encoding", "aws-chunked"),
                    ("x-amz-decoded-content-length", "5"),
                ][..],
                &[("content-encoding", "gzip, AWS-Chunked")],
                &[("x-amz-decoded-content-length", "5")],
            ] {
                let mut put = endpoint.call("PUT", target).body(framed);
                for (name, value) in headers {
                    put = put.header(name, *value);
                }
                if let Some(payload) = payload {
                    put = put.payload(payload);
                }
                let refused = put.send().await.expect_error(400, "InvalidRequest");
                let message = refused.element("Message").expect("a message");
                assert!(message.contains("aws-chunked"), "{message}");
            }
        }
    }
    endpoint.get("key").await.expect_error(404, "NoSuchKey");
    let plain = endpoint.call("PUT", "/bkt/key").body(b"hello");
    let plain = plain.header("x-amz-decoded-content-length", "5");
    plain.send().await.expect_status(200);
    assert_eq!(endpoint.get("key").await.expect_status(200).body, b"hello");
}
