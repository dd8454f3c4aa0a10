//! A certificate authority for one test: etcd's server, peer and client certificates, all for 127.0.0.1 and localhost.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// Paths of the PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The authority that signed both.
    pub cacert: PathBuf,
    /// Certificate for servers and peers.
    pub server: Pair,
    /// Certificate for clients.
    pub client: Pair,
}

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

impl Tls {
    /// A new authority with its certificates, written below `dir`.
    pub fn create(dir: &Path) -> Self {
        std::fs::create_dir_all(dir).expect("certificate folder");
        let ca_key = KeyPair::generate().expect("key");
        let mut ca = CertificateParams::default();
        ca.distinguished_name
            .push(DnType::CommonName, "strongroom-test-ca");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let ca_cert = ca.self_signed(&ca_key).expect("authority signs itself");
        let issuer = Issuer::new(ca, ca_key);

        let issue = |name: &str| {
            let key = KeyPair::generate().expect("key");
            let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
            let mut params = CertificateParams::new(names).expect("names are valid");
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ];
            let cert = params.signed_by(&key, &issuer).expect("authority signs");
            Pair {
                cert: write(dir, &format!("{name}.crt"), &cert.pem()),
                key: write(dir, &format!("{name}.key"), &key.serialize_pem()),
            }
        };
        Self {
            cacert: write(dir, "ca.crt", &ca_cert.pem()),
            server: issue("server"),
            client: issue("client"),
        }
    }
}

fn write(dir: &Path, name: &str, pem: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, pem).expect("PEM file is written");
    path
}
