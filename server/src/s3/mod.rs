//! The S3 protocol: requests are authenticated, authorised and dispatched; answers and errors are S3's.
//!
//! In reading order: [`service`] (from request to response), [`head`] and [`addressing`] (request line, headers, bucket
//! and key), [`operations`] (the table of operations), [`identity`], [`authentication`] and [`authorisation`] (the
//! sender), [`call`] and [`ops`] (the work), [`payload`] (request bodies), [`reply`] (response bodies), [`observe`]
//! (log line and metrics), the small grammars ([`query`], [`arguments`], [`range`], [`conditions`], [`object_headers`],
//! [`http_date`], [`xml`]), [`error`] and [`failure`].
//!
//! Knows `objects` and `bodies`; knows no storage engine, no listener and no configuration. Invariants: a request is
//! authenticated by its head before its body is requested; every object body is streamed; no request of a client causes
//! a 500.

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
