//! Connections: TCP with the pure Rust resolver, TLS with rustls and ring. Must not know S3.

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

use super::config::Limits;
use super::dns::PureResolver;
use super::error::InvalidInput;

/// A pooled HTTP/1.1 client over plain TCP or TLS.
pub(super) type HttpClient = Client<HttpsConnector<HttpConnector<PureResolver>>, Full<Bytes>>;

/// Servers and load balancers close idle connections after 60 s or more. Closing earlier avoids races with them.
const POOL_IDLE: Duration = Duration::from_secs(20);
/// Enough for two parts in flight and a small call at the same time.
const POOL_PER_HOST_MAX: usize = 4;

pub(super) fn client(
    endpoint: &Url,
    ca_bundle_pem: Option<&[u8]>,
    limits: &Limits,
) -> Result<HttpClient, InvalidInput> {
    let mut tcp = HttpConnector::new_with_resolver(PureResolver::default());
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(limits.connect));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls_config(endpoint.scheme() == "https", ca_bundle_pem)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_PER_HOST_MAX)
        .build(connector))
}

/// An endpoint with plain HTTP needs no certificates, so a machine without certificates can still restore.
fn tls_config(needed: bool, ca_bundle_pem: Option<&[u8]>) -> Result<ClientConfig, InvalidInput> {
    let builder =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring offers the default protocol versions");
    let builder = match ca_bundle_pem {
        Some(pem) => builder.with_root_certificates(roots(pem)?),
        None if needed => builder
            .with_native_roots()
            .map_err(|_| InvalidInput::NoRoots)?,
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

fn roots(pem: &[u8]) -> Result<RootCertStore, InvalidInput> {
    let mut store = RootCertStore::empty();
    let certificates: Vec<CertificateDer<'_>> =
        CertificateDer::pem_slice_iter(pem).flatten().collect();
    let (usable, _unusable) = store.add_parsable_certificates(certificates);
    if usable == 0 {
        Err(InvalidInput::CaBundle)
    } else {
        Ok(store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        for pem in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert_eq!(
                tls_config(true, Some(pem.as_bytes())).err(),
                Some(InvalidInput::CaBundle),
                "{pem}"
            );
        }
    }

    #[test]
    fn plain_http_needs_no_certificates() {
        assert!(tls_config(false, None).is_ok());
    }
}
