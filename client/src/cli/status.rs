//! `strongroom snapshot status`: etcdutl's output, and more facts about the snapshot.
//!
//! etcdutl's part comes first, with its own wording. In the formats for people and for programs that read names (table, fields,
//! JSON), our own lines follow. The single line of the simple format has only etcdutl's values, since scripts split it by
//! position.

use serde::Serialize;
use strongroom_etcd_format::bolt::Bolt;
use strongroom_etcd_format::inspect::{AlarmKind, StoredMember, UnknownClusterId};
use strongroom_etcd_format::membership::ClusterId;
use strongroom_etcd_format::status::{self, Examined, Status};
use strongroom_snapshot_io::intake::Trailer;

use super::failure::{Failure, Refused};
use super::forms::{self, Form, Minor};
use super::report;
use super::settings::LookPlan;
use super::source;
use crate::image::Image;

pub(super) async fn run(plan: LookPlan, form: Form, like: Option<Minor>) -> Result<(), Failure> {
    let looked = source::look(plan, |image| {
        let examined = Bolt::open(image, image.taken().db_len)
            .map_err(|error| Refused::Database(error.into()))
            .and_then(|bolt| status::examine(&bolt).map_err(Refused::Database))?;
        Ok(Looked::new(image, examined))
    })
    .await?;
    report::result(&looked.text(form, like))?;
    looked.warn();
    Ok(())
}

struct Looked {
    name: String,
    trailer: Trailer,
    sha256: String,
    examined: Examined,
}

impl Looked {
    fn new(image: &Image, examined: Examined) -> Self {
        Self {
            name: image.name().to_owned(),
            trailer: image.taken().trailer,
            sha256: hex::encode(image.taken().sha256),
            examined,
        }
    }

    fn text(&self, form: Form, like: Option<Minor>) -> String {
        let theirs = EtcdutlStatus::new(&self.examined.status, like.unwrap_or(Minor::V37));
        match (form, like) {
            (Form::Simple, _) => forms::simple(&theirs.columns()),
            (Form::Table, Some(_)) => forms::table(theirs.minor, &theirs.columns()),
            (Form::Fields, Some(_)) => forms::fields(&theirs.fields()),
            (Form::Json, Some(_)) => theirs.json(),
            (Form::Table, None) => forms::table(theirs.minor, &theirs.columns()) + &self.page(),
            (Form::Fields, None) => forms::fields(&[theirs.fields(), self.own_fields()].concat()),
            (Form::Json, None) => self.json(&theirs),
        }
    }

    /// Files copied from a data directory have no trailer: not a failure, but worth a warning.
    fn warn(&self) {
        if self.trailer == Trailer::Missing {
            tracing::warn!(
                "{} has no SHA-256 trailer: its pages are sound, but nothing vouches for the bytes in them. Snapshots that \
                 etcdctl or strongroom saved have one",
                self.name
            );
        }
        if self.examined.report.one_meta_only {
            tracing::warn!("{}: only one of the two meta pages is valid", self.name);
        }
        let oddities = &self.examined.inspection.oddities;
        for oddity in &oddities.first {
            tracing::warn!("{}: {oddity}", self.name);
        }
        if oddities.count > 0 {
            tracing::warn!(
                "{}: {} record(s) are not as etcd writes them; a restore accepts that",
                self.name,
                oddities.count
            );
        }
    }

