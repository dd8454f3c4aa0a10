//! A bounded reader of small XML documents: children by name, text of leaves.
//!
//! Knows no element by name. Every error is S3's `MalformedXML`, with its position.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

use crate::s3::error::{S3Error, S3ErrorCode};

/// Maximum nesting: the deepest known document is CompleteMultipartUpload/Part/ETag; the rest is for elements to skip.
const DEPTH_MAX: usize = 16;

/// Maximum number of elements: 10,000 parts of up to 9 elements, and a few around them.
const ELEMENTS_MAX: usize = 100_000;

/// A cursor over a document.
#[derive(Debug)]
pub(crate) struct XmlReader<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
    elements: usize,
}

/// What comes next inside an element.
enum Node {
    Open(String),
    Text(String),
    Close,
}

impl<'a> XmlReader<'a> {
    /// Enters the root element, which must be `root`.
    ///
    /// # Errors
    /// `MalformedXML` when the body is not UTF-8, not XML, or has another root.
    pub(crate) fn open(body: &'a [u8], root: &str) -> Result<XmlReader<'a>, S3Error> {
        let text = std::str::from_utf8(body)
            .map_err(|error| malformed(error.valid_up_to(), "not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let mut xml = XmlReader {
            reader,
            depth: 0,
            elements: 0,
        };
        loop {
            match xml.node()? {
                Node::Open(name) if name == root => return Ok(xml),
                Node::Text(text) if text.trim().is_empty() => {}
                _ => return Err(xml.error("an unexpected root element")),
            }
        }
    }

    /// Enters the next child of the current element; after the last child, leaves the element and returns `None`.
    pub(crate) fn child(&mut self) -> Result<Option<String>, S3Error> {
        loop {
            match self.node()? {
                Node::Open(name) => return Ok(Some(name)),
                Node::Close => return Ok(None),
                Node::Text(text) if text.trim().is_empty() => {}
                Node::Text(_) => return Err(self.error("text between elements")),
            }
        }
    }

    /// The text of the current element. Leaves the element.
    pub(crate) fn text(&mut self) -> Result<String, S3Error> {
        let mut all = String::new();
        loop {
            match self.node()? {
                Node::Text(text) => all.push_str(&text),
                Node::Close => return Ok(all),
                Node::Open(_) => return Err(self.error("an element where text belongs")),
            }
        }
    }

    /// Leaves the current element, whatever it contains.
    pub(crate) fn skip(&mut self) -> Result<(), S3Error> {
        let outside = self.depth - 1;
        while self.depth > outside {
            self.node()?;
        }
        Ok(())
    }

    /// Checks that nothing follows the root element.
    pub(crate) fn end(mut self) -> Result<(), S3Error> {
        loop {
            match self.reader.read_event() {
                Ok(Event::Eof) => return Ok(()),
                Ok(Event::Comment(_) | Event::PI(_)) => {}
                Ok(Event::Text(text)) if text.trim().is_empty() => {}
                _ => return Err(self.error("content after the root element")),
            }
        }
    }

    fn node(&mut self) -> Result<Node, S3Error> {
        loop {
            let event = self
                .reader
                .read_event()
                .map_err(|_| self.error("not well-formed"))?;
            match event {
                Event::Start(start) => {
                    self.depth += 1;
                    self.elements += 1;
                    if self.depth > DEPTH_MAX || self.elements > ELEMENTS_MAX {
                        return Err(self.error("too deep or too many elements"));
                    }
                    return Ok(Node::Open(start.local_name().into_inner().to_owned()));
                }
                Event::End(_) => {
                    self.depth = self
                        .depth
                        .checked_sub(1)
                        .ok_or_else(|| self.error("an unmatched end"))?;
                    return Ok(Node::Close);
                }
                Event::Text(text) => return Ok(Node::Text(text.xml10_content().into_owned())),
                Event::CData(data) => return Ok(Node::Text(data.xml10_content().into_owned())),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(c)) => c.to_string(),
                        Ok(None) => resolve_xml_entity(&reference)
                            .ok_or_else(|| self.error("an entity that XML does not define"))?
                            .to_owned(),
                        Err(_) => return Err(self.error("an impossible character reference")),
                    };
                    return Ok(Node::Text(resolved));
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::DocType(_) => return Err(self.error("a document type definition")),
                Event::Eof => return Err(self.error("the document ends early")),
                Event::Empty(_) => return Err(self.error("an empty element that was not expanded")),
            }
        }
    }

    fn error(&self, what: &'static str) -> S3Error {
        malformed(
            usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX),
            what,
        )
    }
}

fn malformed(position: usize, what: &'static str) -> S3Error {
    S3Error::new(
        S3ErrorCode::MalformedXml,
        format!(
            "The XML you provided was not well-formed or did not validate: {what} at byte {position}."
        ),
    )
}

/// The error of a document that does not fit its schema.
pub(super) fn malformed_request(why: &'static str) -> S3Error {
    S3Error::new(
        S3ErrorCode::MalformedXml,
        format!(
            "The XML you provided was not well-formed or did not validate against our published schema: {why}."
        ),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, proptest};

    use super::*;

    fn leaf(body: &str) -> Result<String, S3Error> {
        let mut xml = XmlReader::open(body.as_bytes(), "R")?;
        let mut text = String::new();
        while let Some(name) = xml.child()? {
            match name.as_str() {
                "T" => text = xml.text()?,
                _ => xml.skip()?,
            }
        }
        xml.end()?;
        Ok(text)
    }

    #[test]
    fn children_are_read_and_unknown_ones_skipped() {
        let body = "\u{feff}<?xml version=\"1.0\"?>\n<R xmlns=\"x\"><!-- c --><U><T>no</T><V/></U> <p:T>a&amp;b&#x1;<![CDATA[<c>]]></p:T></R>\n";
        assert_eq!(leaf(body).expect("well-formed"), "a&b\u{1}<c>");
    }

    #[test]
    fn hostile_documents_are_malformed() {
        let deep = format!("<R>{}{}</R>", "<a>".repeat(20), "</a>".repeat(20));
        let wide = format!("<R>{}</R>", "<a/>".repeat(ELEMENTS_MAX + 1));
        let bad = [
            "",
            "<R>",
            "<S/>",
            "<R><T>1</R>",
            "<R><T>&lol;</T></R>",
            "<R><T>&#0;</T></R>",
            "<R>text</R>",
            "<R><T><U/></T></R>",
            "<R/><R/>",
            "<!DOCTYPE R><R/>",
            "<!DOCTYPE R [<!ENTITY lol \"lol\">]><R><T>&lol;</T></R>",
            deep.as_str(),
            wide.as_str(),
        ];
        for body in bad {
            let error = leaf(body).expect_err(body);
            assert_eq!(error.code(), S3ErrorCode::MalformedXml);
        }
        let error = XmlReader::open(b"<R>\xff</R>", "R").expect_err("not UTF-8");
        assert_eq!(error.code(), S3ErrorCode::MalformedXml);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
        #[test]
        fn any_bytes_give_a_text_or_an_error(body in any::<Vec<u8>>()) {
            let _ = leaf(&format!("<R><T>{}</T></R>", String::from_utf8_lossy(&body)));
            let _ = XmlReader::open(&body, "R");
        }
    }
}
