//! The identities that send requests, and their secrets.

mod credentials;

pub use credentials::Credentials;

use crate::model::Owner;

/// The sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The configured user, who is allowed everything.
    Root(Owner),
    /// A sender without a signature.
    Anonymous,
}

/// The identities that can sign requests.
#[derive(Debug)]
pub(crate) struct Identities {
    root: Credentials,
}

impl Identities {
    /// Only one user, who owns everything.
    pub(crate) fn of_root(root: Credentials) -> Identities {
        Identities { root }
    }

    /// The identity of an access key, with its credentials.
    pub(crate) fn find(&self, access_key: &str) -> Option<(Identity, &Credentials)> {
        let known = self.root.is_user(access_key);
        known.then(|| (Identity::Root(self.owner()), &self.root))
    }

    /// The owner of buckets and objects.
    pub(crate) fn owner(&self) -> Owner {
        Owner(self.root.user().to_owned())
    }
}
