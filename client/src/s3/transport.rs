//! Connections: TCP with the pure Rust resolver, TLS with rustls. Must not know S3.

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::time::Duration;
use url::Url;

use super::config::Limits;
use super::dns::PureResolver;
use crate::tls::{self, Files, PemError, PemFile, TlsFault, Trust};

/// A pooled HTTP/1.1 client over plain TCP or TLS.
pub(super) type HttpClient = Client<HttpsConnector<HttpConnector<PureResolver>>, Full<Bytes>>;

/// Servers and load balancers close idle connections after 60 s or more. Closing earlier avoids races with them.
const POOL_IDLE: Duration = Duration::from_secs(20);
/// Enough for two parts in flight and a small call at the same time.
const POOL_PER_HOST_MAX: usize = 4;

pub(super) fn client(
    endpoint: &Url,
    ca_bundle: Option<&PemFile>,
    limits: &Limits,
) -> Result<HttpClient, PemError> {
    let connector = connector(endpoint, ca_bundle, limits)?;
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_PER_HOST_MAX)
        .build(connector))
}

fn connector(
    endpoint: &Url,
    ca_bundle: Option<&PemFile>,
    limits: &Limits,
) -> Result<HttpsConnector<HttpConnector<PureResolver>>, PemError> {
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(tls_config(endpoint.scheme() == "https", ca_bundle)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp(limits)))
}

fn tcp(limits: &Limits) -> HttpConnector<PureResolver> {
    let mut tcp = HttpConnector::new_with_resolver(PureResolver::default());
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(limits.connect));
    tcp
}

/// An endpoint with plain HTTP needs no certificates, so a machine without certificates can still restore.
fn tls_config(needed: bool, ca_bundle: Option<&PemFile>) -> Result<ClientConfig, PemError> {
    let trust = match ca_bundle {
        Some(file) => Some(Trust::file(file)?),
        None if needed => Some(Trust::system()?),
        None => None,
    };
    tls::client_config(trust.as_ref(), None)
}

/// The TLS fault behind a broken connection to `endpoint`.
pub(super) async fn fault(
    endpoint: &Url,
    ca_bundle: Option<&PemFile>,
    limits: &Limits,
    files: Files<'_>,
) -> Option<TlsFault> {
    let uri = endpoint.as_str().parse().ok()?;
    let https = connector(endpoint, ca_bundle, limits).ok()?;
    tls::fault(uri, tcp(limits), https, files).await
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
            let file = PemFile::new("/etc/ca.pem", pem);
            let error = tls_config(true, Some(&file)).expect_err("is refused");
            assert!(error.to_string().contains("/etc/ca.pem"), "{error}");
        }
    }

    #[test]
    fn plain_http_needs_no_certificates() {
        assert!(tls_config(false, None).is_ok());
    }
}
