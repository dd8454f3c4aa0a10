//! etcd as a source of snapshots: which member to ask, and its snapshot stream.
//!
//! One gRPC client per endpoint, because a client given several balances over all of them, and the revision must come
//! from the very member that streams. Every wait has a limit. Knows nothing of S3, files or the command line.

mod choose;
mod error;
mod member;
mod stream;

#[cfg(test)]
pub(crate) mod single;

pub use choose::{Alarm, AlarmKind, MemberStatus, Unfit, Verdict, verdict};
pub use error::{EtcdError, Skipped};
pub use member::{Credentials, EtcdConfig, Member, choose_member};
pub use stream::{Piece, SnapshotStream};
