//! Families: fulls that are joined by common member ids, directly or through others. Members may be replaced one by one, so two
//! fulls of a family need not share one. Also tells copies: bytes that were there before.

use std::collections::HashMap;
use std::ops::Range;

use super::{DEFAULT_MEMBER, Full};

/// What can be known of fulls before their order is judged. Fulls are named by their place in the order of capture.
#[derive(Debug)]
pub(super) struct Families {
    /// The family of each full; `None` for one without members.
    of: Vec<Option<usize>>,
    /// The first full with the same bytes, for a copy of an older state.
    copied: Vec<Option<usize>>,
    /// The fulls of each family in order, without copies.
    written: HashMap<usize, Vec<usize>>,
}

impl Families {
    pub(super) fn of(fulls: &[&Full<'_>]) -> Families {
        let of = joined(fulls);
        let copied = copied(fulls, &of);
        let mut written: HashMap<usize, Vec<usize>> = HashMap::new();
        for (place, (family, copied)) in of.iter().zip(&copied).enumerate() {
            if let (Some(family), None) = (family, copied) {
                written.entry(*family).or_default().push(place);
            }
        }
        Families {
            of,
            copied,
            written,
        }
    }

    pub(super) fn family(&self, place: usize) -> Option<usize> {
        self.of.get(place).copied().flatten()
    }

    pub(super) fn copy_of(&self, place: usize) -> Option<usize> {
        self.copied.get(place).copied().flatten()
    }

    /// The first full of the family from this place on.
    pub(super) fn next(&self, family: usize, from: usize) -> Option<usize> {
        self.run(family, from..usize::MAX).first().copied()
    }

    /// The fulls of the family in this range.
    pub(super) fn run(&self, family: usize, within: Range<usize>) -> &[usize] {
        let written = self.written.get(&family).map_or(&[][..], Vec::as_slice);
        let from = written.partition_point(|place| *place < within.start);
        let to = written.partition_point(|place| *place < within.end);
        written.get(from..to).unwrap_or_default()
    }
}

/// Joins fulls by their members; a family is named by one of its fulls.
fn joined(fulls: &[&Full<'_>]) -> Vec<Option<usize>> {
    let mut parents: Vec<usize> = (0..fulls.len()).collect();
    let mut of_member: HashMap<u64, usize> = HashMap::new();
    for (place, full) in fulls.iter().enumerate() {
        for member in known(full) {
            let other = *of_member.entry(member).or_insert(place);
            let (one, other) = (root(&mut parents, place), root(&mut parents, other));
            // The older one stays, so that chains of parents stay short with the halving in `root`.
            let (older, newer) = (one.min(other), one.max(other));
            if let Some(parent) = parents.get_mut(newer) {
                *parent = older;
            }
        }
    }
    fulls
        .iter()
        .enumerate()
        .map(|(place, full)| known(full).next().map(|_| root(&mut parents, place)))
        .collect()
}

/// The members that tell clusters apart.
fn known(full: &Full<'_>) -> impl Iterator<Item = u64> {
    let members = full.members.iter().copied();
    members.filter(|member| *member != DEFAULT_MEMBER)
}

fn root(parents: &mut [usize], mut place: usize) -> usize {
    loop {
        let parent = parents.get(place).copied().unwrap_or(place);
        if parent == place {
            return place;
        }
        let above = parents.get(parent).copied().unwrap_or(parent);
        if let Some(slot) = parents.get_mut(place) {
            *slot = above;
        }
        place = above;
    }
}

/// Copies of older states. The newest bytes of a family again are no copy: an idle etcd writes them each time.
fn copied(fulls: &[&Full<'_>], families: &[Option<usize>]) -> Vec<Option<usize>> {
    let mut first: HashMap<[u8; 32], usize> = HashMap::new();
    let mut newest: HashMap<Option<usize>, [u8; 32]> = HashMap::new();
    let mut copied = Vec::with_capacity(fulls.len());
    for (place, (full, family)) in fulls.iter().zip(families).enumerate() {
        let original = *first.entry(full.sha256).or_insert(place);
        let is_copy = original != place && newest.get(family) != Some(&full.sha256);
        if !is_copy {
            newest.insert(*family, full.sha256);
        }
        copied.push(is_copy.then_some(original));
    }
    copied
}
