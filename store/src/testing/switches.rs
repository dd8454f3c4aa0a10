//! The switches of planted bugs: one for the process and one per thread.

use std::cell::Cell;
use std::sync::OnceLock;

use crate::planted::Bug;

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
