//! The command line as typed: names, types and defaults; no environment and no files.
//!
//! The flags are those of `etcdbrctl restore` and `etcdutl snapshot restore`, so that in a runbook only the program's name
//! changes. [`crate::plan`] interprets the values.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// The text after the options in `--help`.
const AFTER_HELP: &str = "\
Environment:
  ECS   ECS_ENDPOINT, ECS_ACCESS_KEY_ID, ECS_SECRET_ACCESS_KEY, ECS_DISABLE_SSL, or a credentials file or folder in
        ECS_APPLICATION_CREDENTIALS_JSON / ECS_APPLICATION_CREDENTIALS
  S3    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_DEFAULT_REGION,
        AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or AWS_APPLICATION_CREDENTIALS_JSON / AWS_APPLICATION_CREDENTIALS
  both  STORAGE_CONTAINER (instead of --store-container), AWS_CA_BUNDLE (PEM file with the CA of the endpoint)

Output: progress, log lines and warnings go to stderr, as etcdbrctl's do; the summary of a finished run goes to stdout.
The line `Successfully restored the etcd data directory.` is the last one, on success always and otherwise never (a dry
run restores nothing, so it ends without it).

Exit codes: 0 restored, 1 failed, 2 usage, 3 restored, but newer delta snapshots are not applied, 4 no such bucket, object or file, 5 access denied, 6 network or timeout
(try again), 7 the snapshot is damaged, 8 a precondition is not met (member folder exists, etcd or another member is
running, disk full, no permission), 9 another restore works on this directory, 130 interrupted. Unless it exits 0 or 3 the target is as
it was.

Examples:
  strongroom-restore --data-dir /var/lib/etcd/ --store-container=etcd-backup --storage-provider=ECS \\
    --initial-cluster=controller-node1=https://10.6.212.10:2380 \\
    --initial-advertise-peer-urls=https://10.6.212.10:2380
  strongroom-restore --snapshot snapshot.db --data-dir /var/lib/etcd --name=kube-etcd-1 \\
    --initial-cluster-token=etcd-cluster-1 --initial-cluster=kube-etcd-0=https://...,kube-etcd-1=https://... \\
    --initial-advertise-peer-urls=https://kube-etcd-1.kube-etcd:2380";

/// A revision has 63 bits; half of the range is more than any cluster reaches.
const BUMP_MAX: u64 = 1 << 62;

/// The stores of etcdbrctl that this program can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StorageProvider {
    /// Any S3-compatible endpoint, configured with `ECS_*` variables.
    #[value(name = "ECS")]
    Ecs,
    /// AWS S3 or another endpoint, configured with `AWS_*` variables.
    #[value(name = "S3")]
    S3,
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
    /// The word `restore` is allowed, as in etcdbrctl, and has no effect.
    #[arg(value_parser = ["restore"], value_name = "restore")]
    pub command: Option<String>,

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

    /// Restore this file instead of the newest snapshot of a store: as saved by etcdctl, plain or compressed with gzip,
    /// zlib or zstd.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["storage_provider", "store_container", "store_prefix", "store_endpoint_override"]
    )]
    pub snapshot: Option<PathBuf>,

    /// The kind of store to fetch the newest full snapshot from.
    #[arg(long, value_enum, ignore_case = true, value_name = "PROVIDER")]
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
    #[arg(long)]
    pub clear_storage_version: bool,

    /// Raise the revision by this number above the snapshot's, so that no client sees a revision twice. For Kubernetes,
    /// 1000000000 is usual. Use the same value on all members.
    #[arg(
        long,
        value_name = "N",
        requires = "mark_compacted",
        value_parser = clap::value_parser!(u64).range(1..=BUMP_MAX)
    )]
    pub bump_revision: Option<u64>,

    /// Mark all revisions up to the raised one as compacted, so that watches fail and clients list again.
    #[arg(long, requires = "bump_revision")]
    pub mark_compacted: bool,

    /// Put the write-ahead log into this directory instead of DATA-DIR/member/wal; etcd then needs the same --wal-dir.
    #[arg(long, value_name = "DIR")]
    pub wal_dir: Option<PathBuf>,

    /// Accept a file without SHA-256 trailer, such as a database copied from a data directory, or with a wrong trailer.
    /// Every page and record is still checked.
    #[arg(long)]
    pub skip_hash_check: bool,

    /// Restore the full snapshot alone and exit 0, even if newer delta snapshots exist: what they hold is lost. Without
    /// this flag, such a restore exits 3.
    #[arg(long)]
    pub full_only: bool,

    /// Go on although members of the old or the new cluster run: only if they are already restored from the same snapshot,
    /// or are another cluster that goes on, or an etcd of this machine on another directory.
    #[arg(long)]
    pub ignore_running_members: bool,

    /// Make this user and group (names or numbers) the owner of everything created, such as etcd:etcd.
    #[arg(long, value_name = "USER[:GROUP]")]
    pub chown: Option<String>,

    /// Fetch and check the snapshot, ask the other members, and print the files and ids that a restore would create. Only
    /// a temporary file without a name is written, on the file system of DATA-DIR.
    #[arg(long)]
    pub dry_run: bool,

    /// Print the summary as JSON, also for a failed run.
    #[arg(long)]
    pub json: bool,

    /// Flags of etcdbrctl that have no effect here.
    #[command(flatten)]
    pub meaningless: MeaninglessFlags,
}

