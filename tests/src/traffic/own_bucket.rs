//! A client's own bucket: created, filled, not deleted while it is full, emptied, deleted.
//!
//! Every round says all that it expects, so nothing is remembered from one life of the server to the next.

use super::Phase;
use super::calls::{CallError, Caller};
use super::findings::{Findings, Kind};

/// A step of a round: what is sent, and the statuses that are right.
type Step = (&'static str, &'static str, &'static [u16]);

/// The bucket may be left from an interrupted round, with or without its object. A deletion whose client has hung up may
/// come so late that it deletes the bucket while it is empty, or is at work on it: 404 and 503.
const ROUND: [Step; 8] = [
    ("PUT", "", &[200, 409]),
    ("PUT", "/kept", &[200, 404, 503]),
    ("DELETE", "", &[409]),
    ("GET", "/kept", &[200]),
    ("DELETE", "/kept", &[204]),
    ("DELETE", "", &[204, 404, 503]),
    ("GET", "/kept", &[404]),
    ("DELETE", "", &[204, 404, 503]),
];

/// A round of client `id`. Another client may not use the bucket.
///
/// # Errors
/// The server has died.
pub(super) fn round(
    caller: &mut Caller,
    id: usize,
    phase: &Phase,
    findings: &Findings,
) -> Result<(), CallError> {
    for (place, (method, object, expected)) in ROUND.into_iter().enumerate() {
        let path = format!("/own-{id}{object}");
        let status = caller.status(method, &path)?;
        if phase.is_dying() {
            return Ok(());
        }
        if !expected.contains(&status) {
            let what = format!("step {place}, {method} {path}: {status}, not {expected:?}");
            findings.add(Kind::Wrong, what);
            return Ok(());
        }
        if (method, object) == ("PUT", "/kept") && status != 200 {
            return Ok(());
        }
        if (method, object, status) == ("DELETE", "", 409) {
            // The same from a client that does not wait for its answer: the bucket must stay.
            caller.hang_up_after(method, &path);
        }
        findings.acknowledged();
    }
    Ok(())
}
