//! Handshakes in memory with servers that rustls plays, and files that cannot be used. Real etcds: the suite `save_tls`.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P521_SHA512};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConnection, ServerConfig, ServerConnection};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::fault::Files;
use super::*;

/// A certificate and its key.
struct Server {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).expect("valid")
}

fn self_signed(params: &CertificateParams, key: KeyPair) -> Server {
    let certificate = params.self_signed(&key).expect("signs itself");
    Server {
        pem: certificate.pem(),
        certificate: certificate.into(),
        key,
    }
}

fn p256() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// A handshake of a client that trusts `trusted` and asks for `name`.
fn shake(server: &Server, trusted: &str, name: &str) -> Result<(), TlsFault> {
    let trust = Trust::file(&PemFile::new("ca.pem", trusted)).expect("usable");
    let config = client_config(Some(&trust), None).expect("usable");
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut client = ClientConnection::new(config.into(), name).expect("a client");
    let key = PrivateKeyDer::try_from(server.key.serialize_der()).expect("a key");
    let signing = provider().key_provider.load_private_key(key);
    // Unchecked: rustls does not serve every certificate that others do.
    let chain = vec![server.certificate.clone()];
    let certified = CertifiedKey::new(chain, signing.expect("a key"));
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    let mut peer = ServerConnection::new(Arc::new(config)).expect("a server");
    let files = Files {
        trusted: trust.name(),
        client: None,
    };
    while client.is_handshaking() || peer.is_handshaking() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).expect("memory");
        }
        peer.read_tls(&mut wire.as_slice()).expect("memory");
        peer.process_new_packets().expect("our client is sound");
        let mut wire = Vec::new();
        while peer.wants_write() {
            peer.write_tls(&mut wire).expect("memory");
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire).expect("memory");
            client
                .process_new_packets()
                .map_err(|error| TlsFault::of(&error, files))?;
        }
    }
    Ok(())
}

#[test]
fn a_certificate_that_is_its_own_anchor_is_accepted_as_in_go() {
    let p521 = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).expect("a key");
    let auto_tls = self_signed(&params("localhost"), p521);
    assert_eq!(shake(&auto_tls, &auto_tls.pem, "localhost"), Ok(()));

    let mut ca = params("localhost");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = self_signed(&ca, p256());
    assert_eq!(shake(&ca, &ca.pem, "localhost"), Ok(()));

    let mut issuer = params("ca");
    issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = Issuer::new(issuer, p256());
    let key = p256();
    let leaf = params("localhost").signed_by(&key, &issuer).expect("signs");
    let leaf = Server {
        pem: leaf.pem(),
        certificate: leaf.into(),
        key,
    };
    assert_eq!(shake(&leaf, &leaf.pem, "localhost"), Ok(()));
}

#[test]
fn an_anchor_itself_is_judged_by_name_dates_purpose_and_extensions() {
    let ca = |change: &dyn Fn(&mut CertificateParams)| {
        // CA:TRUE, so that only the anchor itself can be accepted.
        let mut params = params("localhost");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        self_signed(&params, p256())
    };
    let judged = |server: &Server, name: &str| shake(server, &server.pem, name);
    let sound = ca(&|_| {});
    assert!(matches!(
        judged(&sound, "other.example"),
        Err(TlsFault::WrongName { .. })
    ));
    let expired = ca(&|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let early = ca(&|params| params.not_before = rcgen::date_time_ymd(2200, 1, 1));
    for server in [&expired, &early] {
        assert!(matches!(
            judged(server, "localhost"),
            Err(TlsFault::Dates { .. })
        ));
    }
    let for_clients = ca(&|params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    let odd = ca(&|params| {
        let mut extension =
            rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 9999, 1], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions = vec![extension];
    });
    for server in [&for_clients, &odd] {
        assert!(matches!(
            judged(server, "localhost"),
            Err(TlsFault::Certificate { .. })
        ));
    }
}

#[test]
fn a_twin_of_an_anchor_is_no_anchor() {
    let mut twin = params("localhost");
    twin.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let anchor = self_signed(&twin, p256());
    let twin = self_signed(&twin, p256());
    let Err(fault) = shake(&twin, &anchor.pem, "localhost") else {
        panic!("another key is another certificate")
    };
    assert!(
        matches!(
            fault,
            TlsFault::UnknownIssuer { .. } | TlsFault::Certificate { .. }
        ),
        "{fault}"
    );
}

#[test]
fn unusable_files_are_named() {
    let (sound, other) = (
        self_signed(&params("localhost"), p256()),
        self_signed(&params("localhost"), p256()),
    );
    let file = |text: &str| PemFile::new("/pki/x.pem", text);
    for text in [
        "",
        "no pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let error = Trust::file(&file(text)).expect_err("is refused");
        assert!(error.to_string().contains("/pki/x.pem"), "{error}");
        let key = PemFile::new("/pki/x.key", sound.key.serialize_pem());
        let error = Identity::read(&file(text), &key).expect_err("is refused");
        assert!(error.to_string().contains("/pki/x.pem"), "{error}");
    }
    let certificate = PemFile::new("/pki/x.crt", sound.pem.clone());
    let error = Identity::read(&certificate, &file("")).expect_err("is refused");
    assert!(matches!(error, PemError::NoKey { .. }), "{error}");
    let key = PemFile::new("/pki/other.key", other.key.serialize_pem());
    let error = Identity::read(&certificate, &key).expect_err("is refused");
    assert!(error.to_string().contains("/pki/other.key"), "{error}");
}
