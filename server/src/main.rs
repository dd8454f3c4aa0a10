//! `strongroom-server`: passes its arguments and environment to the library and exits with its exit code.

use std::process::ExitCode;

use strongroom_server::{config, process};

fn main() -> ExitCode {
    let (args, environment) = config::from_process();
    process::run(args, &environment).into()
}
