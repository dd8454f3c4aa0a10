//! Turns flags and environment into plans. Pure, except that it reads the files in flags.
//!
//! A flag overrides its variable. Files are read here, once, so that the plan contains everything that a run needs.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use strongroom_etcd_format::name::{Kind, SnapshotName};
use strongroom_snapshot_io::scratch::Scratch;
use url::Url;

use super::args::{
    DiffArguments, EtcdArguments, GetArguments, GroupingArguments, ListArguments, S3Arguments,
    SaveArguments,
};
use super::diff::DiffPlan;
use super::failure::SettingsError;
use super::groups::Grouping;
use crate::environment::Environment;
use crate::etcd::{Credentials, EtcdConfig, LeaderRule};
use crate::s3::{S3Config, Secret};
use crate::tls::{Identity, PemFile, Trust};
use crate::uri::S3Uri;

const ENDPOINT_DEFAULT: &str = "127.0.0.1:2379";
const S3_ENDPOINT_NAMES: [&str; 4] = [
    "STRONGROOM_S3_ENDPOINT",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    ECS_ENDPOINT,
];
/// etcdbrctl's variable for a store that is not AWS; host:port is enough.
const ECS_ENDPOINT: &str = "ECS_ENDPOINT";
/// The pairs of credentials, as a whole: the key of one with the secret of another would only be refused.
const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("ECS_ACCESS_KEY_ID", "ECS_SECRET_ACCESS_KEY"),
];

/// The plan of `snapshot save`.
#[derive(Debug)]
pub(super) struct SavePlan {
    pub(super) etcd: EtcdConfig,
    pub(super) destination: Destination,
}

/// The destination of a snapshot: a file or a store.
#[derive(Debug)]
pub(super) enum Destination {
    File(PathBuf),
    S3(Box<S3Config>, S3Uri),
}

/// The plan of `snapshot get`.
#[derive(Debug)]
pub(super) struct GetPlan {
    pub(super) s3: Box<S3Config>,
    pub(super) uri: S3Uri,
    pub(super) file: PathBuf,
}

/// The plan of `snapshot list`.
#[derive(Debug)]
pub(super) struct ListPlan {
    pub(super) s3: S3Config,
    pub(super) place: S3Uri,
}

/// The plan of every command that looks into a snapshot.
#[derive(Debug)]
pub(super) struct LookPlan {
    pub(super) source: SnapshotSource,
    pub(super) scratch: Scratch,
}

/// The file or object with a snapshot.
#[derive(Debug)]
pub(super) enum SnapshotSource {
    File(PathBuf),
    Object(Box<S3Config>, S3Uri),
}

/// The folder for temporary files unless TMPDIR is set.
const SCRATCH_DEFAULT: &str = "/tmp";
/// Whether this is meant as an address in a store; `S3Uri` then tells what is wrong with it, not the file system.
fn is_s3(text: &str) -> bool {
    text.get(..S3_SCHEME.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(S3_SCHEME))
}

const S3_SCHEME: &str = "s3:/";

pub(super) fn look_plan(
    snapshot: &Path,
    s3: &S3Arguments,
    environment: &Environment,
) -> Result<LookPlan, SettingsError> {
    let source = match snapshot.to_str() {
        Some(text) if is_s3(text) => {
            SnapshotSource::Object(Box::new(s3_config(s3, environment)?), object(text)?)
        }
        _ => SnapshotSource::File(snapshot.to_owned()),
    };
    let scratch = environment.get("TMPDIR").unwrap_or(SCRATCH_DEFAULT);
    Ok(LookPlan {
        source,
        scratch: Scratch::in_folder(scratch),
    })
}

pub(super) fn diff_plan(
    diff: &DiffArguments,
    environment: &Environment,
) -> Result<DiffPlan, SettingsError> {
    Ok(DiffPlan {
        old: look_plan(&diff.old, &diff.s3, environment)?,
        new: look_plan(&diff.new, &diff.s3, environment)?,
    })
}

