//! XML in and out. [`read`] pulls bounded, hostile-safe requests apart, [`write`] puts answers together; what the
//! elements mean is said in [`request`] (bodies clients send) and in the answers of [`listing`] and [`answer`].
//!
//! Invariants: no entity but XML's own five and character references is resolved, a DTD is refused, depth and size are
//! bounded, so that memory is bounded by the body, which is bounded before it is collected.

pub(crate) mod answer;
pub(crate) mod listing;
pub(crate) mod read;
pub(crate) mod request;
pub(crate) mod write;

pub(crate) use write::XmlWriter;
