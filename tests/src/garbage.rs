//! Runs garbage collection until nothing is left to do, and runs the offline doctor on the store.
//!
//! It reads the JSON of both reports and knows nothing about the store itself.

use std::time::Duration;

use serde_json::Value;

use crate::clock::until;
use crate::process::run;
use crate::server::Server;
use crate::{http, programs};

/// Runs start every second; a long queue of deletes takes several.
const SETTLED_WITHIN: Duration = Duration::from_mins(2);

/// Sets the shortest interval and no grace, and a log that does not report each request of a workload.
pub fn eager(command: &mut std::process::Command) {
    command
        .env("STRONGROOM_GC_INTERVAL_SECS", "1")
        .env("STRONGROOM_GC_GRACE_SECS", "0")
        .env("STRONGROOM_GC_QUARANTINE_SECS", "0")
        .env("STRONGROOM_LOG", "warn");
}

/// Why the last run failed, if it did.
pub fn failure(server: &Server) -> Option<String> {
    let gc = job(server).ok()?;
    gc["last"]["result"]["Err"].as_str().map(str::to_owned)
}

/// Waits until two runs that began after this call have found nothing to do.
///
/// # Panics
/// When a run fails.
pub fn settle(server: &Server) {
    let mut idle_since: Option<u64> = None;
    let mut begun_after: Option<u64> = None;
    until("garbage collection to find nothing", SETTLED_WITHIN, || {
        let (runs, busy) = last_round(server)?;
        // The current run may already have passed what was just left.
        let first = *begun_after.get_or_insert(runs + 2);
        if busy || runs < first {
            idle_since = None;
            return Err(format!("round {runs}, busy: {busy}"));
        }
        if runs > *idle_since.get_or_insert(runs) {
            return Ok(());
        }
        Err(format!("round {runs}, idle once"))
    });
}

/// The number of runs, and whether the last one did anything.
fn last_round(server: &Server) -> Result<(u64, bool), String> {
    let gc = job(server)?;
    let result = &gc["last"]["result"];
    assert!(
        result["Err"].is_null(),
        "garbage collection fails: {result}"
    );
    let done = result["Ok"].as_object();
    let busy = done.is_none_or(|done| done.values().any(|n| n.as_u64().unwrap_or(0) > 0));
    Ok((gc["runs"].as_u64().unwrap_or_default(), busy))
}

/// The entry of `/jobs` for garbage collection.
fn job(server: &Server) -> Result<Value, String> {
    let answer = http::get(server.admin_addr(), "/jobs").map_err(|e| e.to_string())?;
    let jobs: Value = serde_json::from_slice(&answer.body).map_err(|e| e.to_string())?;
    let mut list = jobs.as_array().into_iter().flatten();
    let gc = list.find(|job| job["name"] == "gc");
    gc.cloned().ok_or_else(|| format!("no gc in {jobs}"))
}

/// The doctor's report on a stopped server's directory.
///
/// # Panics
/// When there is no report.
pub fn doctor(server: &Server) -> Value {
    let mut command = programs::server();
    command
        .arg("doctor")
        .arg("--data-dir")
        .arg(server.data_dir());
    let report = run(command.arg("--json")).code_in(&[0, 7]);
    serde_json::from_str(&report.stdout)
        .unwrap_or_else(|e| panic!("{}: {e}: {}{}", report.line, report.stdout, report.stderr))
}

/// The damage and garbage in a stopped server's directory.
pub fn complaints(server: &Server) -> Vec<String> {
    let report = doctor(server);
    let mut complaints: Vec<_> = match report["findings"].as_array() {
        Some(found) => found.iter().map(ToString::to_string).collect(),
        None => vec![format!("no findings in {report}")],
    };
    for count in ["orphans", "marked", "dead"] {
        if report[count].as_u64() != Some(0) {
            complaints.push(format!("{count}: {}", report[count]));
        }
    }
    complaints
}
