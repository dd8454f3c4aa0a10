//! The process environment: the only module of this crate that reads it, once, into a value.
//!
//! The program uses only the variables listed here; an empty one counts as unset. Must not know their meaning.

use std::{collections::BTreeMap, env, fmt};

/// Every variable the program reads.
pub const NAMES: [&str; 19] = [
    "STORAGE_CONTAINER",
    "STRONGROOM_S3_ENDPOINT",
    "ECS_ENDPOINT",
    "ECS_ACCESS_KEY_ID",
    "ECS_SECRET_ACCESS_KEY",
    "ECS_DISABLE_SSL",
    "ECS_INSECURE_SKIP_VERIFY",
    "ECS_APPLICATION_CREDENTIALS",
    "ECS_APPLICATION_CREDENTIALS_JSON",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_CA_BUNDLE",
    "AWS_APPLICATION_CREDENTIALS",
    "AWS_APPLICATION_CREDENTIALS_JSON",
];

/// The variables that are set.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<&'static str, String>);

impl Environment {
    /// Reads the process environment.
    #[expect(
        clippy::disallowed_methods,
        reason = "this module is the crate's access to the environment"
    )]
    pub fn read() -> Self {
        Self::from_lookup(|name| env::var(name).ok())
    }

    /// An environment from a function, for tests and other front ends.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        Self(
            NAMES
                .into_iter()
                .filter_map(|name| Some((name, lookup(name)?)))
                .filter(|(_, v)| !v.is_empty())
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(NAMES.contains(&name), "{name} is missing in NAMES");
        self.0.get(name).map(String::as_str)
    }
}

/// Shows only the names: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_counts_as_not_set_and_values_never_show() {
        let environment = Environment::from_lookup(|name| match name {
            "ECS_SECRET_ACCESS_KEY" => Some("hush".to_owned()),
            "ECS_ENDPOINT" => Some(String::new()),
            _ => None,
        });
        assert_eq!(environment.get("ECS_ENDPOINT"), None);
        assert_eq!(environment.get("ECS_SECRET_ACCESS_KEY"), Some("hush"));
        assert_eq!(format!("{environment:?}"), r#"{"ECS_SECRET_ACCESS_KEY"}"#);
    }
}
