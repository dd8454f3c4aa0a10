//! The command line as typed: names, types and defaults; no environment and no files.
//!
//! The flags are those of `etcdbrctl restore` and `etcdutl snapshot restore`, so that in a runbook only the program's name
//! changes. [`crate::plan`] interprets the values.

mod ignored;
mod words;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Parser, builder::ValueParser};

pub use ignored::IgnoredFlags;
pub use words::WordsError;

/// The text after the options in `--help`.
const AFTER_HELP: &str = "\
Environment:
  ECS   ECS_ENDPOINT, ECS_ACCESS_KEY_ID, ECS_SECRET_ACCESS_KEY, ECS_DISABLE_SSL, or a credentials file or folder in
        ECS_APPLICATION_CREDENTIALS_JSON / ECS_APPLICATION_CREDENTIALS
  S3    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_DEFAULT_REGION,
        STRONGROOM_S3_ENDPOINT, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or a credentials file or folder in
        AWS_APPLICATION_CREDENTIALS_JSON / AWS_APPLICATION_CREDENTIALS
  both  STORAGE_CONTAINER (instead of --store-container), AWS_CA_BUNDLE (PEM file with the CA of the endpoint)

Output: progress, log lines and warnings go to stderr, as etcdbrctl's do; the summary of a finished run goes to stdout.
The line `Successfully restored the etcd data directory.` is the last one, on success always and otherwise never (a dry
run restores nothing, so it ends without it). A failure ends with `error: ` and `next: `, the next command to type.

Exit codes:
  0 restored                                   6 network or timeout: try again
  1 failed                                     7 the snapshot is damaged: restore another one
  2 the command line is wrong                  8 a precondition is not met: member folder exists, etcd or another
  3 restored, but newer deltas are not             member is running, disk full, no permission
    applied                                    9 another restore works on this directory
  4 no such bucket, object or file           130 interrupted
  5 access denied
Unless it exits 0 or 3, the target is as it was.

Examples:
  the newest full snapshot of a cluster:
    strongroom-restore --data-dir /var/lib/etcd/ --store-container=etcd-backup --storage-provider=ECS \\
      --initial-cluster=controller-node1=https://10.6.212.10:2380 \\
      --initial-advertise-peer-urls=https://10.6.212.10:2380
  this one, also the same one on every master (`strongroom snapshot list s3://etcd-backup/PREFIX` lists them):
    strongroom-restore --snapshot s3://etcd-backup/v2/Full-00000000-00111147-1679991074 --storage-provider=ECS \\
      --data-dir /var/lib/etcd/ --initial-cluster=...
  a file, one member of several:
    strongroom-restore --snapshot snapshot.db --data-dir /var/lib/etcd --name=kube-etcd-1 \\
      --initial-cluster-token=etcd-cluster-1 --initial-cluster=kube-etcd-0=https://...,kube-etcd-1=https://... \\
      --initial-advertise-peer-urls=https://kube-etcd-1.kube-etcd:2380";

/// A revision has 63 bits; half of the range is more than any cluster reaches.
const BUMP_MAX: u64 = 1 << 62;

/// The words that Go's flag packages take for a boolean.
fn switch() -> ValueParser {
    use clap::builder::TypedValueParser as _;
    const YES: [&str; 6] = ["true", "1", "t", "T", "TRUE", "True"];
    const NO: [&str; 6] = ["false", "0", "f", "F", "FALSE", "False"];
    clap::builder::PossibleValuesParser::new([YES, NO].concat())
        .map(|word| YES.contains(&word.as_str()))
        .into()
}

/// The stores of etcdbrctl that this program can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageProvider {
    /// Any S3-compatible endpoint, configured with `ECS_*` variables.
    Ecs,
    /// AWS S3 or another endpoint, configured with `AWS_*` variables.
    S3,
}

fn provider(text: &str) -> Result<StorageProvider, &'static str> {
    match text.to_ascii_uppercase().as_str() {
        "ECS" => Ok(StorageProvider::Ecs),
        "S3" => Ok(StorageProvider::S3),
        "LOCAL" => {
            Err("the store of this provider is a folder: name the file itself, --snapshot FILE")
        }
        "OCS" => Err("this is an S3-compatible store: use ECS, with ECS_* variables"),
        _ => Err(
            "only ECS and S3 are read; get the object with the tools of its store, then --snapshot FILE",
        ),
    }
}

/// Rebuilds an etcd data directory from a snapshot, offline: verifies the snapshot, builds `member` in a
/// staging directory and puts it in place with one rename. On any failure the target is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "strongroom-restore", version, after_help = AFTER_HELP, args_override_self = true, max_term_width = 120)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch as typed; what they mean together is the plan's"
)]
pub struct LowArgs {
    /// The file to restore, as --snapshot FILE. The words `restore` and `snapshot restore` may stand before it, as in
    /// etcdbrctl and etcdutl.
    #[arg(value_name = "FILE")]
    pub words: Vec<PathBuf>,

    /// The data directory of etcd; `member` is created in it.
    #[arg(long, short = 'd', value_name = "DIR")]
    pub data_dir: PathBuf,

