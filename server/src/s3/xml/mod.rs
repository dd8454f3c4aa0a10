//! The XML documents of requests and answers, one file per family of operations.
//!
//! [`read`] parses requests with limits, safe against hostile input; [`write`] builds answers. Invariants: only XML's
//! own five entities and character references are resolved; a DTD is refused; depth and size are bounded. So memory is
//! bounded by the body, and the body is bounded before it is collected.

pub(crate) mod buckets;
pub(crate) mod deletes;
mod elements;
pub(crate) mod listing;
pub(crate) mod read;
pub(crate) mod uploads;
pub(crate) mod write;
