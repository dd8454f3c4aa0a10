//! Manifests: written once with their pack claims, released by losing a user, read whole.

use std::collections::BTreeMap;

use crate::clock::UnixMillis;
use crate::objects::body::{PackClaim, PlacedSegment};
use crate::objects::decision::{Draft, Undecided};
use crate::objects::{Objects, ObjectsError};
use crate::planted::{Bug, planted};
use crate::store::meta::Meta;
use crate::store::packs::Segment;
use crate::store::{ManifestId, PackId, StoreError};
use crate::tables::keys::of_manifest;
use crate::tables::records::MANIFEST_CHUNK_SEGMENTS;
use crate::tables::{DeadRow, ManifestChunk, ManifestHead, PackRow, PackUserRow, Record, RowKey};

/// Most chunks of one manifest: a 5 TiB object in packs of 64 MiB has 81,920 segments, and 10,000 parts may each end
/// one early.
pub const MANIFEST_CHUNKS_MAX: usize = 128;

impl Objects {
    /// The segments of a manifest in order; `None` when it is gone.
    ///
    /// # Errors
    /// When a row is damaged or a chunk is missing.
    pub async fn manifest(&self, id: ManifestId) -> Result<Option<Vec<Segment>>, ObjectsError> {
        self.look(move |meta| Ok(read_manifest(meta, id)?)).await
    }
}

/// Reads a manifest in one view.
pub(crate) fn read_manifest(
    meta: &dyn Meta,
    id: ManifestId,
) -> Result<Option<Vec<Segment>>, StoreError> {
    let range = of_manifest(id);
    let rows = meta.scan(&range.from, &range.to, MANIFEST_CHUNKS_MAX + 1)?;
    let mut rows = rows.iter();
    let Some((key, first)) = rows.next() else {
        return Ok(None);
    };
    let head = ManifestHead::decode(key, first)?;
    let damaged = |what| StoreError::DamagedRow {
        key: key.to_vec(),
        what,
    };
    let mut segments = head.segments;
    let mut chunks = 1;
    for (key, row) in rows {
        segments.extend(ManifestChunk::decode(key, row)?.segments);
        chunks += 1;
    }
    if chunks != head.chunks {
        return Err(damaged("number of chunks"));
    }
    let plain: u64 = segments
        .iter()
        .map(|s| s.plain_len)
        .fold(0, u64::saturating_add);
    if plain != head.size {
        return Err(damaged("sum of segments"));
    }
    Ok(Some(segments))
}

/// Writes a new manifest with one user into the draft: its chunks, its counters and the claims on its packs.
///
/// # Errors
/// [`ObjectsError::PackGone`] when a pack was condemned or its row is gone.
pub(super) fn create(
    draft: &mut Draft<'_>,
    id: ManifestId,
    placed: &[PlacedSegment],
) -> Result<(), ObjectsError> {
    claim_packs(draft, id, placed)?;
    let segments: Vec<Segment> = placed.iter().map(|p| p.segment).collect();
    let mut chunks = segments.chunks(MANIFEST_CHUNK_SEGMENTS);
    let head = ManifestHead {
        chunks: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
        size: segments.iter().map(|s| s.plain_len).sum(),
        segments: chunks.next().unwrap_or_default().to_vec(),
    };
    draft.put(&RowKey::Manifest(id, 0), &head);
    for (number, chunk) in (1..).zip(chunks) {
        draft.put(
            &RowKey::Manifest(id, number),
            &ManifestChunk {
                segments: chunk.to_vec(),
            },
        );
    }
    draft.add(&RowKey::ManifestUsers(id), 1);
    Ok(())
}

/// Takes one user from a manifest and tells the reaper to look at it.
pub(super) fn release(draft: &mut Draft<'_>, id: ManifestId, since: UnixMillis) {
    draft.add(&RowKey::ManifestUsers(id), -1);
    draft.put(&RowKey::DeadManifest(id), &DeadRow { since });
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    segments: i64,
    stored: i64,
    end: u64,
    origin: PackClaim,
}

/// Makes the draft depend on every pack of the segments, and counts them there.
fn claim_packs(
    draft: &mut Draft<'_>,
    id: ManifestId,
    placed: &[PlacedSegment],
) -> Result<(), ObjectsError> {
    let mut claims: BTreeMap<PackId, Claim> = BTreeMap::new();
    for PlacedSegment { segment, claim } in placed {
        let entry = claims.entry(segment.pack).or_insert(Claim {
            segments: 0,
            stored: 0,
            end: 0,
            origin: *claim,
        });
        entry.segments += 1;
        entry.end = entry.end.max(segment.offset + segment.stored_len);
        entry.stored += i64::try_from(segment.stored_len).unwrap_or(i64::MAX);
    }
    let keys: Vec<_> = claims.keys().map(|pack| RowKey::Pack(*pack)).collect();
    let rows = draft.read_many::<PackRow>(&keys)?;
    for ((pack, claim), row) in claims.into_iter().zip(rows) {
        match (row, claim.origin) {
            (None, PackClaim::Own { len }) => {
                draft.put(&RowKey::Pack(pack), &PackRow::Sealed { len });
                draft.add(&RowKey::StoredBytes, i64::try_from(len).unwrap_or(i64::MAX));
            }
            (Some(PackRow::Live | PackRow::Sealed { .. }), _) => {}
            (Some(PackRow::Condemned { .. }), _) | (None, PackClaim::Shared) => {
                return Err(ObjectsError::PackGone(pack));
            }
        }
        if !planted(Bug::CounterForgotten) {
            draft.add(&RowKey::PackSegments(pack), claim.segments);
        }
        draft.add(&RowKey::PackLive(pack), claim.stored);
        draft.put(&RowKey::PackUser(pack, id), &PackUserRow { end: claim.end });
    }
    Ok(())
}

/// The segments of several manifests, for joining them.
pub(super) fn join(
    draft: &mut Draft<'_>,
    ids: &[ManifestId],
) -> Result<Vec<PlacedSegment>, Undecided> {
    let keys: Vec<_> = ids.iter().map(|id| RowKey::Manifest(*id, 0)).collect();
    let heads = draft.read_many::<ManifestHead>(&keys)?;
    let mut joined = Vec::with_capacity(ids.len());
    for (id, head) in ids.iter().zip(heads) {
        // The part that named it was read before it was replaced and reaped.
        let head = head.ok_or(Undecided::Stale)?;
        let segments = if head.chunks == 1 {
            head.segments
        } else {
            let meta = draft.unrequired("chunks come and go with chunk 0, which is required");
            read_manifest(meta, *id)?.ok_or(Undecided::Stale)?
        };
        joined.extend(segments.into_iter().map(|segment| PlacedSegment {
            segment,
            claim: PackClaim::Shared,
        }));
    }
    Ok(joined)
}
