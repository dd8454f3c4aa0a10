//! The in-memory backend of the file layer: visible data (*live*) and data that survives a crash (*durable*) are kept
//! apart.
//!
//! [`MemFiles`] is the disk, [`MemDisk`] is one process's use of it. A crash ends every use. It drops unsynced data,
//! or, if torn, keeps a random part of it: any subset of unsynced directory changes, and of each file's unsynced
//! writes, whole or cut at a sector, in any order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::clock::Entropy;
use crate::packs::len64;
use crate::packs::local::disk::{DirSyncError, Disk, DiskEntry, DiskFile};

/// A torn write is cut at multiples of this: disks write whole sectors.
const SECTOR_BYTES: usize = 512;

/// Files that survive the processes that use them.
#[derive(Clone)]
pub struct MemFiles {
    state: Arc<Mutex<State>>,
}

/// An entry: a folder, or the file that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Dir,
    File(u64),
}

type Tree = BTreeMap<PathBuf, Node>;

#[derive(Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

struct State {
    /// Increases at each crash; a use from an earlier life is dead.
    life: u64,
    live: Tree,
    durable: Tree,
    contents: BTreeMap<u64, Content>,
    files_made: u64,
    capacity: u64,
}

impl Default for MemFiles {
    fn default() -> Self {
        MemFiles::new()
    }
}

