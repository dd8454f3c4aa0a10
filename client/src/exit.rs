//! The exit codes that all three programs share.
//!
//! Scripts and cron jobs depend on these numbers, so the meaning of a released code never changes.

/// The exit code of a finished program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// Success.
    Ok,
    /// Failure without a more specific code.
    Failed,
    /// The command line is wrong, or a confirmation was refused.
    Usage,
    /// Partial success.
    Partial,
    /// The bucket, object or snapshot does not exist.
    NotFound,
    /// Wrong credentials, no permission, or a peer that cannot prove its identity.
    Auth,
    /// Network failure, timeout or overloaded server: try again.
    Network,
    /// Data is damaged.
    Integrity,
    /// A precondition is not met: etcd is running, a directory is in use, a disk is full, a member is not a suitable source.
    Precondition,
    /// Another process holds the file or directory.
    HeldElsewhere,
    /// A promised objective was missed.
    Objective,
    /// A signal stopped it; it cleaned up first.
    Interrupted,
}

impl ExitCode {
    /// The process exit code.
    pub fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::NotFound => 4,
            Self::Auth => 5,
            Self::Network => 6,
            Self::Integrity => 7,
            Self::Precondition => 8,
            Self::HeldElsewhere => 9,
            Self::Objective => 10,
            Self::Interrupted => 130,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

/// The table in the output of `--help`.
pub const HELP: &str = "Exit codes: 0 ok, 1 failed, 2 usage, 3 partial, 4 not found, 5 auth, 6 network or timeout \
(try again), 7 integrity failure, 8 precondition (unfit member, disk full, directory in use), 9 held elsewhere, \
10 objective broken, 130 interrupted";
