//! The operations, one file for each family. Each reads its headers and body, calls the layers below, and words the answer.

pub(crate) mod buckets;
pub(crate) mod delete;
mod document;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod multipart;
pub(crate) mod put;
