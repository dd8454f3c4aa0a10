//! The database file in the staging directory: completely checked, edited by appending, and read back.
//!
//! Pages are read from the file one by one, so memory does not grow with the database. Each read checks the interrupt, so that
//! a long walk can be stopped.

use std::{fs::File, os::unix::fs::FileExt as _, path::PathBuf};

use strongroom_etcd_format::{
    bolt::{Bolt, BoltError, CheckReport, PageSource, edit},
    inspect::{InspectError, Inspection},
    membership::Membership,
    restore::{self, RestoreOptions},
};
use strongroom_snapshot_io::pages::FilePages;

use crate::{
    error::{Damage, RestoreError, TargetError},
    interrupt::Interrupt,
};

/// The database under construction: first the snapshot, then the restored member's database.
#[derive(Debug)]
pub(crate) struct Image {
    pages: FilePages<Interrupt>,
    path: PathBuf,
}

impl Image {
    /// Uses the file's first `len` bytes and cuts off the trailer after them.
    pub(crate) fn new(
        file: File,
        path: PathBuf,
        len: u64,
        interrupt: Interrupt,
    ) -> Result<Self, TargetError> {
        file.set_len(len)
            .map_err(|source| TargetError::io("cutting", &path, source))?;
        Ok(Self {
            pages: FilePages::new(file, len, interrupt),
            path,
        })
    }

    /// Walks every page and decodes every record.
    pub(crate) fn check(&self) -> Result<(CheckReport, Inspection), RestoreError> {
        self.pages
            .check(self.len_bytes())
            .map_err(|error| self.explain_inspect(error))
    }

    /// Gives the database its new membership and, if `raised`, its new revision, and syncs it.
    pub(crate) fn edit(
        &mut self,
        membership: &Membership,
        options: RestoreOptions,
        raised: Option<i64>,
    ) -> Result<(), RestoreError> {
        let mut edit = restore::edit_for(membership, &options);
        if let Some(revision) = raised {
            restore::raise_revision(&mut edit, revision);
        }
        let appended = {
            let bolt = self.open()?;
            edit::append(&bolt, &edit).map_err(|error| self.explain(error))?
        };
        let writing = |source| TargetError::io("writing", &self.path, source);
        let file = self.pages.file();
        for (offset, bytes) in appended.writes() {
            file.write_all_at(bytes, offset).map_err(writing)?;
        }
        file.set_len(appended.new_len).map_err(writing)?;
        // ORDER: data before the directory entries and the rename (see the staging module).
        file.sync_all()
            .map_err(|source| TargetError::io("syncing", &self.path, source))?;
        self.pages.set_len(appended.new_len);
        Ok(())
    }

    /// Reads the edited rows back: `members` must be as written, `consistent_index` must be the number of members.
    pub(crate) fn read_back(&self, membership: &Membership) -> Result<(), RestoreError> {
        let bolt = self.open()?;
        let mut expected: Vec<String> = membership
            .members
            .iter()
            .map(|member| member.id.to_string())
            .collect();
        expected.sort();
        let mut found: Vec<String> = Vec::new();
        bolt.for_each(b"members", &mut |key, _, _| {
            found.push(String::from_utf8_lossy(key).into_owned());
            Ok::<(), BoltError>(())
        })
        .map_err(|error| self.explain(error))?;
        compare("the list of members", &expected.join(" "), &found.join(" "))?;
        let index = bolt
            .get(b"meta", b"consistent_index")
            .map_err(|error| self.explain(error))?;
        let count = u64::try_from(membership.members.len()).expect("a count fits 64 bits");
        compare(
            "the consistent index",
            &hex::encode(count.to_be_bytes()),
            &hex::encode(index.unwrap_or_default()),
        )?;
        Ok(())
    }

    /// The database's length on disk.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.pages.len()
    }

    fn open(&self) -> Result<Bolt<&FilePages<Interrupt>>, RestoreError> {
        Bolt::open(&self.pages, self.len_bytes()).map_err(|error| self.explain(error))
    }

    fn explain_inspect(&self, error: InspectError) -> RestoreError {
        match error {
            InspectError::Bolt(error) => self.explain(error),
            other => Damage::Records(other).into(),
        }
    }

    /// A failed read comes from the disk or a signal, not from the snapshot.
    fn explain(&self, error: BoltError) -> RestoreError {
        match (error, self.pages.stop().check()) {
            (BoltError::Read { .. }, Err(stop)) => stop.into(),
            (BoltError::Read { source, .. }, Ok(())) => {
                TargetError::io("reading", &self.path, source).into()
            }
            (damage, _) => Damage::Bolt(damage).into(),
        }
    }
}

fn compare(what: &'static str, expected: &str, actual: &str) -> Result<(), Damage> {
    if expected == actual {
        return Ok(());
    }
    Err(Damage::ReadBack {
        what,
        expected: expected.to_owned(),
        actual: actual.to_owned(),
    })
}
