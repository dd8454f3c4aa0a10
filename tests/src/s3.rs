//! S3 requests by hand, signed by AWS' own signer: an independent check of the server, without code of our client.
//!
//! A [`Request`] can be sent as signed, or be changed after signing, which simulates a dishonest client.

use std::io;
use std::net::SocketAddr;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;

use crate::clock;
use crate::http::{self, Answer};
use crate::server::{ACCESS_KEY, SECRET_KEY, Server};

/// A caller of one server.
#[derive(Debug, Clone)]
pub struct S3 {
    addr: SocketAddr,
    access_key: String,
    secret_key: String,
}

/// A signed request that can still be tampered with.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method and target of the first line.
    pub line: (String, String),
    /// All headers, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl S3 {
    /// A caller with the operator's credentials for this server.
    pub fn of(server: &Server) -> Self {
        Self::at(server.s3_addr(), ACCESS_KEY, SECRET_KEY)
    }

    /// A caller with other credentials, for the server at this address.
    pub fn at(addr: SocketAddr, access_key: &str, secret_key: &str) -> Self {
        Self {
            addr,
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
        }
    }

    /// The same server, with a secret that is not the operator's.
    #[must_use]
    pub fn with_secret(&self, secret_key: &str) -> Self {
        Self {
            secret_key: secret_key.to_owned(),
            ..self.clone()
        }
    }

    /// PUT of an object; `path` is `/bucket/key`, percent-encoded.
    pub fn put(&self, path: &str, body: &[u8]) -> Answer {
        self.send(&self.signed("PUT", path, &[], body))
    }

    /// GET of an object, or of the query's result.
    pub fn get(&self, path: &str) -> Answer {
        self.send(&self.signed("GET", path, &[], b""))
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Answer {
        self.send(&self.signed("DELETE", path, &[], b""))
    }

    /// The keys of a bucket that begin with `prefix` (which needs no encoding in the suites), at most one page.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let answer = self.get(&format!(
            "/{bucket}?list-type=2&prefix={}",
            prefix.replace('/', "%2F")
        ));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text();
        text.split("<Key>")
            .skip(1)
            .filter_map(|part| part.split("</Key>").next())
            .map(str::to_owned)
            .collect()
    }

    /// Signs a request whose body is hashed into the signature.
    pub fn signed(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Request {
        self.sign(method, path, headers, SignableBody::Bytes(body), body)
    }

    /// Signs a request with `UNSIGNED-PAYLOAD`.
    pub fn unsigned_payload(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Request {
        self.sign(method, path, headers, SignableBody::UnsignedPayload, body)
    }

    /// Sends a request as it is.
    pub fn send(&self, request: &Request) -> Answer {
        self.try_send(request)
            .unwrap_or_else(|e| panic!("{} {}: {e}", request.line.0, request.line.1))
    }

    /// Sends a request to a server that may be gone.
    ///
    /// # Errors
    /// As [`http::send`].
    pub fn try_send(&self, request: &Request) -> io::Result<Answer> {
        http::send(self.addr, &request.bytes())
    }

    fn sign(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        signable: SignableBody<'_>,
        body: &[u8],
    ) -> Request {
        let identity =
            Credentials::new(&self.access_key, &self.secret_key, None, None, "tests").into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("s3")
            .time(clock::now())
            .settings(settings)
            .build()
            .expect("all parameters are set")
            .into();
        let uri = format!("http://{}{path}", self.addr);
        let signable = SignableRequest::new(method, uri, headers.iter().copied(), signable)
            .expect("the path is encoded");
        let (instructions, _signature) = sign(signable, &params)
            .expect("the request is signable")
            .into_parts();
        let mut all = vec![
            ("host".to_owned(), self.addr.to_string()),
            ("connection".to_owned(), "close".to_owned()),
            ("content-length".to_owned(), body.len().to_string()),
        ];
        let given = headers.iter().copied().chain(instructions.headers());
        all.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Request {
            line: (method.to_owned(), path.to_owned()),
            headers: all,
            body: body.to_vec(),
        }
    }
}

impl Request {
    /// Replaces or adds a header after signing.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the body after signing; the length header stays.
    #[must_use]
    pub fn with_body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// The request line and headers, as sent.
    pub fn head(&self) -> Vec<u8> {
        let (method, target) = &self.line;
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// The whole request, as sent.
    pub fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }
}
