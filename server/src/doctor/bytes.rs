//! Checks that every byte named by a manifest verifies, and that every pack file matches its row.

use std::collections::BTreeSet;

use crate::doctor::totals::Totals;
use crate::doctor::unnamed::UnnamedBodies;
use crate::doctor::{Census, Findings};
use crate::objects::manifest::read_manifest;
use crate::store::meta::Meta;
use crate::store::packs::format::header::PACK_HEADER_BYTES;
use crate::store::packs::format::segment::OriginTarget;
use crate::store::packs::reader::read_table;
use crate::store::packs::scan::PackScan;
use crate::store::packs::{Origin, PackEntry, Packs, Segment};
use crate::store::{ManifestId, PackId, StoreError};
use crate::tables::table::get;
use crate::tables::{Keyed as _, ManifestChunks, PackRow, PackRows};

/// Pack files per page.
const PAGE_PACKS: usize = 500;

/// Verifies the segments of every manifest; returns the damaged manifests.
pub(super) fn of_manifests(
    meta: &dyn Meta,
    packs: &dyn Packs,
    census: &mut Census,
    findings: &mut Findings,
) -> BTreeSet<ManifestId> {
    let mut damaged = BTreeSet::new();
    let ended = super::rows::each(meta, ManifestChunks.whole().keys, |key, _| {
        let (id, chunk) = ManifestChunks.split(key)?;
        if chunk != 0 {
            return Ok(());
        }
        let segments = match read_manifest(meta, id) {
            Ok(segments) => segments.unwrap_or_default(),
            Err(error) => {
                damaged.insert(id);
                findings.manifest(&error, id);
                return Ok(());
            }
        };
        let mut body = Body::default();
        for segment in &segments {
            match of_segment(meta, packs, segment) {
                Ok(origin) => {
                    census.bytes = census.bytes.saturating_add(segment.stored_len);
                    body.check_offset(segment, &origin, findings);
                }
                Err(error) => {
                    damaged.insert(id);
                    findings.manifest(&error, id);
                }
            }
        }
        Ok(())
    });
    if let Err(error) = ended {
        findings.store(&error);
    }
    damaged
}

/// The current body in a manifest's sequence of segments; a multipart object has one per part.
#[derive(Default)]
struct Body {
    target: Option<OriginTarget>,
    /// Its plain bytes so far.
    len: u64,
}

impl Body {
    /// Checks that a segment's table names the same place in the body as the manifest: salvage relies on it.
    fn check_offset(&mut self, segment: &Segment, origin: &Origin, findings: &mut Findings) {
        if self.target.as_ref() != Some(&origin.target) {
            *self = Body {
                target: Some(origin.target.clone()),
                len: 0,
            };
        }
        let expected = self.len;
        self.len = expected.saturating_add(segment.plain_len);
        if origin.body_offset != expected {
            let Segment { pack, offset, .. } = segment;
            let what = format!(
                "the segment at {offset} of pack {pack} is at byte {expected} of its body, and names byte {}",
                origin.body_offset
            );
            findings.pack(*pack, what);
        }
    }
}

fn of_segment(meta: &dyn Meta, packs: &dyn Packs, segment: &Segment) -> Result<Origin, StoreError> {
    match get(meta, PackRows, segment.pack)? {
        Some(PackRow::Live | PackRow::Sealed { .. }) => {}
        Some(PackRow::Marked { .. }) | None => {
            return Err(StoreError::DamagedRow {
                key: PackRows.key(segment.pack).to_vec(),
                what: "a pack in use has no row, or a marked one",
            });
        }
    }
    let found = PackScan::of(segment)
        .next(packs)
        .unwrap_or(Err(StoreError::DamagedFrame {
            pack: segment.pack,
            offset: segment.offset,
            what: "an empty segment",
        }))?;
    if found.segment == *segment {
        Ok(found.origin)
    } else {
        Err(StoreError::DamagedFrame {
            pack: segment.pack,
            offset: segment.offset,
            what: "the segment in the pack is not the one that the manifest names",
        })
    }
}

/// Compares every pack file with its row.
pub(super) fn of_packs(
    meta: &dyn Meta,
    packs: &dyn Packs,
    totals: &Totals,
    census: &mut Census,
    findings: &mut Findings,
    unnamed: &mut UnnamedBodies,
) {
    let looked = each_pack(packs, census, |census, file| {
        match get(meta, PackRows, file.pack)? {
            None => {
                census.orphans += 1;
                unnamed.scan(packs, file, PACK_HEADER_BYTES)?;
            }
            Some(PackRow::Marked { .. }) => census.marked += 1,
            Some(PackRow::Sealed { len }) if file.len < len => findings.pack(
                file.pack,
                format!(
                    "pack {} has {} bytes, it was sealed at {len}",
                    file.pack, file.len
                ),
            ),
            Some(PackRow::Live) => {
                packs.read(file.pack, &[])?;
                let used = totals.packs.get(&file.pack).map(|used| used.end);
                unnamed.scan(packs, file, used.unwrap_or(PACK_HEADER_BYTES))?;
            }
            Some(PackRow::Sealed { len }) => {
                packs.read(file.pack, &[])?;
                let used = totals.packs.get(&file.pack).map(|used| used.end);
                if used != Some(len) && !ends_at(packs, file.pack, len)? {
                    let what = format!(
                        "pack {} is sealed at {len}, where no segment ends",
                        file.pack
                    );
                    findings.pack(file.pack, what);
                }
                unnamed.scan(packs, file, len)?;
            }
        }
        Ok(())
    });
    for error in looked {
        findings.store(&error);
    }
}

/// Whether a segment of the pack ends at `len`, or the pack has only a header.
fn ends_at(packs: &dyn Packs, pack: PackId, len: u64) -> Result<bool, StoreError> {
    if len == PACK_HEADER_BYTES {
        return Ok(true);
    }
    let all = Segment {
        pack,
        offset: PACK_HEADER_BYTES,
        stored_len: len.saturating_sub(PACK_HEADER_BYTES),
        plain_len: 0,
        skip: 0,
    };
    match read_table(packs, &all) {
        Ok(_) => Ok(true),
        Err(StoreError::DamagedFrame { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Verifies every segment of every pack file, whether it is used or not.
pub(super) fn of_packs_alone(packs: &dyn Packs, census: &mut Census, findings: &mut Findings) {
    let looked = each_pack(packs, census, |census, file| {
        let mut scan = PackScan::new(file.clone());
        while let Some(found) = scan.next(packs) {
            census.bytes += found?.segment.stored_len;
        }
        Ok(())
    });
    for error in looked {
        findings.store(&error);
    }
}

/// Calls `look` for each pack file and collects the errors.
fn each_pack(
    packs: &dyn Packs,
    census: &mut Census,
    mut look: impl FnMut(&mut Census, &PackEntry) -> Result<(), StoreError>,
) -> Vec<StoreError> {
    let mut met = Vec::new();
    let mut after = None;
    loop {
        let files = match packs.list(after, PAGE_PACKS) {
            Ok(files) => files,
            Err(error) => {
                met.push(error);
                return met;
            }
        };
        for file in &files {
            census.packs += 1;
            if let Err(error) = look(census, file) {
                met.push(error);
                if met.len() >= super::FINDINGS_MAX {
                    return met;
                }
            }
        }
        match files.last() {
            Some(last) if files.len() == PAGE_PACKS => after = Some(last.pack),
            _ => return met,
        }
    }
}
