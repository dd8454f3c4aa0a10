//! Environment and files in, configuration or a precise error out; secrets are never shown.

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::from_lookup(|name| {
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

/// The variables that etcdbrctl's users export before the command of scenario S2.
const ECS_ENV: [(&str, &str); 3] = [
    ("ECS_ENDPOINT", "http://10.6.212.13:9000"),
    ("ECS_ACCESS_KEY_ID", "id"),
    ("ECS_SECRET_ACCESS_KEY", "hush"),
];

#[test]
fn ecs_needs_its_three_variables_and_signs_as_etcdbrctl_does() {
    let config = access(StorageProvider::Ecs, None, &environment(&ECS_ENV))
        .expect("complete")
        .config;
    assert_eq!(config.endpoint.as_str(), "http://10.6.212.13:9000/");
    assert_eq!(
        (config.region.as_str(), config.addressing),
        ("US-Standard", Addressing::PathStyle)
    );
    assert_eq!(
        (config.access_key.as_str(), config.secret_key.expose()),
        ("id", "hush")
    );
    for missing in 0..ECS_ENV.len() {
        let rest: Vec<_> = ECS_ENV
            .into_iter()
            .enumerate()
            .filter(|(i, _)| *i != missing)
            .map(|(_, v)| v)
            .collect();
        let error =
            access(StorageProvider::Ecs, None, &environment(&rest)).expect_err("incomplete");
        assert!(matches!(error, PlanError::Missing { .. }), "{error}");
        assert!(error.to_string().contains("ECS_"), "{error}");
    }
}

#[test]
fn an_endpoint_without_scheme_follows_the_ssl_flag() {
    let mut pairs = vec![("ECS_ENDPOINT", "minio:9000"), ECS_ENV[1], ECS_ENV[2]];
    let endpoint = |pairs: &[_]| {
        access(StorageProvider::Ecs, None, &environment(pairs))
            .expect("complete")
            .config
            .endpoint
    };
    assert_eq!(endpoint(&pairs).as_str(), "https://minio:9000/");
    pairs.push(("ECS_DISABLE_SSL", "true"));
    assert_eq!(endpoint(&pairs).as_str(), "http://minio:9000/");
    pairs.push(("ECS_INSECURE_SKIP_VERIFY", "maybe"));
    let error =
        access(StorageProvider::Ecs, None, &environment(&pairs)).expect_err("no truth value");
    assert!(matches!(error, PlanError::NotABool { .. }), "{error}");
}

#[test]
fn s3_follows_aws_variables() {
    let mut pairs = vec![
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let config = access(StorageProvider::S3, None, &environment(&pairs))
        .expect("complete")
        .config;
    assert_eq!(
        config.endpoint.as_str(),
        "https://s3.eu-west-1.amazonaws.com/"
    );
    assert_eq!(
        (config.region.as_str(), config.addressing),
        ("eu-west-1", Addressing::VirtualHost)
    );
    pairs.push(("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000"));
    pairs.push(("AWS_SESSION_TOKEN", "token"));
    let config = access(StorageProvider::S3, None, &environment(&pairs))
        .expect("complete")
        .config;
    assert_eq!(
        (config.endpoint.port(), config.addressing),
        (Some(9000), Addressing::PathStyle)
    );
    assert_eq!(
        config.session_token.as_ref().map(Secret::expose),
        Some("token")
    );
    let config = access(
        StorageProvider::S3,
        Some("https://other"),
        &environment(&pairs),
    )
    .expect("complete")
    .config;
    assert_eq!(config.endpoint.host_str(), Some("other"));
}

#[test]
fn credentials_come_from_a_json_file_or_a_folder_of_keys() -> Result<(), Box<dyn std::error::Error>>
{
    let dir = tempfile::tempdir()?;
    let json = dir.path().join("ecs.json");
    fs::write(
        &json,
        r#"{"endpoint":"http://h:1","accessKeyID":"a","secretAccessKey":"b","disableSSL":true}"#,
    )?;
    let by_json = [(
        "ECS_APPLICATION_CREDENTIALS_JSON",
        json.to_str().expect("utf-8"),
    )];
    let by_folder = [(
        "ECS_APPLICATION_CREDENTIALS",
        dir.path().to_str().expect("utf-8"),
    )];
    for pairs in [by_json, by_folder] {
        let config = access(StorageProvider::Ecs, None, &environment(&pairs))?.config;
        assert_eq!(
            (config.access_key.as_str(), config.endpoint.port()),
            ("a", Some(1))
        );
    }
    fs::remove_file(&json)?;
    for (key, value) in [
        ("endpoint", "http://h:2\n"),
        ("accessKeyID", "c\n"),
        ("secretAccessKey", "d"),
        (".x", "y"),
    ] {
        fs::write(dir.path().join(key), value)?;
    }
    let config = access(StorageProvider::Ecs, None, &environment(&by_folder))?.config;
    assert_eq!(
        (config.access_key.as_str(), config.secret_key.expose()),
        ("c", "d")
    );
    Ok(())
}

#[test]
fn a_broken_credentials_file_does_not_show_its_secrets() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let json = dir.path().join("aws.json");
    let pairs = [(
        "AWS_APPLICATION_CREDENTIALS_JSON",
        json.to_str().expect("utf-8"),
    )];
    for text in [
        r#"{"secretAccessKey":"hush""#,
        r#"["hush"]"#,
        r#""hush""#,
        r#"{"accessKeyID":["hush"]}"#,
    ] {
        fs::write(&json, text)?;
        let error = access(StorageProvider::S3, None, &environment(&pairs)).expect_err(text);
        assert!(
            matches!(error, PlanError::CredentialsJson { .. }),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
    fs::write(
        &json,
        r#"{"accessKeyID":"a","secretAccessKey":"b","sseCustomerKey":"c"}"#,
    )?;
    let error = access(StorageProvider::S3, None, &environment(&pairs))
        .expect_err("needs a key we would ignore");
    assert!(
        matches!(
            error,
            PlanError::Unsupported {
                key: "sseCustomerKey"
            }
        ),
        "{error}"
    );
    Ok(())
}

/// A command with an address works with the variables that `strongroom` reads.
#[test]
fn the_provider_follows_from_the_keys_and_the_endpoint_from_the_clients_variable() {
    let s3 = [
        ("STRONGROOM_S3_ENDPOINT", "http://10.6.212.13:9000"),
        ("AWS_ENDPOINT_URL", "http://elsewhere:9000"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
    ];
    let provider = provider_of(&environment(&s3)).expect("keys of one provider");
    assert_eq!(provider, StorageProvider::S3);
    let config = access(provider, None, &environment(&s3))
        .expect("complete")
        .config;
    assert_eq!(config.endpoint.as_str(), "http://10.6.212.13:9000/");
    let ecs = provider_of(&environment(&ECS_ENV)).expect("keys of one provider");
    assert_eq!(ecs, StorageProvider::Ecs);
    for unclear in [&[][..], &[&s3[..], &ECS_ENV].concat()] {
        let error = provider_of(&environment(unclear));
        assert!(matches!(error, Err(PlanError::WhichProvider)), "{error:?}");
    }
}
