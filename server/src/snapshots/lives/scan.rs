//! The walk over all snapshots of a place in the order of their capture: each joins a life, begins one, or is foreign.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::families::Families;
use super::newest::Newest;
use super::{
    Began, Belongs, CLOCKS_DIFFER_MAX, Delta, Full, LATE_MIN, Life, Lives, PACE_MAX, RECENT_GAPS,
    RUN_FULLS_MIN, SILENT_GAPS_MIN,
};
use crate::store::clock::UnixMillis;

/// See [`super::lives`].
pub(super) fn lives(fulls: &[Full<'_>], deltas: &[Delta]) -> Lives {
    let mut order: Vec<usize> = (0..fulls.len()).collect();
    order.sort_by_key(|full| fulls.get(*full));
    let sorted: Vec<&Full<'_>> = order.iter().filter_map(|full| fulls.get(*full)).collect();

    let mut events: Vec<_> = sorted
        .iter()
        .enumerate()
        .map(|(place, full)| (full.captured, full.revision, What::Full(place)))
        .chain(deltas.iter().enumerate().map(|(place, delta)| {
            let what = What::Delta(place);
            (delta.captured, delta.last, what)
        }))
        .collect();
    events.sort_by_key(|(captured, revision, what)| {
        let rest = match what {
            What::Full(place) => (None, *place),
            What::Delta(place) => (deltas.get(*place), 0),
        };
        (*captured, *revision, rest)
    });

    let mut scan = Scan {
        families: Families::of(&sorted),
        fulls: &sorted,
        deltas,
        lives: Vec::new(),
        of_family: HashMap::new(),
        peers: HashSet::new(),
        current: None,
        foreign: None,
        early: Vec::new(),
    };
    for (_, _, what) in events {
        match what {
            What::Full(place) => scan.full(place),
            What::Delta(place) => scan.delta(place),
        }
    }
    scan.finish(&order)
}

/// A full by its place in the order of capture, or a delta by its place in the input.
#[derive(Debug, Clone, Copy)]
enum What {
    Full(usize),
    Delta(usize),
}

/// A life while the walk goes on.
#[derive(Debug)]
struct Open {
    began: Began,
    /// The family that writes it now; `None` while none of its fulls has members.
    family: Option<usize>,
    /// Its fulls and deltas in the order of capture.
    items: Vec<(UnixMillis, What)>,
    /// The captures of its last fulls, at most [`RECENT_GAPS`] and one.
    recent: Vec<UnixMillis>,
    /// The capture and revision of its first full.
    first: (UnixMillis, i64),
    /// The highest revision, also of the deltas that continue it.
    end: i64,
    captured: Newest,
    seen: Newest,
}

/// What becomes of a full.
enum Verdict {
    Joins(usize),
    /// The revision fell in this life.
    Restored(usize),
    Begins(Began),
    Foreign,
}

struct Scan<'rows> {
    families: Families,
    fulls: &'rows [&'rows Full<'rows>],
    deltas: &'rows [Delta],
    lives: Vec<Open>,
    /// The last life of each family.
    of_family: HashMap<usize, usize>,
    /// The peers of all lives.
    peers: HashSet<u64>,
    current: Option<usize>,
    /// The revision of the last foreign full, and the end of the deltas that continue it.
    foreign: Option<(i64, i64)>,
    /// Deltas before the first full.
    early: Vec<usize>,
}

