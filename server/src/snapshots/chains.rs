//! Chains: a full snapshot with etcdbrctl's deltas after it, within one life of a cluster.
//!
//! Within a life revisions only grow, so they decide here, and no clock does. A delta belongs to the newest full whose name is
//! below the delta's last revision. It is replayed from its first revision that is not there yet: deltas may overlap anywhere, as
//! they do after a change of leaders. Only a hole ends a replay. A delta begins one revision after the *name* of the full before
//! it, and the full may run ahead of its name, so replay counts from the full's true revision.

use crate::store::clock::UnixMillis;

/// A full snapshot of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// The revision in the file.
    pub revision: i64,
    /// The revision in the name, if there is one.
    pub named: Option<i64>,
    /// When it was captured: the order of fulls with one revision.
    pub captured: UnixMillis,
}

/// A delta of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta {
    /// The first revision that its name promises.
    pub start: i64,
    /// The last revision.
    pub last: i64,
    /// When it was captured: the order of deltas with the same revisions.
    pub captured: UnixMillis,
}

/// All chains of a life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chains {
    /// One for each full, lowest revision first.
    pub chains: Vec<Chain>,
    /// Deltas without a full before them, as places in the input.
    pub orphans: Vec<usize>,
}

/// A full with the deltas after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The full, as its place in the input.
    pub full: usize,
    /// Its true revision.
    pub revision: i64,
    /// How far that lies beyond its name: positive for a full that ran ahead, negative for a name that promises too much.
    pub beyond_name: i64,
    /// The deltas that can be replayed, in that order, as places in the input. One may bring nothing new.
    pub deltas: Vec<usize>,
    /// The revision after the last of them.
    pub end: i64,
    /// How many of them begin before the end of what was there.
    pub overlaps: usize,
    /// What ends the replay.
    pub hole: Option<Hole>,
}

/// Missing revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// The last revision before it.
    pub after: i64,
    /// The first revision behind it.
    pub next_start: i64,
    /// The deltas behind it, which cannot be replayed, as places in the input.
    pub behind: Vec<usize>,
}

/// The chains of one life.
pub fn chains(fulls: &[Full], deltas: &[Delta]) -> Chains {
    let mut order: Vec<_> = fulls.iter().enumerate().collect();
    order.sort_by_key(|(_, full)| (base(full), full.revision, full.captured));
    let bases: Vec<i64> = order.iter().map(|(_, full)| base(full)).collect();

    let mut of_full: Vec<Vec<usize>> = vec![Vec::new(); order.len()];
    let mut orphans = Vec::new();
    for (place, delta) in in_order_of_replay(deltas) {
        let below = bases.partition_point(|base| *base < delta.last);
        match below.checked_sub(1).and_then(|full| of_full.get_mut(full)) {
            Some(of_full) => of_full.push(place),
            None => orphans.push(place),
        }
    }
    let chains = order
        .into_iter()
        .zip(of_full)
        .map(|((place, full), own)| Chain::of(place, full, &own, deltas))
        .collect();
    Chains { chains, orphans }
}

/// The revision from which a full's deltas are counted when they are written. A name that promises too much is not believed.
fn base(full: &Full) -> i64 {
    full.named.unwrap_or(full.revision).min(full.revision)
}

/// By their first revision: so a long delta closes the gaps between short ones, whichever of them was written first.
fn in_order_of_replay(deltas: &[Delta]) -> Vec<(usize, &Delta)> {
    let mut order: Vec<_> = deltas.iter().enumerate().collect();
    order.sort_by_key(|(_, delta)| (delta.start, delta.last, delta.captured));
    order
}

impl Chain {
    /// The chain of this full; `own` are the places of its deltas in the order of replay.
    fn of(place: usize, full: &Full, own: &[usize], deltas: &[Delta]) -> Chain {
        let named = full.named.unwrap_or(full.revision);
        let mut chain = Chain {
            full: place,
            revision: full.revision,
            beyond_name: full.revision.saturating_sub(named),
            deltas: Vec::new(),
            end: full.revision,
            overlaps: 0,
            hole: None,
        };
        for (position, (place, delta)) in own
            .iter()
            .filter_map(|place| deltas.get(*place).map(|delta| (*place, delta)))
            .enumerate()
        {
            if delta.start > chain.end.saturating_add(1) {
                chain.hole = Some(Hole {
                    after: chain.end,
                    next_start: delta.start,
                    behind: own.get(position..).unwrap_or_default().to_vec(),
                });
                break;
            }
            chain.overlaps += usize::from(delta.start <= chain.end);
            chain.end = chain.end.max(delta.last);
            chain.deltas.push(place);
        }
        chain
    }
}

#[cfg(test)]
mod tests;
