//! Two candidates, measured one right after the other.

/// Two candidates. Other load on the machine affects both alike, so the ratios of the rounds say more than two separate runs.
pub(super) struct Turns<T>(pub(super) [T; 2]);

impl<T> Turns<T> {
    /// The results of `one` for both; the order alternates from round to round.
    pub(super) fn measure<R>(&mut self, round: u32, mut one: impl FnMut(&mut T) -> R) -> [R; 2] {
        let [first, second] = &mut self.0;
        if round.is_multiple_of(2) {
            let done = one(first);
            [done, one(second)]
        } else {
            let done = one(second);
            [one(first), done]
        }
    }
}
