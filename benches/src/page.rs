//! Figures for people: the table on standard output, the tables of docs/benchmarks.md, and the pictures next to it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use clap::ValueEnum;

use crate::args::Case;
use crate::chart::svg;
use crate::figures::{Chart, Figure, Report, Sheet};

/// [`write()`] replaces the text between this line and [`END`].
pub const BEGIN: &str = "<!-- figures: begin, written by strongroom-bench page -->";
/// Before the name of a case.
const HEADING: &str = "\n### ";

/// See [`BEGIN`].
pub const END: &str = "<!-- figures: end -->";

/// A sheet as a table for a terminal.
pub fn table(sheet: &Sheet) -> String {
    let width = sheet.figures.iter().map(|f| f.name.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut out = format!("\n== {} ({:.0} s)\n", sheet.case, sheet.took_secs);
    for note in &sheet.notes {
        push(&mut out, format_args!("   {note}\n"));
    }
    for figure in &sheet.figures {
        let [min, median, max] = numbers(figure);
        let (name, unit, goal) = (&figure.name, &figure.unit, verdict(figure));
        push(
            &mut out,
            format_args!("{name:width$}  {min:>9} {median:>9} {max:>9} {unit:12} {goal}\n"),
        );
    }
    out
}

/// Replaces the sections of these reports' cases between the marks of `page`, and writes the pictures into the folder with
/// its name. Sections of other cases stay, with the commit that they were measured at.
///
/// # Errors
/// What could not be read or written, in words.
pub fn write(page: &Path, reports: &[Report]) -> Result<(), String> {
    let text = fs::read_to_string(page).map_err(|e| format!("{}: {e}", page.display()))?;
    let around = text
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?)));
    let Some((before, (old, after))) = around else {
        return Err(format!("{}: no lines {BEGIN} and {END}", page.display()));
    };
    let folder = page.with_extension("");
    let stem = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut sections = sections(old);
    for (report, sheet) in newest(reports) {
        let mut text = String::new();
        section(&mut text, report, sheet, &stem);
        sections.insert(place(&sheet.case), text);
        pictures(&folder, sheet)?;
    }
    let figures: String = sections.into_values().collect();
    let whole = format!("{before}{BEGIN}\n{figures}{END}{after}");
    fs::write(page, whole).map_err(|e| format!("{}: {e}", page.display()))
}

/// Writes a sheet's pictures into a folder.
///
/// # Errors
/// What could not be written, in words.
pub fn pictures(folder: &Path, sheet: &Sheet) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for chart in &sheet.charts {
        let file = folder.join(format!("{}.svg", chart.file));
        fs::write(&file, svg(chart)).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}

/// The sections that a page has, in the order of their cases. Each begins with an empty line.
fn sections(old: &str) -> BTreeMap<usize, String> {
    let of_page = old.split(HEADING).skip(1).map(|rest| {
        let case = rest.lines().next().unwrap_or_default();
        (place(case), format!("{HEADING}{rest}"))
    });
    of_page.collect()
}

/// The place of a case on the page: as `all` runs them.
fn place(case: &str) -> usize {
    let mut names = Case::value_variants().iter().map(Case::to_possible_value);
    let at = names.position(|name| name.is_some_and(|name| name.get_name() == case));
    at.unwrap_or(usize::MAX)
}

/// For each case, the sheet of the last report that has it, in the order of their first appearance.
fn newest(reports: &[Report]) -> Vec<(&Report, &Sheet)> {
    let mut found: Vec<(&Report, &Sheet)> = Vec::new();
    for report in reports {
        for sheet in &report.sheets {
            match found.iter_mut().find(|(_, other)| other.case == sheet.case) {
                Some(slot) => *slot = (report, sheet),
                None => found.push((report, sheet)),
            }
        }
    }
    found
}

