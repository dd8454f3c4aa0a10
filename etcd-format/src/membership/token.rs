//! Tokens: what distinguishes clusters with the same peer URLs.
//!
//! Owns: etcd's default token, and the token that a restore derives. A token is part of every id and is stored nowhere: etcd
//! reads it only when it founds a cluster. A restored directory has its ids already, so etcd's own `--initial-cluster-token`
//! (in a kubeadm manifest, for example) need not be the token of the restore.
//!
//! The derived token is `restore-` and 32 hex digits: the first 16 bytes of the SHA-256 over these lines, each with a newline:
//!
//! | line | |
//! |---|---|
//! | `strongroom-restore token 1` | always |
//! | `snapshot HEX` | the SHA-256 of the database, without trailer and compression |
//! | `member NAME=URL` | for each URL of each member, sorted by name, then URL |
//! | `revision N` | only if the restore raises the revision: the new one |

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::InitialCluster;

/// The token that distinguishes clusters with the same URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// etcd's default token.
    pub const DEFAULT: &'static str = "etcd-cluster";

    /// A token from any text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The token of a restore: members get the same one if they are restored from the same data, with the same members and
    /// the same revision. Members of any other restore, and of the old cluster, have other ids and cannot mix with them.
    pub fn of_restore(
        db_sha256: [u8; 32],
        cluster: &InitialCluster,
        raised_revision: Option<i64>,
    ) -> Self {
        let members = cluster
            .members()
            .flat_map(|(name, urls)| urls.iter().map(move |url| format!("member {name}={url}\n")));
        let text: String = ["strongroom-restore token 1\n".to_owned()]
            .into_iter()
            .chain([format!("snapshot {}\n", Hex(&db_sha256))])
            .chain(members)
            .chain(raised_revision.map(|revision| format!("revision {revision}\n")))
            .collect();
        let digest: [u8; 32] = Sha256::digest(text).into();
        let (first, _) = digest.split_at(16);
        Self(format!("restore-{}", Hex(first)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is etcd's default. With the same URLs, the restored cluster then has the same ids as the old one, and a stale
    /// member could join it.
    pub fn is_default(&self) -> bool {
        self.0 == Self::DEFAULT
    }
}

impl Default for Token {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::MembershipError;

    fn token(digit: u8, cluster: &str, raised: Option<i64>) -> Result<String, MembershipError> {
        let cluster = InitialCluster::parse(cluster)?;
        Ok(Token::of_restore([digit; 32], &cluster, raised).to_string())
    }

    const THREE: &str = "m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380";

    /// Members that are restored alike by different builds must agree.
    #[test]
    fn a_restores_token_never_changes_between_builds() -> Result<(), MembershipError> {
        // printf 'strongroom-restore token 1\nsnapshot %s\nmember m1=http://10.0.0.1:2380\n' $(printf '11%.0s' {1..32}) | sha256sum
        let one = token(0x11, "m1=http://10.0.0.1:2380", None)?;
        assert_eq!(one, "restore-e73972d97df3380b36d569d2c9612138");
        let raised = token(0x11, "m1=http://10.0.0.1:2380", Some(1_000_000_007))?;
        assert_eq!(raised, "restore-7a380a88fc00acf531474a42d35f0ef0");
        Ok(())
    }

    #[test]
    fn it_is_that_of_data_members_and_revision_however_they_are_typed()
    -> Result<(), MembershipError> {
        let this = token(1, THREE, None)?;
        let typed = "m3=HTTP://10.0.0.3:2380,m1= http://10.0.0.1:2380 ,,m2=http://10.0.0.2:2380";
        assert_eq!(token(1, typed, None)?, this);
        for other in [
            token(2, THREE, None)?,
            token(1, "m1=http://10.0.0.1:2380", None)?,
            token(1, &THREE.replace("m3", "m4"), None)?,
            token(1, &THREE.replace("0.3:2380", "0.3:2381"), None)?,
            token(1, THREE, Some(5))?,
        ] {
            assert_ne!(other, this);
        }
        Ok(())
    }
}
