//! The benchmarks stay runnable: every case runs once, at sizes that say nothing about speed.

use std::fs;
use std::path::Path;
use std::process::Command;

use strongroom_benches::figures::Report;
use strongroom_benches::page::{BEGIN, END};
use strongroom_tests::process::run;
use strongroom_tests::programs;

/// Sizes at which all cases together take seconds.
const SIZES: [&str; 14] = [
    "--rounds",
    "1",
    "--mib",
    "6",
    "--large-mib",
    "7",
    "--puts",
    "64",
    "--upload-mib",
    "6",
    "--parts",
    "3",
    "--objects",
    "2000",
];

/// A figure that each case must have measured.
const CASES: [(&str, &str); 8] = [
    ("put", "PUT, unsigned payload : MD5"),
    ("get", "GET : MD5"),
    ("small", "64 at once, objects per sync pair of the server"),
    ("memory", "one upload of 3 parts, Complete"),
    ("list", "first page after the deletes, p50"),
    ("start", "ready after SIGKILL"),
    ("restore", "strongroom-restore : etcdutl"),
    ("save", "strongroom : etcdctl"),
];

fn bench(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-bench"));
    command.current_dir(dir);
    command
}

#[test]
fn every_case_runs_and_the_page_is_written() {
    let dir = tempfile::tempdir().expect("temporary folder");
    // The commit is that of the workspace in which the program runs.
    fs::write(dir.path().join("Cargo.lock"), "").expect("written");
    let mut all = bench(dir.path());
    all.arg("all").args(SIZES);
    run(all.args(["--dir", "work", "--json", "out.json"])).ok();

    let text = fs::read_to_string(dir.path().join("out.json")).expect("the report is there");
    let report: Report = serde_json::from_str(&text).expect("a report");
    let measured: Vec<_> = report
        .sheets
        .iter()
        .map(|sheet| sheet.case.as_str())
        .collect();
    assert_eq!(measured, CASES.map(|(case, _)| case));
    for (sheet, (case, name)) in report.sheets.iter().zip(CASES) {
        let figure = sheet.figures.iter().find(|figure| figure.name == name);
        let figure = figure.unwrap_or_else(|| panic!("{case} does not tell {name}"));
        assert!(figure.spread().min > 0.0, "{figure:?}");
        for figure in &sheet.figures {
            let sound = |sample: &f64| sample.is_finite() && *sample >= 0.0;
            assert!(figure.samples.iter().all(sound), "{case}: {figure:?}");
        }
    }
    let left: Vec<_> = fs::read_dir(dir.path().join("work"))
        .expect("the working folder")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    assert_eq!(
        left,
        ["bodies"],
        "a run leaves its snapshots and nothing else"
    );

    let page = dir.path().join("page.md");
    fs::write(&page, format!("# Figures\n{BEGIN}\n{END}\n")).expect("written");
    run(bench(dir.path()).args(["page", "out.json", "--page", "page.md"])).ok();
    let told = fs::read_to_string(&page).expect("readable");
    for (case, name) in CASES {
        assert!(
            told.contains(&format!("### {case}\n")) && told.contains(name),
            "{told}"
        );
    }
    let picture = fs::read_to_string(dir.path().join("page/small.svg")).expect("a picture");
    assert!(
        picture.starts_with("<svg") && picture.contains("<polyline"),
        "{picture}"
    );
}

#[test]
fn two_builds_are_compared_in_turns() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = programs::server();
    let built = Path::new(server.get_program()).parent().expect("a folder");
    let mut compare = bench(dir.path());
    compare.arg("compare").arg("--before").arg(built);
    compare.args(["--dir", "work", "--rounds", "2", "--mib", "6"]);
    let told = run(compare.args(["--puts", "64", "--objects", "2000"])).ok();
    for figure in [
        "== put",
        "PUT, four at once, unsigned, server CPU",
        "== get",
        "== small",
        "64 at once, server CPU",
        "== list",
        "middle page, p50",
        "== restore",
        "restore, peak memory",
    ] {
        assert!(told.stdout.contains(figure), "{figure}: {}", told.stdout);
    }
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let refused = run(bench(dir.path()).args(["small", "--puts", "3"])).code(2);
    assert!(refused.stderr.contains("--puts"), "{}", refused.stderr);
}
