//! Saves from real etcds with the certificates that Go's clients take, and what is said of those that nobody takes.
//!
//! etcdctl of the same version is the judge of what must work.

mod pki;
mod s3;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use pki::Pki;
use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::etcd::Version;
use strongroom_tests::process::{Finished, Process, run};
use strongroom_tests::tls::Pair;
use strongroom_tests::{http, ports, programs};

const AUTH: i32 = 5;

/// One member with TLS towards clients; its health is asked on a port of its own.
struct Member {
    version: Version,
    client: SocketAddr,
    _process: Process,
}

impl Member {
    fn start(dir: &Path, version: Version, scheme: &str, flags: &[&str]) -> Self {
        let (client, peer, health) = (ports::free(), ports::free(), ports::free());
        let mut command = programs::etcd(version, "etcd");
        command.args(["--name", "m1", "--data-dir"]).arg(dir);
        for flag in ["--listen-client-urls", "--advertise-client-urls"] {
            command.args([flag, &format!("{scheme}://{client}")]);
        }
        for flag in ["--listen-peer-urls", "--initial-advertise-peer-urls"] {
            command.args([flag, &format!("http://{peer}")]);
        }
        command.args(["--initial-cluster", &format!("m1=http://{peer}")]);
        command.args(["--listen-metrics-urls", &format!("http://{health}")]);
        command.args(["--log-level", "error"]).args(flags);
        let process = Process::spawn("etcd", &mut command, &dir.with_extension("log"));
        until("etcd to be healthy", READY_WITHIN, || {
            match http::get(health, "/health") {
                Ok(answer) if answer.head.status == 200 => Ok(()),
                Ok(answer) => Err(answer.text()),
                Err(error) => Err(error.to_string()),
            }
        });
        Self {
            version,
            client,
            _process: process,
        }
    }

    fn serving(dir: &Path, version: Version, server: &Pair, flags: &[&str]) -> Self {
        let text = |path: &Path| path.to_str().expect("text").to_owned();
        let (cert, key) = (text(&server.cert), text(&server.key));
        let mut all = vec!["--cert-file", &cert, "--key-file", &key];
        all.extend_from_slice(flags);
        Self::start(dir, version, "https", &all)
    }

    /// etcdctl takes these flags, and so do we.
    fn assert_saves(&self, dir: &Path, flags: &[&str]) {
        let endpoint = format!("https://{}", self.client);
        let mut etcdctl = programs::etcd(self.version, "etcdctl");
        etcdctl
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &endpoint]);
        let judged = run(etcdctl
            .args(flags)
            .args(["snapshot", "save"])
            .arg(dir.join("etcdctl.db")));
        assert_eq!(judged.code, Some(0), "{}: {}", self.version, judged.text());
        save(&endpoint, dir, flags).ok();
    }
}

fn save(endpoint: &str, dir: &Path, flags: &[&str]) -> Finished {
    let mut command: Command = programs::client();
    command.args(["snapshot", "save", "--endpoints", endpoint]);
    run(command.args(flags).arg(dir.join("snapshot.db")))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are text")
}

#[test]
fn certificates_that_are_their_own_anchor_are_taken() {
    for version in Version::ALL {
        let dir = tempfile::tempdir().expect("folder");
        let data = dir.path().join("auto");
        let auto = Member::start(&data, version, "https", &["--auto-tls"]);
        let certificate = data.join("fixtures/client/cert.pem");
        auto.assert_saves(dir.path(), &["--cacert", text(&certificate)]);

        let pki = Pki::create(&dir.path().join("pki"));
        for server in [
            pki.issued("server", "127.0.0.1"),
            pki.self_signed_ca("self"),
        ] {
            let member =
                Member::serving(&server.cert.with_extension("etcd"), version, &server, &[]);
            member.assert_saves(dir.path(), &["--cacert", text(&server.cert)]);
        }
    }
}