    fn verify_state(&self) -> &'static str {
        match self.trailer {
            Trailer::Matches => "verified",
            Trailer::Missing => "noTrailer",
            Trailer::Differs { .. } => "failed",
        }
    }

    fn cluster_id(&self) -> Result<ClusterId, UnknownClusterId> {
        let removed = self.examined.members_removed;
        self.examined.inspection.cluster_id(removed)
    }

    fn page(&self) -> String {
        let found = &self.examined.inspection;
        let mut lines = vec![
            format!("verify:   {}", self.verify_line()),
            format!(
                "entries:  {} (the total keys of etcdutl 3.5 and etcdctl 3.4), {} rows of history, {} leases",
                self.examined.status.total_entries, found.row_count, found.leases
            ),
            format!(
                "history:  revision {}, compacted {}",
                found.current_revision(),
                compaction(found.compact_revision, found.scheduled_compact_revision)
            ),
            format!(
                "cluster:  {}, cluster version {}, storage version {}, authentication {}",
                self.cluster_id()
                    .map_or_else(|why| format!("id unknown ({why})"), |id| format!("id {id}")),
                found.cluster_version.as_deref().unwrap_or("-"),
                found.storage_version.as_deref().unwrap_or("-"),
                if found.auth_enabled { "on" } else { "off" }
            ),
        ];
        lines.extend(found.members.iter().map(member_line));
        lines.extend(found.alarms.iter().map(|alarm| {
            format!(
                "alarm:    {} by member {}",
                alarm_name(alarm.kind),
                alarm.member
            )
        }));
        lines.join("\n") + "\n"
    }

    fn verify_line(&self) -> String {
        let report = &self.examined.report;
        let trailer = match self.trailer {
            Trailer::Matches => format!("verified: SHA-256 {} matches", self.sha256),
            Trailer::Missing => "NO TRAILER".to_owned(),
            Trailer::Differs { .. } => "TRAILER OF OTHER BYTES".to_owned(),
        };
        format!(
            "{trailer}, {} pages walked, {} free",
            report.pages_reachable, report.pages_free
        )
    }

    fn own_fields(&self) -> Vec<(&'static str, String)> {
        let Examined {
            report,
            inspection: found,
            status,
            ..
        } = &self.examined;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let number = |number: Option<i64>| number.map_or_else(String::new, |n| n.to_string());
        let mut fields = vec![
            ("Entries", status.total_entries.to_string()),
            ("Verify", self.verify_state().to_owned()),
            ("SHA256", self.sha256.clone()),
            ("Pages", report.pages_reachable.to_string()),
            ("Free pages", report.pages_free.to_string()),
            ("Rows", found.row_count.to_string()),
            ("Compact revision", number(found.compact_revision)),
            (
                "Scheduled compact revision",
                number(found.scheduled_compact_revision),
            ),
            ("Leases", found.leases.to_string()),
            ("Auth", found.auth_enabled.to_string()),
            (
                "Cluster ID",
                self.cluster_id()
                    .map_or_else(|_| String::new(), |id| id.to_string()),
            ),
            ("Cluster version", text(&found.cluster_version)),
            ("Storage version", text(&found.storage_version)),
        ];
        for member in &found.members {
            fields.push(("Member", member_words(member)));
        }
        for alarm in &found.alarms {
            fields.push((
                "Alarm",
                format!("{} {}", alarm_name(alarm.kind), alarm.member),
            ));
        }
        fields
    }

    fn json(&self, theirs: &EtcdutlStatus<'_>) -> String {
        let Examined {
            report,
            inspection: found,
            status,
            members_removed,
        } = &self.examined;
        let document = Document {
            theirs: theirs.document(),
            total_entries: status.total_entries,
            verify: VerifyDocument {
                state: self.verify_state(),
                sha256: &self.sha256,
                pages: report.pages_reachable,
                free_pages: report.pages_free,
                one_meta_only: report.one_meta_only,
            },
            rows: found.row_count,
            compact_revision: found.compact_revision,
            scheduled_compact_revision: found.scheduled_compact_revision,
            leases: found.leases,
            auth_enabled: found.auth_enabled,
            cluster_id: self.cluster_id().ok().map(|id| id.to_string()),
            cluster_id_unknown: self.cluster_id().err().map(|why| why.to_string()),
            cluster_version: found.cluster_version.as_deref(),
            storage_version: found.storage_version.as_deref(),
            members: found.members.iter().map(MemberDocument::of).collect(),
            members_removed: *members_removed,
            alarms: found
                .alarms
                .iter()
                .map(|alarm| (alarm.member.to_string(), alarm_name(alarm.kind)))
                .map(|(member, alarm)| AlarmDocument { member, alarm })
                .collect(),
        };
        line(&document)
    }
}

fn compaction(finished: Option<i64>, scheduled: Option<i64>) -> String {
    match (finished, scheduled) {
        (finished, Some(scheduled)) if finished.is_none_or(|finished| scheduled > finished) => {
            format!("{scheduled} (still running)")
        }
        (Some(finished), _) => finished.to_string(),
        (None, _) => "never".to_owned(),
    }
}

