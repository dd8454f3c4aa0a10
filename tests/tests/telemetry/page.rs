//! docs/metrics.md as data.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use strongroom_tests::programs::workspace;

/// A metric in the page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) help: String,
}

/// The page.
pub(crate) struct Page {
    pub(crate) metrics: BTreeMap<String, Row>,
    pub(crate) labels: BTreeMap<String, BTreeSet<String>>,
}

impl Page {
    pub(crate) fn read() -> Self {
        let path = workspace().join("docs/metrics.md");
        let text = fs::read_to_string(&path).expect("docs/metrics.md is there");
        let mut page = Self {
            metrics: BTreeMap::new(),
            labels: BTreeMap::new(),
        };
        for row in text.lines().filter(|line| line.starts_with("| `")) {
            let row = row.replace("\\|", "/");
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let name = ticked(cells[1]).into_iter().next().expect("a name");
            let twice = match cells.as_slice() {
                [_, _, kind, labels, _unit, help, _example, _] => {
                    let row = Row {
                        kind: (*kind).to_owned(),
                        labels: ticked(labels),
                        help: (*help).to_owned(),
                    };
                    page.metrics.insert(name, row).is_some()
                }
                [_, _, values, _meaning, _] => page.labels.insert(name, ticked(values)).is_some(),
                other => panic!("{} cells in {row}", other.len()),
            };
            assert!(!twice, "twice: {row}");
        }
        page
    }
}

/// The texts in backticks.
fn ticked(cell: &str) -> BTreeSet<String> {
    let inside = cell.split('`').skip(1).step_by(2);
    inside.map(str::to_owned).collect()
}
