//! What the server understands of snapshots: the rules of the catalogue (docs/catalogue.md).
//!
//! [`layout`] reads a key: which writer's name it is, and in which place its cluster writes.
//! [`chains`] joins the fulls and deltas of one life of a cluster. The rules are pure: no I/O, no
//! store, no clock.

pub mod chains;
pub mod layout;
