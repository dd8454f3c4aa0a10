//! The summary for programs: one JSON object on one line. New versions add fields and never change them.
//!
//! `apiVersion` is `strongroom/v1`; `kind` is `Restore`, `RestorePreview` or `RestoreFailure`. Revisions, counts and bytes
//! are numbers, ids are hex strings as etcdctl prints them, times are seconds.

use std::path::Path;

use serde_json::{Value, json};
use strongroom_etcd_format::inspect::KeyCount;
use strongroom_snapshot_io::intake::Trailer;

use super::Report;
use crate::{
    cluster::RestoredCluster,
    error::RestoreError,
    examined::Examined,
    left_out::LeftOut,
    owner::Owner,
    peers::{At, Heard},
    preview::Preview,
};

const API_VERSION: &str = "strongroom/v1";

/// A finished restore.
pub(crate) fn report(report: &Report) -> String {
    let examined = &report.examined;
    line(&json!({
        "apiVersion": API_VERSION,
        "kind": "Restore",
        "snapshot": snapshot(&report.place, report.stored_bytes, examined),
        "revision": revision(examined),
        "unappliedDeltas": examined.unapplied.map(|deltas| {
            json!({ "count": deltas.count, "lastRevision": deltas.last_revision })
        }),
        "revisionRaised": examined.raised_revision.is_some(),
        "cluster": cluster(&examined.cluster),
        "askedMembers": asked(&examined.heard),
        "membersToJoin": to_join(examined.left_out.as_ref()),
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
    let examined = &preview.examined;
    line(&json!({
        "apiVersion": API_VERSION,
        "kind": "RestorePreview",
        "snapshot": snapshot(&preview.place, preview.stored_bytes, examined),
        "revision": revision(examined),
        "cluster": cluster(&examined.cluster),
        "askedMembers": asked(&examined.heard),
        "membersToJoin": to_join(examined.left_out.as_ref()),
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

fn snapshot(place: &str, stored_bytes: u64, examined: &Examined) -> Value {
    let (found, taken) = (&examined.inspection, &examined.taken);
    json!({
        "place": place,
        "packing": taken.packing.to_string(),
        "storedBytes": stored_bytes,
        "bytes": taken.file_len,
        "sha256": hex::encode(taken.sha256),
        "trailer": match taken.trailer {
            Trailer::Matches => "matches",
            Trailer::Missing => "missing",
            Trailer::Differs { .. } => "differs",
        },
        "revision": found.revision,
        "liveKeys": found.live_keys.number(),
        "liveKeysExact": matches!(found.live_keys, KeyCount::Exact(_)),
        "rows": found.row_count,
        "clusterVersion": found.cluster_version,
        "storageVersion": found.storage_version,
        "pagesInUse": examined.checked.pages_reachable,
        "pagesFree": examined.checked.pages_free,
    })
}

fn revision(examined: &Examined) -> i64 {
    let found = &examined.inspection;
    examined.raised_revision.unwrap_or(found.current_revision())
}

fn cluster(cluster: &RestoredCluster) -> Value {
    let members: Vec<Value> = cluster
        .membership
        .members
        .iter()
        .map(|member| {
            json!({
                "id": member.id.to_string(),
                "name": member.name,
                "peerURLs": member.peer_urls,
                "local": member.id == cluster.local.id,
            })
        })
        .collect();
    json!({
        "id": cluster.membership.cluster_id.to_string(),
        "token": cluster.token.as_str(),
        "tokenOrigin": cluster.token_origin.word(),
        "members": members,
    })
}

fn asked(heard: &[Heard]) -> Vec<Value> {
    let one = |heard: &Heard| {
        let id = match heard.at {
            At::Etcd(id) => id.map(|id| id.to_string()),
            _ => None,
        };
        json!({ "peerURL": heard.url, "answer": heard.at.word(), "clusterId": id })
    };
    heard.iter().map(one).collect()
}

fn to_join(left_out: Option<&LeftOut>) -> Vec<Value> {
    let members = left_out.map_or(&[][..], |left_out| &left_out.members);
    members
        .iter()
        .map(|member| {
            let steps: Vec<Value> = member
                .steps
                .iter()
                .map(|step| {
                    json!({ "where": step.place.word(), "what": step.what, "command": step.command })
                })
                .collect();
            json!({ "name": member.name, "peerURLs": member.peer_urls, "steps": steps })
        })
        .collect()
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
