//! Flags, environment and file become one checked [`Config`].
//!
//! The only module that reads the environment and the configuration file; everything else takes values. Precedence:
//! flag, then environment, then file, then default, for each setting by itself. An empty variable counts as unset.
//!
//! Invariants: a `Config` that exists is complete and checked; credentials are never taken from flags (process lists
//! show them) and never printed; errors name the setting, where its value came from, and the next command to type.

mod address;
mod credentials;
mod environment;
mod error;
mod file;
mod flags;
mod settings;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

pub use credentials::{RootCredentials, Secret};
pub use environment::Environment;
pub use error::ConfigError;
pub use flags::{Command, GcFlags, LookFlags, ServeFlags, parse};

use crate::config::settings::{Given, Settings};
use crate::ingest::Sizes;
use crate::model::BucketName;
use crate::telemetry::log::{LogFilter, LogFormat};

/// Where S3 clients find us when nothing else is said: MinIO's port on every address, since writers that were pointed
/// at a MinIO keep their configuration.
pub const LISTEN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 9000);

/// Where operators find us when nothing else is said: loopback, since it answers without credentials.
pub const ADMIN_LISTEN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9001);

/// How long requests in flight may take after a signal: kubelet kills after 30 s, and closing the store needs some.
pub const SHUTDOWN_DEFAULT: Duration = Duration::from_secs(25);

/// Longest `shutdown_secs`: an hour is more than any upload of ours needs, and less than a typing mistake.
const SHUTDOWN_SECS_MAX: u64 = 3600;

/// How long a condemned pack's file stays: long enough to look before it is gone, short enough that space comes back.
pub const GC_GRACE_DEFAULT: Duration = Duration::from_hours(1);

/// How often garbage is collected.
pub const GC_INTERVAL_DEFAULT: Duration = Duration::from_mins(10);

/// Longest of both: a week without collection fills a disk.
const GC_SECS_MAX: u64 = 7 * 24 * 3600;

/// Largest pack to be set: GC frees whole packs, so larger ones would come free ever later.
const PACK_MIB_MAX: u64 = 1024;

/// When garbage is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcTimes {
    /// How long a condemned pack's file stays.
    pub grace: Duration,
    /// The wait between two rounds.
    pub interval: Duration,
}

/// Where the operators' listener goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminListen {
    /// Nobody said: this address, or a free port of its host when it is taken.
    Preferred(SocketAddr),
    /// Said so: this address or no start.
    Exactly(SocketAddr),
}

/// How the server runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the store lies.
    pub data_dir: PathBuf,
    /// Where S3 clients connect.
    pub listen: SocketAddr,
    /// Where operators connect.
    pub admin_listen: AdminListen,
    /// The one key pair that may do everything.
    pub root: RootCredentials,
    /// Created at start when missing.
    pub buckets: Vec<BucketName>,
    /// Which events are logged.
    pub log_filter: LogFilter,
    /// How log lines look.
    pub log_format: LogFormat,
    /// How long requests in flight may take after a signal.
    pub shutdown: Duration,
    /// When garbage is collected.
    pub gc: GcTimes,
    /// When packs are full.
    pub sizes: Sizes,
    /// What is odd but no reason not to start; logged once the log runs.
    pub warnings: Vec<String>,
}

/// Builds the configuration of `serve`.
///
/// # Errors
/// The first setting that is missing or wrong.
pub fn load(flags: ServeFlags, environment: &Environment) -> Result<Config, ConfigError> {
    let mut warnings = environment.warnings();
    let path = flags.config.clone().or_else(|| environment.config_file());
    let file = match path {
        Some(path) => file::read(&path, &mut warnings)?,
        None => Settings::default(),
    };
    let settings = Settings::from(flags).or(environment.settings()?).or(file);
    check(settings, warnings)
}

/// The data directory that a looking command is about.
///
/// # Errors
/// When neither flag nor environment names one.
pub fn data_dir(flags: &LookFlags, environment: &Environment) -> Result<PathBuf, ConfigError> {
    let given = flags.data_dir.clone().or_else(|| environment.data_dir());
    given
        .filter(|dir| !dir.as_os_str().is_empty())
        .ok_or(ConfigError::NoDataDir)
}

