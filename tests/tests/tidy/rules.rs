//! Rules for one file at a time: docs, lengths, names, idioms, markers.

use std::fmt;

use super::source::Source;

/// Limits of the house style. One screen, one invariant.
const CODE_LINES_MAX: usize = 500;
const FILE_LINES_MAX: usize = 800;
const FN_LINES_MAX: usize = 70;
/// A test tells one story in order; splitting it into parts that nothing else uses makes it harder to read.
const TEST_FN_LINES_MAX: usize = 100;
const INLINE_TEST_LINES_MAX: usize = 150;

/// Such names accept anything; find the noun.
const NAMES_BANNED: [&str; 9] = [
    "utils", "util", "common", "helpers", "helper", "misc", "types", "manager", "core",
];

/// Idioms, and their replacements.
const IDIOMS_BANNED: [(&str, &str); 12] = [
    ("#[allow(", "#[expect(lint, reason = \"...\")]"),
    ("#![allow(", "#![expect(lint, reason = \"...\")]"),
    (".unwrap()", "expect(\"why it cannot fail\") or `?`"),
    ("#[ignore", "a test that runs, or none"),
    ("static mut ", "an atomic or a lock with an owner"),
    ("lazy_static!", "std::sync::LazyLock"),
    ("Other(String)", "a variant that carries data"),
    ("dbg!(", "tracing fields"),
    ("todo!(", "the code"),
    ("unimplemented!(", "the code"),
    ("process::exit(", "ExitCode from main, so that guards run"),
    ("mem::forget(", "a guard that can be disarmed"),
];

/// Markers of unfinished work, concatenated here so that this file does not contain them.
const MARKERS: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
];

/// Paths of one machine.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("../", "shared"),
];

/// A violation of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: &'static str,
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl Finding {
    /// A finding on a line counted from 0.
    pub(crate) fn new(rule: &'static str, source: &Source, line: usize, message: String) -> Self {
        Self {
            rule,
            path: source.path.to_owned(),
            line: line + 1,
            message,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: [{}] {}",
            self.path, self.line, self.rule, self.message
        )
    }
}

/// All rules of this module.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    module_docs(source, &mut findings);
    file_length(source, &mut findings);
    function_length(source, &mut findings);
    names(source, &mut findings);
    idioms(source, &mut findings);
    glob_imports(source, &mut findings);
    markers(source, &mut findings);
    findings
}

fn module_docs(source: &Source, findings: &mut Vec<Finding>) {
    if !source.text.starts_with("//! ") {
        findings.push(Finding::new(
            "docs",
            source,
            0,
            "a file opens with `//!`: what it owns, must not know, keeps true".to_owned(),
        ));
    }
}

fn file_length(source: &Source, findings: &mut Vec<Finding>) {
    let total = source.text.lines().count();
    let tests = source.tests_begin();
    if total > FILE_LINES_MAX {
        findings.push(Finding::new(
            "length",
            source,
            total,
            format!("{total} lines, at most {FILE_LINES_MAX} with tests"),
        ));
    }
    let code = source
        .code
        .lines()
        .take(tests)
        .filter(|line| !line.trim().is_empty())
        .count();
    if code > CODE_LINES_MAX && !source.is_test() {
        findings.push(Finding::new(
            "length",
            source,
            tests,
            format!("{code} lines of code, at most {CODE_LINES_MAX}"),
        ));
    }
    if total - tests.min(total) > INLINE_TEST_LINES_MAX && !source.is_test() {
        let message = format!(
            "inline tests of {} lines, above {INLINE_TEST_LINES_MAX} they move to a file of their own",
            total - tests
        );
        findings.push(Finding::new("length", source, tests, message));
    }
}

fn function_length(source: &Source, findings: &mut Vec<Finding>) {
    let tests = if source.is_test() {
        0
    } else {
        source.tests_begin()
    };
    for (begin, end, name) in functions(&source.code) {
        let lines = end - begin + 1;
        let max = if begin < tests {
            FN_LINES_MAX
        } else {
            TEST_FN_LINES_MAX
        };
        if lines > max {
            findings.push(Finding::new(
                "length",
                source,
                begin,
                format!("fn {name} has {lines} lines, at most {max}"),
            ));
        }
    }
}

