//! Gives up what cannot be read of a key, because a client asks for it by force.
//!
//! A damaged row refuses every change of its key, and no retry mends it. So an operator may drop the damaged rows; what
//! is readable stays. The bytes of a version that was given up stay in their packs: `doctor` finds the manifest that
//! nothing names.

use crate::model::{BucketName, ObjectKey, VersionNumber};
use crate::objects::decision::{Decision, Draft, Operation, Undecided, active};
use crate::objects::put::current_row;
use crate::objects::{Objects, ObjectsError};
use crate::store::StoreError;
use crate::store::meta::walk::each_row;
use crate::tables::draft::Seen;
use crate::tables::{
    BucketRow, Currents, Entry, HeadRow, Heads, Keyed as _, LogicalBytes, VersionKind, VersionRow,
    Versions,
};

impl Objects {
    /// Drops the damaged rows of a key, and those that name missing versions; the newest readable version becomes the
    /// current one. Returns how many rows were damaged or missing: 0 for a healthy key, which stays as it is. A lock of
    /// a version that cannot be read is lost with it.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`]; rows of a newer version of the server, which are no damage.
    pub async fn give_up_unreadable(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<usize, ObjectsError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        let epoch = self.epoch;
        self.decide(Operation::GiveUp, move |draft| {
            let bucket = active(draft, &bucket)?;
            let head = draft.see(Heads, (bucket.id, &key))?;
            let current = draft.see(Currents, (bucket.id, &key))?;
            let versions = KeyVersions::read(draft, &bucket, &key)?;
            let missing = match &head {
                Seen::Readable(head) => versions.missing(head),
                Seen::Absent | Seen::Damaged => Vec::new(),
            };
            let damaged_rows =
                usize::from(head == Seen::Damaged) + usize::from(current == Seen::Damaged);
            let given_up = damaged_rows + missing.len() + versions.damaged.len();
            if given_up == 0 {
                return Ok(Decision::Answer(0));
            }
            for number in &versions.damaged {
                draft.delete(Versions, (bucket.id, &key, *number));
            }
            if let Seen::Readable(row) = &current
                && (missing.contains(&row.number) || versions.damaged.contains(&row.number))
            {
                let size = i64::try_from(row.size).unwrap_or(i64::MAX);
                draft.tally(LogicalBytes, epoch, -size);
            }
            versions.write_summary(draft, &bucket, &key, &head);
            Ok(Decision::Commit(given_up))
        })
        .await
    }
}

/// What the rows of a key's versions are.
#[derive(Default)]
struct KeyVersions {
    damaged: Vec<VersionNumber>,
    readable: Vec<VersionNumber>,
    newest: Option<(VersionNumber, VersionRow)>,
    null: Option<VersionNumber>,
}

impl KeyVersions {
    fn read(
        draft: &Draft<'_>,
        bucket: &BucketRow,
        key: &ObjectKey,
    ) -> Result<KeyVersions, Undecided> {
        let rows =
            draft.unrequired("every change of a key's versions writes its head, which is required");
        let mut found = KeyVersions::default();
        each_row(rows, Versions.of_key(bucket.id, key).keys, |place, row| {
            let (_, _, number) = Versions.split(place)?;
            match Entry::of(Versions, place, row) {
                Ok(version) => found.add(number, version.value),
                Err(StoreError::DamagedRow { .. }) => found.damaged.push(number),
                Err(error) => return Err(error),
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Adds a version; they come newest first.
    fn add(&mut self, number: VersionNumber, row: VersionRow) {
        self.readable.push(number);
        if row.is_null && self.null.is_none() {
            self.null = Some(number);
        }
        self.newest.get_or_insert((number, row));
    }

    /// The versions that the head names and that have no row.
    fn missing(&self, head: &HeadRow) -> Vec<VersionNumber> {
        let mut named: Vec<VersionNumber> = head.current.into_iter().chain(head.null).collect();
        named.dedup();
        named.retain(|number| !self.readable.contains(number) && !self.damaged.contains(number));
        named
    }

    /// The number of the next version.
    fn next(&self, head: &Seen<HeadRow>) -> VersionNumber {
        match head {
            Seen::Readable(head) => head.next,
            Seen::Absent | Seen::Damaged => {
                let last = self.readable.iter().chain(&self.damaged).max();
                VersionNumber(last.map_or(0, |last| last.0).saturating_add(1))
            }
        }
    }

    /// Writes the head and the listing's row anew from the readable versions.
    fn write_summary(
        &self,
        draft: &mut Draft<'_>,
        bucket: &BucketRow,
        key: &ObjectKey,
        head: &Seen<HeadRow>,
    ) {
        let place = (bucket.id, key);
        let Some((number, row)) = &self.newest else {
            draft.delete(Heads, place);
            draft.delete(Currents, place);
            return;
        };
        let summary = HeadRow {
            next: self.next(head),
            current: Some(*number),
            null: self.null,
        };
        draft.put(Heads, place, &summary);
        match &row.kind {
            VersionKind::Object(data) => {
                let shown = current_row(*number, &row.owner, row.time, data);
                draft.put(Currents, place, &shown);
            }
            VersionKind::DeleteMarker => draft.delete(Currents, place),
        }
    }
}
