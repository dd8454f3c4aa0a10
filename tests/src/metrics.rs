//! Reads readiness and single metrics from the admin listener.

use std::collections::{BTreeMap, BTreeSet};

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
    let text = scrape(server);
    let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    let found = lines.find(|(name, _)| *name == series);
    let (_, value) = found.unwrap_or_else(|| panic!("no {series} in {text}"));
    value
        .parse()
        .unwrap_or_else(|_| panic!("{series} is {value}"))
}

/// All of `/metrics`.
///
/// # Panics
/// When the server does not answer.
pub fn scrape(server: &Server) -> String {
    let answer = http::get(server.admin_addr(), "/metrics");
    answer.expect("the operators' listener answers").text()
}

/// A metric with all its series.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Family {
    /// `counter`, `gauge`, `histogram`.
    pub kind: String,
    /// Its help text.
    pub help: String,
    /// Its labels with the values in its series; without the `le` of histograms.
    pub labels: BTreeMap<String, BTreeSet<String>>,
}

/// The metrics of a scrape, by name.
///
/// # Panics
/// When the text is not a scrape of our server: it prints type and help before the series, and no label needs escapes.
pub fn families(scrape: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in scrape.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')) {
            help.clone_into(&mut families.entry(name.to_owned()).or_default().help);
            continue;
        }
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' ')) {
            kind.clone_into(&mut families.entry(name.to_owned()).or_default().kind);
            continue;
        }
        let (series, _value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let of_histogram = ["_bucket", "_sum", "_count"]
            .into_iter()
            .find_map(|end| name.strip_suffix(end))
            .filter(|name| families.contains_key(*name));
        let family = families
            .get_mut(of_histogram.unwrap_or(name))
            .unwrap_or_else(|| panic!("no type before {line}"));
        let labels = labels.trim_end_matches('}').split(',');
        for (label, value) in labels.filter_map(|label| label.split_once('=')) {
            if label != "le" {
                let values = family.labels.entry(label.to_owned()).or_default();
                values.insert(value.trim_matches('"').to_owned());
            }
        }
    }
    families
}

/// Whether the store is latched read-only, by its metric.
pub fn is_read_only(server: &Server) -> bool {
    value(server, "strongroom_store_read_only") > 0.5
}
