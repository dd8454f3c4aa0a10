//! Names with a date: cron jobs and small tools. The place is what is left without dates.
//!
//! | part of the key | what is left of it |
//! |---|---|
//! | the file's name | the name without dates, without endings such as `.db.gz`, and without a number that follows the last date |
//! | the file's folder | its name without dates |
//! | folders above | all but those that are only a date: `2026-11-28/`, `2026/11/28/`, `2026/11/` |
//!
//! Where the file's name has a date, a folder with a date of another day keeps its name: it tells something else.

use super::dates::{self, Captured, DAY_MILLIS};
use super::{Named, Path, Rule, place};
use crate::store::clock::UnixMillis;

/// Endings of snapshots: what they are, how they are packed, how they are encrypted.
const ENDINGS: [&str; 23] = [
    "db", "etcd", "snap", "snapshot", "bak", "backup", "bkp", "dump", "data", "img", "bin", "gz",
    "tgz", "tar", "zip", "zst", "zstd", "xz", "bz2", "lz4", "zlib", "Z", "7z",
];
const ENCRYPTED_ENDINGS: [&str; 6] = ["enc", "age", "gpg", "pgp", "asc", "aes"];

/// Characters between the parts of a name.
const SEPARATORS: [char; 7] = ['-', '_', '.', '@', '+', ' ', ':'];

/// The name by its date, if there is one.
pub(super) fn named(path: &Path<'_>) -> Option<Named> {
    let (stem, encrypted) = without_endings(path.file);
    let file = Undated::of(stem);
    let mut folders = Folders::default();
    folders.leave(&path.folders, file.captured);
    let mut captured = file.captured.or(folders.captured)?;
    let name = without_endings(&file.name).0;
    if is_number(name) && file.captured.is_none() {
        if let Captured::Day(day) = captured {
            captured = dates::time_of_day(day, name).unwrap_or(captured);
        }
    } else if !name.is_empty() {
        folders.left.push(name.to_owned());
    }
    let mut named = Named::full(Rule::Dated, place(&folders.left));
    named.captured = Some(captured);
    named.encrypted = encrypted;
    Some(named)
}

/// A name and the date that was in it.
struct Undated {
    name: String,
    captured: Option<Captured>,
}

impl Undated {
    fn of(text: &str) -> Undated {
        let mut captured: Option<Captured> = None;
        let mut parts = Vec::new();
        let mut end = 0;
        while let Some(found) = dates::find(text, end) {
            parts.push(&text[end..found.at.start]);
            end = found.at.end;
            captured = match (captured, found.captured) {
                (None | Some(Captured::Day(_)), at @ Captured::At(_)) => Some(at),
                (None, day) => Some(day),
                (earlier, _) => earlier,
            };
        }
        if captured.is_none() {
            let name = text.to_owned();
            return Undated { name, captured };
        }
        // A number behind the date counts the snapshots of that day.
        let rest = &text[end..];
        parts.push(if is_number(rest) { "" } else { rest });
        let parts = parts.into_iter().map(|part| part.trim_matches(SEPARATORS));
        let name = parts
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-");
        Undated { name, captured }
    }
}

/// The folders without dates.
#[derive(Default)]
struct Folders {
    left: Vec<String>,
    captured: Option<Captured>,
}

impl Folders {
    fn leave(&mut self, folders: &[&str], of_file: Option<Captured>) {
        let mut rest = folders;
        while let Some((folder, below)) = rest.split_first() {
            if let Some(length) = self.calendar(rest, of_file) {
                rest = &rest[length..];
                continue;
            }
            let undated = Undated::of(folder);
            let counts = undated.captured.is_some_and(|captured| {
                let agrees = of_file.is_none_or(|file| is_near(file, captured));
                agrees && (undated.name.is_empty() || below.is_empty())
            });
            if !counts {
                self.left.push((*folder).to_owned());
            } else if !undated.name.is_empty() {
                self.left.push(undated.name);
            }
            if counts && of_file.is_none() {
                self.captured = undated.captured;
            }
            rest = below;
        }
    }

    /// The number of folders of a calendar that begin here: `2026/11/28/`, and `2026/11/` if the file's name has the day.
    fn calendar(&mut self, folders: &[&str], of_file: Option<Captured>) -> Option<usize> {
        let [year, month, ..] = folders else {
            return None;
        };
        if let Some(day) = folders.get(2)
            && let Some(date) = dates::day(year, month, day)
            && let Some(captured) = dates::on(date)
            && of_file.is_none_or(|file| is_near(file, captured))
        {
            if of_file.is_none() {
                self.captured = Some(captured);
            }
            return Some(3);
        }
        let first = dates::on(dates::day(year, month, "01")?)?;
        is_same_month(first.day(), of_file?.day()).then_some(2)
    }
}

/// Whether two dates are of one snapshot: the same day, or the next one in another zone.
fn is_near(one: Captured, other: Captured) -> bool {
    one.day().0.abs_diff(other.day().0) <= DAY_MILLIS
}

fn is_same_month(one: UnixMillis, other: UnixMillis) -> bool {
    let of = |at: UnixMillis| (at.utc().year(), at.utc().month());
    of(one) == of(other)
}

/// The name without the endings of snapshots, and whether one of them says that it is encrypted.
fn without_endings(mut name: &str) -> (&str, bool) {
    let mut encrypted = false;
    while let Some((stem, ending)) = name.rsplit_once('.') {
        let encrypts = ENCRYPTED_ENDINGS.contains(&ending);
        if stem.is_empty() || !(encrypts || ENDINGS.contains(&ending)) {
            break;
        }
        encrypted |= encrypts;
        name = stem;
    }
    (name, encrypted)
}

/// Whether there are only digits, and what separates them.
fn is_number(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_digit() || SEPARATORS.contains(&c))
}
