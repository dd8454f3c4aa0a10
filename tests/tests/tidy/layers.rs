//! Which module may name which: the arrows of ARCHITECTURE.md as a table.
//!
//! A confined word may appear only below the given paths; inside the server, a module names only modules below itself.

use super::rules::Finding;
use super::source::Source;

/// A word of code and the only places that may use it.
struct Confined {
    word: &'static str,
    to: &'static [&'static str],
    code: Code,
    why: &'static str,
}

/// The code in which a word is confined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Code {
    /// Without tests: tests may look behind the seams that they test.
    Product,
    /// Including tests.
    All,
}

/// Code that uses HTTP.
const HTTP: &[&str] = &[
    "server/src/s3/",
    "server/src/process/listener",
    "client/src/s3/",
    // Connectors: gRPC runs over one, and a broken one is looked at again.
    "client/src/etcd/channel.rs",
    "client/src/tls/probe.rs",
];

/// Code that parses command lines.
const COMMAND_LINES: &[&str] = &[
    "*/main.rs",
    "*/cli/",
    "*/args.rs",
    "*/args/",
    "server/src/config/flags.rs",
];

/// Where clippy.toml's bans on clock, environment, sleep and threads may be lifted. Clippy knows which function a name
/// means, so it checks the words; this table checks who may lift the ban.
const BANS_LIFTED: &[&str] = &[
    "*/clock.rs",
    "*/environment.rs",
    "tests/src/programs.rs",
    "tests/src/soak.rs",
    "server/src/simulation/mod.rs",
    "server/src/bodies/incoming/appender.rs",
];

const CONFINED: [Confined; 13] = [
    product(
        "rocksdb::",
        &["store/src/meta/rocks"],
        "Meta has one seam; no engine type shows through",
    ),
    product("hyper::", HTTP, "HTTP stays at the edge"),
    product("hyper_util::", HTTP, "HTTP stays at the edge"),
    product("http_body_util::", HTTP, "HTTP stays at the edge"),
    product(
        "axum::",
        &["server/src/admin/"],
        "routes are the admin listener's",
    ),
    product(
        "strongroom_client",
        &["client/", "restore-tool/"],
        "the wire is the contract between server and client",
    ),
    product(
        "strongroom_restore",
        &["restore-tool/"],
        "dependencies point one way",
    ),
    product(
        "strongroom_server",
        &["server/", "benches/", "fuzz/"],
        "the wire is the contract of server and client",
    ),
    product(
        "etcd_client::",
        &["client/src/etcd"],
        "gRPC stays out of the restore tool",
    ),
    product(
        "prometheus::",
        &["server/src/telemetry"],
        "metrics are made in one place",
    ),
    product(
        "clap::",
        COMMAND_LINES,
        "command lines are parsed at the edge",
    ),
    product(
        "getrandom::",
        &["*/clock.rs", "restore-tool/src/staging.rs"],
        "randomness is injected",
    ),
    Confined {
        word: "disallowed_methods",
        to: BANS_LIFTED,
        code: Code::All,
        why: "clippy.toml's bans are lifted in named modules only",
    },
];

const fn product(word: &'static str, to: &'static [&'static str], why: &'static str) -> Confined {
    Confined {
        word,
        to,
        code: Code::Product,
        why,
    }
}

/// Words that the crate of snapshot files must not name: its caller provides the source.
const NOT_OF_FILES: [&str; 5] = ["tokio", "hyper", "TcpStream", "std::time", "std::process"];

/// Words that the format library must not name, since it does no I/O. It may parse addresses.
const NO_IO: [&str; 7] = [
    "tokio",
    "std::fs",
    "TcpStream",
    "UdpSocket",
    "std::process",
    "std::thread",
    "std::time",
];

/// Words of async code, and the files of the store that may use them: the pool that runs calls for async callers, and a commit
/// under way, which they wait for.
const ASYNC: [&str; 4] = ["tokio", "async fn", "async move", "await"];
const ASYNC_IN_STORE: [&str; 3] = [
    "store/src/blocking_pool.rs",
    "store/src/meta/pending.rs",
    "store/src/meta/group_commit/mod.rs",
];

/// Words that the format library must not mention, not even in comments and tests: it is useful without our store.
const NOT_OF_FORMATS: [&str; 5] = ["S3", "s3://", "Strongroom", "RocksDB", "MinIO"];

/// The server's modules, bottom up; a module names only itself and those before it.
const SERVER_LAYERS: [&str; 15] = [
    "model",
    "tables",
    "packs",
    "objects",
    "bodies",
    "snapshots",
    "gc",
    "doctor",
    "storage",
    "jobs",
    "telemetry",
    "admin",
    "s3",
    "config",
    "process",
];

/// Layer findings of one file.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tests_begin = if source.is_test() {
        0
    } else {
        source.tests_begin()
    };
    for (number, line) in source.code.lines().enumerate() {
        let product = number < tests_begin;
        let mut found = |message| findings.push(Finding::new("layer", source, number, message));
        for Confined {
            word,
            to,
            code,
            why,
        } in &CONFINED
        {
            let concerned = product || *code == Code::All;
            if concerned && names(line, word) && !to.iter().any(|place| lies_in(source.path, place))
            {
                found(format!("`{word}` does not belong here: {why}"));
            }
        }
        if source.path.starts_with("etcd-format/") {
            let written = source.text.lines().nth(number).unwrap_or_default();
            for word in NOT_OF_FORMATS.iter().filter(|word| names(written, word)) {
                found(format!(
                    "`{word}`: the format library knows neither our store nor its protocol"
                ));
            }
        }
        if !product {
            continue;
        }
        if source.path.starts_with("etcd-format/src/") {
            for word in NO_IO.iter().filter(|word| names(line, word)) {
                found(format!(
                    "`{word}`: the format library does no I/O of its own"
                ));
            }
        }
        if source.path.starts_with("snapshot-io/src/") {
            for word in NOT_OF_FILES.iter().filter(|word| names(line, word)) {
                found(format!("`{word}`: snapshot files come from any source"));
            }
        }
        if source.path.starts_with("store/src/") && !ASYNC_IN_STORE.contains(&source.path) {
            for word in ASYNC.iter().filter(|word| names(line, word)) {
                found(format!("`{word}`: the store is synchronous"));
            }
        }
        if let Some(above) = named_above(source.path, line) {
            found(format!("`crate::{above}` lies above this module"));
        }
    }
    findings
}

