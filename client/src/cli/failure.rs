//! Everything that can make the command fail, with the exit code and the next command to run.

use std::io;
use std::path::{Path, PathBuf};

use strongroom_etcd_format::bolt::BoltError;
use strongroom_etcd_format::hashkv::HashKvError;
use strongroom_etcd_format::inspect::{CompareError, InspectError};
use strongroom_snapshot_io::intake::IntakeError;
use strongroom_snapshot_io::scratch::ScratchError;

use super::output::safe;
use crate::etcd::{Awaited, EtcdError, Skipped};
use crate::exit::ExitCode;
use crate::image::ImageError;
use crate::s3::{S3Error, S3ErrorKind};
use crate::save::SaveError;
use crate::tls::{PemError, TlsFault};
use crate::uri::UriError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Flags or environment are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The save failed.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// An S3 call failed.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// A snapshot could not be opened.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The snapshot was refused.
    #[error("{name}")]
    Look {
        /// The file or object.
        name: String,
        /// Why.
        source: Refused,
    },
    /// Two snapshots cannot be compared.
    #[error("cannot compare {old} with {new}")]
    Compare {
        /// The older one.
        old: String,
        /// The newer one.
        new: String,
        /// Why.
        source: CompareError,
    },
    /// A fetched snapshot cannot be read back.
    #[error("the fetched snapshot cannot be read back")]
    Reread {
        /// Why.
        source: io::Error,
    },
    /// The process cannot be set up.
    #[error("the process cannot set itself up")]
    Runtime(#[source] io::Error),
    /// Writing to standard output failed.
    #[error("the result cannot be printed")]
    Output(#[source] io::Error),
}

/// Why a snapshot is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// It is damaged.
    #[error("the database is damaged or none of etcd's")]
    Database(#[source] InspectError),
    /// The revision is not in it.
    #[error(transparent)]
    HashKv(HashKvError),
    /// The key is not alive.
    #[error("key {key:?} is not alive at revision {revision}")]
    NoSuchKey {
        /// The key.
        key: String,
        /// The snapshot's revision.
        revision: i64,
    },
}

impl Refused {
    fn database(&self) -> Option<&InspectError> {
        match self {
            Self::Database(error) | Self::HashKv(HashKvError::Database(error)) => Some(error),
            Self::HashKv(_) | Self::NoSuchKey { .. } => None,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match (self.database(), self) {
            (Some(error), _) => database_code(error),
            (None, Self::HashKv(HashKvError::NotARevision { .. })) => ExitCode::Usage,
            (None, _) => ExitCode::NotFound,
        }
    }
}

fn database_code(error: &InspectError) -> ExitCode {
    match error {
        InspectError::Bolt(BoltError::Read { .. }) => ExitCode::Failed,
        _ => ExitCode::Integrity,
    }
}

fn compare_code(error: &CompareError) -> ExitCode {
    match error {
        CompareError::Old(error) | CompareError::New(error) => database_code(error),
        _ => ExitCode::Precondition,
    }
}

/// An error in flags or environment.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("no S3 server is named: give --s3-endpoint URL or set STRONGROOM_S3_ENDPOINT")]
    NoS3Endpoint,
    #[error(
        "{name} is not set: S3 calls must be signed (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ECS_...)"
    )]
    NoCredential { name: &'static str },
    #[error(
        "the S3 endpoint {text:?} (from {from}) is no URL: write http://host:port or https://host:port"
    )]
    S3Endpoint { text: String, from: String },
    #[error(transparent)]
    Uri(#[from] UriError),
    #[error("cannot read {} (from {from})", path.display())]
    File {
        path: PathBuf,
        from: &'static str,
        source: io::Error,
    },
    #[error("--cert and --key belong together; {missing} is missing")]
    HalfPair { missing: &'static str },
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error(
        "user {user:?} needs a password: write --user NAME:PASSWORD, set ETCDCTL_PASSWORD, or run on a terminal"
    )]
    NoPassword { user: String },
    #[error("{text} is a place in a store, not a file: name it by --to")]
    NoTo { text: String },
    #[error("{text:?} names no object: write s3://bucket/key")]
    NoKey { text: String },
    #[error(
        "{text:?} is a delta snapshot: the changes since another one, and no database of its own"
    )]
    Delta { text: String },
    #[error("--user is empty")]
    EmptyUser,
}

