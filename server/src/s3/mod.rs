//! The S3 protocol: who asks, for what, with which body; answers and errors in S3's words.
//!
//! In reading order: [`router`] (what is asked), [`auth`] (by whom), [`payload`] (the body on its way in), the small
//! grammars ([`query`], [`range`], [`conditions`], [`headers`], [`http_date`], [`xml`]), [`error`].
//!
//! Knows `objects`, `ingest` and `read`; knows no storage engine, no listener and no configuration. Invariants: a
//! request is authenticated by its head before its body is asked for; every body is streamed; nothing a client sends
//! makes a 500.

mod auth;
mod conditions;
mod error;
mod headers;
mod http_date;
mod payload;
mod query;
mod range;
mod router;
mod xml;

pub use auth::Credentials;
pub use error::{S3Error, S3ErrorCode};