    /// All members of the restored cluster: name=peer-url,name=peer-url...
    #[arg(
        long,
        value_name = "MEMBERS",
        default_value = "default=http://localhost:2380"
    )]
    pub initial_cluster: String,

    /// This member's peer URLs [default: those of this member in --initial-cluster].
    #[arg(long, value_name = "URLS")]
    pub initial_advertise_peer_urls: Vec<String>,

    /// This member's name [default: the member with the --initial-advertise-peer-urls].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Part of the ids of the cluster and its members, the same on all members; not needed by etcd afterwards [default:
    /// derived from the snapshot and --initial-cluster, so that members restored alike agree and old members cannot join].
    #[arg(long, value_name = "TOKEN")]
    pub initial_cluster_token: Option<String>,

    /// Restore this file, or this object of a store (s3://BUCKET/KEY), instead of the newest full snapshot: as saved by
    /// etcdctl, plain or compressed with gzip, zlib, zstd or Go's LZW.
    #[arg(long, value_name = "FILE|s3://BUCKET/KEY")]
    pub snapshot: Option<PathBuf>,

    /// The kind of store: ECS (any S3-compatible endpoint, ECS_* variables) or S3 (AWS or an endpoint, AWS_* variables).
    #[arg(long, value_parser = provider, value_name = "ECS|S3")]
    pub storage_provider: Option<StorageProvider>,

    /// The bucket [default: environment STORAGE_CONTAINER].
    #[arg(long, value_name = "BUCKET")]
    pub store_container: Option<String>,

    /// The cluster's prefix in the bucket; its snapshots are under PREFIX/v2/.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub store_prefix: String,

    /// The store's address; overrides the environment.
    #[arg(long, value_name = "URL")]
    pub store_endpoint_override: Option<String>,

    /// Remove the storage and cluster version keys, so that an older etcd minor version boots (3.6 from a 3.7 snapshot).
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch(), hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub clear_storage_version: bool,

    /// Raise the revision by this number above the snapshot's, so that no client sees a revision twice. For Kubernetes,
    /// 1000000000 is usual. Use the same value on all members.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(0..=BUMP_MAX)
    )]
    pub bump_revision: Option<u64>,

    /// Mark all revisions up to the raised one as compacted, so that watches fail and clients list again.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch(), hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub mark_compacted: bool,

    /// Put the write-ahead log into this directory instead of DATA-DIR/member/wal; etcd then needs the same --wal-dir.
    #[arg(long, value_name = "DIR")]
    pub wal_dir: Option<PathBuf>,

    /// Accept a file without SHA-256 trailer, such as a database copied from a data directory, or with a wrong trailer.
    /// Every page and record is still checked.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch(), hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub skip_hash_check: bool,

    /// Restore the full snapshot alone and exit 0, even if newer delta snapshots exist: what they hold is lost. Without
    /// this flag, such a restore exits 3.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch(), hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub full_only: bool,

    /// Go on although members of the old or the new cluster run: only if they are already restored from the same snapshot,
    /// or are another cluster that goes on, or an etcd of this machine on another directory.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch(), hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub ignore_running_members: bool,

    /// Make this user and group (names or numbers) the owner of everything created, such as etcd:etcd.
    #[arg(long, value_name = "USER[:GROUP]")]
    pub chown: Option<String>,

    /// Fetch and check the snapshot, ask the other members, and print the files and ids that a restore would create. Only
    /// a temporary file without a name is written, on the file system of DATA-DIR.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch(), hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub dry_run: bool,

    /// Print the summary as JSON, also for a failed run.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch(), hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub json: bool,

    /// Flags of other programs that have no effect here.
    #[command(flatten)]
    pub ignored: IgnoredFlags,
}

/// A command line that is no restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// `--help` or `--version`: the text to print.
    Help(String),
    /// It is wrong.
    Refused {
        /// Why.
        message: String,
        /// Whether the summary of a failure is wanted as JSON.
        json: bool,
    },
}

impl LowArgs {
    /// Reads a command line; the first argument is the program's name.
    ///
    /// # Errors
    /// [`Unread`].
    pub fn read(arguments: &[OsString]) -> Result<Self, Unread> {
        let refused = match Self::try_parse_from(arguments) {
            Ok(args) => return Ok(args),
            Err(refused) => refused,
        };
        let text = refused.to_string();
        if !refused.use_stderr() {
            return Err(Unread::Help(text));
        }
        // Without the usage after it: the next step is `--help`.
        let message = text.split("\n\nUsage:").next().unwrap_or_default();
        let message = message.split("\n\nFor more").next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        Err(Unread::Refused {
            message: message.trim_end().to_owned(),
            json: arguments.iter().any(|argument| argument == "--json"),
        })
    }

    /// The snapshot that was named by a flag or an argument: a path or an `s3://` address.
    ///
    /// # Errors
    /// The arguments name a command of another program, or several files.
    pub fn snapshot(&self) -> Result<Option<&Path>, WordsError> {
        words::file(&self.words, self.snapshot.as_deref())
    }
}

#[cfg(test)]
mod tests;
