//! Connects to members and queries their status.

use std::time::Duration;

use etcd_client::{AlarmAction, AlarmType, Channel, Client, MaintenanceClient, StatusResponse};

use super::channel;
use super::choose::{Alarm, AlarmKind, Doubt, MemberStatus, Verdict, alarms_in, rank, verdict};
use super::error::{Awaited, EtcdError, Meaning, Skipped};
use super::stream::SnapshotStream;
use crate::clock;
use crate::s3::Secret;
use crate::tls::{Files, Identity, Trust};

const PLAIN: &str = "http://";
/// etcdctl's command timeout is 5 s. Reading alarms goes through raft, and an election may be in progress.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// A user and its password.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// The address of etcd and the credentials.
#[derive(Debug, Clone)]
pub struct EtcdConfig {
    /// `host:port`, `http://host:port` or `https://host:port`, tried in this order.
    pub endpoints: Vec<String>,
    /// The CA; by default the system's certificates.
    pub trust: Option<Trust>,
    /// The client's certificate.
    pub identity: Option<Identity>,
    /// The user, if etcd requires one.
    pub credentials: Option<Credentials>,
    /// Whether a member without a leader, or a learner, may be used.
    pub leader: LeaderRule,
}

/// What to do if no endpoint is a voting member with a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaderRule {
    /// Use the doubtful member with the newest data: after a loss of quorum, that is what is left.
    Preferred,
    /// Fail: for jobs, whose last good snapshot is better.
    Required,
}

/// A member that answered, and its status.
pub struct Member {
    endpoint: String,
    status: MemberStatus,
    doubt: Option<Doubt>,
    maintenance: MaintenanceClient,
}

impl Member {
    /// Its address as a URL.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its status before the stream.
    pub fn status(&self) -> &MemberStatus {
        &self.status
    }

    /// Why its data may be older than the cluster's.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// Starts its snapshot stream.
    ///
    /// # Errors
    /// If the member refuses or is not reachable.
    pub async fn snapshot(&mut self) -> Result<SnapshotStream, EtcdError> {
        let stream = answer(
            &self.endpoint,
            Awaited::SnapshotStart,
            self.maintenance.snapshot(),
        )
        .await?;
        Ok(SnapshotStream::new(self.endpoint.clone(), stream))
    }
}

/// Queries the endpoints in order and returns the first voting member with a leader. If there is none, the rule decides.
///
/// # Errors
/// If none is suitable, with the reason for each. If one reports corruption, immediately.
pub async fn choose_member(config: &EtcdConfig) -> Result<Member, EtcdError> {
    if config.endpoints.is_empty() {
        return Err(EtcdError::NoEndpoint);
    }
    let endpoints: Vec<String> = config
        .endpoints
        .iter()
        .map(|endpoint| {
            with_scheme(
                endpoint,
                config.trust.is_some() || config.identity.is_some(),
            )
        })
        .collect::<Result<_, _>>()?;
    let mut skipped: Vec<Skipped> = Vec::new();
    let mut doubtful: Vec<Member> = Vec::new();
    for endpoint in endpoints {
        match Box::pin(ask_explained(config, &endpoint)).await {
            Ok(mut member) => match verdict(&member.status) {
                Verdict::Fit => {
                    skipped.extend(doubtful.iter().filter_map(passed_over));
                    return Ok(chosen(member, &skipped));
                }
                Verdict::Doubtful(doubt) => {
                    member.doubt = Some(doubt);
                    doubtful.push(member);
                }
                Verdict::Corrupt { member_ids } => {
                    return Err(EtcdError::Corrupt {
                        endpoint,
                        member_ids,
                    });
                }
            },
            Err(error) if error.exit_code() == crate::exit::ExitCode::Usage => return Err(error),
            Err(error) => skipped.push(Skipped::Failed(Box::new(error))),
        }
    }
    doubtful.sort_by_key(|member| rank(&member.status));
    let newest = match config.leader {
        LeaderRule::Preferred => doubtful.pop(),
        LeaderRule::Required => None,
    };
    skipped.extend(doubtful.iter().filter_map(passed_over));
    match newest {
        Some(member) => Ok(chosen(member, &skipped)),
        None => Err(EtcdError::NoneFit { skipped }),
    }
}

