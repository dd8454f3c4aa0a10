//! Flags of etcdbrctl, etcdutl and etcdctl that are accepted, so that their command lines work here, and that have no effect.
//!
//! They are for an embedded etcd, for fetchers of deltas, for mmap, or for a connection to etcd; this program has none of these.
//! It names the flags that were given, never their values.

use clap::{Arg, ArgMatches, Command, parser::ValueSource};

/// Flags with a value.
const VALUES: [&str; 29] = [
    // etcdbrctl and etcdutl
    "auto-compaction-mode",
    "auto-compaction-retention",
    "embedded-etcd-quota-bytes",
    "experimental-fail-below-revision",
    "initial-memory-map-size",
    "max-call-send-message-size",
    "max-fetchers",
    "max-parallel-chunk-uploads",
    "max-request-bytes",
    "max-txn-ops",
    "min-chunk-size",
    "restoration-temp-snapshots-dir",
    "snapstore-temp-directory",
    "write-out",
    // etcdctl, for every command
    "auth-jwt-token",
    "cacert",
    "cert",
    "command-timeout",
    "dial-timeout",
    "discovery-srv",
    "discovery-srv-name",
    "endpoints",
    "keepalive-time",
    "keepalive-timeout",
    "key",
    "max-recv-bytes",
    "password",
    "user",
    "log-level",
];

/// Flags that are true without a value.
const SWITCHES: [&str; 5] = [
    "debug",
    "hex",
    "insecure-discovery",
    "insecure-skip-tls-verify",
    "insecure-transport",
];

/// The ignored flags that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IgnoredFlags {
    typed: Vec<&'static str>,
}

impl IgnoredFlags {
    /// The message about them, if there are any.
    pub(crate) fn warning(&self) -> Option<String> {
        let flags: Vec<String> = self.typed.iter().map(|name| format!("--{name}")).collect();
        let verb = match flags.len() {
            0 => return None,
            1 => "has",
            _ => "have",
        };
        Some(format!(
            "{} {verb} no effect here: the restore works offline, without an etcd",
            flags.join(", ")
        ))
    }
}

impl clap::FromArgMatches for IgnoredFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = VALUES
            .into_iter()
            .chain(SWITCHES)
            .filter(|name| matches.value_source(name) == Some(ValueSource::CommandLine))
            .collect();
        Ok(Self { typed })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for IgnoredFlags {
    fn augment_args(command: Command) -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name).hide(true);
        command
            .args(VALUES.map(|name| match name {
                "write-out" => flag(name).short('w'),
                _ => flag(name),
            }))
            .args(SWITCHES.map(|name| {
                flag(name)
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("true")
            }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
