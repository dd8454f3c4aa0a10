//! `strongroom snapshot keys`: how many live keys a snapshot has below which folder, and how large they are.

use serde::Serialize;
use strongroom_etcd_format::inspect::InspectError;
use strongroom_etcd_format::mvcc::KeyValue;

use super::failure::{Failure, Refused};
use super::groups::{Group, Grouping, Groups, name_of_others};
use super::output::{self, Column, Output, Sheet, Shown, key_text, safe};
use super::report;
use super::settings::LookPlan;
use super::source;
use crate::image::Image;

/// A longer name of the largest key is cut: keys may have a megabyte.
const LARGEST_KEY_BYTES_MAX: usize = 4096;

pub(super) async fn run(plan: LookPlan, grouping: Grouping, output: Output) -> Result<(), Failure> {
    let found = source::look(plan, move |image| Keys::of(image, &grouping)).await?;
    output::print(output, &found)
}

/// The keys of one group, or of all.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    keys: u64,
    key_bytes: u64,
    value_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    largest: Option<Largest>,
}

/// The key with the largest value.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Largest {
    key: String,
    value_bytes: u64,
}

impl Counted {
    fn add(&mut self, row: &KeyValue<'_>) {
        let bytes = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let value_bytes = bytes(row.value);
        self.keys += 1;
        self.key_bytes += bytes(row.key);
        self.value_bytes += value_bytes;
        let largest = self.largest.as_ref().map(|largest| largest.value_bytes);
        if largest.is_none_or(|largest| value_bytes > largest) {
            let shown = row.key.get(..LARGEST_KEY_BYTES_MAX).unwrap_or(row.key);
            self.largest = Some(Largest {
                key: key_text(shown),
                value_bytes,
            });
        }
    }

    fn bytes(&self) -> u64 {
        self.key_bytes.saturating_add(self.value_bytes)
    }

    fn row(&self, name: String) -> Vec<String> {
        let (largest, key) = match &self.largest {
            Some(largest) => (report::size(largest.value_bytes), safe(&largest.key)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        vec![
            self.keys.to_string(),
            report::size(self.bytes()),
            report::size(self.key_bytes),
            report::size(self.value_bytes),
            largest,
            name,
            key,
        ]
    }
}

/// The live keys of a snapshot below a prefix.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    snapshot: String,
    revision: i64,
    prefix: String,
    depth: usize,
    #[serde(flatten)]
    all: Counted,
    /// The largest first.
    groups: Vec<Group<Counted>>,
    /// Those beyond [`GROUPS_MAX`].
    others: Option<Counted>,
}

impl Keys {
    fn of(image: &Image, grouping: &Grouping) -> Result<Self, Refused> {
        let (bolt, live) = source::live_rows(image)?;
        let (mut groups, mut all) = (Groups::<Counted>::new(), Counted::default());
        live.for_each(&bolt, &mut |row| {
            if grouping.has(row.key) {
                groups.of(grouping.group(row.key)).add(&row);
                all.add(&row);
            }
            Ok::<(), InspectError>(())
        })
        .map_err(Refused::Database)?;
        let (groups, others) = groups.ranked(Counted::bytes);
        Ok(Self {
            snapshot: image.name().to_owned(),
            revision: live.inspection().current_revision(),
            prefix: key_text(&grouping.prefix),
            depth: grouping.depth,
            all,
            groups: groups.into_iter().map(Group::of).collect(),
            others,
        })
    }
}

impl Shown for Keys {
    fn document(&self) -> impl Serialize {
        self
    }

    fn sheet(&self) -> Sheet {
        let group = |group: &Group<Counted>| group.counted.row(group.name());
        let others = self
            .others
            .iter()
            .map(|others| others.row(name_of_others()));
        let below = if self.prefix.is_empty() {
            String::new()
        } else {
            format!(" below {}", safe(&self.prefix))
        };
        let all = &self.all;
        Sheet {
            columns: vec![
                Column::number("KEYS"),
                Column::number("SIZE"),
                Column::number("OF KEYS").wide(),
                Column::number("OF VALUES").wide(),
                Column::number("LARGEST"),
                Column::text("PREFIX"),
                Column::text("LARGEST KEY").wide(),
            ],
            rows: self.groups.iter().map(group).chain(others).collect(),
            below: vec![format!(
                "{} keys{below} at revision {}, {} of keys and values",
                all.keys,
                self.revision,
                report::size(all.bytes())
            )],
        }
    }

    fn names(&self) -> Vec<String> {
        let names = self.groups.iter().map(|group| safe(&group.prefix));
        names.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::text;
    use std::path::PathBuf;
    use strongroom_snapshot_io::scratch::Scratch;

    fn keys(prefix: &str, depth: usize) -> Keys {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../etcd-format/tests/fixtures/etcd-3.4.db"
        );
        let image = Image::open(&PathBuf::from(path), &Scratch::in_folder("/tmp")).expect("etcd's");
        let grouping = Grouping {
            prefix: prefix.as_bytes().to_vec(),
            depth,
        };
        Keys::of(&image, &grouping).expect("it is whole")
    }

    #[test]
    fn live_keys_of_a_real_snapshot_are_counted() {
        let found = keys("", 1);
        assert_eq!((found.all.keys, found.revision), (103, 186));
        assert_eq!(
            found.groups.iter().map(|g| g.counted.keys).sum::<u64>(),
            103
        );
        assert_eq!(keys("no such key", 1).all.keys, 0);
        let wide = text(Output::Wide, &found);
        assert!(wide.contains("LARGEST KEY"), "{wide}");
        assert!(wide.ends_with("of keys and values\n"), "{wide}");
    }
}