impl Scan<'_> {
    fn full(&mut self, place: usize) {
        let Some(full) = self.fulls.get(place).copied() else {
            return;
        };
        if self.families.copy_of(place).is_some() {
            return;
        }
        let family = self.families.family(place);
        match self.judge(place, full, family) {
            Verdict::Joins(life) => {
                if let Some(family) = family
                    && self.current != Some(life)
                    && self.takes_over(place, family)
                {
                    self.current = Some(life);
                }
                self.join(life, place, full, family);
            }
            Verdict::Restored(before) => {
                let tail = self.lives.get_mut(before).map(|life| life.fallen(full));
                let life = self.begin(Began::Restored, full);
                for (_, what) in tail.unwrap_or_default() {
                    self.join_again(life, what);
                }
                self.join(life, place, full, family);
            }
            Verdict::Begins(began) => {
                let life = self.begin(began, full);
                for delta in std::mem::take(&mut self.early) {
                    self.join_again(life, What::Delta(delta));
                }
                self.join(life, place, full, family);
            }
            Verdict::Foreign => self.foreign = Some((full.revision, full.revision)),
        }
    }

    fn judge(&self, place: usize, full: &Full<'_>, family: Option<usize>) -> Verdict {
        let Some((number, current)) = self.current() else {
            return Verdict::Begins(Began::First);
        };
        let known = family.and_then(|family| self.of_family.get(&family));
        match (family, known, current.family) {
            // Its own family, or members that appear in a life without any: only the revision can tell.
            (Some(_), Some(life), _) => self.by_revision(*life, full),
            (_, _, None) => self.by_revision(number, full),
            // A file without members is too little to end a life that has some.
            (None, _, Some(_)) if current.falls(full) => Verdict::Foreign,
            (None, _, Some(_)) => Verdict::Joins(number),
            (Some(family), None, Some(rival)) => {
                if full.peers.iter().any(|peer| self.peers.contains(peer)) {
                    Verdict::Begins(Began::Rebuilt)
                } else if self.has_moved(place, full, family, rival) {
                    Verdict::Joins(number)
                } else if self.takes_over(place, family) {
                    Verdict::Begins(Began::Replaced)
                } else {
                    Verdict::Foreign
                }
            }
        }
    }

    fn by_revision(&self, life: usize, full: &Full<'_>) -> Verdict {
        match self.lives.get(life) {
            Some(open) if open.falls(full) => Verdict::Restored(life),
            _ => Verdict::Joins(life),
        }
    }

    fn current(&self) -> Option<(usize, &Open)> {
        let number = self.current?;
        self.lives.get(number).map(|life| (number, life))
    }

    /// The fulls of `family` from this place on, until the current life's family writes again.
    fn run(&self, place: usize, family: usize, rival: usize) -> &[usize] {
        let until = self.families.next(rival, place).unwrap_or(usize::MAX);
        self.families.run(family, place..until)
    }

    /// Whether the family begins a run here by which it takes over from the current life.
    fn takes_over(&self, place: usize, family: usize) -> bool {
        let Some((_, current)) = self.current() else {
            return true;
        };
        let Some(rival) = current.family else {
            return true;
        };
        let run = self.run(place, family, rival);
        let Some(last) = run.last().and_then(|place| self.fulls.get(*place)) else {
            return false;
        };
        let silent = millis(last.captured.since(current.last_captured()));
        let gap = current
            .longest_gap()
            .or_else(|| self.longest_gap_to_come(rival, place));
        run.len() >= RUN_FULLS_MIN && silent >= gap.unwrap_or(0).saturating_mul(SILENT_GAPS_MIN)
    }

    /// Of a life that has a single full so far: how often it writes is seen afterwards.
    fn longest_gap_to_come(&self, rival: usize, place: usize) -> Option<u64> {
        let written = self.families.run(rival, place..usize::MAX);
        let captured: Vec<_> = written
            .iter()
            .take(RECENT_GAPS + 1)
            .filter_map(|place| Some(self.fulls.get(*place)?.captured))
            .collect();
        longest_gap(&captured)
    }

    /// Whether all members of the current life were replaced since its last full: its family writes no more, and the revision
    /// goes on at its pace, without a pause.
    fn has_moved(&self, place: usize, full: &Full<'_>, family: usize, rival: usize) -> bool {
        let Some((_, current)) = self.current() else {
            return false;
        };
        let is_gone = self.families.next(rival, place).is_none()
            || self.run(place, family, rival).len() >= RUN_FULLS_MIN;
        is_gone && current.is_at_pace(full)
    }

    fn begin(&mut self, began: Began, full: &Full<'_>) -> usize {
        let life = self.lives.len();
        self.lives.push(Open {
            began,
            family: None,
            items: Vec::new(),
            recent: Vec::new(),
            first: (full.captured, full.revision),
            end: i64::MIN,
            captured: Newest::default(),
            seen: Newest::default(),
        });
        self.current = Some(life);
        self.foreign = None;
        life
    }

    fn join(&mut self, life: usize, place: usize, full: &Full<'_>, family: Option<usize>) {
        if let Some(family) = family {
            self.of_family.insert(family, life);
        }
        self.peers.extend(full.peers);
        if let Some(open) = self.lives.get_mut(life) {
            open.family = family.or(open.family);
            open.push_full(place, full);
        }
    }

    /// Puts a full or delta that was elsewhere into this life.
    fn join_again(&mut self, life: usize, what: What) {
        match what {
            What::Full(place) => {
                if let Some(full) = self.fulls.get(place).copied() {
                    self.join(life, place, full, self.families.family(place));
                }
            }
            What::Delta(place) => self.join_delta(life, place),
        }
    }

    fn delta(&mut self, place: usize) {
        let Some(delta) = self.deltas.get(place) else {
            return;
        };
        let Some((life, current)) = self.current() else {
            self.early.push(place);
            return;
        };
        let is_next = |end: i64| end.checked_add(1) == Some(delta.start);
        let is_beyond = delta.start > current.end.saturating_add(1);
        let foreign = self.foreign.filter(|(begin, end)| {
            let overlaps = *begin < delta.start && delta.start <= *end;
            !is_next(current.end) && (is_next(*end) || (is_beyond && overlaps))
        });
        match foreign {
            Some((begin, end)) => self.foreign = Some((begin, end.max(delta.last))),
            None => self.join_delta(life, place),
        }
    }

    fn join_delta(&mut self, life: usize, place: usize) {
        let (open, delta) = (self.lives.get_mut(life), self.deltas.get(place));
        if let (Some(open), Some(delta)) = (open, delta) {
            open.push_delta(place, delta);
        }
    }

    fn finish(self, order: &[usize]) -> Lives {
        let mut belongs = vec![Belongs::Foreign; self.fulls.len()];
        let mut deltas = vec![None; self.deltas.len()];
        for (number, life) in self.lives.iter().enumerate() {
            for (_, what) in &life.items {
                match what {
                    What::Full(place) => set(&mut belongs, *place, Belongs::Life(number)),
                    What::Delta(place) => set(&mut deltas, *place, Some(number)),
                }
            }
        }
        for place in 0..belongs.len() {
            let original = self.families.copy_of(place);
            if let Some(Belongs::Life(life)) = original.and_then(|place| belongs.get(place)) {
                let copy = Belongs::Copy(*life);
                set(&mut belongs, place, copy);
            }
        }
        let mut fulls = belongs.clone();
        for (belongs, place) in belongs.into_iter().zip(order) {
            set(&mut fulls, *place, belongs);
        }
        let latest = self.current().and_then(|(_, life)| life.latest(self.fulls));
        Lives {
            fulls,
            deltas,
            lives: self
                .lives
                .iter()
                .map(|life| life.close(self.fulls))
                .collect(),
            current: self.current,
            latest: latest.and_then(|place| order.get(place).copied()),
        }
    }
}