fn passed_over(member: &Member) -> Option<Skipped> {
    Some(Skipped::Doubtful {
        endpoint: member.endpoint.clone(),
        reason: member.doubt?,
    })
}

fn chosen(member: Member, skipped: &[Skipped]) -> Member {
    for reason in skipped {
        tracing::warn!("endpoint not used: {reason}");
    }
    if let Some(doubt) = member.doubt {
        tracing::warn!(
            "THE NEWEST WRITES MAY BE MISSING: no endpoint is a voting member with a leader, and {doubt}"
        );
    }
    log_choice(&member);
    member
}

fn log_choice(member: &Member) {
    let status = &member.status;
    tracing::info!(
        endpoint = member.endpoint,
        member = format!("{:x}", status.member_id),
        version = status.version,
        revision = status.revision,
        db_bytes = status.db_bytes,
        "taking the snapshot from this member"
    );
    for alarm in &status.alarms {
        tracing::warn!(member = format!("{:x}", alarm.member_id), kind = ?alarm.kind, "etcd has an alarm raised");
    }
}

/// Asks a member; a broken connection is looked into.
async fn ask_explained(config: &EtcdConfig, endpoint: &str) -> Result<Member, EtcdError> {
    let files = Files {
        trusted: config.trust.as_ref().and_then(Trust::name),
        client: config.identity.as_ref().map(Identity::file),
    };
    let failed = match ask(config, endpoint).await {
        Ok(member) => return Ok(member),
        Err(error) => error.with_tls_fault(files),
    };
    if let EtcdError::Unreachable { endpoint, .. } = &failed
        && let Some(fault) = channel::fault(endpoint, config, files).await
    {
        let endpoint = endpoint.clone();
        return Err(EtcdError::Distrusted { endpoint, fault });
    }
    Err(failed)
}

async fn ask(config: &EtcdConfig, endpoint: &str) -> Result<Member, EtcdError> {
    // One endpoint per client: with several, status and snapshot could come from different members.
    let channel = Channel::Tonic(channel::to(endpoint, config)?);
    let connecting = Box::pin(Client::from_channel(channel, None));
    let mut client = answer(endpoint, Awaited::Connection, connecting).await?;
    if let Some(credentials) = &config.credentials {
        authenticate(&mut client, endpoint, credentials).await?;
    }
    let mut maintenance = client.maintenance_client();
    let mut status = answer(endpoint, Awaited::Status, maintenance.status()).await?;
    let alarms = match alarms(endpoint, &mut maintenance, &status).await {
        Ok(alarms) => alarms,
        Err(error) => {
            // A member learns only after an election timeout that its leader is lost.
            status = answer(endpoint, Awaited::Status, maintenance.status()).await?;
            if is_voter_with_leader(&status) {
                return Err(error);
            }
            alarms_in(status.errors())
        }
    };
    Ok(Member {
        endpoint: endpoint.to_owned(),
        status: member_status(&status, alarms),
        doubt: None,
        maintenance,
    })
}

/// Reading alarms needs a quorum, so it would time out without a leader, and a learner refuses it with the code of a lost
/// connection.
async fn alarms(
    endpoint: &str,
    maintenance: &mut MaintenanceClient,
    status: &StatusResponse,
) -> Result<Vec<Alarm>, EtcdError> {
    if !is_voter_with_leader(status) {
        return Ok(alarms_in(status.errors()));
    }
    let asked = maintenance.alarm(AlarmAction::Get, AlarmType::None, None);
    let alarms = answer(endpoint, Awaited::Alarms, asked).await?;
    Ok(alarms.alarms().iter().map(alarm).collect())
}

fn is_voter_with_leader(status: &StatusResponse) -> bool {
    status.leader() != 0 && !status.is_learner()
}

