//! Each rule of flags and environment, as a value.

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
fn etcdbrctl_s_variables_name_the_store_as_well() {
    let ecs = |more: &[(&str, &str)]| {
        let mut variables = vec![
            ("ECS_ENDPOINT", "10.0.0.1:9000"),
            ("ECS_ACCESS_KEY_ID", "ecs"),
            ("ECS_SECRET_ACCESS_KEY", "secret"),
        ];
        variables.extend_from_slice(more);
        s3(&["--to", "s3://etcd"], &variables.into_iter().collect())
    };
    assert_eq!(ecs(&[]).endpoint.as_str(), "https://10.0.0.1:9000/");
    let plain = ecs(&[("ECS_DISABLE_SSL", "true")]);
    assert_eq!(plain.endpoint.as_str(), "http://10.0.0.1:9000/");
    assert_eq!(plain.access_key, "ecs");
    let both = ecs(&[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")]);
    assert_eq!(both.access_key, "a");
}

#[test]
fn a_place_in_a_store_is_not_taken_for_a_file() {
    let none = Environment::from([]);
    for text in ["s3://etcd/p", "S3://etcd/p", "s3:/etcd/p"] {
        assert!(
            matches!(plan(&[text], &none), Err(SettingsError::NoTo { .. })),
            "{text}"
        );
    }
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