fn set<T>(list: &mut [T], place: usize, value: T) {
    if let Some(slot) = list.get_mut(place) {
        *slot = value;
    }
}

impl Open {
    fn push_full(&mut self, place: usize, full: &Full<'_>) {
        if self.recent.is_empty() {
            self.first = (full.captured, full.revision);
        } else if self.recent.len() > RECENT_GAPS {
            self.recent.remove(0);
        }
        self.recent.push(full.captured);
        self.items.push((full.captured, What::Full(place)));
        self.saw(full.revision, full.captured, full.arrived);
    }

    /// A delta that leaves a hole belongs here, but is no witness of a revision: it may be another cluster's.
    fn push_delta(&mut self, place: usize, delta: &Delta) {
        self.items.push((delta.captured, What::Delta(place)));
        if delta.start <= self.end.saturating_add(1) {
            self.saw(delta.last, delta.captured, delta.arrived);
        }
    }

    fn saw(&mut self, revision: i64, captured: UnixMillis, arrived: UnixMillis) {
        self.end = self.end.max(revision);
        self.captured.insert(revision, captured);
        let seen = if is_late(captured, arrived) {
            captured
        } else {
            arrived
        };
        self.seen.insert(revision, seen);
    }

    /// Whether the revision fell: every higher one was captured, and arrived, long enough before. So neither a master whose
    /// clock is wrong nor an old copy that arrives late looks like a restore.
    fn falls(&self, full: &Full<'_>) -> bool {
        let long_before = |newest: &Newest, at: UnixMillis| {
            let above = newest.above(full.revision);
            above.is_some_and(|above| at.since(above) > CLOCKS_DIFFER_MAX)
        };
        long_before(&self.captured, full.captured)
            && (is_late(full.captured, full.arrived) || long_before(&self.seen, full.arrived))
    }

