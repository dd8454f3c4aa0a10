//! The key schema: every keyspace, its key's layout, and the order-preserving escape of object keys.
//!
//! A key is one keyspace byte and fields of fixed width in big-endian, but for object keys and bucket names, which
//! are escaped: `00` becomes `00 FF`, and `00 01` ends the field. So the order of rows is the order of object keys in
//! bytes, and one key's rows are never among another's.

use bytes::{BufMut, Bytes, BytesMut};

use crate::model::{BucketId, BucketName, ObjectKey, PartNumber, UploadId, VersionNumber};
use crate::store::meta::Key;
use crate::store::meta::walk::KeyRange;
use crate::store::{ManifestId, PackId, StoreError};

/// Each kind of row. The number is its first byte; numbers below 0x10 belong to the store itself
/// (sequence, identity, epoch).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Keyspace {
    /// bucket name -> [`super::BucketRow`]
    Bucket = 0x10,
    /// bucket id, object key -> [`super::CurrentRow`]: all that LIST prints, of each key's current object
    Current = 0x20,
    /// bucket id, object key -> [`super::HeadRow`]: which versions are current and null, and the next number
    Head = 0x21,
    /// bucket id, object key, inverted version number -> [`super::VersionRow`], newest first
    Version = 0x22,
    /// bucket id, object key, upload id -> [`super::UploadRow`]
    Upload = 0x30,
    /// upload id, part number -> [`super::PartRow`]
    Part = 0x31,
    /// upload id -> [`super::CompletedRow`], so that a repeated Complete gets the same answer
    Completed = 0x32,
    /// upload id -> [`super::DeadRow`]: parts left for the reaper
    DeadUpload = 0x33,
    /// manifest id, chunk number -> chunk 0 [`super::ManifestHead`], others [`super::ManifestChunk`]
    Manifest = 0x40,
    /// manifest id -> counter of its users
    ManifestUsers = 0x41,
    /// manifest id -> [`super::DeadRow`]: lost a user, perhaps its last
    DeadManifest = 0x42,
    /// manifest id -> [`super::PartTable`] of an object completed from parts
    PartTable = 0x43,
    /// pack id -> [`super::PackRow`]
    Pack = 0x50,
    /// pack id -> counter of segments that manifests hold in it
    PackSegments = 0x51,
    /// pack id -> counter of stored bytes that manifests hold in it: a hint for repacking
    PackLive = 0x52,
    /// pack id, manifest id -> [`super::PackUserRow`]: a manifest with a segment in the pack
    PackUser = 0x53,
    /// nothing -> the shared pack that is open, sealed at the next start if it still stands here
    OpenPack = 0x54,
    /// nothing -> counter of plain bytes in all versions
    LogicalBytes = 0x60,
    /// nothing -> counter of stored bytes in all packs with a row
    StoredBytes = 0x61,
}

