//! The object names of etcd-backup-restore. The key contains everything that it records about a snapshot.
//!
//! Owns: `<prefix>/v2/<Full|Incr>-<start>-<last>-<unix>[.gz|.zlib|.Z|...][.final]`. Must not know stores. Source:
//! etcd-backup-restore `pkg/types/snapstore.go` and `pkg/snapstore/utils.go`.
//!
//! | part | content |
//! |---|---|
//! | `Full`, `Incr` | a complete database, or the events since the previous snapshot |
//! | start, last | revisions, at least 8 digits; a full one starts at 0 |
//! | unix | start time, in seconds since 1970 |
//! | `.gz` and the like | the compression |
//! | `.final` | the last one before a shutdown |
//!
//! ```
//! use strongroom_etcd_format::name::SnapshotName;
//!
//! let name = SnapshotName::parse("prod/v2/Full-00000000-00000060-1690000000.gz").expect("it is one");
//! assert_eq!((name.last_revision, name.suffix.as_deref()), (60, Some(".gz")));
//! ```

use std::fmt;

/// The folder between prefix and name in the current layout.
pub const LAYOUT: &str = "v2";

const FINAL_SUFFIX: &str = ".final";

/// A parsed snapshot name. Displays as the last part of the object's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotName {
    /// Full or incremental.
    pub kind: Kind,
    /// The first revision in it; 0 for a full one.
    pub start_revision: i64,
    /// The last revision in it.
    pub last_revision: i64,
    /// Its start time, in seconds since 1970.
    pub created_unix: i64,
    /// The compression's suffix with its dot, such as `.gz`.
    pub suffix: Option<String>,
    /// Whether it is the last one before a shutdown.
    pub is_final: bool,
}

/// Full or incremental.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A complete database.
    Full,
    /// Events since the previous snapshot.
    Incr,
}

impl SnapshotName {
    /// The name of an uncompressed full snapshot.
    pub fn full(revision: i64, created_unix: i64) -> Self {
        let (kind, start_revision, last_revision) = (Kind::Full, 0, revision);
        Self {
            kind,
            start_revision,
            last_revision,
            created_unix,
            suffix: None,
            is_final: false,
        }
    }

    /// The object's key under a prefix, which may be empty.
    pub fn key_under(&self, prefix: &str) -> String {
        match prefix.trim_end_matches('/') {
            "" => format!("{LAYOUT}/{self}"),
            prefix => format!("{prefix}/{LAYOUT}/{self}"),
        }
    }

    /// Parses the last part of an object's key. `None` for objects with other names.
    pub fn parse(key: &str) -> Option<Self> {
        let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
        let (name, is_final) = match name.strip_suffix(FINAL_SUFFIX) {
            Some(rest) => (rest, true),
            None => (name, false),
        };
        let (stem, suffix) = match name.split_once('.') {
            Some((stem, suffix)) if !suffix.is_empty() => (stem, Some(format!(".{suffix}"))),
            Some(_) => return None,
            None => (name, None),
        };
        let mut parts = stem.split('-');
        let kind = match parts.next()? {
            "Full" => Kind::Full,
            "Incr" => Kind::Incr,
            _ => return None,
        };
        let (start_revision, last_revision) = (number(parts.next()?)?, number(parts.next()?)?);
        let created_unix = number(parts.next()?)?;
        if parts.next().is_some() || start_revision > last_revision {
            return None;
        }
        Some(Self {
            kind,
            start_revision,
            last_revision,
            created_unix,
            suffix,
            is_final,
        })
    }
}

/// Digits only: `parse` alone would accept a sign.
fn number(text: &str) -> Option<i64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            start_revision,
            last_revision,
            created_unix,
            suffix,
            is_final,
        } = self;
        write!(
            out,
            "{kind}-{start_revision:08}-{last_revision:08}-{created_unix}"
        )?;
        out.write_str(suffix.as_deref().unwrap_or_default())?;
        out.write_str(if *is_final { FINAL_SUFFIX } else { "" })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Full => "Full",
            Self::Incr => "Incr",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_round_trip() {
        let names = [
            "Full-00000000-00000060-1690000000",
            "Full-00000000-00000060-1690000000.gz",
            "Incr-00000061-123456789-1690000300.zlib",
            "Incr-00000061-00000061-1690000300",
            "Full-00000000-00000060-1690000000.Z.final",
            "Full-00000000-00000060-1690000000.final",
        ];
        for name in names {
            let parsed = SnapshotName::parse(&format!("shoot--x/etcd-main/v2/{name}"))
                .expect("the name is right");
            assert_eq!(parsed.to_string(), name);
            assert_eq!(parsed.is_final, name.contains("final"), "{name}");
        }
        let full = SnapshotName::full(60, 1_690_000_000);
        assert_eq!(
            full.key_under("a/b/"),
            "a/b/v2/Full-00000000-00000060-1690000000"
        );
        assert_eq!(full.key_under(""), "v2/Full-00000000-00000060-1690000000");
        assert_eq!(
            SnapshotName::parse("v2/Full-00000000-00000060-1690000000"),
            Some(full)
        );
    }

    #[test]
    fn other_names_are_none_of_ours() {
        let others = [
            "",
            "Full",
            "Full-1-2",
            "Full-00000000-00000060-+5",
            "Full-00000000--0000060-5",
            "Full-00000000-00000060-5-6",
            "Full-00000000-00000060-5.",
            "Half-00000000-00000060-5",
            "Incr-00000061-00000060-5",
            "Full-00000000-99999999999999999999-5",
            "v2/Full-00000000-00000060-5/0000000001",
        ];
        for name in others {
            assert_eq!(SnapshotName::parse(name), None, "{name}");
        }
    }
}
