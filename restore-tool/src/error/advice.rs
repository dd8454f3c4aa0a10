//! Derives the operator's next step from an error: the exit code, the complete message, the next command to run.

use std::{io, path::Path};

use strongroom_client::{
    causes,
    exit::ExitCode,
    s3::{S3Error, S3ErrorKind},
    tls::TlsFault,
};
use strongroom_snapshot_io::packing::{ForeignFile, UnsupportedFormat};

use super::{Damage, RestoreError, SourceError, TargetError};
use crate::staging::STAGING_PREFIX;

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

    /// The same error, with the name of the damaged snapshot.
    pub(crate) fn naming(self, snapshot: &str) -> Self {
        match self {
            // If written data reads back wrong, this machine is the cause.
            Self::Damage(damage) if !matches!(damage, Damage::ReadBack { .. }) => Self::Damaged {
                snapshot: snapshot.to_owned(),
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
    pub fn next_step(&self) -> Option<String> {
        match self {
            Self::Plan(_) => Some("strongroom-restore --help".to_owned()),
            Self::Source(error) => error.next_step(),
            Self::Damage(damage) | Self::Damaged { damage, .. } => Some(damage.next_step()),
            Self::Foreign(file) => Some(unpack_step("FILE", *file)),
            Self::ForeignNamed { snapshot, file } => Some(unpack_step(snapshot, *file)),
            Self::Target(error) => Some(error.next_step()),
            Self::Interrupted(_) => {
                Some("nothing was changed: run the same command again".to_owned())
            }
            Self::Start(_) => None,
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
    fn next_step(&self) -> String {
        match self {
            Self::ReadBack { .. } => "check this machine's disk and memory: dmesg",
            Self::NoTrailer { .. } => {
                "restore a saved snapshot; if this is a database copied out of a data directory: the same command with \
                 --skip-hash-check"
            }
            Self::Snapshot(_) | Self::Unpack(_) => {
                "restore another snapshot, or fetch this one again and compare: sha256sum FILE"
            }
            Self::Bolt(_) | Self::Records(_) => {
                "restore another snapshot: strongroom-restore --snapshot FILE ..."
            }
        }
        .to_owned()
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

    fn next_step(&self) -> Option<String> {
        match self {
            Self::NoFile { path } => Some(format!("ls -l {}", folder_of(path).display())),
            Self::NoObject { address, .. } => {
                let folder = address
                    .rsplit_once('/')
                    .map_or("s3://", |(folder, _)| folder);
                Some(format!("strongroom snapshot list {folder}/"))
            }
            Self::NoSnapshot { elsewhere, .. } if !elsewhere.is_empty() => Some(format!(
                "run the same command with --store-prefix={}",
                elsewhere.first()?
            )),
            Self::NoSnapshot { bucket, .. } | Self::OnlyEmpty { bucket, .. } => {
                Some(format!("strongroom snapshot list s3://{bucket}/"))
            }
            Self::TooMany { bucket, .. } => Some(format!(
                "strongroom snapshot list s3://{bucket}/, then --snapshot"
            )),
            Self::Store { source, .. } => store_next_step(source),
            Self::Length { .. } | Self::TooSlow { .. } => {
                Some("run the same command again".to_owned())
            }
            Self::NotAFile { .. } | Self::File { .. } | Self::Read { .. } => None,
        }
    }
}

fn store_next_step(error: &S3Error) -> Option<String> {
    let next = match error.kind() {
        S3ErrorKind::NotFound { .. } => {
            "check --store-container and the endpoint: aws --endpoint-url ENDPOINT s3 ls"
        }
        S3ErrorKind::Auth { .. } => "check the access key and secret key in the environment",
        S3ErrorKind::ClockSkew { .. } => "set this machine's clock: chronyc makestep, or date -s",
        S3ErrorKind::Network | S3ErrorKind::Timeout { .. } => {
            "check that the endpoint answers (curl -i ENDPOINT/minio/health/live), then run the same command again"
        }
        S3ErrorKind::Intermediary(sender) => sender.advice(),
        S3ErrorKind::Malformed { .. } => {
            "look who answers there (curl -i ENDPOINT): the endpoint must be the store's own address"
        }
        S3ErrorKind::Tls(TlsFault::PlainServer | TlsFault::TlsServer) => {
            "correct the endpoint's http:// or https://"
        }
        S3ErrorKind::Tls(_) => "give the endpoint's CA: AWS_CA_BUNDLE=/path/ca.pem",
        S3ErrorKind::Integrity { .. } => "run the same command again",
        _ => return None,
    };
    Some(next.to_owned())
}

impl TargetError {
    fn next_step(&self) -> String {
        match self {
            Self::MemberExists { path } => format!(
                "keep the old data under another name until the restore has proved itself: mv {0} {0}.old",
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
            Self::DiskFull { path, .. } => {
                format!("df -h {}", folder_of(lasting(path)).display())
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
            prefix: "v2/".into(),
            elsewhere: vec!["east".into()],
        });
        assert_eq!(nothing.exit_code(), ExitCode::NotFound);
        assert!(nothing.full_message().contains("east"), "{nothing}");
        assert_eq!(
            nothing.next_step().as_deref(),
            Some("run the same command with --store-prefix=east")
        );
    }
}
