//! `strongroom snapshot list`: the objects under a prefix with snapshot names, oldest first. Names of other writers are shown
//! with what they tell.

use serde::Serialize;
use serde_json::json;
use strongroom_etcd_format::name::{Kind, SnapshotName};
use time::OffsetDateTime;

use super::failure::Failure;
use super::foreign::ForeignName;
use super::output::{self, Column, Output, Sheet, Shown, safe};
use super::report;
use super::settings::ListPlan;
use crate::s3::{LIST_ALL_OBJECTS_MAX, ObjectEntry, S3Client};
use crate::uri::S3Uri;

pub(super) async fn run(plan: ListPlan, output: Output) -> Result<(), Failure> {
    let client = S3Client::new(plan.s3)?;
    let place = plan.place;
    let objects = client
        .list_all(place.bucket(), &place.list_prefix(), LIST_ALL_OBJECTS_MAX)
        .await?;
    output::print(output, &Listing::of(place, objects))
}

/// Snapshots by time, and the number of other objects.
struct Listing {
    place: S3Uri,
    snapshots: Vec<Listed>,
    others: usize,
}

/// An object with the name of a snapshot.
struct Listed {
    object: ObjectEntry,
    name: Name,
}

/// The writer's kind of name.
enum Name {
    /// etcdbrctl's and our own.
    Full(SnapshotName),
    /// Another writer's.
    Foreign(ForeignName),
}

impl Listed {
    fn of(object: ObjectEntry) -> Option<Self> {
        let key = &object.key;
        let name = SnapshotName::parse(key)
            .map(Name::Full)
            .or_else(|| ForeignName::parse(key).map(Name::Foreign))?;
        Some(Self { object, name })
    }

    /// The time in the name, or else that of storing.
    fn created_unix(&self) -> Option<i64> {
        let stored = self
            .object
            .last_modified
            .map(OffsetDateTime::unix_timestamp);
        match &self.name {
            Name::Full(name) => Some(name.created_unix),
            Name::Foreign(name) => name.created_unix.or(stored),
        }
    }

    fn last_revision(&self) -> Option<i64> {
        self.etcdbrctl().map(|name| name.last_revision)
    }

    fn etcdbrctl(&self) -> Option<&SnapshotName> {
        match &self.name {
            Name::Full(name) => Some(name),
            Name::Foreign(_) => None,
        }
    }

    fn document(&self) -> serde_json::Value {
        let (name, object) = (self.etcdbrctl(), &self.object);
        json!({
            "key": object.key,
            "kind": self.kind(),
            "start_revision": name.map(|name| name.start_revision),
            "last_revision": self.last_revision(),
            "created_unix": self.created_unix(),
            "created": self.created_unix().map(report::utc),
            "compression": name.and_then(|name| name.suffix.as_deref()),
            "final": name.is_some_and(|name| name.is_final),
            "size_bytes": object.size,
            "etag": object.etag,
            "stored_unix": object.last_modified.map(OffsetDateTime::unix_timestamp),
        })
    }

    fn kind(&self) -> String {
        self.etcdbrctl()
            .map_or_else(|| FOREIGN_KIND.to_owned(), |name| name.kind.to_string())
    }
}

/// What lists show as the kind of other writers' snapshots.
const FOREIGN_KIND: &str = "other";

impl Listing {
    fn of(place: S3Uri, objects: Vec<ObjectEntry>) -> Self {
        let all = objects.len();
        let mut snapshots: Vec<Listed> = objects.into_iter().filter_map(Listed::of).collect();
        snapshots.sort_by(|a, b| {
            (a.created_unix(), a.last_revision(), &a.object.key).cmp(&(
                b.created_unix(),
                b.last_revision(),
                &b.object.key,
            ))
        });
        Self {
            place,
            others: all - snapshots.len(),
            snapshots,
        }
    }
}

impl Shown for Listing {
    fn document(&self) -> impl Serialize {
        let snapshots: Vec<_> = self.snapshots.iter().map(Listed::document).collect();
        json!({
            "bucket": self.place.bucket(),
            "prefix": self.place.prefix(),
            "snapshots": snapshots,
            "other_objects": self.others,
        })
    }