    /// Takes out what was captured after the last revision above that of `full`: it was written by the restored cluster, within
    /// the minutes in which a lower revision says nothing.
    fn fallen(&mut self, full: &Full<'_>) -> Vec<(UnixMillis, What)> {
        let above = self.captured.above(full.revision);
        let stays = |(captured, _): &(UnixMillis, What)| above.is_none_or(|at| *captured <= at);
        let from = self.items.iter().rposition(stays).map_or(0, |at| at + 1);
        self.items.split_off(from)
    }

    fn last_captured(&self) -> UnixMillis {
        self.recent.last().copied().unwrap_or_default()
    }

    fn longest_gap(&self) -> Option<u64> {
        longest_gap(&self.recent)
    }

    /// Whether this full could be the next one: its revision is as far above the highest as the life's pace allows, and it
    /// follows without a pause.
    fn is_at_pace(&self, full: &Full<'_>) -> bool {
        let (since, first_revision) = self.first;
        let last = self.last_captured();
        let pause = millis(full.captured.since(last));
        let pause_max = self
            .longest_gap()
            .unwrap_or(0)
            .saturating_mul(SILENT_GAPS_MIN);
        if pause > pause_max || full.revision < self.end {
            return false;
        }
        let grown = i128::from(full.revision) - i128::from(self.end);
        let before = i128::from(self.end) - i128::from(first_revision);
        let took = i128::from(millis(last.since(since)));
        took > 0 && grown * took <= before * i128::from(pause) * i128::from(PACE_MAX)
    }

    fn latest(&self, fulls: &[&Full<'_>]) -> Option<usize> {
        let own = || {
            self.places()
                .filter_map(|place| Some((place, *fulls.get(place)?)))
        };
        let newest = own().map(|(_, full)| full.captured).max()?;
        own()
            .filter(|(_, full)| newest.since(full.captured) <= CLOCKS_DIFFER_MAX)
            .max_by_key(|(_, full)| (full.revision, full.captured, full.sha256))
            .map(|(place, _)| place)
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        self.items.iter().filter_map(|(_, what)| match what {
            What::Full(place) => Some(*place),
            What::Delta(_) => None,
        })
    }

    fn close(&self, fulls: &[&Full<'_>]) -> Life {
        let own = || self.places().filter_map(|place| fulls.get(place));
        let (since, first_revision) = self.first;
        Life {
            began: self.began,
            since,
            until: own().map(|full| full.captured).max().unwrap_or(since),
            first_revision,
            last_revision: own()
                .map(|full| full.revision)
                .max()
                .unwrap_or(first_revision),
            fulls: own().count(),
        }
    }
}

fn is_late(captured: UnixMillis, arrived: UnixMillis) -> bool {
    arrived.since(captured) > LATE_MIN
}

/// The longest time between two of these, in milliseconds. Several masters that save at one minute leave no gap.
fn longest_gap(captured: &[UnixMillis]) -> Option<u64> {
    captured
        .iter()
        .zip(captured.iter().skip(1))
        .map(|(earlier, later)| later.since(*earlier))
        .filter(|gap| *gap > CLOCKS_DIFFER_MAX)
        .max()
        .map(millis)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
