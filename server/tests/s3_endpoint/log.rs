//! The log line of each request.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use strongroom_server::telemetry::log::{LineFormat, LogFilter, build};
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::{Endpoint, SECRET, USER};

/// Log lines in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        let bytes = self.0.lock();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

/// Whether the line reports the end of a request.
fn is_request(line: &str) -> bool {
    line.contains("\"message\":\"s3 request\"")
}

/// On one thread, so that its subscriber sees every line.
#[tokio::test]
async fn each_request_leaves_one_line_without_secrets() {
    let lines = Lines::default();
    let endpoint = Endpoint::start().await;
    // With a single subscriber, an event that another test's thread meets first would be taken for one that nobody wants.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let filter = LogFilter::parse("debug").expect("a filter");
    let (dispatch, _control) = build(&filter, LineFormat::Json, lines.clone());
    let _default = tracing::dispatcher::set_default(&dispatch);
    let put = endpoint
        .call("PUT", "/bkt/a%0Ab")
        .body(b"the contents")
        .header("user-agent", "a backup job")
        .wire();
    let put_id = put
        .send()
        .await
        .expect_status(200)
        .header("x-amz-request-id")
        .map(str::to_owned);
    endpoint.get("a%0Ab").await.expect_status(200);
    let refused = endpoint.call("GET", "/bkt/none").secret("another").wire();
    refused
        .send()
        .await
        .expect_error(403, "SignatureDoesNotMatch");

    let body = "<Delete><Object><Key>a&#10;b</Key></Object><Object><Key>c</Key></Object></Delete>";
    let many = endpoint.call("POST", "/bkt?delete").body(body.as_bytes());
    many.send().await.expect_status(200);

    // A line is written when the answer is dropped, which may be after the test has read it.
    let written = async {
        while lines.text().lines().filter(|line| is_request(line)).count() < 4 {
            tokio::task::yield_now().await;
        }
    };
    let written = tokio::time::timeout(std::time::Duration::from_secs(10), written).await;
    let text = lines.text();
    assert!(written.is_ok(), "{text}");
    let of = |api: &str| {
        let line = text
            .lines()
            .find(|line| line.contains(&format!("\"api\":\"{api}\"")) && is_request(line));
        serde_json::from_str::<serde_json::Value>(line.expect("a line")).expect("JSON")
    };
    let line = of("PutObject");
    assert_eq!(line["span"]["request_id"].as_str(), put_id.as_deref());
    for (field, value) in [
        ("bucket", "bkt"),
        ("key", "a\nb"),
        ("code", ""),
        ("access_key", USER),
        ("user_agent", "a backup job"),
    ] {
        assert_eq!(
            line.get(field).and_then(|v| v.as_str()),
            Some(value),
            "{line}"
        );
    }
    for (field, value) in [("status", 200), ("received", 12), ("sent", 0)] {
        assert_eq!(
            line.get(field).and_then(serde_json::Value::as_u64),
            Some(value),
            "{line}"
        );
    }
    let deleted = text
        .lines()
        .filter(|line| line.contains("s3 delete of one object"));
    let deleted: Vec<serde_json::Value> = deleted
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let keys: Vec<_> = deleted
        .iter()
        .filter_map(|line| line["key"].as_str())
        .collect();
    assert_eq!(keys, ["a\nb", "c"]);
    assert!(
        text.contains("\"code\":\"SignatureDoesNotMatch\""),
        "{text}"
    );
    assert!(text.contains("\"sent\":12"), "{text}");
    for secret in [
        SECRET,
        "another",
        "the contents",
        put.signature.as_str(),
        refused.signature.as_str(),
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
