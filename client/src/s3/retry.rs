//! Decides which failed tries are repeated, and the pauses between them. Pure decisions; nothing waits here.

use std::time::Duration;

use super::config::Limits;

/// Whether a call may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Sending it twice has the same effect as sending it once.
    Safe,
    /// A second call has a side effect (a second open upload): repeat it only if the server certainly did not execute the first.
    UnlessDone,
}

/// The result of a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    /// No connection was made.
    NotSent,
    /// The peer cannot prove its identity.
    Distrusted,
    /// The connection broke after sending had started.
    Broken,
    /// A time limit was exceeded.
    TimedOut,
    /// An answer other than success.
    Answered { status: u16, code: &'a str },
    /// An answer that cannot be read.
    Unreadable,
}

/// Whether a retry makes sense.
pub(super) fn worth_repeating(outcome: Outcome<'_>, repeat: Repeat) -> bool {
    match outcome {
        Outcome::NotSent => true,
        Outcome::Distrusted | Outcome::Unreadable => false,
        Outcome::Broken | Outcome::TimedOut => repeat == Repeat::Safe,
        Outcome::Answered { status, code } => {
            let refused = matches!(status, 429 | 503) || code == "SlowDown";
            let transient = matches!(status, 408 | 500 | 502 | 504)
                || matches!(
                    code,
                    "RequestTimeout" | "InternalError" | "OperationAborted" | "BadDigest"
                );
            refused || (transient && repeat == Repeat::Safe)
        }
    }
}

/// The pause before try `attempt + 1` (the first try is 1): doubled each time, bounded, with jitter of up to a half.
pub(super) fn pause(limits: &Limits, attempt: u32, jitter_per_mille: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let full = limits
        .backoff_first
        .saturating_mul(1 << doublings)
        .min(limits.backoff_max);
    full.saturating_sub(full.saturating_mul(jitter_per_mille.min(999)) / 2_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, code: &str) -> Outcome<'_> {
        Outcome::Answered { status, code }
    }

    #[test]
    fn overload_is_repeated_always_and_doubt_only_when_safe() {
        for outcome in [
            Outcome::NotSent,
            answered(503, "SlowDown"),
            answered(429, "x"),
            answered(503, ""),
        ] {
            assert!(worth_repeating(outcome, Repeat::Safe), "{outcome:?}");
            assert!(worth_repeating(outcome, Repeat::UnlessDone), "{outcome:?}");
        }
        for outcome in [
            Outcome::Broken,
            Outcome::TimedOut,
            answered(500, "InternalError"),
            answered(504, ""),
            answered(400, "RequestTimeout"),
            answered(400, "BadDigest"),
        ] {
            assert!(worth_repeating(outcome, Repeat::Safe), "{outcome:?}");
            assert!(!worth_repeating(outcome, Repeat::UnlessDone), "{outcome:?}");
        }
    }

    #[test]
    fn refusals_are_final() {
        for outcome in [
            Outcome::Distrusted,
            Outcome::Unreadable,
            answered(403, "AccessDenied"),
            answered(404, "NoSuchKey"),
            answered(400, "InvalidPart"),
            answered(501, "NotImplemented"),
            answered(412, "PreconditionFailed"),
        ] {
            assert!(!worth_repeating(outcome, Repeat::Safe), "{outcome:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_spread_by_half() {
        let limits = Limits::default();
        assert_eq!(pause(&limits, 1, 0), Duration::from_millis(400));
        assert_eq!(pause(&limits, 2, 0), Duration::from_millis(800));
        assert_eq!(pause(&limits, 60, 0), limits.backoff_max);
        let least = pause(&limits, 1, 999);
        assert!(
            least >= Duration::from_millis(200) && least < Duration::from_millis(202),
            "{least:?}"
        );
    }
}