/// First line, last line and name of every function with a body.
fn functions(code: &str) -> Vec<(usize, usize, String)> {
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(at) = code.get(rest..).and_then(|tail| tail.find("fn ")) {
        let start = rest + at;
        rest = start + 3;
        let before = code[..start].chars().next_back().unwrap_or(' ');
        let name: String = code[rest..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if before.is_alphanumeric() || before == '_' || name.is_empty() {
            continue;
        }
        if let Some(end) = body_end(&code[rest..]) {
            let line_of = |offset: usize| code[..offset].matches('\n').count();
            found.push((line_of(start), line_of(rest + end), name));
        }
    }
    found
}

/// Offset of the brace that closes the body; `None` for a declaration. A `;` inside `[u8; 4]` does not end a signature.
fn body_end(signature: &str) -> Option<usize> {
    let mut brackets = 0_i32;
    let mut braces = 0_i32;
    for (offset, c) in signature.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 {
                    return Some(offset);
                }
            }
            _ => {}
        }
    }
    None
}

fn names(source: &Source, findings: &mut Vec<Finding>) {
    for part in source.path.split('/') {
        let stem = part.strip_suffix(".rs").unwrap_or(part);
        if NAMES_BANNED.contains(&stem) {
            findings.push(Finding::new(
                "name",
                source,
                0,
                format!("`{stem}` accepts anything; find the noun"),
            ));
        }
    }
    for (number, line) in source.code.lines().enumerate() {
        let Some((_, after)) = line.split_once("mod ") else {
            continue;
        };
        let name = after.trim_end_matches([';', '{', ' ']);
        if NAMES_BANNED.contains(&name) {
            findings.push(Finding::new(
                "name",
                source,
                number,
                format!("module `{name}` accepts anything; find the noun"),
            ));
        }
    }
}

fn idioms(source: &Source, findings: &mut Vec<Finding>) {
    for (number, line) in source.code.lines().enumerate() {
        for (idiom, instead) in IDIOMS_BANNED {
            if line.contains(idiom) {
                findings.push(Finding::new(
                    "idiom",
                    source,
                    number,
                    format!("`{idiom}`: write {instead}"),
                ));
            }
        }
    }
}

fn glob_imports(source: &Source, findings: &mut Vec<Finding>) {
    let tests = if source.is_test() {
        0
    } else {
        source.tests_begin()
    };
    for (number, line) in source.code.lines().enumerate() {
        let line = line.trim();
        let import = line.starts_with("use ") || line.contains(" use ");
        let for_tests =
            matches!(line, "use super::*;" | "use proptest::prelude::*;") && number >= tests;
        if import && line.ends_with("*;") && !for_tests {
            findings.push(Finding::new(
                "idiom",
                source,
                number,
                "glob import: name what is used (tests may `use super::*`)".to_owned(),
            ));
        }
    }
}