impl Failure {
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(SettingsError::Pem(error)) => error.exit_code(),
            Self::Settings(_) => ExitCode::Usage,
            Self::Save(error) => error.exit_code(),
            Self::S3(error) => error.exit_code(),
            Self::Image(error) => error.exit_code(),
            Self::Look { source, .. } => source.exit_code(),
            Self::Compare { source, .. } => compare_code(source),
            Self::Reread { .. } | Self::Runtime(_) | Self::Output(_) => ExitCode::Failed,
        }
    }

    /// The next command, if known. `command` is the one that failed, for its help.
    pub(super) fn next_step(&self, command: &str) -> Option<String> {
        match self {
            Self::Save(SaveError::S3(error))
            | Self::S3(error)
            | Self::Image(ImageError::S3(error)) => s3_step(error),
            Self::Save(SaveError::Etcd(error)) => etcd_step(error),
            Self::Save(SaveError::Snapshot { .. } | SaveError::NoTrailer { .. }) => Some(
                "save once more; if it repeats, check that member's disk and ask another one with --endpoints".to_owned(),
            ),
            Self::Save(SaveError::Database { endpoint, .. }) => Some(format!(
                "strongroom snapshot save FILE --endpoints ANOTHER-MEMBER   (and replace the member at {endpoint}: its database is broken)"
            )),
            Self::Save(SaveError::File { path, source, .. }) => file_step(folder(path), source.kind()),
            Self::Save(SaveError::Held { path }) => {
                Some(format!("fuser -v {}   (and wait for that save to end)", path.display()))
            }
            Self::Save(SaveError::InTheWay { path }) => Some(format!("ls -ld {}", path.display())),
            Self::Save(SaveError::Stream { .. }) => Some("strongroom snapshot save FILE".to_owned()),
            Self::Image(error) => image_step(error),
            Self::Look { name, source } => Some(look_step(name, source)),
            Self::Compare { old, new, .. } => Some(format!(
                "strongroom snapshot diff {old} {new} --prefix PREFIX   (only keys below it are counted)"
            )),
            Self::Settings(SettingsError::NoKey { text }) => {
                Some(format!("strongroom snapshot list {text}"))
            }
            Self::Settings(SettingsError::Delta { text }) => {
                let folder = text.rsplit_once('/').map_or(text.as_str(), |(folder, _)| folder);
                Some(format!(
                    "strongroom snapshot list {folder}   (and get the newest of kind Full)"
                ))
            }
            Self::Settings(SettingsError::NoTo { text }) => {
                Some(format!("strongroom snapshot save --to {text}"))
            }
            Self::Settings(SettingsError::File { path, .. }) => {
                Some(format!("ls -l {}", path.display()))
            }
            Self::Settings(SettingsError::Pem(error)) => pem_step(error),
            Self::Settings(_) => Some(format!("strongroom snapshot {command} --help")),
            _ => None,
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn file_step(folder: &Path, kind: io::ErrorKind) -> Option<String> {
    let folder = folder.display();
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some(format!("df -h {folder}"))
        }
        io::ErrorKind::NotFound => Some(format!("mkdir -p {folder}")),
        io::ErrorKind::PermissionDenied => Some(format!(
            "ls -ld {folder}   (and run as a user who may write there)"
        )),
        io::ErrorKind::ReadOnlyFilesystem => Some(format!("findmnt -T {folder}")),
        _ => None,
    }
}