/// A typed row key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowKey<'a> {
    /// See [`Keyspace::Bucket`].
    Bucket(&'a BucketName),
    /// See [`Keyspace::Current`].
    Current(BucketId, &'a ObjectKey),
    /// See [`Keyspace::Head`].
    Head(BucketId, &'a ObjectKey),
    /// See [`Keyspace::Version`].
    Version(BucketId, &'a ObjectKey, VersionNumber),
    /// See [`Keyspace::Upload`].
    Upload(BucketId, &'a ObjectKey, UploadId),
    /// See [`Keyspace::Part`].
    Part(UploadId, PartNumber),
    /// See [`Keyspace::Completed`].
    Completed(UploadId),
    /// See [`Keyspace::DeadUpload`].
    DeadUpload(UploadId),
    /// See [`Keyspace::Manifest`].
    Manifest(ManifestId, u32),
    /// See [`Keyspace::ManifestUsers`].
    ManifestUsers(ManifestId),
    /// See [`Keyspace::DeadManifest`].
    DeadManifest(ManifestId),
    /// See [`Keyspace::PartTable`].
    PartTable(ManifestId),
    /// See [`Keyspace::Pack`].
    Pack(PackId),
    /// See [`Keyspace::PackSegments`].
    PackSegments(PackId),
    /// See [`Keyspace::PackLive`].
    PackLive(PackId),
    /// See [`Keyspace::PackUser`].
    PackUser(PackId, ManifestId),
    /// See [`Keyspace::OpenPack`].
    OpenPack,
    /// See [`Keyspace::LogicalBytes`].
    LogicalBytes,
    /// See [`Keyspace::StoredBytes`].
    StoredBytes,
}

impl RowKey<'_> {
    /// The row's key in bytes.
    pub fn encode(&self) -> Key {
        let mut out = Builder::new(self.keyspace());
        match self {
            RowKey::Bucket(name) => out.escaped(name.as_str().as_bytes()),
            RowKey::Current(bucket, key) | RowKey::Head(bucket, key) => {
                out.bucket(*bucket).key(key)
            }
            RowKey::Version(bucket, key, number) => out
                .bucket(*bucket)
                .key(key)
                .fixed(&(!number.0).to_be_bytes()),
            RowKey::Upload(bucket, key, upload) => out.bucket(*bucket).key(key).fixed(&upload.0),
            RowKey::Part(upload, number) => out.fixed(&upload.0).fixed(&number.get().to_be_bytes()),
            RowKey::Completed(upload) | RowKey::DeadUpload(upload) => out.fixed(&upload.0),
            RowKey::Manifest(id, chunk) => out.fixed(&id.to_bytes()).fixed(&chunk.to_be_bytes()),
            RowKey::ManifestUsers(id) | RowKey::DeadManifest(id) | RowKey::PartTable(id) => {
                out.fixed(&id.to_bytes())
            }
            RowKey::Pack(id) | RowKey::PackSegments(id) | RowKey::PackLive(id) => {
                out.fixed(&id.to_bytes())
            }
            RowKey::PackUser(pack, manifest) => {
                out.fixed(&pack.to_bytes()).fixed(&manifest.to_bytes())
            }
            RowKey::OpenPack | RowKey::LogicalBytes | RowKey::StoredBytes => &mut out,
        };
        out.done()
    }

    /// Which keyspace it lies in.
    pub fn keyspace(&self) -> Keyspace {
        match self {
            RowKey::Bucket(_) => Keyspace::Bucket,
            RowKey::Current(..) => Keyspace::Current,
            RowKey::Head(..) => Keyspace::Head,
            RowKey::Version(..) => Keyspace::Version,
            RowKey::Upload(..) => Keyspace::Upload,
            RowKey::Part(..) => Keyspace::Part,
            RowKey::Completed(_) => Keyspace::Completed,
            RowKey::DeadUpload(_) => Keyspace::DeadUpload,
            RowKey::Manifest(..) => Keyspace::Manifest,
            RowKey::ManifestUsers(_) => Keyspace::ManifestUsers,
            RowKey::DeadManifest(_) => Keyspace::DeadManifest,
            RowKey::PartTable(_) => Keyspace::PartTable,
            RowKey::Pack(_) => Keyspace::Pack,
            RowKey::PackSegments(_) => Keyspace::PackSegments,
            RowKey::PackLive(_) => Keyspace::PackLive,
            RowKey::PackUser(..) => Keyspace::PackUser,
            RowKey::OpenPack => Keyspace::OpenPack,
            RowKey::LogicalBytes => Keyspace::LogicalBytes,
            RowKey::StoredBytes => Keyspace::StoredBytes,
        }
    }
}

/// All rows of a keyspace.
pub fn whole(keyspace: Keyspace) -> KeyRange {
    let from = Builder::new(keyspace).done();
    KeyRange {
        to: after_prefix(&from),
        from,
    }
}

/// All rows of one bucket in a keyspace that starts with a bucket id.
pub fn of_bucket(keyspace: Keyspace, bucket: BucketId) -> KeyRange {
    of_prefix(keyspace, bucket, "")
}

/// The rows of a bucket whose object keys start with `prefix`.
pub fn of_prefix(keyspace: Keyspace, bucket: BucketId, prefix: &str) -> KeyRange {
    let from = Builder::new(keyspace)
        .bucket(bucket)
        .unended(prefix.as_bytes())
        .done();
    KeyRange {
        to: after_prefix(&from),
        from,
    }
}

/// All rows of one object key in a keyspace that starts with bucket id and object key.
pub fn of_key(keyspace: Keyspace, bucket: BucketId, key: &ObjectKey) -> KeyRange {
    let from = Builder::new(keyspace).bucket(bucket).key(key).done();
    KeyRange {
        to: after_prefix(&from),
        from,
    }
}

/// All parts of an upload.
pub fn of_upload(upload: UploadId) -> KeyRange {
    let from = Builder::new(Keyspace::Part).fixed(&upload.0).done();
    KeyRange {
        to: after_prefix(&from),
        from,
    }
}

/// All chunks of a manifest.
pub fn of_manifest(manifest: ManifestId) -> KeyRange {
    let from = Builder::new(Keyspace::Manifest)
        .fixed(&manifest.to_bytes())
        .done();
    KeyRange {
        to: after_prefix(&from),
        from,
    }
}

/// All manifests with a segment in a pack.
pub fn of_pack(pack: PackId) -> KeyRange {
    let from = Builder::new(Keyspace::PackUser)
        .fixed(&pack.to_bytes())
        .done();
    KeyRange {
        to: after_prefix(&from),
        from,
    }
}

/// The first key after all that start with `prefix`.
pub fn after_prefix(prefix: &[u8]) -> Key {
    let kept = prefix
        .iter()
        .rposition(|b| *b != 0xff)
        .map_or(0, |last| last + 1);
    let mut out = BytesMut::from(prefix.get(..kept).unwrap_or_default());
    if let Some(last) = out.last_mut() {
        *last += 1;
    }
    out.freeze()
}

/// Reads the bucket's name out of a [`Keyspace::Bucket`] key.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_bucket(key: &Key) -> Result<BucketName, StoreError> {
    let mut fields = Fields::of(key, Keyspace::Bucket)?;
    let name = fields.text()?;
    BucketName::parse(&name).map_err(|_| fields.damaged("bucket name"))
}

/// Reads the object key out of a key of `keyspace` that starts with bucket id and object key.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_object(key: &Key, keyspace: Keyspace) -> Result<ObjectKey, StoreError> {
    let mut fields = Fields::of(key, keyspace)?;
    fields.array::<8>()?;
    fields.object_key()
}

/// Reads the bucket out of a key of `keyspace` that starts with a bucket id.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_bucket_id(key: &Key, keyspace: Keyspace) -> Result<BucketId, StoreError> {
    let id = Fields::of(key, keyspace)?.array()?;
    Ok(BucketId(u64::from_be_bytes(id)))
}

