//! Listing a bucket's uploads in progress by prefix and delimiter, a page at a time.

use crate::model::{BucketId, BucketName, ObjectKey, UploadId};
use crate::objects::decision::present;
use crate::objects::list::common_prefix;
use crate::objects::uploads::UPLOADS_PAGE_MAX;
use crate::objects::{Objects, ObjectsError};
use crate::store::meta::Meta;
use crate::store::meta::walk::after_key;
use crate::tables::table::{Range, scan};
use crate::tables::{Entry, Keyed as _, UploadRow, Uploads};

/// Which uploads to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListUploadsQuery {
    /// Only keys that start with this.
    pub prefix: String,
    /// Group keys by this text after the prefix.
    pub delimiter: Option<String>,
    /// Only entries after this key and upload; without an upload, after all of the key, or of the common prefix.
    pub after: Option<(ObjectKey, Option<UploadId>)>,
    /// Maximum number of uploads and prefixes together; limited to [`UPLOADS_PAGE_MAX`].
    pub max: usize,
}

/// One upload of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadEntry {
    /// The key of the later object.
    pub key: ObjectKey,
    /// Its id.
    pub upload: UploadId,
    /// What it carries.
    pub row: UploadRow,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UploadListing {
    /// Uploads, ascending by key, then id.
    pub entries: Vec<UploadEntry>,
    /// Common prefixes, ascending.
    pub prefixes: Vec<String>,
    /// The last upload, or the last common prefix, of this page, if more follow.
    pub next: Option<(String, Option<UploadId>)>,
}

impl From<Entry<Uploads>> for UploadEntry {
    fn from(entry: Entry<Uploads>) -> UploadEntry {
        let (_, key, upload) = entry.key;
        UploadEntry {
            key,
            upload,
            row: entry.value,
        }
    }
}

impl Objects {
    /// Uploads in progress.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`].
    pub async fn list_uploads(
        &self,
        bucket: &BucketName,
        query: ListUploadsQuery,
    ) -> Result<UploadListing, ObjectsError> {
        let bucket = bucket.clone();
        self.look(move |mut meta| {
            let id = present(&mut meta, &bucket)?.id;
            let range = start(id, &query);
            collect(meta, id, &query, range)
        })
        .await
    }
}

fn start(id: BucketId, query: &ListUploadsQuery) -> Range<Uploads> {
    let range = Uploads.of_prefix(id, &query.prefix);
    let Some((key, upload)) = &query.after else {
        return range;
    };
    let rolled = rolled_up(query, key.as_str()) == Some(key.as_str());
    range.starting_at(match upload {
        Some(upload) => after_key(&Uploads.key((id, key, *upload))),
        None if rolled => Uploads.of_prefix(id, key.as_str()).keys.to,
        None => Uploads.of_key(id, key).keys.to,
    })
}

fn rolled_up<'a>(query: &ListUploadsQuery, key: &'a str) -> Option<&'a str> {
    common_prefix(&query.prefix, query.delimiter.as_deref(), key)
}

fn collect(
    meta: &dyn Meta,
    id: BucketId,
    query: &ListUploadsQuery,
    mut range: Range<Uploads>,
) -> Result<UploadListing, ObjectsError> {
    let max = query.max.min(UPLOADS_PAGE_MAX);
    let mut page = UploadListing::default();
    let mut last = None;
    // A page of nothing has no marker to go on from.
    if max == 0 {
        return Ok(page);
    }
    loop {
        let wanted = max + 1 - (page.entries.len() + page.prefixes.len());
        let found = scan(meta, Uploads, &range, wanted)?;
        let exhausted = found.len() < wanted;
        let mut skipped = false;
        for entry in found {
            if page.entries.len() + page.prefixes.len() == max {
                page.next = last;
                return Ok(page);
            }
            let entry = UploadEntry::from(entry);
            if let Some(prefix) = rolled_up(query, entry.key.as_str()) {
                range = range.starting_at(Uploads.of_prefix(id, prefix).keys.to);
                last = Some((prefix.to_owned(), None));
                page.prefixes.push(prefix.to_owned());
                skipped = true;
                break;
            }
            range = range.starting_at(after_key(&Uploads.key((id, &entry.key, entry.upload))));
            last = Some((entry.key.as_str().to_owned(), Some(entry.upload)));
            page.entries.push(entry);
        }
        if exhausted && !skipped {
            return Ok(page);
        }
    }
}
