//! Names that other writers give to snapshots: k3s, rke2, RKE, kOps, Talos, Omni and scripts around etcdctl.
//!
//! Such a name holds no revision, and at most a time. What the object really is, only its bytes tell: `snapshot status`.

/// Endings of database files, before those of packing and encryption.
const DATABASES: [&str; 4] = [".db", ".snap", ".snapshot", ".backup"];
/// Endings of packing and encryption, which may follow one another.
const WRAPPINGS: [&str; 9] = [
    ".gz", ".zlib", ".Z", ".zst", ".zip", ".tar", ".age", ".enc", ".gpg",
];
/// RKE's own ending, before `.zip`.
const RKE: &str = "_etcd";
/// The folder of k3s' descriptions, whose names are those of the snapshots.
const K3S_METADATA: &str = ".metadata";
/// Seconds since 1970 have this many digits from 2001 to 2286.
const UNIX_DIGITS: usize = 10;

/// A snapshot by its name only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ForeignName {
    /// The time in the name, in seconds since 1970.
    pub(super) created_unix: Option<i64>,
}

impl ForeignName {
    /// `None` for objects whose name says nothing of a snapshot.
    pub(super) fn parse(key: &str) -> Option<Self> {
        let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
        if folder.rsplit('/').next() == Some(K3S_METADATA) {
            return None;
        }
        let stem = unwrapped(name);
        let created_unix = k3s_time(stem);
        let is_database = DATABASES.iter().any(|ending| stem.ends_with(ending))
            || stem.ends_with(RKE)
            || created_unix.is_some();
        is_database.then_some(Self { created_unix })
    }
}

fn unwrapped(mut name: &str) -> &str {
    while let Some(inner) = WRAPPINGS
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
    {
        name = inner;
    }
    name
}

/// k3s and rke2: `etcd-snapshot-NODE-UNIX`, or another name before the node.
fn k3s_time(stem: &str) -> Option<i64> {
    let (name, time) = stem.rsplit_once('-')?;
    let is_time = time.len() == UNIX_DIGITS && time.bytes().all(|byte| byte.is_ascii_digit());
    (is_time && name.contains('-')).then(|| time.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_writers_are_known() {
        for (key, created_unix) in [
            ("snapshot.db", None),
            ("a/etcd-2026-11-22_09.db.gz", None),
            ("etcd-snapshot-master-1-1795340653", Some(1_795_340_653)),
            (
                "k/on-demand-node.example-1795340653.zip",
                Some(1_795_340_653),
            ),
            ("2026-11-22T09:44:13Z_etcd.zip", None),
            ("main/2026-11-22T09:44:13Z-000001/etcd.backup.gz", None),
            ("prod-2026-11-22T09:44:13Z.snap.zst.age", None),
            ("0e5b/00000000ffffffff.snapshot", None),
            ("prod-v3-2026-11-22T09-44-13.db.tar.gz.enc", None),
        ] {
            let expected = Some(ForeignName { created_unix });
            assert_eq!(ForeignName::parse(key), expected, "{key}");
        }
    }

    #[test]
    fn other_objects_are_not_taken_for_snapshots() {
        for key in [
            "readme",
            "k/.metadata/etcd-snapshot-master-1-1795340653",
            "_etcd_backup.meta",
            "static_kuberesources_2026.tar.gz",
            "logs-1795340653",
            "db",
        ] {
            assert_eq!(ForeignName::parse(key), None, "{key}");
        }
    }
}
