//! The settings of a bucket. Each setting has its own row, so a change touches no row that PUTs require, except for
//! PUTs that depend on this setting.

use serde::{Deserialize, Serialize};

use crate::model::BucketId;
use crate::store::StoreError;
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Keyed, Table};

/// S3's versioning states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// Never enabled.
    Unversioned,
    /// Every put creates a version.
    Enabled,
    /// Puts replace the null version; others stay.
    Suspended,
}

impl Record for Versioning {}

/// Numbers of the settings in their keys. A new setting takes the next number and a table like [`BucketVersioning`].
const VERSIONING: u8 = 1;

/// A bucket's versioning state; one without a row is [`Versioning::Unversioned`].
#[derive(Debug, Clone, Copy)]
pub struct BucketVersioning;

impl Keyed for BucketVersioning {
    const KEYSPACE: Keyspace = Keyspace::BucketSetting;
    type Key<'a> = BucketId;
    type Found = BucketId;

    fn write(bucket: Self::Key<'_>, out: &mut KeyWriter) {
        out.bucket(bucket).fixed(&[VERSIONING]);
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<BucketId, StoreError> {
        let bucket = fields.bucket()?;
        match fields.array()? {
            [VERSIONING] => Ok(bucket),
            _ => Err(fields.damaged("number of the setting")),
        }
    }
}

impl Table for BucketVersioning {
    type Value = Versioning;
}
