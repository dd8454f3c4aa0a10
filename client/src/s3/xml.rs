//! Parses the XML of S3 answers into a small tree, and writes the documents that the client sends.
//!
//! Servers are not trusted: depth, element count and (through the callers' read limits) bytes are bounded. Document types are
//! refused. Only XML's five predefined entities and character references are resolved, so nothing can expand. Attributes and
//! namespaces are ignored, because S3 clients do not need them.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;

use super::multipart::PartTag;

/// S3's answers have four levels (result, version, owner, id).
const DEPTH_MAX: usize = 16;
/// A page of 1,000 objects has about 10,000 elements; ten times that is not a listing.
const ELEMENTS_MAX: usize = 100_000;

/// Why bytes are not XML from an S3 server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum XmlError {
    #[error("not UTF-8 at byte {offset}")]
    Utf8 { offset: usize },
    #[error("XML syntax at byte {offset}: {reason}")]
    Syntax { offset: u64, reason: String },
    #[error("document type at byte {offset}")]
    DocumentType { offset: u64 },
    #[error("unknown entity at byte {offset}")]
    Entity { offset: u64 },
    #[error("nested deeper than {DEPTH_MAX} at byte {offset}")]
    TooDeep { offset: u64 },
    #[error("more than {ELEMENTS_MAX} elements at byte {offset}")]
    TooMany { offset: u64 },
    #[error("the document ends at byte {offset} with an open element or without any")]
    Truncated { offset: u64 },
    #[error("a second root element at byte {offset}")]
    SecondRoot { offset: u64 },
}

/// An element: local name, text, children in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// Parses a complete document.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(bytes).map_err(|error| XmlError::Utf8 {
            offset: error.valid_up_to(),
        })?;
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        let mut tree = Tree::default();
        loop {
            let offset = reader.buffer_position();
            let event = reader.read_event().map_err(|error| XmlError::Syntax {
                offset,
                reason: error.to_string(),
            })?;
            match event {
                Event::Start(start) => tree.open(start.local_name().as_ref(), offset)?,
                Event::Empty(start) => {
                    tree.open(start.local_name().as_ref(), offset)?;
                    tree.close(offset)?;
                }
                Event::End(_) => tree.close(offset)?,
                Event::Text(text) => tree.text(&text.xml10_content()),
                Event::CData(text) => tree.text(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let unknown = XmlError::Entity { offset };
                    match reference.resolve_char_ref() {
                        Ok(Some(character)) => tree.text(character.encode_utf8(&mut [0; 4])),
                        Ok(None) => tree.text(own_entity(&reference).ok_or(unknown)?),
                        Err(_) => return Err(unknown),
                    }
                }
                Event::DocType(_) => return Err(XmlError::DocumentType { offset }),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => return tree.finish(offset),
            }
        }
    }

    /// The text of the first child of that name.
    pub(super) fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of that name.
    pub(super) fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// The tree under construction.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Tree {
    fn open(&mut self, name: &str, offset: u64) -> Result<(), XmlError> {
        if self.root.is_some() {
            return Err(XmlError::SecondRoot { offset });
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(XmlError::TooDeep { offset });
        }
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err(XmlError::TooMany { offset });
        }
        self.open.push(Element {
            name: name.to_owned(),
            ..Element::default()
        });
        Ok(())
    }

    fn close(&mut self, offset: u64) -> Result<(), XmlError> {
        let mut done = self.open.pop().ok_or(XmlError::Truncated { offset })?;
        // White space between children is layout; the text of a leaf is data, including white space.
        if !done.children.is_empty() {
            done.text.clear();
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(done),
            None => self.root = Some(done),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(text);
        }
    }

    fn finish(self, offset: u64) -> Result<Element, XmlError> {
        self.root
            .filter(|_| self.open.is_empty())
            .ok_or(XmlError::Truncated { offset })
    }
}

/// XML's five predefined entities.
fn own_entity(name: &str) -> Option<&'static str> {
    match name {
        "amp" => Some("&"),
        "lt" => Some("<"),
        "gt" => Some(">"),
        "quot" => Some("\""),
        "apos" => Some("'"),
        _ => None,
    }
}

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// The body of CompleteMultipartUpload, with the parts in the given order.
pub(super) fn complete_document(parts: &[PartTag]) -> String {
    use std::fmt::Write as _;
    let mut document = format!("<CompleteMultipartUpload xmlns=\"{NAMESPACE}\">");
    for part in parts {
        write!(
            document,
            "<Part><PartNumber>{}</PartNumber><ETag>\"{}\"</ETag><ChecksumCRC32>{}</ChecksumCRC32></Part>",
            part.number(),
            escape(part.etag()),
            part.crc32_base64(),
        )
        .expect("writing to a String cannot fail");
    }
    document.push_str("</CompleteMultipartUpload>");
    document
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn text_entities_cdata_and_namespaces_are_read() {
        let xml = b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<a:Root xmlns:a=\"x\"> <Key>a&amp;b&#x41;<![CDATA[<c>]]> d</Key><E/> </a:Root>\n";
        let root = Element::parse(xml).expect("well-formed");
        assert_eq!(root.name, "Root");
        assert_eq!(root.child_text("Key"), Some("a&bA<c> d"));
        assert_eq!(root.child_text("E"), Some(""));
        assert_eq!(root.children_named("Key").count(), 1);
    }

    #[test]
    fn hostile_documents_are_refused_with_their_place() {
        let deep = "<a>".repeat(100_000);
        let wide = format!("<a>{}</a>", "<b/>".repeat(200_000));
        let bomb = "<!DOCTYPE a [<!ENTITY x \"yyyyyyyy\">]><a>&x;</a>";
        assert!(matches!(
            Element::parse(deep.as_bytes()),
            Err(XmlError::TooDeep { offset: 48 })
        ));
        assert!(matches!(
            Element::parse(wide.as_bytes()),
            Err(XmlError::TooMany { .. })
        ));
        assert_eq!(
            Element::parse(bomb.as_bytes()),
            Err(XmlError::DocumentType { offset: 0 })
        );
        assert_eq!(
            Element::parse(b"<a>&x;</a>"),
            Err(XmlError::Entity { offset: 3 })
        );
        assert!(matches!(
            Element::parse(b"<a>&#0;</a>"),
            Err(XmlError::Entity { .. })
        ));
        assert!(matches!(
            Element::parse(b"<a/><b/>"),
            Err(XmlError::SecondRoot { .. })
        ));
        assert_eq!(
            Element::parse(b"<a>\xff</a>"),
            Err(XmlError::Utf8 { offset: 3 })
        );
        for text in [
            "",
            "hello",
            "<a>",
            "<a",
            "</a>",
            "<a></b>",
            "<a><b></a></b>",
        ] {
            assert!(Element::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_hostile_etag_cannot_break_out_of_the_document() {
        let part = PartTag::new(1, "x</ETag><Evil>".to_owned(), 7);
        let root = Element::parse(complete_document(&[part]).as_bytes()).expect("well-formed");
        let part = root.child("Part").expect("one part");
        assert_eq!(part.child_text("ETag"), Some("\"x</ETag><Evil>\""));
        assert_eq!(part.child_text("ChecksumCRC32"), Some("AAAABw=="));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_tree_or_an_error(bytes in any::<Vec<u8>>()) {
            let _outcome = Element::parse(&bytes);
        }

        #[test]
        fn any_markup_gives_a_tree_or_an_error(text in "[<>/&;#a!?\\[\\]\" -]{0,60}") {
            let _outcome = Element::parse(text.as_bytes());
        }
    }
}
