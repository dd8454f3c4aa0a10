//! Builds one checked [`Config`] from flags, environment and file.
//!
//! Only this module reads the environment and the configuration file; all others take values. For each setting, a flag
//! overrides the environment, the environment overrides the file, and the file overrides the default. An empty variable
//! counts as unset.
//!
//! Invariants: every `Config` is complete and checked; credentials are never taken from flags (process lists show them)
//! and never printed; errors name the setting, the source of its value, and the next command to type.

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
pub use flags::{Command, GcFlags, OfflineFlags, ServeFlags, parse};

use crate::bodies::incoming::Sizes;
use crate::config::settings::{Given, Settings};
use crate::model::BucketName;
use crate::telemetry::log::{LogFilter, LogFormat};

/// The default S3 address: MinIO's port on every address, so that its clients keep their configuration.
pub const LISTEN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 9000);

/// The default admin address: loopback, because the listener answers without credentials.
pub const ADMIN_LISTEN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9001);

/// Time for requests in flight after a signal: kubelet kills after 30 s, and closing the store needs a few.
pub const SHUTDOWN_DEFAULT: Duration = Duration::from_secs(25);

/// Largest `shutdown_secs`: no upload needs an hour, and most typing mistakes give more.
const SHUTDOWN_SECS_MAX: u64 = 3600;

/// How long the file of an unused pack stays: an operator can still inspect it, and space is freed soon.
pub const GC_GRACE_DEFAULT: Duration = Duration::from_hours(1);

/// How long a pack with bodies that no row names stays: time to notice the alert after a long weekend, and to put the
/// newer metadata back.
pub const GC_QUARANTINE_DEFAULT: Duration = Duration::from_hours(7 * 24);

/// Longest quarantine.
const GC_QUARANTINE_SECS_MAX: u64 = 90 * 24 * 3600;

/// How often garbage is collected.
pub const GC_INTERVAL_DEFAULT: Duration = Duration::from_mins(10);

/// Longest grace and longest interval: a week without collection fills a disk.
const GC_SECS_MAX: u64 = 7 * 24 * 3600;

/// Largest pack that may be configured: collection frees whole packs, so larger ones are freed later.
const PACK_MIB_MAX: u64 = 1024;

/// The times of garbage collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcTimes {
    /// How long the file of an unused pack stays.
    pub grace: Duration,
    /// How long a pack with bodies that no row names stays.
    pub quarantine: Duration,
    /// The wait between two collections.
    pub interval: Duration,
}

/// The address of the admin listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminListen {
    /// The default: this address, or a free port of its host when it is taken.
    Preferred(SocketAddr),
    /// Configured: the server does not start without this address.
    Exactly(SocketAddr),
}

/// Who may change the log filter on the admin listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogChanges {
    /// Whoever knows the root credentials.
    #[default]
    ByRoot,
    /// Whoever reaches the listener.
    ByAnyone,
}

/// The configuration of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The directory of the store.
    pub data_dir: PathBuf,
    /// The address for S3 clients.
    pub listen: SocketAddr,
    /// The address for operators.
    pub admin_listen: AdminListen,
    /// The key pair that is allowed everything.
    pub root: RootCredentials,
    /// Buckets that are created at start if missing.
    pub buckets: Vec<BucketName>,
    /// Which events are logged.
    pub log_filter: LogFilter,
    /// The format of log lines.
    pub log_format: LogFormat,
    /// Who may change the filter.
    pub log_changes: LogChanges,
    /// Time for requests in flight after a signal.
    pub shutdown: Duration,
    /// The times of garbage collection.
    pub gc: GcTimes,
    /// The sizes of packs.
    pub sizes: Sizes,
    /// Unusual settings that do not prevent a start; logged as soon as the log runs.
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
    for path in environment.password_files() {
        warnings.extend(credentials::readable_by_others(&path));
    }
    let settings = Settings::from(flags).or(environment.settings()?).or(file);
    check(settings, warnings).map_err(|error| match (error, environment.old_credentials()) {
        (ConfigError::NoCredentials | ConfigError::HalfCredentials { .. }, old)
            if !old.is_empty() =>
        {
            ConfigError::OldCredentials {
                names: old.join(" and "),
            }
        }
        (error, _) => error,
    })
}

/// The data directory of an offline command.
///
/// # Errors
/// When neither flag nor environment names one.
pub fn data_dir(flags: &OfflineFlags, environment: &Environment) -> Result<PathBuf, ConfigError> {
    let given = flags.data_dir.clone().or_else(|| environment.data_dir());
    given
        .filter(|dir| !dir.as_os_str().is_empty())
        .ok_or(ConfigError::NoDataDir)
}

/// The times of garbage collection in the environment, for an offline command.
///
/// # Errors
/// When one is not a number in its range.
pub fn gc_times(environment: &Environment) -> Result<GcTimes, ConfigError> {
    times(&mut environment.settings()?)
}

fn times(settings: &mut Settings) -> Result<GcTimes, ConfigError> {
    let time = |given: &mut Option<Given<String>>, name, range, default| {
        Ok::<_, ConfigError>(secs(given.take(), name, range)?.unwrap_or(default))
    };
    Ok(GcTimes {
        grace: time(
            &mut settings.gc_grace_secs,
            "grace of garbage",
            0..=GC_SECS_MAX,
            GC_GRACE_DEFAULT,
        )?,
        quarantine: time(
            &mut settings.gc_quarantine_secs,
            "time of quarantine",
            0..=GC_QUARANTINE_SECS_MAX,
            GC_QUARANTINE_DEFAULT,
        )?,
        interval: time(
            &mut settings.gc_interval_secs,
            "wait between collections",
            1..=GC_SECS_MAX,
            GC_INTERVAL_DEFAULT,
        )?,
    })
}

/// The process's arguments and environment, read once.
pub fn from_process() -> (Vec<OsString>, Environment) {
    (std::env::args_os().collect(), Environment::of_process())
}

fn check(mut settings: Settings, mut warnings: Vec<String>) -> Result<Config, ConfigError> {
    let gc = times(&mut settings)?;
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
        root: credentials::check(settings.root_user, settings.root_password, &mut warnings)?,
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
        log_changes: settings
            .log_changes
            .map(log_changes)
            .transpose()?
            .unwrap_or_default(),
        shutdown: secs(
            settings.shutdown_secs,
            "shutdown time",
            1..=SHUTDOWN_SECS_MAX,
        )?
        .unwrap_or(SHUTDOWN_DEFAULT),
        gc,
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

fn log_changes(given: Given<String>) -> Result<LogChanges, ConfigError> {
    match given.value.as_str() {
        "root" => Ok(LogChanges::ByRoot),
        "anyone" => Ok(LogChanges::ByAnyone),
        _ => Err(ConfigError::LogChanges {
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
