//! Answers that are not the store's: of a proxy, a load balancer, a firewall or a login page between here and the store.
//!
//! S3 explains every failure by an XML document or, to HEAD, at least marks it with its headers. What has neither was written by
//! something in between, and only its status tells what it means for a backup.

use std::fmt;

use hyper::header::{CONTENT_TYPE, HeaderName, LOCATION, SERVER};
use hyper::http::response;

use super::error::server_text;

/// Statuses that S3 never gives without a document: 411, 413 and proxies' own.
const NEVER_BARE: [u16; 4] = [407, 411, 413, 511];
/// The header that every S3 server sends.
const S3_MARK: HeaderName = HeaderName::from_static("x-amz-request-id");

/// An answer from in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intermediary {
    /// HTTP status.
    pub status: u16,
    /// The name of the status.
    pub reason: &'static str,
    /// Its `Server` header, such as `nginx/1.22.1`.
    pub server: Option<String>,
    /// Where it redirects to.
    pub location: Option<String>,
}

impl Intermediary {
    /// The sender of an answer without S3's error document, if that is not S3. `body` is empty for HEAD.
    pub(super) fn of(head: &response::Parts, body: &[u8]) -> Option<Self> {
        let status = head.status.as_u16();
        let bare = NEVER_BARE.contains(&status) || head.status.is_redirection();
        if head.headers.contains_key(&S3_MARK) || (body.is_empty() && !bare) {
            return None;
        }
        let text = |name| {
            let value = head.headers.get(name)?.to_str().ok()?;
            Some(server_text(value))
        };
        Some(Self {
            status,
            reason: head.status.canonical_reason().unwrap_or("unknown status"),
            server: text(SERVER),
            location: text(LOCATION),
        })
    }

    /// The next step.
    pub fn advice(&self) -> &'static str {
        match self.status {
            300..=399 => {
                "name the store's own address; if a login page is in the way, go around it (NO proxy for this host)"
            }
            401 | 403 | 407 | 511 => {
                "let the proxy or firewall in between pass this machine, or go around it"
            }
            404 => "name the store's own address: whatever answers there knows no such path",
            411 | 413 => {
                "let the proxy pass bodies of 64 MiB (nginx: client_max_body_size 0; and proxy_request_buffering off;), or go around it"
            }
            500..=599 => {
                "check that the store behind the proxy runs, then run the same command again"
            }
            _ => "look at the log of the proxy in between, or go around it",
        }
    }
}

impl fmt::Display for Intermediary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sender = self.server.as_deref().unwrap_or("something in between");
        let (status, reason) = (self.status, self.reason);
        write!(
            out,
            "{sender} answered {status} {reason}, which is not S3's answer: "
        )?;
        match (status, &self.location) {
            (300..=399, Some(location)) => {
                write!(
                    out,
                    "it sends this client on to {location}, and no store is there"
                )
            }
            (300..=399, None) => out.write_str("it sends this client elsewhere"),
            (401 | 403 | 407 | 511, _) => out.write_str("it does not let this machine through"),
            (404, _) => out.write_str("it has no store under this address"),
            (411, _) => out.write_str("it does not pass on bodies of this kind"),
            (413, _) => {
                out.write_str("it does not pass on bodies of this size (parts have 16 MiB or more)")
            }
            (502..=504, _) => out.write_str("it does not reach the store behind it"),
            _ => out.write_str("the store never saw the request"),
        }
    }
}

/// Whether a success is a web page: some login pages answer everything with 200.
pub(super) fn is_web_page(head: &response::Parts) -> bool {
    let kind = head.headers.get(CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.trim_start().starts_with("text/html"))
        && !head.headers.contains_key(&S3_MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, headers: &[(&str, &str)]) -> response::Parts {
        let mut answer = hyper::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        answer.body(()).expect("valid").into_parts().0
    }

    #[test]
    fn answers_of_stores_are_told_from_those_in_between() {
        let of = |status, headers: &[(&str, &str)], body: &str| {
            Intermediary::of(&head(status, headers), body.as_bytes())
        };
        let page = of(413, &[("Server", "nginx/1.22.1")], "<html>").expect("a proxy's");
        assert_eq!(
            page.to_string(),
            "nginx/1.22.1 answered 413 Payload Too Large, which is not S3's answer: it does not pass on bodies of this size \
             (parts have 16 MiB or more)"
        );
        assert!(page.advice().contains("client_max_body_size"));
        let login = of(302, &[("Location", "https://sso.example/")], "").expect("a proxy's");
        assert!(login.to_string().contains("on to https://sso.example/"));
        assert!(of(502, &[], "<html>").is_some());
        // HEAD of a missing bucket, and a wrong region at AWS.
        assert_eq!(of(404, &[], ""), None);
        assert_eq!(of(301, &[("x-amz-request-id", "1")], ""), None);
    }
}
