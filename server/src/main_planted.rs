//! `strongroom-server-planted`: the server with one bug chosen by the environment, to see the fault suites fail.

use std::process::ExitCode;

use strongroom_server::store::testing::switches;
use strongroom_server::{config, process};

fn main() -> ExitCode {
    let (args, environment) = config::from_process();
    if let Some(name) = environment.planted_bug()
        && let Err(known) = switches::plant(&name)
    {
        eprintln!("{} is one of {known}", switches::VARIABLE);
        return ExitCode::from(2);
    }
    process::run(args, &environment).into()
}
