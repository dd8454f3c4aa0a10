//! Claims packs for a manifest, and releases them.

use std::collections::BTreeMap;

use crate::planted::{Bug, planted};
use crate::store::packs::Segment;
use crate::store::{ManifestId, PackId, StoreError};
use crate::tables::{
    Draft, PackLive, PackRow, PackRows, PackSegments, PackUserRow, PackUsers, Rows as _,
    StoredBytes,
};

/// The owner of a segment's pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackClaim {
    /// A pack of this length that has no row yet: the commit that first uses it creates the row.
    Own {
        /// The pack file's length.
        len: u64,
    },
    /// A pack that already has a row.
    Shared,
}

/// A segment and the owner of its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedSegment {
    /// Where the bytes lie.
    pub segment: Segment,
    /// The owner of its pack.
    pub claim: PackClaim,
}

/// Why packs could not be claimed.
#[derive(Debug)]
pub enum ClaimError {
    /// The pack is marked, or its row is gone: its bytes may be removed at any time.
    Gone(PackId),
    /// Rows cannot be read.
    Store(StoreError),
}

impl From<StoreError> for ClaimError {
    fn from(error: StoreError) -> ClaimError {
        ClaimError::Store(error)
    }
}

/// The segments of one manifest in one pack.
#[derive(Debug, Clone, Copy, Default)]
struct PackUse {
    segments: i64,
    stored: i64,
    /// The end of its last segment.
    end: u64,
}

impl PackUse {
    fn add(&mut self, segment: &Segment) {
        self.segments += 1;
        self.stored = self.stored.saturating_add(signed(segment.stored_len));
        let end = segment.offset.saturating_add(segment.stored_len);
        self.end = self.end.max(end);
    }
}

/// A length as a change of a counter; no pack comes near the limit.
pub(super) fn signed(len: u64) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// Makes the draft depend on every pack of the segments, and counts the manifest's segments there.
///
/// # Errors
/// [`ClaimError::Gone`] when a pack was marked or its row is gone.
pub(crate) fn claim(
    draft: &mut Draft<'_>,
    manifest: ManifestId,
    placed: &[PlacedSegment],
) -> Result<(), ClaimError> {
    let mut holdings: BTreeMap<PackId, (PackUse, PackClaim)> = BTreeMap::new();
    for PlacedSegment { segment, claim } in placed {
        let first = (PackUse::default(), *claim);
        let (holding, _) = holdings.entry(segment.pack).or_insert(first);
        holding.add(segment);
    }
    let rows = draft.read_many(PackRows, holdings.keys().copied())?;
    for ((pack, (holding, claim)), row) in holdings.into_iter().zip(rows) {
        match (row, claim) {
            (None, PackClaim::Own { len }) => {
                draft.put(PackRows, pack, &PackRow::Sealed { len });
                draft.tally(StoredBytes, pack.epoch, signed(len));
            }
            (Some(PackRow::Live | PackRow::Sealed { .. }), _) => {}
            (Some(PackRow::Marked { .. }), _) | (None, PackClaim::Shared) => {
                return Err(ClaimError::Gone(pack));
            }
        }
        if !planted(Bug::CounterForgotten) {
            draft.add(PackSegments, pack, holding.segments);
        }
        draft.tally(PackLive, pack, holding.stored);
        draft.put(
            PackUsers,
            (pack, manifest),
            &PackUserRow { end: holding.end },
        );
    }
    Ok(())
}

/// Subtracts a manifest's segments from their packs' counters. The caller's draft also removes the manifest, so this
/// happens only once.
pub(crate) fn release(draft: &mut Draft<'_>, manifest: ManifestId, segments: &[Segment]) {
    let mut holdings: BTreeMap<PackId, PackUse> = BTreeMap::new();
    for segment in segments {
        holdings.entry(segment.pack).or_default().add(segment);
    }
    for (pack, holding) in holdings {
        let times = if planted(Bug::DecrementTwice) { 2 } else { 1 };
        draft.add(PackSegments, pack, -times * holding.segments);
        draft.tally(PackLive, pack, -holding.stored);
        draft.delete(PackUsers, (pack, manifest));
    }
}
