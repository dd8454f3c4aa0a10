//! Collects an inspection, entry by entry of one walk.
//!
//! Owns: which record of which bucket means what, and which defects are errors: those with which the etcd that wrote the database
//! does not boot. The others are oddities.

use super::{
    Alarm, Boots, Effect, FINISHED_COMPACTION, InspectError, Inspection, KUBERNETES_PREFIX,
    Oddities, RECORDS_MAX, SCHEDULED_COMPACTION, StoredMember,
    live_count::{Compactions, KeyCount, LiveCount},
    oddity::{Deferred, boots_since_37},
    records::{self, Roles},
    revision_in_meta, row_value, values,
};
use crate::{
    bolt::{Bolt, Entry, PageSource},
    mvcc,
};

pub(crate) struct Inspector {
    found: Inspection,
    live: LiveCount,
    roles: Roles,
    deferred: Deferred,
}

impl Inspector {
    /// Reads the compactions of the database in advance. If they cannot be read, the walk will tell why.
    pub(crate) fn new<S: PageSource>(bolt: &Bolt<S>) -> Self {
        let compaction = |name| revision_in_meta(bolt, name).ok().flatten();
        let found = Inspection {
            revision: 0,
            compact_revision: None,
            scheduled_compact_revision: None,
            row_count: 0,
            live_keys: KeyCount::Exact(0),
            members: Vec::new(),
            unreadable_members: 0,
            cluster_version: None,
            storage_version: None,
            downgrade_enabled: false,
            alarms: Vec::new(),
            leases: 0,
            auth_enabled: false,
            looks_like_kubernetes: false,
            consistent_index: None,
            term: None,
            oddities: Oddities::default(),
        };
        Self {
            found,
            live: LiveCount::new(Compactions {
                finished: compaction(FINISHED_COMPACTION),
                scheduled: compaction(SCHEDULED_COMPACTION),
            }),
            roles: Roles::default(),
            deferred: Deferred::default(),
        }
    }

    /// # Errors
    /// The etcd that wrote the database would not boot with one of its records.
    pub(crate) fn finish(mut self) -> Result<Inspection, InspectError> {
        for defect in self.roles.unused() {
            let consequence = "etcd boots with it, because no user has this role";
            self.found
                .oddities
                .add(&defect, Effect::Tolerated(consequence));
        }
        self.deferred.judge(self.found.storage_version.as_deref())?;
        self.found.live_keys = self.live.finish();
        Ok(self.found)
    }

    pub(crate) fn entry(&mut self, entry: Entry<'_>) -> Result<(), InspectError> {
        match (entry.bucket, entry.key) {
            (mvcc::BUCKET, _) => self.row(entry),
            (b"lease", _) => self.lease(entry),
            (b"members", _) => {
                self.member(entry);
                Ok(())
            }
            (b"alarm", _) => self.alarm(entry),
            (b"auth" | b"authUsers" | b"authRoles", _) => self.auth(entry),
            (b"cluster", b"clusterVersion") => {
                match records::cluster_version(entry) {
                    Ok(version) => self.found.cluster_version = Some(version),
                    Err(defect) => self.boots_only(Boots::UpTo35, defect),
                }
                Ok(())
            }
            (b"cluster", b"downgrade") => {
                self.found.downgrade_enabled = values::downgrade(entry)?;
                Ok(())
            }
            (b"meta", _) => self.meta(entry),
            _ => Ok(()),
        }
    }

    fn row(&mut self, entry: Entry<'_>) -> Result<(), InspectError> {
        let Entry { offset, .. } = entry;
        let (row, odd) = values::row_key(entry)?;
        let value = match (row_value(entry.value, offset), odd) {
            (Ok(value), None) => value,
            (Ok(value), Some((defect, effect))) => {
                self.odd(defect, effect);
                value
            }
            (Err(defect), None) => return self.unless_since_37(defect),
            // Where both are wrong, the row is no row.
            (Err(_), Some((defect, _))) => return Err(defect),
        };
        if value.key.is_empty() && !entry.value.is_empty() {
            // The row added by a revision bump has no value at all.
            let defect = InspectError::NoKey { offset };
            self.odd(defect, Effect::Tolerated("etcd takes it for the empty key"));
        }
        self.found.row_count += 1;
        let Some(row) = row else { return Ok(()) };
        self.found.revision = row.main;
        self.found.looks_like_kubernetes |= value.key.starts_with(KUBERNETES_PREFIX);
        self.live.row(row, &value);
        Ok(())
    }

    fn lease(&mut self, entry: Entry<'_>) -> Result<(), InspectError> {
        self.found.leases += 1;
        match records::lease(entry) {
            Ok(()) => Ok(()),
            Err(defect @ InspectError::RecordKey { .. }) => {
                let consequence = "etcd takes the id in the record";
                self.odd(defect, Effect::Tolerated(consequence));
                Ok(())
            }
            Err(defect) => self.unless_since_37(defect),
        }
    }

