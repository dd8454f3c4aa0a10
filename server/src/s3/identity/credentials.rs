//! The root user and its secret, neither of which is ever printed.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};

/// One user and its secret key.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    secret: String,
}

impl Credentials {
    /// A user as configured. The configuration has checked both values.
    pub fn new(user: impl Into<String>, secret: impl Into<String>) -> Credentials {
        Credentials {
            user: user.into(),
            secret: secret.into(),
        }
    }

    /// The access key, which is also the owner's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The secret key, for deriving signing keys.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// Whether `user` is this one, in time that does not depend on the first difference.
    pub(crate) fn is_user(&self, user: &str) -> bool {
        let same: Choice = self.user.as_bytes().ct_eq(user.as_bytes());
        same.into()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let text = format!("{:?}", Credentials::new("root", "hunter22"));
        assert!(
            text.contains("root") && !text.contains("hunter22"),
            "{text}"
        );
    }
}
