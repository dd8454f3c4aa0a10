//! When a higher revision than this one was last seen: the question behind "the revision fell".

use std::collections::BTreeMap;

use crate::store::clock::UnixMillis;

/// Revisions with the times at which they were seen. Keeps only those that can be an answer: a higher revision seen later hides
/// a lower one seen earlier, so times fall while revisions rise. Each call takes logarithmic time, over all calls.
#[derive(Debug, Default)]
pub(super) struct Newest {
    seen: BTreeMap<i64, UnixMillis>,
}

impl Newest {
    /// Notes that `revision` was seen at this time.
    pub(super) fn insert(&mut self, revision: i64, at: UnixMillis) {
        let hidden = self.seen.range(revision..).next();
        if hidden.is_some_and(|(_, later)| *later >= at) {
            return;
        }
        while let Some((&lower, &earlier)) = self.seen.range(..=revision).next_back() {
            if earlier > at {
                break;
            }
            self.seen.remove(&lower);
        }
        self.seen.insert(revision, at);
    }

    /// The last time at which a higher revision was seen.
    pub(super) fn above(&self, revision: i64) -> Option<UnixMillis> {
        let above = revision.checked_add(1)?;
        self.seen.range(above..).next().map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_answers_as_a_list_does(
            seen in prop::collection::vec((0i64..20, 0u64..20), 0..40),
            revision in 0i64..20,
        ) {
            let mut newest = Newest::default();
            for (revision, at) in &seen {
                newest.insert(*revision, UnixMillis(*at));
            }
            let expected = seen.iter().filter(|(seen, _)| *seen > revision).map(|(_, at)| UnixMillis(*at)).max();
            prop_assert_eq!(newest.above(revision), expected);
        }
    }
}
