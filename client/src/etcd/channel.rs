//! The connection to one member: HTTP/2 over TCP, with this crate's TLS for https.
//!
//! The gRPC library's own TLS can neither present every certificate nor say which file was at fault.

use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tonic::transport::{Channel, Endpoint};
use tower_service::Service;

use super::error::EtcdError;
use super::member::EtcdConfig;
use crate::tls::{self, Files, TlsFault};

/// etcdctl's dial timeout is 2 s; TLS with a busy control plane may take longer.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Interval and timeout. A peer that vanished without closing is detected after both; etcd refuses more than one ping per 5 s.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(15));

/// A channel to the member at `address`, which connects with the first call.
pub(super) fn to(address: &str, config: &EtcdConfig) -> Result<Channel, EtcdError> {
    let wrong = || EtcdError::Address {
        endpoint: address.to_owned(),
    };
    let uri: Uri = address.parse().map_err(|_| wrong())?;
    // The library refuses https unless it does TLS itself; so it sees http, and requests carry the true origin.
    let plain = format!("http://{}", uri.authority().ok_or_else(wrong)?);
    let (interval, timeout) = KEEP_ALIVE;
    let endpoint = Endpoint::from_shared(plain)
        .map_err(|_| wrong())?
        .origin(uri.clone())
        .connect_timeout(CONNECT_LIMIT)
        .http2_keep_alive_interval(interval)
        .keep_alive_timeout(timeout)
        .keep_alive_while_idle(false);
    let inner = connector(&uri, config)?;
    Ok(endpoint.connect_with_connector_lazy(Connector { inner, uri }))
}

fn connector(uri: &Uri, config: &EtcdConfig) -> Result<HttpsConnector<HttpConnector>, EtcdError> {
    let trust = match &config.trust {
        Some(trust) => Some(trust.clone()),
        None if uri.scheme_str() == Some("https") => Some(tls::Trust::system()?),
        None => None,
    };
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(tls::client_config(
            trust.as_ref(),
            config.identity.as_ref(),
        )?)
        .https_or_http()
        .enable_http2()
        .wrap_connector(tcp()))
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_LIMIT));
    tcp
}

/// The TLS fault behind a broken connection to `address`.
pub(super) async fn fault(
    address: &str,
    config: &EtcdConfig,
    files: Files<'_>,
) -> Option<TlsFault> {
    let uri: Uri = address.parse().ok()?;
    let https = connector(&uri, config).ok()?;
    tls::fault(uri, tcp(), https, files).await
}

/// Connects to its own address, whatever it is asked for.
struct Connector {
    inner: HttpsConnector<HttpConnector>,
    uri: Uri,
}

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = <HttpsConnector<HttpConnector> as Service<Uri>>::Error;
    type Future = <HttpsConnector<HttpConnector> as Service<Uri>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        self.inner.call(self.uri.clone())
    }
}
