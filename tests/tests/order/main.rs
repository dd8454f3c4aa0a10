//! What is on the disk when the server answers 200: pack, folders, Meta, and only then the answer.
//!
//! The server runs under strace. Each request's answer is found by its ETag, its commit in Meta's log by the token in
//! its user metadata, its bytes by the packs written. The calls must have ended in the order that makes an acknowledged
//! object durable. The planted servers, which break that order, must be detected. One sync must serve many small puts.
//! The first start of a server and a restore are checked in the same way (`first_start`, `restored`).

mod durable;
mod first_start;
mod judge;
mod restored;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use judge::{Request, violations};
use parking_lot::Mutex;
use strongroom_tests::clock::until;
use strongroom_tests::programs;
use strongroom_tests::server::Server;
use strongroom_tests::trace::{self, Call, Watched};
use strongroom_tests::traffic::calls::Caller;
use strongroom_tests::traffic::content::{Token, hex, md5};
use strongroom_tests::traffic::keyspace::Part;
use strongroom_tests::traffic::wire::Body;

/// Everything that makes bytes or entries durable, or answers.
const WATCHED: Watched<'_> = Watched {
    calls: &[trace::ON_FILES, trace::ON_SOCKETS],
    // A group commit of all concurrent puts must be logged completely.
    text_bytes: 256 * 1024,
    sync_delay_us: 0,
};

/// Concurrent puts.
const CONCURRENT: u64 = 64;

/// Time in which strace writes its log.
const LOGGED_WITHIN: Duration = Duration::from_secs(10);

/// A server under strace.
struct Traced {
    server: Server,
    log: PathBuf,
    _dir: tempfile::TempDir,
}

impl Traced {
    fn start(program: Command, environment: &[(&str, &str)]) -> Self {
        Self::watched(program, environment, WATCHED)
    }

    fn watched(program: Command, environment: &[(&str, &str)], watched: Watched<'_>) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let log = dir.path().join("strace");
        let mut server = Server::plan(dir.path());
        let mut command = server.command_of(program);
        command
            .envs(environment.iter().copied())
            .env("STRONGROOM_LOG", "warn");
        server.boot_as(trace::under(&command, &log, watched));
        Self {
            server,
            log,
            _dir: dir,
        }
    }

    /// The calls since `from`, once they include the answers of all requests.
    fn calls(&self, from: usize, requests: &[Request]) -> Vec<Call> {
        until("strace to log the answers", LOGGED_WITHIN, || {
            let calls = trace::read(&self.log, from);
            match requests
                .iter()
                .find(|request| request.answer(&calls).is_none())
            {
                None => Ok(calls),
                Some(request) => Err(format!("no answer to {request:?}")),
            }
        })
    }

    /// Does `requests` one after the other, and returns all violations of the order.
    fn judge(&self, requests: impl FnOnce(&mut Caller, &mut dyn FnMut(Request))) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut from = 0;
        let mut caller = Caller::of(&self.server);
        requests(&mut caller, &mut |request| {
            let calls = self.calls(from, std::slice::from_ref(&request));
            // All calls from the start: an earlier request may have created a folder.
            wrong.extend(violations(&trace::read(&self.log, 0), &calls, &request));
            from = trace::mark(&self.log);
        });
        wrong
    }
}

fn put(caller: &mut Caller, key: &str, token: Token, len: u64) -> Request {
    let etag = caller.put(key, token, len).expect("the server answers");
    assert_eq!(etag, hex(&md5(token, 0, len)));
    Request::object(key, token, etag)
}

