//! Errors as data: each knows its action, its object and its cause, its exit code and the next command.
//!
//! Families follow the questions of an operator: is my command wrong ([`PlanError`]), can the snapshot be had
//! ([`SourceError`]), is it whole ([`Damage`]), may the directory be built ([`TargetError`]). Decisions are made on
//! variants, never on text. No credential and no contents of keys ever get in.

mod advice;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use strongroom_client::{s3::S3Error, uri::UriError};
use strongroom_etcd_format::{
    bolt::BoltError, inspect::InspectError, membership::MembershipError, snapshot::SnapshotError,
};
use strongroom_snapshot_io::{intake::IntakeError, packing::ForeignPacking};

use crate::{interrupt::Interrupted, owner::OwnerError};

/// Why there is no restored directory.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The command line, environment or credentials file is wrong.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The snapshot cannot be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The snapshot is not whole.
    #[error("the snapshot is damaged: {0}")]
    Damage(#[from] Damage),
    /// The same, once it is known which.
    #[error("the snapshot {snapshot} is damaged")]
    Damaged {
        /// The file or object.
        snapshot: String,
        /// The defect.
        #[source]
        damage: Damage,
    },
    /// The snapshot is packed in a way that this version does not read.
    #[error("the snapshot is {packing}, which this version does not unpack")]
    ForeignPacking {
        /// How it is packed.
        packing: ForeignPacking,
    },
    /// The directory cannot be built.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A signal came.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The program itself could not start (threads, signal handlers).
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
}

/// A wrong command line, environment or credentials file.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Neither a file nor a store.
    #[error(
        "no snapshot is named: give --snapshot FILE, or --storage-provider=ECS|S3 with --store-container"
    )]
    NoSource,
    /// A store without a bucket.
    #[error("no bucket is named: give --store-container, or set STORAGE_CONTAINER")]
    NoContainer,
    /// A bucket or prefix that S3 does not know.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// A setting of the store is in none of its places.
    #[error("{setting} is not set: the environment needs {variables}")]
    Missing {
        /// The missing setting.
        setting: &'static str,
        /// Where it would be read.
        variables: &'static str,
    },
    /// The endpoint is no URL.
    #[error("the endpoint {value:?} is not an address like http://10.6.212.13:9000")]
    Endpoint {
        /// As given.
        value: String,
        /// The parser's error.
        source: url::ParseError,
    },
    /// A flag in the environment that is neither true nor false.
    #[error("{name} must be true or false")]
    NotABool {
        /// The variable or key.
        name: &'static str,
    },
    /// A credentials file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    CredentialsFile {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A credentials file is no JSON object with plain values. The text is not shown: it may hold secrets.
    #[error("{path} is not a JSON object of plain values (line {line}, column {column})", path = path.display())]
    CredentialsJson {
        /// The file.
        path: PathBuf,
        /// Where the parser stopped.
        line: usize,
        /// Where the parser stopped.
        column: usize,
    },
    /// A setting that would be needed to read the store and is not supported.
    #[error("the credentials set {key}, which this version does not support")]
    Unsupported {
        /// The key.
        key: &'static str,
    },
    /// Names and URLs do not fit together.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// The log's directory would lie where the data directory's own files do.
    #[error("--wal-dir {path} is the data directory or lies in its member folder: name one beside it", path = path.display())]
    WalDir {
        /// As given.
        path: PathBuf,
    },
    /// Nobody of that name.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The raised revision does not fit.
    #[error(
        "--bump-revision: the snapshot's revision {revision} plus {by} is above the largest revision there is"
    )]
    Bump {
        /// Of the snapshot.
        revision: i64,
        /// As given.
        by: u64,
    },
}

