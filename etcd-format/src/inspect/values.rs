//! Decodes the bytes of one record: JSON, protobuf, text, numbers. Every error has the offset of its element.
//!
//! Owns: the form of single records. Must not know their bucket.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::{Alarm, AlarmKind, Boots, Effect, InspectError, StoredMember};
use crate::{
    bolt::Entry,
    membership::MemberId,
    mvcc::{RevisionKey, RowKeyError},
    proto::Fields,
};

/// Longest member or downgrade record that is accepted: a name and a few URLs.
pub(super) const JSON_BYTES_MAX: usize = 64 << 10;

/// Reads JSON as Go does: bytes that are no UTF-8 are replaced, and `null` is the empty value.
fn json<T: DeserializeOwned>(entry: Entry<'_>, what: &'static str) -> Result<T, InspectError> {
    let (offset, len) = (entry.offset, entry.value.len());
    if len > JSON_BYTES_MAX {
        return Err(InspectError::Shape {
            what,
            offset,
            len,
            expected: "a record of at most 64 KiB",
        });
    }
    let text: Cow<'_, str> = String::from_utf8_lossy(entry.value);
    serde_json::from_str(&text).map_err(|source| InspectError::Json {
        what,
        offset,
        source,
    })
}

/// `null` is the empty value, as in Go. etcd itself writes it for a list without elements.
pub(super) fn null_as_default<'d, D: Deserializer<'d>, T: Deserialize<'d> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

pub(super) fn member(entry: Entry<'_>) -> Result<StoredMember, InspectError> {
    let Entry { offset, .. } = entry;
    let member: StoredMember = json(entry, "the member")?;
    if entry.key != member.id.to_string().as_bytes() {
        return Err(InspectError::MemberKey {
            offset,
            id: member.id,
        });
    }
    Ok(member)
}

/// The alarm is the key: protobuf `AlarmMember {1 member id, 2 alarm type}`.
pub(super) fn alarm(entry: Entry<'_>) -> Result<Alarm, InspectError> {
    let decode = || {
        let mut alarm = Alarm {
            member: MemberId(0),
            kind: AlarmKind::Other(0),
        };
        let mut fields = Fields::new(entry.key);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => alarm.member = MemberId(field.varint()?),
                2 => {
                    alarm.kind = match field.varint()? {
                        1 => AlarmKind::NoSpace,
                        2 => AlarmKind::Corrupt,
                        other => AlarmKind::Other(other),
                    }
                }
                _ => {}
            }
        }
        Ok(alarm)
    };
    decode().map_err(|source| InspectError::Message {
        what: "the alarm",
        offset: entry.offset,
        source,
    })
}

pub(super) fn downgrade(entry: Entry<'_>) -> Result<bool, InspectError> {
    /// The target is read because etcd panics if it is no text.
    #[derive(Deserialize)]
    struct Downgrade {
        #[serde(rename = "target-version")]
        _target: Option<String>,
        enabled: Option<bool>,
    }
    let downgrade: Option<Downgrade> = json(entry, "cluster/downgrade")?;
    Ok(downgrade.and_then(|found| found.enabled).unwrap_or(false))
}

pub(super) fn text(entry: Entry<'_>, what: &'static str) -> Result<String, InspectError> {
    let (offset, len) = (entry.offset, entry.value.len());
    let text = std::str::from_utf8(entry.value)
        .ok()
        .filter(|text| text.len() <= VERSION_BYTES_MAX);
    text.map(str::to_owned).ok_or(InspectError::Shape {
        what,
        offset,
        len,
        expected: "a version of at most 64 bytes",
    })
}

/// Most bytes of a version: three numbers, perhaps with a suffix.
const VERSION_BYTES_MAX: usize = 64;

pub(super) fn big_endian(entry: Entry<'_>, what: &'static str) -> Result<u64, InspectError> {
    let (offset, len) = (entry.offset, entry.value.len());
    let number = <[u8; 8]>::try_from(entry.value).map(u64::from_be_bytes);
    number.map_err(|_| InspectError::Shape {
        what,
        offset,
        len,
        expected: "a number of 8 bytes",
    })
}

/// A defect that is not an error, and what becomes of it.
pub(super) type Odd = Option<(InspectError, Effect)>;

/// A row's key; none if etcd never reads the row.
pub(super) fn row_key(entry: Entry<'_>) -> Result<(Option<RevisionKey>, Odd), InspectError> {
    let Entry { key, offset, .. } = entry;
    let (row, odd) = lenient(key, offset)?;
    if row.main < 0 {
        let source = RowKeyError::Range;
        let defect = InspectError::RowKey { offset, source };
        let consequence = "etcd never reads a row with a negative revision";
        return Ok((None, Some((defect, Effect::Tolerated(consequence)))));
    }
    Ok((Some(row), odd))
}

/// The revision of a compaction.
pub(super) fn revision(entry: Entry<'_>) -> Result<(i64, Odd), InspectError> {
    let (row, odd) = lenient(entry.value, entry.offset)?;
    Ok((row.main, odd))
}

/// Decodes as etcd does: 3.5 reads the two numbers of any key that is long enough, later versions panic at what is not a row key.
/// All of them take 18 bytes without the mark of a tombstone for a row.
fn lenient(bytes: &[u8], offset: u64) -> Result<(RevisionKey, Odd), InspectError> {
    const MAIN: usize = 8;
    let source = match RevisionKey::decode(bytes) {
        Ok(row) => return Ok((row, None)),
        Err(source) => source,
    };
    let number = |bytes: &[u8]| {
        let word = bytes.first_chunk().copied();
        word.map(|word| u64::from_be_bytes(word).cast_signed())
    };
    let sub = bytes.get(MAIN + 1..).and_then(number);
    let (Some(main), Some(sub)) = (number(bytes), sub) else {
        return Err(InspectError::RowKey { offset, source });
    };
    let row = RevisionKey {
        main,
        sub,
        tombstone: false,
    };
    let fits = bytes.get(MAIN) == Some(&b'_') && bytes.len() == 18 && main >= 0 && sub >= 0;
    let effect = if fits {
        Effect::Tolerated("etcd ignores its last byte")
    } else {
        Effect::BootsOnly(Boots::UpTo35)
    };
    Ok((row, Some((InspectError::RowKey { offset, source }, effect))))
}
