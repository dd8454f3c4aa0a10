//! JSON text exactly as Go's `encoding/json` writes it.
//!
//! Owns: Go's string escaping (HTML-safe form). Must not know any document. etcd itself compares nothing byte for byte. But tests
//! compare our output with the official tool's, and restored members with each other.

use std::fmt::Write as _;

/// Appends `text` as a JSON string, quotes included, escaped like Go's `json.Marshal`.
pub(crate) fn put_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Go 1.22 and later use the short form of these two.
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(out, "\\u{:04x}", u32::from(character)).expect("a String takes any text");
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Appends `["a","b"]`.
pub(crate) fn put_string_array(out: &mut String, texts: &[String]) {
    out.push('[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        put_string(out, text);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_like_go() {
        let mut out = String::new();
        put_string(&mut out, "a\"\\\n\r\t\u{1}\u{8}\u{c}<>&\u{2028}\u{2029}é/");
        assert_eq!(
            out,
            r#""a\"\\\n\r\t\u0001\b\f\u003c\u003e\u0026\u2028\u2029é/""#
        );
    }
}