/// Whether `word` is in `line` as a separate word.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().unwrap_or(' ');
        !(before.is_alphanumeric() || before == '_')
    })
}

/// `*/x` matches at any depth, anything else is a path prefix.
fn lies_in(path: &str, place: &str) -> bool {
    match place.strip_prefix('*') {
        Some(anywhere) if anywhere.ends_with('/') => path.contains(anywhere),
        Some(anywhere) => path.ends_with(anywhere),
        None => path.starts_with(place),
    }
}

/// A module of a higher layer named in this line of a server module.
fn named_above(path: &str, line: &str) -> Option<&'static str> {
    let module = path.strip_prefix("server/src/")?.split(['/', '.']).next()?;
    if names(line, "crate::config") && !matches!(module, "config" | "process" | "main") {
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
                "store/src/meta/rocks.rs",
            ),
            (
                "store/src/lib.rs",
                "use hyper::Request;",
                "server/src/s3/mod.rs",
            ),
            (
                "server/src/main.rs",
                "use strongroom_client::s3;",
                "restore-tool/src/main.rs",
            ),
            (
                "restore-tool/src/lib.rs",
                "use etcd_client::Client;",
                "client/src/etcd/mod.rs",
            ),
            (
                "server/src/s3/mod.rs",
                "use clap::Parser;",
                "server/src/config/flags.rs",
            ),
            (
                "client/src/save.rs",
                "#[expect(clippy::disallowed_methods)]",
                "client/src/environment.rs",
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
    fn tests_may_look_behind_a_seam_but_not_lift_a_ban() {
        assert_eq!(broken("server/tests/model.rs", "use rocksdb::DB;"), 0);
        assert_eq!(
            broken(
                "server/tests/model.rs",
                "#[expect(clippy::disallowed_methods)]"
            ),
            1
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
    fn the_crate_of_snapshot_files_knows_no_source() {
        assert_eq!(broken("snapshot-io/src/intake.rs", "use tokio::io;"), 1);
        assert_eq!(broken("snapshot-io/src/intake.rs", "use std::fs::File;"), 0);
    }

    #[test]
    fn async_stays_where_calls_are_carried() {
        for line in [
            "async fn read() {}",
            "use tokio::sync::mpsc;",
            "let row = row.await;",
        ] {
            assert_eq!(broken("store/src/packs/local/mod.rs", line), 1, "{line}");
            assert_eq!(broken("store/src/blocking_pool.rs", line), 0, "{line}");
            assert_eq!(broken("server/src/objects/put.rs", line), 0, "{line}");
        }
    }

    #[test]
    fn the_format_library_does_not_mention_our_store() {
        for line in [
            "// kept in S3",
            "let uri = \"s3://b/k\";",
            "/// For RocksDB.",
        ] {
            assert_eq!(broken("etcd-format/src/bolt/tests.rs", line), 1, "{line}");
            assert_eq!(broken("server/src/s3/mod.rs", line), 0, "{line}");
        }
        assert_eq!(
            broken("etcd-format/src/lib.rs", "use strongroom_etcd_format::wal;"),
            0
        );
    }

    #[test]
    fn server_modules_name_only_what_lies_below() {
        assert_eq!(
            broken("server/src/tables/mod.rs", "use crate::objects::Row;"),
            1
        );
        assert_eq!(
            broken("server/src/objects/mod.rs", "use crate::tables::RowKey;"),
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
