//! Reads the configuration file: TOML, in which every key must be known.
//!
//! Messages name file and line but never quote the line, because it may hold the password.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::settings::{Given, Settings, Source};
use crate::config::{ConfigError, Secret, credentials};

/// Largest configuration file in bytes: all keys with long values need a few KiB.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Top {
    data_dir: Option<PathBuf>,
    listen: Option<String>,
    admin_listen: Option<String>,
    buckets: Option<Vec<String>>,
    shutdown_secs: Option<u64>,
    #[serde(default)]
    root: Root,
    #[serde(default)]
    log: Log,
    #[serde(default)]
    gc: Gc,
    #[serde(default)]
    packs: Packs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Packs {
    mib: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names are the file's keys")]
struct Gc {
    grace_secs: Option<u64>,
    quarantine_secs: Option<u64>,
    interval_secs: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    user: Option<String>,
    password: Option<Secret>,
    user_file: Option<PathBuf>,
    password_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    filter: Option<String>,
    format: Option<String>,
    changes: Option<String>,
}

/// Reads a file's settings; adds anything unusual to `warnings`.
pub(super) fn read(path: &Path, warnings: &mut Vec<String>) -> Result<Settings, ConfigError> {
    let text = read_text(path)?;
    let top: Top = toml::from_str(&text).map_err(|error| syntax(path, &text, &error))?;
    let holds = match (&top.root.password, &top.root.password_file) {
        (Some(_), _) => Some(path),
        (None, file) => file.as_deref(),
    };
    warnings.extend(holds.and_then(credentials::readable_by_others));
    settings(path, top)
}

fn settings(path: &Path, top: Top) -> Result<Settings, ConfigError> {
    let from = |key| Source::File {
        path: path.to_owned(),
        key,
    };
    let root_user = match (top.root.user, top.root.user_file) {
        (Some(_), Some(_)) => return Err(both(path, "root.user", "root.user_file")),
        (Some(user), None) => Some(Given::new(user, from("root.user"))),
        (None, Some(file)) => Some(Given::new(
            credentials::read_file(&file, &from("root.user_file"))?,
            from("root.user_file"),
        )),
        (None, None) => None,
    };
    let root_password = match (top.root.password, top.root.password_file) {
        (Some(_), Some(_)) => return Err(both(path, "root.password", "root.password_file")),
        (Some(password), None) => Some(Given::new(password, from("root.password"))),
        (None, Some(file)) => {
            let read = credentials::read_file(&file, &from("root.password_file"))?;
            Some(Given::new(Secret::new(read), from("root.password_file")))
        }
        (None, None) => None,
    };
    let number = |given: Option<u64>, key| given.map(|n| Given::new(n.to_string(), from(key)));
    Ok(Settings {
        data_dir: top.data_dir.map(|dir| Given::new(dir, from("data_dir"))),
        listen: top.listen.map(|text| Given::new(text, from("listen"))),
        admin_listen: top
            .admin_listen
            .map(|text| Given::new(text, from("admin_listen"))),
        root_user,
        root_password,
        buckets: top.buckets.map(|names| Given::new(names, from("buckets"))),
        log_filter: top
            .log
            .filter
            .map(|text| Given::new(text, from("log.filter"))),
        log_format: top
            .log
            .format
            .map(|text| Given::new(text, from("log.format"))),
        log_changes: top
            .log
            .changes
            .map(|text| Given::new(text, from("log.changes"))),
        shutdown_secs: number(top.shutdown_secs, "shutdown_secs"),
        gc_grace_secs: number(top.gc.grace_secs, "gc.grace_secs"),
        gc_quarantine_secs: number(top.gc.quarantine_secs, "gc.quarantine_secs"),
        gc_interval_secs: number(top.gc.interval_secs, "gc.interval_secs"),
        pack_mib: number(top.packs.mib, "packs.mib"),
    })
}

fn both(path: &Path, one: &'static str, other: &'static str) -> ConfigError {
    ConfigError::Both {
        path: path.to_owned(),
        one,
        other,
    }
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if u64::try_from(text.len()).is_ok_and(|len| len <= FILE_BYTES_MAX) {
        Ok(text)
    } else {
        Err(ConfigError::TooLarge {
            path: path.to_owned(),
            max: FILE_BYTES_MAX,
        })
    }
}

fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let line = text.bytes().take(start).filter(|b| *b == b'\n').count() + 1;
    ConfigError::Syntax {
        path: path.to_owned(),
        line,
        message: error.message().replace("unknown field", "unknown key"),
    }
}
