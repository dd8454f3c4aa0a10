//! Clock skew: the server reports that this machine's clock is wrong.
//!
//! S3 refuses requests whose date is more than 15 minutes off. A control plane node that is being rebuilt may have a wrong
//! clock. So the client learns the server's time from the answer and uses it for signatures. TLS certificates are still checked
//! against the machine's own clock.
//!
//! The date is that of a refusal, which nobody has signed: over plain HTTP anyone on the way can forge it, and would get a request
//! signed for a time of his choice. So an offset is learned only up to [`OFFSET_MAX_SECS`], and the user is told.

use std::sync::atomic::{AtomicI64, Ordering};

/// S3's tolerance; a 403 without a body (HEAD) is attributed to the clock only above it.
const TOLERANCE_SECS: u64 = 15 * 60;
/// Covers a clock in the wrong time zone, or one day off. A dead clock (1970) is for the operator to set.
pub(super) const OFFSET_MAX_SECS: u64 = 24 * 3_600;
/// No offset learned yet.
const NONE: i64 = i64::MIN;

/// The learned difference, server minus local, in seconds.
#[derive(Debug)]
pub(super) struct Skew(AtomicI64);

impl Skew {
    pub(super) fn none() -> Self {
        Self(AtomicI64::new(NONE))
    }

    pub(super) fn offset_secs(&self) -> Option<i64> {
        match self.0.load(Ordering::Relaxed) {
            NONE => None,
            offset => Some(offset),
        }
    }

    pub(super) fn learn(&self, offset_secs: i64) {
        self.0.store(offset_secs, Ordering::Relaxed);
    }
}

/// A refusal, and the times to compare.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal<'a> {
    pub(super) status: u16,
    /// S3's error code; `None` if the answer had no body.
    pub(super) code: Option<&'a str>,
    pub(super) server_unix_secs: Option<i64>,
    /// The machine's clock, without offset.
    pub(super) local_unix_secs: i64,
    /// The time that the request was signed with.
    pub(super) signed_unix_secs: i64,
}

/// What a refusal says about the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// Another reason.
    Elsewhere,
    /// The clock; signatures can use the server's time from now on.
    Offset(i64),
    /// The clock, by more than this client corrects by itself.
    TooFar(i64),
}

/// Whether the clock is the cause of this refusal.
pub(super) fn blame(refusal: &Refusal<'_>) -> Blame {
    let Some(server) = refusal.server_unix_secs else {
        return Blame::Elsewhere;
    };
    let blamed = match refusal.code {
        Some("RequestTimeTooSkewed") => true,
        Some(_) => false,
        None => refusal.status == 403 && server.abs_diff(refusal.signed_unix_secs) > TOLERANCE_SECS,
    };
    match server.checked_sub(refusal.local_unix_secs) {
        Some(offset) if blamed && offset.unsigned_abs() <= OFFSET_MAX_SECS => Blame::Offset(offset),
        Some(offset) if blamed => Blame::TooFar(offset),
        _ => Blame::Elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: Option<&str>) -> Refusal<'_> {
        Refusal {
            status: 403,
            code,
            server_unix_secs: Some(10_000),
            local_unix_secs: 2_000,
            signed_unix_secs: 2_000,
        }
    }

    #[test]
    fn the_server_s_word_is_enough() {
        assert_eq!(
            blame(&refusal(Some("RequestTimeTooSkewed"))),
            Blame::Offset(8_000)
        );
        assert_eq!(
            blame(&refusal(Some("SignatureDoesNotMatch"))),
            Blame::Elsewhere
        );
        let without_date = Refusal {
            server_unix_secs: None,
            ..refusal(Some("RequestTimeTooSkewed"))
        };
        assert_eq!(blame(&without_date), Blame::Elsewhere);
    }

    #[test]
    fn a_bodyless_403_is_the_clock_s_fault_only_when_the_clock_is_off() {
        assert_eq!(blame(&refusal(None)), Blame::Offset(8_000));
        assert_eq!(
            blame(&Refusal {
                signed_unix_secs: 9_990,
                ..refusal(None)
            }),
            Blame::Elsewhere
        );
        assert_eq!(
            blame(&Refusal {
                status: 404,
                ..refusal(None)
            }),
            Blame::Elsewhere
        );
    }

    #[test]
    fn a_date_too_far_away_is_told_and_not_believed() {
        let max = i64::try_from(OFFSET_MAX_SECS).expect("a day");
        let at = |server_unix_secs| {
            blame(&Refusal {
                server_unix_secs: Some(server_unix_secs),
                ..refusal(Some("RequestTimeTooSkewed"))
            })
        };
        assert_eq!(at(2_000 + max), Blame::Offset(max));
        assert_eq!(at(2_001 + max), Blame::TooFar(max + 1));
        assert_eq!(at(1_999 - max), Blame::TooFar(-max - 1));
    }

    #[test]
    fn nothing_is_learned_until_something_is() {
        let skew = Skew::none();
        assert_eq!(skew.offset_secs(), None);
        skew.learn(0);
        assert_eq!(skew.offset_secs(), Some(0));
    }
}
