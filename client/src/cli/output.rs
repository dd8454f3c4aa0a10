//! The five forms of listings: columns for people, JSON and YAML for programs, names for shells.
//!
//! Must not know what is listed: a result gives its document, its [`Sheet`] and its names. The forms of etcd's own tools are in
//! `forms`.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde::Serialize;

use super::failure::Failure;
use super::report;

/// The output format of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Columns for people
    Table,
    /// More columns
    Wide,
    /// One JSON object
    Json,
    /// The same as YAML
    Yaml,
    /// Only names, one per line
    Name,
}

/// What a command has found.
pub(super) trait Shown {
    /// For `json` and `yaml`.
    fn document(&self) -> impl Serialize;
    /// For `table` and `wide`.
    fn sheet(&self) -> Sheet;
    /// For `name`.
    fn names(&self) -> Vec<String>;
}

/// Prints a result.
pub(super) fn print(output: Output, shown: &impl Shown) -> Result<(), Failure> {
    report::result(&text(output, shown))
}

pub(super) fn text(output: Output, shown: &impl Shown) -> String {
    match output {
        Output::Table => shown.sheet().text(Width::Narrow),
        Output::Wide => shown.sheet().text(Width::Wide),
        Output::Json => json(&shown.document()),
        Output::Yaml => yaml(&shown.document()),
        Output::Name => shown
            .names()
            .into_iter()
            .map(|name| name + "\n")
            .collect::<String>(),
    }
}

/// One line of JSON.
fn json(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("texts and numbers are JSON") + "\n"
}

fn yaml(document: &impl Serialize) -> String {
    let text = serde_saphyr::to_string(document).expect("texts and numbers are YAML");
    if text.ends_with('\n') {
        text
    } else {
        text + "\n"
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Narrow,
    Wide,
}

/// A column of a [`Sheet`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    is_number: bool,
    wide_only: bool,
}

impl Column {
    /// Text, aligned to the left.
    pub(super) const fn text(name: &'static str) -> Self {
        Self {
            name,
            is_number: false,
            wide_only: false,
        }
    }

    /// A number, aligned to the right.
    pub(super) const fn number(name: &'static str) -> Self {
        Self {
            is_number: true,
            ..Self::text(name)
        }
    }

    /// Shown by `-o wide` only.
    pub(super) const fn wide(self) -> Self {
        Self {
            wide_only: true,
            ..self
        }
    }
}

/// Rows under columns, and lines below them.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) below: Vec<String>,
}

impl Sheet {
    fn text(&self, width: Width) -> String {
        let shown: Vec<(usize, &Column)> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| width == Width::Wide || !column.wide_only)
            .collect();
        let cell = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
        let names: Vec<String> = self.columns.iter().map(|c| c.name.to_owned()).collect();
        let lines: Vec<&[String]> = std::iter::once(names.as_slice())
            .chain(self.rows.iter().map(Vec::as_slice))
            .collect();
        let mut out = String::new();
        if !self.rows.is_empty() {
            let widths: Vec<usize> = shown
                .iter()
                .map(|(at, _)| {
                    let chars = lines.iter().map(|line| cell(line, *at).chars().count());
                    chars.max().unwrap_or(0)
                })
                .collect();
            for line in &lines {
                let mut text = String::new();
                for ((at, column), width) in shown.iter().zip(&widths) {
                    let cell = cell(line, *at);
                    if column.is_number {
                        write!(text, "{cell:>width$}  ").expect("a String takes any text");
                    } else {
                        write!(text, "{cell:width$}  ").expect("a String takes any text");
                    }
                }
                writeln!(out, "{}", text.trim_end()).expect("a String takes any text");
            }
        }
        for line in &self.below {
            writeln!(out, "{line}").expect("a String takes any text");
        }
        out
    }
}

/// Text from a database or a server, made safe for a terminal.
pub(super) fn safe(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_debug());
            let plain = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// A user's key as text: etcd's keys are bytes, and nearly always UTF-8.
pub(super) fn key_text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Two;

    impl Shown for Two {
        fn document(&self) -> impl Serialize {
            json!({"things": [{"name": "a: b", "size": 7}, {"name": "true", "size": null}]})
        }

        fn sheet(&self) -> Sheet {
            let columns = vec![
                Column::text("NAME"),
                Column::number("SIZE").wide(),
                Column::number("N"),
            ];
            let rows = [["a: b", "7 B", "10"], ["é", "-", "9"]];
            Sheet {
                columns,
                rows: rows.map(|row| row.map(str::to_owned).to_vec()).to_vec(),
                below: vec!["2 things".to_owned()],
            }
        }

        fn names(&self) -> Vec<String> {
            vec!["a".to_owned(), "b".to_owned()]
        }
    }

    #[test]
    fn every_form_says_the_same() {
        assert_eq!(
            text(Output::Table, &Two),
            "NAME   N\na: b  10\né      9\n2 things\n"
        );
        assert_eq!(
            text(Output::Wide, &Two),
            "NAME  SIZE   N\na: b   7 B  10\né        -   9\n2 things\n"
        );
        assert_eq!(text(Output::Name, &Two), "a\nb\n");
        assert_eq!(
            text(Output::Json, &Two),
            "{\"things\":[{\"name\":\"a: b\",\"size\":7},{\"name\":\"true\",\"size\":null}]}\n"
        );
        // What would be another type in YAML is quoted.
        let yaml = text(Output::Yaml, &Two);
        let quoted = |text: &str| {
            yaml.contains(&format!("\"{text}\"")) || yaml.contains(&format!("'{text}'"))
        };
        assert!(quoted("a: b") && quoted("true"), "{yaml}");
        assert!(
            yaml.contains("size: 7") && yaml.contains("size: null"),
            "{yaml}"
        );
    }

    #[test]
    fn texts_cannot_control_a_terminal() {
        assert_eq!(safe("a\u{1b}[31m\"b\"\n"), "a\\u{1b}[31m\"b\"\\n");
    }
}
