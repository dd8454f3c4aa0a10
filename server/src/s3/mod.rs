//! The S3 protocol: who asks, for what, with which body; answers and errors in S3's words.
//!
//! In reading order: [`service`] (a request on its way), [`head`] and [`addressing`] (what it says and what it is about),
//! [`operations`] (the table of what can be asked), [`identity`], [`authentication`] and [`authorisation`] (who may),
//! [`call`] and [`ops`] (what is done), [`payload`] (the body on its way in), [`reply`] (the body on its way out),
//! [`observe`] (what is told about it), the small grammars ([`query`], [`arguments`], [`range`], [`conditions`],
//! [`object_headers`], [`http_date`], [`xml`]), [`error`] and [`failure`].
//!
//! Knows `objects`, `ingest` and `read`; knows no storage engine, no listener and no configuration. Invariants: a
//! request is authenticated by its head before its body is asked for; every body is streamed; nothing a client sends
//! makes a 500.

mod addressing;
mod arguments;
mod authentication;
mod authorisation;
mod call;
mod conditions;
mod error;
mod failure;
mod head;
mod http_date;
mod identity;
mod object_headers;
mod observe;
mod operations;
mod ops;
mod own_paths;
mod payload;
mod query;
mod range;
mod reply;
mod service;
mod xml;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

pub use addressing::Addressing;
pub use error::{S3Error, S3ErrorCode};
pub use identity::Credentials;
pub use operations::OPERATION_NAMES;
pub use reply::{S3Body, S3BodyError};
pub use service::{S3Layers, S3Service};
