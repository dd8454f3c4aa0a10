//! A small S3 client with the calls for saving, listing and restoring snapshots, signed with aws-sigv4.
//!
//! Invariants: every header that is sent is signed (except `authorization`); every wait has a named limit; every answer kept in
//! memory has a size limit; a call is repeated only if that is safe; names are resolved in pure Rust (/etc/hosts, then
//! resolv.conf), never through the C library. Must not know etcd, files or the command line.

mod body;
mod buckets;
mod config;
mod dates;
mod dns;
mod encode;
mod error;
mod exchange;
mod intermediary;
mod listing;
mod multipart;
mod objects;
mod refusal;
mod retry;
mod signing;
mod skew;
mod transport;
mod xml;

#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;

pub use body::BodyStream;
pub use config::{Addressing, Limits, S3Config, Secret};
pub use error::{InvalidInput, Operation, S3Error, S3ErrorKind};
pub use exchange::S3Client;
pub use intermediary::Intermediary;
pub use listing::{LIST_ALL_OBJECTS_MAX, ListPage, ListRequest, ObjectEntry};
pub use multipart::{Existing, PARTS_MAX, PartTag, UploadId};
pub use objects::{GetObject, ObjectHead, PutOptions, PutResult};
