//! Manifests: written once with their pack claims, released when they lose a user, read whole.

use crate::clock::UnixMillis;
use crate::objects::decision::{Draft, Rows, Undecided, missing};
use crate::objects::{Objects, ObjectsError};
use crate::packs::claim::claim;
use crate::packs::{ClaimError, PackClaim, PlacedSegment};
use crate::store::meta::Meta;
use crate::store::packs::Segment;
use crate::store::{ManifestId, StoreError};
use crate::tables::{
    DeadManifests, DeadRow, Keyed as _, MANIFEST_CHUNK_ENTRIES, ManifestChunk, ManifestChunks,
    ManifestEntry, ManifestHead, ManifestHeads, ManifestUsers, PartTables,
};

/// Maximum number of chunks of one manifest: a 5 TiB object in packs of 64 MiB has 81,920 segments, and each of 10,000
/// parts may end a segment early.
const MANIFEST_CHUNKS_MAX: u32 = 128;

impl Objects {
    /// The segments of a manifest in order; `None` when it is gone.
    ///
    /// # Errors
    /// When a row is damaged or a chunk is missing.
    pub async fn manifest(&self, id: ManifestId) -> Result<Option<Vec<Segment>>, ObjectsError> {
        self.look(move |meta| Ok(read_manifest(meta, id)?)).await
    }
}

/// Reads a manifest by key. A manifest changes only as a whole, so if chunks are missing, it is read again.
pub(crate) fn read_manifest(
    mut meta: &dyn Meta,
    id: ManifestId,
) -> Result<Option<Vec<Segment>>, StoreError> {
    let Some(head) = meta.read(ManifestHeads, id)? else {
        return Ok(None);
    };
    let whole = segments_of(&mut meta, id, head);
    match whole {
        Err(_) if meta.read(ManifestHeads, id)?.is_none() => Ok(None),
        whole => whole.map(Some),
    }
}

/// All segments of a manifest, from its head.
fn segments_of(
    rows: &mut impl Rows,
    id: ManifestId,
    head: ManifestHead,
) -> Result<Vec<Segment>, StoreError> {
    let damaged = |what| StoreError::DamagedRow {
        key: ManifestHeads.key(id).to_vec(),
        what,
    };
    if head.chunks == 0 || head.chunks > MANIFEST_CHUNKS_MAX {
        return Err(damaged("number of chunks"));
    }
    let mut segments = segments(head.entries);
    if head.chunks > 1 {
        let chunks = rows.read_many(ManifestChunks, (1..head.chunks).map(|chunk| (id, chunk)))?;
        for chunk in chunks {
            let chunk = chunk.ok_or_else(|| damaged("a chunk is missing"))?;
            segments.extend(self::segments(chunk.entries));
        }
    }
    if total(segments.iter().map(|s| s.plain_len)) != Some(head.size) {
        return Err(damaged("sum of segments"));
    }
    Ok(segments)
}

/// The sum of lengths from rows; `None` if no body can be that long, so that they are damaged.
pub(super) fn total(mut lengths: impl Iterator<Item = u64>) -> Option<u64> {
    lengths.try_fold(0, u64::checked_add)
}

/// The segments of manifest entries.
pub(crate) fn segments(entries: Vec<ManifestEntry>) -> Vec<Segment> {
    let of = |entry| match entry {
        ManifestEntry::Segment(segment) => segment,
    };
    entries.into_iter().map(of).collect()
}

/// Writes a new manifest with one user into the draft: its chunks, its counters and the claims on its packs. `size` is
/// the sum of its segments.
///
/// # Errors
/// [`ClaimError::Gone`] when a pack was marked or its row is gone.
pub(super) fn create(
    draft: &mut Draft<'_>,
    id: ManifestId,
    size: u64,
    placed: &[PlacedSegment],
) -> Result<(), ClaimError> {
    claim(draft, id, placed)?;
    let entries: Vec<ManifestEntry> = placed
        .iter()
        .map(|placed| ManifestEntry::Segment(placed.segment))
        .collect();
    let mut chunks = entries.chunks(MANIFEST_CHUNK_ENTRIES);
    let head = ManifestHead {
        chunks: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
        size,
        entries: chunks.next().unwrap_or_default().to_vec(),
    };
    draft.put(ManifestHeads, id, &head);
    for (number, chunk) in (1..).zip(chunks) {
        let entries = chunk.to_vec();
        draft.put(ManifestChunks, (id, number), &ManifestChunk { entries });
    }
    draft.add(ManifestUsers, id, 1);
    Ok(())
}

/// Removes one user from a manifest and hands the manifest to collection.
pub(super) fn release(draft: &mut Draft<'_>, id: ManifestId, since: UnixMillis) {
    draft.add(ManifestUsers, id, -1);
    draft.put(DeadManifests, id, &DeadRow { since });
}

/// Removes a manifest's rows, and returns the segments whose packs are to be released. A missing manifest has none.
///
/// # Errors
/// When rows cannot be read.
pub(crate) fn remove(draft: &mut Draft<'_>, id: ManifestId) -> Result<Vec<Segment>, StoreError> {
    draft.delete(PartTables, id);
    let Some(head) = draft.read(ManifestHeads, id)? else {
        return Ok(Vec::new());
    };
    let chunks = head.chunks;
    let segments = segments_of(draft, id, head)?;
    draft.delete(ManifestHeads, id);
    for number in 1..chunks {
        draft.delete(ManifestChunks, (id, number));
    }
    Ok(segments)
}

/// The segments of the manifests of several parts, for joining them.
pub(super) fn join(
    draft: &mut Draft<'_>,
    ids: &[ManifestId],
) -> Result<Vec<PlacedSegment>, Undecided> {
    let heads = draft.read_many(ManifestHeads, ids.iter().copied())?;
    let mut joined = Vec::with_capacity(ids.len());
    for (id, head) in ids.iter().zip(heads) {
        // If the part that names it has just been replaced, its row has changed as well, and the decision is made again.
        let lost = || {
            missing(
                ManifestHeads,
                *id,
                "a part names a manifest that has no row",
            )
        };
        let head = head.ok_or_else(lost)?;
        let mut rows = draft.unrequired("chunks come and go with chunk 0, which is required");
        let segments = match segments_of(&mut rows, *id, head) {
            Ok(segments) => segments,
            Err(_) => read_manifest(rows, *id)?.ok_or_else(lost)?,
        };
        joined.extend(segments.into_iter().map(|segment| PlacedSegment {
            segment,
            claim: PackClaim::Shared,
        }));
    }
    Ok(joined)
}
