//! Work on a value that must be done in order, off the asynchronous threads: the value travels along.

use crate::ingest::IngestError;
use crate::store::StoreError;
use crate::store::gate::{Gate, Running};

/// A value, at rest or being worked on.
pub(super) enum Chain<T> {
    Idle(T),
    Busy(Running<Result<T, IngestError>>),
    /// Its work failed or was taken; the body is lost.
    Gone,
}

impl<T: Send + 'static> Chain<T> {
    /// Waits for the work under way and takes the value out.
    pub(super) async fn take(&mut self) -> Result<T, IngestError> {
        match std::mem::replace(self, Chain::Gone) {
            Chain::Idle(value) => Ok(value),
            Chain::Busy(mut work) => work.end().await,
            Chain::Gone => Err(IngestError::Store(StoreError::Closed)),
        }
    }

    /// Sets `work` going on a value that [`Chain::take`] gave.
    pub(super) fn start<F>(&mut self, gate: &Gate, value: T, work: F)
    where
        F: FnOnce(T) -> Result<T, IngestError> + Send + 'static,
    {
        *self = Chain::Busy(gate.start(move || work(value)));
    }
}