impl MemFiles {
    /// An empty disk without a size limit.
    pub fn new() -> MemFiles {
        let state = State {
            life: 0,
            live: Tree::new(),
            durable: Tree::new(),
            contents: BTreeMap::new(),
            files_made: 0,
            capacity: u64::MAX,
        };
        MemFiles {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Limits the disk to this many bytes from now on.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// A process uses the disk.
    pub fn open(&self) -> MemDisk {
        MemDisk {
            life: self.state().life,
            state: Arc::clone(&self.state),
        }
    }

    /// Silently changes stored bytes, as a failing disk does. False when there is no such file or byte.
    pub fn corrupt(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.state();
        let Some(&Node::File(file)) = state.live.get(path) else {
            return false;
        };
        let Some(content) = state.contents.get_mut(&file) else {
            return false;
        };
        change(&mut content.live);
        content.durable.clone_from(&content.live);
        content.unsynced.clear();
        true
    }

    /// The power fails: every use ends, and all unsynced data is lost.
    pub fn crash(&self) {
        self.state().crash(|_| 0);
    }

    /// The power fails, and a random part of the unsynced changes stays on the disk.
    pub fn crash_torn(&self, entropy: &dyn Entropy) {
        self.state()
            .crash(|choices| usize::try_from(entropy.next_u64() % len64(choices)).unwrap_or(0));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    /// `choose(n)` decides how much of an unsynced change stays, below `n`; zero drops it.
    fn crash(&mut self, choose: impl Fn(usize) -> usize) {
        let mut changed: Vec<PathBuf> = self
            .live
            .keys()
            .chain(self.durable.keys())
            .cloned()
            .collect();
        changed.sort_unstable();
        changed.dedup();
        for path in changed {
            if self.live.get(&path) != self.durable.get(&path) && choose(2) == 1 {
                copy_entry(&self.live, &mut self.durable, &path);
            }
        }
        drop_orphans(&mut self.durable);
        for content in self.contents.values_mut() {
            for (offset, bytes) in content.unsynced.drain(..) {
                let sectors = bytes.len().div_ceil(SECTOR_BYTES);
                let keep = (choose(sectors + 1) * SECTOR_BYTES).min(bytes.len());
                if keep > 0 {
                    put(&mut content.durable, offset, &bytes[..keep]);
                }
            }
            content.live.clone_from(&content.durable);
        }
        self.live.clone_from(&self.durable);
        let State { live, contents, .. } = self;
        contents.retain(|file, _| live.values().any(|node| *node == Node::File(*file)));
        self.life += 1;
    }

    fn used(&self) -> u64 {
        let files = self.live.values().filter_map(|node| match node {
            Node::File(file) => self.contents.get(file),
            Node::Dir => None,
        });
        files.map(|content| len64(content.live.len())).sum()
    }

    fn free(&self) -> u64 {
        if self.capacity == u64::MAX {
            u64::MAX
        } else {
            self.capacity.saturating_sub(self.used())
        }
    }

    fn parent_exists(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            None => Ok(()),
            Some(parent) if parent.as_os_str().is_empty() => Ok(()),
            Some(parent) if self.live.get(parent) == Some(&Node::Dir) => Ok(()),
            Some(_) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn children<'a>(
        tree: &'a Tree,
        dir: &'a Path,
    ) -> impl Iterator<Item = (&'a PathBuf, &'a Node)> {
        tree.iter()
            .filter(move |(path, _)| path.parent() == Some(dir))
    }
}

fn copy_entry(from: &Tree, to: &mut Tree, path: &Path) {
    match from.get(path) {
        Some(node) => to.insert(path.to_owned(), *node),
        None => to.remove(path),
    };
}

/// Drops entries below missing folders.
fn drop_orphans(tree: &mut Tree) {
    let mut kept = Tree::new();
    for (path, node) in std::mem::take(tree) {
        let parent = path.parent().unwrap_or(Path::new(""));
        if parent.as_os_str().is_empty() || kept.get(parent) == Some(&Node::Dir) {
            kept.insert(path, node);
        }
    }
    *tree = kept;
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

/// One process's use of [`MemFiles`].
pub struct MemDisk {
    state: Arc<Mutex<State>>,
    life: u64,
}

impl MemDisk {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        living(&self.state, self.life)
    }

    fn file(&self, file: u64) -> Arc<dyn DiskFile> {
        Arc::new(MemFile {
            state: Arc::clone(&self.state),
            life: self.life,
            file,
        })
    }
}

fn living(state: &Mutex<State>, life: u64) -> io::Result<MutexGuard<'_, State>> {
    let state = state.lock();
    if state.life == life {
        Ok(state)
    } else {
        Err(io::Error::other("this process died in a crash"))
    }
}

impl Disk for MemDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state()?;
        state.parent_exists(path)?;
        if state.live.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.live.insert(path.to_owned(), Node::Dir);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state()?;
        if state.live.get(path) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if State::children(&state.live, path).next().is_some() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.live.remove(path);
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state()?;
        state.parent_exists(path)?;
        if state.live.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files_made += 1;
        let file = state.files_made;
        state.contents.insert(file, Content::default());
        state.live.insert(path.to_owned(), Node::File(file));
        Ok(self.file(file))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        match self.state()?.live.get(path) {
            Some(Node::File(file)) => Ok(self.file(*file)),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state()?;
        match state.live.get(path) {
            Some(Node::File(_)) => state.live.remove(path),
            Some(Node::Dir) => return Err(io::ErrorKind::IsADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DirSyncError> {
        let mut state = self.state().map_err(DirSyncError::NotOpened)?;
        if !path.as_os_str().is_empty() && state.live.get(path) != Some(&Node::Dir) {
            return Err(DirSyncError::NotOpened(io::ErrorKind::NotFound.into()));
        }
        let State { live, durable, .. } = &mut *state;
        let mut names: Vec<PathBuf> = State::children(live, path)
            .map(|(path, _)| path.clone())
            .collect();
        names.extend(State::children(durable, path).map(|(path, _)| path.clone()));
        for name in &names {
            copy_entry(live, durable, name);
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DiskEntry>> {
        let state = self.state()?;
        if !path.as_os_str().is_empty() && state.live.get(path) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entries = State::children(&state.live, path).map(|(path, node)| DiskEntry {
            name: path.file_name().map_or_else(OsString::new, OsString::from),
            is_dir: *node == Node::Dir,
        });
        Ok(entries.collect())
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        self.open(path)?.size()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.state()?.free())
    }

    fn name(&self, path: &Path) -> PathBuf {
        Path::new("memory").join(path)
    }
}

struct MemFile {
    state: Arc<Mutex<State>>,
    life: u64,
    file: u64,
}

impl MemFile {
    fn content<T>(&self, use_it: impl FnOnce(&mut Content) -> T) -> io::Result<T> {
        let mut state = living(&self.state, self.life)?;
        state
            .contents
            .get_mut(&self.file)
            .map(use_it)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl DiskFile for MemFile {
    fn write_at(&self, offset: u64, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let free = living(&self.state, self.life)?.free();
        let mut bytes: Vec<u8> = bytes
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.content(|content| {
            let growth = (offset + bytes.len()).saturating_sub(content.live.len());
            let room =
                bytes.len() - growth + usize::try_from(free).unwrap_or(usize::MAX).min(growth);
            bytes.truncate(room);
            if bytes.is_empty() {
                return Err(rustix::io::Errno::NOSPC.into());
            }
            put(&mut content.live, offset, &bytes);
            let written = bytes.len();
            content.unsynced.push((offset, bytes));
            Ok(written)
        })?
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.content(|content| {
            let from = usize::try_from(offset)
                .unwrap_or(usize::MAX)
                .min(content.live.len());
            let to = from.saturating_add(into.len()).min(content.live.len());
            let found = &content.live[from..to];
            into[..found.len()].copy_from_slice(found);
            found.len()
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.content(|content| {
            for (offset, bytes) in content.unsynced.drain(..) {
                put(&mut content.durable, offset, &bytes);
            }
        })
    }

    fn size(&self) -> io::Result<u64> {
        self.content(|content| len64(content.live.len()))
    }
}

impl std::fmt::Debug for MemFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("MemFiles")
            .field("entries", &state.live.len())
            .field("used", &state.used())
            .finish()
    }
}
