//! Whether the store is still writable: one latch, shared by the committer, the packs and readiness.
//!
//! Invariant: the store turns read-only at most once in the life of a process and never back. After a failed sync
//! nobody knows which earlier writes the kernel dropped: it may report the error once and then succeed. Only a restart
//! reads what is really on the disk, so only a restart makes the store writable again.

use std::sync::OnceLock;

use crate::StoreError;

/// The latch. The first reason wins.
#[derive(Debug, Default)]
pub struct Health {
    reason: OnceLock<String>,
}

impl Health {
    /// A writable store.
    pub fn new() -> Health {
        Health::default()
    }

    /// Makes the store read-only for the rest of this process's life.
    pub fn latch(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.reason.set(reason.clone()).is_ok() {
            tracing::error!(
                reason,
                "the store is read-only until the server is restarted"
            );
        }
    }

    /// Why the store is read-only, if it is.
    pub fn read_only(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Refuses a write once the store is read-only.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] with the first reason.
    pub fn writable(&self) -> Result<(), StoreError> {
        match self.read_only() {
            None => Ok(()),
            Some(reason) => Err(StoreError::ReadOnly {
                reason: reason.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_wins_and_stays() {
        let health = Health::new();
        assert!(health.writable().is_ok());
        health.latch("fsync of a: EIO");
        health.latch("fsync of b: EIO");
        assert_eq!(health.read_only(), Some("fsync of a: EIO"));
        assert!(
            matches!(health.writable(), Err(StoreError::ReadOnly { reason }) if reason == "fsync of a: EIO")
        );
    }
}
