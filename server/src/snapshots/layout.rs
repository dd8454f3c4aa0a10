//! What a key says about a snapshot: which writer's name it is, in which place its cluster writes, and when it was captured.
//!
//! Owns: the rules of docs/catalogue.md but for the two that need more than the key: [`Overrides`] holds the configured places,
//! and [`folder`] is for databases whose name says nothing. Must not know contents, stores or clocks.
//!
//! A **place** is a list of folders, or of folders and a name, joined by slashes: `prod-1` never has what is below `prod-10/`.
//! Every key is safe, whatever its length, slashes and alphabet.

mod dated;
mod dates;
mod overrides;
mod writers;

pub use dates::Captured;
pub use overrides::{Block, OverrideError, Overrides};

/// The rule by which the place of a snapshot was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A glob in the configuration.
    Configured,
    /// etcdbrctl, and `strongroom snapshot save`.
    Etcdbrctl,
    /// kOps' etcd-manager.
    Kops,
    /// k3s and rke2.
    K3s,
    /// RKE1 and Rancher.
    Rke,
    /// talos-backup.
    Talos,
    /// Omni.
    Omni,
    /// Giant Swarm's operator.
    GiantSwarm,
    /// A date in the name of the file or of its folder.
    Dated,
    /// The folder alone.
    Folder,
}

impl Rule {
    /// All rules; the first that matches wins.
    pub const ALL: [Rule; 10] = [
        Rule::Configured,
        Rule::Etcdbrctl,
        Rule::Kops,
        Rule::K3s,
        Rule::Rke,
        Rule::Talos,
        Rule::Omni,
        Rule::GiantSwarm,
        Rule::Dated,
        Rule::Folder,
    ];

    /// Its name in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Configured => "configured",
            Rule::Etcdbrctl => "etcdbrctl",
            Rule::Kops => "kops",
            Rule::K3s => "k3s",
            Rule::Rke => "rke",
            Rule::Talos => "talos",
            Rule::Omni => "omni",
            Rule::GiantSwarm => "giantswarm",
            Rule::Dated => "dated",
            Rule::Folder => "folder",
        }
    }

    /// The rule of a name.
    pub fn of_name(name: &str) -> Option<Rule> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// One line for people.
    pub fn explanation(self) -> &'static str {
        match self {
            Rule::Configured => {
                "the key matches `keys` of a [[clusters]] block in the configuration"
            }
            Rule::Etcdbrctl => {
                "the name is one of etcdbrctl's (Full-..., Incr-...), in a folder `v2/` or `v1/Backup-.../`"
            }
            Rule::Kops => {
                "the name is one of kOps' etcd-manager: a folder TIME-NUMBER/ with etcd.backup.gz"
            }
            Rule::K3s => {
                "the name is one of k3s and rke2: NAME-NODE-SECONDS, or its metadata in `.metadata/`"
            }
            Rule::Rke => "the name is one of RKE: CLUSTER-..._TIME.zip, or TIME_etcd.zip",
            Rule::Talos => "the name is one of talos-backup: CLUSTER-TIME.snap",
            Rule::Omni => "the name is one of Omni: UUID/NUMBER.snapshot",
            Rule::GiantSwarm => {
                "the name is one of Giant Swarm's operator: CLUSTER-v3-TIME.db.tar.gz"
            }
            Rule::Dated => {
                "there is a date in the name of the file or of its folder; the name without it is the cluster's"
            }
            Rule::Folder => {
                "it is a database, and its name says nothing; the folder is the cluster's"
            }
        }
    }

    /// Whether such a name alone says that the object should be a snapshot. A date is also in the names of other files.
    pub fn is_of_writer(self) -> bool {
        !matches!(self, Rule::Configured | Rule::Dated | Rule::Folder)
    }
}

/// What a snapshot's name says that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A whole database.
    Full,
    /// etcdbrctl's events of these revisions.
    Delta {
        /// The first revision: one more than the end of the snapshot before it.
        start: i64,
        /// The last revision.
        last: i64,
    },
    /// A small file about a snapshot.
    Metadata {
        /// The key of that snapshot.
        of: String,
    },
}

/// What a key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The rule that matched.
    pub rule: Rule,
    /// Where its cluster writes, within the bucket; may be empty.
    pub place: String,
    /// The node that wrote it (k3s, rke2).
    pub source: Option<String>,
    /// What it holds.
    pub role: Role,
    /// The last revision, as the name has it: a lower bound for a full one.
    pub revision: Option<i64>,
    /// When it was captured, as the name has it.
    pub captured: Option<Captured>,
    /// Whether it is the last one before a shutdown (etcdbrctl's `.final`).
    pub last: bool,
    /// Whether it is encrypted by its writer.
    pub encrypted: bool,
}

impl Named {
    fn full(rule: Rule, place: String) -> Named {
        Named {
            rule,
            place,
            source: None,
            role: Role::Full,
            revision: None,
            captured: None,
            last: false,
            encrypted: false,
        }
    }
}

/// What the key alone says. `None` for a name that says nothing of a snapshot: if the content is a database, [`folder`] has its
/// place, unless it [is a part](is_part).
pub fn of_key(key: &str) -> Option<Named> {
    let path = Path::of(key);
    if path.file.is_empty() || is_part(key) {
        return None;
    }
    writers::RULES
        .iter()
        .find_map(|rule| rule(&path))
        .or_else(|| dated::named(&path))
}

/// What the key of a k3s or rke2 snapshot says, where that writer is known from elsewhere: the object's user metadata, or a
/// sidecar in `.metadata/`. So `--etcd-snapshot-name` may be anything. `node` is the node's name, where it is known.
pub fn of_k3s_key(key: &str, node: Option<&str>) -> Option<Named> {
    let path = Path::of(key);
    writers::k3s_of_any_name(&path, node)
}

/// The place of a database whose name says nothing: its folder.
pub fn folder(key: &str) -> Named {
    Named::full(Rule::Folder, place(&Path::of(key).folders))
}

/// Whether the key is that of a piece of a snapshot, not of a whole one: an unfinished file, or a chunk in a folder that has the
/// name of the snapshot.
pub fn is_part(key: &str) -> bool {
    let path = Path::of(key);
    let in_snapshot = path
        .folders
        .last()
        .is_some_and(|folder| writers::snapshot_name(folder).is_some());
    in_snapshot || UNFINISHED.iter().any(|ending| path.file.ends_with(ending))
}

/// Endings of files that are still being written.
const UNFINISHED: [&str; 4] = [".part", ".partial", ".tmp", ".filepart"];

/// A key taken apart at its slashes.
struct Path<'key> {
    folders: Vec<&'key str>,
    file: &'key str,
}

impl Path<'_> {
    fn of(key: &str) -> Path<'_> {
        let mut folders: Vec<_> = key.split('/').collect();
        let file = folders.pop().unwrap_or_default();
        Path { folders, file }
    }

    /// The key of another file in the given folders.
    fn key(folders: &[&str], file: &str) -> String {
        let mut all = folders.to_vec();
        all.push(file);
        all.join("/")
    }
}

/// The place of these folders: two lists of folders never have one place, also not with empty folders (`a//b`, `/a`).
fn place<T: AsRef<str>>(folders: &[T]) -> String {
    let folders: Vec<_> = folders.iter().map(AsRef::as_ref).collect();
    let mut place = folders.join("/");
    if folders.last().is_some_and(|last| last.is_empty()) {
        place.push('/');
    }
    place
}

/// The place of a cluster's name in these folders.
fn place_of_name(folders: &[&str], name: &str) -> String {
    Path::key(folders, name)
}

#[cfg(test)]
mod tests;
