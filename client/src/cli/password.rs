//! Prompts for a password on the terminal, without echo.

use std::io::{self, IsTerminal as _};

use crate::s3::Secret;

/// The password typed for `user`; `None` without a terminal: a job must fail instead of wait.
pub(super) fn ask(user: &str) -> Option<Secret> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let typed = rpassword::prompt_password(format!("Password for etcd user {user}: ")).ok()?;
    Some(Secret::new(typed))
}