/// Reads object key and upload id out of a [`Keyspace::Upload`] key.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_upload(key: &Key) -> Result<(ObjectKey, UploadId), StoreError> {
    let mut fields = Fields::of(key, Keyspace::Upload)?;
    fields.array::<8>()?;
    Ok((fields.object_key()?, UploadId(fields.array()?)))
}

/// Reads the version's number out of a [`Keyspace::Version`] key.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_version(key: &Key) -> Result<(ObjectKey, VersionNumber), StoreError> {
    let mut fields = Fields::of(key, Keyspace::Version)?;
    fields.array::<8>()?;
    Ok((
        fields.object_key()?,
        VersionNumber(!u64::from_be_bytes(fields.array()?)),
    ))
}

/// Reads the part's number out of a [`Keyspace::Part`] key.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_part(key: &Key) -> Result<PartNumber, StoreError> {
    let mut fields = Fields::of(key, Keyspace::Part)?;
    fields.array::<16>()?;
    let number = u16::from_be_bytes(fields.array()?);
    PartNumber::new(u64::from(number)).ok_or_else(|| fields.damaged("part number"))
}

/// Reads the upload out of a [`Keyspace::Part`] key.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_part_upload(key: &Key) -> Result<UploadId, StoreError> {
    Ok(UploadId(Fields::of(key, Keyspace::Part)?.array()?))
}

/// Reads manifest and chunk number out of a [`Keyspace::Manifest`] key.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_manifest_chunk(key: &Key) -> Result<(ManifestId, u32), StoreError> {
    let mut fields = Fields::of(key, Keyspace::Manifest)?;
    Ok((
        ManifestId::from_bytes(fields.array()?),
        u32::from_be_bytes(fields.array()?),
    ))
}