fn markers(source: &Source, findings: &mut Vec<Finding>) {
    for (number, line) in source.text.lines().enumerate() {
        let words = || line.split(|c: char| !c.is_alphanumeric());
        if let Some(marker) = MARKERS.iter().find(|m| words().any(|w| w == **m)) {
            findings.push(Finding::new(
                "marker",
                source,
                number,
                format!("left-over `{marker}`: do it, or file it"),
            ));
        }
        if let Some(path) = MACHINE_PATHS.iter().find(|p| line.contains(**p)) {
            findings.push(Finding::new(
                "marker",
                source,
                number,
                format!("`{path}` is a path of one machine"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules_broken(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text))
            .into_iter()
            .map(|f| format!("{}:{}", f.rule, f.line))
            .collect()
    }

    fn long(line: &str, times: usize) -> String {
        format!("//! Docs.\n{}", format!("{line}\n").repeat(times))
    }

    #[test]
    fn a_tidy_file_has_no_findings() {
        let text = "//! Docs.\nuse a::b;\nfn f() -> [u8; 4] {\n    g(\".unwrap()\") // .unwrap()\n}\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n";
        assert_eq!(rules_broken("server/src/s3/list.rs", text), [""; 0]);
    }

    #[test]
    fn missing_docs_are_found() {
        assert_eq!(rules_broken("a.rs", "fn f() {}\n"), ["docs:1"]);
    }

    #[test]
    fn long_files_are_found_comments_do_not_count() {
        assert_eq!(
            rules_broken("a.rs", &long("const A: u8 = 1;", 501)),
            ["length:503"]
        );
        assert_eq!(rules_broken("a.rs", &long("// reason", 700)), [""; 0]);
        assert_eq!(
            rules_broken("a.rs", &long("// reason", 800)),
            ["length:802"]
        );
        assert_eq!(
            rules_broken("x/tests.rs", &long("const A: u8 = 1;", 700)),
            [""; 0]
        );
        let tests = format!(
            "//! Docs.\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "const A: u8 = 1;\n".repeat(150)
        );
        assert_eq!(rules_broken("a.rs", &tests), ["length:2"]);
    }

    #[test]
    fn long_functions_are_found_declarations_are_not() {
        let text = format!(
            "//! Docs.\ntrait T {{\n    fn d(&self);\n}}\nfn f(x: [u8; 2]) {{\n{}}}\n",
            "    g();\n".repeat(69)
        );
        assert_eq!(rules_broken("a.rs", &text), ["length:5"]);
        assert_eq!(
            rules_broken("x/tests.rs", &text),
            [""; 0],
            "a test may have more"
        );
        assert_eq!(
            rules_broken("x/tests.rs", &text.replace("g();", "g();\n")),
            ["length:5"]
        );
        let text = text.replacen("    g();\n", "", 1);
        assert_eq!(rules_broken("a.rs", &text), [""; 0]);
    }

    #[test]
    fn banned_names_are_found() {
        assert_eq!(
            rules_broken("client/src/utils.rs", "//! Docs.\n"),
            ["name:1"]
        );
        assert_eq!(
            rules_broken("a.rs", "//! Docs.\npub(crate) mod helpers;\n"),
            ["name:2"]
        );
        assert_eq!(
            rules_broken("a.rs", "//! Docs.\nmod types {\n}\n"),
            ["name:2"]
        );
    }

    #[test]
    fn banned_idioms_are_found_in_code_only() {
        for (idiom, _) in IDIOMS_BANNED {
            assert_eq!(
                rules_broken("a.rs", &format!("//! Docs.\nfn f() {{ {idiom} }}\n")),
                ["idiom:2"],
                "{idiom}"
            );
            assert_eq!(
                rules_broken("a.rs", &format!("//! Docs.\n// {idiom}\n")),
                [""; 0],
                "{idiom}"
            );
        }
    }

    #[test]
    fn glob_imports_are_found() {
        assert_eq!(
            rules_broken("a.rs", "//! Docs.\nuse super::*;\n"),
            ["idiom:2"]
        );
        assert_eq!(
            rules_broken("x/tests.rs", "//! Docs.\nuse super::*;\n"),
            [""; 0]
        );
        assert_eq!(
            rules_broken("x/tests.rs", "//! Docs.\nuse a::*;\n"),
            ["idiom:2"]
        );
        assert_eq!(
            rules_broken("a.rs", "//! Docs.\npub(crate) use b::*;\n"),
            ["idiom:2"]
        );
    }

    #[test]
    fn markers_and_machine_paths_are_found_in_comments_too() {
        for marker in MARKERS {
            assert_eq!(
                rules_broken("a.rs", &format!("//! Docs.\n// {marker}: later\n")),
                ["marker:2"]
            );
        }
        for path in MACHINE_PATHS {
            assert_eq!(
                rules_broken(
                    "a.rs",
                    &format!("//! Docs.\nconst P: &str = \"{path}x\";\n")
                ),
                ["marker:2"]
            );
        }
    }
}
