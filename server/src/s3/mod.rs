//! The S3 protocol: who asks, for what, with which body; answers and errors in S3's words.
//!
//! In reading order: [`service`] (one request), [`router`] (what is asked), [`authentication`] (by whom), [`payload`] (the body on
//! its way in), [`ops`] (what is done), [`reply`] (the body on its way out), [`observe`] (what is told about it), the
//! small grammars ([`query`], [`range`], [`conditions`], [`object_headers`], [`http_date`], [`xml`]), [`error`] and [`failure`].
//!
//! Knows `objects`, `ingest` and `read`; knows no storage engine, no listener and no configuration. Invariants: a
//! request is authenticated by its head before its body is asked for; every body is streamed; nothing a client sends
//! makes a 500.

mod authentication;
mod conditions;
mod error;
mod failure;
mod http_date;
mod identity;
mod object_headers;
mod observe;
mod ops;
mod payload;
mod query;
mod range;
mod reply;
mod router;
mod service;
mod xml;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

pub use error::{S3Error, S3ErrorCode};
pub use identity::Credentials;
pub use reply::{S3Body, S3BodyError};
pub use router::OPERATION_NAMES;
pub use service::{S3Layers, S3Service};
