//! One problem, with everything an operator needs to act on it.

use serde::Serialize;

use crate::doctor::{Census, Report};
use crate::store::{ErrorClass, ManifestId, PackId, StoreError};

/// Findings that are kept and shown; more are counted. A disk that lost a region damages thousands of frames alike.
pub const FINDINGS_MAX: usize = 1000;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What, in words.
    pub what: String,
    /// The objects that cannot be read because of it, as `s3://bucket/key`; uploads with their id.
    pub objects: Vec<String>,
    /// The pack, when it is about one.
    pub pack: Option<String>,
    /// Where in the pack.
    pub offset: Option<u64>,
    /// What to type next.
    pub next: String,
    #[serde(skip)]
    pub(super) manifest: Option<ManifestId>,
}

/// Findings being collected.
#[derive(Debug, Default)]
pub struct Findings {
    pub(super) kept: Vec<Finding>,
    total: u64,
}

/// What helps when rows are wrong: nothing that writes.
const KEEP_A_COPY: &str = "cp -a DATA_DIR DATA_DIR.damaged; then put the whole directory back from a copy, or serve an empty one and save every cluster anew";

/// What helps when nothing is wrong but this program.
const NEWER: &str = "strongroom-server --version; run the version that wrote it";

impl Findings {
    /// Something that an error of the store tells.
    pub(super) fn store(&mut self, error: &StoreError) {
        self.place(error, None);
    }

    /// Something that keeps a manifest's objects from being read.
    pub(super) fn manifest(&mut self, error: &StoreError, manifest: ManifestId) {
        self.place(error, Some(manifest));
    }

    /// Rows that do not agree.
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

    /// A pack that does not agree with its row.
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
        // The same damage met by every manifest that shares the place is one finding, with all their objects.
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
