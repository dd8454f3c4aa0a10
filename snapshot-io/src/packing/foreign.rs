//! Files that people have instead of a snapshot: archives, other compressions, encrypted files, other files of etcd.
//!
//! Owns: how each is recognized, its name for messages and the command that unpacks it.

use std::fmt;

use super::Compression;

/// A known format that is not a snapshot, or not one that can be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsupportedFormat {
    /// tar.
    Tar,
    /// zip, as written by k3s and RKE.
    Zip,
    /// 7-Zip.
    SevenZip,
    /// RAR.
    Rar,
    /// xz.
    Xz,
    /// lzip.
    Lzip,
    /// bzip2.
    Bzip2,
    /// LZ4 frames.
    Lz4,
    /// lzop.
    Lzop,
    /// Snappy frames.
    Snappy,
    /// Unix `compress`.
    Compress,
    /// Encrypted with age, as by talos-backup.
    Age,
    /// Encrypted with PGP, in ASCII armor.
    Pgp,
    /// Encrypted with `openssl enc`.
    OpenSsl,
    /// A bolt database, or a compressed one, in Base64.
    Base64,
    /// A delta snapshot of etcdbrctl.
    Delta,
    /// A segment of etcd's write-ahead log.
    WriteAheadLog,
    /// A SQLite database.
    Sqlite,
    /// An HTML or XML page.
    Markup,
    /// A JSON document.
    Json,
    /// Compressed a second time, with a compression that is supported.
    Compressed(Compression),
}

/// The end of the magic number in a tar header.
pub(super) const TAR_MAGIC_END: usize = TAR_MAGIC_AT + TAR_MAGIC.len();
const TAR_MAGIC_AT: usize = 257;
const TAR_MAGIC: &[u8] = b"ustar";

/// First bytes and what they mean, the most specific first.
const STARTS: [(&[u8], UnsupportedFormat); 27] = [
    (b"PK\x03\x04", UnsupportedFormat::Zip),
    (b"PK\x05\x06", UnsupportedFormat::Zip),
    (b"7z\xbc\xaf\x27\x1c", UnsupportedFormat::SevenZip),
    (b"Rar!\x1a\x07", UnsupportedFormat::Rar),
    (b"\xfd7zXZ\x00", UnsupportedFormat::Xz),
    (b"LZIP", UnsupportedFormat::Lzip),
    (b"BZh", UnsupportedFormat::Bzip2),
    (b"\x04\x22\x4d\x18", UnsupportedFormat::Lz4),
    (b"\x02\x21\x4c\x18", UnsupportedFormat::Lz4),
    (b"\x89LZO\x00", UnsupportedFormat::Lzop),
    (b"\xff\x06\x00\x00sNaPpY", UnsupportedFormat::Snappy),
    (b"\x1f\x9d", UnsupportedFormat::Compress),
    (b"age-encryption.org", UnsupportedFormat::Age),
    (b"-----BEGIN AGE ENCRYPTED FILE", UnsupportedFormat::Age),
    (b"-----BEGIN PGP MESSAGE", UnsupportedFormat::Pgp),
    (b"Salted__", UnsupportedFormat::OpenSsl),
    // Eight zero bytes, gzip and zstd, in Base64.
    (b"AAAAAAAAAAAE", UnsupportedFormat::Base64),
    (b"H4sI", UnsupportedFormat::Base64),
    (b"KLUv/", UnsupportedFormat::Base64),
    (b"[{\"etcdEvent\"", UnsupportedFormat::Delta),
    // The length of the first record (4, with 4 bytes of padding) and its type, a checksum of 0.
    (
        b"\x04\0\0\0\0\0\0\x84\x08\x04\x10",
        UnsupportedFormat::WriteAheadLog,
    ),
    (b"SQLite format 3\0", UnsupportedFormat::Sqlite),
    (b"<!", UnsupportedFormat::Markup),
    (b"<?xml", UnsupportedFormat::Markup),
    (b"<html", UnsupportedFormat::Markup),
    (b"<HTML", UnsupportedFormat::Markup),
    (b"{\"", UnsupportedFormat::Json),
];

/// The format of a file with these first bytes, if it is a known one.
pub(super) fn of(first: &[u8]) -> Option<UnsupportedFormat> {
    let by_start = STARTS.iter().find(|(start, _)| first.starts_with(start));
    let tar = || {
        let magic = first.get(TAR_MAGIC_AT..TAR_MAGIC_END);
        (magic == Some(TAR_MAGIC)).then_some(UnsupportedFormat::Tar)
    };
    by_start.map(|(_, format)| *format).or_else(tar)
}

impl fmt::Display for UnsupportedFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Tar => "a tar archive",
            Self::Zip => "a zip archive",
            Self::SevenZip => "a 7-Zip archive",
            Self::Rar => "a RAR archive",
            Self::Xz => "compressed with xz",
            Self::Lzip => "compressed with lzip",
            Self::Bzip2 => "compressed with bzip2",
            Self::Lz4 => "compressed with lz4",
            Self::Lzop => "compressed with lzop",
            Self::Snappy => "compressed with Snappy",
            Self::Compress => "compressed with Unix compress",
            Self::Age => "encrypted with age",
            Self::Pgp => "encrypted with PGP",
            Self::OpenSsl => "encrypted with openssl enc",
            Self::Base64 => "encoded as Base64",
            Self::Delta => {
                "a delta snapshot of etcdbrctl, which holds only the changes since a full one"
            }
            Self::WriteAheadLog => "a write-ahead log of etcd (a .wal file), which is no snapshot",
            Self::Sqlite => "a SQLite database, as k3s has in place of etcd's",
            Self::Markup => {
                "an HTML or XML page, perhaps the answer of a proxy or an error of a store"
            }
            Self::Json => "a JSON document",
            Self::Compressed(packing) => return write!(out, "compressed with {packing}"),
        })
    }
}

