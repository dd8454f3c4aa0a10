//! One round of everything, in the order in which one step feeds the next.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, UnixMillis};
use crate::gc::{Place, Walk, condemn, hygiene, reaper, remove};
use crate::read::Pins;
use crate::store::meta::Meta;
use crate::store::packs::Packs;
use crate::store::{Epoch, StoreError};

/// How long the answer of a Complete is kept for a client that repeats it.
pub const COMPLETED_KEPT: Duration = Duration::from_hours(24);

/// How long an upload may stay open: S3 users' usual lifecycle rule for abandoned ones.
pub const UPLOAD_AGE_MAX: Duration = Duration::from_hours(7 * 24);

/// What an operator sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectorSettings {
    /// How long a condemned pack's file stays.
    pub grace: Duration,
}

/// Collects garbage of one store.
pub struct Collector {
    /// Rows.
    pub meta: Arc<dyn Meta>,
    /// Files.
    pub packs: Arc<dyn Packs>,
    /// Packs being read.
    pub pins: Arc<Pins>,
    /// Ages.
    pub clock: Arc<dyn Clock>,
    /// This process's epoch.
    pub epoch: Epoch,
    /// What an operator sets.
    pub settings: CollectorSettings,
}

/// What one round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Round {
    /// Uploads given up because of their age.
    pub expired_uploads: u64,
    /// Uploads whose parts were taken.
    pub uploads: u64,
    /// Manifests freed.
    pub manifests: u64,
    /// Answers of Complete forgotten.
    pub answers: u64,
    /// Packs condemned.
    pub condemned: u64,
    /// Pack files without a row condemned.
    pub orphans: u64,
    /// Condemned packs whose file and row are gone.
    pub removed: u64,
}

impl Collector {
    /// Does one round. Blocks.
    ///
    /// # Errors
    /// The first failure of the store; what was done before it stays done, and the next round goes on.
    pub fn round(&self) -> Result<Round, StoreError> {
        self.round_while(&|_| true)
    }

    /// Does one round, as long as `go_on` says so: it is told of each page, and what it ends is done by the next round.
    ///
    /// # Errors
    /// As [`Collector::round`].
    pub fn round_while(&self, go_on: &dyn Fn(Place) -> bool) -> Result<Round, StoreError> {
        let now = self.clock.now();
        let packs = &*self.packs;
        let walk = |step| Walk {
            meta: &*self.meta,
            step,
            go_on,
        };
        let expired =
            reaper::expired_uploads(&walk("expired uploads"), before(now, UPLOAD_AGE_MAX), now)?;
        let uploads = reaper::uploads(&walk("parts of dead uploads"), now)?;
        let manifests = reaper::manifests(&walk("dead manifests"))?;
        let answers = reaper::old_answers(&walk("old answers"), before(now, COMPLETED_KEPT))?;
        let condemned = condemn::sealed_packs(&walk("packs without use"), now)?;
        let orphans = hygiene::orphans(&walk("files without a row"), packs, now)?;
        let removed = remove::condemned_packs(
            &walk("condemned packs"),
            packs,
            &self.pins,
            self.epoch,
            self.settings.grace,
            now,
        )?;
        Ok(Round {
            expired_uploads: expired.done,
            uploads: uploads.done,
            manifests: manifests.done,
            answers: answers.done,
            condemned: condemned.done,
            orphans: orphans.done,
            removed: removed.done,
        })
    }
}

pub(super) fn before(now: UnixMillis, age: Duration) -> UnixMillis {
    UnixMillis(
        now.0
            .saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
    )
}
