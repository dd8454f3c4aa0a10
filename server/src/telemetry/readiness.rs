//! Readiness: whether requests should be sent to this process. Both listeners and the metrics share one answer.
//!
//! A process starts, serves and stops, in this order only. While it serves, the store may become read-only, which lasts
//! until a restart: after a failed sync or commit, or when a panic has ended one of the store's threads. The disk may
//! also stop taking writes for a while: it is full, or mounted read-only.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const STOPPING: u8 = 2;

/// Why the server should get no requests now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The store is being opened.
    #[error("starting: the store is being opened")]
    Starting,
    /// The process was told to end; requests in flight are being finished.
    #[error("stopping: requests in flight are being finished")]
    Stopping,
    /// The disk takes no writes now; reads are still answered.
    #[error("the disk takes no writes: {reason}")]
    Disk {
        /// What is wrong with it.
        reason: String,
    },
    /// The store refuses writes; reads are still answered.
    #[error("read-only: {reason}; find the cause in the log, mend the disk, restart the server")]
    ReadOnly {
        /// The first failure.
        reason: String,
    },
}

/// Returns why the store is read-only, or nothing while it is writable.
type Latch = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// The phase of the process, and whether the store is read-only.
#[derive(Default)]
pub struct Readiness {
    phase: AtomicU8,
    latch: OnceLock<Latch>,
    disk: Mutex<Option<String>>,
}

impl Readiness {
    /// A process that is starting.
    pub fn starting() -> Readiness {
        Readiness::default()
    }

    /// The store is open. From now on, `latch` tells why it is read-only. A second call has no effect.
    pub fn serve(&self, latch: impl Fn() -> Option<String> + Send + Sync + 'static) {
        // ORDER: the latch is set first, so that nobody sees a serving process without it.
        let _first = self.latch.set(Box::new(latch));
        let _was =
            self.phase
                .compare_exchange(STARTING, SERVING, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The process is ending, which is final.
    pub fn stop(&self) {
        self.phase.store(STOPPING, Ordering::SeqCst);
    }

    /// Whether requests should be sent.
    ///
    /// # Errors
    /// Why not; the text is for operators, not for S3 clients.
    pub fn check(&self) -> Result<(), NotReady> {
        match self.phase.load(Ordering::SeqCst) {
            STARTING => Err(NotReady::Starting),
            SERVING => match (self.read_only(), self.disk()) {
                (Some(reason), _) => Err(NotReady::ReadOnly { reason }),
                (None, Some(reason)) => Err(NotReady::Disk { reason }),
                (None, None) => Ok(()),
            },
            _ => Err(NotReady::Stopping),
        }
    }

    /// Why the disk takes no writes, when last looked at.
    pub fn disk(&self) -> Option<String> {
        self.disk.lock().clone()
    }

    /// Records whether the disk takes writes: nothing, or why not.
    pub fn set_disk(&self, fault: Option<String>) {
        *self.disk.lock() = fault;
    }

    /// Why the store is read-only, if it is, in every phase.
    pub fn read_only(&self) -> Option<String> {
        self.latch.get().and_then(|latch| latch())
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readiness").field(&self.check()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn a_process_is_ready_between_start_and_stop_only() {
        let readiness = Readiness::starting();
        assert_eq!(readiness.check(), Err(NotReady::Starting));
        readiness.serve(|| None);
        assert_eq!(readiness.check(), Ok(()));
        readiness.stop();
        assert_eq!(readiness.check(), Err(NotReady::Stopping));
        readiness.serve(|| None);
        assert_eq!(
            readiness.check(),
            Err(NotReady::Stopping),
            "a stopping process does not serve again"
        );
    }

    #[test]
    fn a_read_only_store_is_not_ready_and_says_why() {
        let latched = Arc::new(AtomicBool::new(false));
        let readiness = Readiness::starting();
        let seen = Arc::clone(&latched);
        readiness.serve(move || {
            seen.load(Ordering::SeqCst)
                .then(|| "fsync of pack 1 failed".to_owned())
        });
        assert_eq!(readiness.check(), Ok(()));
        latched.store(true, Ordering::SeqCst);
        let why = readiness
            .check()
            .expect_err("a latched store is not ready")
            .to_string();
        assert!(
            why.starts_with("read-only: fsync of pack 1 failed"),
            "{why}"
        );
    }
}