pub(super) fn grouping(flags: &GroupingArguments) -> Grouping {
    Grouping {
        prefix: flags.prefix.as_bytes().to_vec(),
        depth: usize::from(flags.depth),
    }
}

/// The address of one object.
fn object(text: &str) -> Result<S3Uri, SettingsError> {
    let uri = S3Uri::parse(text)?;
    if uri.prefix().is_empty() || uri.prefix().ends_with('/') {
        return Err(SettingsError::NoKey {
            text: text.to_owned(),
        });
    }
    Ok(uri)
}

pub(super) fn get_plan(
    get: &GetArguments,
    environment: &Environment,
) -> Result<GetPlan, SettingsError> {
    let uri = object(&get.object)?;
    let name = SnapshotName::parse(uri.prefix());
    if name.is_some_and(|name| name.kind == Kind::Incr) {
        return Err(SettingsError::Delta {
            text: get.object.clone(),
        });
    }
    Ok(GetPlan {
        s3: Box::new(s3_config(&get.s3, environment)?),
        uri,
        file: get.file.clone(),
    })
}

pub(super) fn save_plan(
    save: &SaveArguments,
    etcd: &EtcdArguments,
    environment: &Environment,
    ask_password: impl FnOnce(&str) -> Option<Secret>,
) -> Result<SavePlan, SettingsError> {
    let destination = match (&save.to, &save.file) {
        (Some(to), _) => Destination::S3(
            Box::new(s3_config(&save.s3, environment)?),
            S3Uri::parse(to)?,
        ),
        (None, file) => {
            let file = file.clone().unwrap_or_default();
            if let Some(text) = file.to_str().filter(|text| is_s3(text)) {
                return Err(SettingsError::NoTo {
                    text: text.to_owned(),
                });
            }
            Destination::File(file)
        }
    };
    let leader = if save.require_leader {
        LeaderRule::Required
    } else {
        LeaderRule::Preferred
    };
    Ok(SavePlan {
        etcd: etcd_config(etcd, leader, environment, ask_password)?,
        destination,
    })
}

pub(super) fn list_plan(
    list: &ListArguments,
    environment: &Environment,
) -> Result<ListPlan, SettingsError> {
    Ok(ListPlan {
        s3: s3_config(&list.s3, environment)?,
        place: S3Uri::parse(&list.place)?,
    })
}

fn etcd_config(
    flags: &EtcdArguments,
    leader: LeaderRule,
    environment: &Environment,
    ask_password: impl FnOnce(&str) -> Option<Secret>,
) -> Result<EtcdConfig, SettingsError> {
    let endpoints = if flags.endpoints.is_empty() {
        let listed = environment
            .get("ETCDCTL_ENDPOINTS")
            .unwrap_or(ENDPOINT_DEFAULT);
        listed.split(',').map(str::to_owned).collect()
    } else {
        flags.endpoints.clone()
    };
    let path = |flag: &Option<PathBuf>, name: &str| {
        flag.clone()
            .or_else(|| environment.get(name).map(PathBuf::from))
    };
    let (cert, key) = (
        path(&flags.cert, "ETCDCTL_CERT"),
        path(&flags.key, "ETCDCTL_KEY"),
    );
    let identity = match (cert, key) {
        (None, None) => None,
        (Some(_), None) => return Err(SettingsError::HalfPair { missing: "--key" }),
        (None, Some(_)) => return Err(SettingsError::HalfPair { missing: "--cert" }),
        (Some(cert), Some(key)) => {
            let (cert, key) = (pem(&cert, "--cert")?, pem(&key, "--key")?);
            Some(Identity::read(&cert, &key)?)
        }
    };
    let trust = match path(&flags.cacert, "ETCDCTL_CACERT") {
        Some(path) => Some(Trust::file(&pem(&path, "--cacert")?)?),
        None => None,
    };
    let credentials = credentials(flags, environment, ask_password)?;
    Ok(EtcdConfig {
        endpoints,
        trust,
        identity,
        credentials,
        leader,
    })
}

