//! The zoo as a table: for each specimen, its byte differences from the base and the expected messages of the tools.
//!
//! Owns `zoo.tsv` in the fixtures, for reading and writing. A line has these columns:
//!
//! | column | meaning |
//! |---|---|
//! | name | of the specimen |
//! | over | `base` (base.db.gz unpacked), `packed` (as it is), or `-` (nothing: zeros) |
//! | bytes | its length: the file before is cut, or filled up with zeros |
//! | differences | `offset:hex`, separated by blanks |
//! | restore, status, save | exit codes; `-` when no etcd could send it |
//! | words | what each tool must say, `…` for anything between; `=` repeats the column before |

use std::fmt::Write as _;

use super::{Over, Specimen, Verdict, Zoo};

/// Differences no farther apart than this are written as one.
const GAP_MAX: usize = 4;

/// The first line.
const HEAD: &str =
    "name\tover\tbytes\tdifferences\trestore\tstatus\tsave\tsays restore\tsays status\tsays save";

/// The whole table.
pub fn text(zoo: &Zoo) -> String {
    let mut out = format!("{HEAD}\n");
    for specimen in &zoo.broken {
        let base = over(specimen.over, zoo);
        let Specimen {
            name,
            restore,
            status,
            save,
            ..
        } = specimen;
        let same = |one: &Verdict, other: &Verdict| {
            if one.says == other.says {
                "=".to_owned()
            } else {
                other.says.clone()
            }
        };
        let (save_code, save_says) = save
            .as_ref()
            .map_or(("-".to_owned(), "-".to_owned()), |save| {
                (save.code.to_string(), same(status, save))
            });
        let line = [
            (*name).to_owned(),
            label(specimen.over).to_owned(),
            specimen.bytes.len().to_string(),
            differences(&base, &specimen.bytes),
            restore.code.to_string(),
            status.code.to_string(),
            save_code,
            restore.says.clone(),
            same(restore, status),
            save_says,
        ];
        writeln!(out, "{}", line.join("\t")).expect("memory takes it");
    }
    out
}

/// A specimen's name and bytes, rebuilt from a line of the table.
pub fn materialize<'t>(line: &'t str, zoo: &Zoo) -> (&'t str, Vec<u8>) {
    let columns: Vec<&str> = line.split('\t').collect();
    let [name, from, len, differences, ..] = columns[..] else {
        panic!("too few columns: {line}");
    };
    let from = [Over::Base, Over::Packed, Over::Nothing]
        .into_iter()
        .find(|known| label(*known) == from)
        .unwrap_or_else(|| panic!("{name}: over {from}"));
    let mut bytes = over(from, zoo);
    bytes.resize(len.parse().expect("a length"), 0);
    for difference in differences.split_whitespace() {
        let (at, hex) = difference.split_once(':').expect("offset:hex");
        let at: usize = at.parse().expect("an offset");
        for (index, pair) in hex.as_bytes().chunks(2).enumerate() {
            let pair = std::str::from_utf8(pair).expect("hex digits");
            bytes[at + index] = u8::from_str_radix(pair, 16).expect("hex digits");
        }
    }
    (name, bytes)
}

/// The lines after the first.
pub fn lines(table: &str) -> impl Iterator<Item = &str> {
    table.lines().skip(1)
}

fn label(over: Over) -> &'static str {
    match over {
        Over::Base => "base",
        Over::Packed => "packed",
        Over::Nothing => "-",
    }
}

fn over(over: Over, zoo: &Zoo) -> Vec<u8> {
    match over {
        Over::Base => zoo.base.snapshot(),
        Over::Packed => zoo.packed.clone(),
        Over::Nothing => Vec::new(),
    }
}

fn differences(base: &[u8], bytes: &[u8]) -> String {
    let differs = |at: &usize| bytes[*at] != base.get(*at).copied().unwrap_or(0);
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for at in (0..bytes.len()).filter(differs) {
        match runs.last_mut() {
            Some((_, end)) if at <= *end + GAP_MAX => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    let shown: Vec<String> = runs
        .into_iter()
        .map(|(from, to)| {
            let mut out = format!("{from}:");
            for byte in &bytes[from..to] {
                write!(out, "{byte:02x}").expect("memory takes it");
            }
            out
        })
        .collect();
    shown.join(" ")
}
