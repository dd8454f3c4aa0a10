//! A bounded cache of packs open for reading. Each pack's header was verified when it was opened.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::disk::DiskFile;
use crate::{PackId, StoreError};

/// Open packs by name; the least recently used one is evicted.
pub(super) struct Handles {
    max: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    uses: u64,
    files: HashMap<PackId, Handle>,
}

struct Handle {
    file: Arc<dyn DiskFile>,
    last_use: u64,
}

impl Handles {
    pub(super) fn new(max: usize) -> Handles {
        Handles {
            max,
            open: Mutex::new(Open::default()),
        }
    }

    /// The open file of a pack, or the error of `open`. Two callers may open the same pack at once; one handle stays.
    pub(super) fn get_or_open(
        &self,
        pack: PackId,
        open: impl FnOnce() -> Result<Arc<dyn DiskFile>, StoreError>,
    ) -> Result<Arc<dyn DiskFile>, StoreError> {
        if let Some(file) = self.get(pack) {
            return Ok(file);
        }
        let file = open()?;
        self.insert(pack, Arc::clone(&file));
        Ok(file)
    }

    /// Drops the handle of a pack's file.
    pub(super) fn forget(&self, pack: PackId) {
        self.lock().files.remove(&pack);
    }

    fn get(&self, pack: PackId) -> Option<Arc<dyn DiskFile>> {
        let mut open = self.lock();
        open.uses += 1;
        let now = open.uses;
        let handle = open.files.get_mut(&pack)?;
        handle.last_use = now;
        Some(Arc::clone(&handle.file))
    }

    fn insert(&self, pack: PackId, file: Arc<dyn DiskFile>) {
        let mut open = self.lock();
        open.uses += 1;
        let last_use = open.uses;
        open.files.insert(pack, Handle { file, last_use });
        if open.files.len() > self.max {
            let oldest = open
                .files
                .iter()
                .min_by_key(|(_, handle)| handle.last_use)
                .map(|(pack, _)| *pack);
            oldest.and_then(|pack| open.files.remove(&pack));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;
    use crate::packs::local::disk::Disk;
    use crate::testing::MemFiles;

    #[test]
    fn the_least_recently_used_file_gives_way() {
        let disk = MemFiles::new().open();
        let file = disk
            .create(std::path::Path::new("f"))
            .expect("an empty disk");
        let handles = Handles::new(2);
        let opened = Mutex::new(Vec::new());
        let get = |serial| {
            let pack = PackId {
                epoch: Epoch(1),
                serial,
            };
            let open = || {
                opened.lock().push(serial);
                Ok(Arc::clone(&file))
            };
            handles.get_or_open(pack, open).expect("it opens");
        };
        [1, 2, 1, 3, 1, 2].into_iter().for_each(get);
        assert_eq!(*opened.lock(), [1, 2, 3, 2]);
    }
}
