//! The certificate that a client presents. Any version and any key is presented, as Go's clients do: the server judges it.

use std::fmt;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::pem::{PemError, PemFile};
use super::provider;

/// Smaller RSA keys cannot sign with the crypto provider.
const RSA_BITS_MIN: usize = 2048;

/// A client certificate with its key.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    file: String,
}

impl Identity {
    /// Reads a certificate, with the chain to its authority if there is one, and its key.
    ///
    /// # Errors
    /// If a file is not usable, or the two are no pair.
    pub fn read(certificate: &PemFile, key: &PemFile) -> Result<Self, PemError> {
        let chain = certificate.certificates()?;
        let unusable = |reason: String| PemError::Certificate {
            file: certificate.name().to_owned(),
            number: 1,
            reason,
        };
        let leaf = chain.first().map(AsRef::as_ref).unwrap_or_default();
        let (_, leaf) = X509Certificate::from_der(leaf).map_err(|e| unusable(e.to_string()))?;
        let spki = leaf.public_key();
        let signing = provider()
            .key_provider
            .load_private_key(key.key()?)
            .map_err(|error| PemError::Key {
                file: key.name().to_owned(),
                reason: small_rsa(&spki.parsed()).unwrap_or_else(|| error.to_string()),
            })?;
        let public = signing.public_key();
        if public.is_some_and(|public| public.as_ref() != spki.raw) {
            return Err(PemError::NoPair {
                certificate: certificate.name().to_owned(),
                key: key.name().to_owned(),
            });
        }
        Ok(Self {
            certified: Arc::new(CertifiedKey::new(chain.clone(), signing)),
            file: certificate.name().to_owned(),
        })
    }

    /// The certificate's file.
    pub fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        Arc::new(Always(Arc::clone(&self.certified)))
    }
}

fn small_rsa<E>(key: &Result<PublicKey<'_>, E>) -> Option<String> {
    match key {
        Ok(PublicKey::RSA(rsa)) if rsa.key_size() < RSA_BITS_MIN => Some(format!(
            "RSA with {} bits; sign a new certificate for a key of {RSA_BITS_MIN} bits or more",
            rsa.key_size()
        )),
        _ => None,
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Identity({})", self.file)
    }
}

/// Presents the certificate whatever authorities the server names, as etcd's own clients do.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