/// As in etcdctl: `name:password`, or a separate password, or a prompt.
fn credentials(
    flags: &EtcdArguments,
    environment: &Environment,
    ask_password: impl FnOnce(&str) -> Option<Secret>,
) -> Result<Option<Credentials>, SettingsError> {
    let Some(user) = flags
        .user
        .as_deref()
        .or_else(|| environment.get("ETCDCTL_USER"))
    else {
        return Ok(None);
    };
    if user.is_empty() {
        return Err(SettingsError::EmptyUser);
    }
    let apart = flags
        .password
        .as_deref()
        .or_else(|| environment.get("ETCDCTL_PASSWORD"));
    let (user, password) = match (apart, user.split_once(':')) {
        (Some(password), _) => (user, Some(Secret::new(password))),
        (None, Some((user, password))) => (user, Some(Secret::new(password))),
        (None, None) => (user, ask_password(user)),
    };
    let password = password.ok_or_else(|| SettingsError::NoPassword {
        user: user.to_owned(),
    })?;
    Ok(Some(Credentials {
        user: user.to_owned(),
        password,
    }))
}

fn s3_config(flags: &S3Arguments, environment: &Environment) -> Result<S3Config, SettingsError> {
    let (from, text) = match &flags.endpoint {
        Some(flag) => ("--s3-endpoint", flag.as_str()),
        // No default: a snapshot contains all secrets of a cluster and must not go to an unintended place.
        None => environment
            .first(&S3_ENDPOINT_NAMES)
            .ok_or(SettingsError::NoS3Endpoint)?,
    };
    let whole = match (from, text.contains("://")) {
        (ECS_ENDPOINT, false) if is_true(environment.get("ECS_DISABLE_SSL")) => {
            format!("http://{text}")
        }
        (ECS_ENDPOINT, false) => format!("https://{text}"),
        _ => text.to_owned(),
    };
    let endpoint = Url::parse(&whole)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.username().is_empty())
        .ok_or_else(|| SettingsError::S3Endpoint {
            text: text.to_owned(),
            from: from.to_owned(),
        })?;
    let [default, ecs] = CREDENTIALS;
    let none_of = |(key, secret)| environment.first(&[key, secret]).is_none();
    let (key_name, secret_name) = if none_of(default) && !none_of(ecs) {
        ecs
    } else {
        default
    };
    let required = |name| {
        environment
            .get(name)
            .ok_or(SettingsError::NoCredential { name })
    };
    let (access_key, secret_key) = (required(key_name)?, Secret::new(required(secret_name)?));
    let mut config = S3Config::new(endpoint, access_key, secret_key);
    config.session_token = environment.get("AWS_SESSION_TOKEN").map(Secret::new);
    let named = environment
        .first(&["AWS_REGION", "AWS_DEFAULT_REGION"])
        .map(|(_, region)| region);
    if let Some(region) = flags.region.as_deref().or(named) {
        region.clone_into(&mut config.region);
    }
    config.ca_bundle = match (&flags.ca_bundle, environment.get("AWS_CA_BUNDLE")) {
        (Some(path), _) => Some(pem(path, "--s3-ca-bundle")?),
        (None, Some(path)) => Some(pem(Path::new(path), "AWS_CA_BUNDLE")?),
        (None, None) => None,
    };
    Ok(config)
}

/// As Go reads booleans.
fn is_true(text: Option<&str>) -> bool {
    matches!(text, Some("1" | "t" | "T" | "true" | "TRUE" | "True"))
}

fn pem(path: &Path, from: &'static str) -> Result<PemFile, SettingsError> {
    let bytes = fs::read(path).map_err(|source| SettingsError::File {
        path: path.to_owned(),
        from,
        source,
    })?;
    Ok(PemFile::new(format!("{} ({from})", path.display()), bytes))
}

#[cfg(test)]
mod tests;
