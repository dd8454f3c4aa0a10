//! `strongroom snapshot diff`: which live keys two snapshots do not share, by folder, and how many bytes that is.

use std::sync::Arc;

use serde::Serialize;
use strongroom_etcd_format::inspect::{COMPARED_KEYS_MAX, Change, LiveRows, Side, compare};

use super::failure::{Failure, Refused};
use super::groups::{Group, Grouping, Groups, name_of_others};
use super::output::{self, Column, Output, Sheet, Shown, key_text, safe};
use super::report;
use super::settings::LookPlan;
use super::source;
use crate::image::Image;

/// Keys that `--keys` lists; further ones are only counted.
const KEYS_MAX: usize = 100_000;
/// Bytes of these keys, since a key may have a megabyte.
const KEY_BYTES_MAX: usize = 64 << 20;

/// The two snapshots.
#[derive(Debug)]
pub(super) struct DiffPlan {
    pub(super) old: LookPlan,
    pub(super) new: LookPlan,
}

pub(super) async fn run(
    plan: DiffPlan,
    grouping: Grouping,
    list_keys: bool,
    output: Output,
) -> Result<(), Failure> {
    let old = Box::pin(source::open(plan.old)).await?;
    let new = Box::pin(source::open(plan.new)).await?;
    let images = Arc::new([old, new]);
    let compared = tokio::task::spawn_blocking(move || {
        let [old, new] = &*images;
        Diff::of(old, new, &grouping, list_keys)
    });
    let diff = compared.await.expect("decoders do not panic")?;
    output::print(output, &diff)
}

/// What differs in one group, or in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    added: u64,
    changed: u64,
    deleted: u64,
    same: u64,
    /// Bytes of the values of the old snapshot.
    old_bytes: u64,
    /// Bytes of the values of the new one.
    new_bytes: u64,
}

impl Counted {
    fn add(&mut self, change: Change) {
        match change {
            Change::Added { bytes } => {
                self.added += 1;
                self.new_bytes += bytes;
            }
            Change::Changed { from, to } => {
                self.changed += 1;
                self.old_bytes += from;
                self.new_bytes += to;
            }
            Change::Same { bytes } => {
                self.same += 1;
                self.old_bytes += bytes;
                self.new_bytes += bytes;
            }
            Change::Deleted { bytes } => {
                self.deleted += 1;
                self.old_bytes += bytes;
            }
        }
    }

    fn differences(&self) -> u64 {
        self.added + self.changed + self.deleted
    }

    fn row(&self, name: String) -> Vec<String> {
        vec![
            self.added.to_string(),
            self.changed.to_string(),
            self.deleted.to_string(),
            self.same.to_string(),
            grown(self.old_bytes, self.new_bytes),
            report::size(self.old_bytes),
            report::size(self.new_bytes),
            name,
        ]
    }
}

fn grown(from: u64, to: u64) -> String {
    let sign = if to < from { "-" } else { "+" };
    format!("{sign}{}", report::size(to.abs_diff(from)))
}

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangedKey {
    key: String,
    change: &'static str,
    old_bytes: Option<u64>,
    new_bytes: Option<u64>,
}

impl ChangedKey {
    fn of(key: &[u8], change: Change) -> Option<Self> {
        let (change, old_bytes, new_bytes) = match change {
            Change::Added { bytes } => ("added", None, Some(bytes)),
            Change::Changed { from, to } => ("changed", Some(from), Some(to)),
            Change::Deleted { bytes } => ("deleted", Some(bytes), None),
            Change::Same { .. } => return None,
        };
        Some(Self {
            key: key_text(key),
            change,
            old_bytes,
            new_bytes,
        })
    }
}

