//! The possible states of one key: the acknowledged one, and those requested since.
//!
//! It is kept in the test's process, so it survives every crash of the server. A key has one writer, so the order of
//! its states is known. A state that was begun but not acknowledged may or may not have happened: a reader, and the
//! check after a crash, may find the acknowledged state or any state begun after it, and nothing else.
//!
//! The simulation in the server has another model, since several clients write one key at once there.

/// The states of one key.
#[derive(Debug, Clone)]
pub struct History<S> {
    /// The acknowledged state, and each state begun in this life of the server, in order.
    states: Vec<S>,
    /// The index of the last acknowledged state.
    settled: usize,
    /// Whether it was acknowledged in this life.
    news: bool,
}

/// Where a reader started.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

/// A state that was requested but not answered.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Begun(usize);

impl<S: Clone> History<S> {
    /// A key in this state, without requests in progress.
    pub fn of(state: S) -> Self {
        Self {
            states: vec![state],
            settled: 0,
            news: false,
        }
    }

    /// The writer requests `state`.
    pub fn begin(&mut self, state: S) -> Begun {
        self.states.push(state);
        Begun(self.states.len() - 1)
    }

    /// The server acknowledged it.
    pub fn acknowledge(&mut self, begun: Begun) {
        self.settled = begun.0;
        self.news = true;
    }

    /// The server definitely refused it: it never happened.
    pub fn refuse(&mut self, begun: Begun) {
        self.states.truncate(begun.0);
    }

    /// A begun state, to fill in what its writer could not know.
    pub fn state_mut(&mut self, begun: Begun) -> Option<&mut S> {
        self.states.get_mut(begun.0)
    }

    /// A reader begins.
    pub fn mark(&self) -> Mark {
        Mark(self.settled)
    }

    /// The states that a reader that began at `mark` may have seen by now.
    pub fn since(&self, mark: Mark) -> &[S] {
        &self.states[mark.0..]
    }

    /// The acknowledged state first, then those begun after it.
    pub fn allowed(&self) -> &[S] {
        &self.states[self.settled..]
    }

    /// The acknowledged state.
    pub fn acknowledged(&self) -> &S {
        &self.states[self.settled]
    }

    /// Whether its state was acknowledged since the last check.
    pub fn is_news(&self) -> bool {
        self.news
    }

    /// After a check: the state found is the state of the key.
    pub fn adopt(&mut self, found: S) {
        *self = Self::of(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_acknowledged_state_and_those_begun_since_are_allowed() {
        let mut history = History::of("absent");
        let first = history.begin("first");
        assert_eq!(history.allowed(), ["absent", "first"]);
        let mark = history.mark();
        history.acknowledge(first);
        assert_eq!(history.allowed(), ["first"], "there is no way back");
        let _unanswered = history.begin("second");
        assert_eq!(history.since(mark), ["absent", "first", "second"]);
        assert_eq!(history.acknowledged(), &"first");
        assert!(history.is_news());
        history.adopt("second");
        assert_eq!(history.allowed(), ["second"]);
        assert!(!history.is_news());
        let refused = history.begin("third");
        history.refuse(refused);
        assert_eq!(history.allowed(), ["second"]);
    }
}
