//! Certificates as clusters have them, and some that only Go's clients take.

use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P521_SHA512,
};
use strongroom_tests::process::run;
use strongroom_tests::tls::Pair;

/// An authority and what it signed.
pub(crate) struct Pki {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub(crate) ca: PathBuf,
    ca_key: PathBuf,
}

fn params(name: &str, host: &str) -> CertificateParams {
    let mut params = CertificateParams::new([host.to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Pki {
    pub(crate) fn create(dir: &Path) -> Self {
        std::fs::create_dir_all(dir).expect("folder");
        let mut ca = params("ca", "ca.invalid");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("key");
        let certificate = ca.self_signed(&key).expect("signs itself");
        let (ca_path, ca_key) = (dir.join("ca.crt"), dir.join("ca.key"));
        write(&ca_path, &certificate.pem());
        write(&ca_key, &key.serialize_pem());
        Self {
            dir: dir.to_owned(),
            issuer: Issuer::new(ca, key),
            ca: ca_path,
            ca_key,
        }
    }

    fn pair(&self, name: &str) -> Pair {
        Pair {
            cert: self.dir.join(format!("{name}.crt")),
            key: self.dir.join(format!("{name}.key")),
        }
    }

    /// Signed by the authority, for `host`.
    pub(crate) fn issued(&self, name: &str, host: &str) -> Pair {
        self.signed(name, host, &KeyPair::generate().expect("key"))
    }

    /// The same with a key on P-521.
    pub(crate) fn p521(&self, name: &str) -> Pair {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).expect("key");
        self.signed(name, "127.0.0.1", &key)
    }

    fn signed(&self, name: &str, host: &str, key: &KeyPair) -> Pair {
        let certificate = params(name, host)
            .signed_by(key, &self.issuer)
            .expect("signs");
        let pair = self.pair(name);
        write(&pair.cert, &certificate.pem());
        write(&pair.key, &key.serialize_pem());
        pair
    }

    /// Signs itself and says that it is an authority, as many guides for one server have it.
    pub(crate) fn self_signed_ca(&self, name: &str) -> Pair {
        let mut params = params(name, "127.0.0.1");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("key");
        let pair = self.pair(name);
        write(&pair.cert, &params.self_signed(&key).expect("signs").pem());
        write(&pair.key, &key.serialize_pem());
        pair
    }

    /// X.509 version 1: what `openssl x509 -req` without extensions writes.
    pub(crate) fn version_1(&self, name: &str, rsa_bits: u32) -> Pair {
        let pair = self.pair(name);
        let request = self.dir.join(format!("{name}.csr"));
        run(Command::new("openssl")
            .args(["req", "-new", "-nodes", "-subj", "/CN=root", "-newkey"])
            .arg(format!("rsa:{rsa_bits}"))
            .arg("-keyout")
            .arg(&pair.key)
            .arg("-out")
            .arg(&request))
        .ok();
        run(Command::new("openssl")
            .args(["x509", "-req", "-days", "30", "-CAcreateserial", "-in"])
            .arg(&request)
            .arg("-CA")
            .arg(&self.ca)
            .arg("-CAkey")
            .arg(&self.ca_key)
            .arg("-out")
            .arg(&pair.cert))
        .ok();
        let text = run(Command::new("openssl")
            .args(["x509", "-noout", "-text", "-in"])
            .arg(&pair.cert));
        assert!(text.stdout.contains("Version: 1"), "{}", text.stdout);
        pair
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
}
