//! Requirements left out on purpose: one kind of row of one operation, on the thread of one test.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use super::Operation;
use crate::tables::keyspace::Keyspace;

/// One requirement: the rows of one keyspace, read by the decision of one operation.
pub(crate) type Requirement = (Operation, Keyspace);

thread_local! {
    static LEFT_OUT: Cell<Option<Requirement>> = const { Cell::new(None) };
    static MADE: RefCell<BTreeSet<Requirement>> = const { RefCell::new(BTreeSet::new()) };
}

/// Whether this thread leaves the requirement out; also records that the requirement was made.
pub(super) fn is_left_out(operation: Operation, keyspace: Keyspace) -> bool {
    MADE.with_borrow_mut(|made| made.insert((operation, keyspace)));
    LEFT_OUT.get() == Some((operation, keyspace))
}

/// All requirements made by decisions on this thread so far.
pub(crate) fn made() -> BTreeSet<Requirement> {
    MADE.with_borrow(BTreeSet::clone)
}

/// Runs `f` with a requirement left out on this thread.
pub(crate) fn without<T>(requirement: Requirement, f: impl FnOnce() -> T) -> T {
    let before = LEFT_OUT.replace(Some(requirement));
    let answer = f();
    LEFT_OUT.set(before);
    answer
}