fn image_step(error: &ImageError) -> Option<String> {
    match error {
        ImageError::Open { name, source } if source.kind() == io::ErrorKind::PermissionDenied => {
            Some(format!(
                "ls -l {name}   (and run as a user who may read it)"
            ))
        }
        ImageError::Open { name, .. } | ImageError::NotAFile { name } => {
            Some(format!("ls -l {name}"))
        }
        ImageError::Scratch(ScratchError { folder, .. }) => Some(format!(
            "df -h {}   (and set TMPDIR to a folder with room for the whole database)",
            folder.display()
        )),
        ImageError::Snapshot { name, source } => match source {
            IntakeError::Foreign(file) if name.starts_with("s3://") => {
                file.command("FILE").map(|command| {
                    format!("aws --endpoint-url ENDPOINT s3 cp {name} FILE, then {command}")
                })
            }
            IntakeError::Foreign(file) => file.command(name),
            IntakeError::Unpack { .. }
            | IntakeError::TooLarge { .. }
            | IntakeError::NotADatabase(_)
            | IntakeError::Snapshot(_) => Some(another_snapshot(name)),
            IntakeError::Read { .. } | IntakeError::Thread(_) => None,
        },
        ImageError::S3(_) | ImageError::Stopped { .. } => None,
    }
}

fn look_step(name: &str, refused: &Refused) -> String {
    match refused {
        Refused::HashKv(HashKvError::Compacted { first, .. }) => {
            format!("strongroom snapshot hashkv {name} --rev {first}")
        }
        Refused::HashKv(HashKvError::Future { .. } | HashKvError::NotARevision { .. }) => {
            format!("strongroom snapshot hashkv {name}")
        }
        Refused::NoSuchKey { key, .. } => {
            let folder = key
                .rfind('/')
                .map_or("", |slash| key.get(..=slash).unwrap_or(""));
            format!(
                "strongroom snapshot keys {name} --prefix '{}'",
                safe(folder)
            )
        }
        Refused::Database(_) | Refused::HashKv(_) => another_snapshot(name),
    }
}

/// A damaged snapshot cannot be repaired: another one is needed.
fn another_snapshot(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((folder, _)) if name.starts_with("s3://") => format!(
            "strongroom snapshot list {folder}   (and use another one, or save a new one)"
        ),
        _ => "strongroom snapshot save NEW-FILE --endpoints URL   (or use another snapshot; this one cannot be mended)"
            .to_owned(),
    }
}

fn s3_step(error: &S3Error) -> Option<String> {
    let endpoint = error.endpoint();
    match error.kind() {
        S3ErrorKind::NotFound { code } if code == "NoSuchBucket" || error.key().is_none() => {
            let bucket = error.bucket().unwrap_or("BUCKET");
            Some(format!(
                "aws --endpoint-url {endpoint} s3 mb s3://{bucket}   (or check the bucket's name)"
            ))
        }
        S3ErrorKind::NotFound { .. } => {
            let (bucket, key) = (error.bucket()?, error.key()?);
            let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
            Some(format!("strongroom snapshot list s3://{bucket}/{folder}"))
        }
        S3ErrorKind::Auth { .. } => Some(
            "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what this key may do"
                .to_owned(),
        ),
        S3ErrorKind::Intermediary(sender) => Some(format!(
            "curl -sSi {endpoint}   (to see who answers), then: {}",
            sender.advice()
        )),
        S3ErrorKind::Malformed { .. } => Some(format!(
            "curl -sSi {endpoint}   (to see who answers: --s3-endpoint must be the store's own address)"
        )),
        S3ErrorKind::Network | S3ErrorKind::Timeout { .. } => Some(format!(
            "curl -sS -m 5 -o /dev/null -w '%{{http_code}}\\n' {endpoint}/minio/health/live"
        )),
        S3ErrorKind::Tls(TlsFault::NoClientCertificate) => Some(
            "name an endpoint that demands none: this program has client certificates for etcd only"
                .to_owned(),
        ),
        S3ErrorKind::Tls(fault) => {
            Some(tls_step(fault, "--s3-ca-bundle FILE", authority(endpoint)))
        }
        S3ErrorKind::ClockSkew { .. } => {
            Some("timedatectl   (and set this machine's clock)".to_owned())
        }
        _ => None,
    }
}

