//! The names of each writer, one function per rule. Sources: the writers' own code.

use strongroom_etcd_format::name::{Kind, SnapshotName};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::dates::{self, Captured};
use super::{Named, Path, Role, Rule, place, place_of_name};

/// The rules, in the order of the table in docs/catalogue.md.
pub(super) const RULES: [fn(&Path<'_>) -> Option<Named>; 7] =
    [etcdbrctl, kops, k3s, rke, talos, omni, giantswarm];

/// Endings that etcdbrctl and `strongroom snapshot save` append for compression.
const PACKED: [&str; 4] = [".gz", ".zlib", ".Z", ".zst"];

const K3S_METADATA: &str = ".metadata";
/// What k3s and rke2 put before the node: of the schedule, and of `etcd-snapshot save`.
const K3S_NAMES: [&str; 2] = ["etcd-snapshot-", "on-demand-"];

const KOPS_DATA: &str = "etcd.backup.gz";
const KOPS_METADATA: &str = "_etcd_backup.meta";

/// Rancher's kinds of RKE snapshots: recurring or manual, kept locally or in S3.
const RANCHER_KINDS: [&str; 4] = ["rl", "rs", "ml", "ms"];

const OMNI_DIGITS: usize = 16;

/// A whole snapshot's name of etcdbrctl.
pub(super) fn snapshot_name(name: &str) -> Option<SnapshotName> {
    let parsed = SnapshotName::parse(name)?;
    let suffix = parsed.suffix.as_deref();
    suffix
        .is_none_or(|suffix| PACKED.contains(&suffix))
        .then_some(parsed)
}

/// `P/v2/Full-...`, `P/v1/Backup-T/Full-...`; and such a file that somebody copied elsewhere, `P/Full-...`.
fn etcdbrctl(path: &Path<'_>) -> Option<Named> {
    let name = snapshot_name(path.file)?;
    let prefix = match path.folders.as_slice() {
        [prefix @ .., "v2"] => prefix,
        [prefix @ .., "v1", folder] if is_backup_folder(folder) => prefix,
        folders => folders,
    };
    let mut named = Named::full(Rule::Etcdbrctl, place(prefix));
    if name.kind == Kind::Incr {
        named.role = Role::Delta {
            start: name.start_revision,
            last: name.last_revision,
        };
    }
    named.revision = Some(name.last_revision);
    named.captured = dates::unix(name.created_unix);
    named.last = name.is_final;
    Some(named)
}

fn is_backup_folder(name: &str) -> bool {
    name.strip_prefix("Backup-").is_some_and(is_number)
}

/// `P/2026-11-28T01:02:03Z-000001/etcd.backup.gz`, and the metadata beside it.
fn kops(path: &Path<'_>) -> Option<Named> {
    let (backup, prefix) = path.folders.split_last()?;
    let (time, sequence) = backup.rsplit_once('-')?;
    let captured = rfc3339(time)?;
    if !is_number(sequence) {
        return None;
    }
    let mut named = Named::full(Rule::Kops, place(prefix));
    named.captured = Some(captured);
    match path.file {
        KOPS_DATA => {}
        KOPS_METADATA => {
            let of = Path::key(&path.folders, KOPS_DATA);
            named.role = Role::Metadata { of };
        }
        _ => return None,
    }
    Some(named)
}

/// `P/etcd-snapshot-NODE-1764291723`, `P/on-demand-NODE-1764291723.zip`, and `P/.metadata/` with a file of the same name.
fn k3s(path: &Path<'_>) -> Option<Named> {
    let is_metadata = path.folders.last() == Some(&K3S_METADATA);
    let is_known = K3S_NAMES
        .iter()
        .any(|name| stem_of_k3s(path.file).starts_with(name));
    if !is_metadata && !is_known {
        return None;
    }
    let named = k3s_of_any_name(path, None)?;
    // Without a node it is a cron job's name, unless k3s did not know its own.
    (is_metadata || named.source.is_some() || stem_of_k3s(path.file).contains("--"))
        .then_some(named)
}

/// As [`k3s`], with anything before the node.
pub(super) fn k3s_of_any_name(path: &Path<'_>, node: Option<&str>) -> Option<Named> {
    let (name, seconds) = stem_of_k3s(path.file).rsplit_once('-')?;
    let captured = dates::unix_text(seconds)?;
    let source = node.map(str::to_owned).or_else(|| {
        let node = K3S_NAMES.iter().find_map(|known| name.strip_prefix(known));
        node.filter(|node| !node.is_empty()).map(str::to_owned)
    });
    let (prefix, role) = match path.folders.as_slice() {
        [prefix @ .., K3S_METADATA] => {
            let of = Path::key(prefix, path.file);
            (prefix, Role::Metadata { of })
        }
        prefix => (prefix, Role::Full),
    };
    let mut named = Named::full(Rule::K3s, place(prefix));
    named.role = role;
    named.source = source;
    named.captured = Some(captured);
    Some(named)
}

fn stem_of_k3s(file: &str) -> &str {
    file.strip_suffix(".zip").unwrap_or(file)
}

/// `P/c-xxxxx-rl-xxxxx_2026-11-28T01:02:03Z.zip`, `P/2026-11-28T01:02:03Z_etcd.zip`; without `.zip` before 2019.
fn rke(path: &Path<'_>) -> Option<Named> {
    let stem = path.file.strip_suffix(".zip").unwrap_or(path.file);
    let (before, after) = stem.rsplit_once('_')?;
    let (place, captured) = if after == "etcd" {
        (place(&path.folders), rfc3339(before)?)
    } else {
        let cluster = rancher_cluster(before)?;
        (place_of_name(&path.folders, &cluster), rfc3339(after)?)
    };
    let mut named = Named::full(Rule::Rke, place);
    named.captured = Some(captured);
    Some(named)
}

/// `c-xxxxx` of `c-xxxxx-rl-xxxxx`.
fn rancher_cluster(name: &str) -> Option<String> {
    let mut parts = name.split('-');
    let (Some("c"), Some(cluster), Some(kind), Some(snapshot), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return None;
    };
    let is_id = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    (is_id(cluster) && is_id(snapshot) && RANCHER_KINDS.contains(&kind))
        .then(|| format!("c-{cluster}"))
}

/// `P/NAME-2026-11-28T01:02:03Z.snap`, `.zst`, `.age`.
fn talos(path: &Path<'_>) -> Option<Named> {
    let (file, encrypted) = match path.file.strip_suffix(".age") {
        Some(file) => (file, true),
        None => (path.file, false),
    };
    let file = file.strip_suffix(".zst").unwrap_or(file);
    let stem = file.strip_suffix(".snap")?;
    let (name, captured) = RFC3339_LENGTHS.iter().find_map(|length| {
        let (before, time) = stem.split_at_checked(stem.len().checked_sub(*length)?)?;
        let name = before.strip_suffix('-').filter(|name| !name.is_empty())?;
        Some((name, rfc3339(time)?))
    })?;
    let mut named = Named::full(Rule::Talos, place_of_name(&path.folders, name));
    named.captured = Some(captured);
    named.encrypted = encrypted;
    Some(named)
}

/// With `Z`, and with an offset such as `+02:00`.
const RFC3339_LENGTHS: [usize; 2] = [20, 25];

/// `UUID/FFFFFFFF9A99FBF6.snapshot`: the number is the negative of the Unix seconds, so that the newest is listed first.
fn omni(path: &Path<'_>) -> Option<Named> {
    let number = path.file.strip_suffix(".snapshot")?;
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if number.len() != OMNI_DIGITS || !is_hex(number) || !is_uuid(path.folders.last()?) {
        return None;
    }
    let number = u64::from_str_radix(number, 16).ok()?;
    let mut named = Named::full(Rule::Omni, place(&path.folders));
    named.captured = i64::try_from(number.wrapping_neg())
        .ok()
        .and_then(dates::unix);
    named.encrypted = true;
    Some(named)
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// `P/NAME-v3-2026-11-28T01-02-03.db.tar.gz`, `.enc`.
fn giantswarm(path: &Path<'_>) -> Option<Named> {
    let (file, encrypted) = match path.file.strip_suffix(".enc") {
        Some(file) => (file, true),
        None => (path.file, false),
    };
    let stem = file.strip_suffix(".db.tar.gz")?;
    let (name, time) = stem.rsplit_once("-v3-")?;
    let captured = dates::whole(time).filter(|_| time.contains('T') && !name.is_empty())?;
    let mut named = Named::full(Rule::GiantSwarm, place_of_name(&path.folders, name));
    named.captured = Some(captured);
    named.encrypted = encrypted;
    Some(named)
}

fn rfc3339(text: &str) -> Option<Captured> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    dates::unix(at.unix_timestamp())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
