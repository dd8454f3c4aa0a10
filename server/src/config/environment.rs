//! The process's environment, read once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::settings::{Given, Settings, Source};
use crate::config::{ConfigError, Secret, credentials};

/// Every variable of this program; docs/operations.md lists them.
const KNOWN: [&str; 17] = [
    "STRONGROOM_DATA_DIR",
    "STRONGROOM_LISTEN",
    "STRONGROOM_ADMIN_LISTEN",
    "STRONGROOM_CONFIG",
    "STRONGROOM_ROOT_USER",
    "STRONGROOM_ROOT_USER_FILE",
    "STRONGROOM_ROOT_PASSWORD",
    "STRONGROOM_ROOT_PASSWORD_FILE",
    "STRONGROOM_BUCKETS",
    "STRONGROOM_LOG",
    "STRONGROOM_LOG_FORMAT",
    "STRONGROOM_LOG_CHANGES",
    "STRONGROOM_SHUTDOWN_SECS",
    "STRONGROOM_GC_GRACE_SECS",
    "STRONGROOM_GC_QUARANTINE_SECS",
    "STRONGROOM_GC_INTERVAL_SECS",
    "STRONGROOM_PACK_MIB",
];

/// Suffixes of the variables that Kubernetes sets in each pod for a Service named `strongroom`.
const OF_KUBERNETES: [&str; 4] = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT", "_ADDR"];

/// Variables by name.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// The variables of this process. Those whose names are not text are left out.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub(super) fn of_process() -> Environment {
        let named =
            |(name, value): (OsString, OsString)| name.into_string().ok().map(|name| (name, value));
        Environment {
            variables: std::env::vars_os().filter_map(named).collect(),
        }
    }

    /// An environment of exactly these variables.
    pub fn of<N: Into<String>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Environment {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Environment { variables }
    }

    /// The data directory, if a variable names one.
    pub(super) fn data_dir(&self) -> Option<PathBuf> {
        self.raw("STRONGROOM_DATA_DIR").map(PathBuf::from)
    }

    /// The configuration file, if a variable names one.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        self.raw("STRONGROOM_CONFIG").map(PathBuf::from)
    }

    /// The bug to plant, if a variable names one.
    #[cfg(feature = "testing")]
    pub fn planted_bug(&self) -> Option<String> {
        let name = self.raw(crate::store::testing::switches::VARIABLE)?;
        Some(name.to_string_lossy().into_owned())
    }

    /// The old names of MinIO's credentials that are set. MinIO has renamed them, and this program does not read them.
    pub(super) fn old_credentials(&self) -> Vec<&'static str> {
        let old = ["MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"].into_iter();
        old.filter(|name| self.raw(name).is_some()).collect()
    }

    /// The files from which a password is read.
    pub(super) fn password_files(&self) -> Vec<PathBuf> {
        let files = [
            ("STRONGROOM_ROOT_PASSWORD", "STRONGROOM_ROOT_PASSWORD_FILE"),
            ("MINIO_ROOT_PASSWORD", "MINIO_ROOT_PASSWORD_FILE"),
        ];
        let given = files
            .into_iter()
            .filter(|(text, _)| self.raw(text).is_none());
        given
            .filter_map(|(_, file)| self.raw(file).map(PathBuf::from))
            .collect()
    }

    /// Warns about variables with our prefix and an unknown name, which are most likely misspelt.
    pub(super) fn warnings(&self) -> Vec<String> {
        let misspelt = |name: &&String| {
            name.starts_with("STRONGROOM_")
                && !KNOWN.contains(&name.as_str())
                && !OF_KUBERNETES.iter().any(|ending| name.ends_with(ending))
                && !name.contains("_SERVICE_PORT_")
                && !name.contains("_PORT_")
        };
        let misspelt = self.variables.keys().filter(misspelt);
        let old = self.old_credentials().into_iter();
        misspelt
            .map(|name| format!("the variable {name} is unknown and ignored"))
            .chain(old.map(|name| {
                format!("the variable {name} is ignored: its name is MINIO_ROOT_USER or MINIO_ROOT_PASSWORD now")
            }))
            .collect()
    }

    /// The settings from the variables.
    pub(super) fn settings(&self) -> Result<Settings, ConfigError> {
        let buckets = self
            .text("STRONGROOM_BUCKETS")?
            .map(|Given { value, from }| {
                let names = value
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned);
                Given {
                    value: names.collect(),
                    from,
                }
            });
        let data_dir = self.data_dir();
        Ok(Settings {
            data_dir: data_dir.map(|dir| Given::new(dir, Source::Variable("STRONGROOM_DATA_DIR"))),
            listen: self.text("STRONGROOM_LISTEN")?,
            admin_listen: self.text("STRONGROOM_ADMIN_LISTEN")?,
            root_user: match self
                .text_or_file("STRONGROOM_ROOT_USER", "STRONGROOM_ROOT_USER_FILE")?
            {
                Some(given) => Some(given),
                None => self.text_or_file("MINIO_ROOT_USER", "MINIO_ROOT_USER_FILE")?,
            },
            root_password: self
                .password()?
                .map(|given| Given::new(Secret::new(given.value), given.from)),
            buckets,
            log_filter: self.text("STRONGROOM_LOG")?,
            log_format: self.text("STRONGROOM_LOG_FORMAT")?,
            log_changes: self.text("STRONGROOM_LOG_CHANGES")?,
            shutdown_secs: self.text("STRONGROOM_SHUTDOWN_SECS")?,
            gc_grace_secs: self.text("STRONGROOM_GC_GRACE_SECS")?,
            gc_quarantine_secs: self.text("STRONGROOM_GC_QUARANTINE_SECS")?,
            gc_interval_secs: self.text("STRONGROOM_GC_INTERVAL_SECS")?,
            pack_mib: self.text("STRONGROOM_PACK_MIB")?,
        })
    }

    fn password(&self) -> Result<Option<Given<String>>, ConfigError> {
        match self.text_or_file("STRONGROOM_ROOT_PASSWORD", "STRONGROOM_ROOT_PASSWORD_FILE")? {
            Some(given) => Ok(Some(given)),
            None => self.text_or_file("MINIO_ROOT_PASSWORD", "MINIO_ROOT_PASSWORD_FILE"),
        }
    }

    fn text_or_file(
        &self,
        text: &'static str,
        file: &'static str,
    ) -> Result<Option<Given<String>>, ConfigError> {
        if let Some(given) = self.text(text)? {
            return Ok(Some(given));
        }
        let Some(path) = self.raw(file) else {
            return Ok(None);
        };
        let from = Source::Variable(file);
        let value = credentials::read_file(Path::new(path), &from)?;
        Ok(Some(Given { value, from }))
    }

    fn text(&self, name: &'static str) -> Result<Option<Given<String>>, ConfigError> {
        let Some(value) = self.raw(name) else {
            return Ok(None);
        };
        let text = value.to_str().ok_or(ConfigError::NotText { name })?;
        Ok(Some(Given::new(text.to_owned(), Source::Variable(name))))
    }

    fn raw(&self, name: &str) -> Option<&OsString> {
        self.variables.get(name).filter(|value| !value.is_empty())
    }
}
