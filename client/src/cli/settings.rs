//! Turns flags and environment into plans. Pure, except that it reads the files in flags.
//!
//! A flag overrides its variable. Files are read here, once, so that the plan contains everything that a run needs.

use std::fs;
use std::path::{Path, PathBuf};

use strongroom_etcd_format::name::{Kind, SnapshotName};
use strongroom_snapshot_io::scratch::Scratch;
use url::Url;

use super::args::{
    EtcdArguments, GetArguments, ListArguments, LookArguments, S3Arguments, SaveArguments,
};
use super::failure::SettingsError;
use crate::environment::Environment;
use crate::etcd::{Credentials, EtcdConfig, LeaderRule};
use crate::s3::{S3Config, Secret};
use crate::uri::S3Uri;

const ENDPOINT_DEFAULT: &str = "127.0.0.1:2379";
const S3_ENDPOINT_NAMES: [&str; 3] = [
    "STRONGROOM_S3_ENDPOINT",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
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

/// The plan of `snapshot status` and `snapshot hashkv`.
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
const S3_SCHEME: &str = "s3://";

pub(super) fn look_plan(
    look: &LookArguments,
    s3: &S3Arguments,
    environment: &Environment,
) -> Result<LookPlan, SettingsError> {
    let source = match look.snapshot.to_str() {
        Some(text) if text.starts_with(S3_SCHEME) => {
            SnapshotSource::Object(Box::new(s3_config(s3, environment)?), object(text)?)
        }
        _ => SnapshotSource::File(look.snapshot.clone()),
    };
    let scratch = environment.get("TMPDIR").unwrap_or(SCRATCH_DEFAULT);
    Ok(LookPlan {
        source,
        scratch: Scratch::in_folder(scratch),
    })
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
        (None, file) => Destination::File(file.clone().unwrap_or_default()),
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
    let client_pem = match (cert, key) {
        (None, None) => None,
        (Some(_), None) => return Err(SettingsError::HalfPair { missing: "--key" }),
        (None, Some(_)) => return Err(SettingsError::HalfPair { missing: "--cert" }),
        (Some(cert), Some(key)) => {
            let text = String::from_utf8(read(&key, "--key")?)
                .map_err(|_| SettingsError::KeyFile { path: key })?;
            Some((read(&cert, "--cert")?, Secret::new(text)))
        }
    };
    let ca_pem = path(&flags.cacert, "ETCDCTL_CACERT")
        .map(|path| read(&path, "--cacert"))
        .transpose()?;
    let credentials = credentials(flags, environment, ask_password)?;
    Ok(EtcdConfig {
        endpoints,
        ca_pem,
        client_pem,
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
    let endpoint = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.username().is_empty())
        .ok_or_else(|| SettingsError::S3Endpoint {
            text: text.to_owned(),
            from: from.to_owned(),
        })?;
    let required = |name| {
        environment
            .get(name)
            .ok_or(SettingsError::NoCredential { name })
    };
    let access_key = required("AWS_ACCESS_KEY_ID")?;
    let secret_key = Secret::new(required("AWS_SECRET_ACCESS_KEY")?);
    let mut config = S3Config::new(endpoint, access_key, secret_key);
    config.session_token = environment.get("AWS_SESSION_TOKEN").map(Secret::new);
    let named = environment
        .first(&["AWS_REGION", "AWS_DEFAULT_REGION"])
        .map(|(_, region)| region);
    if let Some(region) = flags.region.as_deref().or(named) {
        region.clone_into(&mut config.region);
    }
    config.ca_bundle_pem = match (&flags.ca_bundle, environment.get("AWS_CA_BUNDLE")) {
        (Some(path), _) => Some(read(path, "--s3-ca-bundle")?),
        (None, Some(path)) => Some(read(Path::new(path), "AWS_CA_BUNDLE")?),
        (None, None) => None,
    };
    Ok(config)
}

fn read(path: &Path, from: &'static str) -> Result<Vec<u8>, SettingsError> {
    fs::read(path).map_err(|source| SettingsError::File {
        path: path.to_owned(),
        from,
        source,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::args::{Arguments, Command, SnapshotCommand};
    use super::*;

    fn plan(line: &[&str], environment: &Environment) -> Result<SavePlan, SettingsError> {
        let start = ["strongroom", "snapshot", "save"];
        let arguments = Arguments::try_parse_from(start.iter().chain(line)).expect("parses");
        let Command::Snapshot {
            command: SnapshotCommand::Save(save),
        } = arguments.command
        else {
            panic!("a save was parsed")
        };
        save_plan(&save, &arguments.etcd, environment, |_| None)
    }

    fn s3_environment() -> Environment {
        Environment::from([
            ("STRONGROOM_S3_ENDPOINT", "http://first:9000"),
            ("AWS_ENDPOINT_URL", "http://last:9000"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_REGION", "eu-1"),
        ])
    }

    fn s3(line: &[&str], environment: &Environment) -> S3Config {
        match plan(line, environment).expect("a plan").destination {
            Destination::S3(config, _) => *config,
            Destination::File(path) => panic!("not a file: {}", path.display()),
        }
    }

    #[test]
    fn flags_outweigh_variables_and_variables_defaults() {
        let config = s3(&["--to", "s3://etcd/a"], &s3_environment());
        assert_eq!(config.endpoint.as_str(), "http://first:9000/");
        assert_eq!(
            (config.region.as_str(), config.session_token.is_some()),
            ("eu-1", true)
        );
        let flags = [
            "--to",
            "s3://etcd/a",
            "--s3-endpoint",
            "https://flag",
            "--s3-region",
            "r",
        ];
        let config = s3(&flags, &s3_environment());
        assert_eq!(
            (config.endpoint.as_str(), config.region.as_str()),
            ("https://flag/", "r")
        );
        let least = [
            ("AWS_ENDPOINT_URL", "http://h"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
        ];
        assert_eq!(
            s3(&["--to", "s3://etcd"], &Environment::from(least)).region,
            "us-east-1"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let message = |environment| {
            plan(&["--to", "s3://etcd"], &environment)
                .expect_err("is refused")
                .to_string()
        };
        assert!(message(Environment::from([])).contains("--s3-endpoint"));
        let no_secret =
            Environment::from([("AWS_ENDPOINT_URL", "http://h"), ("AWS_ACCESS_KEY_ID", "a")]);
        assert!(message(no_secret).contains("AWS_SECRET_ACCESS_KEY"));
        assert!(
            message(Environment::from([("AWS_ENDPOINT_URL", "host:9000")]))
                .contains("AWS_ENDPOINT_URL")
        );
        let none = Environment::from([]);
        assert!(matches!(
            plan(&["x", "--cert", "c"], &none),
            Err(SettingsError::HalfPair { missing: "--key" })
        ));
        assert!(matches!(
            plan(&["x", "--cacert", "/nonexistent"], &none),
            Err(SettingsError::File { .. })
        ));
        assert!(matches!(
            plan(&["x", "--user", "root"], &none),
            Err(SettingsError::NoPassword { .. })
        ));
    }

    #[test]
    fn etcdctl_variables_are_aliases() {
        let environment = Environment::from([
            ("ETCDCTL_ENDPOINTS", "a:1,b:2"),
            ("ETCDCTL_USER", "root:p:w"),
        ]);
        let etcd = plan(&["x"], &environment).expect("a plan").etcd;
        assert_eq!(etcd.endpoints, ["a:1", "b:2"]);
        let credentials = etcd.credentials.expect("a user");
        assert_eq!(
            (credentials.user.as_str(), credentials.password.expose()),
            ("root", "p:w")
        );
        let etcd = plan(
            &["x", "--endpoints", "c:3", "--user", "me"],
            &Environment::from([("ETCDCTL_PASSWORD", "q")]),
        )
        .expect("a plan")
        .etcd;
        assert_eq!(etcd.endpoints, ["c:3"]);
        assert_eq!(
            etcd.credentials
                .map(|c| c.password.expose().to_owned())
                .as_deref(),
            Some("q")
        );
        assert_eq!(
            plan(&["x"], &Environment::from([]))
                .expect("a plan")
                .etcd
                .endpoints,
            ["127.0.0.1:2379"]
        );
    }
}