/// Flags that etcdbrctl and etcdutl need for their embedded etcd, their delta fetchers or their mmap. This program has none of
/// these, so it accepts each flag and warns that it has no effect.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct MeaninglessFlags {
    #[arg(long, hide = true)]
    embedded_etcd_quota_bytes: Option<String>,
    #[arg(long, hide = true)]
    max_fetchers: Option<String>,
    #[arg(long, hide = true)]
    max_call_send_message_size: Option<String>,
    #[arg(long, hide = true)]
    max_request_bytes: Option<String>,
    #[arg(long, hide = true)]
    max_txn_ops: Option<String>,
    #[arg(long, hide = true)]
    auto_compaction_mode: Option<String>,
    #[arg(long, hide = true)]
    auto_compaction_retention: Option<String>,
    #[arg(long, hide = true)]
    restoration_temp_snapshots_dir: Option<String>,
    #[arg(long, hide = true)]
    snapstore_temp_directory: Option<String>,
    #[arg(long, hide = true)]
    max_parallel_chunk_uploads: Option<String>,
    #[arg(long, hide = true)]
    min_chunk_size: Option<String>,
    #[arg(long, hide = true)]
    initial_memory_map_size: Option<String>,
}

impl MeaninglessFlags {
    /// The names of the flags that were given.
    pub(crate) fn typed(&self) -> Vec<&'static str> {
        [
            (
                "--embedded-etcd-quota-bytes",
                &self.embedded_etcd_quota_bytes,
            ),
            ("--max-fetchers", &self.max_fetchers),
            (
                "--max-call-send-message-size",
                &self.max_call_send_message_size,
            ),
            ("--max-request-bytes", &self.max_request_bytes),
            ("--max-txn-ops", &self.max_txn_ops),
            ("--auto-compaction-mode", &self.auto_compaction_mode),
            (
                "--auto-compaction-retention",
                &self.auto_compaction_retention,
            ),
            (
                "--restoration-temp-snapshots-dir",
                &self.restoration_temp_snapshots_dir,
            ),
            ("--snapstore-temp-directory", &self.snapstore_temp_directory),
            (
                "--max-parallel-chunk-uploads",
                &self.max_parallel_chunk_uploads,
            ),
            ("--min-chunk-size", &self.min_chunk_size),
            ("--initial-memory-map-size", &self.initial_memory_map_size),
        ]
        .into_iter()
        .filter(|(_, value)| value.is_some())
        .map(|(flag, _)| flag)
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<LowArgs, clap::Error> {
        LowArgs::try_parse_from([&["strongroom-restore"], line].concat())
    }

    /// The command of scenario S2, with and without the word `restore`.
    #[test]
    fn etcdbrctls_command_line_is_understood() {
        let typed = [
            "--data-dir",
            "/var/lib/etcd/",
            "--store-container=etcd-backup",
            "--storage-provider=ECS",
            "--initial-cluster=controller-node1=https://10.6.212.10:2380",
            "--initial-advertise-peer-urls=https://10.6.212.10:2380",
        ];
        let plain = parse(&typed).expect("the command people type");
        let with_word =
            parse(&[&["restore"], &typed[..]].concat()).expect("the same with etcdbrctl's word");
        assert_eq!(plain.storage_provider, Some(StorageProvider::Ecs));
        assert_eq!(plain.store_container.as_deref(), Some("etcd-backup"));
        assert_eq!(plain.data_dir, PathBuf::from("/var/lib/etcd/"));
        assert_eq!(
            LowArgs {
                command: None,
                ..with_word
            },
            plain
        );
    }

    #[test]
    fn flags_without_meaning_are_accepted_and_named() {
        let args = parse(&[
            "-d",
            "x",
            "--max-fetchers=6",
            "--embedded-etcd-quota-bytes",
            "8589934592",
        ])
        .expect("etcdbrctl's flags");
        assert_eq!(
            args.meaningless.typed(),
            ["--embedded-etcd-quota-bytes", "--max-fetchers"]
        );
    }

    #[test]
    fn a_file_and_a_store_exclude_each_other() {
        let error = parse(&["-d", "x", "--snapshot", "f", "--storage-provider=S3"])
            .expect_err("two sources");
        assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict);
    }

    /// As in etcdbrctl's own parser: the last value of a repeated flag is used; a repeated list flag adds up.
    #[test]
    fn repeated_flags_behave_as_in_etcdbrctl() {
        let line = [
            "-d",
            "x",
            "--name=a",
            "--name=b",
            "--initial-advertise-peer-urls=http://h:1",
        ];
        let args = parse(&[&line[..], &["--initial-advertise-peer-urls=http://h:2"]].concat())
            .expect("repeated");
        assert_eq!(args.name.as_deref(), Some("b"));
        assert_eq!(
            args.initial_advertise_peer_urls,
            ["http://h:1", "http://h:2"]
        );
    }

    /// As in etcdutl: each one alone is a usage error.
    #[test]
    fn bumping_and_marking_belong_together() {
        let line = |flags: &[&str]| parse(&[&["-d", "x", "--snapshot", "f"], flags].concat());
        let args = line(&["--bump-revision=1000000000", "--mark-compacted"]).expect("both");
        assert_eq!(args.bump_revision, Some(1_000_000_000));
        for flags in [
            &["--bump-revision=5"][..],
            &["--mark-compacted"],
            &["--bump-revision=0", "--mark-compacted"],
            &["--bump-revision=9223372036854775807", "--mark-compacted"],
            &["--bump-revision=-1", "--mark-compacted"],
        ] {
            assert!(line(flags).is_err(), "{flags:?}");
        }
    }

    #[test]
    fn unknown_words_and_flags_are_refused() {
        assert!(parse(&["compact", "-d", "x"]).is_err());
        assert!(parse(&["-d", "x", "--bump"]).is_err());
        assert!(
            parse(&["--snapshot", "f"]).is_err(),
            "--data-dir is required"
        );
    }
}
