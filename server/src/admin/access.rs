//! Who may ask the admin listener for what.
//!
//! Probes and metrics answer everybody who reaches the listener. Everything else asks for a host that no web page can
//! choose: a page whose name was pointed at this machine (DNS rebinding) carries its own name in `Host`. Changes also
//! need the root credentials, unless the configuration waives them.

use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use crate::admin::reply::text;

/// Paths of probes and scrapers, which may name the host as they like. Their answers tell nothing of contents.
const FOR_PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Who may change something on the admin listener.
#[derive(Clone)]
pub enum Changes {
    /// Whoever knows this user and password.
    ByOperator {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// Whoever reaches the listener.
    ByAnyone,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Changes::ByOperator { .. } => "ByOperator",
            Changes::ByAnyone => "ByAnyone",
        })
    }
}

impl Changes {
    /// Refuses a request that its sender may not make.
    pub(super) fn check(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(), Box<Response>> {
        if !FOR_PROBES.contains(&path) && !names_this_machine(headers) {
            let why = "the Host header must be an IP address or localhost: a web page must not be able to ask\n";
            return Err(Box::new(text(StatusCode::FORBIDDEN, why)));
        }
        if matches!(*method, Method::GET | Method::HEAD) || self.allow(headers) {
            return Ok(());
        }
        let why = "changes need the root user and password: curl -u USER ...\n";
        let mut refused = text(StatusCode::UNAUTHORIZED, why);
        let basic = HeaderValue::from_static("Basic realm=\"strongroom-server\"");
        refused.headers_mut().insert(WWW_AUTHENTICATE, basic);
        Err(Box::new(refused))
    }

    fn allow(&self, headers: &HeaderMap) -> bool {
        let Changes::ByOperator { user, password } = self else {
            return true;
        };
        let sent = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let sent = sent.and_then(|sent| sent.strip_prefix(b"Basic "));
        let Some(sent) = sent.and_then(|sent| STANDARD.decode(sent).ok()) else {
            return false;
        };
        let right = format!("{user}:{password}");
        right.as_bytes().ct_eq(&sent).into()
    }
}

/// Whether the host is an address, or the one name that no name server can move. Programs that send no host are no
/// browsers.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else {
        return true;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost")
        || bare.unwrap_or(name).parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::try_from(text).expect("a header value");
        pairs
            .iter()
            .map(|(name, text)| (name.parse().expect("a name"), value(text)))
            .collect()
    }

    fn status(
        changes: &Changes,
        method: &Method,
        path: &str,
        pairs: &[(&'static str, &str)],
    ) -> u16 {
        match changes.check(method, path, &headers(pairs)) {
            Ok(()) => 200,
            Err(refused) => refused.status().as_u16(),
        }
    }

    fn operator() -> Changes {
        Changes::ByOperator {
            user: "root".to_owned(),
            password: "p:w".to_owned(),
        }
    }

    /// A page in a browser whose name points at this machine carries its name in `Host`.
    #[test]
    fn a_web_page_reaches_nothing_but_probes() {
        for host in [
            "127.0.0.1:9001",
            "localhost",
            "LOCALHOST:9001",
            "[::1]:9001",
            "10.1.2.3",
        ] {
            let pairs = [("host", host)];
            assert_eq!(
                status(&operator(), &Method::GET, "/log", &pairs),
                200,
                "{host}"
            );
        }
        for host in [
            "evil.example:9001",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "[evil]",
            "a:b",
        ] {
            let pairs = [("host", host)];
            for path in ["/log", "/jobs", "/", "/anything"] {
                assert_eq!(
                    status(&operator(), &Method::GET, path, &pairs),
                    403,
                    "{host}"
                );
            }
            assert_eq!(
                status(&Changes::ByAnyone, &Method::PUT, "/log", &pairs),
                403,
                "{host}"
            );
            for path in ["/livez", "/readyz", "/metrics"] {
                assert_eq!(
                    status(&operator(), &Method::GET, path, &pairs),
                    200,
                    "{host}"
                );
            }
        }
        assert_eq!(status(&operator(), &Method::GET, "/log", &[]), 200);
    }

    #[test]
    fn changes_need_the_root_credentials_unless_waived() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let put = |authorization: &str| {
            let pairs = [("host", "localhost"), ("authorization", authorization)];
            status(&operator(), &Method::PUT, "/log", &pairs)
        };
        assert_eq!(put(&basic("root:p:w")), 200);
        for wrong in ["root:p", "root:p:w ", "root", "", "Root:p:w", ":p:w"] {
            assert_eq!(put(&basic(wrong)), 401, "{wrong}");
        }
        assert_eq!(put("Bearer root:p:w"), 401);
        assert_eq!(put("Basic !"), 401);
        let bare = [("host", "localhost")];
        for method in [Method::PUT, Method::DELETE, Method::POST, Method::PATCH] {
            assert_eq!(status(&operator(), &method, "/log", &bare), 401, "{method}");
            assert_eq!(
                status(&Changes::ByAnyone, &method, "/log", &bare),
                200,
                "{method}"
            );
        }
        assert_eq!(format!("{:?}", operator()), "ByOperator");
    }
}
