//! The table of exceptions, each with its reason. An entry that excuses nothing is reported.

use super::rules::Finding;

/// One excused rule in one file.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(crate) rule: &'static str,
    pub(crate) path: &'static str,
    /// For readers; a review asks whether it still holds.
    #[expect(dead_code, reason = "written for people")]
    pub(crate) reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[];

/// The remaining findings, and the exceptions that excused none.
pub(crate) fn apply(findings: Vec<Finding>) -> (Vec<Finding>, Vec<&'static Exception>) {
    let excuses = |e: &Exception, f: &Finding| e.rule == f.rule && e.path == f.path;
    let unused = EXCEPTIONS
        .iter()
        .filter(|e| !findings.iter().any(|f| excuses(e, f)))
        .collect();
    let open = findings
        .into_iter()
        .filter(|f| !EXCEPTIONS.iter().any(|e| excuses(e, f)))
        .collect();
    (open, unused)
}
