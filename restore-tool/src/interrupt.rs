//! SIGINT, SIGTERM and SIGHUP (a lost terminal) as a value that steps can check and waits can watch.
//!
//! Invariants: a signal never ends the process directly, so that drop guards run; after the rename of the restored directory, the
//! interrupt is not checked any more and the run ends successfully.

use std::future::pending;

use strongroom_snapshot_io::pages::Stop;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// The sending side, for the signal handler: raises the interrupt.
#[derive(Debug)]
pub(crate) struct Trigger(watch::Sender<bool>);

/// The receiving side, for the steps: cheap to clone and to check.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

/// The program was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted by a signal")]
pub struct Interrupted;

/// A connected pair.
pub(crate) fn channel() -> (Trigger, Interrupt) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Interrupt(receiver))
}

impl Trigger {
    pub(crate) fn raise(&self) {
        self.0.send_replace(true);
    }
}

impl Stop for Interrupt {
    fn is_raised(&self) -> bool {
        *self.0.borrow()
    }
}

impl Interrupt {
    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        if self.is_raised() {
            Err(Interrupted)
        } else {
            Ok(())
        }
    }

    /// Completes only when the interrupt is raised.
    pub(crate) async fn raised(&mut self) {
        if self.0.wait_for(|raised| *raised).await.is_err() {
            pending::<()>().await;
        }
    }
}

/// The signals that mean "stop".
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    /// None under `nohup`, which asks to go on without a terminal.
    hangup: Option<Signal>,
}

impl StopSignals {
    pub(crate) fn install() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if hangup_is_ignored() {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            },
        })
    }

    pub(crate) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether this process was started with SIGHUP ignored. A handler would undo that.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Bit 0 is signal 1.
    mask.is_some_and(|mask| mask & 1 == 1)
}
