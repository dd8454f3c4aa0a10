//! Which store a directory belongs to: the identity file, the rows in Meta that must agree with it, and the epoch.
//!
//! The file is text, so that an operator can read it on any disk:
//!
//! ```text
//! strongroom store
//! format 2
//! id 00112233445566778899aabbccddeeff
//! state ready
//! check 0123456789abcdef
//! ```
//!
//! `check` is XXH3-64 of the lines before it. `state` is `creating` until Meta first holds its identity row, and
//! `ready` from then on: only a `creating` store may lack Meta. Only exactly these bytes are accepted.
//!
//! Rows (keys below 0x10 are the store's own): `01` identity: u8 1, store format u16 LE, store id 16 bytes. `02` epoch:
//! u8 1, u32 LE, incremented at each start before anything else is written.
//!
//! Opening a store for writing upgrades an older format to [`STORE_FORMAT`]: first its row, in the commit of the epoch,
//! then the file. A crash in between leaves a newer row and an older file; the next start finishes the upgrade. Once
//! the row is written, older programs refuse the store as newer.

use std::path::Path;

use bytes::{Buf, BufMut, Bytes};
use xxhash_rust::xxh3::xxh3_64;

use super::directory;
use crate::meta::{Condition, Meta, Outcome, Row, Txn, Write};
use crate::{Epoch, FormatVersion, StoreError, StoreId};

/// The identity file's name.
pub const IDENTITY_FILE: &str = "STRONGROOM";

/// Longest identity file that is read, in bytes; a real one has 107 bytes.
const FILE_BYTES_MAX: u64 = 4096;

/// The format of stores that this build writes, and the newest it reads. It increases with changes that older programs
/// must not touch:
///
/// 1. until version 0.1: manifests list segments alone;
/// 2. manifests list typed entries, writers of packs have rows of their own.
pub const STORE_FORMAT: FormatVersion = FormatVersion(2);

const IDENTITY_KEY: &[u8] = &[0x01];
const EPOCH_KEY: &[u8] = &[0x02];

/// First byte of both rows' values.
const ROW_VERSION: u8 = 1;

/// How far the creation of a store has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Meta may be missing or empty.
    Creating,
    /// Meta must be there.
    Ready,
}

/// The contents of the identity file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The store.
    pub id: StoreId,
    /// Its format.
    pub format: FormatVersion,
    /// How far its creation has come.
    pub stage: Stage,
}

impl Identity {
    /// The file's contents.
    pub fn encode(&self) -> String {
        let Identity { id, format, stage } = self;
        let state = match stage {
            Stage::Creating => "creating",
            Stage::Ready => "ready",
        };
        let lines = format!(
            "strongroom store\nformat {}\nid {id}\nstate {state}\n",
            format.0
        );
        format!("{lines}check {:016x}\n", xxh3_64(lines.as_bytes()))
    }

    /// Reads the file's contents.
    ///
    /// # Errors
    /// The part that is wrong, or [`Refusal::Newer`].
    pub fn decode(text: &[u8]) -> Result<Identity, Refusal> {
        let text = std::str::from_utf8(text).map_err(|_| Refusal::Damaged("not text"))?;
        let mut lines = text.lines();
        let mut field = |name| lines.next().and_then(|line| line.strip_prefix(name));
        if field("strongroom store") != Some("") {
            return Err(Refusal::Damaged("not an identity file"));
        }
        let format = field("format ").and_then(|number| number.parse().ok());
        let format = FormatVersion(format.ok_or(Refusal::Damaged("format"))?);
        let mut id = StoreId([0; 16]);
        let decoded = field("id ").map(|digits| hex::decode_to_slice(digits, &mut id.0));
        if !matches!(decoded, Some(Ok(()))) {
            return Err(Refusal::Damaged("store id"));
        }
        let stage = match field("state ") {
            Some("creating") => Stage::Creating,
            Some("ready") => Stage::Ready,
            _ => return Err(Refusal::Damaged("state")),
        };
        let identity = Identity { id, format, stage };
        // Only one spelling is valid, checksum included: any changed byte is detected.
        if identity.encode() != text {
            return Err(Refusal::Damaged("checksum"));
        }
        if format > STORE_FORMAT {
            return Err(Refusal::Newer(format));
        }
        Ok(identity)
    }

