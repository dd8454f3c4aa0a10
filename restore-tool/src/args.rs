//! The command line as typed: names, types and defaults; no environment and no files.
//!
//! The flags are those of `etcdbrctl restore` and `etcdutl snapshot restore`, so that in a runbook only the program's name
//! changes. [`crate::plan`] interprets the values.

mod ignored;
mod words;

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum, builder::ValueParser};

pub use ignored::IgnoredFlags;
pub use words::WordsError;

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
    #[arg(
        long,
        value_name = "FILE|s3://BUCKET/KEY",
        conflicts_with_all = ["store_container", "store_prefix"]
    )]
    pub snapshot: Option<PathBuf>,

    /// The kind of store, which decides the variables of the environment that are read.
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

impl LowArgs {
    /// The snapshot that was named by a flag or an argument: a path or an `s3://` address.
    ///
    /// # Errors
    /// The arguments name a command of another program, or several files.
    pub fn snapshot(&self) -> Result<Option<&Path>, WordsError> {
        words::file(&self.words, self.snapshot.as_deref())
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
        assert_eq!(with_word.snapshot(), Ok(None));
        assert_eq!(
            LowArgs {
                words: Vec::new(),
                ..with_word
            },
            plain
        );
    }

    /// etcdctl's and etcdutl's command lines, and a bare file.
    #[test]
    fn the_file_may_stand_where_etcds_tools_have_it() {
        let file = |words: &[&str]| {
            let args = parse(&[&["-d", "x"], words].concat()).expect("it parses");
            args.snapshot().map(|file| file.map(Path::to_owned))
        };
        let named = Ok(Some(PathBuf::from("snapshot.db")));
        for words in [
            &["snapshot.db"][..],
            &["restore", "snapshot.db"],
            &["snapshot", "restore", "snapshot.db"],
            &["snapshot", "restore", "--snapshot=snapshot.db"],
            &["--snapshot=snapshot.db"],
        ] {
            assert_eq!(file(words), named, "{words:?}");
        }
        assert_eq!(file(&["./restore"]), Ok(Some("./restore".into())));
        for words in [
            &["compact"][..],
            &["snapshot", "save", "snapshot.db"],
            &["snapshot", "status", "snapshot.db"],
            &["a.db", "b.db"],
            &["restore", "a.db", "--snapshot=b.db"],
        ] {
            assert!(file(words).is_err(), "{words:?}");
        }
    }

    /// Go's flag packages take `--flag=true` and `--flag=false` for any switch.
    #[test]
    fn a_switch_may_have_a_value() {
        let dry = |flag: &str| parse(&["-d", "x", flag]).map(|args| args.dry_run);
        for (flag, expected) in [
            ("--dry-run", true),
            ("--dry-run=true", true),
            ("--dry-run=1", true),
            ("--dry-run=false", false),
            ("--dry-run=F", false),
        ] {
            assert_eq!(dry(flag).expect("a boolean"), expected, "{flag}");
        }
        assert!(dry("--dry-run=yes").is_err());
        let args = parse(&[
            "--skip-hash-check",
            "-d",
            "x",
            "--mark-compacted=false",
            "f",
        ]);
        let args = args.expect("a switch does not take the next argument for its value");
        assert!(args.skip_hash_check && !args.mark_compacted);
    }

    #[test]
    fn flags_without_meaning_are_accepted_and_named() {
        let args = parse(&[
            "-d",
            "x",
            "--max-fetchers=6",
            "--embedded-etcd-quota-bytes",
            "8589934592",
            "--endpoints=https://10.0.0.1:2379",
            "--insecure-transport=false",
            "--password",
            "never-shown",
            "-w=json",
        ])
        .expect("flags of etcdbrctl and etcdctl");
        assert_eq!(
            args.ignored.warning().as_deref(),
            Some(
                "--embedded-etcd-quota-bytes, --max-fetchers, --write-out, --endpoints, --password, --insecure-transport \
                 have no effect here: the restore works offline, without an etcd"
            )
        );
        let none = parse(&["-d", "x"]).expect("nothing ignored");
        assert_eq!(none.ignored.warning(), None);
    }

    #[test]
    fn a_named_snapshot_and_a_prefix_exclude_each_other() {
        let error = parse(&["-d", "x", "--snapshot", "f", "--store-prefix=c1"]);
        let error = error.expect_err("two sources");
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

    #[test]
    fn unknown_flags_are_refused() {
        assert!(parse(&["-d", "x", "--bump"]).is_err());
        assert!(
            parse(&["--snapshot", "f"]).is_err(),
            "--data-dir is required"
        );
    }
}
