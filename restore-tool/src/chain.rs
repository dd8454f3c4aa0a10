//! Selects the snapshot to restore from a listing, and the deltas that are not applied: a pure fold over object keys.
//!
//! The newest full snapshot is the one with the highest unix time in its name. (etcdbrctl uses the highest revision instead, so
//! a rebuilt cluster is shadowed by its dead predecessor.) Deltas are counted, never applied. An empty full snapshot comes from
//! a failed upload: it is never restored, but always reported. Other names (`.part`, chunks, foreign files) are ignored.
//! Memory: three numbers per delta that is newer than the newest full snapshot so far, and three full snapshots.

use std::cmp::Ordering;

use strongroom_etcd_format::name::{Kind, SnapshotName};

/// Suffixes that writers append for compression. Anything else (`.part`, `.tmp`) is not a finished snapshot.
const SUFFIXES: [&str; 4] = [".gz", ".zlib", ".Z", ".zst"];

/// One full snapshot in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) key: String,
    /// The key under `v2/` or `v1/`, as etcdbrctl prints it.
    pub(crate) shown: String,
    pub(crate) revision: i64,
    pub(crate) created_unix: i64,
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Delta {
    last_revision: i64,
    created_unix: i64,
}

/// The snapshots of a listing.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    newest: Option<Candidate>,
    /// The newest one before that.
    next_older: Option<Candidate>,
    highest: Option<Candidate>,
    deltas: Vec<Delta>,
    /// The highest revision of the deltas older than the newest full snapshot.
    older_delta_revision: Option<i64>,
    /// The newest empty full snapshot: its time and its name for messages.
    newest_empty: Option<(i64, String)>,
}

/// Why a listing has nothing to restore.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoBase {
    /// No full snapshot at all.
    Absent,
    /// All full snapshots are empty; this is the newest.
    Empty { shown: String },
}

/// The selected snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) base: Candidate,
    /// An older full snapshot with a higher revision.
    pub(crate) shadowed: Option<Candidate>,
    pub(crate) newer_deltas: NewerDeltas,
    /// A newer, empty full snapshot, which is skipped.
    pub(crate) newer_empty: Option<String>,
    /// The last revision of older deltas, if it is higher than the base's.
    pub(crate) older_delta_revision: Option<i64>,
    /// The key of the next older full snapshot.
    pub(crate) next_older: Option<String>,
}

/// Deltas written after the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewerDeltas(Vec<Delta>);

impl NewerDeltas {
    /// The deltas with revisions above `revision`: their count and last revision.
    pub(crate) fn beyond(&self, revision: i64) -> Option<(usize, i64)> {
        let beyond = self.0.iter().filter(|delta| delta.last_revision > revision);
        let last = beyond.clone().map(|delta| delta.last_revision).max()?;
        Some((beyond.count(), last))
    }
}

impl Chain {
    /// Adds one object of the listing. `folder` is the listed prefix with its slash; `key` starts with it.
    pub(crate) fn offer(&mut self, folder: &str, key: &str, bytes: u64) {
        let Some(shown) = key.strip_prefix(folder) else {
            return;
        };
        let Some(name) = snapshot_name(shown) else {
            return;
        };
        match name.kind {
            Kind::Incr => self.offer_delta(&name),
            Kind::Full if bytes == 0 => {
                let empty = Some((name.created_unix, shown.to_owned()));
                self.newest_empty = self.newest_empty.take().max(empty);
            }
            Kind::Full => self.offer_full(Candidate {
                key: key.to_owned(),
                shown: shown.to_owned(),
                revision: name.last_revision,
                created_unix: name.created_unix,
                bytes,
            }),
        }
    }

    fn offer_full(&mut self, full: Candidate) {
        if self
            .highest
            .as_ref()
            .is_none_or(|highest| full.revision > highest.revision)
        {
            self.highest = Some(full.clone());
        }
        if self
            .newest
            .as_ref()
            .is_none_or(|newest| newer(&full, newest) == Ordering::Greater)
        {
            self.next_older = self.newest.replace(full);
            for delta in std::mem::take(&mut self.deltas) {
                self.place_delta(delta);
            }
        } else if self
            .next_older
            .as_ref()
            .is_none_or(|older| newer(&full, older) == Ordering::Greater)
        {
            self.next_older = Some(full);
        }
    }

    fn offer_delta(&mut self, name: &SnapshotName) {
        self.place_delta(Delta {
            last_revision: name.last_revision,
            created_unix: name.created_unix,
        });
    }

    fn place_delta(&mut self, delta: Delta) {
        match &self.newest {
            Some(newest) if delta.created_unix < newest.created_unix => {
                self.older_delta_revision =
                    self.older_delta_revision.max(Some(delta.last_revision));
            }
            _ => self.deltas.push(delta),
        }
    }

    /// The selected snapshot, if there is one.
    pub(crate) fn select(self) -> Result<Selection, NoBase> {
        let Some(base) = self.newest else {
            return Err(match self.newest_empty {
                Some((_, shown)) => NoBase::Empty { shown },
                None => NoBase::Absent,
            });
        };
        let higher = |revision: i64| revision > base.revision;
        Ok(Selection {
            newer_empty: self
                .newest_empty
                .filter(|(created_unix, _)| *created_unix >= base.created_unix)
                .map(|(_, shown)| shown),
            next_older: self.next_older.map(|full| full.key),
            shadowed: self.highest.filter(|full| higher(full.revision)),
            older_delta_revision: self
                .older_delta_revision
                .filter(|revision| higher(*revision)),
            newer_deltas: NewerDeltas(
                self.deltas
                    .into_iter()
                    .filter(|delta| higher(delta.last_revision))
                    .collect(),
            ),
            base,
        })
    }
}

