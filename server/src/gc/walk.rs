//! A walk of one step of a run over the rows of a table.

use std::ops::ControlFlow;

use crate::gc::run::{GcProgress, GcRun};
use crate::store::meta::walk::each_page;
use crate::store::meta::{Meta, Outcome, Pending};
use crate::store::{ErrorClass, StoreError};
use crate::tables::draft::Operation;
use crate::tables::{Draft, Entry, Range, Table};

/// Commits that wait for one sync: enough to make it cheap, few enough that the largest transactions fit in memory.
const COMMITS_AT_ONCE: usize = 64;

/// Skipped rows and files of one step that are logged one by one: a damaged region of the disk has thousands, and each
/// run meets them again. The report and the metric count all.
const SKIPS_LOGGED: u64 = 20;

/// The decision of a step about one row.
pub(super) enum RowDecision {
    /// Nothing.
    Keep,
    /// Commit the draft, which is one step of several for this row.
    Step,
    /// Commit the draft, which completes the row.
    Done,
}

/// The result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Walked {
    /// Rows or files checked.
    pub(super) seen: u64,
    /// Rows completed.
    pub(super) done: u64,
    /// Transactions that applied.
    pub(super) applied: u64,
    /// Rows or files that could not be read or processed.
    pub(super) skipped: u64,
}

/// A step, by its name in logs and on the job board.
pub(super) struct Walk<'a> {
    pub(super) run: &'a GcRun<'a>,
    pub(super) step: &'static str,
    pub(super) walked: Walked,
}

impl<'a> Walk<'a> {
    pub(super) fn new(run: &'a GcRun<'a>, step: &'static str) -> Walk<'a> {
        let walked = Walked::default();
        Walk { run, step, walked }
    }

    pub(super) fn meta(&self) -> &'a dyn Meta {
        self.run.meta
    }

    /// Reports the progress of the step, and returns whether to continue: a stopping server ends it between two pages.
    pub(super) fn may_continue(&self) -> bool {
        (self.run.go_on)(GcProgress {
            step: self.step,
            seen: self.walked.seen,
        })
    }

    /// Skips a failure, unless nothing can be written any more.
    pub(super) fn skip(&mut self, error: StoreError) -> Result<(), StoreError> {
        if matches!(error.class(), ErrorClass::Latched | ErrorClass::Closing) {
            return Err(error);
        }
        self.walked.skipped += 1;
        if self.walked.skipped <= SKIPS_LOGGED {
            tracing::error!(step = self.step, %error, "the collection skips what it cannot settle");
        }
        Ok(())
    }

    /// Calls `judge` for each row of a range, one page at a time. The commits of a page share syncs.
    pub(super) fn each<T: Table>(
        mut self,
        table: T,
        range: Range<T>,
        mut judge: impl FnMut(&mut Draft<'_>, Entry<T>) -> Result<RowDecision, StoreError>,
    ) -> Result<Walked, StoreError> {
        if !self.may_continue() {
            return Ok(self.walked);
        }
        let meta = self.meta();
        let mut waiting = Vec::new();
        let ended = each_page(meta, range.keys, |rows| {
            for (key, row) in rows {
                self.walked.seen += 1;
                let mut draft = Draft::new(meta, Operation::Collect);
                match Entry::of(table, key, row).and_then(|entry| judge(&mut draft, entry)) {
                    Ok(RowDecision::Keep) => {}
                    Ok(RowDecision::Step) => waiting.push((meta.commit(draft.into_txn()), 0)),
                    Ok(RowDecision::Done) => waiting.push((meta.commit(draft.into_txn()), 1)),
                    Err(error) => self.skip(error)?,
                }
                if waiting.len() == COMMITS_AT_ONCE {
                    self.settle(&mut waiting)?;
                }
            }
            // A page is completed before the next one begins, so that a walk may end between two.
            self.settle(&mut waiting)?;
            Ok(if self.may_continue() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        });
        // Rows after an unreadable page are left to a later run.
        ended.or_else(|error| self.skip(error))?;
        Ok(self.walked)
    }

    /// Waits for commits; each has the number of rows that it completes.
    pub(super) fn settle(&mut self, waiting: &mut Vec<(Pending, u64)>) -> Result<(), StoreError> {
        for (pending, settles) in waiting.drain(..) {
            match pending.wait_blocking() {
                Ok(Outcome::Done(_)) => {
                    self.walked.applied += 1;
                    self.walked.done += settles;
                }
                Ok(Outcome::Conflict(_)) => {}
                Err(error) => self.skip(error)?,
            }
        }
        Ok(())
    }
}
