//! The program: command line and environment in, exit code out. All other code is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use strongroom_restore::{args::LowArgs, environment::Environment};

fn main() -> ExitCode {
    // A wrong command line ends here with exit code 2, `--help` with 0.
    let args = LowArgs::parse();
    strongroom_restore::run(args, &Environment::read()).into()
}
