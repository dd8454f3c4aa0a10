//! The only module of this crate that reads environment variables.
//!
//! A program copies its environment at the start and passes the copy on. So every setting is a pure function of flags and this
//! value, and tests need no separate process.

use std::collections::BTreeMap;

/// Environment variables by name. Empty ones count as unset, as in common tools.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process, except those that are not UTF-8.
    pub fn of_process() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is where the crate reads its environment"
        )]
        let variables = std::env::vars_os();
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(variables.filter_map(utf8).collect())
    }

    /// The value of `name` unless it is unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The first of `names` that is set, with its name.
    pub fn first<'a>(&'a self, names: &[&'a str]) -> Option<(&'a str, &'a str)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(pairs.into_iter().map(owned).collect())
    }
}

/// Prints the names only: values may be credentials.
impl std::fmt::Debug for Environment {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_absent_and_the_first_name_wins() {
        let environment = Environment::from([("A", ""), ("B", "b"), ("C", "c")]);
        assert_eq!(environment.get("A"), None);
        assert_eq!(environment.first(&["A", "B", "C"]), Some(("B", "b")));
        assert_eq!(environment.first(&["A", "X"]), None);
        assert!(!format!("{:?}", Environment::from([("KEY", "hunter2")])).contains("hunter2"));
    }

    #[test]
    fn the_process_has_a_path() {
        assert!(Environment::of_process().get("PATH").is_some());
    }
}
