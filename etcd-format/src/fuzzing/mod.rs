//! One function per fuzz target, shared by libFuzzer and by the replay of seeds on stable Rust.
//!
//! Owns: the conversion of raw bytes into input for each decoder, and the properties that hold for all bytes. Compiled only for
//! tests and with the feature `fuzzing`. If a checksum guards a decoder, the function also tries a corrected checksum, so that
//! the fuzzer gets past it. Where this is short, checksums are implemented again here, so that two implementations must agree.
//! Invariant: a target panics only if the library is wrong.

mod database;
mod history;
mod logs;

/// A target's function on its input.
pub type Target = fn(&[u8]);

/// The targets. Their names are also the names of their files and seed folders.
pub const TARGETS: &[(&str, Target)] = &[
    ("bolt", database::bolt),
    ("bolt_fields", database::bolt_fields),
    ("snapshot", database::snapshot),
    ("mvcc", history::mvcc),
    ("wal", logs::wal),
    ("raft_snap", logs::raft_snap),
];

/// Runs one target.
///
/// # Panics
/// There is no such target, or the library has a bug with this input.
pub fn run(target: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, run) = found.expect("the fuzz targets are those of the table");
    run(data);
}

/// Splits the input, piece by piece; missing bytes at the end are zero or empty.
struct Input<'d> {
    rest: &'d [u8],
}

impl<'d> Input<'d> {
    fn new(data: &'d [u8]) -> Self {
        Self { rest: data }
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn bytes(&mut self, len: usize) -> &'d [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        for (to, from) in out.iter_mut().zip(self.bytes(N)) {
            *to = *from;
        }
        out
    }

    fn byte(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }
}

#[cfg(test)]
mod tests;
