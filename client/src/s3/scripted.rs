//! Tests only: clients for the suites' fake S3, and helpers for its scripted answers.

use std::time::Duration;

use strongroom_tests::fake_s3::{FakeS3, Reply};
use url::Url;

use super::{Limits, S3Client, S3Config, Secret};
use crate::clock::Clock;

/// A complete answer.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let reply = Reply::new(status, body);
    let more = headers.iter();
    more.fold(reply, |reply, (name, value)| reply.header(name, value))
}

/// A client without long waits.
pub(crate) fn client_of(server: &FakeS3, clock: Clock) -> S3Client {
    let endpoint = Url::parse(&server.endpoint()).expect("an address is a URL");
    let mut config = S3Config::new(endpoint, "id", Secret::new("secret"));
    config.clock = clock;
    config.limits = Limits {
        answer: Duration::from_millis(400),
        complete: Duration::from_millis(400),
        idle: Duration::from_millis(400),
        attempts: 3,
        backoff_first: Duration::from_millis(1),
        ..Limits::default()
    };
    S3Client::new(config).expect("the configuration is right")
}