    fn sheet(&self) -> Sheet {
        let row = |listed: &Listed| {
            let time = listed.created_unix();
            vec![
                time.map_or_else(|| "-".to_owned(), report::utc),
                listed.kind(),
                listed.etcdbrctl().map_or_else(|| "-".to_owned(), revisions),
                report::size(listed.object.size),
                safe(&listed.object.key),
            ]
        };
        let (snapshots, others) = (self.snapshots.len(), self.others);
        Sheet {
            columns: vec![
                Column::text("TIME (UTC)"),
                Column::text("KIND"),
                Column::number("REVISION"),
                Column::number("SIZE"),
                Column::text("KEY"),
            ],
            rows: self.snapshots.iter().map(row).collect(),
            below: vec![format!(
                "{snapshots} snapshots and {others} other objects below {}",
                self.place
            )],
        }
    }

    fn names(&self) -> Vec<String> {
        let bucket = self.place.bucket();
        let name = |listed: &Listed| format!("s3://{bucket}/{}", safe(&listed.object.key));
        self.snapshots.iter().map(name).collect()
    }
}

/// A full snapshot has one revision or a later one, a delta a range.
fn revisions(name: &SnapshotName) -> String {
    match name.kind {
        Kind::Full => name.last_revision.to_string(),
        Kind::Incr => format!("{}-{}", name.start_revision, name.last_revision),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> ObjectEntry {
        ObjectEntry {
            key: key.to_owned(),
            size: 20_480,
            etag: "e".to_owned(),
            last_modified: None,
        }
    }

    fn place(text: &str) -> S3Uri {
        S3Uri::parse(text).expect("valid")
    }

    fn listing() -> Listing {
        let objects = vec![
            object("p/readme\u{1b}[31m"),
            object("p/v2/Full-00000000-00000900-1795340000.gz"),
            object("p/v2/Full-00000000-00000060-1795340653"),
            object("p/v2/Incr-00000901-00000950-1795340300"),
        ];
        Listing::of(place("s3://etcd/p"), objects)
    }

    #[test]
    fn snapshots_are_sorted_by_time_and_others_counted() {
        let table = output::text(Output::Table, &listing());
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines,
            [
                "TIME (UTC)            KIND  REVISION     SIZE  KEY",
                "2026-11-22T09:33:20Z  Full       900  20.4 kB  p/v2/Full-00000000-00000900-1795340000.gz",
                "2026-11-22T09:38:20Z  Incr   901-950  20.4 kB  p/v2/Incr-00000901-00000950-1795340300",
                "2026-11-22T09:44:13Z  Full        60  20.4 kB  p/v2/Full-00000000-00000060-1795340653",
                "3 snapshots and 1 other objects below s3://etcd/p",
            ]
        );
    }

    #[test]
    fn json_holds_what_scripts_need() {
        let text = output::text(Output::Json, &listing());
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(document["other_objects"], 1);
        assert_eq!(document["snapshots"][2]["last_revision"], 60);
        assert_eq!(document["snapshots"][0]["compression"], ".gz");
    }

    #[test]
    fn other_writers_snapshots_are_shown_with_what_is_known() {
        let mut plain = object("p/snapshot.db");
        plain.last_modified = OffsetDateTime::from_unix_timestamp(1_795_340_000).ok();
        let objects = vec![
            object("p/v2/Full-00000000-00000060-1795340653"),
            object("p/etcd-snapshot-m1-1795340600"),
            plain,
        ];
        let listing = Listing::of(place("s3://etcd/p"), objects);
        assert_eq!(
            output::text(Output::Table, &listing)
                .lines()
                .skip(1)
                .collect::<Vec<_>>(),
            [
                "2026-11-22T09:33:20Z  other         -  20.4 kB  p/snapshot.db",
                "2026-11-22T09:43:20Z  other         -  20.4 kB  p/etcd-snapshot-m1-1795340600",
                "2026-11-22T09:44:13Z  Full         60  20.4 kB  p/v2/Full-00000000-00000060-1795340653",
                "3 snapshots and 0 other objects below s3://etcd/p",
            ]
        );
        let json: serde_json::Value =
            serde_json::from_str(&output::text(Output::Json, &listing)).expect("JSON");
        assert_eq!(
            json["snapshots"][0]["last_revision"],
            serde_json::Value::Null
        );
        assert_eq!(json["snapshots"][1]["created_unix"], 1_795_340_600);
    }

    #[test]
    fn an_empty_place_says_so() {
        let table = output::text(Output::Table, &Listing::of(place("s3://etcd"), Vec::new()));
        assert_eq!(table, "0 snapshots and 0 other objects below s3://etcd/\n");
    }
}