fn section(out: &mut String, report: &Report, sheet: &Sheet, folder: &str) {
    let machine = &report.machine;
    push(
        out,
        format_args!(
            "{HEADING}{}\n\n`{}`, commit {}, {} x {}, {} MiB, {}, Linux {}, load before {}.\n\n",
            sheet.case,
            report.command,
            machine.commit,
            machine.cores,
            machine.cpu,
            machine.memory_mib,
            machine.disk,
            machine.kernel,
            machine.load
        ),
    );
    for note in &sheet.notes {
        push(out, format_args!("{note}\n"));
    }
    out.push_str("\n| figure | min | median | max | unit | goal |\n|---|---:|---:|---:|---|---|\n");
    for figure in &sheet.figures {
        let [min, median, max] = numbers(figure);
        let (name, unit) = (&figure.name, &figure.unit);
        let goal = verdict(figure);
        push(
            out,
            format_args!("| {name} | {min} | **{median}** | {max} | {unit} | {goal} |\n"),
        );
    }
    out.push('\n');
    for Chart { file, title, .. } in &sheet.charts {
        push(out, format_args!("![{title}]({folder}/{file}.svg)\n"));
    }
}

fn numbers(figure: &Figure) -> [String; 3] {
    let spread = figure.spread();
    [spread.min, spread.median, spread.max].map(format_number)
}

/// Three significant digits and no more than needed.
fn format_number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn verdict(figure: &Figure) -> String {
    match (figure.goal, figure.is_reached()) {
        (Some(goal), Some(true)) => format!("{goal}: reached"),
        (Some(goal), _) => format!("{goal}: MISSED"),
        (None, _) => String::new(),
    }
}

fn push(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a String takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Goal;
    use crate::machine::Machine;

    fn report(speed: f64) -> Report {
        let mut sheet = Sheet::new("put");
        sheet.promise("speed", "x", Goal::AtLeast(0.65), speed);
        sheet.add("cpu", "CPU-s/GB", 1234.5);
        sheet.charts.push(Chart {
            file: "put".to_owned(),
            title: "PUT".to_owned(),
            x: String::new(),
            y: String::new(),
            x_log: false,
            curves: Vec::new(),
        });
        Report {
            machine: Machine {
                cpu: "cpu".to_owned(),
                cores: 2,
                memory_mib: 1,
                disk: "ext4".to_owned(),
                kernel: "6".to_owned(),
                commit: "c0ffee".to_owned(),
                unix_secs: 0,
                load: "0".to_owned(),
            },
            command: "strongroom-bench put".to_owned(),
            sheets: vec![sheet],
        }
    }

    #[test]
    fn the_page_keeps_its_words_and_gets_the_last_reports_figures() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let page = dir.path().join("benchmarks.md");
        let kept = "\n### get\n\nanother case\n";
        let old = format!("{kept}\n### put\n\nold\n");
        fs::write(&page, format!("before\n{BEGIN}\n{old}{END}\nafter\n")).expect("written");
        write(&page, &[report(0.3), report(0.7)]).expect("the page has its marks");
        let text = fs::read_to_string(&page).expect("readable");
        assert!(
            text.starts_with("before\n") && text.ends_with("\nafter\n"),
            "{text}"
        );
        assert!(!text.contains("old") && !text.contains("0.300"), "{text}");
        assert!(text.contains("| speed | 0.700 | **0.700** | 0.700 | x | >= 0.65: reached |"));
        assert!(text.contains("![PUT](benchmarks/put.svg)"));
        let (of_put, of_get) = (text.find("### put"), text.find(kept));
        assert!(of_put < of_get && of_put.is_some(), "{text}");
        assert!(dir.path().join("benchmarks/put.svg").exists());
        let twice = fs::read_to_string(&page).expect("readable");
        write(&page, &[report(0.7)]).expect("written again");
        assert_eq!(twice, fs::read_to_string(&page).expect("readable"));
    }

    #[test]
    fn a_page_without_marks_is_left_alone() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let page = dir.path().join("page.md");
        fs::write(&page, "words").expect("written");
        let refused = write(&page, &[report(0.7)]).expect_err("no marks");
        assert!(refused.contains("figures: begin"), "{refused}");
        assert_eq!(fs::read_to_string(&page).expect("readable"), "words");
    }

    #[test]
    fn the_table_says_what_was_missed() {
        let sheets = report(0.6).sheets;
        let text = table(sheets.first().expect("one sheet"));
        assert!(
            text.contains(">= 0.65: MISSED") && text.contains("1234"),
            "{text}"
        );
    }
}
