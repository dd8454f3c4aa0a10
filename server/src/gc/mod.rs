//! What is dead leaves: manifests without users, uploads given up, packs that nothing uses, files without a row.
//!
//! Each step takes one page of rows and settles each row with a transaction of its own, so a step is short, may be
//! interrupted between any two, and can be repeated. No step trusts what it read: conditions of the commit decide, and
//! a conflict only means that the row is looked at again in a later round.
//!
//! What protects whom:
//!
//! | starting \ running | put of a new body | GET | reaper | condemning |
//! |---|---|---|---|---|
//! | reaper | users counter is not zero | manifest read again under the pin | `Same(dead)` | - |
//! | condemning | pack row changes: one of both commits loses | pins | segments counter is not zero | `Same(pack)` |
//! | removing | pack row is `condemned`: the put loses | waits for pins | counter was zero | `Same(pack)` |
//! | hygiene | row is absent: one of both creates it | no row, so no manifest | - | `Absent(pack)` |

pub mod condemn;
pub mod hygiene;
pub mod plan;
pub mod reaper;
pub mod remove;
pub mod round;

pub use plan::{Plan, plan};
pub use round::{Collector, CollectorSettings, Round};

use crate::store::StoreError;
use crate::store::meta::{Condition, Key, Meta, Outcome, Row, Txn, Write};

/// How far a round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// What it does now.
    pub step: &'static str,
    /// Rows or files that this step has looked at.
    pub seen: u64,
}

/// One step of a round on its way over the rows.
pub(crate) struct Walk<'a> {
    meta: &'a dyn Meta,
    step: &'static str,
    /// Told of each page; answers whether to go on.
    go_on: &'a dyn Fn(Place) -> bool,
}

impl Walk<'_> {
    /// Tells how far the step is, and whether it may go on: a server that stops lets it end between two pages.
    fn goes_on(&self, seen: u64) -> bool {
        (self.go_on)(Place {
            step: self.step,
            seen,
        })
    }
}

/// Commits a transaction and tells whether it applied. Blocks.
fn settle(meta: &dyn Meta, txn: Txn) -> Result<bool, StoreError> {
    match meta.commit(txn).wait_blocking()? {
        Outcome::Done(_) => Ok(true),
        Outcome::Conflict(_) => Ok(false),
    }
}

/// `Same` of a row as read.
fn same(key: &Key, row: &Row) -> Condition {
    Condition::Same(key.clone(), row.version)
}

/// Removes one row that is as it was read.
fn delete_same(key: &Key, row: &Row) -> Txn {
    Txn {
        conditions: vec![same(key, row)],
        writes: vec![Write::Delete(key.clone())],
    }
}

#[cfg(test)]
mod tests;
