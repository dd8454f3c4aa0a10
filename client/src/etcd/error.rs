//! Failures between this client and etcd. Each variant has its endpoint.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::choose::{Doubt, Hex};
use crate::causes;
use crate::exit::ExitCode;
use crate::tls::{Files, PemError, TlsFault};

/// A step of a save that etcd answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// The client's own setup.
    Connection,
    /// The check of a password, which goes through raft: never without a quorum.
    PasswordCheck,
    /// The member's status.
    Status,
    /// The cluster's alarms.
    Alarms,
    /// The first bytes of the snapshot.
    SnapshotStart,
    /// More bytes of the snapshot.
    SnapshotBytes,
}

impl fmt::Display for Awaited {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Connection => "connection",
            Self::PasswordCheck => "answer to the user and password",
            Self::Status => "status",
            Self::Alarms => "alarms",
            Self::SnapshotStart => "beginning of the snapshot",
            Self::SnapshotBytes => "further bytes of the snapshot",
        })
    }
}

/// A failure at etcd, or a refusal to take a snapshot from it.
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// No endpoint was given.
    #[error("no etcd endpoint is named")]
    NoEndpoint,
    /// An endpoint is not an address.
    #[error(
        "{endpoint:?} is no etcd endpoint: write host:port, http://host:port or https://host:port"
    )]
    Address {
        /// As given.
        endpoint: String,
    },
    /// CA, certificate or key cannot be used.
    #[error(transparent)]
    TlsFiles(#[from] PemError),
    /// The connection failed or broke.
    #[error("etcd at {endpoint} cannot be reached, or the connection broke")]
    Unreachable {
        /// The endpoint.
        endpoint: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// TLS cannot be agreed on.
    #[error("TLS with etcd at {endpoint} failed: {fault}")]
    Distrusted {
        /// The endpoint.
        endpoint: String,
        /// Why.
        fault: TlsFault,
    },
    /// A time limit was exceeded.
    #[error("etcd at {endpoint} gave no {awaited} within {} s", limit.as_secs())]
    Timeout {
        /// The endpoint.
        endpoint: String,
        /// The awaited step.
        awaited: Awaited,
        /// The limit.
        limit: Duration,
    },
    /// etcd refuses this user, or requires one.
    #[error("etcd at {endpoint} refuses: {message}")]
    Denied {
        /// The endpoint.
        endpoint: String,
        /// etcd's message.
        message: String,
    },
    /// Any other answer that is not success.
    #[error("etcd at {endpoint} answered with gRPC code {code}: {message}")]
    Answer {
        /// The endpoint.
        endpoint: String,
        /// The gRPC status code.
        code: i32,
        /// etcd's message.
        message: String,
    },
    /// A learner of etcd 3.4 refuses.
    #[error("etcd at {endpoint} is a learner and, in its version, serves no snapshot")]
    Learner {
        /// The endpoint.
        endpoint: String,
    },
    /// The members disagree about their data.
    #[error(
        "the cluster raised the alarm CORRUPT (told by {endpoint}, about member {}): its members disagree about their data",
        ids(member_ids)
    )]
    Corrupt {
        /// The member that reported it.
        endpoint: String,
        /// The members in the alarms.
        member_ids: Vec<u64>,
    },
    /// None of the endpoints is suitable.
    #[error("no endpoint is fit to take a snapshot from:{}", lines(skipped))]
    NoneFit {
        /// The reason for each.
        skipped: Vec<Skipped>,
    },
    /// The stream broke off.
    #[error("the snapshot stream from {endpoint} broke off after {received} bytes")]
    StreamBroken {
        /// The endpoint.
        endpoint: String,
        /// Bytes received.
        received: u64,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The stream ended before all announced bytes arrived.
    #[error(
        "the snapshot stream from {endpoint} ended after {received} bytes, {missing} bytes early"
    )]
    StreamShort {
        /// The endpoint.
        endpoint: String,
        /// Bytes received.
        received: u64,
        /// Announced bytes that are missing.
        missing: u64,
    },
}