/// The grace of garbage that the environment sets.
///
/// # Errors
/// When it is no number in range.
pub fn gc_grace(environment: &Environment) -> Result<Duration, ConfigError> {
    let given = environment.settings()?.gc_grace_secs;
    Ok(secs(given, "grace of garbage", 0..=GC_SECS_MAX)?.unwrap_or(GC_GRACE_DEFAULT))
}

/// The program's arguments and the process's environment, read once.
pub fn from_process() -> (Vec<OsString>, Environment) {
    (std::env::args_os().collect(), Environment::of_process())
}

fn check(settings: Settings, warnings: Vec<String>) -> Result<Config, ConfigError> {
    let data_dir = settings.data_dir.ok_or(ConfigError::NoDataDir)?.value;
    if data_dir.as_os_str().is_empty() {
        return Err(ConfigError::NoDataDir);
    }
    let listen = match settings.listen {
        Some(given) => address::parse(given)?,
        None => LISTEN_DEFAULT,
    };
    let admin_listen = match settings.admin_listen {
        Some(given) => AdminListen::Exactly(address::parse(given)?),
        None => AdminListen::Preferred(ADMIN_LISTEN_DEFAULT),
    };
    Ok(Config {
        data_dir,
        listen,
        admin_listen,
        root: credentials::check(settings.root_user, settings.root_password)?,
        buckets: settings
            .buckets
            .map(buckets)
            .transpose()?
            .unwrap_or_default(),
        log_filter: settings
            .log_filter
            .map(log_filter)
            .transpose()?
            .unwrap_or_default(),
        log_format: settings
            .log_format
            .map(log_format)
            .transpose()?
            .unwrap_or_default(),
        shutdown: secs(
            settings.shutdown_secs,
            "shutdown time",
            1..=SHUTDOWN_SECS_MAX,
        )?
        .unwrap_or(SHUTDOWN_DEFAULT),
        gc: GcTimes {
            grace: secs(settings.gc_grace_secs, "grace of garbage", 0..=GC_SECS_MAX)?
                .unwrap_or(GC_GRACE_DEFAULT),
            interval: secs(
                settings.gc_interval_secs,
                "wait between collections",
                1..=GC_SECS_MAX,
            )?
            .unwrap_or(GC_INTERVAL_DEFAULT),
        },
        sizes: match number(settings.pack_mib, "size of packs", "MiB", 1..=PACK_MIB_MAX)? {
            Some(mib) => Sizes::of_packs(mib << 20),
            None => Sizes::default(),
        },
        warnings,
    })
}

fn buckets(given: Given<Vec<String>>) -> Result<Vec<BucketName>, ConfigError> {
    let mut names = Vec::new();
    for name in given.value {
        match BucketName::parse(&name) {
            Ok(name) if names.contains(&name) => {}
            Ok(name) => names.push(name),
            Err(why) => {
                return Err(ConfigError::Bucket {
                    name,
                    source_of: given.from,
                    why,
                });
            }
        }
    }
    Ok(names)
}

fn log_filter(given: Given<String>) -> Result<LogFilter, ConfigError> {
    LogFilter::parse(&given.value).map_err(|why| ConfigError::LogFilter {
        value: given.value,
        source_of: given.from,
        why,
    })
}

fn log_format(given: Given<String>) -> Result<LogFormat, ConfigError> {
    match given.value.as_str() {
        "auto" => Ok(LogFormat::Auto),
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err(ConfigError::LogFormat {
            value: given.value,
            source_of: given.from,
        }),
    }
}

fn secs(
    given: Option<Given<String>>,
    what: &'static str,
    range: RangeInclusive<u64>,
) -> Result<Option<Duration>, ConfigError> {
    Ok(number(given, what, "seconds", range)?.map(Duration::from_secs))
}

fn number(
    given: Option<Given<String>>,
    what: &'static str,
    unit: &'static str,
    range: RangeInclusive<u64>,
) -> Result<Option<u64>, ConfigError> {
    let Some(given) = given else { return Ok(None) };
    match given.value.parse::<u64>() {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => Err(ConfigError::Number {
            what,
            unit,
            value: given.value,
            source_of: given.from,
            min: *range.start(),
            max: *range.end(),
        }),
    }
}

#[cfg(test)]
mod tests;