/// Reads pack and manifest out of a [`Keyspace::PackUser`] key.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_pack_user(key: &Key) -> Result<(PackId, ManifestId), StoreError> {
    let mut fields = Fields::of(key, Keyspace::PackUser)?;
    Ok((
        PackId::from_bytes(fields.array()?),
        ManifestId::from_bytes(fields.array()?),
    ))
}

/// Reads the manifest out of a key of `keyspace` that is one manifest id.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_manifest(key: &Key, keyspace: Keyspace) -> Result<ManifestId, StoreError> {
    Ok(ManifestId::from_bytes(Fields::of(key, keyspace)?.array()?))
}

/// Reads the upload out of a key of `keyspace` that is one upload id.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_upload_id(key: &Key, keyspace: Keyspace) -> Result<UploadId, StoreError> {
    Ok(UploadId(Fields::of(key, keyspace)?.array()?))
}

/// Reads the pack out of a key of `keyspace` that is one pack id.
///
/// # Errors
/// When the key was not written by this codec.
pub fn split_pack(key: &Key, keyspace: Keyspace) -> Result<PackId, StoreError> {
    Ok(PackId::from_bytes(Fields::of(key, keyspace)?.array()?))
}

struct Builder {
    out: BytesMut,
}

impl Builder {
    #[expect(
        clippy::as_conversions,
        reason = "a repr(u8) enum has no From for its number"
    )]
    fn new(keyspace: Keyspace) -> Builder {
        let mut out = BytesMut::with_capacity(64);
        out.put_u8(keyspace as u8);
        Builder { out }
    }

    fn fixed(&mut self, bytes: &[u8]) -> &mut Builder {
        self.out.put_slice(bytes);
        self
    }

    fn bucket(&mut self, bucket: BucketId) -> &mut Builder {
        self.fixed(&bucket.0.to_be_bytes())
    }

    fn key(&mut self, key: &ObjectKey) -> &mut Builder {
        self.escaped(key.as_str().as_bytes())
    }

    fn escaped(&mut self, field: &[u8]) -> &mut Builder {
        self.unended(field).fixed(&[0x00, 0x01])
    }

    fn unended(&mut self, field: &[u8]) -> &mut Builder {
        for byte in field {
            self.out.put_u8(*byte);
            if *byte == 0 {
                self.out.put_u8(0xff);
            }
        }
        self
    }

    fn done(&mut self) -> Bytes {
        self.out.split().freeze()
    }
}

/// The inverse of [`Builder`].
struct Fields<'a> {
    key: &'a Key,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    #[expect(
        clippy::as_conversions,
        reason = "a repr(u8) enum has no From for its number"
    )]
    fn of(key: &'a Key, keyspace: Keyspace) -> Result<Fields<'a>, StoreError> {
        match key.split_first() {
            Some((first, rest)) if *first == keyspace as u8 => Ok(Fields { key, rest }),
            _ => Err(StoreError::DamagedRow {
                key: key.to_vec(),
                what: "keyspace",
            }),
        }
    }

    fn damaged(&self, what: &'static str) -> StoreError {
        StoreError::DamagedRow {
            key: self.key.to_vec(),
            what,
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let (field, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| self.damaged("key field"))?;
        self.rest = rest;
        Ok(*field)
    }

    fn object_key(&mut self) -> Result<ObjectKey, StoreError> {
        let text = self.text()?;
        ObjectKey::parse(&text).map_err(|_| self.damaged("object key"))
    }

    fn text(&mut self) -> Result<String, StoreError> {
        let mut out = Vec::new();
        loop {
            match self.rest {
                [0x00, 0x01, rest @ ..] => {
                    self.rest = rest;
                    return String::from_utf8(out).map_err(|_| self.damaged("escaped text"));
                }
                [0x00, 0xff, rest @ ..] => {
                    self.rest = rest;
                    out.push(0);
                }
                [0x00, ..] | [] => return Err(self.damaged("escape")),
                [byte, rest @ ..] => {
                    self.rest = rest;
                    out.push(*byte);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
