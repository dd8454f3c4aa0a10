//! A whole store in memory. It outlives the processes that open it.

use std::sync::Arc;

use super::{MemFiles, MemRows};
use crate::clock::{Clock, Entropy};
use crate::{Backends, Execution, Store, StoreError};

/// A store's contents in memory. They outlive every [`Store`] opened on them.
#[derive(Debug, Clone, Default)]
pub struct MemoryBackend {
    /// The rows of the engine.
    pub rows: MemRows,
    /// The files of the file layer.
    pub files: MemFiles,
}

impl MemoryBackend {
    /// Empty.
    pub fn new() -> MemoryBackend {
        MemoryBackend::default()
    }

    /// Backends for a process that starts now.
    pub fn seams(&self) -> Backends {
        Backends {
            engine: Arc::new(self.rows.open()),
            disk: Arc::new(self.files.open()),
        }
    }

    /// A process opens the store. Blocks.
    ///
    /// # Errors
    /// As [`Store::over`].
    pub fn open(
        &self,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        execution: Execution,
    ) -> Result<Store, StoreError> {
        Store::over(self.seams(), clock, entropy, execution)
    }

    /// The power fails: every opening ends, and all unsynced data is lost.
    pub fn crash(&self) {
        self.rows.crash();
        self.files.crash();
    }

    /// The power fails, and a random part of the unsynced data stays on the disk.
    pub fn crash_torn(&self, entropy: &dyn Entropy) {
        self.rows.crash_torn(entropy);
        self.files.crash_torn(entropy);
    }
}