/// One of the two snapshots.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Compared {
    snapshot: String,
    revision: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Diff {
    old: Compared,
    new: Compared,
    prefix: String,
    depth: usize,
    #[serde(flatten)]
    all: Counted,
    /// Those with most differences first; none where nothing differs.
    groups: Vec<Group<Counted>>,
    /// Those beyond [`GROUPS_MAX`].
    others: Option<Counted>,
    /// The keys that differ, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<ChangedKey>>,
    /// Keys beyond [`KEYS_MAX`].
    keys_not_listed: u64,
}

/// Collects differences.
struct Collector<'g> {
    grouping: &'g Grouping,
    groups: Groups<Counted>,
    all: Counted,
    keys: Option<Vec<ChangedKey>>,
    key_bytes: usize,
    keys_not_listed: u64,
}

impl Collector<'_> {
    fn add(&mut self, key: &[u8], change: Change) {
        self.groups.of(self.grouping.group(key)).add(change);
        self.all.add(change);
        let Some(keys) = &mut self.keys else { return };
        let Some(changed) = ChangedKey::of(key, change) else {
            return;
        };
        let key_bytes = self.key_bytes.saturating_add(key.len());
        if keys.len() >= KEYS_MAX || key_bytes > KEY_BYTES_MAX {
            self.keys_not_listed += 1;
            return;
        }
        self.key_bytes = key_bytes;
        keys.push(changed);
    }
}

impl Diff {
    fn of(old: &Image, new: &Image, grouping: &Grouping, list_keys: bool) -> Result<Self, Failure> {
        let opened = |image| source::live_rows(image).map_err(|source| refused(image, source));
        let (old_bolt, old_live) = opened(old)?;
        let (new_bolt, new_live) = opened(new)?;
        let (old_side, new_side) = (
            Side {
                bolt: &old_bolt,
                live: &old_live,
            },
            Side {
                bolt: &new_bolt,
                live: &new_live,
            },
        );
        let mut collector = Collector {
            grouping,
            groups: Groups::new(),
            all: Counted::default(),
            keys: list_keys.then(Vec::new),
            key_bytes: 0,
            keys_not_listed: 0,
        };
        compare(
            &old_side,
            &new_side,
            COMPARED_KEYS_MAX,
            |key| grouping.has(key),
            &mut |key, change| collector.add(key, change),
        )
        .map_err(|source| Failure::Compare {
            old: old.name().to_owned(),
            new: new.name().to_owned(),
            source,
        })?;
        let compared = |image: &Image, live: &LiveRows| Compared {
            snapshot: image.name().to_owned(),
            revision: live.inspection().current_revision(),
        };
        Ok(Self::collected(
            collector,
            compared(old, &old_live),
            compared(new, &new_live),
        ))
    }

    fn collected(collector: Collector<'_>, old: Compared, new: Compared) -> Self {
        let (mut groups, others) = collector.groups.ranked(Counted::differences);
        groups.retain(|(_, counted)| counted.differences() > 0);
        let mut keys = collector.keys;
        if let Some(keys) = &mut keys {
            keys.sort();
        }
        Self {
            old,
            new,
            prefix: key_text(&collector.grouping.prefix),
            depth: collector.grouping.depth,
            all: collector.all,
            groups: groups.into_iter().map(Group::of).collect(),
            others,
            keys,
            keys_not_listed: collector.keys_not_listed,
        }
    }

    fn summary(&self) -> Vec<String> {
        let Counted {
            added,
            changed,
            deleted,
            same,
            ..
        } = self.all;
        let mut lines = vec![
            format!(
                "{added} added, {changed} changed, {deleted} deleted, {same} the same, {} of values",
                grown(self.all.old_bytes, self.all.new_bytes)
            ),
            format!(
                "from {} (revision {}) to {} (revision {})",
                safe(&self.old.snapshot),
                self.old.revision,
                safe(&self.new.snapshot),
                self.new.revision
            ),
        ];
        if self.keys_not_listed > 0 {
            lines.push(format!(
                "{} more keys differ than the {KEYS_MAX} that are listed: use a longer --prefix",
                self.keys_not_listed
            ));
        }
        lines
    }

