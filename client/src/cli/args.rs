//! The command line. This module does not read the environment: `settings` combines both, so that each rule can be tested as a
//! value.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::forms::{Form, Minor};
use super::output::Output;
use crate::exit;

mod inside;

pub(super) use inside::{DiffArguments, GroupingArguments, KeyArguments, KeysArguments};

/// Saves etcd snapshots into a Strongroom (or any S3) server, lists, gets and inspects them.
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, after_help = exit::HELP, propagate_version = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) etcd: EtcdArguments,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Save, list, get and inspect etcd snapshots
    Snapshot {
        #[command(subcommand)]
        command: SnapshotCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SnapshotCommand {
    /// Save a snapshot of a running etcd into a file or directly into a bucket
    #[command(after_help = SAVE_HELP)]
    Save(SaveArguments),
    /// List the snapshots under a bucket's prefix, oldest first
    #[command(after_help = LIST_HELP)]
    List(ListArguments),
    /// Get one snapshot from a bucket into a file, unpacked and verified
    #[command(after_help = GET_HELP)]
    Get(GetArguments),
    /// Verify a snapshot and print the output of `etcdutl snapshot status`, and its members
    #[command(after_help = STATUS_HELP)]
    Status(StatusArguments),
    /// Print the hash of a snapshot's history, as `etcdutl hashkv` does
    #[command(after_help = HASHKV_HELP)]
    Hashkv(HashkvArguments),
    /// Count a snapshot's keys by folder, with their sizes
    #[command(after_help = inside::KEYS_HELP)]
    Keys(KeysArguments),
    /// Show one key of a snapshot; its value only if asked for
    #[command(after_help = inside::KEY_HELP)]
    Key(KeyArguments),
    /// Compare the keys of two snapshots
    #[command(after_help = inside::DIFF_HELP)]
    Diff(DiffArguments),
}

impl SnapshotCommand {
    /// Its name, as typed.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Save(_) => "save",
            Self::List(_) => "list",
            Self::Get(_) => "get",
            Self::Status(_) => "status",
            Self::Hashkv(_) => "hashkv",
            Self::Keys(_) => "keys",
            Self::Key(_) => "key",
            Self::Diff(_) => "diff",
        }
    }
}

/// The flags of etcdctl, with the same names, before or after the subcommand.
#[derive(Debug, Args)]
#[command(next_help_heading = "etcd (as etcdctl)")]
pub(super) struct EtcdArguments {
    /// etcd endpoints, comma separated; uses the first healthy voting member [env: ETCDCTL_ENDPOINTS] [default: 127.0.0.1:2379]
    #[arg(long, global = true, value_delimiter = ',', value_name = "URL,...")]
    pub(super) endpoints: Vec<String>,
    /// The CA that signed etcd's certificates [env: ETCDCTL_CACERT]
    #[arg(long, global = true, value_name = "PEM-FILE")]
    pub(super) cacert: Option<PathBuf>,
    /// The client certificate [env: ETCDCTL_CERT]
    #[arg(long, global = true, value_name = "PEM-FILE")]
    pub(super) cert: Option<PathBuf>,
    /// The client certificate's key [env: ETCDCTL_KEY]
    #[arg(long, global = true, value_name = "PEM-FILE")]
    pub(super) key: Option<PathBuf>,
    /// User, if etcd has authentication enabled; prompts for the password unless it is given [env: ETCDCTL_USER]
    #[arg(long, global = true, value_name = "NAME[:PASSWORD]")]
    pub(super) user: Option<String>,
    /// Password for --user, visible in the process list: prefer the variable [env: ETCDCTL_PASSWORD]
    #[arg(long, global = true, value_name = "PASSWORD", hide = true)]
    pub(super) password: Option<String>,
}

/// The S3 server. Credentials come only from the environment, since a command line is not secret.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "S3 (credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, or ECS_ACCESS_KEY_ID, ECS_SECRET_ACCESS_KEY)"
)]
pub(super) struct S3Arguments {
    /// The server [env: STRONGROOM_S3_ENDPOINT, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, ECS_ENDPOINT]
    #[arg(long = "s3-endpoint", value_name = "URL")]
    pub(super) endpoint: Option<String>,
    /// The region to sign for [env: AWS_REGION, AWS_DEFAULT_REGION] [default: us-east-1]
    #[arg(long = "s3-region", value_name = "REGION")]
    pub(super) region: Option<String>,
    /// The CA that signed the server's certificate [env: AWS_CA_BUNDLE] [default: the system's]
    #[arg(long = "s3-ca-bundle", value_name = "PEM-FILE")]
    pub(super) ca_bundle: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SaveArguments {
    /// The file to save into (written as FILE.part, readable by the owner only)
    #[arg(
        value_name = "FILE",
        required_unless_present = "to",
        conflicts_with = "to"
    )]
    pub(super) file: Option<PathBuf>,
    /// The bucket and prefix to save into, as PREFIX/v2/Full-00000000-REVISION-TIME; no local copy is made
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    pub(super) to: Option<String>,
    /// Fail (exit code 8) unless an endpoint is a voting member with a leader: for regular jobs
    #[arg(long)]
    pub(super) require_leader: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) s3: S3Arguments,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// The bucket and prefix
    #[arg(value_name = "s3://BUCKET/PREFIX")]
    pub(super) place: String,
    /// Columns for people, or a form for scripts
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) s3: S3Arguments,
}

