//! The command line as it was typed; other modules resolve it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The commands of the program.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(ServeFlags),
    /// Check a store: every row, every checksum; nothing is changed
    Doctor(OfflineFlags),
    /// Print what a garbage collection would free; nothing is changed
    Gc(GcFlags),
}

/// Flags of `serve`. The last of repeated ones counts. Credentials have no flags, because process lists show flags.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = SERVE_HELP, args_override_self = true, max_term_width = 120)]
pub struct ServeFlags {
    /// Directory of the store; created when missing [env: STRONGROOM_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address for S3 clients [env: STRONGROOM_LISTEN] [default: 0.0.0.0:9000]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Address for health, readiness and metrics [env: STRONGROOM_ADMIN_LISTEN] [default: 127.0.0.1:9001, or a free
    /// port when that is taken]
    #[arg(long, value_name = "ADDR")]
    pub admin_listen: Option<String>,
    /// Configuration file, TOML [env: STRONGROOM_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Flags of commands on the store of a stopped server.
#[derive(Debug, Clone, Args)]
#[command(after_help = OFFLINE_HELP, args_override_self = true, max_term_width = 120)]
pub struct OfflineFlags {
    /// Directory of the store [env: STRONGROOM_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `gc`.
#[derive(Debug, Clone, Args)]
pub struct GcFlags {
    /// Required: a running server collects by itself, and shows it on its admin address under /jobs
    #[arg(long, required = true)]
    pub dry_run: bool,
    /// Which store, and how to print.
    #[command(flatten)]
    pub offline: OfflineFlags,
}

const OFFLINE_HELP: &str = "\
The server must not run. Reads the whole store, so it takes as long as the disk needs for that.

Exit codes: 0 nothing wrong; 1 failed; 2 wrong usage; 5 no permission; 7 something is damaged; 8 directory in use.";

const SERVE_HELP: &str = "\
Environment (a flag wins over it, it wins over the file; an empty variable counts as unset):
  STRONGROOM_ROOT_USER, STRONGROOM_ROOT_PASSWORD   required; MINIO_ROOT_USER and MINIO_ROOT_PASSWORD are understood
  STRONGROOM_ROOT_USER_FILE, ..._PASSWORD_FILE     files that hold them instead
  STRONGROOM_BUCKETS=a,b                           buckets to create at start
  STRONGROOM_LOG=FILTER                            such as debug, or warn,strongroom_server::s3=debug
  STRONGROOM_LOG_FORMAT=auto|json|text             auto: text on a terminal, JSON otherwise
  STRONGROOM_SHUTDOWN_SECS=25                      how long requests in flight may take after SIGTERM
  STRONGROOM_GC_INTERVAL_SECS=600                  wait between two garbage collections
  STRONGROOM_GC_GRACE_SECS=3600                    how long the file of an unused pack stays
  STRONGROOM_GC_QUARANTINE_SECS=604800             how long a pack with bodies that no row names stays
  STRONGROOM_PACK_MIB=64                           size of the files that hold objects' bytes

Exit codes: 0 ended by a signal, all finished; 1 failed; 2 wrong usage or configuration; 5 no permission;
7 the store is damaged; 8 directory in use or address taken; 130 ended by a second signal.";

#[derive(Debug, Parser)]
#[command(
    name = "strongroom-server",
    version,
    about = "S3 storage that understands etcd snapshots"
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// Reads the arguments, the program's name first.
///
/// # Errors
/// Wrong usage, and also `--help` and `--version`, which clap treats alike; the error prints itself.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    CommandLine::try_parse_from(args).map(|line| line.command)
}
