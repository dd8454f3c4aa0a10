//! What can be typed. No environment is read here: `settings` joins both, so that each rule can be tested as a value.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::exit;

/// Saves etcd snapshots into a Strongroom (or any S3) server, and lists them.
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
    /// Save and list etcd snapshots
    Snapshot {
        #[command(subcommand)]
        command: SnapshotCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SnapshotCommand {
    /// Save a snapshot of a running etcd into a file or straight into a bucket
    #[command(after_help = SAVE_HELP)]
    Save(SaveArguments),
    /// List the snapshots below a bucket's prefix, oldest first
    #[command(after_help = LIST_HELP)]
    List(ListArguments),
}

/// The flags of etcdctl, by its names, before or after the subcommand.
#[derive(Debug, Args)]
#[command(next_help_heading = "etcd (as etcdctl)")]
pub(super) struct EtcdArguments {
    /// etcd endpoints, comma separated; the first healthy voting member is asked [env: ETCDCTL_ENDPOINTS] [default: 127.0.0.1:2379]
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
    /// User, where etcd has authentication on; asks for the password unless it is given [env: ETCDCTL_USER]
    #[arg(long, global = true, value_name = "NAME[:PASSWORD]")]
    pub(super) user: Option<String>,
    /// Password for --user, visible in the process list: prefer the variable [env: ETCDCTL_PASSWORD]
    #[arg(long, global = true, value_name = "PASSWORD", hide = true)]
    pub(super) password: Option<String>,
}

/// Where the S3 server is. Credentials come from the environment only, since a command line is no secret.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "S3 (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN from the environment)"
)]
pub(super) struct S3Arguments {
    /// The server [env: STRONGROOM_S3_ENDPOINT, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL]
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
    /// Columns for people, or one JSON object for scripts
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) s3: S3Arguments,
}

/// How a listing is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    Table,
    Json,
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

Refused (exit code 8): learners, members without a leader, clusters with the alarm CORRUPT.
The SHA-256 that etcd sends last is compared before the object or file becomes visible.
Log detail: STRONGROOM_LOG=debug. Exit codes: strongroom --help";

const LIST_HELP: &str = "\
Example:
  strongroom snapshot list s3://etcd/prod-1 --s3-endpoint https://backup.example:9000
  strongroom snapshot list s3://etcd/prod-1 -o json | jq -r '.snapshots[-1].key'

REVISION is what the name says: a full snapshot holds at least that revision.
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
