//! Errors as data: each has an action, an object, a cause, an exit code and the next command.
//!
//! The error types follow an operator's questions: is my command wrong ([`PlanError`]), is the snapshot available
//! ([`SourceError`]), is it intact ([`Damage`]), can the directory be built ([`TargetError`]). Decisions depend on variants,
//! never on text. Errors never contain credentials or contents of keys.

mod advice;
mod target;

pub use target::{Shortage, TargetError};

use std::{io, path::PathBuf, time::Duration};

use strongroom_client::{
    s3::{S3Error, S3ErrorKind},
    uri::{S3Uri, UriError},
};
use strongroom_etcd_format::{
    bolt::BoltError, inspect::InspectError, membership::MembershipError, snapshot::SnapshotError,
};
use strongroom_snapshot_io::{intake::IntakeError, packing::ForeignFile};

use crate::{args::WordsError, interrupt::Interrupted, owner::OwnerError, source::Prefixes};

/// Why a restore failed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The command line, environment or credentials file is wrong.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The snapshot is not available.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The snapshot is damaged.
    #[error("the snapshot is damaged: {0}")]
    Damage(#[from] Damage),
    /// The same, with the name of the snapshot.
    #[error("the snapshot {snapshot} is damaged")]
    Damaged {
        /// The file or object.
        snapshot: Box<str>,
        /// The address of the next older full snapshot, if there is one in the same store.
        next_older: Option<Box<str>>,
        /// The defect.
        #[source]
        damage: Damage,
    },
    /// The file is known, but not a snapshot.
    #[error("the file is {0}")]
    Foreign(ForeignFile),
    /// The same, with the name of the file.
    #[error("{snapshot} is {file}")]
    ForeignNamed {
        /// The file or object.
        snapshot: String,
        /// What it is instead.
        file: ForeignFile,
    },
    /// The directory cannot be built.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A signal was received.
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
        "no snapshot is named: give --snapshot FILE (or s3://BUCKET/KEY), or for the newest one --storage-provider=ECS|S3 \
         with --store-container"
    )]
    NoSource,
    /// No bucket was given.
    #[error("no bucket is named: give --store-container, or set STORAGE_CONTAINER")]
    NoContainer,
    /// The command line as the parser refuses it.
    #[error("{message}")]
    CommandLine {
        /// The parser's message.
        message: String,
    },
    /// An object in another place than the flags say.
    #[error(
        "{address} is not in --store-container={container} --store-prefix={prefix}: leave these flags out"
    )]
    OtherPlace {
        /// The address.
        address: String,
        /// As given.
        container: String,
        /// As given.
        prefix: String,
    },
    /// The arguments do not name one file.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// A file and flags of a store.
    #[error(
        "{path} is a file, and the flags --storage-provider and --store-... are for a store: give one of both",
        path = path.display()
    )]
    FileAndStore {
        /// As given.
        path: PathBuf,
    },
    /// An address of a bucket or a prefix in place of an object.
    #[error(
        "s3://{bucket}/{prefix} is not the address of a snapshot: write s3://BUCKET/KEY with the whole key"
    )]
    NotAnObject {
        /// The bucket.
        bucket: String,
        /// The key, without the slash at its end.
        prefix: String,
    },
    /// Credentials of both providers, or of none.
    #[error(
        "the environment does not tell which store this is: give --storage-provider=ECS or --storage-provider=S3"
    )]
    WhichProvider,
    /// A raised revision without a mark.
    #[error(
        "--bump-revision {by} needs --mark-compacted: without it, clients would not notice the gap"
    )]
    BumpWithoutMark {
        /// As given.
        by: u64,
    },
    /// A mark without a raised revision.
    #[error("--mark-compacted needs --bump-revision with a number above 0, usually 1000000000")]
    MarkWithoutBump,
    /// The bucket, prefix or address is not valid in S3.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// A setting of the store is missing.
    #[error("{setting} is not set: the environment needs {variables}")]
    Missing {
        /// The missing setting.
        setting: &'static str,
        /// The variables that can set it.
        variables: &'static str,
    },
    /// The endpoint is not a URL.
    #[error("the endpoint {value:?} is not an address like http://10.6.212.13:9000")]
    Endpoint {
        /// As given.
        value: String,
        /// The parser's error.
        source: url::ParseError,
    },
    /// A boolean in the environment is neither true nor false.
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
    /// A credentials file is not a JSON object with plain values. Its text is not shown, because it may contain secrets.
    #[error("{path} is not a JSON object of plain values (line {line}, column {column})", path = path.display())]
    CredentialsJson {
        /// The file.
        path: PathBuf,
        /// Where the parser stopped.
        line: usize,
        /// Where the parser stopped.
        column: usize,
    },
    /// A setting that is needed to read the store is not supported.
    #[error("the credentials set {key}, which this version does not support")]
    Unsupported {
        /// The key.
        key: &'static str,
    },
    /// Names and URLs do not match.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// The log's directory overlaps with the data directory.
    #[error("--wal-dir {path} is the data directory or lies in its member folder: name one beside it", path = path.display())]
    WalDir {
        /// As given.
        path: PathBuf,
    },
    /// There is no such user or group.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The raised revision does not fit.
    #[error(
        "--bump-revision: the snapshot's revision {revision} plus {by} is above the largest revision there is"
    )]
    Bump {
        /// The snapshot's revision.
        revision: i64,
        /// As given.
        by: u64,
    },
}