    /// A restore replaces all members, so none of them is an error.
    fn member(&mut self, entry: Entry<'_>) {
        match values::member(entry) {
            Ok(member) => self.push_member(member, entry.offset),
            Err(defect) => {
                self.found.unreadable_members += 1;
                self.odd(defect, Effect::Replaced);
            }
        }
    }

    fn push_member(&mut self, member: StoredMember, offset: u64) {
        if self.found.members.len() < RECORDS_MAX {
            self.found.members.push(member);
        } else {
            let what = "members";
            self.odd(InspectError::TooMany { what, offset }, Effect::Replaced);
        }
    }

    fn alarm(&mut self, entry: Entry<'_>) -> Result<(), InspectError> {
        match values::alarm(entry) {
            Ok(alarm) => {
                self.push_alarm(alarm, entry.offset);
                Ok(())
            }
            Err(defect) => self.unless_since_37(defect),
        }
    }

    fn push_alarm(&mut self, alarm: Alarm, offset: u64) {
        if self.found.alarms.len() < RECORDS_MAX {
            self.found.alarms.push(alarm);
        } else {
            let defect = InspectError::TooMany {
                what: "alarms",
                offset,
            };
            self.odd(defect, Effect::Tolerated("etcd boots with them"));
        }
    }

    fn auth(&mut self, entry: Entry<'_>) -> Result<(), InspectError> {
        let checked = match (entry.bucket, entry.key) {
            (b"auth", b"authEnabled") => match records::auth_enabled(entry) {
                Ok(enabled) => {
                    self.found.auth_enabled = enabled;
                    Ok(())
                }
                Err(defect) => {
                    let consequence =
                        "etcd takes that for OFF, so everybody may read and write everything";
                    self.odd(defect, Effect::Tolerated(consequence));
                    Ok(())
                }
            },
            (b"auth", b"authRevision") => match values::big_endian(entry, "auth/authRevision") {
                Err(defect @ InspectError::Shape { len: 9.., .. }) => {
                    let consequence = "etcd reads the first 8 bytes";
                    self.odd(defect, Effect::Tolerated(consequence));
                    Ok(())
                }
                checked => checked.map(|_| ()),
            },
            (b"authUsers", _) => records::user(entry, &mut self.roles),
            (b"authRoles", _) => records::role(entry, &mut self.roles),
            _ => Ok(()),
        };
        match checked {
            Ok(()) => Ok(()),
            Err(defect @ InspectError::RecordKey { .. }) => {
                let consequence = "etcd boots with it, and finds the record by its key";
                self.odd(defect, Effect::Tolerated(consequence));
                Ok(())
            }
            Err(defect) => self.unless_since_37(defect),
        }
    }

    fn meta(&mut self, entry: Entry<'_>) -> Result<(), InspectError> {
        match entry.key {
            b"storageVersion" => match values::text(entry, "meta/storageVersion") {
                Ok(version) => self.found.storage_version = Some(version),
                Err(defect) => {
                    self.odd(defect, Effect::Tolerated("etcd takes it for unknown"));
                }
            },
            b"consistent_index" => {
                self.found.consistent_index = self.replaced(entry, "meta/consistent_index");
            }
            b"term" => self.found.term = self.replaced(entry, "meta/term"),
            FINISHED_COMPACTION => {
                self.found.compact_revision = Some(self.compaction(entry)?);
            }
            SCHEDULED_COMPACTION => {
                self.found.scheduled_compact_revision = Some(self.compaction(entry)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn compaction(&mut self, entry: Entry<'_>) -> Result<i64, InspectError> {
        let (revision, effect) = values::revision(entry)?;
        if let Some((defect, effect)) = effect {
            self.odd(defect, effect);
        }
        Ok(revision)
    }

    /// A number that a restore writes anew.
    fn replaced(&mut self, entry: Entry<'_>, what: &'static str) -> Option<u64> {
        match values::big_endian(entry, what) {
            Ok(number) => Some(number),
            Err(defect) => {
                self.odd(defect, Effect::Replaced);
                None
            }
        }
    }

    fn unless_since_37(&mut self, defect: InspectError) -> Result<(), InspectError> {
        if boots_since_37(&defect) {
            self.boots_only(Boots::Since37, defect);
            Ok(())
        } else {
            Err(defect)
        }
    }

    fn odd(&mut self, defect: InspectError, effect: Effect) {
        match effect {
            Effect::BootsOnly(boots) => self.boots_only(boots, defect),
            Effect::Replaced | Effect::Tolerated(_) => self.found.oddities.add(&defect, effect),
        }
    }

    fn boots_only(&mut self, boots: Boots, defect: InspectError) {
        self.found.oddities.add(&defect, Effect::BootsOnly(boots));
        self.deferred.add(defect, boots);
    }
}
