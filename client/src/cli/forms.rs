//! The four output formats of etcd's tools: one line, a table, JSON, fields.
//!
//! They are identical to those of etcdutl, byte for byte, because scripts read them. Must not know the origin of the values.
//! Source: etcd `etcdutl/etcdutl/printer*.go`, and the libraries used there (go-humanize, tablewriter).

use std::fmt::Write as _;

use clap::ValueEnum;

/// The output format of a result, with etcdutl's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Values in one line
    Simple,
    /// A table for people
    Table,
    /// One JSON object
    Json,
    /// One quoted name and value per line
    Fields,
}

/// The etcd version whose tool is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Minor {
    #[value(name = "3.4")]
    V34,
    #[value(name = "3.5")]
    V35,
    #[value(name = "3.6")]
    V36,
    #[value(name = "3.7")]
    V37,
}

/// Corners, crossings and lines of a table, from top to bottom.
struct Border {
    top: [char; 3],
    middle: [char; 3],
    bottom: [char; 3],
    dash: char,
    bar: char,
}

const ASCII: Border = Border {
    top: ['+', '+', '+'],
    middle: ['+', '+', '+'],
    bottom: ['+', '+', '+'],
    dash: '-',
    bar: '|',
};

const BOXES: Border = Border {
    top: ['┌', '┬', '┐'],
    middle: ['├', '┼', '┤'],
    bottom: ['└', '┴', '┘'],
    dash: '─',
    bar: '│',
};

/// One row under its header: names centred, values right-aligned.
pub(super) fn table(minor: Minor, columns: &[(&str, String)]) -> String {
    let border = if minor < Minor::V37 { ASCII } else { BOXES };
    let width = |(name, value): &(&str, String)| name.len().max(value.len());
    let rule = |ends: [char; 3]| {
        let [left, cross, right] = ends;
        let dashes: Vec<String> = columns
            .iter()
            .map(|column| String::from(border.dash).repeat(width(column) + 2))
            .collect();
        format!("{left}{}{right}\n", dashes.join(&String::from(cross)))
    };
    let row = |cell: &dyn Fn(&(&str, String)) -> String| {
        let mut line = String::from(border.bar);
        for column in columns {
            write!(line, " {} {}", cell(column), border.bar).expect("a String takes any text");
        }
        line.push('\n');
        line
    };
    [
        rule(border.top),
        row(&|column| centred(&column.0.to_ascii_uppercase(), width(column))),
        rule(border.middle),
        row(&|column| format!("{:>1$}", column.1, width(column))),
        rule(border.bottom),
    ]
    .concat()
}

/// An odd blank goes to the right.
fn centred(text: &str, width: usize) -> String {
    let left = width.saturating_sub(text.len()) / 2;
    format!("{:left$}{text:<1$}", "", width - left)
}

/// The values in one line.
pub(super) fn simple(columns: &[(&str, String)]) -> String {
    let values: Vec<&str> = columns.iter().map(|(_, value)| value.as_str()).collect();
    format!("{}\n", values.join(", "))
}

/// One line per value.
pub(super) fn fields(fields: &[(&str, String)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        writeln!(out, "\"{name}\" : {value}").expect("a String takes any text");
    }
    out
}

/// A size as in etcd's tools: SI units, one decimal below ten, otherwise none (ties round to even).
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let (mut unit, mut name) = (1_u64, 0);
    while bytes / unit >= 1000 {
        (unit, name) = (unit * 1000, name + 1);
    }
    let name = UNITS.get(name).copied().unwrap_or_default();
    let tenths = (u128::from(bytes) * 10 + u128::from(unit) / 2) / u128::from(unit);
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if whole < 10 {
        return format!("{whole}.{tenth} {name}");
    }
    let up = tenth > 5 || (tenth == 5 && whole % 2 == 1);
    format!("{} {name}", whole + u128::from(up))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_go_humanize() {
        for (bytes, text) in [
            (0, "0 B"),
            (9, "9 B"),
            (10, "10 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (10_500, "10 kB"),
            (11_500, "12 kB"),
            (118_784, "119 kB"),
            (999_999, "1000 kB"),
            (82_854_982, "83 MB"),
            (4_294_967_296, "4.3 GB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn tables_are_those_of_etcdutl() {
        let columns = [
            ("hash", "341510213".to_owned()),
            ("hash revision", "186".to_owned()),
        ];
        assert_eq!(
            table(Minor::V37, &columns),
            "┌───────────┬───────────────┐\n\
             │   HASH    │ HASH REVISION │\n\
             ├───────────┼───────────────┤\n\
             │ 341510213 │           186 │\n\
             └───────────┴───────────────┘\n"
        );
        assert_eq!(
            table(Minor::V36, &columns[..1]),
            "+-----------+\n|   HASH    |\n+-----------+\n| 341510213 |\n+-----------+\n"
        );
        assert_eq!(simple(&columns), "341510213, 186\n");
        assert_eq!(fields(&columns[1..]), "\"hash revision\" : 186\n");
    }
}
