//! Forbidden text in the scripts and the Makefile: the rules also apply to scripts that are added later.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use strongroom_tests::programs;

/// Commands that leave a pipe before its end. Under `pipefail` the writer's SIGPIPE then fails the whole line, if the
/// writer is slow enough: on a fresh machine, in one try of five.
const LEAVE_EARLY: [&str; 6] = [
    "grep -q",
    "grep -m",
    "grep --quiet",
    "grep --max",
    "head",
    "read ",
];

#[test]
fn no_pipe_ends_in_a_command_that_leaves_early() {
    for (path, text) in scripts().into_iter().chain([makefile()]) {
        assert_eq!(early_leavers(&text), [""; 0], "{}", path.display());
    }
}

#[test]
fn every_script_stops_at_its_first_failure() {
    for (path, text) in scripts() {
        let mut lines = text.lines();
        let first = lines.next();
        assert_eq!(first, Some("#!/usr/bin/env bash"), "{}", path.display());
        let code = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(code, Some("set -euo pipefail"), "{}", path.display());
    }
    let (_, makefile) = makefile();
    assert!(makefile.contains("\n.SHELLFLAGS := -euo pipefail -c\n"));
}

#[test]
fn every_script_that_writes_into_the_cache_takes_a_lock() {
    let mut locked = 0;
    for (path, text) in scripts() {
        let uses_cache = code(&text).any(|line| line.contains("STRONGROOM_CACHE:?"));
        let takes_lock = code(&text).any(|line| line.trim() == "flock 9");
        assert_eq!(uses_cache, takes_lock, "{}", path.display());
        locked += u32::from(takes_lock);
    }
    assert!(locked >= 6, "only {locked} scripts use the cache");
}

/// Under `make -j` only the prerequisites define the order.
#[test]
fn every_target_that_compiles_asks_for_the_compilers_first() {
    let (_, text) = makefile();
    let rules = rules(&text);
    let mut compiling = 0;
    for (target, rule) in &rules {
        if !rule.compiles || target == "fmt" {
            continue;
        }
        compiling += 1;
        let mut seen = BTreeSet::new();
        let mut open = vec![target.clone()];
        while let Some(next) = open.pop() {
            if seen.insert(next.clone()) {
                open.extend(rules.get(&next).into_iter().flat_map(|r| r.needs.clone()));
            }
        }
        assert!(seen.contains("compilers"), "make {target}");
    }
    assert!(compiling >= 6, "only {compiling} targets compile");
}

#[test]
fn the_lint_finds_what_it_is_for() {
    let bad = "x | grep -q y\nx |\n    grep -qE y\nx|head -1\n# x | head\nx || head -1 file\nx | sort | read y\n";
    assert_eq!(
        early_leavers(bad),
        [
            "x | grep -q y",
            "x | grep -qE y",
            "x|head -1",
            "x | sort | read y"
        ]
    );
}

fn early_leavers(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ").replace("|\n", "| ");
    let mut found = Vec::new();
    for line in code(&joined) {
        let no_or = line.replace("||", "\0");
        let leaves = |stage: &str| {
            let stage = stage.trim_start();
            LEAVE_EARLY.iter().any(|start| stage.starts_with(start))
        };
        if no_or.split('|').skip(1).any(leaves) {
            found.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    found
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
}

struct Rule {
    needs: Vec<String>,
    compiles: bool,
}

fn rules(makefile: &str) -> BTreeMap<String, Rule> {
    let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
    let mut current = None;
    for line in makefile.lines() {
        if let Some(recipe) = line.strip_prefix('\t') {
            let rule = current.as_ref().and_then(|name| rules.get_mut(name));
            let rule = rule.expect("a recipe follows its rule");
            rule.compiles |= recipe.contains("cargo ");
        } else if let Some((name, rest)) = line.split_once(':')
            && !line.contains('=')
            && !line.starts_with(['.', '#'])
        {
            let needs = rest.split("##").next().expect("split yields one");
            let needs = needs.split_whitespace().map(str::to_owned).collect();
            let rule = Rule {
                needs,
                compiles: false,
            };
            rules.insert(name.to_owned(), rule);
            current = Some(name.to_owned());
        }
    }
    rules
}

fn makefile() -> (PathBuf, String) {
    let path = programs::workspace().join("Makefile");
    let text = fs::read_to_string(&path).expect("readable");
    (path, text)
}

fn scripts() -> Vec<(PathBuf, String)> {
    let root = programs::workspace();
    let folder = fs::read_dir(root.join("tests/setup")).expect("readable");
    let mut paths: Vec<_> = folder.map(|entry| entry.expect("entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "sh"));
    paths.push(root.join(".ci/run"));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("readable");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}
