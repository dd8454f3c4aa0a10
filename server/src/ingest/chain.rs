//! Work on a value that must be done in order, off the asynchronous threads: the value travels along.

use tokio::task::JoinHandle;

use crate::ingest::IngestError;
use crate::store::StoreError;
use crate::store::gate::Gate;

/// A value, at rest or being worked on.
pub(super) enum Chain<T> {
    Idle(T),
    Busy(JoinHandle<Result<T, IngestError>>),
    /// Its work failed or was taken; the body is lost.
    Gone,
}

impl<T: Send + 'static> Chain<T> {
    /// Waits for the work under way and takes the value out.
    pub(super) async fn take(&mut self) -> Result<T, IngestError> {
        match std::mem::replace(self, Chain::Gone) {
            Chain::Idle(value) => Ok(value),
            Chain::Busy(work) => match work.await {
                Ok(done) => done,
                Err(failure) if failure.is_panic() => {
                    std::panic::resume_unwind(failure.into_panic())
                }
                Err(_) => Err(IngestError::Store(StoreError::Closed)),
            },
            Chain::Gone => Err(IngestError::Store(StoreError::Closed)),
        }
    }

    /// Sets `work` going on a value that [`Chain::take`] gave.
    pub(super) fn start<F>(&mut self, gate: &Gate, value: T, work: F)
    where
        F: FnOnce(T) -> Result<T, IngestError> + Send + 'static,
    {
        let gate = gate.clone();
        *self = Chain::Busy(tokio::spawn(
            async move { gate.run(move || work(value)).await },
        ));
    }
}
