//! Writing XML: elements and escaped text, nothing else.
//!
//! Object keys may hold characters XML 1.0 has no way to write; like S3, they are written as character references, and
//! clients that meet them ask for `encoding-type=url` instead.

use std::fmt::{Display, Write as _};

/// The namespace of every S3 answer.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// An XML document under construction.
#[derive(Debug)]
pub(crate) struct XmlWriter {
    out: String,
}

impl XmlWriter {
    /// A document that holds its declaration only.
    pub(crate) fn document() -> XmlWriter {
        XmlWriter {
            out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"),
        }
    }

    /// Opens the root element of an answer, in S3's namespace.
    pub(crate) fn open_root(&mut self, name: &str) {
        self.write(format_args!("<{name} xmlns=\"{NAMESPACE}\">"));
    }

    /// Opens an element.
    pub(crate) fn open(&mut self, name: &str) {
        self.write(format_args!("<{name}>"));
    }

    /// Closes the element opened last under this name.
    pub(crate) fn close(&mut self, name: &str) {
        self.write(format_args!("</{name}>"));
    }

    /// An element that holds text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.open(name);
        escape_into(&mut self.out, text);
        self.close(name);
    }

    /// An element that holds a number or another value whose text needs no escaping.
    pub(crate) fn value(&mut self, name: &str, value: impl Display) {
        self.write(format_args!("<{name}>{value}</{name}>"));
    }

    /// The document.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.out
            .write_fmt(text)
            .expect("writing to a String does not fail");
    }
}

fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => {
                write!(out, "&#x{:x};", u32::from(c)).expect("writing to a String does not fail");
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_control_characters_are_references() {
        let mut xml = XmlWriter::document();
        xml.open_root("R");
        xml.text("Key", "a<&>\"'\u{1}\r\nä");
        xml.value("Size", 7);
        xml.close("R");
        let text = String::from_utf8(xml.finish()).expect("XML is UTF-8");
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Key>a&lt;&amp;&gt;&#34;&#39;&#x1;&#xd;&#xa;ä</Key><Size>7</Size></R>"
        );
    }
}
