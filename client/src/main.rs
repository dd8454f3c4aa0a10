//! The `strongroom` command. Everything is in the library; this only hands over the process.

use strongroom_client::cli;
use strongroom_client::environment::Environment;

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os(), &Environment::of_process()).into()
}
