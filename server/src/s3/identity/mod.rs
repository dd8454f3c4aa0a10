//! Who sends a request: the identities of this server, and the secrets that prove them.

mod credentials;

pub use credentials::Credentials;

use crate::model::Owner;

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The user of the configuration, who may do everything.
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
    /// One user, who owns everything.
    pub(crate) fn of_root(root: Credentials) -> Identities {
        Identities { root }
    }

    /// Who has this access key, and the secret that goes with it.
    pub(crate) fn find(&self, access_key: &str) -> Option<(Identity, &Credentials)> {
        let known = self.root.is_user(access_key);
        known.then(|| (Identity::Root(self.owner()), &self.root))
    }

    /// The owner of buckets and objects.
    pub(crate) fn owner(&self) -> Owner {
        Owner(self.root.user().to_owned())
    }
}