/// A file of a known format that cannot be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignFile {
    /// What is in it.
    pub format: UnsupportedFormat,
    /// The compression around that, which was unpacked to see it.
    pub inside: Compression,
}

impl fmt::Display for ForeignFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.format)?;
        match self.inside {
            Compression::None => Ok(()),
            packing => write!(out, ", inside {packing}"),
        }
    }
}

impl ForeignFile {
    /// The shell command for a file `name` that leads to a snapshot, if there is one.
    pub fn command(&self, name: &str) -> Option<String> {
        match (self.inside, self.format) {
            (Compression::None, format) => format.command(name),
            // tar itself finds out how its archive is compressed.
            (Compression::Gzip | Compression::Zstd, UnsupportedFormat::Tar) => {
                self.format.command(name)
            }
            (Compression::Gzip, _) => Some(format!("gzip -dc <{name} >{name}.unpacked")),
            (Compression::Zlib, _) => {
                Some(format!("zlib-flate -uncompress <{name} >{name}.unpacked"))
            }
            (Compression::Zstd, _) => Some(format!("zstd -dc <{name} >{name}.unpacked")),
            (Compression::Lzw, _) => None,
        }
    }
}

impl UnsupportedFormat {
    fn command(self, name: &str) -> Option<String> {
        let program = match self {
            Self::Tar => return Some(format!("tar -xvf {name}")),
            Self::SevenZip => return Some(format!("7z x {name}")),
            Self::Rar => return Some(format!("unrar x {name}")),
            Self::Age => return Some(format!("age -d -i KEY-FILE -o snapshot.db {name}")),
            Self::Pgp => return Some(format!("gpg -d -o snapshot.db {name}")),
            Self::OpenSsl => {
                return Some(format!(
                    "openssl enc -d -CIPHER -pbkdf2 -in {name} -out snapshot.db"
                ));
            }
            Self::Zip => "unzip -p",
            Self::Xz => "xz -dc",
            Self::Lzip => "lzip -dc",
            Self::Bzip2 => "bzip2 -dc",
            Self::Lz4 => "lz4 -dc",
            Self::Lzop => "lzop -dc",
            Self::Snappy => "snzip -dc",
            Self::Compress => "uncompress -c",
            Self::Base64 => "base64 -d",
            Self::Compressed(_)
            | Self::Delta
            | Self::WriteAheadLog
            | Self::Sqlite
            | Self::Markup
            | Self::Json => return None,
        };
        Some(format!("{program} {name} >snapshot.db"))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Kind, *};

    /// The first bytes as the programs write them, from files made with each.
    #[test]
    fn each_format_is_recognized_and_has_a_command() {
        let tar = [&[b'a'; TAR_MAGIC_AT][..], b"ustar\x0000"].concat();
        let cases: [(&[u8], &str, Option<&str>); 18] = [
            (&tar, "a tar archive", Some("tar -xvf IN")),
            (
                b"PK\x03\x04\x14\0",
                "a zip archive",
                Some("unzip -p IN >snapshot.db"),
            ),
            (
                b"7z\xbc\xaf\x27\x1c\0\x04",
                "a 7-Zip archive",
                Some("7z x IN"),
            ),
            (
                b"\xfd7zXZ\0\0\x04",
                "compressed with xz",
                Some("xz -dc IN >snapshot.db"),
            ),
            (
                b"BZh91AY&SY",
                "compressed with bzip2",
                Some("bzip2 -dc IN >snapshot.db"),
            ),
            (
                b"\x04\x22\x4d\x18\x64\x40",
                "compressed with lz4",
                Some("lz4 -dc IN >snapshot.db"),
            ),
            (
                b"\x89LZO\0\r\n\x1a\n",
                "compressed with lzop",
                Some("lzop -dc IN >snapshot.db"),
            ),
            (
                b"\x1f\x9d\x90",
                "compressed with Unix compress",
                Some("uncompress -c IN >snapshot.db"),
            ),
            (
                b"age-encryption.org/v1\n",
                "encrypted with age",
                Some("age -d -i KEY-FILE -o snapshot.db IN"),
            ),
            (
                b"Salted__\xd8\x1d",
                "encrypted with openssl enc",
                Some("openssl enc -d "),
            ),
            (
                b"-----BEGIN PGP MESSAGE-----\n",
                "encrypted with PGP",
                Some("gpg -d "),
            ),
            (
                b"AAAAAAAAAAAEAAAAAAAAAO3aDO0C",
                "encoded as Base64",
                Some("base64 -d "),
            ),
            (b"H4sIAAAAAAAAA", "encoded as Base64", Some("base64 -d ")),
            (
                b"[{\"etcdEvent\":{\"kv\"",
                "a delta snapshot of etcdbrctl",
                None,
            ),
            (
                b"\x04\0\0\0\0\0\0\x84\x08\x04\x10\0\0\0\0\0",
                "a write-ahead log of etcd",
                None,
            ),
            (b"SQLite format 3\0", "a SQLite database", None),
            (b"<!DOCTYPE html>", "an HTML or XML page", None),
            (b"{\"error\":\"denied\"}", "a JSON document", None),
        ];
        for (first, words, command) in cases {
            let Kind::Foreign(format) = Kind::of(first, "") else {
                panic!("{} is not recognized", first.escape_ascii());
            };
            assert!(format.to_string().starts_with(words), "{format}");
            let inside = Compression::None;
            let file = ForeignFile { format, inside };
            match (file.command("IN"), command) {
                (Some(found), Some(expected)) => assert!(found.starts_with(expected), "{found}"),
                (found, expected) => assert_eq!(found.as_deref(), expected),
            }
        }
    }
}
