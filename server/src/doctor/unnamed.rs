//! Bodies in packs that no row names, by the names that the packs themselves hold.
//!
//! After a crash they are uploads that were never acknowledged. After Meta was put back from an older copy they are
//! objects that clients believe to be stored, so they are no finding, but shown.

use std::collections::BTreeMap;

use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use crate::doctor::rows::each_entry;
use crate::model::BucketId;
use crate::store::StoreError;
use crate::store::meta::Meta;
use crate::store::packs::format::segment::OriginTarget;
use crate::store::packs::scan::{Found, PackScan};
use crate::store::packs::{Origin, PackEntry, Packs};
use crate::tables::Buckets;

/// Bodies that are shown; further ones are only counted.
pub const UNNAMED_MAX: usize = 1000;

/// A segment of a body that no row names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unnamed {
    /// What it was stored as: `s3://bucket/key`, for parts with their upload.
    pub object: String,
    /// When it was written, in RFC 3339.
    pub time: String,
    /// Its bytes as the client sent them.
    pub bytes: u64,
    /// Its pack.
    pub pack: String,
    /// Its position in the pack.
    pub offset: u64,
}

/// The unnamed bodies found so far.
#[derive(Debug, Default)]
pub(super) struct UnnamedBodies {
    buckets: BTreeMap<BucketId, String>,
    pub(super) shown: Vec<Unnamed>,
    pub(super) total: u64,
}

impl UnnamedBodies {
    /// Nothing found yet. Names of buckets that cannot be read stay unknown: the rows have findings of their own.
    pub(super) fn new(meta: &dyn Meta) -> UnnamedBodies {
        let mut buckets = BTreeMap::new();
        let _unreadable = each_entry(meta, Buckets, |bucket| {
            buckets.insert(bucket.value.id, bucket.key.to_string());
            Ok(())
        });
        UnnamedBodies {
            buckets,
            ..UnnamedBodies::default()
        }
    }

    /// Adds the bodies of a pack from `from` to its end; one that is torn ends them.
    pub(super) fn scan(
        &mut self,
        packs: &dyn Packs,
        pack: &PackEntry,
        from: u64,
    ) -> Result<(), StoreError> {
        let mut scan = PackScan::starting_at(pack.clone(), from);
        while let Some(found) = scan.next(packs) {
            match found {
                Ok(found) => self.add(&found),
                Err(StoreError::DamagedFrame { .. } | StoreError::PackShort { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn add(&mut self, Found { segment, origin }: &Found) {
        self.total += 1;
        if self.shown.len() < UNNAMED_MAX {
            self.shown.push(Unnamed {
                object: self.name(origin),
                time: origin.time.utc().format(&Rfc3339).unwrap_or_default(),
                bytes: segment.plain_len,
                pack: segment.pack.to_string(),
                offset: segment.offset,
            });
        }
    }

    fn name(&self, origin: &Origin) -> String {
        let bucket = self.buckets.get(&BucketId(origin.bucket));
        let bucket = bucket.map_or("?", String::as_str);
        let object = format!(
            "s3://{bucket}/{}",
            String::from_utf8_lossy(&origin.key).escape_debug()
        );
        match &origin.target {
            OriginTarget::Put { .. } => object,
            OriginTarget::Part { upload, number, .. } => {
                format!("{object} (part {number} of upload {})", hex::encode(upload))
            }
        }
    }
}
