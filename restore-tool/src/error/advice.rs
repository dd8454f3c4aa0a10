//! Derives the operator's next step from an error: the exit code, the complete message, the next command to run.

use std::{io, path::Path};

use strongroom_client::{
    causes,
    exit::ExitCode,
    s3::{S3Error, S3ErrorKind},
    tls::TlsFault,
};
use strongroom_snapshot_io::packing::{ForeignFile, UnsupportedFormat};

use super::{Damage, RestoreError, Shortage, SourceError, TargetError};
use crate::{source::Prefixes, staging::STAGING_PREFIX};

impl RestoreError {
    /// The process' exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Plan(_) => ExitCode::Usage,
            Self::Source(error) => error.exit_code(),
            Self::Damage(_) | Self::Damaged { .. } => ExitCode::Integrity,
            Self::Target(TargetError::Busy { .. }) => ExitCode::HeldElsewhere,
            Self::Target(TargetError::Io { .. })
            | Self::Foreign(_)
            | Self::ForeignNamed { .. }
            | Self::Start(_) => ExitCode::Failed,
            Self::Target(_) => ExitCode::Precondition,
            Self::Interrupted(_) => ExitCode::Interrupted,
        }
    }

    /// The same error, with the name of the damaged snapshot and the address of the next older one.
    pub(crate) fn naming(self, snapshot: &str, next_older: Option<&str>) -> Self {
        match self {
            // If written data reads back wrong, this machine is the cause.
            Self::Damage(damage) if !matches!(damage, Damage::ReadBack { .. }) => Self::Damaged {
                snapshot: snapshot.into(),
                next_older: next_older.map(Into::into),
                damage,
            },
            Self::Foreign(file) => Self::ForeignNamed {
                snapshot: snapshot.to_owned(),
                file,
            },
            other => other,
        }
    }

    /// The message with all its causes, in one line.
    pub fn full_message(&self) -> String {
        causes::chain(self)
    }

    /// The next command to run.
    pub fn next_step(&self) -> String {
        match self {
            Self::Plan(_) => "strongroom-restore --help".to_owned(),
            Self::Source(error) => error.next_step(),
            Self::Damage(damage) => damage.next_step("FILE", None),
            Self::Damaged {
                snapshot,
                next_older,
                damage,
            } => damage.next_step(snapshot, next_older.as_deref()),
            Self::Foreign(file) => unpack_step("FILE", *file),
            Self::ForeignNamed { snapshot, file } => unpack_step(snapshot, *file),
            Self::Target(error) => error.next_step(),
            Self::Interrupted(_) => "nothing was changed: run the same command again".to_owned(),
            Self::Start(_) => "look at this user's limits: ulimit -a".to_owned(),
        }
    }
}

/// How to get a snapshot out of a foreign file. An object is fetched first.
fn unpack_step(snapshot: &str, foreign: ForeignFile) -> String {
    let (fetch, file) = if snapshot.starts_with("s3://") {
        (
            format!("aws --endpoint-url ENDPOINT s3 cp {snapshot} FILE, then "),
            "FILE",
        )
    } else {
        (String::new(), snapshot)
    };
    if let Some(command) = foreign.command(file) {
        return format!("{fetch}{command}, then the same command with --snapshot UNPACKED-FILE");
    }
    match foreign.format {
        UnsupportedFormat::Delta => {
            "name a full snapshot: its object is called Full-..., not Incr-...".to_owned()
        }
        UnsupportedFormat::WriteAheadLog => {
            "name a saved snapshot, or the database of that data directory: --snapshot .../member/snap/db \
             --skip-hash-check"
                .to_owned()
        }
        UnsupportedFormat::Sqlite => {
            "restore it with k3s: its server runs on SQLite, not on etcd".to_owned()
        }
        _ => format!("{fetch}look at it (head -c 300 {file}), and name another file"),
    }
}

impl Damage {
    fn next_step(&self, snapshot: &str, next_older: Option<&str>) -> String {
        let another = match (next_older, snapshot.rsplit_once('/')) {
            (Some(older), _) => {
                format!("restore the next older one: the same command and --snapshot {older}")
            }
            (None, Some((folder, _))) if snapshot.starts_with("s3://") => format!(
                "choose another one (strongroom snapshot list {folder}/): the same command and --snapshot s3://BUCKET/KEY"
            ),
            _ => "restore another snapshot: the same command with --snapshot OTHER-FILE".to_owned(),
        };
        match self {
            Self::ReadBack { .. } => "check this machine's disk and memory: dmesg".to_owned(),
            Self::NoTrailer { .. } => format!(
                "{another}; if this is a database copied out of a data directory: the same command and --skip-hash-check"
            ),
            Self::Snapshot(_) | Self::Unpack(_) if !snapshot.starts_with("s3://") => format!(
                "{another}; or copy this one again and compare with its origin: sha256sum {snapshot}"
            ),
            Self::Snapshot(_) | Self::Unpack(_) | Self::Bolt(_) | Self::Records(_) => another,
        }
    }
}