    /// The identity file of a data directory, if it has one.
    ///
    /// # Errors
    /// [`StoreError::IdentityDamaged`], [`StoreError::NewerFormat`], [`StoreError::Io`].
    pub fn read(dir: &Path) -> Result<Option<Identity>, StoreError> {
        let path = dir.join(IDENTITY_FILE);
        let damaged = |what| StoreError::IdentityDamaged {
            data: dir.to_owned(),
            path: path.clone(),
            what,
        };
        let text = match std::fs::metadata(&path) {
            Ok(stat) if stat.len() > FILE_BYTES_MAX => return Err(damaged("too long")),
            Ok(_) => std::fs::read(&path),
            Err(error) => Err(error),
        };
        match text {
            Ok(text) => match Identity::decode(&text) {
                Ok(identity) => Ok(Some(identity)),
                Err(Refusal::Damaged(what)) => Err(damaged(what)),
                Err(Refusal::Newer(found)) => Err(StoreError::NewerFormat {
                    what: "the data directory",
                    found,
                    newest: STORE_FORMAT,
                }),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io {
                op: "read",
                path,
                source,
            }),
        }
    }

    /// Writes the identity file, durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn write(&self, dir: &Path) -> Result<(), StoreError> {
        directory::replace_file(dir, IDENTITY_FILE, self.encode().as_bytes())
    }
}

/// Why an identity file is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// This part is wrong.
    Damaged(&'static str),
    /// Well formed, but of this newer format.
    Newer(FormatVersion),
}

/// The store's identity in Meta, before this process writes anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaIdentity {
    /// The store's id, unless Meta is new.
    pub id: Option<StoreId>,
    /// The epoch of the last process, zero when there was none.
    pub epoch: Epoch,
    format: Option<FormatVersion>,
    identity_row: Option<Row>,
    epoch_row: Option<Row>,
}

impl MetaIdentity {
    /// Reads the two rows.
    ///
    /// # Errors
    /// [`StoreError::DamagedRow`], [`StoreError::NewerFormat`] and what reading gives.
    pub fn read(meta: &dyn Meta) -> Result<MetaIdentity, StoreError> {
        let keys = [
            Bytes::from_static(IDENTITY_KEY),
            Bytes::from_static(EPOCH_KEY),
        ];
        let mut rows = meta.get_many(&keys)?.into_iter();
        let identity_row = rows.next().flatten();
        let identity = identity_row
            .as_ref()
            .map(|row| decode_identity(&row.value))
            .transpose()?;
        let epoch_row = rows.next().flatten();
        let epoch = epoch_row
            .as_ref()
            .map_or(Ok(Epoch(0)), |row| decode_epoch(&row.value))?;
        Ok(MetaIdentity {
            id: identity.map(|(_, id)| id),
            epoch,
            format: identity.map(|(format, _)| format),
            identity_row,
            epoch_row,
        })
    }

    /// Increments the epoch. When Meta is new or of an older format, also writes the store's id and format. Durable
    /// when it returns. Blocks.
    ///
    /// # Errors
    /// An error of the commit.
    pub fn claim(&self, meta: &dyn Meta, id: StoreId) -> Result<Epoch, StoreError> {
        let next = self
            .epoch
            .0
            .checked_add(1)
            .map(Epoch)
            .ok_or_else(|| damaged(EPOCH_KEY, "the epochs are used up"))?;
        let (identity_key, epoch_key) = (
            Bytes::from_static(IDENTITY_KEY),
            Bytes::from_static(EPOCH_KEY),
        );
        let unchanged = |key: &Bytes, row: &Option<Row>| match row {
            Some(row) => Condition::Same(key.clone(), row.version),
            None => Condition::Absent(key.clone()),
        };
        let mut txn = Txn {
            conditions: vec![
                unchanged(&identity_key, &self.identity_row),
                unchanged(&epoch_key, &self.epoch_row),
            ],
            writes: vec![Write::Put(epoch_key, encode_epoch(next))],
        };
        // ORDER: in the commit of the epoch, so before anything of the newer format can be written.
        if self.format.is_none_or(|format| format < STORE_FORMAT) {
            let identity = encode_identity(STORE_FORMAT, id);
            txn.writes.push(Write::Put(identity_key, identity));
        }
        match meta.commit(txn).wait_blocking()? {
            Outcome::Done(_) => Ok(next),
            // Nobody else uses the directory: the lock is held.
            Outcome::Conflict(_) => Err(damaged(
                EPOCH_KEY,
                "changed while the store was being opened",
            )),
        }
    }
}

fn encode_identity(format: FormatVersion, id: StoreId) -> Bytes {
    let mut out = Vec::with_capacity(19);
    out.put_u8(ROW_VERSION);
    out.put_u16_le(format.0);
    out.put_slice(&id.0);
    Bytes::from(out)
}

fn decode_identity(value: &[u8]) -> Result<(FormatVersion, StoreId), StoreError> {
    let Some((&[row_version, low, high], id)) = value.split_first_chunk::<3>() else {
        return Err(damaged(IDENTITY_KEY, "cut off"));
    };
    known(IDENTITY_KEY, row_version)?;
    let format = FormatVersion(u16::from_le_bytes([low, high]));
    if format > STORE_FORMAT {
        return Err(StoreError::NewerFormat {
            what: "the metadata",
            found: format,
            newest: STORE_FORMAT,
        });
    }
    let id = id.try_into().map(StoreId);
    Ok((format, id.map_err(|_| damaged(IDENTITY_KEY, "store id"))?))
}