    fn sheet_of_keys(&self, keys: &[ChangedKey]) -> Sheet {
        let size = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), report::size);
        let row = |key: &ChangedKey| {
            vec![
                key.change.to_owned(),
                size(key.old_bytes),
                size(key.new_bytes),
                safe(&key.key),
            ]
        };
        Sheet {
            columns: vec![
                Column::text("CHANGE"),
                Column::number("OLD SIZE"),
                Column::number("NEW SIZE"),
                Column::text("KEY"),
            ],
            rows: keys.iter().map(row).collect(),
            below: self.summary(),
        }
    }
}

fn refused(image: &Image, source: Refused) -> Failure {
    Failure::Look {
        name: image.name().to_owned(),
        source,
    }
}

impl Shown for Diff {
    fn document(&self) -> impl Serialize {
        self
    }

    fn sheet(&self) -> Sheet {
        if let Some(keys) = &self.keys {
            return self.sheet_of_keys(keys);
        }
        let group = |group: &Group<Counted>| group.counted.row(group.name());
        let others = self
            .others
            .iter()
            .map(|others| others.row(name_of_others()));
        Sheet {
            columns: vec![
                Column::number("ADDED"),
                Column::number("CHANGED"),
                Column::number("DELETED"),
                Column::number("SAME").wide(),
                Column::number("SIZE"),
                Column::number("OLD SIZE").wide(),
                Column::number("NEW SIZE").wide(),
                Column::text("PREFIX"),
            ],
            rows: self.groups.iter().map(group).chain(others).collect(),
            below: self.summary(),
        }
    }

    fn names(&self) -> Vec<String> {
        match &self.keys {
            Some(keys) => keys.iter().map(|key| safe(&key.key)).collect(),
            None => self.groups.iter().map(|g| safe(&g.prefix)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::text;

    fn diff(list_keys: bool) -> Diff {
        let grouping = Grouping {
            prefix: Vec::new(),
            depth: 1,
        };
        let mut collector = Collector {
            grouping: &grouping,
            groups: Groups::new(),
            all: Counted::default(),
            keys: list_keys.then(Vec::new),
            key_bytes: 0,
            keys_not_listed: 0,
        };
        for (key, change) in [
            ("/registry/pods/a/b", Change::Changed { from: 9, to: 4 }),
            ("/registry/pods/a/a", Change::Added { bytes: 1 }),
            ("/registry/nodes/n", Change::Same { bytes: 3 }),
            ("plain", Change::Deleted { bytes: 20 }),
        ] {
            collector.add(key.as_bytes(), change);
        }
        let compared = |snapshot: &str, revision| Compared {
            snapshot: snapshot.to_owned(),
            revision,
        };
        Diff::collected(collector, compared("old.db", 7), compared("new.db", 9))
    }

    #[test]
    fn differences_are_told_by_group() {
        assert_eq!(
            text(Output::Table, &diff(false)),
            "ADDED  CHANGED  DELETED   SIZE  PREFIX\n    \
             1        1        0   -4 B  /registry/pods/\n    \
             0        0        1  -20 B  \"\"\n\
             1 added, 1 changed, 1 deleted, 1 the same, -24 B of values\n\
             from old.db (revision 7) to new.db (revision 9)\n"
        );
        assert_eq!(text(Output::Name, &diff(false)), "/registry/pods/\n\n");
    }

    #[test]
    fn keys_are_listed_in_order() {
        let listed = text(Output::Table, &diff(true));
        let lines: Vec<&str> = listed.lines().take(4).collect();
        assert_eq!(
            lines,
            [
                "CHANGE   OLD SIZE  NEW SIZE  KEY",
                "added           -       1 B  /registry/pods/a/a",
                "changed       9 B       4 B  /registry/pods/a/b",
                "deleted      20 B         -  plain",
            ]
        );
    }
}
