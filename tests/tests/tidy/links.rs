//! Links in the documentation: each link into the tree must lead to an existing file, and to an existing heading in it.

use std::path::Path;

use super::rules::Finding;
use super::source::Source;

/// Broken links of a Markdown file; `read` returns the text of a file of the tree, or nothing.
pub(crate) fn check(
    path: &str,
    text: &str,
    read: impl Fn(&Path) -> Option<String>,
) -> Vec<Finding> {
    let source = Source::new(path, text);
    let mut findings = Vec::new();
    for (number, target) in targets(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let at = if file.is_empty() {
            path.into()
        } else {
            normal(Path::new(path).with_file_name(file).as_path())
        };
        let wrong = match read(&at) {
            None => format!("the link to {target} leads nowhere"),
            Some(there) if heading.is_empty() || anchors(&there).any(|a| a == heading) => continue,
            Some(_) => format!("the link to {target}: no such heading"),
        };
        findings.push(Finding::new("link", &source, number, wrong));
    }
    findings
}

/// Targets of `[text](target)` outside code, with their line numbers from 0.
fn targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    let lines = text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !fence && !in_code
    });
    lines.flat_map(|(number, line)| {
        let rests = line.split("](").skip(1);
        rests.filter_map(move |rest| Some((number, rest.split_once(')')?.0)))
    })
}

/// The anchors of a file's headings, as GitHub generates them.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            _ => c.is_alphanumeric().then_some(c),
        });
        kept.collect()
    })
}

/// Without `x/..`.
fn normal(path: &Path) -> std::path::PathBuf {
    let mut parts = std::path::PathBuf::new();
    for part in path {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Option<String> {
        (path == Path::new("docs/b.md"))
            .then(|| "# Title\n## How it's *done*, in full\n".to_owned())
    }

    #[test]
    fn links_that_lead_somewhere_are_no_findings() {
        let text = "[a](b.md) [b](../docs/b.md#title)\n[c](b.md#how-its-done-in-full) [d](https://x.y/z.md)\n```\n[e](no.md)\n```\n";
        assert!(check("docs/a.md", text, read).is_empty());
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        for link in ["no.md", "b.md#other", "#own", "/docs/b.md"] {
            let found = check("docs/a.md", &format!("\n[x]({link})\n"), read);
            let found: Vec<_> = found.iter().map(|f| (f.rule, f.line)).collect();
            assert_eq!(found, [("link", 2)], "{link}");
        }
    }
}
