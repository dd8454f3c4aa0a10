//! The program: command line and environment in, exit code out. All other code is in the library.

use std::{ffi::OsString, process::ExitCode};

use strongroom_restore::environment::Environment;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    strongroom_restore::main(&arguments, &Environment::read()).into()
}
