//! The operations, one file per family. Each reads its arguments, headers and body, calls the layers below and builds
//! the answer.

pub(crate) mod buckets;
pub(crate) mod delete;
pub(crate) mod force;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;
pub(crate) mod upload_lists;
pub(crate) mod uploads;
