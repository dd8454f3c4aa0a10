//! Every transition of a pack's row, in one place.
//!
//! ```text
//!                 open                seal                  mark                  sweep
//!   (no row) -----------> Live -----------------> Sealed ---------> Marked ----------> (no row)
//!      |                                            ^                  ^
//!      +----------- claim of a pack of its own -----+                  |
//!      +----------- mark of a file without a row ----------------------+
//! ```
//!
//! | transition | requires | file |
//! |---|---|---|
//! | open | no row; the writer's row unchanged | [`shared`] |
//! | claim | the row unchanged and not marked, or absent when the pack is the body's own | [`claim`] |
//! | seal | the row unchanged and live; the writer's row unchanged | [`shared`] |
//! | release | the manifest's rows unchanged | [`claim`] |
//! | mark | the row unchanged and sealed, no segment in use, not in quarantine; or no row | [`mark`] |
//! | sweep | the row unchanged and marked; its writer has ended, or sweeps itself and holds no lease | [`sweep`] |
//!
//! `Marked` means marked for deletion. A claim and a mark conflict on the pack's row, so one of them loses: a pack
//! named by a committed manifest is never removed. This argument uses no clock and no lock. A writer's epoch and its
//! open pack have rows of their own: see [`writers`].
//!
//! This module knows the rows and names of packs, but no bytes and no objects.

pub mod claim;
pub mod mark;
pub mod pins;
pub mod quarantine;
pub mod shared;
pub mod sweep;
pub mod writers;

pub use claim::{ClaimError, PackClaim, PlacedSegment};
pub use pins::{Pin, Pins};