#[derive(Debug, Args)]
pub(super) struct GetArguments {
    /// The object; plain, gzip, zlib, zstd or Go's LZW
    #[arg(value_name = "s3://BUCKET/KEY")]
    pub(super) object: String,
    /// The file to write (as FILE.part until it is verified, readable by the owner only)
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) s3: S3Arguments,
}

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    #[command(flatten)]
    pub(super) look: LookArguments,
    #[command(flatten)]
    pub(super) s3: S3Arguments,
}

#[derive(Debug, Args)]
pub(super) struct HashkvArguments {
    /// Hash the history up to this revision [default: the newest]
    #[arg(long = "rev", value_name = "REVISION", allow_negative_numbers = true)]
    pub(super) revision: Option<i64>,
    #[command(flatten)]
    pub(super) look: LookArguments,
    #[command(flatten)]
    pub(super) s3: S3Arguments,
}

/// The snapshot, and the output format.
#[derive(Debug, Args)]
pub(super) struct LookArguments {
    /// The snapshot: a file (read in place, never written to) or an object; plain, gzip, zlib, zstd or Go's LZW
    #[arg(value_name = "FILE|s3://BUCKET/KEY")]
    pub(super) snapshot: PathBuf,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Form::Simple, value_name = "FORMAT")]
    pub(super) write_out: Form,
    /// Print exactly the output of this etcd version's tool [default: that of 3.7, followed by our own lines]
    #[arg(
        long = "etcd",
        value_enum,
        value_name = "VERSION",
        hide_possible_values = false
    )]
    pub(super) like: Option<Minor>,
}

const SAVE_HELP: &str = "\
Examples:
  On a kubeadm master, into the bucket 'etcd' under this cluster's prefix:
    export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...
    strongroom snapshot save --to s3://etcd/prod-1 --s3-endpoint https://backup.example:9000 \\
      --endpoints https://127.0.0.1:2379 --cacert /etc/kubernetes/pki/etcd/ca.crt \\
      --cert /etc/kubernetes/pki/etcd/server.crt --key /etc/kubernetes/pki/etcd/server.key
  Into a file:
    strongroom snapshot save /var/backups/etcd.db --endpoints 127.0.0.1:2379

The first voting member with a leader is used. If there is none (the quorum is lost, or only learners are named), the member
with the newest data is, with a warning here and in the report: its newest writes may be missing. Keep that file before any
attempt at recovery. Jobs refuse it by --require-leader. Clusters with the alarm CORRUPT are refused (exit code 8).
The SHA-256 that etcd sends last is compared before the object or file becomes visible.
Log detail: STRONGROOM_LOG=debug. Exit codes: strongroom --help";

const LIST_HELP: &str = "\
Example:
  strongroom snapshot list s3://etcd/prod-1 --s3-endpoint https://backup.example:9000
  strongroom snapshot list s3://etcd/prod-1 -o json | jq -r '.snapshots[-1].key'

REVISION is what the name says: a full snapshot holds at least that revision. Snapshots of other writers (k3s, rke2, kOps, Talos,
plain snapshot.db) have the kind 'other'; their TIME is that in the name, or else that of storing. What they hold:
  strongroom snapshot status s3://BUCKET/KEY
Exit codes: strongroom --help";

const GET_HELP: &str = "\
FILE is the plain snapshot, as etcdutl and strongroom-restore --snapshot take it. It appears only after its SHA-256 trailer,
every page and every record were checked; a damaged one leaves nothing (exit code 7): get the one before it.
The folder of FILE needs room for twice the unpacked snapshot.

Examples:
  The snapshot of a certain time, for all masters:
    strongroom snapshot list s3://etcd/prod-1
    strongroom snapshot get s3://etcd/prod-1/v2/Full-00000000-00000060-1795340653 /var/backups/etcd.db
    scp -p /var/backups/etcd.db master-2:/var/backups/   (and master-3), then on each: strongroom-restore --snapshot /var/backups/etcd.db ...
