//! Garbage collection: abandoned uploads, unused manifests, unused packs, files without a row.
//!
//! A [`GcRun`] walks the rows in steps; each step feeds the next. It handles each row in a transaction of its own, so
//! it may stop between any two rows and can be repeated. No step trusts what it read: the conditions of the commit
//! decide, and after a conflict a later run looks at the row again. A row or file that cannot be read or removed is
//! logged, counted and skipped; the run continues with the others.
//!
//! A dry run is the same run over views that keep its changes in memory (see [`forecast`]), so it reports what a run
//! does.
//!
//! What protects what (`Marked` = marked for deletion):
//!
//! | starting \ running | put of a new body | GET | manifests | marking |
//! |---|---|---|---|---|
//! | manifests | users counter is not zero | manifest read again under the pin | `Same(dead)` | - |
//! | marking | pack row changes: one of the two commits loses | pins | segments counter is not zero | `Same(pack)` |
//! | sweeping | pack row is `Marked`: the put loses | waits for pins | counter was zero | `Same(pack)` |
//! | orphans | row is absent: one of the two creates it | no row, so no manifest | - | `Absent(pack)` |

mod dead;
mod expiry;
mod files;
mod plan;
mod run;
mod walk;

#[cfg(test)]
pub(crate) use expiry::{COMPLETED_KEPT, UPLOAD_AGE_MAX};
pub use plan::{Plan, forecast};
pub use run::{Collector, CollectorSettings, GcProgress, GcReport};

#[cfg(test)]
mod tests;
