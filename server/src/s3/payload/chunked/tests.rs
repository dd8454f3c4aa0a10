//! The decoder against AWS' published example, hostile framing and every way to split a body.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

use super::*;
use crate::clock::UnixMillis;
use crate::s3::authentication::{Scope, SigningKey};
use crate::s3::identity::Credentials;

/// "Example: PUT Object" of the Amazon S3 API reference, "Signature Calculations for the Authorization Header:
/// Transferring Payload in Multiple Chunks (Chunked Upload)".
const SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
const FIRST: &str = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648";
const SECOND: &str = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497";
const LAST: &str = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9";

fn example_signer() -> ChunkSigner {
    let credentials = Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    );
    let scope = Scope {
        date: "20130524".to_owned(),
        region: "us-east-1".to_owned(),
    };
    let key = SigningKey::derive(&credentials, UnixMillis(1_369_353_600_000), &scope);
    ChunkSigner::new(
        key,
        "20130524T000000Z".to_owned(),
        scope.text(),
        SEED.to_owned(),
    )
}

fn example_body() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(format!("10000;chunk-signature={FIRST}\r\n").as_bytes());
    body.extend_from_slice(&vec![b'a'; 65536]);
    body.extend_from_slice(format!("\r\n400;chunk-signature={SECOND}\r\n").as_bytes());
    body.extend_from_slice(&[b'a'; 1024]);
    body.extend_from_slice(format!("\r\n0;chunk-signature={LAST}\r\n\r\n").as_bytes());
    body
}

fn decode<'a>(
    mut decoder: ChunkedDecoder,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, Trailers), S3Error> {
    let mut out = VecDeque::new();
    for read in reads {
        decoder.feed(Bytes::copy_from_slice(read), &mut out)?;
    }
    let trailers = decoder.finish()?;
    let plain: Vec<Bytes> = out.into();
    Ok((plain.concat(), trailers))
}

fn unsigned(declared: u64, body: &[u8]) -> Result<(Vec<u8>, Trailers), S3ErrorCode> {
    decode(ChunkedDecoder::unsigned(declared), [body]).map_err(|error| error.code())
}

#[test]
fn the_published_example_decodes() {
    let decoder = ChunkedDecoder::signed(66560, example_signer(), TrailerRule::Absent);
    let (plain, trailers) =
        decode(decoder, [example_body().as_slice()]).expect("AWS' own signatures");
    assert_eq!(plain, vec![b'a'; 66560]);
    assert!(trailers.is_empty());
}

#[test]
fn a_changed_byte_or_signature_is_found() {
    let good = example_body();
    for at in [30, 100, 66_000, good.len() - 10] {
        let mut body = good.clone();
        if let Some(byte) = body.get_mut(at) {
            *byte = if *byte == b'0' { b'1' } else { b'0' };
        }
        let decoder = ChunkedDecoder::signed(66560, example_signer(), TrailerRule::Absent);
        let error = decode(decoder, [body.as_slice()])
            .map(|_| "accepted")
            .expect_err("changed");
        assert_eq!(error.code(), S3ErrorCode::SignatureDoesNotMatch, "at {at}");
    }
    let decoder = ChunkedDecoder::signed(5, example_signer(), TrailerRule::Absent);
    let error = decode(decoder, [b"5\r\nhello\r\n".as_slice()]).expect_err("no signature at all");
    assert_eq!(error.code(), S3ErrorCode::SignatureDoesNotMatch);
}

/// Signatures that a comparison would accept if it stopped early or ignored case.
fn near_signatures(right: &str) -> Vec<String> {
    let cut = (0..64).filter_map(|len| right.get(..len).map(str::to_owned));
    let zeros = (0..=65).map(|len| "0".repeat(len));
    let others = [
        format!("{right}0"),
        format!("{right}{right}"),
        right.to_uppercase(),
    ];
    cut.chain(zeros).chain(others).collect()
}

#[test]
fn each_chunk_is_signed_whole() {
    let good = String::from_utf8(example_body()).expect("the example is text");
    for right in [FIRST, SECOND, LAST] {
        for nearly in near_signatures(right) {
            let body = good.replace(right, &nearly);
            let decoder = ChunkedDecoder::signed(66560, example_signer(), TrailerRule::Absent);
            let error = decode(decoder, [body.as_bytes()]).expect_err(&nearly);
            assert_eq!(
                error.code(),
                S3ErrorCode::SignatureDoesNotMatch,
                "{nearly:?}"
            );
        }
    }
}

