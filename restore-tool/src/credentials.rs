//! Turns the environment and the credentials files of etcdbrctl into one [`S3Config`].
//!
//! There are two providers: ECS (any S3-compatible store: endpoint and keys required, path style, region `US-Standard`) and S3
//! (AWS' own variables). Credentials files are one JSON object (its path is in `..._JSON`), or a folder with one `*.json` or
//! with one file per key. They override single variables, as in etcdbrctl. Values are secrets: no error contains one.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use strongroom_client::s3::{Addressing, S3Config, Secret};
use strongroom_client::tls::PemFile;
use url::Url;

use crate::{args::StorageProvider, environment::Environment, error::PlanError};

/// A credentials file has ten short values; Kubernetes' limit for a secret is 1 MiB.
const CREDENTIALS_BYTES_MAX: u64 = 1024 * 1024;
/// A bundle of every public CA has 230 KiB.
const CA_BUNDLE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The region that etcdbrctl signs ECS requests for.
const ECS_REGION: &str = "US-Standard";

/// The names of the settings of one provider.
struct Names {
    json: &'static str,
    folder: &'static str,
    access_key: &'static str,
    secret_key: &'static str,
    keys_help: &'static str,
}

const ECS: Names = Names {
    json: "ECS_APPLICATION_CREDENTIALS_JSON",
    folder: "ECS_APPLICATION_CREDENTIALS",
    access_key: "ECS_ACCESS_KEY_ID",
    secret_key: "ECS_SECRET_ACCESS_KEY",
    keys_help: "ECS_ACCESS_KEY_ID and ECS_SECRET_ACCESS_KEY, or a file in ECS_APPLICATION_CREDENTIALS_JSON",
};

const S3: Names = Names {
    json: "AWS_APPLICATION_CREDENTIALS_JSON",
    folder: "AWS_APPLICATION_CREDENTIALS",
    access_key: "AWS_ACCESS_KEY_ID",
    secret_key: "AWS_SECRET_ACCESS_KEY",
    keys_help: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a file in AWS_APPLICATION_CREDENTIALS_JSON",
};

/// The configuration of the store, and warnings about it.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) config: S3Config,
    pub(crate) warnings: Vec<String>,
}

/// The provider whose variables are set, for an address without --storage-provider.
pub(crate) fn provider_of(environment: &Environment) -> Result<StorageProvider, PlanError> {
    let is_set = |names: &Names| {
        let variables = [names.access_key, names.json, names.folder];
        variables.iter().any(|name| environment.get(name).is_some())
    };
    match (is_set(&ECS), is_set(&S3)) {
        (true, false) => Ok(StorageProvider::Ecs),
        (false, true) => Ok(StorageProvider::S3),
        (true, true) | (false, false) => Err(PlanError::WhichProvider),
    }
}

/// Reads the settings of `provider`.
pub(crate) fn access(
    provider: StorageProvider,
    endpoint_override: Option<&str>,
    environment: &Environment,
) -> Result<Access, PlanError> {
    let names = match provider {
        StorageProvider::Ecs => &ECS,
        StorageProvider::S3 => &S3,
    };
    let file = file_settings(names, environment)?;
    let settings = Settings { file, environment };
    let mut warnings = Vec::new();
    if settings.flag("insecureSkipVerify", "ECS_INSECURE_SKIP_VERIFY", provider)? {
        warnings.push(
            "insecureSkipVerify is not honoured: certificates are always verified; give the CA by AWS_CA_BUNDLE".to_owned(),
        );
    }
    for key in ["sseCustomerKey", "sseCustomerAlgorithm", "roleARN"] {
        if settings.file.contains_key(key) {
            return Err(PlanError::Unsupported { key });
        }
    }
    let mut config = match provider {
        StorageProvider::Ecs => ecs(&settings, endpoint_override)?,
        StorageProvider::S3 => s3(&settings, endpoint_override)?,
    };
    config.ca_bundle = ca_bundle(&settings)?;
    Ok(Access { config, warnings })
}

fn ecs(settings: &Settings<'_>, endpoint_override: Option<&str>) -> Result<S3Config, PlanError> {
    let address = endpoint_override
        .or_else(|| settings.get("endpoint", "ECS_ENDPOINT"))
        .ok_or(PlanError::Missing {
            setting: "the endpoint",
            variables: "ECS_ENDPOINT=http://HOST:9000",
        })?;
    let plain = settings.flag("disableSSL", "ECS_DISABLE_SSL", StorageProvider::Ecs)?;
    let mut config = with_keys(&ECS, settings, endpoint_url(address, plain)?)?;
    ECS_REGION.clone_into(&mut config.region);
    Ok(config)
}

fn s3(settings: &Settings<'_>, endpoint_override: Option<&str>) -> Result<S3Config, PlanError> {
    let region = settings
        .get("region", "AWS_REGION")
        .or_else(|| settings.environment.get("AWS_DEFAULT_REGION"))
        .unwrap_or(S3Config::REGION_DEFAULT);
    let address = endpoint_override
        // The variables of `strongroom`, in its order.
        .or_else(|| settings.get("endpoint", "STRONGROOM_S3_ENDPOINT"))
        .or_else(|| settings.environment.get("AWS_ENDPOINT_URL_S3"))
        .or_else(|| settings.environment.get("AWS_ENDPOINT_URL"));
    let endpoint = match address {
        Some(address) => endpoint_url(address, false)?,
        None => endpoint_url(&format!("https://s3.{region}.amazonaws.com"), false)?,
    };
    let path_style = match settings.file.get("s3ForcePathStyle") {
        Some(text) => boolean("s3ForcePathStyle", text)?,
        // AWS itself needs virtual hosts; other stores, which need an endpoint, may not support them.
        None => address.is_some(),
    };
    let mut config = with_keys(&S3, settings, endpoint)?;
    config.session_token = settings
        .environment
        .get("AWS_SESSION_TOKEN")
        .map(Secret::new);
    config.addressing = if path_style {
        Addressing::PathStyle
    } else {
        Addressing::VirtualHost
    };
    region.clone_into(&mut config.region);
    Ok(config)
}

