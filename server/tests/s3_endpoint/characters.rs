//! Keys of every class of characters, in every answer that repeats a key, a prefix, a delimiter or a marker.
//!
//! The answers are read as a strict parser reads them: no character and no reference that XML 1.0 does not allow.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::harness::{Endpoint, Reply};
use crate::multipart::{complete, put_part};

/// Each class that XML 1.0 cannot represent, and the borders of each.
const NOT_IN_XML: &[char] = &[
    '\0', '\u{1}', '\u{8}', '\u{b}', '\u{c}', '\u{e}', '\u{1b}', '\u{1f}', '\u{fffe}', '\u{ffff}',
];

/// Each class that it can represent: line ends, markup, controls, combining and private characters, noncharacters, the
/// borders of surrogates and planes.
const IN_XML: &[char] = &[
    '\t',
    '\n',
    '\r',
    ' ',
    '!',
    '"',
    '#',
    '%',
    '&',
    '\'',
    '+',
    '/',
    ';',
    '<',
    '=',
    '>',
    '?',
    ']',
    '~',
    '\u{7f}',
    '\u{80}',
    '\u{85}',
    '\u{9f}',
    '\u{a0}',
    'ä',
    '\u{301}',
    '\u{200b}',
    '\u{2028}',
    '\u{d7ff}',
    '\u{e000}',
    '\u{fdd0}',
    '\u{feff}',
    '\u{fffd}',
    '\u{10000}',
    '\u{1f512}',
    '\u{1fffe}',
    '\u{10ffff}',
];

fn escaped(text: &str) -> String {
    let bytes: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}

fn is_char(c: char) -> bool {
    let code = u32::from(c);
    matches!(code, 9 | 10 | 13 | 0x20..=0xd7ff | 0xe000..=0xfffd | 0x1_0000..=0x10_ffff)
}

/// The text behind the references, as a parser of XML 1.0 sees it.
#[track_caller]
fn unescaped(raw: &str) -> String {
    let mut out = String::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        let (reference, after) = after.split_once(';').expect("a reference ends");
        out.push_str(before);
        let number = reference
            .strip_prefix('#')
            .map(|n| match n.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).expect("a number"),
                None => n.parse().expect("a number"),
            });
        let c = match (number, reference) {
            (Some(code), _) => char::from_u32(code).expect("a character"),
            (None, "lt") => '<',
            (None, "gt") => '>',
            (None, "amp") => '&',
            (None, "quot") => '"',
            (None, "apos") => '\'',
            (None, other) => panic!("&{other}; is not defined"),
        };
        assert!(is_char(c), "&{reference}; is not allowed");
        out.push(c);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The texts of all elements of this name in a well-formed answer.
#[track_caller]
fn texts(reply: &Reply, name: &str) -> Vec<String> {
    let document = std::str::from_utf8(&reply.body).expect("UTF-8");
    let bad = document.chars().find(|c| !is_char(*c) || *c == '\r');
    assert_eq!(bad, None, "{document}");
    let mut reader = Reader::from_str(document);
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Eof => break,
            Event::Text(text) => {
                unescaped(&text);
            }
            _ => {}
        }
    }
    let found = reply.elements(name);
    found.iter().map(|raw| unescaped(raw)).collect()
}

