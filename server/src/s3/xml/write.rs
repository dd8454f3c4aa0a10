//! Writes answers: serde structs become elements in the order of their fields.
//!
//! Invariant: every answer is well-formed XML 1.0, whatever it repeats. New keys hold only characters that XML 1.0 can
//! represent ([`unrepresentable`] finds the others); in what a client may send besides, and in keys of earlier versions,
//! the others become U+FFFD. With `encoding-type=url` all of them are exact.

use std::fmt::{self, Write};

use quick_xml::se::{QuoteLevel, Serializer};
use serde::Serialize;

/// The declaration that every document begins with.
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The namespace of every S3 answer except errors.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// An answer as a document: its root element, in S3's namespace, and its fields.
pub(crate) fn answer<T: Serialize>(root: &str, fields: &T) -> Vec<u8> {
    let mut document = document(root, fields);
    let after_root = DECLARATION.len() + "<".len() + root.len();
    document.insert_str(after_root, &format!(" xmlns=\"{NAMESPACE}\""));
    document.into_bytes()
}

/// An error as a document, which has no namespace.
pub(crate) fn error<T: Serialize>(fields: &T) -> Vec<u8> {
    document("Error", fields).into_bytes()
}

fn document<T: Serialize>(root: &str, fields: &T) -> String {
    let mut out = DECLARATION.to_owned();
    let mut text = Text(&mut out);
    let mut serializer = Serializer::with_root(&mut text, Some(root))
        .expect("the roots of answers are names of elements");
    serializer
        .expand_empty_elements(true)
        .set_quote_level(QuoteLevel::Full);
    fields
        .serialize(serializer)
        .expect("answers are made of elements and text, and a String takes them");
    out
}

/// The first character that XML 1.0 cannot represent, not even as a reference.
pub(crate) fn unrepresentable(text: &str) -> Option<char> {
    text.chars().find(|c| !is_char(*c))
}

/// `Char` of XML 1.0, 2.2. A `char` is never a surrogate.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Escapes control characters, which the serializer does not escape. Only text can contain them; names never do.
struct Text<'a>(&'a mut String);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if is_plain(text) {
            self.0.push_str(text);
            return Ok(());
        }
        for c in text.chars() {
            if !is_char(c) {
                self.0.push('\u{fffd}');
            } else if c.is_control() {
                // A parser would turn a plain line end into another one.
                write!(self.0, "&#x{:x};", u32::from(c))?;
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

/// Whether it is ASCII without control characters. Looks at every byte without a branch, which compilers turn into vector
/// code: the serializer hands over a whole page at once.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .fold(true, |all, byte| all & matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Fields<'a> {
        key: &'a str,
        size: u64,
        is_truncated: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        marker: Option<&'a str>,
        prefix: &'a str,
        part: Vec<Part>,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Part {
        part_number: u16,
    }

    fn written(fields: &Fields<'_>) -> String {
        String::from_utf8(answer("R", fields)).expect("XML is UTF-8")
    }

    #[test]
    fn text_is_escaped_and_control_characters_are_references() {
        let text = written(&Fields {
            key: " a<&>\"'\u{1}\r\nä\u{7f}\u{ffff} ",
            size: 7,
            is_truncated: false,
            marker: None,
            prefix: "",
            part: vec![Part { part_number: 1 }, Part { part_number: 2 }],
        });
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Key> a&lt;&amp;&gt;&quot;&apos;\u{fffd}&#13;&#xa;ä&#x7f;\u{fffd} </Key><Size>7</Size><IsTruncated>false</IsTruncated>\
             <Prefix></Prefix><Part><PartNumber>1</PartNumber></Part><Part><PartNumber>2</PartNumber></Part></R>"
        );
    }

    /// Every code point, alone: the text between the tags is a character or a reference that XML 1.0 allows.
    #[test]
    fn every_code_point_gives_well_formed_text() {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Key<'a> {
            key: &'a str,
        }
        for c in '\0'..=char::MAX {
            let key = c.to_string();
            let document = String::from_utf8(answer("R", &Key { key: &key })).expect("UTF-8");
            let (_, inside) = document.split_once("<Key>").expect("an element");
            let (inside, _) = inside.split_once("</Key>").expect("an element");
            let shown = match inside.strip_prefix('&').and_then(|r| r.strip_suffix(';')) {
                None => inside.to_owned(),
                Some(reference) => match reference.strip_prefix('#') {
                    None => reference
                        .replace("lt", "<")
                        .replace("gt", ">")
                        .replace("amp", "&")
                        .replace("quot", "\"")
                        .replace("apos", "'"),
                    Some(number) => {
                        let code = match number.strip_prefix('x') {
                            Some(hex) => u32::from_str_radix(hex, 16),
                            None => number.parse(),
                        };
                        let code = code.expect("a number");
                        char::from_u32(code).expect("a character").to_string()
                    }
                },
            };
            assert_eq!(
                unrepresentable(&shown),
                None,
                "{c:?} is written as {inside:?}"
            );
            let exact = unrepresentable(&key).is_none();
            assert_eq!(shown == key, exact, "{c:?} is written as {inside:?}");
        }
    }

    #[test]
    fn an_answer_without_fields_has_its_root() {
        #[derive(Serialize)]
        struct Nothing {}
        let text = String::from_utf8(answer("R", &Nothing {})).expect("XML is UTF-8");
        let root = "<R xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></R>";
        assert!(text.ends_with(root), "{text}");
    }
}
