//! SigV4 by hand, as its documentation writes it, so that these tests need no client.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::clock::now;
use crate::program::{PASSWORD, USER};

/// A signed request's head, with `more` unsigned header lines, up to and including the empty line.
pub(crate) fn head(method: &str, address: SocketAddr, path: &str, more: &str) -> String {
    let time = OffsetDateTime::from(now());
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let stamp = time
        .format(&format)
        .expect("a time of today can be written");
    let day = &stamp[..8];
    let canonical = format!(
        "{method}\n{path}\n\nhost:{address}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{stamp}\n\n\
         host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD"
    );
    let scope = format!("{day}/us-east-1/s3/aws4_request");
    let text = format!(
        "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
        hex::encode(Sha256::digest(canonical))
    );
    let mut key = format!("AWS4{PASSWORD}").into_bytes();
    for part in [day, "us-east-1", "s3", "aws4_request", &text] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nx-amz-date: {stamp}\r\n\
         x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nauthorization: AWS4-HMAC-SHA256 Credential={USER}/{scope}, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={}\r\n{more}\r\n",
        hex::encode(key)
    )
}
