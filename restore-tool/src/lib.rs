//! `strongroom-restore`: rebuilds an etcd data directory from a snapshot, offline.
//!
//! A run: [`args`] (as typed) and [`environment`] become a [`plan`] (valid). `running_etcd` and `peers` look for members that
//! still run. `source` finds and fetches the snapshot. `arrival`
//! decompresses it into the staging directory that `staging` created in the target. `image` checks every page and record and
//! gives the database its new membership. One rename puts it in place, and `report` prints the result.
//!
//! Invariants: only the staging directory is written before the rename, and any failure or signal before the rename leaves the
//! target unchanged; memory does not grow with the snapshot; no RocksDB, gRPC, OpenSSL or C resolver is linked; of other
//! machines, only the store and the peer URLs of members (given or in the snapshot) are contacted; only [`environment`] reads the environment, and only `clock` reads the clock.

pub mod args;
pub mod environment;
pub mod error;
pub mod plan;
pub mod report;

mod arrival;
mod building;
mod chain;
mod clock;
mod cluster;
mod commit_marker;
mod console;
mod credentials;
mod examined;
mod image;
mod interrupt;
mod left_out;
mod old_directory;
mod owner;
mod paths;
mod peers;
mod preview;
mod probe;
mod run;
mod running_etcd;
mod source;
mod space;
mod staging;
mod write_behind;

pub use interrupt::Interrupted;
pub use owner::OwnerError;

use std::{
    ffi::OsString,
    io::{IsTerminal as _, Write as _, stderr, stdout},
    sync::Arc,
};

use strongroom_client::exit::ExitCode;

use crate::{
    args::{LowArgs, Unread},
    console::{Console, lines},
    environment::Environment,
    error::{PlanError, RestoreError},
    interrupt::StopSignals,
    plan::RestorePlan,
    report::json,
    run::Done,
    staging::CommitMarker,
};

/// Reads the command line, restores and reports the result.
pub fn main(arguments: &[OsString], environment: &Environment) -> ExitCode {
    match LowArgs::read(arguments) {
        Ok(args) => run(args, environment),
        Err(Unread::Help(text)) => {
            print(&text);
            ExitCode::Ok
        }
        Err(Unread::Refused { message, json }) => {
            let form = if json { Form::Json } else { Form::Text };
            let error = PlanError::CommandLine { message };
            fail(&error.into(), form, &Console::default())
        }
    }
}

/// Plans, restores and reports the result.
pub fn run(args: LowArgs, environment: &Environment) -> ExitCode {
    log_warnings();
    let form = if args.json { Form::Json } else { Form::Text };
    let console = Arc::new(Console::default());
    match plan_and_run(args, environment, &console) {
        Ok(Done::Restored(report, markers)) => {
            print(&match form {
                Form::Text => report.to_string(),
                Form::Json => json::report(&report),
            });
            let code = match report.examined.unapplied {
                Some(deltas) if !report.full_only => {
                    console.line(format_args!("Restored the full snapshot only: {deltas}."));
                    console.line(lines::NEXT_AFTER_PARTIAL);
                    ExitCode::Partial
                }
                _ => {
                    console.line(lines::SUCCESS);
                    ExitCode::Ok
                }
            };
            // ORDER: after the last message. A run that is killed earlier has not reported success, so the next run may start
            // again.
            markers.into_iter().for_each(CommitMarker::remove);
            code
        }
        Ok(Done::Previewed(preview)) => {
            print(&match form {
                Form::Text => preview.to_string(),
                Form::Json => json::preview(&preview),
            });
            ExitCode::Ok
        }
        Err(error) => fail(&error, form, &console),
    }
}

/// Reports a failure: what, why, and the next command to type.
fn fail(error: &RestoreError, form: Form, console: &Console) -> ExitCode {
    console.line(format_args!("error: {}", error.full_message()));
    console.line(format_args!("next: {}", error.next_step()));
    if form == Form::Json {
        print(&json::failure(error, &console.warnings()));
    }
    error.exit_code()
}

/// The output format of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

/// A closed stdout does not make a restore fail.
fn print(text: &str) {
    let mut out = stdout().lock();
    let _closed = write!(out, "{text}").and_then(|()| out.flush());
}

fn plan_and_run(
    args: LowArgs,
    environment: &Environment,
    console: &Arc<Console>,
) -> Result<Done, RestoreError> {
    let plan = RestorePlan::new(args, environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(RestoreError::Start)?;
    runtime.block_on(supervise(plan, Arc::clone(console)))
}

/// Runs the steps on a blocking thread and turns signals into an interrupt. Always waits for the end of the steps, so that they
/// can clean up.
async fn supervise(plan: RestorePlan, console: Arc<Console>) -> Result<Done, RestoreError> {
    let mut signals = StopSignals::install().map_err(RestoreError::Start)?;
    let (trigger, interrupt) = interrupt::channel();
    let runtime = tokio::runtime::Handle::current();
    let mut work =
        tokio::task::spawn_blocking(move || run::run(&plan, &console, &interrupt, &runtime));
    loop {
        tokio::select! {
            done = &mut work => match done {
                Ok(result) => return result,
                Err(failure) => std::panic::resume_unwind(failure.into_panic()),
            },
            () = signals.next() => trigger.raise(),
        }
    }
}

/// Also sends the libraries' warnings (retries, a broken resolv.conf) to stderr.
fn log_warnings() {
    let _installed_before = tracing_subscriber::fmt()
        .with_writer(stderr)
        .with_max_level(tracing::Level::WARN)
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        .without_time()
        .try_init();
}
