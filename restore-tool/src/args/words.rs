//! The arguments without a dash: the words that etcdbrctl and etcdutl need for a restore, and the file.

use std::path::{Path, PathBuf};

/// Commands of etcdbrctl, etcdutl and etcdctl that are not a restore. They are not taken for a file's name.
const OTHER_COMMANDS: [&str; 12] = [
    "backup",
    "compact",
    "copy",
    "defrag",
    "hashkv",
    "help",
    "initialize",
    "migrate",
    "save",
    "server",
    "status",
    "version",
];

/// Why the arguments do not name one file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// A command of another program.
    #[error("`{word}` is not a command of this program: it only restores")]
    OtherCommand {
        /// As given.
        word: String,
    },
    /// Two files, or a file and --snapshot.
    #[error("two snapshots are named, {} and {}: name one", first.display(), second.display())]
    TwoFiles {
        /// As given.
        first: PathBuf,
        /// As given.
        second: PathBuf,
    },
}

/// The file in `restore FILE`, `snapshot restore FILE` or `FILE`, or that of --snapshot. A file with the name of a command is
/// written `./restore`.
///
/// # Errors
/// [`WordsError`].
pub(super) fn file<'a>(
    words: &'a [PathBuf],
    flag: Option<&'a Path>,
) -> Result<Option<&'a Path>, WordsError> {
    let is = |word: Option<&PathBuf>, text: &str| word.is_some_and(|word| word.as_os_str() == text);
    let rest = match words {
        [first, ..] if is(Some(first), "restore") => words.get(1..),
        [first, second, ..] if is(Some(first), "snapshot") && is(Some(second), "restore") => {
            words.get(2..)
        }
        [first, ..] if is(Some(first), "snapshot") => {
            let word = words.iter().map(|word| word.to_string_lossy());
            let word = word.collect::<Vec<_>>().join(" ");
            return Err(WordsError::OtherCommand { word });
        }
        all => Some(all),
    };
    let mut files = rest
        .unwrap_or_default()
        .iter()
        .map(PathBuf::as_path)
        .chain(flag);
    let first = files.next();
    if let (Some(first), Some(second)) = (first, files.next()) {
        return Err(WordsError::TwoFiles {
            first: first.to_owned(),
            second: second.to_owned(),
        });
    }
    match first.and_then(Path::to_str) {
        Some(word) if OTHER_COMMANDS.contains(&word) && flag.is_none() => {
            Err(WordsError::OtherCommand {
                word: word.to_owned(),
            })
        }
        _ => Ok(first),
    }
}
