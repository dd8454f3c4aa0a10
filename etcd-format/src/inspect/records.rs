//! Records that an inspection does not show. They are read because etcd panics at boot if they are broken.
//!
//! Owns: the form of leases, users, roles and single-value rows. Must not keep any of their contents: they include password
//! hashes.

use super::{InspectError, RECORDS_MAX, values::text};
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

/// Roles that do not decode. At boot, etcd reads those that a user has.
#[derive(Debug, Default)]
pub(super) struct Roles {
    broken: Vec<(Vec<u8>, InspectError)>,
}

impl Roles {
    /// The defects of roles that no user has, after the users were read.
    pub(super) fn unused(&mut self) -> impl Iterator<Item = InspectError> {
        self.broken.drain(..).map(|(_, defect)| defect)
    }

    fn add(&mut self, name: &[u8], defect: InspectError) -> Result<(), InspectError> {
        if self.broken.len() >= RECORDS_MAX {
            return Err(defect);
        }
        self.broken.push((name.to_owned(), defect));
        Ok(())
    }

    fn require(&mut self, name: &[u8]) -> Result<(), InspectError> {
        match self.broken.iter().position(|(broken, _)| broken == name) {
            Some(at) => Err(self.broken.swap_remove(at).1),
            None => Ok(()),
        }
    }
}

/// `authpb.User {1 name, 2 password, 3 roles, 4 options {1 no password}}` under its name.
pub(super) fn user(entry: Entry<'_>, roles: &mut Roles) -> Result<(), InspectError> {
    let what = "the user";
    let (mut name, mut held): (&[u8], Vec<&[u8]>) = (&[], Vec::new());
    each_field(entry, what, |field| {
        match field.number {
            1 => name = field.bytes()?,
            2 => {
                field.bytes()?;
            }
            3 => held.push(field.bytes()?),
            4 => each_of(field.bytes()?, |field| match field.number {
                1 => field.varint().map(|_| ()),
                _ => Ok(()),
            })?,
            _ => {}
        }
        Ok(())
    })?;
    held.into_iter().try_for_each(|role| roles.require(role))?;
    under(entry, what, name)
}

/// `authpb.Role {1 name, 2 permissions {1 kind, 2 key, 3 end of the range}}` under its name.
pub(super) fn role(entry: Entry<'_>, roles: &mut Roles) -> Result<(), InspectError> {
    let what = "the role";
    let mut name: &[u8] = &[];
    let decoded = each_field(entry, what, |field| {
        match field.number {
            1 => name = field.bytes()?,
            2 => each_of(field.bytes()?, |field| match field.number {
                1 => field.varint().map(|_| ()),
                2 | 3 => field.bytes().map(|_| ()),
                _ => Ok(()),
            })?,
            _ => {}
        }
        Ok(())
    });
    match decoded {
        Ok(()) => under(entry, what, name),
        Err(defect) => roles.add(entry.key, defect),
    }
}

/// One byte. etcd treats any other value as "off", which opens the restored cluster to everyone.
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

/// Since 3.6, etcd panics at boot if this is not a version. An invalid storage version it only treats as unknown.
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

fn each_field<'a>(
    entry: Entry<'a>,
    what: &'static str,
    see: impl FnMut(Field<'a>) -> Result<(), ProtoError>,
) -> Result<(), InspectError> {
    each_of(entry.value, see).map_err(|source| InspectError::Message {
        what,
        offset: entry.offset,
        source,
    })
}

fn each_of<'a>(
    message: &'a [u8],
    mut see: impl FnMut(Field<'a>) -> Result<(), ProtoError>,
) -> Result<(), ProtoError> {
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        see(field)?;
    }
    Ok(())
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
