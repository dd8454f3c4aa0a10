//! The XML documents of requests and answers, a file for each family of operations.
//!
//! [`read`] pulls bounded, hostile-safe requests apart, [`write`] puts answers together. Invariants: no entity but XML's own
//! five and character references is resolved, a DTD is refused, depth and size are bounded, so that memory is bounded by
//! the body, which is bounded before it is collected.

pub(crate) mod buckets;
pub(crate) mod deletes;
mod elements;
pub(crate) mod listing;
pub(crate) mod read;
pub(crate) mod uploads;
pub(crate) mod write;
