//! One Rust file in two forms: as written, and as code with comments and the contents of literals blanked, line for
//! line.
//!
//! It has a lexer but no parser: the lexer knows comments, strings, raw strings, characters and lifetimes, and no
//! grammar.

/// A file to check.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// Path from the workspace's root, with slashes.
    pub(crate) path: &'a str,
    /// The file.
    pub(crate) text: &'a str,
    /// The file with comments and literals blanked.
    pub(crate) code: String,
}

impl<'a> Source<'a> {
    pub(crate) fn new(path: &'a str, text: &'a str) -> Self {
        Self {
            path,
            text,
            code: blank(text),
        }
    }

    /// Line number (from 0) where the inline tests begin; the number of lines when there are none.
    pub(crate) fn tests_begin(&self) -> usize {
        let lines: Vec<_> = self.code.lines().collect();
        lines
            .windows(2)
            .position(|pair| matches!(pair, [attribute, module] if attribute.trim() == "#[cfg(test)]" && module.trim_end().ends_with('{') && module.contains("mod ")))
            .unwrap_or(lines.len())
    }

    /// Whether the whole file is test code.
    pub(crate) fn is_test(&self) -> bool {
        let parts: Vec<_> = self.path.split('/').collect();
        parts.last().is_some_and(|file| *file == "tests.rs")
            || parts
                .iter()
                .rev()
                .skip(1)
                .any(|dir| matches!(*dir, "tests" | "benches" | "conformance"))
    }
}

/// The state of the lexer.
enum At {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text { raw_hashes: Option<usize> },
}

fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at_char = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut at = At::Code;
    let mut i = 0;
    while i < chars.len() {
        let c = at_char(i);
        let mut width = 1;
        let mut keep = false;
        match &mut at {
            At::Code => {
                keep = true;
                match c {
                    '/' if at_char(i + 1) == '/' => (at, keep) = (At::LineComment, false),
                    '/' if at_char(i + 1) == '*' => {
                        (at, keep, width) = (At::BlockComment { depth: 1 }, false, 2);
                    }
                    '"' => {
                        at = At::Text {
                            raw_hashes: raw_prefix(&chars, i),
                        }
                    }
                    '\'' => width = literal_char(&chars, i),
                    _ => {}
                }
            }
            At::LineComment => {
                if c == '\n' {
                    at = At::Code;
                }
            }
            At::BlockComment { depth } => match (c, at_char(i + 1)) {
                ('/', '*') => (*depth, width) = (*depth + 1, 2),
                ('*', '/') if *depth == 1 => (at, width) = (At::Code, 2),
                ('*', '/') => (*depth, width) = (*depth - 1, 2),
                _ => {}
            },
            At::Text { raw_hashes: None } if c == '\\' => width = 2,
            At::Text { raw_hashes } => {
                if c == '"' && (1..=raw_hashes.unwrap_or(0)).all(|n| at_char(i + n) == '#') {
                    (at, keep) = (At::Code, true);
                }
            }
        }
        for n in 0..width {
            let c = at_char(i + n);
            out.push(if c == '\n' || (keep && n == 0) {
                c
            } else {
                ' '
            });
        }
        i += width;
    }
    out
}

/// The number of `#` between an `r` and the quote at `quote`; `None` when it opens an ordinary string.
fn raw_prefix(chars: &[char], quote: usize) -> Option<usize> {
    let hashes = chars[..quote]
        .iter()
        .rev()
        .take_while(|c| **c == '#')
        .count();
    let r = quote.checked_sub(hashes + 1)?;
    let before = r
        .checked_sub(1)
        .and_then(|i| chars.get(i))
        .copied()
        .unwrap_or(' ');
    let starts_here = before == 'b' || !(before.is_alphanumeric() || before == '_');
    (chars.get(r) == Some(&'r') && starts_here).then_some(hashes)
}

/// Width of the character literal at `quote`; 1 when it is a lifetime.
fn literal_char(chars: &[char], quote: usize) -> usize {
    match (chars.get(quote + 1), chars.get(quote + 2)) {
        (Some('\\'), _) => {
            let rest = chars.get(quote + 3..).unwrap_or(&[]);
            rest.iter().position(|c| *c == '\'').map_or(1, |n| n + 4)
        }
        (Some(_), Some('\'')) => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_line_for_line() {
        let text = "let a = \"// no\"; // gone\n/* x /* y */ z */ let b = r#\"q\"q\"#;\nlet c: &'a str = f('\"', '\\'');\n";
        let source = Source::new("a.rs", text);
        let lines: Vec<_> = source.code.lines().map(str::trim_end).collect();
        assert_eq!(lines[0], "let a = \"     \";");
        assert_eq!(lines[1].trim_start(), "let b = r#\"   \"#;");
        assert_eq!(lines[2], "let c: &'a str = f('  , '   );");
        assert_eq!(source.code.chars().count(), text.chars().count());
    }

    #[test]
    fn inline_tests_are_found() {
        let source = Source::new("a.rs", "//! x\nfn f() {}\n#[cfg(test)]\nmod tests {\n}\n");
        assert_eq!(source.tests_begin(), 2);
        assert_eq!(
            Source::new("a.rs", "//! x\n#[cfg(test)]\nmod tests;\n").tests_begin(),
            3
        );
    }
}
