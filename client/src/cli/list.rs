//! `strongroom snapshot list`: the objects under a prefix with snapshot names, oldest first.

use serde_json::json;
use strongroom_etcd_format::name::{Kind, SnapshotName};

use super::args::Output;
use super::failure::Failure;
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
    let listing = Listing::of(objects);
    match output {
        Output::Json => report::result(&listing.json(&place)),
        Output::Table => report::result(&listing.table(&place)),
    }
}

/// Snapshots by time, and the number of other objects.
struct Listing {
    snapshots: Vec<(SnapshotName, ObjectEntry)>,
    others: usize,
}

impl Listing {
    fn of(objects: Vec<ObjectEntry>) -> Self {
        let all = objects.len();
        let named = |object: ObjectEntry| Some((SnapshotName::parse(&object.key)?, object));
        let mut snapshots: Vec<_> = objects.into_iter().filter_map(named).collect();
        snapshots.sort_by(|(a, x), (b, y)| {
            (a.created_unix, a.last_revision, &x.key).cmp(&(
                b.created_unix,
                b.last_revision,
                &y.key,
            ))
        });
        Self {
            others: all - snapshots.len(),
            snapshots,
        }
    }

    fn table(&self, place: &S3Uri) -> String {
        let header = ["TIME (UTC)", "KIND", "REVISION", "SIZE", "KEY"].map(str::to_owned);
        let rows = self.snapshots.iter().map(|(name, object)| {
            let key = object.key.escape_debug().to_string();
            [
                report::utc(name.created_unix),
                name.kind.to_string(),
                revisions(name),
                report::size(object.size),
                key,
            ]
        });
        let rows: Vec<[String; 5]> = std::iter::once(header).chain(rows).collect();
        let width = |column: usize| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(String::len)
                .max()
                .unwrap_or(0)
        };
        let [w0, w1, w2, w3] = [width(0), width(1), width(2), width(3)];
        let line = |[time, kind, revision, size, key]: &[String; 5]| {
            format!("{time:w0$}  {kind:w1$}  {revision:>w2$}  {size:>w3$}  {key}\n")
        };
        let lines = if self.snapshots.is_empty() {
            String::new()
        } else {
            rows.iter().map(line).collect::<Vec<_>>().concat()
        };
        let (snapshots, others) = (self.snapshots.len(), self.others);
        format!("{lines}{snapshots} snapshots and {others} other objects below {place}\n")
    }

    fn json(&self, place: &S3Uri) -> String {
        let snapshots: Vec<_> = self
            .snapshots
            .iter()
            .map(|(name, object)| {
                json!({
                    "key": object.key,
                    "kind": name.kind.to_string(),
                    "start_revision": name.start_revision,
                    "last_revision": name.last_revision,
                    "created_unix": name.created_unix,
                    "created": report::utc(name.created_unix),
                    "compression": name.suffix,
                    "final": name.is_final,
                    "size_bytes": object.size,
                    "etag": object.etag,
                    "stored_unix": object.last_modified.map(time::OffsetDateTime::unix_timestamp),
                })
            })
            .collect();
        let document = json!({
            "bucket": place.bucket(),
            "prefix": place.prefix(),
            "snapshots": snapshots,
            "other_objects": self.others,
        });
        format!("{document}\n")
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

    fn listing() -> Listing {
        Listing::of(vec![
            object("p/readme\u{1b}[31m"),
            object("p/v2/Full-00000000-00000900-1795340000.gz"),
            object("p/v2/Full-00000000-00000060-1795340653"),
            object("p/v2/Incr-00000901-00000950-1795340300"),
        ])
    }

    #[test]
    fn snapshots_are_sorted_by_time_and_others_counted() {
        let table = listing().table(&S3Uri::parse("s3://etcd/p").expect("valid"));
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
        let text = listing().json(&S3Uri::parse("s3://etcd/p").expect("valid"));
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(document["other_objects"], 1);
        assert_eq!(document["snapshots"][2]["last_revision"], 60);
        assert_eq!(document["snapshots"][0]["compression"], ".gz");
    }

    #[test]
    fn an_empty_place_says_so() {
        let table = Listing::of(Vec::new()).table(&S3Uri::parse("s3://etcd").expect("valid"));
        assert_eq!(table, "0 snapshots and 0 other objects below s3://etcd/\n");
    }
}
