//! The owner of the restored files.
//!
//! Names are looked up only in `/etc/passwd` and `/etc/group`: the C library's lookup cannot be linked statically, and service
//! users on control plane nodes are local.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::{Gid, Uid};

use crate::error::TargetError;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// A user and a group by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

/// Why `USER[:GROUP]` is not valid.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The name is not in the file.
    #[error("--chown: {name:?} is not in {file}")]
    Unknown {
        /// User or group.
        name: String,
        /// The file.
        file: PathBuf,
    },
    /// A number without a group, and the number is not in the file.
    #[error("--chown: {uid} is not in {file}, so its group is not known: give {uid}:GROUP")]
    NoGroup {
        /// The number.
        uid: u32,
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be read.
    #[error("--chown: cannot read {file}")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Owner {
    /// Parses `USER` or `USER:GROUP`, with names or numbers.
    pub(crate) fn parse(typed: &str) -> Result<Self, OwnerError> {
        Self::by_files(typed, Path::new(PASSWD), Path::new(GROUP))
    }

    fn by_files(typed: &str, passwd: &Path, group: &Path) -> Result<Self, OwnerError> {
        let (user, group_typed) = match typed.split_once(':') {
            Some((user, group)) if !group.is_empty() => (user, Some(group)),
            Some((user, _)) => (user, None),
            None => (typed, None),
        };
        // passwd(5): name:password:uid:gid:...; group(5): name:password:gid:members
        let known = find(passwd, user, 2)?;
        let uid = match (&known, user.parse()) {
            (Some(fields), _) => number(fields, 2),
            (None, Ok(uid)) => Some(uid),
            (None, Err(_)) => None,
        };
        let unknown = |name: &str, file: &Path| OwnerError::Unknown {
            name: name.to_owned(),
            file: file.to_owned(),
        };
        let uid = uid.ok_or_else(|| unknown(user, passwd))?;
        let gid = match group_typed {
            None => known
                .and_then(|fields| number(&fields, 3))
                .ok_or(OwnerError::NoGroup {
                    uid,
                    file: passwd.to_owned(),
                })?,
            Some(name) => match (find(group, name, 2)?, name.parse()) {
                (Some(fields), _) => number(&fields, 2),
                (None, Ok(gid)) => Some(gid),
                (None, Err(_)) => None,
            }
            .ok_or_else(|| unknown(name, group))?,
        };
        Ok(Self { uid, gid })
    }

    /// Changes the owner of a file or directory to this one.
    pub(crate) fn take(self, path: &Path) -> Result<(), TargetError> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        rustix::fs::chown(path, Some(uid), Some(gid))
            .map_err(|errno| TargetError::io("changing the owner of", path, errno.into()))
    }
}

/// The fields of the line with the name `wanted`, or with this number in field `number_at`.
fn find(file: &Path, wanted: &str, number_at: usize) -> Result<Option<Vec<String>>, OwnerError> {
    let text = fs::read_to_string(file).map_err(|source| OwnerError::Read {
        file: file.to_owned(),
        source,
    })?;
    let lines = || text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let by_name = lines().find(|fields| fields.first() == Some(&wanted));
    let found = by_name.or_else(|| lines().find(|fields| fields.get(number_at) == Some(&wanted)));
    Ok(found.map(|fields| fields.into_iter().map(str::to_owned).collect()))
}

fn number(fields: &[String], at: usize) -> Option<u32> {
    fields.get(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_names_or_numbers() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let (passwd, group) = (dir.path().join("passwd"), dir.path().join("group"));
        fs::write(
            &passwd,
            "root:x:0:0::/root:/bin/sh\netcd:x:997:996::/:/bin/false\n1000:x:5:6::/:/\n",
        )?;
        fs::write(&group, "root:x:0:\nkeepers:x:50:etcd\n")?;
        let owner = |typed| {
            Owner::by_files(typed, &passwd, &group)
                .map(|owner| (owner.uid, owner.gid))
                .map_err(|error| error.to_string())
        };
        assert_eq!(owner("etcd"), Ok((997, 996)));
        assert_eq!(owner("etcd:"), Ok((997, 996)));
        assert_eq!(owner("etcd:keepers"), Ok((997, 50)));
        assert_eq!(
            owner("997"),
            Ok((997, 996)),
            "a number's group is its user's"
        );
        assert_eq!(owner("4000:4001"), Ok((4000, 4001)));
        assert_eq!(owner("1000"), Ok((5, 6)), "a name before a number");
        for (typed, told) in [
            ("nobody", "\"nobody\" is not in"),
            ("etcd:nobody", "\"nobody\" is not in"),
            ("4000", "give 4000:GROUP"),
            ("", "\"\" is not in"),
            ("-1:0", "\"-1\" is not in"),
        ] {
            let error = owner(typed).expect_err("names nobody");
            assert!(error.contains(told), "{typed}: {error}");
        }
        Ok(())
    }
}
