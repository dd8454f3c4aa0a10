//! A folder as a value that can be compared: names, kinds, modes, lengths, hashes of contents.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bytes per read: a restored member has a preallocated log of 64 MB.
const PIECE_BYTES: usize = 1 << 20;

/// A tree, by paths relative to its root; the root has the empty path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<PathBuf, Entry>);

/// One file, folder or other thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Type and permissions.
    pub mode: u32,
    /// Bytes of a file; 0 for all else.
    pub len: u64,
    /// Hash of a file's contents; 0 for all else.
    pub hash: u64,
}

impl Tree {
    /// Reads a tree; a missing one is empty.
    pub fn of(root: &Path) -> Self {
        Self::of_part(root, |_| true)
    }

    /// Reads only what `keep` accepts, and enters no folder that `keep` rejects.
    pub fn of_part(root: &Path, keep: impl Fn(&Path) -> bool) -> Self {
        let mut found = BTreeMap::new();
        let mut open = vec![root.to_owned()];
        while let Some(path) = open.pop() {
            let name = path.strip_prefix(root).expect("below the root").to_owned();
            if !keep(&name) {
                continue;
            }
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            let mut entry = Entry {
                mode: metadata.mode(),
                len: 0,
                hash: 0,
            };
            if metadata.is_dir() {
                let entries = fs::read_dir(&path).expect("folders of a test are readable");
                open.extend(entries.map(|entry| entry.expect("readable").path()));
            } else if metadata.is_file() {
                entry.len = metadata.len();
                entry.hash = hash(&path);
            }
            found.insert(name, entry);
        }
        Self(found)
    }

    /// Paths that exist in only one of the two, or that differ.
    pub fn difference(&self, other: &Self) -> Vec<PathBuf> {
        let paths = self.0.keys().chain(other.0.keys());
        let mut differing: Vec<_> = paths
            .filter(|path| self.0.get(*path) != other.0.get(*path))
            .cloned()
            .collect();
        differing.sort();
        differing.dedup();
        differing
    }
}

/// Detects changed bytes, not forged ones; a cryptographic hash of 64 MB would take most of a case's time.
fn hash(path: &Path) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut file = File::open(path).expect("files of a test are readable");
    let mut piece = vec![0; PIECE_BYTES];
    let mut state = ODD;
    loop {
        let len = fill(&mut file, &mut piece);
        for word in piece[..len].chunks(8) {
            let mut bytes = [0; 8];
            bytes[..word.len()].copy_from_slice(word);
            state = (state.rotate_left(23) ^ u64::from_le_bytes(bytes)).wrapping_mul(ODD);
        }
        if len < piece.len() {
            return state;
        }
    }
}

/// Reads until the piece is full or the file ends, so that words are at the same positions each time.
fn fill(file: &mut File, piece: &mut [u8]) -> usize {
    let mut len = 0;
    while len < piece.len() {
        match file.read(&mut piece[len..]).expect("readable") {
            0 => break,
            more => len += more,
        }
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_and_a_new_file_show() {
        let dir = tempfile::tempdir().expect("temporary folder");
        fs::create_dir(dir.path().join("a")).expect("made");
        fs::write(dir.path().join("a/f"), "one").expect("written");
        let before = Tree::of(dir.path());
        assert_eq!(before, Tree::of(dir.path()));
        fs::write(dir.path().join("a/f"), "two").expect("written");
        fs::write(dir.path().join("g"), "").expect("written");
        let after = Tree::of(dir.path());
        assert_eq!(
            before.difference(&after),
            [Path::new("a/f"), Path::new("g")]
        );
        assert_eq!(Tree::of(&dir.path().join("absent")), Tree::default());
    }
}