/// An endpoint that was not used, and why.
#[derive(Debug)]
pub enum Skipped {
    /// It answered, but its data may be older than the cluster's.
    Doubtful {
        /// The endpoint.
        endpoint: String,
        /// Why.
        reason: Doubt,
    },
    /// It failed to answer.
    Failed(Box<EtcdError>),
}

impl fmt::Display for Skipped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Doubtful { endpoint, reason } => write!(out, "{endpoint}: {reason}"),
            Self::Failed(error) => out.write_str(&causes::chain(&**error)),
        }
    }
}

impl EtcdError {
    /// The program's exit code for this error.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoEndpoint | Self::Address { .. } => ExitCode::Usage,
            Self::TlsFiles(error) => error.exit_code(),
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::StreamBroken { .. }
            | Self::StreamShort { .. } => ExitCode::Network,
            Self::Denied { .. } | Self::Distrusted { .. } => ExitCode::Auth,
            Self::Answer { .. } => ExitCode::Failed,
            Self::Corrupt { .. } | Self::Learner { .. } => ExitCode::Precondition,
            Self::NoneFit { skipped } => none_fit_code(skipped),
        }
    }

    /// Classifies an error of the gRPC client by its cause.
    pub(super) fn of_client(endpoint: &str, error: etcd_client::Error) -> Self {
        let endpoint = endpoint.to_owned();
        let status = match error {
            etcd_client::Error::GRpcStatus(status) => status,
            other => return Self::broken(endpoint, cause(other)),
        };
        let (code, message) = (i32::from(status.code()), status.message().to_owned());
        match Meaning::of(code, &message) {
            Meaning::Denied => Self::Denied { endpoint, message },
            Meaning::Learner => Self::Learner { endpoint },
            Meaning::Broken => Self::broken(endpoint, Box::new(Rpc::new(code, &message, status))),
            Meaning::AuthOff | Meaning::Other => Self::Answer {
                endpoint,
                code,
                message,
            },
        }
    }

    fn broken(endpoint: String, source: Box<dyn Error + Send + Sync>) -> Self {
        Self::Unreachable { endpoint, source }
    }

    /// The TLS failure behind a broken connection.
    pub(super) fn with_tls_fault(self, files: Files<'_>) -> Self {
        match self {
            Self::Unreachable { endpoint, source } => match causes::tls_failure(&*source) {
                Some(fault) => {
                    let fault = TlsFault::of(fault, files);
                    Self::Distrusted { endpoint, fault }
                }
                None => Self::Unreachable { endpoint, source },
            },
            other => other,
        }
    }
}

/// The meaning of a gRPC status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// etcd refuses this user, or requires one.
    Denied,
    /// A user was given, but etcd has authentication disabled.
    AuthOff,
    /// etcd 3.4 does not serve this from a learner.
    Learner,
    /// The transport failed, or the member is going down.
    Broken,
    /// Any other answer.
    Other,
}

/// The start of messages from etcd's auth store. Through 3.5, the snapshot call returns its errors as they are, with code UNKNOWN.
const AUTH_STORE: &str = "auth: ";
/// etcd's own text.
const LEARNER: &str = "rpc not supported for learner";
/// etcd's own text; several other failures have the same code.
const AUTH_OFF: &str = "authentication is not enabled";

impl Meaning {
    fn of(code: i32, message: &str) -> Self {
        match code {
            2 if message.starts_with(AUTH_STORE) => Self::Denied,
            // INVALID_ARGUMENT: the only arguments of our requests are the user's name and password.
            3 | 7 | 16 => Self::Denied,
            // FAILED_PRECONDITION
            9 if message.ends_with(AUTH_OFF) => Self::AuthOff,
            // UNAVAILABLE, as a lost connection.
            14 if message.ends_with(LEARNER) => Self::Learner,
            // CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE: the transport, or a member going down.
            1 | 2 | 4 | 13 | 14 => Self::Broken,
            _ => Self::Other,
        }
    }

    /// The meaning of an error of the gRPC client.
    pub(super) fn of_client(error: &etcd_client::Error) -> Self {
        match error {
            etcd_client::Error::GRpcStatus(status) => {
                Self::of(i32::from(status.code()), status.message())
            }
            _ => Self::Broken,
        }
    }
}

