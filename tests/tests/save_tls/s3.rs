//! The same towards S3, behind a TLS front, for the client and the restore tool: a fault is told once and not repeated.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::etcd::{Cluster, Version};
use strongroom_tests::process::{Finished, Process, run};
use strongroom_tests::server::{BUCKET, Server};
use strongroom_tests::tls::Pair;
use strongroom_tests::tls_front::TlsFront;
use strongroom_tests::{ports, programs};

use super::pki::Pki;
use super::{AUTH, text};

struct Store {
    server: Server,
    cluster: Cluster,
}

impl Store {
    fn save(&self, endpoint: &str, ca: &Path) -> Finished {
        let mut command = programs::client();
        self.server.aws_environment(&mut command);
        command
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_CA_BUNDLE", ca);
        command.args([
            "snapshot",
            "save",
            "--endpoints",
            &self.cluster.client_url(0),
        ]);
        run(command.args(["--to", &format!("s3://{BUCKET}/p")]))
    }

    fn restore(&self, endpoint: &str, ca: &Path, dir: &Path) -> Finished {
        let mut command: Command = programs::restore();
        self.server.ecs_environment(&mut command);
        command
            .env("ECS_ENDPOINT", endpoint)
            .env("AWS_CA_BUNDLE", ca);
        command.args(["--storage-provider=ECS", "--store-prefix=p", "--dry-run"]);
        command.arg(format!("--store-container={BUCKET}"));
        command.args(["--name=m1", "--initial-cluster=m1=http://127.0.0.1:1"]);
        command.arg("--initial-advertise-peer-urls=http://127.0.0.1:1");
        run(command.arg("--data-dir").arg(dir.join("restored")))
    }
}

/// A server that demands client certificates, and says why it closes a connection (Python's does not).
fn demanding_certificates(server: &Pair, ca: &Path, log: &Path) -> (SocketAddr, Process) {
    let addr = ports::free();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-quiet", "-verify_return_error", "-Verify", "1"]);
    command.args(["-accept", &addr.to_string()]);
    command.arg("-cert").arg(&server.cert);
    command.arg("-key").arg(&server.key);
    command.arg("-CAfile").arg(ca);
    let process = Process::spawn("openssl s_server", &mut command, log);
    until("openssl to listen", READY_WITHIN, || {
        TcpStream::connect(addr)
            .map(drop)
            .map_err(|error| error.to_string())
    });
    (addr, process)
}

#[test]
fn the_same_certificates_are_taken_and_faults_are_told_once() {
    let dir = tempfile::tempdir().expect("folder");
    let store = Store {
        server: Server::start(dir.path()),
        cluster: Cluster::start(&dir.path().join("etcd"), Version::V3_5, 1),
    };
    let pki = Pki::create(&dir.path().join("pki"));
    let stranger = Pki::create(&dir.path().join("stranger"));
    let front = |name: &str, pair: &Pair| {
        let log = dir.path().join(format!("{name}.log"));
        TlsFront::start(store.server.s3_addr(), pair, &log)
    };
    for pair in [pki.p521("p521"), pki.self_signed_ca("self")] {
        let front = front("own", &pair);
        let endpoint = format!("https://{}", front.addr());
        store.save(&endpoint, &pair.cert).ok();
        store.restore(&endpoint, &pair.cert, dir.path()).ok();
    }

    let pair = pki.issued("server", "127.0.0.1");
    let open = front("open", &pair);
    let (closed, _server) = demanding_certificates(&pair, &pki.ca, &dir.path().join("closed.log"));
    let plain = store.server.s3_addr();
    let cases = [
        (
            format!("https://{}", open.addr()),
            &stranger.ca,
            ["signed by none of", text(&stranger.ca)],
        ),
        (
            format!("https://{closed}"),
            &pki.ca,
            ["demands a client certificate", "TLS failed"],
        ),
        (
            format!("http://{}", open.addr()),
            &pki.ca,
            ["TLS is spoken on this port", "https://"],
        ),
        (
            format!("https://{plain}"),
            &pki.ca,
            ["no TLS is spoken on this port", "http://"],
        ),
    ];
    for (endpoint, ca, words) in cases {
        for refused in [
            store.save(&endpoint, ca),
            store.restore(&endpoint, ca, dir.path()),
        ] {
            let refused = refused.code(AUTH);
            for word in words {
                assert!(
                    refused.stderr.contains(word),
                    "{endpoint}: no {word:?} in {}",
                    refused.stderr
                );
            }
            assert!(!refused.stderr.contains("tried"), "{}", refused.stderr);
        }
    }
}
