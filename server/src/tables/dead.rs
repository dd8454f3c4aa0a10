//! The work list of garbage collection: manifests and uploads that lost their last user.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::model::UploadId;
use crate::store::{ManifestId, StoreError};
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Keyed, Table};

/// An entry of the work list of garbage collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadRow {
    /// When it was added.
    pub since: UnixMillis,
}

impl Record for DeadRow {}

/// Uploads that were completed or aborted: garbage collection removes their parts.
#[derive(Debug, Clone, Copy)]
pub struct DeadUploads;

impl Keyed for DeadUploads {
    const KEYSPACE: Keyspace = Keyspace::DeadUpload;
    type Key<'a> = UploadId;
    type Found = UploadId;

    fn write(upload: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&upload.0);
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<UploadId, StoreError> {
        fields.upload()
    }
}

impl Table for DeadUploads {
    type Value = DeadRow;
}

/// Manifests that lost a user, perhaps their last.
#[derive(Debug, Clone, Copy)]
pub struct DeadManifests;

impl Keyed for DeadManifests {
    const KEYSPACE: Keyspace = Keyspace::DeadManifest;
    type Key<'a> = ManifestId;
    type Found = ManifestId;

    fn write(manifest: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&manifest.to_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<ManifestId, StoreError> {
        fields.manifest()
    }
}

impl Table for DeadManifests {
    type Value = DeadRow;
}
