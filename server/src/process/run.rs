//! From arguments to an exit code: usage, configuration, log, then the command.

use std::ffi::OsString;
use std::io::Write;

use tokio::runtime::Builder;

use crate::config::{self, Command, Config, Environment};
use crate::process::{Exit, StartError, limits, offline, serve};
use crate::telemetry::log::{self, LogControl};

/// Runs the command named by the arguments, and returns the program's exit code.
pub fn run(args: Vec<OsString>, environment: &Environment) -> Exit {
    let command = match config::parse(args) {
        Ok(command) => command,
        Err(usage) => {
            // This includes `--help` and `--version`. If the reader has closed the pipe, nothing is lost.
            let _closed_pipe = usage.print();
            return if usage.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
        }
    };
    let flags = match command {
        Command::Serve(flags) => flags,
        Command::Doctor(flags) => return offline::doctor(&flags, environment),
        Command::Gc(flags) => return offline::gc_dry_run(&flags.offline, environment),
    };
    let config = match config::load(flags, environment) {
        Ok(config) => config,
        Err(error) => return refuse(&error.into()),
    };
    limits::keep_files_private();
    let log = log::start(&config.log_filter, config.log_format);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    match serve_until_stopped(config, log) {
        Ok(exit) => exit,
        Err(error) => {
            let (code, next) = (error.exit().code(), error.next_command());
            tracing::error!(exit_code = code, next, "strongroom-server ends: {error}");
            error.exit()
        }
    }
}

fn serve_until_stopped(config: Config, log: LogControl) -> Result<Exit, StartError> {
    let open_files = limits::raise_open_files();
    let runtime = Builder::new_multi_thread()
        .thread_name("strongroom")
        .max_blocking_threads(limits::BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .map_err(|source| StartError::System {
            what: "the runtime's threads cannot be started",
            source,
        })?;
    let ended = runtime.block_on(serve::serve(config, log, open_files));
    match ended {
        // Remaining calls end with the process, including one that hangs on a dead disk.
        Ok(Exit::Interrupted) => runtime.shutdown_background(),
        _ => runtime.shutdown_timeout(limits::RUNTIME_DRAIN),
    }
    ended
}

/// Prints an error that occurs before the log is started.
pub(super) fn refuse(error: &StartError) -> Exit {
    // If standard error cannot be written, the exit code still reports the failure.
    let _unwritable = writeln!(
        std::io::stderr(),
        "error: {error}\nnext: {}",
        error.next_command()
    );
    error.exit()
}
