//! etcd as a source of snapshots: chooses a member and reads its snapshot stream.
//!
//! There is one gRPC client per endpoint: a client with several endpoints balances requests over them, but the revision must come
//! from the same member as the stream. Every wait has a limit. Must not know S3, files or the command line.

mod channel;
mod choose;
mod error;
mod member;
mod stream;

#[cfg(test)]
pub(crate) mod single;

pub use choose::{Alarm, AlarmKind, Doubt, MemberStatus, Verdict, verdict};
pub use error::{Awaited, EtcdError, Skipped};
pub use member::{Credentials, EtcdConfig, LeaderRule, Member, choose_member};
pub use stream::{Piece, SnapshotStream};