/// Obtains the token of a user. As with etcdctl, a user that etcd does not ask for is no error: jobs keep their settings while
/// authentication is turned on and off.
async fn authenticate(
    client: &mut Client,
    endpoint: &str,
    Credentials { user, password }: &Credentials,
) -> Result<(), EtcdError> {
    let user_and_password = (user.clone(), password.expose().to_owned());
    let call = async {
        match client.update_user(Some(user_and_password)).await {
            Err(error) if Meaning::of_client(&error) == Meaning::AuthOff => {
                tracing::warn!(
                    endpoint,
                    "authentication is not enabled in etcd: user and password are not used"
                );
                Ok(())
            }
            outcome => outcome,
        }
    };
    answer(endpoint, Awaited::PasswordCheck, call).await
}

fn member_status(status: &StatusResponse, alarms: Vec<Alarm>) -> MemberStatus {
    let header = status.header();
    MemberStatus {
        member_id: header.map_or(0, etcd_client::ResponseHeader::member_id),
        cluster_id: header.map_or(0, etcd_client::ResponseHeader::cluster_id),
        revision: header.map_or(0, etcd_client::ResponseHeader::revision),
        db_bytes: u64::try_from(status.db_size()).unwrap_or(0),
        leader: status.leader(),
        is_learner: status.is_learner(),
        version: status.version().to_owned(),
        alarms,
    }
}

fn alarm(alarm: &etcd_client::AlarmMember) -> Alarm {
    let kind = match alarm.alarm() {
        AlarmType::Corrupt => AlarmKind::Corrupt,
        AlarmType::Nospace => AlarmKind::NoSpace,
        AlarmType::None => AlarmKind::Other,
    };
    Alarm {
        member_id: alarm.member_id(),
        kind,
    }
}

async fn answer<T>(
    endpoint: &str,
    awaited: Awaited,
    call: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, EtcdError> {
    match clock::within(ANSWER_LIMIT, call).await {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => Err(EtcdError::of_client(endpoint, error)),
        None => Err(EtcdError::Timeout {
            endpoint: endpoint.to_owned(),
            awaited,
            limit: ANSWER_LIMIT,
        }),
    }
}

/// The address of an endpoint as etcd's own tools take it: bare `host:port`, with https if TLS files are given, or a URL, of which
/// only scheme, host and port count.
fn with_scheme(endpoint: &str, tls: bool) -> Result<String, EtcdError> {
    let endpoint = endpoint.trim();
    let whole = match endpoint.split_once("://") {
        Some(_) => endpoint.to_owned(),
        None if tls => format!("https://{endpoint}"),
        None => format!("{PLAIN}{endpoint}"),
    };
    let wrong = || EtcdError::Address {
        endpoint: endpoint.to_owned(),
    };
    let url = url::Url::parse(&whole).map_err(|_| wrong())?;
    let host = url.host_str().ok_or_else(wrong)?;
    let port = url.port_or_known_default().ok_or_else(wrong)?;
    match url.scheme() {
        scheme @ ("http" | "https") => Ok(format!("{scheme}://{host}:{port}")),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_addresses_get_the_scheme_that_the_files_ask_for() {
        let both = |endpoint: &str| {
            (
                with_scheme(endpoint, false).expect("valid"),
                with_scheme(endpoint, true).expect("valid"),
            )
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            both(" 10.0.0.1:2379"),
            pair("http://10.0.0.1:2379", "https://10.0.0.1:2379")
        );
        assert_eq!(
            both("http://[::1]:2379/"),
            pair("http://[::1]:2379", "http://[::1]:2379")
        );
        let url = "HTTPS://user@Etcd-1.example:2379/v3?a=b";
        let address = "https://etcd-1.example:2379";
        assert_eq!(both(url), pair(address, address));
        for wrong in ["", "ftp://h:1", "http://", "a b:1", "h:port"] {
            assert!(
                matches!(with_scheme(wrong, false), Err(EtcdError::Address { .. })),
                "{wrong}"
            );
        }
    }
}