/// A doubtful member takes precedence over a refused user, and this over no answer: the first is most useful for the next
/// step.
fn none_fit_code(skipped: &[Skipped]) -> ExitCode {
    let code = |skipped: &Skipped| match skipped {
        Skipped::Doubtful { .. } => ExitCode::Precondition,
        Skipped::Failed(error) => error.exit_code(),
    };
    let codes: Vec<ExitCode> = skipped.iter().map(code).collect();
    let order = [
        ExitCode::Precondition,
        ExitCode::Auth,
        ExitCode::Network,
        ExitCode::Usage,
    ];
    order
        .into_iter()
        .find(|code| codes.contains(code))
        .unwrap_or(ExitCode::Failed)
}

/// Extracts the causes that the gRPC client's error type hides.
pub(super) fn cause(error: etcd_client::Error) -> Box<dyn Error + Send + Sync> {
    match error {
        etcd_client::Error::TransportError(error) => Box::new(error),
        etcd_client::Error::GRpcStatus(status) => {
            let (code, message) = (i32::from(status.code()), status.message().to_owned());
            Box::new(Rpc::new(code, &message, status))
        }
        etcd_client::Error::IoError(error) => Box::new(error),
        other => Box::new(other),
    }
}

/// A gRPC status without the debug dump in its own text; its causes stay available.
#[derive(Debug)]
struct Rpc<S> {
    text: String,
    status: S,
}

impl<S> Rpc<S> {
    fn new(code: i32, message: &str, status: S) -> Self {
        Self {
            text: format!("gRPC code {code}, {message}"),
            status,
        }
    }
}

impl<S> fmt::Display for Rpc<S> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl<S: Error + 'static> Error for Rpc<S> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.status.source()
    }
}

fn ids(member_ids: &[u64]) -> String {
    let texts: Vec<String> = member_ids.iter().map(|id| Hex(*id).to_string()).collect();
    texts.join(", ")
}

fn lines(skipped: &[Skipped]) -> String {
    let texts: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    format!(
        "
  {}",
        texts.join(
            "
  "
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout() -> EtcdError {
        EtcdError::Timeout {
            endpoint: "http://a:1".to_owned(),
            awaited: Awaited::Status,
            limit: Duration::from_secs(10),
        }
    }

    #[test]
    fn the_worst_reason_that_someone_can_act_on_gives_the_code() {
        let unfit = || Skipped::Doubtful {
            endpoint: "http://b:1".to_owned(),
            reason: Doubt::NoLeader { member_id: 2 },
        };
        let none = |skipped| EtcdError::NoneFit { skipped };
        let silent = none(vec![Skipped::Failed(Box::new(timeout()))]);
        assert_eq!(silent.exit_code(), ExitCode::Network);
        let mixed = none(vec![Skipped::Failed(Box::new(timeout())), unfit()]);
        assert_eq!(mixed.exit_code(), ExitCode::Precondition);
        let text = mixed.to_string();
        assert!(
            text.contains(
                "\n  etcd at http://a:1 gave no status within 10 s\n  http://b:1: member 2 knows"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_refused_user_is_told_from_a_broken_connection() {
        // 3.4 and 3.5 in a snapshot call, 3.6 and later, and a transport error.
        assert_eq!(Meaning::of(2, "auth: user name is empty"), Meaning::Denied);
        assert_eq!(
            Meaning::of(7, "etcdserver: permission denied"),
            Meaning::Denied
        );
        assert_eq!(Meaning::of(2, "transport error"), Meaning::Broken);
        let off = "etcdserver: authentication is not enabled";
        assert_eq!(Meaning::of(9, off), Meaning::AuthOff);
        assert_eq!(Meaning::of(9, "etcdserver: no leader"), Meaning::Other);
    }

    #[test]
    fn corruption_names_endpoint_and_members() {
        let error = EtcdError::Corrupt {
            endpoint: "http://a:1".to_owned(),
            member_ids: vec![0xab, 0],
        };
        assert_eq!(error.exit_code(), ExitCode::Precondition);
        assert!(
            error
                .to_string()
                .contains("told by http://a:1, about member ab, 0"),
            "{error}"
        );
    }
}
