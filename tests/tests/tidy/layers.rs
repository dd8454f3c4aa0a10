//! Who may name what: the arrows of ARCHITECTURE.md as a table.
//!
//! A confined word may appear only below the given paths; inside the server, a module names only modules below itself.

use super::rules::Finding;
use super::source::Source;

/// A word of code and the only places that may use it.
struct Confined {
    word: &'static str,
    to: &'static [&'static str],
    why: &'static str,
}

/// Files named `clock.rs` own time, in every crate.
const CLOCKS: &[&str] = &["*/clock.rs"];

/// The environment is read where options and settings are read.
const SETTINGS: &[&str] = &[
    "*/config.rs",
    "*/config/",
    "*/environment.rs",
    "tests/src/programs.rs",
];

/// Who speaks HTTP.
const HTTP: &[&str] = &[
    "server/src/s3/",
    "server/src/admin/",
    "server/src/listener",
    "client/src/s3/",
    "tests/",
];

const CONFINED: [Confined; 19] = [
    Confined {
        word: "rocksdb::",
        to: &["server/src/store/meta/rocks"],
        why: "Meta has one seam; no engine type shows through",
    },
    Confined {
        word: "hyper::",
        to: HTTP,
        why: "HTTP stays at the edge",
    },
    Confined {
        word: "hyper_util::",
        to: HTTP,
        why: "HTTP stays at the edge",
    },
    Confined {
        word: "http_body_util::",
        to: HTTP,
        why: "HTTP stays at the edge",
    },
    Confined {
        word: "env::var",
        to: SETTINGS,
        why: "the environment is configuration",
    },
    Confined {
        word: "env::set_var",
        to: &[],
        why: "the environment is shared by all threads",
    },
    Confined {
        word: "SystemTime::now",
        to: CLOCKS,
        why: "time is injected",
    },
    Confined {
        word: "Instant::now",
        to: CLOCKS,
        why: "time is injected",
    },
    Confined {
        word: "OffsetDateTime::now",
        to: CLOCKS,
        why: "time is injected",
    },
    Confined {
        word: "thread::sleep",
        to: CLOCKS,
        why: "conditions are waited for through the clock",
    },
    Confined {
        word: "strongroom_server",
        to: &["server/", "benches/"],
        why: "the wire is the contract between server and the rest",
    },
    Confined {
        word: "strongroom_client",
        to: &["client/", "restore-tool/", "tests/", "benches/"],
        why: "the wire is the contract between server and client",
    },
    Confined {
        word: "strongroom_restore",
        to: &["restore-tool/", "tests/", "benches/"],
        why: "dependencies point one way",
    },
    Confined {
        word: "etcd_client::",
        to: &["client/src/etcd", "tests/"],
        why: "gRPC stays out of the restore tool",
    },
    Confined {
        word: "prometheus::",
        to: &["server/src/telemetry", "server/src/admin/"],
        why: "metric names live in one place",
    },
    Confined {
        word: "clap::",
        to: &[
            "*/main.rs",
            "*/cli.rs",
            "*/cli/",
            "*/args.rs",
            "*/args/",
            "server/src/config/",
        ],
        why: "command lines are parsed at the edge",
    },
    Confined {
        word: "getrandom::",
        to: &["*/random.rs", "*/clock.rs", "*/entropy.rs"],
        why: "randomness is injected",
    },
    Confined {
        word: "disallowed_methods",
        to: &[
            "*/clock.rs",
            "*/config.rs",
            "*/config/",
            "*/environment.rs",
            "*/threads.rs",
            "tests/src/programs.rs",
        ],
        why: "clippy.toml's bans are lifted in named modules only",
    },
    Confined {
        word: "thread::spawn",
        to: &["*/threads.rs"],
        why: "threads have one owner that joins them",
    },
];

/// Words that the format library must not name: it does no I/O of its own.
const NO_IO: [&str; 6] = [
    "tokio",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
];

/// The server's modules, bottom up; a module names only itself and those before it.
const SERVER_LAYERS: [&str; 13] = [
    "model",
    "store",
    "objects",
    "ingest",
    "read",
    "snapshots",
    "retention",
    "gc",
    "scrub",
    "drills",
    "jobs",
    "s3",
    "admin",
];

