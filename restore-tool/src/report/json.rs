//! The summary for programs: one JSON object on one line. New versions add fields and never change them.
//!
//! `apiVersion` is `strongroom/v1`; `kind` is `Restore`, `RestorePreview` or `RestoreFailure`. Revisions, counts and bytes
//! are numbers, ids are hex strings as etcdctl prints them, times are seconds.

use std::path::Path;

use serde_json::{Value, json};
use strongroom_etcd_format::membership::Membership;
use strongroom_snapshot_io::intake::Trailer;

use super::{Report, written_by};
use crate::{error::RestoreError, owner::Owner, plan::Local, preview::Preview};

const API_VERSION: &str = "strongroom/v1";

/// A finished restore.
pub(crate) fn report(report: &Report) -> String {
    let (found, taken) = (&report.inspection, &report.taken);
    line(&json!({
        "apiVersion": API_VERSION,
        "kind": "Restore",
        "snapshot": {
            "place": report.place,
            "packing": taken.packing.to_string(),
            "storedBytes": report.stored_bytes,
            "bytes": taken.file_len,
            "sha256": hex::encode(taken.sha256),
            "trailer": match taken.trailer {
                Trailer::Matches => "matches",
                Trailer::Missing => "missing",
                Trailer::Differs { .. } => "differs",
            },
            "revision": found.revision,
            "liveKeys": found.live_keys,
            "rows": found.row_count,
            "writtenBy": written_by(found),
            "pagesInUse": report.checked.pages_reachable,
            "pagesFree": report.checked.pages_free,
        },
        "revision": report.raised_revision.unwrap_or(found.current_revision()),
        "unappliedDeltas": report.unapplied.map(|deltas| {
            json!({ "count": deltas.count, "lastRevision": deltas.last_revision })
        }),
        "revisionRaised": report.raised_revision.is_some(),
        "cluster": cluster(&report.membership, &report.local),
        "target": target(&report.data_dir, report.wal_dir.as_deref(), report.owner),
        "databaseBytes": report.db_bytes,
        "seconds": {
            "fetch": report.times.fetch.as_secs_f64(),
            "check": report.times.check.as_secs_f64(),
            "build": report.times.build.as_secs_f64(),
            "total": report.times.total.as_secs_f64(),
        },
        "warnings": report.warnings,
        "next": report.next_step(),
    }))
}

/// A dry run.
pub(crate) fn preview(preview: &Preview) -> String {
    line(&json!({
        "apiVersion": API_VERSION,
        "kind": "RestorePreview",
        "snapshot": { "place": preview.place, "storedBytes": preview.stored_bytes },
        "cluster": cluster(&preview.membership, &preview.local),
        "target": target(&preview.data_dir, preview.wal_dir.as_deref(), preview.owner),
        "writes": preview.writes,
        "bumpRevision": preview.bump_revision,
        "warnings": preview.warnings,
    }))
}

/// A failed restore.
pub(crate) fn failure(error: &RestoreError, warnings: &[String]) -> String {
    line(&json!({
        "apiVersion": API_VERSION,
        "kind": "RestoreFailure",
        "error": error.full_message(),
        "exitCode": error.exit_code().number(),
        "next": error.next_step(),
        "warnings": warnings,
    }))
}

fn cluster(membership: &Membership, local: &Local) -> Value {
    let members: Vec<Value> = membership
        .members
        .iter()
        .map(|member| {
            json!({
                "id": member.id.to_string(),
                "name": member.name,
                "peerURLs": member.peer_urls,
                "local": member.id == local.id,
            })
        })
        .collect();
    json!({ "id": membership.cluster_id.to_string(), "members": members })
}

fn target(data_dir: &Path, wal_dir: Option<&Path>, owner: Option<Owner>) -> Value {
    json!({
        "dataDir": data_dir.display().to_string(),
        "walDir": wal_dir.map(|dir| dir.display().to_string()),
        "owner": owner.map(|Owner { uid, gid }| json!({ "uid": uid, "gid": gid })),
    })
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