#[test]
fn client_certificates_of_any_version_and_curve_are_presented() {
    for version in Version::ALL {
        let dir = tempfile::tempdir().expect("folder");
        let pki = Pki::create(&dir.path().join("pki"));
        let server = pki.issued("server", "127.0.0.1");
        let flags = ["--client-cert-auth", "--trusted-ca-file", text(&pki.ca)];
        let member = Member::serving(&dir.path().join("etcd"), version, &server, &flags);
        for client in [
            pki.issued("ordinary", "127.0.0.1"),
            pki.p521("p521"),
            pki.version_1("old", 2048),
        ] {
            let (cert, key) = (text(&client.cert), text(&client.key));
            let flags = ["--cacert", text(&pki.ca), "--cert", cert, "--key", key];
            member.assert_saves(dir.path(), &flags);
        }
        // Too small for the crypto library: told with the file before anything is sent.
        let small = pki.version_1("small", 1024);
        let (cert, key) = (text(&small.cert), text(&small.key));
        let endpoint = format!("https://{}", member.client);
        let flags = ["--cacert", text(&pki.ca), "--cert", cert, "--key", key];
        let refused = save(&endpoint, dir.path(), &flags).code(AUTH);
        assert!(
            refused.stderr.contains(key) && refused.stderr.contains("1024 bits"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn every_fault_of_tls_exits_5_with_the_file_and_the_fault() {
    for version in Version::ALL {
        let dir = tempfile::tempdir().expect("folder");
        let pki = Pki::create(&dir.path().join("pki"));
        let stranger = Pki::create(&dir.path().join("stranger"));
        let server = pki.issued("server", "127.0.0.1");
        let auth = ["--client-cert-auth", "--trusted-ca-file", text(&pki.ca)];
        let member = Member::serving(&dir.path().join("etcd"), version, &server, &auth);
        let elsewhere = pki.issued("elsewhere", "etcd.example");
        let misnamed = Member::serving(&dir.path().join("misnamed"), version, &elsewhere, &[]);
        let plain = Member::start(&dir.path().join("plain"), version, "http", &[]);
        let (client, other) = (
            pki.issued("client", "127.0.0.1"),
            stranger.issued("other", "127.0.0.1"),
        );
        let says = |endpoint: String, flags: &[&str], words: &[&str]| {
            let refused = save(&endpoint, dir.path(), flags).code(AUTH);
            for word in words {
                assert!(
                    refused.stderr.contains(word),
                    "{version}: no {word:?} in {}",
                    refused.stderr
                );
            }
        };
        let (ca, foreign_ca) = (text(&pki.ca), text(&stranger.ca));
        let (cert, key) = (text(&client.cert), text(&client.key));
        let at = |scheme: &str, member: &Member| format!("{scheme}://{}", member.client);
        let https = at("https", &member);
        says(
            https.clone(),
            &["--cacert", ca],
            &["demands a client certificate", "--cert FILE"],
        );
        says(
            https.clone(),
            &["--cacert", foreign_ca, "--cert", cert, "--key", key],
            &[foreign_ca, "signed by none of"],
        );
        let (wrong_cert, wrong_key) = (text(&other.cert), text(&other.key));
        says(
            https.clone(),
            &["--cacert", ca, "--cert", wrong_cert, "--key", wrong_key],
            &[wrong_cert, "does not accept the client certificate"],
        );
        says(
            https,
            &["--cacert", ca, "--cert", cert, "--key", wrong_key],
            &[wrong_key, "does not belong"],
        );
        says(
            at("http", &member),
            &[],
            &["TLS is spoken on this port", "https://"],
        );
        says(
            at("https", &misnamed),
            &["--cacert", ca],
            &["is for etcd.example, not for 127.0.0.1"],
        );
        says(
            at("https", &plain),
            &["--cacert", ca],
            &["no TLS is spoken on this port", "http://"],
        );
    }
}