Exit codes: strongroom --help";

const STATUS_HELP: &str = "\
Everything is verified first: the SHA-256 trailer, every page, every record. Nothing is printed of a damaged snapshot.

Output:
  simple   hash, revision, total keys, total size, version: one line, as etcdutl 3.6 and 3.7 print it
  table    the same as a table; below it verify state, entries, compaction, cluster, members, alarms
  json     etcdutl's names first (hash, revision, totalKey, totalSize, version), then totalEntries, verify, members ...
  fields   the same, one name per line

Keys are counted in two ways: totalKey is the number of keys alive (etcdutl 3.6 and later), totalEntries the number of
entries in all buckets (what etcdctl 3.4 and etcdutl 3.5 call total keys). With --etcd 3.5 the output is that of 3.5.
The cluster's id is in no snapshot: the one shown is what etcd gives to a cluster founded or restored with these members.
A file without trailer (copied from a data directory) is told on standard error and as verify.state noTrailer.

Examples:
  strongroom snapshot status /var/backups/etcd.db -w table
  strongroom snapshot status s3://etcd/prod-1/v2/Full-00000000-00000060-1795340653.gz -w json | jq .verify
Objects and packed files need room for the whole database in TMPDIR (default /tmp); the files there have no name and
vanish with the process. Exit codes: strongroom --help";

const HASHKV_HELP: &str = "\
Two databases with the same hash at the same revision and the same compact revision hold the same history: compare with
'etcdctl endpoint hashkv --rev REVISION' of a running cluster. The snapshot is verified first.

Output: hash, hash revision, compact revision (-1: never compacted), as etcdutl 3.6 and 3.7 print them.
A revision below the compacted one, or beyond the newest, is not found (exit code 4). With --etcd 3.4 the compacted
revision itself is refused, too, as etcd 3.4 does. A running etcd from 3.5 on answers for exactly the revision of its
last compactions with a hash that it took before it deleted rows: compare at a later revision.

Examples:
  strongroom snapshot hashkv /var/backups/etcd.db
  strongroom snapshot hashkv s3://etcd/prod-1/v2/Full-00000000-00000060-1795340653 --rev 42 -w json
Exit codes: strongroom --help";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn etcdctl_habits_work_on_both_sides_of_the_subcommand() {
        let before = [
            "strongroom",
            "--endpoints=a:1,b:2",
            "--cacert",
            "ca",
            "snapshot",
            "save",
            "x.db",
        ];
        let after = [
            "strongroom",
            "snapshot",
            "save",
            "x.db",
            "--endpoints=a:1,b:2",
            "--cacert",
            "ca",
        ];
        for line in [before, after] {
            let arguments = Arguments::try_parse_from(line).expect("parses");
            assert_eq!(arguments.etcd.endpoints, ["a:1", "b:2"]);
            assert_eq!(arguments.etcd.cacert, Some(PathBuf::from("ca")));
        }
    }

    #[test]
    fn every_command_explains_itself_with_an_example() {
        let mut command = Arguments::command();
        let snapshot = command
            .find_subcommand_mut("snapshot")
            .expect("it is there");
        for name in [
            "save", "list", "get", "status", "hashkv", "keys", "key", "diff",
        ] {
            let help = snapshot
                .find_subcommand_mut(name)
                .expect("it is there")
                .render_long_help()
                .to_string();
            assert!(
                help.contains(&format!("strongroom snapshot {name} ")),
                "{help}"
            );
            assert!(help.contains("Exit codes"), "{help}");
        }
    }

    #[test]
    fn etcdutls_flags_are_taken() {
        for line in [
            ["status", "x.db", "-w", "fields"],
            ["status", "x.db", "--write-out", "table"],
            ["hashkv", "x.db", "--rev", "7"],
            ["status", "s3://etcd/key", "--etcd", "3.5"],
        ] {
            let line = ["strongroom", "snapshot"].into_iter().chain(line);
            assert!(Arguments::try_parse_from(line).is_ok());
        }
    }

    #[test]
    fn a_save_needs_exactly_one_destination() {
        for line in [
            vec!["strongroom", "snapshot", "save"],
            vec![
                "strongroom",
                "snapshot",
                "save",
                "x.db",
                "--to",
                "s3://etcd",
            ],
            vec!["strongroom", "snapshot"],
            vec!["strongroom", "snapshot", "list"],
        ] {
            assert!(Arguments::try_parse_from(&line).is_err(), "{line:?}");
        }
    }
}