/// The snapshot is not available.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file does not exist.
    #[error("snapshot file {path} does not exist", path = path.display())]
    NoFile {
        /// As given.
        path: PathBuf,
    },
    /// The named object does not exist.
    #[error("there is no object {address} (at {endpoint})")]
    NoObject {
        /// As given.
        address: String,
        /// The store.
        endpoint: String,
    },
    /// It is a directory or device.
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
        /// The number of bytes read.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The source cannot be read.
    #[error("cannot read the snapshot at byte {offset}")]
    Read {
        /// The number of bytes read.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The store failed or refused.
    #[error("cannot {doing} the snapshot")]
    Store {
        /// Either `find` or `fetch`.
        doing: &'static str,
        /// The client's error.
        source: S3Error,
    },
    /// There is nothing to restore.
    #[error("{}", no_snapshot(bucket, prefix, elsewhere))]
    NoSnapshot {
        /// The bucket.
        bucket: String,
        /// The prefix that was given, without a slash at its end.
        prefix: String,
        /// Prefixes in the bucket that have full snapshots.
        elsewhere: Prefixes,
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
    /// There are more objects than any chain has.
    #[error("more than {limit} objects below s3://{bucket}/{prefix}")]
    TooMany {
        /// The bucket.
        bucket: String,
        /// The listed prefix.
        prefix: String,
        /// The limit.
        limit: u64,
    },
    /// The connection is so slow that the download would take hours.
    #[error("s3://{bucket}/{key}: {bytes} bytes did not come within {} minutes", limit.as_secs() / 60)]
    TooSlow {
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
        /// The size of the requested range.
        bytes: u64,
        /// The time limit.
        limit: Duration,
    },
    /// The body was too short or too long, or the object is not the listed one.
    #[error("s3://{bucket}/{key} has {expected} bytes by its listing, but {received} came")]
    Length {
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
        /// The length in the listing or the header.
        expected: u64,
        /// The counted bytes.
        received: u64,
    },
}

impl SourceError {
    pub(crate) fn finding(source: S3Error) -> Self {
        let doing = "find";
        Self::Store { doing, source }
    }

    /// The error of the first request for a named object.
    pub(crate) fn asking_for(address: &S3Uri, source: S3Error) -> Self {
        match source.kind() {
            S3ErrorKind::NotFound { .. } => Self::NoObject {
                address: address.to_string(),
                endpoint: source.endpoint().to_owned(),
            },
            _ => Self::fetching(source),
        }
    }

    pub(crate) fn fetching(source: S3Error) -> Self {
        let doing = "fetch";
        Self::Store { doing, source }
    }
}

/// Names every prefix with full snapshots, and recommends none: it would be another cluster's data.
fn no_snapshot(bucket: &str, prefix: &str, elsewhere: &Prefixes) -> String {
    let given = match prefix {
        "" => "no --store-prefix was given".to_owned(),
        prefix => format!("--store-prefix={prefix} was given"),
    };
    let slash = if prefix.is_empty() { "" } else { "/" };
    let named: Vec<String> = elsewhere
        .found
        .iter()
        .map(|found| format!("{found:?}"))
        .collect();
    let more = if elsewhere.more {
        " and perhaps more"
    } else {
        ""
    };
    let there = match named.as_slice() {
        [] => String::new(),
        named => format!(
            "; this bucket has full snapshots under the prefixes {}{more}",
            named.join(", ")
        ),
    };
    format!("no full snapshot below s3://{bucket}/{prefix}{slash}v2/ ({given}){there}")
}

/// The snapshot's bytes are damaged.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// Its length or its trailer is wrong.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The hash that etcd appends is missing.
    #[error(
        "its {len} bytes end without the SHA-256 that etcd appends: the upload was cut short, or this is a copy of a \
         database file instead of a saved snapshot"
    )]
    NoTrailer {
        /// The length after decompression.
        len: u64,
    },
    /// The compressed stream is broken, ends early or never ends.
    #[error(transparent)]
    Unpack(IntakeError),
    /// A page is damaged.
    #[error(transparent)]
    Bolt(#[from] BoltError),
    /// A record is damaged.
    #[error(transparent)]
    Records(#[from] InspectError),
    /// Rows read back differ from the written ones: the target's disk or memory is failing.
    #[error("reading back what was written: {what} is {actual}, not {expected}")]
    ReadBack {
        /// The compared value.
        what: &'static str,
        /// The written value.
        expected: String,
        /// The value read back.
        actual: String,
    },
}