/// Layer findings of one file.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in source.code.lines().enumerate() {
        for Confined { word, to, why } in &CONFINED {
            if names(line, word) && !to.iter().any(|place| lies_in(source.path, place)) {
                findings.push(Finding::new(
                    "layer",
                    source,
                    number,
                    format!("`{word}` does not belong here: {why}"),
                ));
            }
        }
        if source.path.starts_with("etcd-format/src/")
            && number < source.tests_begin()
            && !source.is_test()
        {
            for word in NO_IO.iter().filter(|word| names(line, word)) {
                findings.push(Finding::new(
                    "layer",
                    source,
                    number,
                    format!("`{word}`: the format library does no I/O of its own"),
                ));
            }
        }
        if let Some(above) = named_above(source.path, line) {
            findings.push(Finding::new(
                "layer",
                source,
                number,
                format!("`crate::{above}` lies above this module"),
            ));
        }
    }
    findings
}

/// Whether `word` stands in `line` as a word of its own.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().unwrap_or(' ');
        !(before.is_alphanumeric() || before == '_')
    })
}

/// `*/x` matches at any depth, anything else is the beginning of a path.
fn lies_in(path: &str, place: &str) -> bool {
    match place.strip_prefix('*') {
        Some(anywhere) if anywhere.ends_with('/') => path.contains(anywhere),
        Some(anywhere) => path.ends_with(anywhere),
        None => path.starts_with(place),
    }
}

/// The module of a higher layer that this line of a server module names.
fn named_above(path: &str, line: &str) -> Option<&'static str> {
    let module = path.strip_prefix("server/src/")?.split(['/', '.']).next()?;
    if names(line, "crate::config") && module != "config" {
        return Some("config");
    }
    if module == "admin" && names(line, "crate::s3::") {
        return Some("s3");
    }
    let rank = SERVER_LAYERS.iter().position(|layer| *layer == module)?;
    SERVER_LAYERS
        .iter()
        .skip(rank + 1)
        .find(|above| names(line, &format!("crate::{above}::")))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, line: &str) -> usize {
        check(&Source::new(path, &format!("//! Docs.\n{line}\n"))).len()
    }

    #[test]
    fn confined_words_are_found_elsewhere_and_allowed_at_home() {
        for (path, line, home) in [
            (
                "server/src/objects/put.rs",
                "use rocksdb::DB;",
                "server/src/store/meta/rocks.rs",
            ),
            (
                "server/src/store/mod.rs",
                "use hyper::Request;",
                "server/src/s3/mod.rs",
            ),
            (
                "client/src/save.rs",
                "let v = std::env::var(A);",
                "client/src/config.rs",
            ),
            (
                "server/src/store/mod.rs",
                "let t = Instant::now();",
                "server/src/clock.rs",
            ),
            (
                "server/src/main.rs",
                "use strongroom_client::s3;",
                "restore-tool/src/main.rs",
            ),
            (
                "restore-tool/src/lib.rs",
                "use etcd_client::Client;",
                "client/src/etcd.rs",
            ),
        ] {
            assert_eq!(broken(path, line), 1, "{line}");
            assert_eq!(broken(home, line), 0, "{line}");
        }
    }

    #[test]
    fn words_inside_other_words_and_texts_do_not_count() {
        assert_eq!(
            broken(
                "server/src/objects/put.rs",
                "let a = my_rocksdb::DB; // rocksdb::DB"
            ),
            0
        );
        assert_eq!(
            broken("server/src/objects/put.rs", "let a = \"rocksdb::DB\";"),
            0
        );
    }

    #[test]
    fn the_format_library_does_no_io() {
        assert_eq!(
            broken("etcd-format/src/bolt/mod.rs", "use std::fs::File;"),
            1
        );
        assert_eq!(
            broken("etcd-format/src/bolt/tests.rs", "use std::fs::File;"),
            0
        );
    }

    #[test]
    fn server_modules_name_only_what_lies_below() {
        assert_eq!(
            broken("server/src/store/mod.rs", "use crate::objects::Row;"),
            1
        );
        assert_eq!(
            broken("server/src/objects/mod.rs", "use crate::store::Meta;"),
            0
        );
        assert_eq!(
            broken("server/src/admin/mod.rs", "use crate::s3::Error;"),
            1
        );
        assert_eq!(
            broken("server/src/s3/mod.rs", "use crate::config::Config;"),
            1
        );
    }
}