fn encode_epoch(epoch: Epoch) -> Bytes {
    let mut out = Vec::with_capacity(5);
    out.put_u8(ROW_VERSION);
    out.put_u32_le(epoch.0);
    Bytes::from(out)
}

fn decode_epoch(mut value: &[u8]) -> Result<Epoch, StoreError> {
    known(EPOCH_KEY, value.first().copied().unwrap_or_default())?;
    if value.len() != 5 {
        return Err(damaged(EPOCH_KEY, "not an epoch"));
    }
    value.advance(1);
    Ok(Epoch(value.get_u32_le()))
}

/// Distinguishes a row of a later version from a damaged one.
fn known(key: &[u8], row_version: u8) -> Result<(), StoreError> {
    match row_version {
        ROW_VERSION => Ok(()),
        0 => Err(damaged(key, "row version")),
        newer => Err(StoreError::NewerFormat {
            what: "a row of the store's own",
            found: FormatVersion(newer.into()),
            newest: FormatVersion(ROW_VERSION.into()),
        }),
    }
}

fn damaged(key: &[u8], what: &'static str) -> StoreError {
    StoreError::DamagedRow {
        key: key.to_vec(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity {
        id: StoreId(*b"0123456789abcdef"),
        format: STORE_FORMAT,
        stage: Stage::Ready,
    };
    const OLDER: Identity = Identity {
        format: FormatVersion(1),
        ..IDENTITY
    };

    #[test]
    fn the_file_and_the_rows_have_these_bytes() {
        let of = |format, check| {
            format!(
                "strongroom store\nformat {format}\nid 30313233343536373839616263646566\nstate ready\ncheck {check}\n"
            )
        };
        for (identity, golden) in [
            (OLDER, of(1, "99232d10f6b728f0")),
            (IDENTITY, of(2, "25d1c08b117c9490")),
        ] {
            assert_eq!(identity.encode(), golden);
            assert_eq!(Identity::decode(golden.as_bytes()), Ok(identity));
        }
        let rows = [
            (FormatVersion(1), b"\x01\x01\x000123456789abcdef"),
            (FormatVersion(2), b"\x01\x02\x000123456789abcdef"),
        ];
        for (format, golden) in rows {
            assert_eq!(&encode_identity(format, IDENTITY.id)[..], golden);
            let decoded = decode_identity(golden).expect("of a version this build reads");
            assert_eq!(decoded, (format, IDENTITY.id));
        }
        assert_eq!(&encode_epoch(Epoch(0x0102))[..], b"\x01\x02\x01\x00\x00");
    }

    #[test]
    fn a_change_of_any_bit_of_the_file_is_refused() {
        let good = IDENTITY.encode().into_bytes();
        for (byte, bit) in (0..good.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
            let mut bad = good.clone();
            bad[byte] ^= 1 << bit;
            assert!(
                matches!(Identity::decode(&bad), Err(Refusal::Damaged(_))),
                "{byte}.{bit}"
            );
        }
        for len in 0..good.len() {
            assert!(
                matches!(Identity::decode(&good[..len]), Err(Refusal::Damaged(_))),
                "{len}"
            );
        }
    }

    #[test]
    fn a_newer_file_is_told_from_a_damaged_one() {
        let newer = Identity {
            format: FormatVersion(3),
            ..IDENTITY
        };
        assert_eq!(
            Identity::decode(newer.encode().as_bytes()),
            Err(Refusal::Newer(FormatVersion(3)))
        );
    }

    #[test]
    fn rows_that_do_not_fit_are_damage_or_news() {
        assert!(matches!(
            decode_identity(b"\x01\x01"),
            Err(StoreError::DamagedRow { .. })
        ));
        assert!(matches!(
            decode_identity(b"\x01\x01\x00short"),
            Err(StoreError::DamagedRow { .. })
        ));
        for newer in [
            decode_identity(b"\x01\x03\x000123456789abcdef"),
            decode_identity(b"\x03\x01\x000123456789abcdef and more"),
            decode_epoch(b"\x03\x01").map(|_| unreachable!()),
        ] {
            assert!(
                matches!(
                    newer,
                    Err(StoreError::NewerFormat {
                        found: FormatVersion(3),
                        ..
                    })
                ),
                "{newer:?}"
            );
        }
        assert!(matches!(
            decode_epoch(b"\x01\x02\x01\x00"),
            Err(StoreError::DamagedRow { .. })
        ));
    }
}