impl SourceError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoFile { .. } | Self::NoObject { .. } | Self::NoSnapshot { .. } => {
                ExitCode::NotFound
            }
            Self::NotAFile { .. } => ExitCode::Usage,
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ExitCode::Precondition
            }
            Self::File { .. } | Self::Read { .. } | Self::TooMany { .. } => ExitCode::Failed,
            Self::Store { source, .. } => source.exit_code(),
            Self::TooSlow { .. } => ExitCode::Network,
            Self::Length { .. } | Self::OnlyEmpty { .. } => ExitCode::Integrity,
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::NoFile { path } => format!("ls -l {}", folder_of(path).display()),
            Self::NoObject { address, .. } => {
                let folder = address
                    .rsplit_once('/')
                    .map_or("s3://", |(folder, _)| folder);
                format!("strongroom snapshot list {folder}/")
            }
            Self::NoSnapshot {
                bucket,
                prefix,
                elsewhere,
            } => prefix_step(bucket, prefix, elsewhere),
            Self::OnlyEmpty { bucket, .. } => {
                format!("strongroom snapshot list s3://{bucket}/")
            }
            Self::TooMany { bucket, .. } => format!(
                "strongroom snapshot list s3://{bucket}/, then the same command and --snapshot s3://BUCKET/KEY"
            ),
            Self::Store { source, .. } => store_next_step(source),
            Self::Length { .. } | Self::TooSlow { .. } | Self::Read { .. } => {
                "run the same command again".to_owned()
            }
            Self::NotAFile { path } | Self::File { path, .. } => {
                format!("ls -ld {}", path.display())
            }
        }
    }
}

/// Only a prefix that means the same cluster is ever part of a command.
fn prefix_step(bucket: &str, prefix: &str, elsewhere: &Prefixes) -> String {
    let without_folder = prefix
        .strip_suffix("v2")
        .map(|rest| rest.trim_end_matches('/'));
    match without_folder {
        Some(rest) if elsewhere.found.iter().any(|found| found == rest) => {
            let flag = match rest {
                "" => "without --store-prefix".to_owned(),
                rest => format!("with --store-prefix={rest}"),
            };
            format!("the same command {flag}: the folder v2 is added to the prefix")
        }
        _ if elsewhere.found.is_empty() => format!(
            "check --store-container and --store-prefix: strongroom snapshot list s3://{bucket}/"
        ),
        _ => format!(
            "find out which prefix is this cluster's (strongroom snapshot list s3://{bucket}/PREFIX), then the same \
             command with that --store-prefix"
        ),
    }
}

fn store_next_step(error: &S3Error) -> String {
    let endpoint = error.endpoint();
    match error.kind() {
        S3ErrorKind::NotFound { .. } => format!(
            "check --store-container and the endpoint: aws --endpoint-url {endpoint} s3 ls"
        ),
        S3ErrorKind::Auth { .. } => {
            "check the access key and the secret key in the environment (ECS_ACCESS_KEY_ID, ECS_SECRET_ACCESS_KEY; for \
             --storage-provider=S3 AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
                .to_owned()
        }
        S3ErrorKind::ClockSkew { .. } => {
            "set this machine's clock: chronyc makestep, or date -s".to_owned()
        }
        S3ErrorKind::Network | S3ErrorKind::Timeout { .. } => format!(
            "check that the endpoint answers (curl -i {endpoint}), then run the same command again"
        ),
        S3ErrorKind::Intermediary(sender) => sender.advice().to_owned(),
        S3ErrorKind::Tls(TlsFault::PlainServer | TlsFault::TlsServer) => {
            "correct the endpoint's http:// or https://".to_owned()
        }
        S3ErrorKind::Tls(_) => "give the endpoint's CA: AWS_CA_BUNDLE=/path/ca.pem".to_owned(),
        S3ErrorKind::Integrity { .. } => "run the same command again".to_owned(),
        // The object was replaced between two ranges.
        S3ErrorKind::Service { status: 412, .. } => {
            "the object was replaced while it was read: run the same command again".to_owned()
        }
        S3ErrorKind::Service { status, .. } if *status >= 500 || *status == 429 => {
            "the store has a problem or is overloaded: run the same command again".to_owned()
        }
        S3ErrorKind::Service { .. } | S3ErrorKind::Malformed { .. } => format!(
            "look who answers there (curl -i {endpoint}): the endpoint must be the store's own address"
        ),
        S3ErrorKind::Invalid(_) => "check the endpoint, the bucket and the key".to_owned(),
    }
}

