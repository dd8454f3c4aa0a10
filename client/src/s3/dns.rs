//! Name lookup in pure Rust: first /etc/hosts, then the servers of /etc/resolv.conf. IP literals need no lookup.
//!
//! The C library's resolver cannot be linked statically, and the restore tool must run on machines where nothing is installed.
//! The configuration is read at the first lookup, so a broken resolv.conf does no harm if an IP address is given. Without a
//! usable resolv.conf, /etc/hosts and `localhost` still work.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::OnceCell;
use tower_service::Service;

/// The resolver for hyper's connector.
#[derive(Clone, Default)]
pub(super) struct PureResolver {
    resolver: Arc<OnceCell<TokioResolver>>,
}

/// A name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("cannot resolve host name {name:?} by /etc/hosts or DNS")]
struct LookupError {
    name: String,
    source: hickory_resolver::net::NetError,
}

impl PureResolver {
    async fn lookup(self, name: Name) -> io::Result<vec::IntoIter<SocketAddr>> {
        let failed = |source| {
            io::Error::other(LookupError {
                name: name.as_str().to_owned(),
                source,
            })
        };
        let resolver = self
            .resolver
            .get_or_try_init(|| async { build() })
            .await
            .map_err(failed)?;
        let found = resolver.lookup_ip(name.as_str()).await.map_err(failed)?;
        // The connector sets the port; by convention it is zero here.
        let addresses: Vec<SocketAddr> = found.iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        Ok(addresses.into_iter())
    }
}

fn build() -> Result<TokioResolver, hickory_resolver::net::NetError> {
    let mut builder = match TokioResolver::builder_tokio() {
        Ok(builder) => builder,
        Err(error) => {
            tracing::warn!(%error, "no usable /etc/resolv.conf: only /etc/hosts is consulted");
            TokioResolver::builder_with_config(
                ResolverConfig::default(),
                TokioRuntimeProvider::default(),
            )
        }
    };
    let options = builder.options_mut();
    options.use_hosts_file = ResolveHosts::Always;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build()
}

impl Service<Name> for PureResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.clone().lookup(name))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::str::FromStr;

    use super::*;

    #[tokio::test]
    async fn localhost_is_loopback() {
        let name = Name::from_str("localhost").expect("a name");
        let found: Vec<IpAddr> = PureResolver::default()
            .lookup(name)
            .await
            .expect("localhost resolves")
            .map(|a| a.ip())
            .collect();
        assert!(
            !found.is_empty() && found.iter().all(IpAddr::is_loopback),
            "{found:?}"
        );
    }

    #[tokio::test]
    async fn a_name_that_cannot_exist_names_itself_in_the_error() {
        let name = Name::from_str("not..a..name").expect("hyper takes any text");
        let error = PureResolver::default()
            .lookup(name)
            .await
            .expect_err("two dots in a row");
        assert!(error.to_string().contains("not..a..name"), "{error}");
    }
}
