//! `strongroom snapshot save`: executes a plan, shows progress on a terminal, prints one line (or JSON).

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::failure::Failure;
use super::report;
use super::settings::{Destination, SavePlan};
use crate::clock::Stopwatch;
use crate::etcd;
use crate::s3::S3Client;
use crate::save::{self, SaveError, Saved, SavedTo};

const BAR: &str = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
/// Redraws per second of the progress bar.
const BAR_DRAWS_PER_SEC: u8 = 5;

pub(super) async fn run(
    plan: SavePlan,
    as_json: bool,
    interrupt: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    let mut interrupt = std::pin::pin!(interrupt);
    // Check the store's settings before any request to etcd.
    let destination = match plan.destination {
        Destination::File(path) => Target::File(path),
        Destination::S3(config, place) => Target::S3(S3Client::new(*config)?, place),
    };
    let member = tokio::select! {
        biased;
        () = &mut interrupt => return Err(SaveError::Interrupted.into()),
        member = etcd::choose_member(&plan.etcd) => member.map_err(SaveError::from)?,
    };
    let bar = Bar::new();
    let progress = |received, total| bar.show(received, total);
    let (saved, clock_offset_secs) = match &destination {
        Target::File(path) => (
            save::to_file(member, path, &progress, interrupt).await?,
            None,
        ),
        Target::S3(client, place) => {
            let saved = save::to_s3(member, client, place, &progress, interrupt).await?;
            (saved, client.clock_offset_secs())
        }
    };
    bar.clear();
    let outcome = Outcome {
        saved,
        took: watch.elapsed(),
        clock_offset_secs,
    };
    report::result(&if as_json {
        outcome.json()
    } else {
        outcome.line()
    })
}

enum Target {
    File(std::path::PathBuf),
    S3(S3Client, crate::uri::S3Uri),
}

/// A progress bar on a terminal, otherwise nothing.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        if !report::stderr_is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(
            None,
            ProgressDrawTarget::stderr_with_hz(BAR_DRAWS_PER_SEC),
        );
        let style =
            ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(bar.with_style(style))
    }

    fn show(&self, received: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.0.set_length(total.max(received));
        }
        self.0.set_position(received);
    }

    fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The report of a save.
struct Outcome {
    saved: Saved,
    took: Duration,
    clock_offset_secs: Option<i64>,
}

impl Outcome {
    fn line(&self) -> String {
        let Saved {
            endpoint,
            member,
            doubt,
            summary,
            saved_to,
        } = &self.saved;
        let place = match saved_to {
            SavedTo::File(path) => path.display().to_string(),
            SavedTo::Object { bucket, key, .. } => format!("s3://{bucket}/{key}"),
        };
        let clock = self.clock_offset_secs.map_or_else(String::new, |offset| {
            format!(", signed with the server's time (this machine's clock is off by {offset} s)")
        });
        let warning = doubt.map_or_else(String::new, |doubt| {
            format!("WARNING: the newest writes may be missing: {doubt}\n")
        });
        format!(
            "saved {place}: revision {} or later, {}, sha256 {}, from {endpoint} (etcd {}) in {:.1} s{clock}\n{warning}",
            member.revision,
            report::size(summary.file_len),
            hex::encode(summary.sha256),
            member.version,
            self.took.as_secs_f64(),
        )
    }

    fn json(&self) -> String {
        let Saved {
            endpoint,
            member,
            doubt,
            summary,
            saved_to,
        } = &self.saved;
        let place = match saved_to {
            SavedTo::File(path) => json!({ "file": path.display().to_string() }),
            SavedTo::Object {
                bucket,
                key,
                etag,
                confirmed,
            } => {
                json!({ "bucket": bucket, "key": key, "etag": etag, "confirmed": confirmed })
            }
        };
        let document = json!({
            "saved": place,
            "revision_min": member.revision,
            "bytes": summary.file_len,
            "db_bytes": summary.db_len,
            "sha256": hex::encode(summary.sha256),
            "endpoint": endpoint,
            "member_id": format!("{:x}", member.member_id),
            "cluster_id": format!("{:x}", member.cluster_id),
            "etcd_version": member.version,
            "leader": (member.leader != 0).then(|| format!("{:x}", member.leader)),
            "learner": member.is_learner,
            "warning": doubt.map(|doubt| format!("the newest writes may be missing: {doubt}")),
            "secs": self.took.as_secs_f64(),
            "clock_offset_secs": self.clock_offset_secs,
        });
        format!("{document}\n")
    }
}
