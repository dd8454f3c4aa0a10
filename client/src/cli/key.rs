//! `strongroom snapshot key`: one live key of a snapshot. Its value is shown only if asked for, and that of a Secret only if asked
//! for by a flag that nobody types by habit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use strongroom_etcd_format::inspect::InspectError;
use strongroom_etcd_format::mvcc::KeyValue;

use super::failure::{Failure, Refused};
use super::output::{self, Column, Output, Sheet, Shown, key_text, safe};
use super::report;
use super::settings::LookPlan;
use super::source;
use crate::image::Image;

/// The folder of Kubernetes' Secrets, below any root: `/registry/secrets/`, OpenShift's `/kubernetes.io/secrets/`.
const SECRETS: &str = "secrets";
/// What is shown instead of a masked value.
const MASKED: &str = "(masked: a Secret)";

/// How much of a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reveal {
    /// Nothing.
    Hidden,
    /// Values that are not Secrets.
    ButSecrets,
    /// Every value.
    All,
}

pub(super) async fn run(
    plan: LookPlan,
    key: Vec<u8>,
    reveal: Reveal,
    output: Output,
) -> Result<(), Failure> {
    let found = source::look(plan, move |image| Key::of(image, &key, reveal)).await?;
    output::print(output, &found)
}

/// One key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    #[serde(rename = "key")]
    name: String,
    create_revision: i64,
    mod_revision: i64,
    version: i64,
    /// As etcdctl writes it.
    lease: Option<String>,
    value_bytes: u64,
    value_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_masked: Option<bool>,
}

impl Key {
    fn of(image: &Image, key: &[u8], reveal: Reveal) -> Result<Self, Refused> {
        let (bolt, live) = source::live_rows(image)?;
        let mut found = None;
        live.for_each(&bolt, &mut |row| {
            if row.key == key {
                found = Some(Self::shown(&row, reveal));
            }
            Ok::<(), InspectError>(())
        })
        .map_err(Refused::Database)?;
        found.ok_or_else(|| Refused::NoSuchKey {
            key: key_text(key),
            revision: live.inspection().current_revision(),
        })
    }

    fn shown(row: &KeyValue<'_>, reveal: Reveal) -> Self {
        let is_masked = match reveal {
            Reveal::Hidden | Reveal::All => false,
            Reveal::ButSecrets => is_secret(row.key),
        };
        let (value, value_encoding) = match reveal {
            Reveal::Hidden => (None, None),
            _ if is_masked => (None, None),
            Reveal::ButSecrets | Reveal::All => match std::str::from_utf8(row.value) {
                Ok(text) => (Some(text.to_owned()), Some("utf-8")),
                Err(_) => (Some(STANDARD.encode(row.value)), Some("base64")),
            },
        };
        Self {
            name: key_text(row.key),
            create_revision: row.create_revision,
            mod_revision: row.mod_revision,
            version: row.version,
            lease: (row.lease != 0).then(|| format!("{:016x}", row.lease)),
            value_bytes: u64::try_from(row.value.len()).unwrap_or(u64::MAX),
            value_sha256: hex::encode(Sha256::digest(row.value)),
            value,
            value_encoding,
            value_masked: is_masked.then_some(true),
        }
    }

    fn value_text(&self) -> String {
        match (&self.value, self.value_encoding) {
            (Some(text), Some("base64")) => format!("base64: {text}"),
            (Some(text), _) => safe(text),
            (None, _) if self.value_masked == Some(true) => {
                format!("{MASKED}; --show-secret-values-in-clear shows it")
            }
            (None, _) => "(hidden: --show-value shows it)".to_owned(),
        }
    }
}

/// Rather one too many than one too few: any folder of that name.
fn is_secret(key: &[u8]) -> bool {
    key.split(|byte| *byte == b'/')
        .any(|folder| folder == SECRETS.as_bytes())
}

impl Shown for Key {
    fn document(&self) -> impl Serialize {
        self
    }

    fn sheet(&self) -> Sheet {
        let line = |name: &str, value: String| vec![name.to_owned(), value];
        Sheet {
            columns: vec![Column::text("FIELD"), Column::text("VALUE")],
            rows: vec![
                line("key", safe(&self.name)),
                line("create revision", self.create_revision.to_string()),
                line("mod revision", self.mod_revision.to_string()),
                line("version", self.version.to_string()),
                line(
                    "lease",
                    self.lease.clone().unwrap_or_else(|| "-".to_owned()),
                ),
                line("value size", report::size(self.value_bytes)),
                line("value SHA-256", self.value_sha256.clone()),
                line("value", self.value_text()),
            ],
            below: Vec::new(),
        }
    }

    fn names(&self) -> Vec<String> {
        vec![safe(&self.name)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::text;

    fn shown(key: &str, value: &[u8], reveal: Reveal) -> [String; 3] {
        let row = KeyValue {
            key: key.as_bytes(),
            create_revision: 7,
            mod_revision: 9,
            version: 2,
            value,
            lease: 0x1234,
        };
        let key = Key::shown(&row, reveal);
        [Output::Table, Output::Json, Output::Yaml].map(|output| text(output, &key))
    }

    #[test]
    fn a_value_is_shown_only_if_asked_for() {
        for text in shown("/registry/configmaps/a/b", b"plain", Reveal::Hidden) {
            assert!(!text.contains("plain"), "{text}");
            assert!(text.contains("0000000000001234"), "{text}");
        }
        for text in shown("/registry/configmaps/a/b", b"plain", Reveal::ButSecrets) {
            assert!(text.contains("plain"), "{text}");
        }
        for text in shown("k", b"\xffk8s", Reveal::ButSecrets) {
            assert!(
                text.contains("/2s4cw==") && text.contains("base64"),
                "{text}"
            );
        }
    }

    #[test]
    fn secrets_stay_masked_unless_the_long_flag_is_given() {
        for key in [
            "/registry/secrets/default/token",
            "/kubernetes.io/secrets/a/b",
            "/other/place/secrets/a/b",
        ] {
            for text in shown(key, b"hunter2", Reveal::ButSecrets) {
                assert!(!text.contains("hunter2"), "{text}");
                assert!(text.to_lowercase().contains("masked"), "{text}");
            }
            for text in shown(key, b"hunter2", Reveal::All) {
                assert!(text.contains("hunter2"), "{text}");
            }
        }
    }
}
