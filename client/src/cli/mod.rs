//! The `strongroom` command: arguments in, one exit code out.
//!
//! `args` is the command line. `settings` turns it and the environment into plans (pure). A module per command
//! executes the plan. `report` prints. `forms` has etcdutl's output formats, `output` those of listings. Only results go to standard output; everything else
//! goes to standard error.

mod args;
mod diff;
mod failure;
mod foreign;
mod forms;
mod get;
mod groups;
mod hashkv;
mod key;
mod keys;
mod list;
mod output;
mod password;
mod report;
mod save;
mod settings;
mod source;
mod status;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use clap::Parser as _;
use strongroom_etcd_format::hashkv::At;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::environment::Environment;
use crate::exit::ExitCode;
use args::{Arguments, Command, HashkvArguments, SnapshotCommand, StatusArguments};
use failure::Failure;
use key::Reveal;

/// Two threads: one receives and hashes, the other sends. The hashing of parts runs on other threads.
const WORKER_THREADS: usize = 2;
/// The log filter unless STRONGROOM_LOG is set: this program's info messages, only warnings of its libraries.
const LOG_DEFAULT: &str = "warn,strongroom_client=info";

/// Runs the command line `arguments` (the program's name first) in `environment`.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe (`strongroom --help | head -1`) is not a failure.
            let _closed = error.print();
            return if error.use_stderr() {
                ExitCode::Usage
            } else {
                ExitCode::Ok
            };
        }
    };
    start_log(environment);
    let Command::Snapshot { command } = &arguments.command;
    let command = command.name();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(arguments, environment)),
        Err(source) => Err(Failure::Runtime(source)),
    };
    match outcome {
        Ok(()) => ExitCode::Ok,
        Err(failure) => {
            report::failure(&failure, command);
            failure.exit_code()
        }
    }
}

async fn dispatch(arguments: Arguments, environment: &Environment) -> Result<(), Failure> {
    let Command::Snapshot { command } = arguments.command;
    match command {
        SnapshotCommand::Save(save) => {
            let plan = settings::save_plan(&save, &arguments.etcd, environment, password::ask)?;
            Box::pin(save::run(plan, save.json, interrupted()?)).await
        }
        SnapshotCommand::List(list) => {
            list::run(settings::list_plan(&list, environment)?, list.output).await
        }
        SnapshotCommand::Get(get) => {
            let plan = settings::get_plan(&get, environment)?;
            Box::pin(get::run(plan, get.json, interrupted()?)).await
        }
        SnapshotCommand::Status(StatusArguments { look, s3 }) => {
            let plan = settings::look_plan(&look.snapshot, &s3, environment)?;
            Box::pin(status::run(plan, look.write_out, look.like)).await
        }
        SnapshotCommand::Hashkv(HashkvArguments { revision, look, s3 }) => {
            let plan = settings::look_plan(&look.snapshot, &s3, environment)?;
            // As in etcd's tools, 0 means the newest one.
            let at = revision
                .filter(|revision| *revision != 0)
                .map_or(At::Current, At::Revision);
            Box::pin(hashkv::run(plan, at, look.write_out, look.like)).await
        }
        SnapshotCommand::Keys(keys) => {
            let plan = settings::look_plan(&keys.snapshot, &keys.s3, environment)?;
            let grouping = settings::grouping(&keys.grouping);
            Box::pin(keys::run(plan, grouping, keys.output)).await
        }
        SnapshotCommand::Key(key) => {
            let plan = settings::look_plan(&key.snapshot, &key.s3, environment)?;
            let reveal = match (key.show_value, key.show_secret_values_in_clear) {
                (false, _) => Reveal::Hidden,
                (true, false) => Reveal::ButSecrets,
                (true, true) => Reveal::All,
            };
            Box::pin(key::run(plan, key.etcd_key.into_vec(), reveal, key.output)).await
        }
        SnapshotCommand::Diff(diff) => {
            let plan = settings::diff_plan(&diff, environment)?;
            let grouping = settings::grouping(&diff.grouping);
            Box::pin(diff::run(plan, grouping, diff.keys, diff.output)).await
        }
    }
}

/// Completes when the user or the system asks this program to stop.
fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Runtime)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Failure::Runtime)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

fn start_log(environment: &Environment) {
    let filter = environment.get("STRONGROOM_LOG").unwrap_or(LOG_DEFAULT);
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    // A second start in one process (tests) keeps the first log.
    let _already = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(report::stderr_is_terminal())
        .with_target(false)
        .without_time()
        .try_init();
}
