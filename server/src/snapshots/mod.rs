//! What the server understands of snapshots: the rules of the catalogue (docs/catalogue.md).
//!
//! [`layout`] reads a key: which writer's name it is, and in which place its cluster writes. [`lives`] sorts the databases of one
//! place into lives of a cluster. [`chains`] joins the fulls and deltas of one life. These three are pure: no I/O, no store, no
//! clock; the same input gives the same answer, in any order.

pub mod chains;
pub mod layout;
pub mod lives;
