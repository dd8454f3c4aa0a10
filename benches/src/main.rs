//! `strongroom-bench`: runs the cases and prints their figures; it contains none of the measured code.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use strongroom_benches::args::{Case, Cli, Compare, Page, Run, Task, repeatable};
use strongroom_benches::cases::{self, Bench, Builds};
use strongroom_benches::figures::Report;
use strongroom_benches::machine::Machine;
use strongroom_benches::page;

fn main() -> ExitCode {
    let typed: Vec<_> = std::env::args().skip(1).collect();
    let done = match Cli::parse().command.task() {
        Task::Measure(cases, run) => measure(&cases, &run, &typed),
        Task::Compare(compare) => {
            contrast(&compare);
            Ok(())
        }
        Task::Page(page) => write_page(&page),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("strongroom-bench: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn measure(cases: &[Case], run: &Run, typed: &[String]) -> Result<(), String> {
    let bench = Bench::new(run);
    let mut report = Report {
        machine: Machine::here(&bench.dir),
        command: repeatable(typed),
        sheets: Vec::new(),
    };
    report.sheets = cases::run(&bench, cases, |sheet| print!("{}", page::table(sheet)));
    if let Some(folder) = &run.pictures {
        for sheet in &report.sheets {
            page::pictures(folder, sheet)?;
        }
    }
    if let Some(file) = &run.json {
        let text = serde_json::to_string_pretty(&report).map_err(|e| e.to_string())?;
        fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}

fn contrast(compare: &Compare) {
    let builds = Builds {
        before: compare.before.clone(),
        after: compare.after.clone(),
    };
    let bench = Bench::of_comparison(compare);
    cases::compare(&bench, &builds, |contrast| print!("{contrast}"));
}

fn write_page(page: &Page) -> Result<(), String> {
    let read = |file: &Path| {
        let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))
    };
    let reports: Result<Vec<Report>, String> = page.reports.iter().map(|file| read(file)).collect();
    page::write(&page.page, &reports?)
}