/// The snapshot cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file is not there.
    #[error("snapshot file {path} does not exist", path = path.display())]
    NoFile {
        /// As given.
        path: PathBuf,
    },
    /// A directory or device.
    #[error("{path} is not a regular file", path = path.display())]
    NotAFile {
        /// As given.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {path} at byte {offset}", path = path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// How far it was read.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The source cannot be read.
    #[error("cannot read the snapshot at byte {offset}")]
    Read {
        /// How far it was read.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The store failed or refused.
    #[error("cannot {doing} the snapshot")]
    Store {
        /// find or fetch.
        doing: &'static str,
        /// The client's error.
        source: S3Error,
    },
    /// Nothing to restore there.
    #[error(
        "no full snapshot below s3://{bucket}/{prefix}{}",
        elsewhere_suffix(.elsewhere)
    )]
    NoSnapshot {
        /// The bucket.
        bucket: String,
        /// The listed prefix.
        prefix: String,
        /// Prefixes of the bucket that do hold full snapshots.
        elsewhere: Vec<String>,
    },
    /// Every full snapshot there is empty.
    #[error(
        "every full snapshot there is empty, the newest is {shown} in bucket {bucket}: the uploads failed"
    )]
    OnlyEmpty {
        /// The bucket.
        bucket: String,
        /// The newest one, as etcdbrctl prints it.
        shown: String,
    },
    /// More objects than any chain has.
    #[error("more than {limit} objects below s3://{bucket}/{prefix}")]
    TooMany {
        /// The bucket.
        bucket: String,
        /// The listed prefix.
        prefix: String,
        /// The limit.
        limit: u64,
    },
    /// A line that would take hours.
    #[error("s3://{bucket}/{key}: {bytes} bytes did not come within {} minutes", limit.as_secs() / 60)]
    TooSlow {
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
        /// Asked for at once.
        bytes: u64,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The body ended early or went on, or another object is there than was listed.
    #[error("s3://{bucket}/{key} has {expected} bytes by its listing, but {received} came")]
    Length {
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
        /// By the listing or the header.
        expected: u64,
        /// Counted.
        received: u64,
    },
}

impl SourceError {
    pub(crate) fn finding(source: S3Error) -> Self {
        let doing = "find";
        Self::Store { doing, source }
    }

    pub(crate) fn fetching(source: S3Error) -> Self {
        let doing = "fetch";
        Self::Store { doing, source }
    }
}

fn elsewhere_suffix(elsewhere: &[String]) -> String {
    if elsewhere.is_empty() {
        return String::new();
    }
    let shown: Vec<_> = elsewhere
        .iter()
        .map(|prefix| format!("{prefix:?}"))
        .collect();
    format!(
        "; this bucket holds full snapshots of the prefixes {}",
        shown.join(", ")
    )
}

/// The snapshot's bytes are damaged.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// Length or trailer.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A database without the hash that etcd appends.
    #[error(
        "its {len} bytes end without the SHA-256 that etcd appends: the upload was cut short, or this is a copy of a \
         database file instead of a saved snapshot"
    )]
    NoTrailer {
        /// Unpacked length.
        len: u64,
    },
    /// The packed stream is broken, ends early or never ends.
    #[error(transparent)]
    Unpack(IntakeError),
    /// The pages.
    #[error(transparent)]
    Bolt(#[from] BoltError),
    /// The records.
    #[error(transparent)]
    Records(#[from] InspectError),
    /// Written rows do not read back: the target's disk or memory is failing.
    #[error("reading back what was written: {what} is {actual}, not {expected}")]
    ReadBack {
        /// The compared value.
        what: &'static str,
        /// As intended.
        expected: String,
        /// As read.
        actual: String,
    },
}

/// The directory cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Data is there already.
    #[error("{path} exists already; a restore never overwrites data", path = path.display())]
    MemberExists {
        /// The `member` entry.
        path: PathBuf,
    },
    /// A log is there already.
    #[error("{path} holds a write-ahead log already; a restore never overwrites data", path = path.display())]
    LogExists {
        /// The log's directory.
        path: PathBuf,
    },
    /// An etcd has the database open.
    #[error("a running etcd holds {path}", path = path.display())]
    EtcdHolds {
        /// The database.
        path: PathBuf,
    },
    /// An etcd answers where this member would.
    #[error("an etcd is running on this machine: {evidence}")]
    EtcdAnswers {
        /// Where and how.
        evidence: String,
    },
    /// Another restore works here.
    #[error("another restore works on {path}", path = path.display())]
    Busy {
        /// The data directory.
        path: PathBuf,
    },
    /// No space, or a quota.
    #[error("{path}: not enough free space{}", space_suffix(*.needed, *.free), path = path.display())]
    DiskFull {
        /// Where.
        path: PathBuf,
        /// Bytes wanted, reserve included.
        needed: Option<u64>,
        /// Bytes free.
        free: Option<u64>,
    },
    /// Permissions, a read-only file system, a file in place of a directory.
    #[error("{action} {path} is not possible", path = path.display())]
    Forbidden {
        /// The attempted action.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Any other failure of the file system.
    #[error("{action} {path} failed", path = path.display())]
    Io {
        /// The attempted action.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn space_suffix(needed: Option<u64>, free: Option<u64>) -> String {
    match (needed, free) {
        (Some(needed), Some(free)) => format!(" ({needed} bytes needed, {free} free)"),
        _ => String::new(),
    }
}

impl TargetError {
    /// Sorts a failure of the file system by its remedy.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull {
                path,
                needed: None,
                free: None,
            },
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotFound
            | io::ErrorKind::Unsupported => Self::Forbidden {
                action,
                path,
                source,
            },
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }
}
