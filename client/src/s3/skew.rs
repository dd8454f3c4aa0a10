//! Clock skew: the server reports that this machine's clock is wrong.
//!
//! S3 refuses requests whose date is more than 15 minutes off. A control plane node that is being rebuilt may have a wrong
//! clock. So the client learns the server's time from the answer and uses it for signatures. TLS certificates are still checked
//! against the machine's own clock.

use std::sync::atomic::{AtomicI64, Ordering};

/// S3's tolerance; a 403 without a body (HEAD) is attributed to the clock only above it.
const TOLERANCE_SECS: u64 = 15 * 60;
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

/// The offset for signatures from now on, if the clock is the cause of this refusal.
pub(super) fn offset_to_learn(refusal: &Refusal<'_>) -> Option<i64> {
    let server = refusal.server_unix_secs?;
    let blamed = match refusal.code {
        Some("RequestTimeTooSkewed") => true,
        Some(_) => false,
        None => refusal.status == 403 && server.abs_diff(refusal.signed_unix_secs) > TOLERANCE_SECS,
    };
    if blamed {
        server.checked_sub(refusal.local_unix_secs)
    } else {
        None
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
            offset_to_learn(&refusal(Some("RequestTimeTooSkewed"))),
            Some(8_000)
        );
        assert_eq!(
            offset_to_learn(&refusal(Some("SignatureDoesNotMatch"))),
            None
        );
        let without_date = Refusal {
            server_unix_secs: None,
            ..refusal(Some("RequestTimeTooSkewed"))
        };
        assert_eq!(offset_to_learn(&without_date), None);
    }

    #[test]
    fn a_bodyless_403_is_the_clock_s_fault_only_when_the_clock_is_off() {
        assert_eq!(offset_to_learn(&refusal(None)), Some(8_000));
        assert_eq!(
            offset_to_learn(&Refusal {
                signed_unix_secs: 9_990,
                ..refusal(None)
            }),
            None
        );
        assert_eq!(
            offset_to_learn(&Refusal {
                status: 404,
                ..refusal(None)
            }),
            None
        );
    }

    #[test]
    fn nothing_is_learned_until_something_is() {
        let skew = Skew::none();
        assert_eq!(skew.offset_secs(), None);
        skew.learn(0);
        assert_eq!(skew.offset_secs(), Some(0));
    }
}
