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

/// What a step does about one row.
pub(super) enum Judged {
    /// Nothing.
    Keep,
    /// Commit the draft, which settles a part of it.
    Step,
    /// Commit the draft, which settles it.
    Done,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Walked {
    /// Rows or files looked at.
    pub(super) seen: u64,
    /// Rows that were settled.
    pub(super) done: u64,
    /// Transactions that applied.
    pub(super) applied: u64,
    /// Rows or files that could not be read or settled.
    pub(super) skipped: u64,
}

/// A step by its name in logs and on the board of jobs.
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

    /// Tells how far the step is, and whether it may go on: a server that stops lets it end between two pages.
    pub(super) fn goes_on(&self) -> bool {
        (self.run.go_on)(GcProgress {
            step: self.step,
            seen: self.walked.seen,
        })
    }

    /// Skips what failed, unless nothing can be written any more.
    pub(super) fn skip(&mut self, error: StoreError) -> Result<(), StoreError> {
        if matches!(error.class(), ErrorClass::Latched | ErrorClass::Closing) {
            return Err(error);
        }
        tracing::error!(step = self.step, %error, "the collection skips what it cannot settle");
        self.walked.skipped += 1;
        Ok(())
    }

    /// Asks `judge` about each row of a range, a page at a time. The commits of one page share syncs.
    pub(super) fn each<T: Table>(
        mut self,
        table: T,
        range: Range<T>,
        mut judge: impl FnMut(&mut Draft<'_>, Entry<T>) -> Result<Judged, StoreError>,
    ) -> Result<Walked, StoreError> {
        if !self.goes_on() {
            return Ok(self.walked);
        }
        let meta = self.meta();
        let mut waiting = Vec::new();
        let ended = each_page(meta, range.keys, |rows| {
            for (key, row) in rows {
                self.walked.seen += 1;
                let mut draft = Draft::new(meta, Operation::Collect);
                match Entry::of(table, key, row).and_then(|entry| judge(&mut draft, entry)) {
                    Ok(Judged::Keep) => {}
                    Ok(Judged::Step) => waiting.push((meta.commit(draft.into_txn()), 0)),
                    Ok(Judged::Done) => waiting.push((meta.commit(draft.into_txn()), 1)),
                    Err(error) => self.skip(error)?,
                }
                if waiting.len() == COMMITS_AT_ONCE {
                    self.settle(&mut waiting)?;
                }
            }
            // A page is settled before the next one is begun, so that a walk may end between two.
            self.settle(&mut waiting)?;
            Ok(if self.goes_on() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        });
        // What lies behind a page that cannot be read is left to a later run.
        ended.or_else(|error| self.skip(error))?;
        Ok(self.walked)
    }

    /// Waits for commits, each with the rows that it settles.
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