#[test]
fn a_small_put_is_durable_before_its_answer() {
    let traced = Traced::start(programs::server(), &[]);
    let wrong = traced.judge(|caller, done| {
        for n in 0..3 {
            done(put(caller, &format!("small-{n}"), Token(1000 + n), 3000));
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_put_of_several_packs_is_durable_before_its_answer() {
    let traced = Traced::start(programs::server(), &[("STRONGROOM_PACK_MIB", "1")]);
    let wrong = traced.judge(|caller, done| {
        for n in 0..2 {
            let mut request = put(caller, &format!("large-{n}"), Token(2000 + n), 6 << 20);
            request.packs_min = 3;
            done(request);
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_multipart_upload_is_durable_step_by_step() {
    let traced = Traced::start(programs::server(), &[]);
    let wrong = traced.judge(|caller, done| {
        let (key, token) = ("multi", Token(3000));
        let id = caller.create(key, token).expect("the server answers");
        done(Request::step(token.to_string(), id.clone()));
        let mut parts: Vec<(u16, Part)> = Vec::new();
        for (number, len) in [(1, 5 << 20), (2, 5 << 20), (3, 2000)] {
            let from = parts.iter().map(|(_, part)| part.len).sum();
            let body = Body::Content { token, from, len };
            let etag = caller
                .part((key, &id), number, body)
                .expect("the server answers");
            done(Request::part(etag.clone()));
            parts.push((number, Part { len, etag }));
        }
        let etag = caller
            .complete((key, &id), parts.into_iter())
            .expect("the server answers");
        done(Request::step(token.to_string(), etag));
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn one_sync_serves_many_concurrent_small_puts() {
    let slow = Watched {
        sync_delay_us: 20_000,
        ..WATCHED
    };
    let traced = Traced::watched(programs::server(), &[], slow);
    put(&mut Caller::of(&traced.server), "first", Token(1), 1024);
    let from = trace::mark(&traced.log);
    let requests = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for n in 0..CONCURRENT {
            let (requests, server) = (&requests, &traced.server);
            let work = move || {
                let mut caller = Caller::of(server);
                let request = put(&mut caller, &format!("crowd-{n:02}"), Token(4000 + n), 1024);
                requests.lock().push(request);
            };
            std::thread::Builder::new()
                .spawn_scoped(scope, work)
                .expect("a thread");
        }
    });
    let requests = requests.into_inner();
    let calls = traced.calls(from, &requests);
    let all = trace::read(&traced.log, 0);
    let wrong: Vec<_> = requests
        .iter()
        .flat_map(|request| violations(&all, &calls, request))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let syncs = |of: fn(&str) -> bool| calls.iter().filter(|c| c.is_sync() && of(&c.path)).count();
    let (meta, packs) = (syncs(judge::is_meta_log), syncs(judge::is_pack));
    println!(
        "order: {CONCURRENT} concurrent puts shared {meta} syncs of Meta and {packs} of packs"
    );
    assert!(
        meta <= 16 && packs <= 16,
        "{meta} and {packs} syncs for {CONCURRENT} puts"
    );
}

/// The judge's findings for small and large puts of a planted server.
fn planted(bug: &str) -> Vec<String> {
    let environment = [
        ("STRONGROOM_PLANTED_BUG", bug),
        ("STRONGROOM_PACK_MIB", "1"),
    ];
    let traced = Traced::start(programs::planted_server(), &environment);
    traced.judge(|caller, done| {
        done(put(caller, "small", Token(5000), 3000));
        done(put(caller, "large", Token(5001), 6 << 20));
    })
}

#[test]
fn a_server_that_answers_before_it_syncs_is_told() {
    let wrong = planted("ack-before-sync");
    assert!(
        wrong.iter().any(|w| w.contains("log is synced")),
        "{wrong:#?}"
    );
}

#[test]
fn a_server_that_syncs_no_folder_is_told() {
    let wrong = planted("no-dir-sync");
    assert!(wrong.iter().any(|w| w.contains("folder")), "{wrong:#?}");
}

#[test]
fn a_server_that_commits_before_the_pack_is_synced_is_told() {
    let wrong = planted("commit-before-pack-sync");
    assert!(
        wrong.iter().any(|w| w.contains("pack is synced")),
        "{wrong:#?}"
    );
}
