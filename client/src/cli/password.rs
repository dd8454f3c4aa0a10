//! Asking for a password on the terminal, without showing it.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::s3::Secret;

/// The password typed for `user`; `None` where there is no terminal to ask on.
pub(super) fn ask(user: &str) -> Option<Secret> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return None;
    }
    write!(io::stderr(), "Password for etcd user {user}: ").ok()?;
    let shown = tcgetattr(&stdin).ok()?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden).ok()?;
    let _restore = Restore(shown);
    let mut line = String::new();
    stdin.lock().read_line(&mut line).ok()?;
    Some(Secret::new(line.trim_end_matches(['\r', '\n'])))
}

/// Puts the terminal back as it was.
struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        let _gone = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
