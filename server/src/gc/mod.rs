//! Garbage collection: manifests without users, uploads given up, packs that nothing uses, files without a row.
//!
//! A [`GcRun`] walks the rows in steps, each of which feeds the next. It settles each row in a transaction of its own, so
//! it may end between any two and can be repeated. No step trusts what it read: conditions of the commit decide, and a
//! conflict only means that the row is looked at again in a later run. A row or file that cannot be read or removed is
//! logged, counted and skipped: the others are collected all the same.
//!
//! A dry run is the same run over views that keep its changes in memory (see [`forecast`]), so it tells what a run does.
//!
//! What protects whom:
//!
//! | starting \ running | put of a new body | GET | manifests | marking |
//! |---|---|---|---|---|
//! | manifests | users counter is not zero | manifest read again under the pin | `Same(dead)` | - |
//! | marking | pack row changes: one of both commits loses | pins | segments counter is not zero | `Same(pack)` |
//! | sweeping | pack row is `Condemned`: the put loses | waits for pins | counter was zero | `Same(pack)` |
//! | orphans | row is absent: one of both creates it | no row, so no manifest | - | `Absent(pack)` |

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
