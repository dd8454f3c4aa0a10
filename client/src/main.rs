//! The `strongroom` command. All code is in the library; this file only calls it.

use strongroom_client::cli;
use strongroom_client::environment::Environment;

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os(), &Environment::of_process()).into()
}