/// `ca_flag` names the authority of this server.
fn tls_step(fault: &TlsFault, ca_flag: &str, authority: &str) -> String {
    let look =
        format!("openssl s_client -connect {authority} </dev/null | openssl x509 -noout -text");
    match fault {
        TlsFault::UnknownIssuer { .. } => {
            format!("name the authority that signed it: {ca_flag}   ({look})")
        }
        TlsFault::NoClientCertificate => {
            "etcd: --cert FILE --key FILE (kubeadm: /etc/kubernetes/pki/etcd/server.crt and .key)"
                .to_owned()
        }
        TlsFault::ClientCertificate { file, .. } => {
            format!(
                "openssl x509 -noout -text -in {}   (expired? for clients? of the server's authority?)",
                bare(file)
            )
        }
        TlsFault::PlainServer => format!("the same command with http://{authority}"),
        TlsFault::TlsServer => format!("the same command with https://{authority}"),
        TlsFault::WrongName { .. }
        | TlsFault::Dates { .. }
        | TlsFault::Certificate { .. }
        | TlsFault::Other { .. } => look,
    }
}

fn pem_step(error: &PemError) -> Option<String> {
    match error {
        PemError::NoRoots => Some(
            "name the authority by --cacert FILE (etcd) or --s3-ca-bundle FILE (S3)".to_owned(),
        ),
        PemError::NoPair { certificate, key } => Some(format!(
            "openssl x509 -noout -pubkey -in {}; openssl pkey -pubout -in {}   (a pair prints the same key twice)",
            bare(certificate),
            bare(key)
        )),
        // The error says it all.
        PemError::Key { .. } => None,
        PemError::NotPem { file, .. }
        | PemError::NoCertificate { file }
        | PemError::Certificate { file, .. }
        | PemError::NoKey { file } => Some(format!(
            "grep -e ----- {}   (to see what it holds)",
            bare(file)
        )),
    }
}

/// A file's path without the flag behind it.
fn bare(file: &str) -> &str {
    file.rsplit_once(" (").map_or(file, |(path, _)| path)
}

fn authority(endpoint: &str) -> &str {
    endpoint
        .split_once("://")
        .map_or(endpoint, |(_, authority)| authority)
}

fn etcd_step(error: &EtcdError) -> Option<String> {
    match error {
        EtcdError::Corrupt { endpoint, .. } => Some(format!(
            "etcdctl --endpoints {endpoint} endpoint hashkv --cluster   (find the odd member, mend it, disarm the alarm)"
        )),
        EtcdError::NoneFit { skipped } if skipped.iter().any(|skipped| matches!(skipped, Skipped::Doubtful { .. })) => {
            Some("etcdctl endpoint status --cluster -w table   (and name a voting member with a leader, or save without --require-leader)".to_owned())
        }
        EtcdError::NoneFit { skipped } => skipped.iter().find_map(|skipped| match skipped {
            Skipped::Failed(error) => etcd_step(error),
            Skipped::Doubtful { .. } => None,
        }),
        EtcdError::Timeout { awaited: Awaited::PasswordCheck, .. } => Some(
            "without a quorum etcd checks no password: use a client certificate of the user root, or stop a member and copy its member/snap/db".to_owned(),
        ),
        EtcdError::Unreachable { endpoint, .. } | EtcdError::Timeout { endpoint, .. } => {
            Some(format!("etcdctl --endpoints {endpoint} endpoint health   (with the same --cacert, --cert, --key)"))
        }
        EtcdError::Distrusted { endpoint, fault } => {
            Some(tls_step(fault, "--cacert FILE", authority(endpoint)))
        }
        EtcdError::Learner { .. } => Some(
            "name a voting member by --endpoints; if none is left, stop this one and copy its member/snap/db".to_owned(),
        ),
        EtcdError::Denied { .. } => Some("name a user with the role root: --user NAME:PASSWORD".to_owned()),
        EtcdError::StreamBroken { .. } | EtcdError::StreamShort { .. } => Some("run the same command again".to_owned()),
        _ => None,
    }
}
