//! Decodes the bytes of one record: JSON, protobuf, text, numbers. Every error has the offset of its element.
//!
//! Owns: the form of single records. Must not know their bucket.

use serde::Deserialize;

use super::{Alarm, AlarmKind, InspectError, StoredMember};
use crate::{bolt::Entry, membership::MemberId, mvcc::RevisionKey, proto::Fields};

/// Longest member or downgrade record that is accepted: a name and a few URLs.
pub(super) const JSON_BYTES_MAX: usize = 64 << 10;

fn json<'a, T: Deserialize<'a>>(entry: Entry<'a>, what: &'static str) -> Result<T, InspectError> {
    let (offset, len) = (entry.offset, entry.value.len());
    if len > JSON_BYTES_MAX {
        return Err(InspectError::Shape {
            what,
            offset,
            len,
            expected: "a record of at most 64 KiB",
        });
    }
    serde_json::from_slice(entry.value).map_err(|source| InspectError::Json {
        what,
        offset,
        source,
    })
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
    #[derive(Deserialize)]
    struct Downgrade {
        #[serde(default)]
        enabled: bool,
    }
    let downgrade: Downgrade = json(entry, "cluster/downgrade")?;
    Ok(downgrade.enabled)
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

pub(super) fn revision(entry: Entry<'_>) -> Result<i64, InspectError> {
    let decoded = RevisionKey::decode(entry.value);
    decoded
        .map(|key| key.main)
        .map_err(|source| InspectError::RowKey {
            offset: entry.offset,
            source,
        })
}