fn with_keys(names: &Names, settings: &Settings<'_>, endpoint: Url) -> Result<S3Config, PlanError> {
    let missing = |setting| PlanError::Missing {
        setting,
        variables: names.keys_help,
    };
    let access_key = settings
        .get("accessKeyID", names.access_key)
        .ok_or_else(|| missing("the access key"))?;
    let secret_key = settings
        .get("secretAccessKey", names.secret_key)
        .ok_or_else(|| missing("the secret key"))?;
    Ok(S3Config::new(endpoint, access_key, Secret::new(secret_key)))
}

/// Old releases of etcdbrctl accept `host:port`, newer ones require the scheme.
fn endpoint_url(address: &str, plain: bool) -> Result<Url, PlanError> {
    let with_scheme = match (address.contains("://"), plain) {
        (true, _) => address.to_owned(),
        (false, true) => format!("http://{address}"),
        (false, false) => format!("https://{address}"),
    };
    Url::parse(&with_scheme).map_err(|source| PlanError::Endpoint {
        value: address.to_owned(),
        source,
    })
}

fn ca_bundle(settings: &Settings<'_>) -> Result<Option<PemFile>, PlanError> {
    if let Some(pem) = settings.file.get("trustedCaCert") {
        return Ok(Some(PemFile::new("trustedCaCert", pem.clone())));
    }
    let Some(path) = settings.environment.get("AWS_CA_BUNDLE") else {
        return Ok(None);
    };
    let pem = read_bounded(Path::new(path), CA_BUNDLE_BYTES_MAX)?;
    Ok(Some(PemFile::new(format!("{path} (AWS_CA_BUNDLE)"), pem)))
}

/// Settings; values from a file override the environment.
struct Settings<'a> {
    file: BTreeMap<String, String>,
    environment: &'a Environment,
}

impl Settings<'_> {
    fn get(&self, key: &str, variable: &str) -> Option<&str> {
        self.file
            .get(key)
            .map(String::as_str)
            .or_else(|| self.environment.get(variable))
    }

    /// A boolean; only ECS has variables for these.
    fn flag(
        &self,
        key: &'static str,
        variable: &'static str,
        provider: StorageProvider,
    ) -> Result<bool, PlanError> {
        if let Some(text) = self.file.get(key) {
            return boolean(key, text);
        }
        match (provider, self.environment.get(variable)) {
            (StorageProvider::Ecs, Some(text)) => boolean(variable, text),
            _ => Ok(false),
        }
    }
}

/// Accepts the same values as Go's `strconv.ParseBool`.
fn boolean(name: &'static str, text: &str) -> Result<bool, PlanError> {
    match text.trim() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" | "" => Ok(false),
        _ => Err(PlanError::NotABool { name }),
    }
}

fn file_settings(
    names: &Names,
    environment: &Environment,
) -> Result<BTreeMap<String, String>, PlanError> {
    if let Some(path) = environment.get(names.json) {
        return json_file(Path::new(path));
    }
    match environment.get(names.folder) {
        Some(folder) => folder_settings(Path::new(folder)),
        None => Ok(BTreeMap::new()),
    }
}

/// The first `*.json` if there is one, otherwise a file per key (as in a mounted Kubernetes secret).
fn folder_settings(folder: &Path) -> Result<BTreeMap<String, String>, PlanError> {
    let unreadable = |source| PlanError::CredentialsFile {
        path: folder.to_owned(),
        source,
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_none_or(|name| name.starts_with('.'));
        if !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if let Some(json) = files.iter().find(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    }) {
        return json_file(json);
    }
    let mut settings = BTreeMap::new();
    for path in files {
        let Some(key) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let value = String::from_utf8_lossy(&read_bounded(&path, CREDENTIALS_BYTES_MAX)?)
            .trim()
            .to_owned();
        if !value.is_empty() {
            settings.insert(key.to_owned(), value);
        }
    }
    Ok(settings)
}

fn json_file(path: &Path) -> Result<BTreeMap<String, String>, PlanError> {
    let bytes = read_bounded(path, CREDENTIALS_BYTES_MAX)?;
    let broken = |line, column| PlanError::CredentialsJson {
        path: path.to_owned(),
        line,
        column,
    };
    let values: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&bytes).map_err(|error| broken(error.line(), error.column()))?;
    let mut settings = BTreeMap::new();
    for (key, value) in values {
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Bool(flag) => flag.to_string(),
            serde_json::Value::Null => continue,
            _ => return Err(broken(0, 0)),
        };
        if !text.is_empty() {
            settings.insert(key, text);
        }
    }
    Ok(settings)
}

fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, PlanError> {
    let unreadable = |source| PlanError::CredentialsFile {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > limit) {
        return Err(unreadable(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