/// Compares by the time in the name, then by revision for the same second, then by key, to be stable.
fn newer(a: &Candidate, b: &Candidate) -> Ordering {
    (a.created_unix, a.revision, &a.key).cmp(&(b.created_unix, b.revision, &b.key))
}

/// `Full-...` directly under the folder, or `Backup-<unix>/Full-...` as in etcdbrctl's old layout.
fn snapshot_name(shown: &str) -> Option<SnapshotName> {
    let file = match shown.split_once('/') {
        None => shown,
        Some((folder, file)) => {
            let written_at = folder.strip_prefix("Backup-")?;
            written_at
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then_some(file)?
        }
    };
    let name = SnapshotName::parse(file)?;
    let finished = name
        .suffix
        .as_deref()
        .is_none_or(|suffix| SUFFIXES.contains(&suffix));
    finished.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "c1/v2/";

    fn chain(names: &[&str]) -> Option<Selection> {
        let mut chain = Chain::default();
        for name in names {
            chain.offer(FOLDER, &format!("{FOLDER}{name}"), 1);
        }
        chain.select().ok()
    }

    #[test]
    fn the_newest_full_wins_and_a_higher_revision_is_told() {
        let names = [
            "Full-00000000-00900000-1679990000",
            "Full-00000000-00111147-1679991074.gz",
        ];
        for order in [[0, 1], [1, 0]] {
            let found = chain(&order.map(|i| names[i])).expect("two fulls");
            assert_eq!(found.base.shown, names[1]);
            assert_eq!(found.base.revision, 111_147);
            assert_eq!(found.shadowed.expect("the higher one").shown, names[0]);
        }
    }

    #[test]
    fn deltas_are_counted_against_the_newest_full_in_any_order() {
        let mut names = [
            "Full-00000000-00000050-1000",
            "Incr-00000051-00000060-1010",
            "Full-00000000-00000060-1020",
            "Incr-00000061-00000070-1030",
            "Incr-00000071-00000099-1040.gz",
            "Incr-00000900-00000990-0900",
        ];
        for _ in 0..names.len() {
            names.rotate_left(1);
            let found = chain(&names).expect("a full");
            assert_eq!(found.base.revision, 60);
            assert_eq!(found.newer_deltas.beyond(60), Some((2, 99)));
            assert_eq!(found.newer_deltas.beyond(70), Some((1, 99)));
            assert_eq!(found.newer_deltas.beyond(99), None);
            assert_eq!(found.older_delta_revision, Some(990));
            assert_eq!(found.shadowed, None);
        }
    }

    /// Times are in seconds: a delta of the full's second may hold what came after it.
    #[test]
    fn a_delta_of_the_same_second_is_not_older() {
        let mut names = [
            "Full-00000000-00000060-1020",
            "Incr-00000061-00000070-1020",
            "Incr-00000900-00000990-1019",
        ];
        for _ in 0..names.len() {
            names.rotate_left(1);
            let found = chain(&names).expect("a full");
            assert_eq!(found.newer_deltas.beyond(60), Some((1, 70)), "{names:?}");
            assert_eq!(found.older_delta_revision, Some(990), "{names:?}");
        }
    }

    #[test]
    fn the_next_older_full_is_known_in_any_order() {
        let mut names = [
            "Full-00000000-00000050-1000",
            "Full-00000000-00000060-1020",
            "Full-00000000-00000070-1030.gz",
            "Full-00000000-00000055-1010",
        ];
        for _ in 0..names.len() {
            names.rotate_left(1);
            let found = chain(&names).expect("a full");
            assert_eq!(found.base.revision, 70);
            assert_eq!(
                found.next_older.as_deref(),
                Some("c1/v2/Full-00000000-00000060-1020")
            );
        }
        assert_eq!(chain(&names[..1]).expect("one").next_older, None);
    }

    #[test]
    fn what_is_no_snapshot_is_no_candidate() {
        assert_eq!(
            chain(&[
                "Full-00000000-00000050-1000.part",
                "Full-00000000-00000050-1000.gz.part",
                "Full-1-2",
                "x/Full-00000000-00000050-1000",
                ""
            ]),
            None
        );
        let mut foreign = Chain::default();
        foreign.offer(FOLDER, "c10/v2/Full-00000000-00000050-1000", 1);
        assert_eq!(foreign.select(), Err(NoBase::Absent));
    }

    #[test]
    fn an_empty_full_is_told_and_never_restored() {
        let (old, new) = ("Full-00000000-00000050-1000", "Full-00000000-00000060-2000");
        let with = |old_bytes: u64, new_bytes: u64| {
            let mut chain = Chain::default();
            chain.offer(FOLDER, &format!("{FOLDER}{new}"), new_bytes);
            chain.offer(FOLDER, &format!("{FOLDER}{old}"), old_bytes);
            chain.select()
        };
        let passed_over = with(1, 0).expect("the older one");
        assert_eq!(passed_over.base.shown, old);
        assert_eq!(passed_over.newer_empty.as_deref(), Some(new));
        assert_eq!(with(0, 1).expect("the newer one").newer_empty, None);
        let shown = new.to_owned();
        assert_eq!(with(0, 0), Err(NoBase::Empty { shown }));
    }

    #[test]
    fn the_old_layout_and_final_snapshots_count() {
        let found = chain(&[
            "Backup-1679991000/Full-00000000-00000050-1000",
            "Full-00000000-00000060-1001.gz.final",
        ])
        .expect("two fulls");
        assert_eq!(found.base.revision, 60);
        assert_eq!(
            chain(&["Backup-1679991000/Full-00000000-00000050-1000"])
                .expect("one")
                .base
                .shown,
            "Backup-1679991000/Full-00000000-00000050-1000"
        );
    }
}
