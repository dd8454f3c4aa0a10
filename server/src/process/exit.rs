//! Exit codes that scripts may rely on.
//!
//! All three programs use the same numbers. They never name each other, so each has an enum of its own.

use std::process::ExitCode;

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success. The server was told to stop and finished the requests in flight.
    Ok = 0,
    /// A failure without a number of its own.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// A required file or directory does not exist.
    NotFound = 4,
    /// Permission denied.
    Permission = 5,
    /// Stored data is damaged.
    Integrity = 7,
    /// Something else must change first: the directory is in use, the address is taken, the disk is full.
    Precondition = 8,
    /// A second signal ended the server at once.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        #[expect(
            clippy::as_conversions,
            reason = "a fieldless enum with `repr(u8)` has no other conversion"
        )]
        {
            self as u8
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_a_promise() {
        let all = [
            (Exit::Ok, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::NotFound, 4),
            (Exit::Permission, 5),
            (Exit::Integrity, 7),
            (Exit::Precondition, 8),
            (Exit::Interrupted, 130),
        ];
        for (exit, number) in all {
            assert_eq!(exit.code(), number, "{exit:?}");
        }
    }
}
