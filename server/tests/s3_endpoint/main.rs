//! The S3 endpoint over a loopback socket: the real service on a real store, asked by clients that sign with AWS' own
//! signer and then may lie.

mod auth;
mod buckets;
mod complete_conditions;
mod framing;
mod harness;
mod headers;
mod listing;
mod log;
mod markers;
mod multipart;
mod objects;
mod races;
mod reply;
mod signatures;
