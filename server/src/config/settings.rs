//! Unchecked settings, each with the source of its value.

use std::fmt;
use std::path::PathBuf;

use crate::config::{Secret, ServeFlags};

/// The source of a value, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A key of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The key, with its table.
        key: &'static str,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag(name) | Source::Variable(name) => f.write_str(name),
            Source::File { path, key } => write!(f, "`{key}` in {}", path.display()),
        }
    }
}

/// A value and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) from: Source,
}

impl<T> Given<T> {
    pub(super) fn new(value: T, from: Source) -> Given<T> {
        Given { value, from }
    }
}

/// The settings of one source, or of several merged ones.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) data_dir: Option<Given<PathBuf>>,
    pub(super) listen: Option<Given<String>>,
    pub(super) admin_listen: Option<Given<String>>,
    pub(super) root_user: Option<Given<String>>,
    pub(super) root_password: Option<Given<Secret>>,
    pub(super) buckets: Option<Given<Vec<String>>>,
    pub(super) log_filter: Option<Given<String>>,
    pub(super) log_format: Option<Given<String>>,
    pub(super) log_changes: Option<Given<String>>,
    pub(super) shutdown_secs: Option<Given<String>>,
    pub(super) gc_grace_secs: Option<Given<String>>,
    pub(super) gc_quarantine_secs: Option<Given<String>>,
    pub(super) gc_interval_secs: Option<Given<String>>,
    pub(super) pack_mib: Option<Given<String>>,
}

impl Settings {
    /// These settings; missing ones are taken from `below`.
    pub(super) fn or(self, below: Settings) -> Settings {
        Settings {
            data_dir: self.data_dir.or(below.data_dir),
            listen: self.listen.or(below.listen),
            admin_listen: self.admin_listen.or(below.admin_listen),
            root_user: self.root_user.or(below.root_user),
            root_password: self.root_password.or(below.root_password),
            buckets: self.buckets.or(below.buckets),
            log_filter: self.log_filter.or(below.log_filter),
            log_format: self.log_format.or(below.log_format),
            log_changes: self.log_changes.or(below.log_changes),
            shutdown_secs: self.shutdown_secs.or(below.shutdown_secs),
            gc_grace_secs: self.gc_grace_secs.or(below.gc_grace_secs),
            gc_quarantine_secs: self.gc_quarantine_secs.or(below.gc_quarantine_secs),
            gc_interval_secs: self.gc_interval_secs.or(below.gc_interval_secs),
            pack_mib: self.pack_mib.or(below.pack_mib),
        }
    }
}

impl From<ServeFlags> for Settings {
    fn from(flags: ServeFlags) -> Settings {
        Settings {
            data_dir: flags
                .data_dir
                .map(|dir| Given::new(dir, Source::Flag("--data-dir"))),
            listen: flags
                .listen
                .map(|text| Given::new(text, Source::Flag("--listen"))),
            admin_listen: flags
                .admin_listen
                .map(|text| Given::new(text, Source::Flag("--admin-listen"))),
            ..Settings::default()
        }
    }
}
