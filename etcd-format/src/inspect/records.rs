//! Records that an inspection does not show. They are read because etcd panics at boot if they are broken.
//!
//! Owns: the form of leases, users, roles and single-value rows. Must not keep any of their contents: they include password
//! hashes.

use super::{InspectError, values::text};
use crate::{
    bolt::Entry,
    proto::{Field, Fields, ProtoError},
    version::is_version,
};

/// `leasepb.Lease {1 id, 2 TTL, 3 remaining TTL}` under its id, 8 bytes big-endian.
pub(super) fn lease(entry: Entry<'_>) -> Result<(), InspectError> {
    let what = "the lease";
    let mut id = 0;
    each_field(entry, what, |field| {
        match field.number {
            1 => id = field.int64()?,
            2 | 3 => {
                field.int64()?;
            }
            _ => {}
        }
        Ok(())
    })?;
    under(entry, what, &id.to_be_bytes())
}

/// `authpb.User {1 name, 2 password, 3 roles, 4 options}` under its name.
pub(super) fn user(entry: Entry<'_>) -> Result<(), InspectError> {
    named(entry, "the user", &[2, 3, 4])
}

/// `authpb.Role {1 name, 2 permissions}` under its name.
pub(super) fn role(entry: Entry<'_>) -> Result<(), InspectError> {
    named(entry, "the role", &[2])
}

/// One byte. etcd treats any other value as "off", which would open the restored cluster to everyone.
pub(super) fn auth_enabled(entry: Entry<'_>) -> Result<bool, InspectError> {
    match entry.value {
        [0] => Ok(false),
        [1] => Ok(true),
        other => Err(InspectError::Shape {
            what: "auth/authEnabled",
            offset: entry.offset,
            len: other.len(),
            expected: "one byte, 0 or 1",
        }),
    }
}

/// etcd panics at boot if this is not a version. An invalid storage version it only treats as unknown.
pub(super) fn cluster_version(entry: Entry<'_>) -> Result<String, InspectError> {
    let what = "cluster/clusterVersion";
    let found = text(entry, what)?;
    if is_version(&found) {
        return Ok(found);
    }
    Err(InspectError::Shape {
        what,
        offset: entry.offset,
        len: found.len(),
        expected: "a version like 3.5.0",
    })
}

fn named(entry: Entry<'_>, what: &'static str, messages: &[u32]) -> Result<(), InspectError> {
    let mut name: &[u8] = &[];
    each_field(entry, what, |field| {
        if field.number == 1 {
            name = field.bytes()?;
        } else if messages.contains(&field.number) {
            field.bytes()?;
        }
        Ok(())
    })?;
    under(entry, what, name)
}

fn each_field<'a>(
    entry: Entry<'a>,
    what: &'static str,
    mut see: impl FnMut(Field<'a>) -> Result<(), ProtoError>,
) -> Result<(), InspectError> {
    let mut fields = Fields::new(entry.value);
    let mut all = || {
        while let Some(field) = fields.next_field()? {
            see(field)?;
        }
        Ok(())
    };
    all().map_err(|source| InspectError::Message {
        what,
        offset: entry.offset,
        source,
    })
}

fn under(entry: Entry<'_>, what: &'static str, key: &[u8]) -> Result<(), InspectError> {
    if entry.key == key {
        return Ok(());
    }
    Err(InspectError::RecordKey {
        what,
        offset: entry.offset,
    })
}
