//! Records that are not as etcd writes them, with which an etcd boots nevertheless.
//!
//! Owns: what becomes of such a record. The rules were found by booting etcd 3.5, 3.6 and 3.7 on changed databases. Must not know
//! the form of records.

use std::{error::Error, fmt};

use super::InspectError;
use crate::proto::ProtoDefect;

/// Oddities that are described; the others are only counted.
pub const ODDITIES_MAX: usize = 20;

/// A record that is not as etcd writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    /// The record, its offset and its defect.
    pub defect: String,
    /// What becomes of it.
    pub effect: Effect,
}

/// What becomes of an odd record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A restore replaces it.
    Replaced,
    /// Every etcd boots with it, with this consequence.
    Tolerated(&'static str),
    /// Only these versions of etcd boot with it.
    BootsOnly(Boots),
}

/// Versions of etcd that boot with an odd record. The database was written by one of them, otherwise it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boots {
    /// Since 3.6, etcd panics at it.
    UpTo35,
    /// Before 3.7, etcd panics at it.
    Since37,
}

/// The odd records of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oddities {
    /// The first [`ODDITIES_MAX`] of them.
    pub first: Vec<Oddity>,
    /// All of them.
    pub count: u64,
}

impl fmt::Display for Oddity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Effect::Replaced => "a restore replaces it",
            Effect::Tolerated(consequence) => consequence,
            Effect::BootsOnly(Boots::UpTo35) => "etcd 3.5 boots with it, etcd 3.6 and later do not",
            Effect::BootsOnly(Boots::Since37) => "etcd 3.7 boots with it, earlier ones do not",
        };
        write!(out, "{}: {effect}", self.defect)
    }
}

impl Oddities {
    pub(super) fn add(&mut self, defect: &InspectError, effect: Effect) {
        self.count += 1;
        if self.first.len() < ODDITIES_MAX {
            let defect = with_causes(defect);
            self.first.push(Oddity { defect, effect });
        }
    }
}

/// The defects that decide at the end of the walk: the version of the database is read last.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    up_to_35: Option<InspectError>,
    since_37: Option<InspectError>,
}

impl Deferred {
    pub(super) fn add(&mut self, defect: InspectError, boots: Boots) {
        match boots {
            Boots::UpTo35 => self.up_to_35.get_or_insert(defect),
            Boots::Since37 => self.since_37.get_or_insert(defect),
        };
    }

    /// The error, if the etcd that wrote the database would not boot with it. `storage_version` exists since 3.6.
    pub(super) fn judge(self, storage_version: Option<&str>) -> Result<(), InspectError> {
        let fatal = match storage_version {
            None => self.since_37,
            Some(version) if version.starts_with("3.6") => self.up_to_35.or(self.since_37),
            Some(_) => self.up_to_35,
        };
        fatal.map_or(Ok(()), Err)
    }
}

/// Since 3.7, etcd skips a field with the wrong wire type as unknown.
pub(super) fn boots_since_37(defect: &InspectError) -> bool {
    matches!(defect, InspectError::Message { source, .. } if matches!(source.defect, ProtoDefect::WrongType(_)))
}

fn with_causes(error: &InspectError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
