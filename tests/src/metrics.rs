//! What the server says of itself on the operators' listener: readiness and single metrics.

use crate::http;
use crate::server::Server;

/// `/readyz`: the status and its reason.
pub fn readiness(server: &Server) -> (u16, String) {
    match http::get(server.admin_addr(), "/readyz") {
        Ok(answer) => (answer.status, answer.text()),
        Err(e) => (0, e.to_string()),
    }
}

/// A gauge or counter; `series` is its name with its labels, as the server prints it.
///
/// # Panics
/// When there is no such series.
pub fn value(server: &Server, series: &str) -> f64 {
    let answer =
        http::get(server.admin_addr(), "/metrics").expect("the operators' listener answers");
    let text = answer.text();
    let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    let found = lines.find(|(name, _)| *name == series);
    let (_, value) = found.unwrap_or_else(|| panic!("no {series} in {text}"));
    value
        .parse()
        .unwrap_or_else(|_| panic!("{series} is {value}"))
}

/// Whether the store has latched read-only, by its metric.
pub fn is_read_only(server: &Server) -> bool {
    value(server, "strongroom_store_read_only") > 0.5
}
