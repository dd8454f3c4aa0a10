//! The answer to a commit, which may still be pending.
//!
//! It knows no backend: an implementation of [`super::Meta`] makes a [`Pending`] and keeps the sending end.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::Outcome;
use crate::StoreError;

/// A transaction for which its backend has no room yet. If dropped, it is never applied.
pub trait Deferred: Send {
    /// Hands the transaction over as soon as there is room, without holding a thread.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the backend has closed.
    fn send(self: Box<Self>) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

    /// The same on this thread; for blocking callers only.
    ///
    /// # Errors
    /// As [`Deferred::send`].
    fn send_blocking(self: Box<Self>) -> Result<(), StoreError>;
}

/// The answer to a commit, once it comes. It can be awaited, or waited for by a blocking caller.
///
/// When the backend had no room, waiting also hands the transaction over, so that no thread is held in the meantime;
/// dropped before that, the transaction is never applied. In all other cases a dropped one may be applied or not, like
/// any unanswered request.
pub struct Pending {
    pub(super) deferred: Option<Box<dyn Deferred>>,
    pub(super) answer: oneshot::Receiver<Result<Outcome, StoreError>>,
}

impl Pending {
    /// A pending answer and its sending end.
    pub fn new() -> (oneshot::Sender<Result<Outcome, StoreError>>, Pending) {
        let (give, answer) = oneshot::channel();
        (
            give,
            Pending {
                deferred: None,
                answer,
            },
        )
    }

    /// An answer that is already known.
    pub fn ready(answer: Result<Outcome, StoreError>) -> Pending {
        let (give, pending) = Pending::new();
        // The receiver is alive in `pending`, so the send cannot fail.
        drop(give.send(answer));
        pending
    }

    /// The same, with a transaction that is not handed over yet.
    #[must_use]
    pub fn deferred(self, transaction: impl Deferred + 'static) -> Pending {
        Pending {
            deferred: Some(Box::new(transaction)),
            ..self
        }
    }

    /// Waits without holding a thread.
    ///
    /// # Errors
    /// The error of the commit; [`StoreError::Closed`] when the backend closed before it answered.
    pub async fn wait(self) -> Result<Outcome, StoreError> {
        if let Some(transaction) = self.deferred {
            transaction.send().await?;
        }
        self.answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Waits on this thread; for blocking callers and tests only.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub fn wait_blocking(mut self) -> Result<Outcome, StoreError> {
        if let Some(transaction) = self.deferred.take() {
            transaction.send_blocking()?;
        }
        match self.answer.try_recv() {
            // Already known: even a thread that drives tasks may take it.
            Ok(answer) => answer,
            Err(TryRecvError::Closed) => Err(StoreError::Closed),
            Err(TryRecvError::Empty) => self
                .answer
                .blocking_recv()
                .unwrap_or(Err(StoreError::Closed)),
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("deferred", &self.deferred.is_some())
            .finish_non_exhaustive()
    }
}