/// Every answer that repeats what the client sent, whether a key of it can exist or not.
async fn check_echoes(endpoint: &Endpoint, c: char, shown: &str) {
    let name = escaped(&c.to_string());
    let gone = endpoint.get(&format!("gone{name}")).await;
    let gone = gone.expect_error(404, "NoSuchKey");
    assert_eq!(texts(&gone, "Key"), [format!("gone{shown}")]);
    let mut targets = vec![
        format!("/bkt?prefix={name}&delimiter={name}&marker={name}"),
        format!("/bkt?list-type=2&prefix={name}&delimiter={name}&start-after={name}"),
        format!("/bkt?uploads&prefix={name}&delimiter={name}&key-marker={name}"),
    ];
    targets.extend(
        targets
            .clone()
            .iter()
            .map(|t| format!("{t}&encoding-type=url")),
    );
    for (n, target) in targets.iter().enumerate() {
        let page = endpoint.call("GET", target).send().await.expect_status(200);
        let delimiters = texts(&page, "Delimiter");
        if n < 3 {
            assert_eq!(delimiters, [shown], "{target}");
        } else {
            let decoded = percent_decoded(delimiters.first().expect("one"));
            assert_eq!(decoded, c.to_string(), "{target}");
        }
    }
    for (method, target) in [
        ("PUT", format!("/nowhere/{name}")),
        ("POST", format!("/bkt/k{name}?uploadId={name}")),
        ("GET", format!("/bkt/k{name}?uploadId={name}")),
        ("GET", format!("/bkt?list-type=2&continuation-token={name}")),
        ("GET", format!("/bkt?max-keys={name}")),
        ("GET", format!("/bkt?encoding-type={name}")),
        ("GET", format!("/bad{name}_bucket/key")),
        ("PUT", format!("/bkt/{}", name.repeat(1025))),
    ] {
        let refused = endpoint.call(method, &target).body(b"x").send().await;
        assert!(refused.status >= 400, "{method} {target}");
        assert_eq!(texts(&refused, "Code").len(), 1, "{method} {target}");
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let hex = std::str::from_utf8(&after[..2]).expect("digits");
            bytes.push(u8::from_str_radix(hex, 16).expect("digits"));
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// A key with U+0001 hid its whole bucket: no client could parse a listing that named it.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_xml_cannot_represent_are_refused_by_name() {
    let endpoint = Endpoint::start().await;
    for c in NOT_IN_XML {
        let target = format!("/bkt/k{}", escaped(&c.to_string()));
        for (method, query) in [("PUT", ""), ("POST", "?uploads")] {
            let call = endpoint.call(method, &format!("{target}{query}"));
            let refused = call.send().await.expect_error(400, "InvalidArgument");
            let message = texts(&refused, "Message").concat();
            let name = format!("U+{:04X}", u32::from(*c));
            assert!(message.contains(&name), "{message}");
        }
        // What earlier versions took can still be asked for and deleted.
        endpoint
            .call("HEAD", &target)
            .send()
            .await
            .expect_status(404);
        endpoint
            .call("DELETE", &target)
            .send()
            .await
            .expect_status(204);
        check_echoes(&endpoint, *c, "\u{fffd}").await;
    }
    let page = endpoint.call("GET", "/bkt").send().await.expect_status(200);
    assert_eq!(page.elements("Contents"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_repeats_every_key_exactly() {
    let endpoint = Endpoint::start().await;
    for c in IN_XML {
        let key = format!("k{c}x");
        let path = escaped(&key);
        let only = std::slice::from_ref(&key);
        check_echoes(&endpoint, *c, &c.to_string()).await;
        endpoint.put(&path, b"1").await.expect_status(200);
        let list = async |query: &str| {
            let target = format!("/bkt?{query}");
            endpoint
                .call("GET", &target)
                .send()
                .await
                .expect_status(200)
        };
        for version in ["", "list-type=2&"] {
            assert_eq!(texts(&list(version).await, "Key"), only, "{c:?}");
            let url = list(&format!("{version}encoding-type=url")).await;
            let url = texts(&url, "Key").concat();
            assert_eq!(percent_decoded(&url), key, "{c:?}");
            let delimiter = escaped(&c.to_string());
            let rolled = list(&format!("{version}delimiter={delimiter}")).await;
            let prefixes = texts(&rolled, "CommonPrefixes").concat();
            assert_eq!(prefixes, format!("<Prefix>k{c}</Prefix>"), "{c:?}");
        }

        let created = endpoint.call("POST", &format!("/bkt/{path}?uploads"));
        let created = created.send().await.expect_status(200);
        assert_eq!(texts(&created, "Key"), only);
        let upload = created.element("UploadId").expect("an id");
        assert_eq!(texts(&list("uploads").await, "Key"), only, "{c:?}");
        let etag = put_part(&endpoint, &path, &upload, 1, b"part").await;
        let parts = endpoint.call("GET", &format!("/bkt/{path}?uploadId={upload}"));
        let parts = parts.send().await.expect_status(200);
        assert_eq!(texts(&parts, "Key"), only, "{c:?}");
        let done = complete(&endpoint, &path, &upload, &[(1, etag)]).await;
        assert_eq!(texts(&done.expect_status(200), "Key"), only, "{c:?}");

        let codes: Vec<String> = key
            .chars()
            .map(|c| format!("&#{};", u32::from(c)))
            .collect();
        let name = codes.concat();
        let body = format!("<Delete><Object><Key>{name}</Key></Object></Delete>");
        let deleted = endpoint.call("POST", "/bkt?delete").body(body.as_bytes());
        let deleted = deleted.send().await.expect_status(200);
        assert_eq!(texts(&deleted, "Key"), only, "{c:?}");
        assert!(deleted.element("Deleted").is_some(), "{}", deleted.text());
        let left = list("").await;
        assert_eq!(left.elements("Contents"), [""; 0], "{c:?}");
    }
}