#[test]
fn a_chunk_left_out_is_found() {
    let first_only = format!(
        "400;chunk-signature={SECOND}\r\n{}\r\n0;chunk-signature={LAST}\r\n\r\n",
        "a".repeat(1024)
    );
    let decoder = ChunkedDecoder::signed(1024, example_signer(), TrailerRule::Absent);
    let error = decode(decoder, [first_only.as_bytes()]).expect_err("the chain is broken");
    assert_eq!(error.code(), S3ErrorCode::SignatureDoesNotMatch);
}

/// "Signature Calculations for the Authorization Header: Including trailing headers (chunked upload)".
#[test]
fn the_published_trailer_example_decodes_in_both_spellings() {
    let credentials = Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    );
    let scope = Scope {
        date: "20130524".to_owned(),
        region: "us-east-1".to_owned(),
    };
    let key = SigningKey::derive(&credentials, UnixMillis(1_369_353_600_000), &scope);
    let seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
    let signer = ChunkSigner::new(
        key,
        "20130524T000000Z".to_owned(),
        scope.text(),
        seed.to_owned(),
    );
    let chunks = [
        format!("10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n{}\r\n", "a".repeat(65536)),
        format!("400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n{}\r\n", "a".repeat(1024)),
        "0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n".to_owned(),
    ]
    .concat();
    let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
    for (between, field) in [
        ("\r\n", "x-amz-checksum-crc32c:sOO8/Q=="),
        ("\n\r\n", "x-amz-checksum-crc32c:sOO8/Q=="),
    ] {
        let body = format!("{chunks}{field}{between}x-amz-trailer-signature:{signature}\r\n\r\n");
        let decoder = ChunkedDecoder::signed(66560, signer.clone(), TrailerRule::Present);
        let (plain, trailers) = decode(decoder, [body.as_bytes()]).expect("AWS' own signatures");
        assert_eq!(plain.len(), 66560);
        assert_eq!(
            trailers,
            [("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())]
        );
        let forged = body.replace("sOO8", "tOO8");
        let decoder = ChunkedDecoder::signed(66560, signer.clone(), TrailerRule::Present);
        let error = decode(decoder, [forged.as_bytes()]).expect_err("a forged trailer");
        assert_eq!(error.code(), S3ErrorCode::SignatureDoesNotMatch);
        for nearly in near_signatures(signature) {
            let forged = body.replace(signature, &nearly);
            let decoder = ChunkedDecoder::signed(66560, signer.clone(), TrailerRule::Present);
            let error = decode(decoder, [forged.as_bytes()]).expect_err(&nearly);
            assert_eq!(
                error.code(),
                S3ErrorCode::SignatureDoesNotMatch,
                "{nearly:?}"
            );
        }
    }
}

#[test]
fn unsigned_chunks_carry_trailers() {
    let body = b"3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:hYfb/w==\r\n\r\n";
    let (plain, trailers) = unsigned(5, body).expect("well-formed");
    assert_eq!(plain, b"abcde");
    assert_eq!(
        trailers,
        [("x-amz-checksum-crc32".to_owned(), "hYfb/w==".to_owned())]
    );
    assert_eq!(
        unsigned(0, b"0\r\n\r\n").expect("an empty body"),
        (Vec::new(), Vec::new())
    );
}

#[test]
fn lies_about_sizes_are_incomplete_bodies() {
    let long = format!("{}\r\n", "0".repeat(2000));
    let cases: &[(&str, u64, &[u8])] = &[
        ("more than declared", 4, b"5\r\nhello\r\n0\r\n\r\n"),
        ("less than declared", 6, b"5\r\nhello\r\n0\r\n\r\n"),
        ("size shorter than data", 5, b"4\r\nhello\r\n0\r\n\r\n"),
        ("size longer than data", 9, b"6\r\nhello\r\n0\r\n\r\n"),
        ("no last chunk", 5, b"5\r\nhello\r\n"),
        ("cut in data", 5, b"5\r\nhel"),
        ("cut in a trailer", 0, b"0\r\nx-amz-checksum-crc32:hY"),
        ("empty", 0, b""),
        ("no number", 5, b"five\r\nhello\r\n0\r\n\r\n"),
        ("a sign", 5, b"+5\r\nhello\r\n0\r\n\r\n"),
        ("no size", 5, b"\r\nhello\r\n0\r\n\r\n"),
        ("beyond u64", 5, b"ffffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("line feed alone", 5, b"5\nhello\r\n0\r\n\r\n"),
        ("a line without end", 5, long.as_bytes()),
    ];
    for (what, declared, body) in cases {
        let code = unsigned(*declared, body).expect_err(what);
        assert_eq!(code, S3ErrorCode::IncompleteBody, "{what}");
    }
}

#[test]
fn bad_trailers_are_malformed() {
    let many: Vec<String> = (0..20).map(|i| format!("n{i}:v\r\n")).collect();
    let many = format!("0\r\n{}\r\n", many.concat());
    let cases: &[(&str, &[u8])] = &[
        ("no colon", b"0\r\nnonsense\r\n\r\n"),
        ("twice", b"0\r\na:1\r\nA:2\r\n\r\n"),
        ("too many", many.as_bytes()),
        ("no text", b"0\r\na:\xff\r\n\r\n"),
    ];
    for (what, body) in cases {
        assert_eq!(
            unsigned(0, body).expect_err(what),
            S3ErrorCode::MalformedTrailer,
            "{what}"
        );
    }
    let decoder = ChunkedDecoder::signed(66560, example_signer(), TrailerRule::Absent);
    let mut body = example_body();
    body.extend_from_slice(b"a:1\r\n");
    let error = decode(decoder, [body.as_slice()])
        .map(|_| "accepted")
        .expect_err("not announced");
    assert_eq!(error.code(), S3ErrorCode::MalformedTrailer);
}

#[test]
fn one_huge_chunk_is_handed_on_piece_by_piece() {
    let total: u64 = 1 << 32;
    let mut decoder = ChunkedDecoder::unsigned(total);
    let mut out = VecDeque::new();
    decoder
        .feed(Bytes::from_static(b"100000000\r\n"), &mut out)
        .expect("a header");
    let read = Bytes::from(vec![7; 1 << 20]);
    for _ in 0..total >> 20 {
        decoder.feed(read.clone(), &mut out).expect("data");
        let piece = out.pop_front().expect("handed on at once");
        assert_eq!(piece.as_ptr(), read.as_ptr(), "no copy");
        assert!(out.is_empty());
    }
    decoder
        .feed(Bytes::from_static(b"\r\n0\r\n\r\n"), &mut out)
        .expect("the end");
    assert!(decoder.finish().expect("complete").is_empty());
}

fn split<'a>(body: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
    cuts.sort_unstable();
    let mut reads = Vec::new();
    let mut from = 0;
    for cut in cuts {
        reads.push(body.get(from..cut).unwrap_or_default());
        from = cut;
    }
    reads.push(body.get(from..).unwrap_or_default());
    reads
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn reads_may_be_split_anywhere(chunks in vec(vec(any::<u8>(), 1..40), 0..8), cuts in vec(any::<usize>(), 0..12)) {
        let mut body = Vec::new();
        for chunk in &chunks {
            body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\nx-amz-checksum-sha1:v\r\n\r\n");
        let plain = chunks.concat();
        let declared = u64::try_from(plain.len()).expect("small");
        let decoded = decode(ChunkedDecoder::unsigned(declared), split(&body, &cuts)).expect("well-formed");
        assert_eq!(decoded.0, plain);
        assert_eq!(decoded.1.len(), 1);
    }

    #[test]
    fn hostile_bytes_end_the_same_way_however_they_are_split(
        damage in vec((any::<usize>(), any::<u8>()), 0..4),
        noise in vec(any::<u8>(), 0..64),
        cuts in vec(any::<usize>(), 0..12),
    ) {
        let mut body = b"3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:hYfb/w==\r\n\r\n".to_vec();
        for (at, byte) in damage {
            let len = body.len();
            if let Some(place) = body.get_mut(at % len) {
                *place = byte;
            }
        }
        body.extend_from_slice(&noise);
        let whole = decode(ChunkedDecoder::unsigned(5), [body.as_slice()]).map_err(|error| error.code());
        let parts = decode(ChunkedDecoder::unsigned(5), split(&body, &cuts)).map_err(|error| error.code());
        assert_eq!(whole, parts);
    }
}
