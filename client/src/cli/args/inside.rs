//! The commands that look into a snapshot: its keys, one key, and what two snapshots do not share.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::S3Arguments;
use crate::cli::output::Output;

/// Deeper folders than keys have.
const DEPTH_MAX: u16 = 1_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct KeysArguments {
    /// The snapshot: a file (read in place, never written to) or an object; plain, gzip, zlib, zstd or Go's LZW
    #[arg(value_name = "FILE|s3://BUCKET/KEY")]
    pub(in crate::cli) snapshot: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) grouping: GroupingArguments,
    /// Columns for people, or a form for programs
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(in crate::cli) output: Output,
    #[command(flatten)]
    pub(in crate::cli) s3: S3Arguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GroupingArguments {
    /// Only keys with this prefix
    #[arg(
        long,
        value_name = "PREFIX",
        default_value = "",
        hide_default_value = true
    )]
    pub(in crate::cli) prefix: OsString,
    /// Levels of folders below the prefix; of Kubernetes' keys, 1 is the resource and 2 the namespace
    #[arg(long, value_name = "LEVELS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(DEPTH_MAX)))]
    pub(in crate::cli) depth: u16,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct KeyArguments {
    /// The snapshot, as for `snapshot keys`
    #[arg(value_name = "FILE|s3://BUCKET/KEY")]
    pub(in crate::cli) snapshot: PathBuf,
    /// The whole key in etcd
    #[arg(value_name = "ETCD-KEY")]
    pub(in crate::cli) etcd_key: OsString,
    /// Show the value, unless the key is that of a Secret
    #[arg(long)]
    pub(in crate::cli) show_value: bool,
    /// With --show-value: show values of Secrets, too. They end up in the scrollback of the terminal, and in logs
    #[arg(long, requires = "show_value")]
    pub(in crate::cli) show_secret_values_in_clear: bool,
    /// Lines for people, or a form for programs
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(in crate::cli) output: Output,
    #[command(flatten)]
    pub(in crate::cli) s3: S3Arguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DiffArguments {
    /// The older snapshot, as for `snapshot keys`
    #[arg(value_name = "OLD")]
    pub(in crate::cli) old: PathBuf,
    /// The newer snapshot
    #[arg(value_name = "NEW")]
    pub(in crate::cli) new: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) grouping: GroupingArguments,
    /// List the keys that differ, not their groups
    #[arg(long)]
    pub(in crate::cli) keys: bool,
    /// Columns for people, or a form for programs
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(in crate::cli) output: Output,
    #[command(flatten)]
    pub(in crate::cli) s3: S3Arguments,
}

pub(super) const KEYS_HELP: &str = "\
Counts the keys that are alive at the snapshot's revision, by folder, the largest first. Everything is verified first, as by
'snapshot status'; no value is shown.

Examples:
  What fills this database:
    strongroom snapshot keys /var/backups/etcd.db
  By namespace:
    strongroom snapshot keys /var/backups/etcd.db --depth 2 -o wide
    strongroom snapshot keys s3://etcd/prod-1/v2/Full-00000000-00000060-1795340653.gz --prefix /registry/events/
At most 10,000 groups are told apart; the others are summed. Memory: 17 to 38 bytes for each key written since the last compaction.
Exit codes: strongroom --help";

pub(super) const KEY_HELP: &str = "\
Shows revisions, version, lease, and the size and SHA-256 of the value. Everything is verified first, as by 'snapshot status'.
The value itself is shown by --show-value: text as it is, other bytes (Kubernetes' protobuf) as base64. Values of Kubernetes'
Secrets (any key with a folder 'secrets') stay masked even then, unless --show-secret-values-in-clear is given, too.

Examples:
  strongroom snapshot key /var/backups/etcd.db /registry/configmaps/kube-system/coredns
  strongroom snapshot key s3://etcd/prod-1/v2/Full-00000000-00000060-1795340653 app/config --show-value -o json
A key that is not alive at the snapshot's revision is not found (exit code 4). Exit codes: strongroom --help";

pub(super) const DIFF_HELP: &str = "\
Compares the live keys of two snapshots by their values: a key that was written again with the same value is the same. Both are
verified first, as by 'snapshot status'. They need not be of one cluster.

Examples:
  What changed since yesterday:
    strongroom snapshot diff s3://etcd/prod-1/v2/Full-00000000-00000060-1795340653 \\
      s3://etcd/prod-1/v2/Full-00000000-00000900-1795427053
  Which ConfigMaps, of which names:
    strongroom snapshot diff yesterday.db today.db --prefix /registry/configmaps/ --keys
At most 7,340,032 keys of OLD are compared (200 MiB of memory); for more, give a --prefix. --keys lists at most 100,000 keys.
Exit codes: strongroom --help";
