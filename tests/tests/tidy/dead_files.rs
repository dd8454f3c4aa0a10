//! Files below a `src` that no module names: nothing compiles them, so nothing else would find them.

use super::rules::Finding;
use super::source::Source;

/// Files that cargo builds by itself.
const ROOTS: [&str; 4] = ["/src/lib.rs", "/src/main.rs", "/src/main_", "/src/bin/"];

/// The dead files among `files`; `read` returns the text of a file, or nothing.
pub(crate) fn check(files: &[String], read: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let is_module =
        |path: &&String| path.contains("/src/") && !ROOTS.iter().any(|root| path.contains(root));
    let dead = |path: &&String| {
        !parents(path)
            .iter()
            .filter_map(|p| read(p))
            .any(|text| names(&text, path))
    };
    files
        .iter()
        .filter(is_module)
        .filter(|path| read(path).is_some())
        .filter(dead)
        .map(|path| {
            let source = Source::new(path, "");
            Finding::new(
                "dead file",
                &source,
                0,
                "no module names this file".to_owned(),
            )
        })
        .collect()
}

/// The files that may declare the module of a file: next to it, the file of its folder, or the file of the parent
/// folder, with an inline module.
fn parents(path: &str) -> Vec<String> {
    let (folder, _) = split(path);
    let (above, _) = folder.rsplit_once('/').unwrap_or((folder, ""));
    let mut parents: Vec<String> = ["mod.rs", "lib.rs", "main.rs"]
        .map(|name| format!("{folder}/{name}"))
        .into();
    parents.extend([format!("{folder}.rs"), format!("{above}.rs")]);
    parents
}

/// The folder of a module's file, and the module's name.
fn split(path: &str) -> (&str, &str) {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    stem.rsplit_once('/').unwrap_or(("", stem))
}

fn names(text: &str, path: &str) -> bool {
    let declared = format!("mod {};", split(path).1);
    text.lines().any(|line| {
        let line = line.trim_start();
        let visible = ["pub(crate) ", "pub(super) ", "pub "];
        let line = visible
            .iter()
            .find_map(|word| line.strip_prefix(word))
            .unwrap_or(line);
        line.starts_with(&declared)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(files: &[(&str, &str)]) -> Vec<String> {
        let paths: Vec<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        let read = |path: &str| {
            let found = files.iter().find(|(known, _)| *known == path);
            found.map(|(_, text)| (*text).to_owned())
        };
        check(&paths, read).into_iter().map(|f| f.path).collect()
    }

    #[test]
    fn a_file_that_no_module_names_is_found() {
        let files = [
            ("a/src/lib.rs", "pub mod kept;\nmod deep;\n"),
            (
                "a/src/kept.rs",
                "#[cfg(test)]\nmod tests {\n    mod inner;\n}\n",
            ),
            ("a/src/kept/tests/inner.rs", ""),
            ("a/src/deep/mod.rs", "pub(crate) mod below;\n"),
            ("a/src/deep/below.rs", "// mod left;"),
            ("a/src/left.rs", ""),
            ("a/src/deep/left.rs", ""),
            ("a/src/main.rs", ""),
            ("a/tests/suite.rs", ""),
        ];
        assert_eq!(dead(&files), ["a/src/left.rs", "a/src/deep/left.rs"]);
    }
}
