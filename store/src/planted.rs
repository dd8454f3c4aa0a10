//! Deliberate bugs: each leaves out one promise of the store, to prove that the test suites find it.
//!
//! A normal build contains no switch: there, [`planted`] is `false` at compile time. The unit tests of this crate plant
//! a bug on their own thread; the server built with the feature `testing` takes one from its environment.

/// A promise that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bug {
    /// A commit is answered before the log is synced.
    AckBeforeSync,
    /// Folders are not synced after an entry was added.
    NoDirSync,
    /// A pack is synced only when two later packs ask for their sync, so after the commits that need it.
    CommitBeforePackSync,
    /// A manifest's segments are not counted in their packs.
    CounterForgotten,
    /// Marked packs are removed at once, even while they are read.
    PinsIgnored,
    /// A commit that uses a pack does not require the pack's row to be unchanged.
    RowConditionLeftOut,
    /// A freed manifest is subtracted twice from the counters of its packs.
    DecrementTwice,
    /// The open pack is marked like a sealed one.
    SealedRuleIgnored,
}

/// Whether this process (or this test's thread) has the bug.
#[cfg(not(any(test, feature = "testing")))]
#[inline]
pub const fn planted(_bug: Bug) -> bool {
    false
}

#[cfg(any(test, feature = "testing"))]
pub use crate::testing::switches::planted;
