//! A bucket with very many small objects, like those of a fleet of clusters after years. Filled once, for `list` and
//! `start`.

use std::net::SocketAddr;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use strongroom_tests::clock::Stopwatch;
use strongroom_tests::programs;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};

use super::{Bench, crowd};
use crate::stats::{bytes, real};
use crate::wire::{put_head, signed_head};
use crate::yardstick::tree_bytes;

/// Clients that fill the bucket.
const CLIENTS: usize = 64;

/// Snapshots of one cluster, which is the number of objects below one prefix.
pub(crate) const PER_CLUSTER: u32 = 1_000;

/// Objects signed in advance: signatures are valid for a quarter of an hour.
const AHEAD: u32 = 20_000;

/// Keys in one DeleteObjects; S3's limit.
const DELETED_AT_ONCE: u32 = 1_000;

/// The prefix of all objects.
pub(crate) const ROOT: &str = "fleet/";

/// A minimal body: the case measures rows.
const BODY: &[u8] = b"0123456789abcdef";

/// A server with its objects.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) server: Server,
    /// Objects put, counted from number 0; those below `deleted` are deleted again.
    pub(crate) objects: u32,
    pub(crate) deleted: u32,
    /// Duration of the puts.
    pub(crate) fill_secs: f64,
    // Dropped after the server.
    _dir: tempfile::TempDir,
}

impl Fleet {
    /// A server without objects.
    pub(crate) fn start(bench: &Bench) -> Self {
        Self::start_of(bench, programs::server())
    }

    /// The same with another build.
    pub(crate) fn start_of(bench: &Bench, program: Command) -> Self {
        let dir = bench.folder();
        let mut server = Server::plan(dir.path());
        let mut command = server.command_of(program);
        // A log line per request would be a third of a gigabyte.
        command.env("STRONGROOM_LOG", "warn");
        server.boot_as(command);
        Self {
            server,
            objects: 0,
            deleted: 0,
            fill_secs: 0.0,
            _dir: dir,
        }
    }

    /// Puts objects until there are `objects`.
    pub(crate) fn fill_to(&mut self, objects: u32) {
        let watch = Stopwatch::start();
        let s3 = S3::of(&self.server);
        while self.objects < objects {
            let end = objects.min(self.objects + AHEAD);
            let heads: Vec<_> = (self.objects..end)
                .map(|n| put_head(&s3, &format!("/{BUCKET}/{}", key(n)), bytes(BODY.len())))
                .collect();
            crowd::work(self.addr(), CLIENTS, &heads, |connection, head| {
                connection.must(head, &[BODY]);
            });
            self.objects = end;
        }
        self.fill_secs += watch.elapsed().as_secs_f64();
    }

    /// Deletes the first `count` objects, a thousand at a time; returns the duration.
    pub(crate) fn delete_first(&mut self, count: u32) -> f64 {
        let s3 = S3::of(&self.server);
        let starts = (self.deleted..count).step_by(usize::try_from(DELETED_AT_ONCE).expect("few"));
        let work: Vec<_> = starts
            .map(|start| {
                let keys = start..count.min(start + DELETED_AT_ONCE);
                let rows = keys.map(|n| format!("<Object><Key>{}</Key></Object>", key(n)));
                let body = format!(
                    "<Delete><Quiet>true</Quiet>{}</Delete>",
                    rows.collect::<String>()
                );
                let crc = BASE64_STANDARD.encode(crc32fast::hash(body.as_bytes()).to_be_bytes());
                let headers = [("x-amz-checksum-crc32", crc.as_str())];
                let path = format!("/{BUCKET}?delete=");
                let head = signed_head(&s3, "POST", &path, &headers, body.as_bytes());
                (head, body)
            })
            .collect();
        let done = crowd::work(self.addr(), 4, &work, |connection, (head, body)| {
            connection.must(head, &[body.as_bytes()]);
        });
        self.deleted = count;
        done.secs
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.s3_addr()
    }

    /// Bytes of Meta's folder.
    pub(crate) fn meta_bytes(&self) -> f64 {
        real(tree_bytes(&self.server.data_dir().join("meta")))
    }
}

/// The key of an object: keys sort like their numbers, and look like a backup tool's.
pub(crate) fn key(number: u32) -> String {
    let (cluster, snapshot) = (number / PER_CLUSTER, number % PER_CLUSTER);
    format!(
        "{ROOT}prod-{cluster:05}/v2/Full-00000000-{:08}-{}",
        snapshot * 1_201,
        1_700_000_000 + snapshot * 3_600
    )
}
