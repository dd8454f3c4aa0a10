//! Judges a server's certificate.
//!
//! webpki decides. In one case Go's clients accept more: the presented certificate is itself, byte by byte, among the trusted
//! ones (`etcd --auto-tls`, or a server's own certificate given as the CA, also a self-signed one with CA:TRUE). Then no issuer
//! is needed. Everything else that Go checks is checked here as well: dates, purpose, names, unknown critical extensions.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::pem::{PemError, PemFile};
use super::provider;

/// The certificates that a server must descend from, or be.
#[derive(Debug, Clone)]
pub struct Trust {
    anchors: Vec<CertificateDer<'static>>,
    file: Option<String>,
}

impl Trust {
    /// The certificates in a file, instead of the system's.
    ///
    /// # Errors
    /// If the file has no certificate, or one that cannot be used.
    pub fn file(file: &PemFile) -> Result<Self, PemError> {
        let anchors = file.certificates()?;
        let mut store = RootCertStore::empty();
        for (number, anchor) in (1..).zip(&anchors) {
            store
                .add(anchor.clone())
                .map_err(|error| PemError::Certificate {
                    file: file.name().to_owned(),
                    number,
                    reason: error.to_string(),
                })?;
        }
        Ok(Self {
            anchors,
            file: Some(file.name().to_owned()),
        })
    }

    /// The certificates of this system.
    ///
    /// # Errors
    /// If there are none.
    pub fn system() -> Result<Self, PemError> {
        let anchors = rustls_native_certs::load_native_certs().certs;
        if anchors.is_empty() {
            return Err(PemError::NoRoots);
        }
        let file = None;
        Ok(Self { anchors, file })
    }

    /// The file's name; `None` for the system's certificates.
    pub fn name(&self) -> Option<&str> {
        self.file.as_deref()
    }

    pub(super) fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, PemError> {
        let mut store = RootCertStore::empty();
        // A system may have old certificates that cannot be used; those of a file were checked.
        let _counts = store.add_parsable_certificates(self.anchors.iter().cloned());
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider())
            .build()
            .map_err(|_| PemError::NoRoots)?;
        Ok(Arc::new(Verifier {
            chains,
            anchors: self.anchors.clone(),
        }))
    }
}

#[derive(Debug)]
struct Verifier {
    chains: Arc<WebPkiServerVerifier>,
    anchors: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.chains.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match judged {
            Err(_) if self.anchors.iter().any(|anchor| anchor == end_entity) => {
                verify_anchor_itself(end_entity, server_name, now)
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// What Go checks of a leaf that is itself a trusted certificate (crypto/x509, `Certificate.Verify`).
fn verify_anchor_itself(
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let (rest, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    if !rest.is_empty() {
        return Err(CertificateError::BadEncoding.into());
    }
    let now_secs = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if now_secs < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now_secs > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    for extension in parsed.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::ExtendedKeyUsage(usage) if !usage.server_auth && !usage.any => {
                return Err(CertificateError::InvalidPurpose.into());
            }
            ParsedExtension::ExtendedKeyUsage(_)
            | ParsedExtension::KeyUsage(_)
            | ParsedExtension::BasicConstraints(_)
            | ParsedExtension::SubjectAlternativeName(_) => {}
            _ if extension.critical => {
                return Err(CertificateError::UnhandledCriticalExtension.into());
            }
            _ => {}
        }
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name)?;
    Ok(ServerCertVerified::assertion())
}
