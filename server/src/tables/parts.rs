//! Parts of uploads in progress, and of ended uploads that garbage collection has not reached yet.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::model::{Checksum, ETag, PartNumber, UploadId};
use crate::store::{ManifestId, StoreError};
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Keyed, Range, Table};

/// An uploaded part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRow {
    /// The manifest of its bytes; none for an empty part.
    pub manifest: Option<ManifestId>,
    /// Plain bytes.
    pub size: u64,
    /// Its MD5.
    pub etag: ETag,
    /// Verified checksums.
    pub checksums: Vec<Checksum>,
    /// When it was committed.
    pub time: UnixMillis,
}

impl Record for PartRow {}

/// Uploaded parts by upload and number.
#[derive(Debug, Clone, Copy)]
pub struct Parts;

impl Keyed for Parts {
    const KEYSPACE: Keyspace = Keyspace::Part;
    type Key<'a> = (UploadId, PartNumber);
    type Found = (UploadId, PartNumber);

    fn write((upload, number): Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&upload.0).fixed(&number.get().to_be_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<(UploadId, PartNumber), StoreError> {
        let upload = fields.upload()?;
        let number = u16::from_be_bytes(fields.array()?);
        let number = PartNumber::new(u64::from(number));
        Ok((upload, number.ok_or_else(|| fields.damaged("part number"))?))
    }
}

impl Table for Parts {
    type Value = PartRow;
}

impl Parts {
    /// All parts of an upload, by number.
    pub fn of_upload(self, upload: UploadId) -> Range<Parts> {
        let mut out = KeyWriter::new(Self::KEYSPACE);
        out.fixed(&upload.0);
        Range::of_prefix(out)
    }
}
