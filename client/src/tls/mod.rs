//! TLS towards etcd and S3, with the certificates that Go's clients accept, since clusters are run with them.
//!
//! One crypto provider (AWS-LC) for all connections. [`pem`] reads the files of the command line, [`verify`] judges servers,
//! [`identity`] presents the client's certificate, [`fault`] says what went wrong and with
//! which file, after [`probe`] has looked again if need be. Must not know etcd or S3.

mod fault;
mod identity;
mod pem;
mod probe;
mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};

pub(crate) use fault::Files;
pub use fault::TlsFault;
pub use identity::Identity;
pub use pem::{PemError, PemFile};
pub(crate) use probe::fault;
pub use verify::Trust;

/// The crypto of every connection.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A configuration that trusts `trust` (nobody without it, for connections without TLS) and presents `identity`.
///
/// # Errors
/// If none of the trusted certificates can be used.
pub(crate) fn client_config(
    trust: Option<&Trust>,
    identity: Option<&Identity>,
) -> Result<ClientConfig, PemError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has the default protocol versions");
    let builder = match trust {
        Some(trust) => builder
            .dangerous()
            .with_custom_certificate_verifier(trust.verifier()?),
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(match identity {
        Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
        None => builder.with_no_client_auth(),
    })
}
