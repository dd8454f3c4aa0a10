//! Tidy: the house style as a program. It reads every Rust file known to git and checks what the compiler and clippy
//! cannot: module docs, lengths, names, idioms with their replacements, layers, markers of unfinished work. In Markdown
//! files it checks the links.
//!
//! Exceptions are in one table with their reasons; an exception that excuses nothing is itself a finding.

mod dead_files;
mod exceptions;
mod layers;
mod links;
mod rules;
mod source;

use std::path::Path;
use std::process::Command;

use rules::Finding;
use source::Source;
use strongroom_tests::{process, programs};

#[test]
fn the_tree_is_tidy() {
    let root = programs::workspace();
    let files = tracked_files(&root, "*.rs");
    assert!(
        files.len() > 20,
        "git names only {} Rust files below {}",
        files.len(),
        root.display()
    );
    let mut findings = Vec::new();
    for path in &files {
        // A tracked file that is being removed or renamed in the working tree is not a finding.
        let Ok(text) = std::fs::read_to_string(root.join(path)) else {
            continue;
        };
        findings.extend(check(&Source::new(path, &text)));
    }
    findings.extend(dead_files::check(&files, |path| {
        std::fs::read_to_string(root.join(path)).ok()
    }));
    for path in tracked_files(&root, "*.md") {
        let Ok(text) = std::fs::read_to_string(root.join(&path)) else {
            continue;
        };
        findings.extend(links::check(&path, &text, |file| {
            let file = root.join(file);
            if file.is_dir() {
                return Some(String::new());
            }
            let bytes = std::fs::read(file).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }));
    }
    let (open, unused) = exceptions::apply(findings);
    let mut report: Vec<_> = open.iter().map(ToString::to_string).collect();
    report.extend(unused.iter().map(|e| {
        format!(
            "{}: exception for {} excuses nothing any more",
            e.path, e.rule
        )
    }));
    assert!(
        report.is_empty(),
        "{} findings:\n{}",
        report.len(),
        report.join("\n")
    );
}

fn check(source: &Source) -> Vec<Finding> {
    let mut findings = rules::check(source);
    findings.extend(layers::check(source));
    findings
}

fn tracked_files(root: &Path, pattern: &str) -> Vec<String> {
    let listed = process::run(
        Command::new("git")
            .current_dir(root)
            .args(["ls-files", pattern]),
    )
    .ok();
    listed.stdout.lines().map(str::to_owned).collect()
}
