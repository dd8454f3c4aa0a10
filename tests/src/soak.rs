//! Lengths of the fault suites, short in `make test` and long in `make soak`, and the row that each of them reports.
//!
//! The second module that reads the environment: numbers that make a run longer. None of them changes a check.
#![expect(
    clippy::disallowed_methods,
    reason = "this module holds the knobs of the long runs"
)]

/// A number from the environment, or the default of `make test`.
///
/// # Panics
/// When the variable is not a number.
pub fn number(variable: &str, in_make_test: u64) -> u64 {
    match std::env::var(variable) {
        Err(_) => in_make_test,
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is not a number")),
    }
}

/// Whether the variable requests the full run.
pub fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some()
}

/// One row of the table in docs/durability.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The fault injected into the store.
    pub fault: String,
    /// How often.
    pub cycles: u64,
    /// Acknowledged operations whose outcome was checked afterwards.
    pub checked: u64,
    /// Acknowledged, but absent afterwards (or present after a delete).
    pub lost: u64,
    /// Served with other bytes, ETag or metadata than acknowledged.
    pub wrong: u64,
    /// The seed that replays the run.
    pub seed: u64,
}

impl Row {
    /// Prints the row where `make test` shows it, and panics unless nothing was lost or wrong.
    pub fn report(&self) {
        let Row {
            fault,
            cycles,
            checked,
            lost,
            wrong,
            seed,
        } = self;
        println!(
            "durability | {fault} | cycles {cycles} | checked {checked} | lost {lost} | wrong {wrong} | seed {seed}"
        );
        assert!(*lost == 0 && *wrong == 0, "{fault}: see above");
    }
}
