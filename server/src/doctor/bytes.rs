//! Every byte that a manifest names verifies, and every pack file is what its row says.

use std::collections::BTreeSet;

use crate::doctor::{Census, Findings};
use crate::objects::manifest::read_manifest;
use crate::schema::keys::{split_manifest_chunk, whole};
use crate::schema::{Keyspace, PackRow, Record, RowKey};
use crate::store::meta::Meta;
use crate::store::meta::walk::row_of;
use crate::store::packs::scan::PackScan;
use crate::store::packs::{PackEntry, Packs, Segment};
use crate::store::{ManifestId, StoreError};

/// Pack files of one page.
const PAGE_PACKS: usize = 500;

/// Verifies the segments of every manifest; gives the manifests with damage.
pub(super) fn of_manifests(
    meta: &dyn Meta,
    packs: &dyn Packs,
    census: &mut Census,
    findings: &mut Findings,
) -> BTreeSet<ManifestId> {
    let mut damaged = BTreeSet::new();
    let ended = super::rows::each(meta, whole(Keyspace::Manifest), |key, _| {
        let (id, chunk) = split_manifest_chunk(key)?;
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
        for segment in &segments {
            match of_segment(meta, packs, segment) {
                Ok(()) => census.bytes += segment.stored_len,
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

fn of_segment(meta: &dyn Meta, packs: &dyn Packs, segment: &Segment) -> Result<(), StoreError> {
    let key = RowKey::Pack(segment.pack).encode();
    match row_of(meta, &key)? {
        Some(row) if !matches!(PackRow::decode(&key, &row)?, PackRow::Condemned { .. }) => {}
        _ => {
            return Err(StoreError::DamagedRow {
                key: key.to_vec(),
                what: "a pack in use has no row, or a condemned one",
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
        Ok(())
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
    census: &mut Census,
    findings: &mut Findings,
) {
    let looked = each_pack(packs, census, |census, file| {
        let key = RowKey::Pack(file.pack).encode();
        match row_of(meta, &key)? {
            None => census.orphans += 1,
            Some(row) => match PackRow::decode(&key, &row)? {
                PackRow::Condemned { .. } => census.condemned += 1,
                PackRow::Sealed { len } if file.len < len => findings.pack(
                    file.pack,
                    format!(
                        "pack {} has {} bytes, it was sealed at {len}",
                        file.pack, file.len
                    ),
                ),
                PackRow::Sealed { .. } | PackRow::Live => {
                    packs.read(file.pack, &[])?;
                }
            },
        }
        Ok(())
    });
    for error in looked {
        findings.store(&error);
    }
}

/// Verifies every segment of every pack file, whoever may use it.
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

/// Calls `look` for each pack file and collects what it met.
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