fn member_line(member: &StoredMember) -> String {
    format!("member:   {}", member_words(member))
}

fn member_words(member: &StoredMember) -> String {
    let name = if member.name.is_empty() {
        "(not started)".to_owned()
    } else {
        // A name is arbitrary text; it must not control a terminal.
        member.name.escape_debug().to_string()
    };
    let learner = if member.is_learner { " learner" } else { "" };
    let urls = member.peer_urls.join(",").escape_debug().to_string();
    format!("{} {name} {urls}{learner}", member.id)
}

fn alarm_name(kind: AlarmKind) -> String {
    match kind {
        AlarmKind::NoSpace => "NOSPACE".to_owned(),
        AlarmKind::Corrupt => "CORRUPT".to_owned(),
        AlarmKind::Other(number) => format!("alarm {number}"),
    }
}

fn line(document: &impl Serialize) -> String {
    let text = serde_json::to_string(document).expect("texts and numbers are JSON");
    text + "\n"
}

/// etcdutl's part, for one minor version.
struct EtcdutlStatus<'s> {
    status: &'s Status,
    minor: Minor,
}

impl<'s> EtcdutlStatus<'s> {
    fn new(status: &'s Status, minor: Minor) -> Self {
        Self { status, minor }
    }

    fn knows_live_keys(&self) -> bool {
        self.minor >= Minor::V36
    }

    fn total_key(&self) -> u64 {
        if self.knows_live_keys() {
            self.status.live_keys
        } else {
            self.status.total_entries
        }
    }

    fn version(&self) -> Option<&str> {
        let version = self.status.version.as_deref().unwrap_or_default();
        self.knows_live_keys().then_some(version)
    }

    fn columns(&self) -> Vec<(&'static str, String)> {
        let mut columns = vec![
            ("hash", format!("{:x}", self.status.hash)),
            ("revision", self.status.revision.to_string()),
            ("total keys", self.total_key().to_string()),
            ("total size", forms::size(self.status.total_size)),
        ];
        columns.extend(
            self.version()
                .map(|version| ("version", version.to_owned())),
        );
        columns
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("Hash", self.status.hash.to_string()),
            ("Revision", self.status.revision.to_string()),
            ("Keys", self.total_key().to_string()),
            ("Size", self.status.total_size.to_string()),
        ];
        fields.extend(
            self.version()
                .map(|version| ("Version", version.to_owned())),
        );
        fields
    }

    fn document(&self) -> TheirDocument<'_> {
        TheirDocument {
            hash: self.status.hash,
            revision: self.status.revision,
            total_key: self.total_key(),
            total_size: self.status.total_size,
            version: self.version(),
        }
    }

    fn json(&self) -> String {
        line(&self.document())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TheirDocument<'s> {
    hash: u32,
    revision: i64,
    total_key: u64,
    total_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'s str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'s> {
    #[serde(flatten)]
    theirs: TheirDocument<'s>,
    total_entries: u64,
    verify: VerifyDocument<'s>,
    rows: u64,
    compact_revision: Option<i64>,
    scheduled_compact_revision: Option<i64>,
    leases: u64,
    auth_enabled: bool,
    cluster_id: Option<String>,
    cluster_id_unknown: Option<String>,
    cluster_version: Option<&'s str>,
    storage_version: Option<&'s str>,
    members: Vec<MemberDocument<'s>>,
    members_removed: u64,
    alarms: Vec<AlarmDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerifyDocument<'s> {
    state: &'static str,
    sha256: &'s str,
    pages: u64,
    free_pages: u64,
    one_meta_only: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberDocument<'s> {
    id: String,
    name: &'s str,
    #[serde(rename = "peerURLs")]
    peer_urls: &'s [String],
    #[serde(rename = "clientURLs")]
    client_urls: &'s [String],
    is_learner: bool,
}

impl<'s> MemberDocument<'s> {
    fn of(member: &'s StoredMember) -> Self {
        Self {
            id: member.id.to_string(),
            name: &member.name,
            peer_urls: &member.peer_urls,
            client_urls: &member.client_urls,
            is_learner: member.is_learner,
        }
    }
}

#[derive(Serialize)]
struct AlarmDocument {
    member: String,
    alarm: String,
}