impl TargetError {
    fn next_step(&self) -> String {
        match self {
            Self::MemberExists { path } => format!(
                "keep the old data under another name until the restore has proved itself: mv -T {0} {0}.old",
                path.display()
            ),
            Self::LogExists { path } => format!(
                "keep the old log elsewhere until the restore has proved itself: mkdir {0}.old && mv {0}/*.wal {0}.old/",
                path.display()
            ),
            Self::EtcdHolds { .. } | Self::EtcdUses { .. } => "stop etcd first (kubeadm: move etcd.yaml out of /etc/kubernetes/manifests; systemd: systemctl stop \
                 etcd), then run the same command again".to_owned(),
            Self::EtcdAnswers { .. } => "stop etcd first (kubeadm: move etcd.yaml out of /etc/kubernetes/manifests; systemd: systemctl stop \
                 etcd), then run the same command again; if it uses another directory: add --ignore-running-members"
                .to_owned(),
            Self::MembersRun { .. } => "stop etcd on every member (kubeadm: mv /etc/kubernetes/manifests/etcd.yaml /var/backups/manifests/; \
                 systemd: systemctl stop etcd), then run the same command again. If most of them are healthy, do not \
                 restore: etcdctl member remove ID, then member add. If they are members restored from this very \
                 snapshot, or another cluster that goes on: add --ignore-running-members"
                .to_owned(),
            Self::Busy { .. } => "wait for it, or find it: pgrep -a strongroom-rest".to_owned(),
            Self::DiskFull { path, shortage } => {
                let folder = folder_of(lasting(path)).display();
                match shortage {
                    Shortage::Space { .. } | Shortage::Write { .. } => format!("df -h {folder}"),
                    Shortage::Inodes => format!("df -i {folder}"),
                    Shortage::Quota => "quota -vs (and quota -gvs for the group)".to_owned(),
                    Shortage::FileSize => "ulimit -f unlimited, then the same command again".to_owned(),
                }
            }
            Self::Forbidden { path, .. } | Self::Io { path, .. } => {
                format!("namei -l {}", lasting(path).display())
            }
        }
    }
}

/// The folder of a path as a command needs it: never empty.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => path,
    }
}

/// The part of a path that still exists when the message is read: a failed run removes its staging directory.
fn lasting(path: &Path) -> &Path {
    let is_staging = |part: &&Path| {
        part.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(STAGING_PREFIX))
    };
    let staging = path.ancestors().find(is_staging);
    staging.and_then(Path::parent).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_full_disk_and_a_forbidden_path_are_preconditions() {
        for kind in [
            io::ErrorKind::StorageFull,
            io::ErrorKind::QuotaExceeded,
            io::ErrorKind::ReadOnlyFilesystem,
        ] {
            let error =
                RestoreError::from(TargetError::io("writing", Path::new("/x"), kind.into()));
            assert_eq!(error.exit_code(), ExitCode::Precondition, "{error}");
        }
        let broken = RestoreError::from(TargetError::io(
            "writing",
            Path::new("/x"),
            io::Error::other("EIO"),
        ));
        assert_eq!(broken.exit_code(), ExitCode::Failed);
    }

    #[test]
    fn a_full_disk_tells_what_ran_out_and_where_to_look() {
        let step = |kind: io::ErrorKind, path: &str| {
            let error = TargetError::io("writing", Path::new(path), kind.into());
            format!("{error}; {}", error.next_step())
        };
        let full = step(
            io::ErrorKind::StorageFull,
            "etcd/member.restore-0a1b2c3d/snap/db",
        );
        assert!(full.contains("bytes are free; df -h ."), "{full}");
        let quota = step(io::ErrorKind::QuotaExceeded, "/x/db");
        assert!(
            quota.contains("quota") && !quota.contains("df -h"),
            "{quota}"
        );
        let size = step(io::ErrorKind::FileTooLarge, "/x/db");
        assert!(size.contains("ulimit -f unlimited"), "{size}");
    }

    #[test]
    fn advice_names_no_staging_directory_that_is_removed() {
        let error = TargetError::io(
            "writing",
            Path::new("/var/lib/etcd/member.restore-0a1b2c3d/snap/db"),
            io::Error::other("EIO"),
        );
        assert_eq!(error.next_step(), "namei -l /var/lib/etcd");
    }

    #[test]
    fn the_message_tells_every_cause_once() {
        let error = RestoreError::from(TargetError::Io {
            action: "writing",
            path: "/x".into(),
            source: io::Error::other("device gone"),
        });
        assert_eq!(error.full_message(), "writing /x failed: device gone");
        let nothing = RestoreError::from(SourceError::NoSnapshot {
            bucket: "b".into(),
            prefix: "eats".into(),
            elsewhere: Prefixes {
                found: vec!["east".into(), "west".into()],
                more: false,
            },
        });
        assert_eq!(nothing.exit_code(), ExitCode::NotFound);
        assert!(
            nothing.full_message().contains(r#""east", "west""#),
            "{nothing}"
        );
        // A command with another cluster's prefix would restore another cluster's data.
        let next = nothing.next_step();
        assert!(!next.contains("east") && !next.contains("west"), "{next}");
        let found = Prefixes {
            found: vec!["east".into(), String::new()],
            more: false,
        };
        assert!(prefix_step("b", "east/v2", &found).contains("with --store-prefix=east:"));
        assert!(prefix_step("b", "v2", &found).contains("without --store-prefix:"));
    }
}
