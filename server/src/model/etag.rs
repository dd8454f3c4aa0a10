//! ETags: an MD5, or for multipart objects the MD5 of the parts' MD5s and their number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An object's ETag, without the quotes that HTTP puts around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ETag {
    /// The digest.
    pub md5: [u8; 16],
    /// The number of parts of a multipart object; 0 for an object put in one piece.
    pub parts: u16,
}

impl ETag {
    /// The ETag of a body put in one piece.
    pub fn whole(md5: [u8; 16]) -> ETag {
        ETag { md5, parts: 0 }
    }

    /// Reads the text form, with or without quotes.
    pub fn parse(text: &str) -> Option<ETag> {
        let text = text.trim();
        let text = text
            .strip_prefix('"')
            .and_then(|t| t.strip_suffix('"'))
            .unwrap_or(text);
        let (digest, parts) = match text.split_once('-') {
            Some((digest, parts)) => (digest, parts.parse::<u16>().ok()?),
            None => (text, 0),
        };
        let mut md5 = [0; 16];
        hex::decode_to_slice(digest, &mut md5).ok()?;
        Some(ETag { md5, parts })
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        hex::encode_to_slice(self.md5, &mut digits).expect("two digits a byte");
        f.write_str(std::str::from_utf8(&digits).expect("digits are ASCII"))?;
        match self.parts {
            0 => Ok(()),
            parts => write!(f, "-{parts}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for etag in [
            ETag::whole([7; 16]),
            ETag {
                md5: [0xab; 16],
                parts: 10_000,
            },
        ] {
            assert_eq!(ETag::parse(&etag.to_string()), Some(etag));
            assert_eq!(ETag::parse(&format!("\"{etag}\"")), Some(etag));
        }
        assert_eq!(ETag::parse("xyz"), None);
        assert_eq!(ETag::parse(""), None);
    }
}
