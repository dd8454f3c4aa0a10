//! Removes what is too old: uploads left open, and stored answers of Complete.

use std::time::Duration;

use crate::clock::UnixMillis;
use crate::gc::run::GcRun;
use crate::gc::walk::{RowDecision, Walked};
use crate::store::StoreError;
use crate::tables::{Completions, DeadRow, DeadUploads, Keyed as _, Uploads};

/// How long the answer of a Complete is kept for clients that repeat it.
pub(crate) const COMPLETED_KEPT: Duration = Duration::from_hours(24);

/// How long an upload may stay open: S3 users' usual lifecycle rule for abandoned ones.
pub(crate) const UPLOAD_AGE_MAX: Duration = Duration::from_hours(7 * 24);

/// Aborts uploads that have been open for too long.
pub(super) fn uploads(run: &GcRun<'_>) -> Result<Walked, StoreError> {
    let (now, before) = (run.now, before(run.now, UPLOAD_AGE_MAX));
    run.walk("expired uploads")
        .each(Uploads, Uploads.whole(), |draft, upload| {
            if upload.value.initiated >= before {
                return Ok(RowDecision::Keep);
            }
            let (_, _, id) = upload.key;
            draft.delete_entry(&upload);
            draft.put(DeadUploads, id, &DeadRow { since: now });
            Ok(RowDecision::Done)
        })
}

/// Removes old answers of Complete.
pub(super) fn answers(run: &GcRun<'_>) -> Result<Walked, StoreError> {
    let before = before(run.now, COMPLETED_KEPT);
    run.walk("old answers")
        .each(Completions, Completions.whole(), |draft, answer| {
            if answer.value.time >= before {
                return Ok(RowDecision::Keep);
            }
            draft.delete_entry(&answer);
            Ok(RowDecision::Done)
        })
}

fn before(now: UnixMillis, age: Duration) -> UnixMillis {
    let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    UnixMillis(now.0.saturating_sub(age))
}
