//! Deliberate bugs: each leaves out one promise of the store, to prove that the test suites find it.
//!
//! A normal build contains no switch: there, [`planted`] is `false` at compile time. The unit tests of this crate plant
//! a bug on their own thread; the server built with the feature `testing` takes one from its environment.

/// A promise that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bug {
    /// A commit is answered before the log is synced.
    AckBeforeSync,
    /// Folders are not synced when something was put into them.
    NoDirSync,
    /// A pack is synced when two later ones ask for their sync, so after the commits that need it.
    CommitBeforePackSync,
    /// A manifest's segments are not counted in their packs.
    CounterForgotten,
    /// Condemned packs go at once, whoever reads them.
    PinsIgnored,
    /// A commit that uses a pack does not require its row unchanged.
    RowConditionLeftOut,
    /// A reaped manifest is taken off its packs twice.
    DecrementTwice,
    /// The open pack is condemned like a sealed one.
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
