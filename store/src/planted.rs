//! Bugs on purpose: each a promise of the store left out, so that the suites can be seen to find it.
//!
//! A normal build contains no switch: [`planted`] is `false` there before the compiler is done. The crate's own unit tests
//! plant a bug on their thread; the server built with the feature `planted` takes one from its environment.

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
#[cfg(not(any(test, feature = "planted")))]
#[inline]
pub const fn planted(_bug: Bug) -> bool {
    false
}

#[cfg(any(test, feature = "planted"))]
pub use switches::planted;

#[cfg(any(test, feature = "planted"))]
pub mod switches {
    //! The switches themselves.

    use std::cell::Cell;
    use std::sync::OnceLock;

    use super::Bug;

    /// The variable that names the bug of a process.
    pub const VARIABLE: &str = "STRONGROOM_PLANTED_BUG";

    const NAMES: [(&str, Bug); 8] = [
        ("ack-before-sync", Bug::AckBeforeSync),
        ("no-dir-sync", Bug::NoDirSync),
        ("commit-before-pack-sync", Bug::CommitBeforePackSync),
        ("counter-forgotten", Bug::CounterForgotten),
        ("pins-ignored", Bug::PinsIgnored),
        ("row-condition-left-out", Bug::RowConditionLeftOut),
        ("decrement-twice", Bug::DecrementTwice),
        ("sealed-rule-ignored", Bug::SealedRuleIgnored),
    ];

    static OF_PROCESS: OnceLock<Bug> = OnceLock::new();

    thread_local! {
        static OF_THREAD: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether this process or this thread has the bug.
    pub fn planted(bug: Bug) -> bool {
        OF_THREAD.get() == Some(bug) || OF_PROCESS.get() == Some(&bug)
    }

    /// Plants a bug in this process.
    ///
    /// # Errors
    /// The known names, when `name` is none of them.
    pub fn plant(name: &str) -> Result<(), String> {
        let known = NAMES.iter().find(|(known, _)| *known == name);
        let (_, bug) = known.ok_or_else(|| NAMES.map(|(name, _)| name).join(", "))?;
        OF_PROCESS.get_or_init(|| *bug);
        Ok(())
    }

    /// Runs `f` with a bug planted on this thread.
    pub fn with<T>(bug: Bug, f: impl FnOnce() -> T) -> T {
        let before = OF_THREAD.replace(Some(bug));
        let answer = f();
        OF_THREAD.set(before);
        answer
    }
}
