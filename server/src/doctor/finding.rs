//! One problem, with everything an operator needs to act on it.

use serde::Serialize;

use crate::doctor::{Census, Report};
use crate::store::{ErrorClass, ManifestId, PackId, StoreError};

/// Findings that are kept and shown; further ones are only counted. A disk that lost a region damages thousands of
/// frames in the same way.
pub const FINDINGS_MAX: usize = 1000;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The problem, in words.
    pub what: String,
    /// The objects that are unreadable because of it, as `s3://bucket/key`; uploads with their id.
    pub objects: Vec<String>,
    /// The pack, if the problem is in one.
    pub pack: Option<String>,
    /// The position in the pack.
    pub offset: Option<u64>,
    /// The next command to type.
    pub next: String,
    #[serde(skip)]
    pub(super) manifest: Option<ManifestId>,
}

/// The findings collected so far.
#[derive(Debug, Default)]
pub struct Findings {
    pub(super) kept: Vec<Finding>,
    total: u64,
}

/// The advice for wrong rows; it changes nothing in the store.
const KEEP_A_COPY: &str = "cp -a DATA_DIR DATA_DIR.damaged; then put the whole directory back from a copy, or serve an empty one and save every cluster anew";

/// The advice when only this program is too old.
const NEWER: &str = "strongroom-server --version; run the version that wrote it";

impl Findings {
    /// Adds an error of the store.
    pub(super) fn store(&mut self, error: &StoreError) {
        self.place(error, None);
    }

    /// Adds an error that makes a manifest's objects unreadable.
    pub(super) fn manifest(&mut self, error: &StoreError, manifest: ManifestId) {
        self.place(error, Some(manifest));
    }

    /// Adds rows that do not agree.
    pub(super) fn rows(&mut self, what: String) {
        self.add(Finding {
            what,
            objects: Vec::new(),
            pack: None,
            offset: None,
            next: KEEP_A_COPY.to_owned(),
            manifest: None,
        });
    }

    /// Adds a pack that does not agree with its row.
    pub(super) fn pack(&mut self, pack: PackId, what: String) {
        self.add(Finding {
            what,
            objects: Vec::new(),
            pack: Some(pack.to_string()),
            offset: None,
            next: put_back(pack),
            manifest: None,
        });
    }

    pub(super) fn report(self, census: Census) -> Report {
        Report {
            findings: self.kept,
            findings_total: self.total,
            census,
            ..Report::default()
        }
    }

    fn place(&mut self, error: &StoreError, manifest: Option<ManifestId>) {
        let (pack, offset) = error.pack().unzip();
        self.add(Finding {
            what: error.to_string(),
            objects: Vec::new(),
            pack: pack.map(|pack| pack.to_string()),
            offset: offset.flatten(),
            next: match (error.class(), pack) {
                (ErrorClass::Newer, _) => NEWER.to_owned(),
                (_, Some(pack)) => put_back(pack),
                (_, None) => KEEP_A_COPY.to_owned(),
            },
            manifest,
        });
    }

    fn add(&mut self, finding: Finding) {
        self.total += 1;
        // The same damage, found through several manifests, is one finding with all their objects.
        let same = |kept: &Finding| kept.what == finding.what && kept.manifest == finding.manifest;
        if self.kept.len() < FINDINGS_MAX && !self.kept.iter().any(same) {
            self.kept.push(finding);
        }
    }
}

fn put_back(pack: PackId) -> String {
    let path = crate::store::packs::local::names::pack_path(pack);
    format!(
        "put packs/{} back from a copy; without one, save the cluster anew and delete the object",
        path.display()
    )
}
