//! The S3 endpoint over a loopback socket: the real service on a real store. The clients sign with AWS' own signer,
//! then may falsify the request.

mod auth;
mod buckets;
mod characters;
mod complete_conditions;
mod connections;
mod force;
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
