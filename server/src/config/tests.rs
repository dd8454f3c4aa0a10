//! Precedence, refusals, and messages without secrets.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

const USER: &str = "backup-admin";
const PASSWORD: &str = "correct horse battery";

fn flags(args: &[&str]) -> ServeFlags {
    let line = ["strongroom-server", "serve"]
        .iter()
        .chain(args)
        .map(OsString::from);
    let Ok(Command::Serve(flags)) = parse(line) else {
        panic!("the flags of serve parse")
    };
    flags
}

/// Valid credentials, a data directory, and `more`.
fn environment(more: &[(&str, &str)]) -> Environment {
    let base = [
        ("STRONGROOM_DATA_DIR", "/srv/env"),
        ("STRONGROOM_ROOT_USER", USER),
        ("STRONGROOM_ROOT_PASSWORD", PASSWORD),
    ];
    Environment::of(base.iter().chain(more).copied())
}

fn file(dir: &Path, text: &str) -> String {
    let path = dir.join("strongroom.toml");
    fs::write(&path, text).expect("the test's directory is writable");
    path.to_str().expect("test paths are text").to_owned()
}

fn credentials(user: &str, password: &str) -> Result<Config, ConfigError> {
    let variables = [
        ("STRONGROOM_ROOT_USER", user),
        ("STRONGROOM_ROOT_PASSWORD", password),
    ];
    load(flags(&["--data-dir", "/d"]), &Environment::of(variables))
}

#[test]
fn defaults_are_minios_port_and_a_loopback_admin() {
    let config =
        load(flags(&[]), &environment(&[])).expect("credentials and a directory are enough");
    assert_eq!(config.listen.to_string(), "0.0.0.0:9000");
    assert_eq!(
        config.admin_listen,
        AdminListen::Preferred(ADMIN_LISTEN_DEFAULT)
    );
    assert_eq!(config.data_dir, Path::new("/srv/env"));
    assert_eq!(config.root.user, USER);
    assert_eq!(config.root.password.expose(), PASSWORD);
    assert_eq!(config.buckets, []);
    assert_eq!(config.log_filter, LogFilter::default());
    assert_eq!(config.shutdown, SHUTDOWN_DEFAULT);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn a_flag_wins_over_the_environment_which_wins_over_the_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = file(
        dir.path(),
        "data_dir = '/srv/file'\nlisten = '127.0.0.1:1'\nadmin_listen = '127.0.0.1:2'\n\
         buckets = ['from-file']\nshutdown_secs = 3\n[log]\nfilter = 'error'\nformat = 'json'\n",
    );
    let all = environment(&[
        ("STRONGROOM_LISTEN", "127.0.0.1:11"),
        ("STRONGROOM_ADMIN_LISTEN", "127.0.0.1:12"),
    ]);
    let config = load(
        flags(&["--config", &path, "--listen", "127.0.0.1:111"]),
        &all,
    )
    .expect("all three layers");
    assert_eq!(config.listen.to_string(), "127.0.0.1:111", "flag");
    assert_eq!(
        config.admin_listen,
        AdminListen::Exactly("127.0.0.1:12".parse().expect("an address")),
        "environment"
    );
    assert_eq!(config.data_dir, Path::new("/srv/env"), "environment");
    assert_eq!(
        config.buckets,
        [BucketName::parse("from-file").expect("a bucket name")],
        "file"
    );
    assert_eq!(config.shutdown, Duration::from_secs(3), "file");
    assert_eq!(config.log_format, LogFormat::Json, "file");
    assert_eq!(
        config.log_filter.as_str(),
        "warn,strongroom_server=error",
        "file"
    );
}

#[test]
fn a_repeated_flag_counts_as_typed_last() {
    let config = load(
        flags(&["--listen", ":1", "--listen", ":2"]),
        &environment(&[]),
    )
    .expect("runbooks append flags");
    assert_eq!(config.listen.port(), 2);
}

#[test]
fn the_file_may_come_from_the_environment_and_hold_everything() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = file(
        dir.path(),
        "data_dir = '/srv/file'\n[root]\nuser = 'file-user'\npassword = 'file-password'\n",
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the test owns its file");
    let only = Environment::of([("STRONGROOM_CONFIG", path.as_str())]);
    let config = load(flags(&[]), &only).expect("the file is complete");
    assert_eq!(config.data_dir, Path::new("/srv/file"));
    assert_eq!(config.root.user, "file-user");
    assert_eq!(config.root.password.expose(), "file-password");
    assert_eq!(config.warnings, Vec::<String>::new());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("the test owns its file");
    let config = load(flags(&[]), &only).expect("a readable file is only a warning");
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert!(
        config.warnings[0].contains("chmod 0600"),
        "{:?}",
        config.warnings
    );
}

#[test]
fn names_of_minio_are_understood_and_ours_win() {
    let minio = [
        ("MINIO_ROOT_USER", "their-user"),
        ("MINIO_ROOT_PASSWORD", "their-password"),
    ];
    let config =
        load(flags(&["--data-dir", "/d"]), &Environment::of(minio)).expect("MinIO's names suffice");
    assert_eq!(
        (config.root.user.as_str(), config.root.password.expose()),
        ("their-user", "their-password")
    );
    let config = load(flags(&[]), &environment(&minio)).expect("both sets are given");
    assert_eq!(config.root.user, USER);
    assert_eq!(config.root.password.expose(), PASSWORD);
}

#[test]
fn credentials_may_lie_in_files() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("password");
    fs::write(&path, "from-a-file\n").expect("the test's directory is writable");
    let path = path.to_str().expect("test paths are text");
    let variables = [
        ("STRONGROOM_ROOT_USER", USER),
        ("STRONGROOM_ROOT_PASSWORD_FILE", path),
    ];
    let config = load(flags(&["--data-dir", "/d"]), &Environment::of(variables))
        .expect("the file is readable");
    assert_eq!(config.root.password.expose(), "from-a-file");
    let gone = [
        ("STRONGROOM_ROOT_USER", USER),
        ("STRONGROOM_ROOT_PASSWORD_FILE", "/nowhere/password"),
    ];
    let error = load(flags(&["--data-dir", "/d"]), &Environment::of(gone))
        .expect_err("the file is missing");
    assert!(error.to_string().contains("/nowhere/password"), "{error}");
    assert!(
        error.to_string().contains("STRONGROOM_ROOT_PASSWORD_FILE"),
        "{error}"
    );
}

#[test]
fn an_unknown_key_is_refused_with_key_line_and_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (text, line, key) in [
        ("listen = ':9000'\nlisen = ':9001'\n", 2, "`lisen`"),
        ("\n\n[log]\nfilter = 'info'\nformt = 'json'\n", 5, "`formt`"),
        ("[rot]\nuser = 'x'\n", 1, "`rot`"),
    ] {
        let path = file(dir.path(), text);
        let error =
            load(flags(&["--config", &path]), &environment(&[])).expect_err("an unknown key");
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("{path}:{line}: unknown key {key}")),
            "{message}"
        );
        assert!(
            error.next_command().contains(&path),
            "{}",
            error.next_command()
        );
    }
}

#[test]
fn a_file_that_is_no_toml_or_is_missing_is_named() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = file(dir.path(), "data_dir = '/d'\nlisten =\n");
    let error = load(flags(&["--config", &path]), &environment(&[])).expect_err("no TOML");
    assert!(
        error.to_string().starts_with(&format!("{path}:2: ")),
        "{error}"
    );
    let error =
        load(flags(&["--config", "/nowhere.toml"]), &environment(&[])).expect_err("no file");
    assert!(error.to_string().contains("/nowhere.toml"), "{error}");
}

#[test]
fn guessable_or_missing_credentials_are_refused() {
    let none =
        load(flags(&["--data-dir", "/d"]), &Environment::default()).expect_err("no credentials");
    assert!(matches!(none, ConfigError::NoCredentials), "{none}");
    assert!(
        none.next_command().contains("STRONGROOM_ROOT_PASSWORD"),
        "{}",
        none.next_command()
    );
    assert!(matches!(
        credentials(USER, ""),
        Err(ConfigError::HalfCredentials {
            lack: "password",
            ..
        })
    ));
    assert!(matches!(
        credentials("", PASSWORD),
        Err(ConfigError::HalfCredentials { lack: "user", .. })
    ));
    assert!(matches!(
        credentials("ab", PASSWORD),
        Err(ConfigError::UserLength { min: 3, .. })
    ));
    assert!(matches!(
        credentials("a/b/c", PASSWORD),
        Err(ConfigError::UserCharacter { .. })
    ));
    assert!(matches!(
        credentials("abc", "1234567"),
        Err(ConfigError::PasswordLength { min: 8, .. })
    ));
    assert!(matches!(
        credentials("same-as-user", "same-as-user"),
        Err(ConfigError::PasswordIsUser { .. })
    ));
    for (user, password) in [
        ("minioadmin", "minioadmin"),
        ("admin", "password"),
        ("root", "MinioAdmin"),
        ("minio", "minio123"),
    ] {
        let error = credentials(user, password).expect_err(password);
        let refused = matches!(
            error,
            ConfigError::WellKnownPassword { .. } | ConfigError::PasswordIsUser { .. }
        );
        assert!(refused, "{user}/{password}: {error}");
    }
    assert!(credentials("abc", "12345abc").is_ok());
}

#[test]
fn no_message_and_no_debug_output_tells_a_secret() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = load(flags(&[]), &environment(&[])).expect("valid");
    assert!(!format!("{config:?}").contains(PASSWORD));
    for text in [
        "[root]\npassword = 99887766554433\n",
        "[root]\npassword = 99887766554433 oops\n",
    ] {
        let path = file(dir.path(), text);
        let error = load(flags(&["--config", &path]), &environment(&[]))
            .expect_err("a number is no password");
        assert!(
            !format!("{error} {error:?}").contains("99887766554433"),
            "{error:?}"
        );
    }
    let error = credentials(USER, "short-1").expect_err("too short");
    assert!(
        !format!("{error} {error:?}").contains("short-1"),
        "{error:?}"
    );
}

#[test]
fn wrong_values_are_refused_with_their_source() {
    for (name, value) in [
        ("STRONGROOM_LISTEN", "nine thousand"),
        ("STRONGROOM_ADMIN_LISTEN", "127.0.0.1"),
        ("STRONGROOM_BUCKETS", "good-one,Bad_One"),
        ("STRONGROOM_LOG", "strongroom_server=loud"),
        ("STRONGROOM_LOG_FORMAT", "xml"),
        ("STRONGROOM_SHUTDOWN_SECS", "0"),
        ("STRONGROOM_SHUTDOWN_SECS", "soon"),
        ("STRONGROOM_GC_GRACE_SECS", "604801"),
        ("STRONGROOM_GC_QUARANTINE_SECS", "7776001"),
        ("STRONGROOM_GC_INTERVAL_SECS", "0"),
    ] {
        let error = load(flags(&[]), &environment(&[(name, value)])).expect_err(value);
        assert!(error.to_string().starts_with(name), "{error}");
    }
    let no_dir = Environment::of([
        ("STRONGROOM_ROOT_USER", USER),
        ("STRONGROOM_ROOT_PASSWORD", PASSWORD),
    ]);
    assert!(matches!(
        load(flags(&[]), &no_dir),
        Err(ConfigError::NoDataDir)
    ));
}

#[test]
fn buckets_are_a_list_with_blanks_and_repeats_forgiven() {
    let given = environment(&[("STRONGROOM_BUCKETS", " etcd-backup, second ,,etcd-backup")]);
    let config = load(flags(&[]), &given).expect("a list of names");
    let names: Vec<&str> = config.buckets.iter().map(BucketName::as_str).collect();
    assert_eq!(names, ["etcd-backup", "second"]);
}

#[test]
fn a_misspelt_variable_is_told_and_those_of_kubernetes_are_not() {
    let given = environment(&[
        ("STRONGROOM_BUCKET", "one"),
        ("STRONGROOM_PORT", "tcp://10.0.0.1:9000"),
        ("STRONGROOM_PORT_9000_TCP_ADDR", "10.0.0.1"),
        ("STRONGROOM_SERVICE_HOST", "10.0.0.1"),
        ("STRONGROOM_SERVICE_PORT_S3", "9000"),
    ]);
    let config = load(flags(&[]), &given).expect("unknown variables are no error");
    assert_eq!(
        config.warnings,
        ["the variable STRONGROOM_BUCKET is unknown and ignored"]
    );
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let config = load(
        flags(&[]),
        &environment(&[("STRONGROOM_LISTEN", ""), ("STRONGROOM_BUCKETS", "")]),
    );
    assert_eq!(
        config.expect("empty variables are ignored").listen,
        LISTEN_DEFAULT
    );
}

#[test]
fn old_names_of_minio_are_told() {
    let old = [
        ("MINIO_ACCESS_KEY", "backup-admin"),
        ("MINIO_SECRET_KEY", PASSWORD),
    ];
    let error = load(flags(&["--data-dir", "/d"]), &Environment::of(old));
    let error = error.expect_err("no credentials");
    let told = error.to_string();
    assert!(
        told.contains("MINIO_ACCESS_KEY and MINIO_SECRET_KEY"),
        "{told}"
    );
    let next = error.next_command();
    assert!(
        next.contains("MINIO_ROOT_USER=\"$MINIO_ACCESS_KEY\""),
        "{next}"
    );
    assert!(!told.contains(PASSWORD) && !next.contains(PASSWORD));
    let config = load(flags(&[]), &environment(&old)).expect("there are others");
    assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
}

#[test]
fn a_password_with_a_line_end_or_a_blank_at_its_end_is_told() {
    for odd in [
        "correct horse\n",
        "correct horse ",
        " correct horse",
        "correct\nhorse",
    ] {
        let config = credentials(USER, odd).expect("taken as it is");
        assert_eq!(config.root.password.expose(), odd);
        let [told] = config.warnings.as_slice() else {
            panic!("one warning: {:?}", config.warnings)
        };
        assert!(told.starts_with("STRONGROOM_ROOT_PASSWORD: "), "{told}");
        assert!(!told.contains("correct"), "{told}");
    }
    assert_eq!(
        credentials(USER, PASSWORD).expect("valid").warnings,
        [""; 0]
    );
}

#[test]
fn a_password_file_that_everybody_may_read_is_told() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("password");
    fs::write(&path, format!("{PASSWORD}\nsecond line\n")).expect("written");
    let name = path.to_str().expect("test paths are text");
    let config_file = file(dir.path(), &format!("root.password_file = {name:?}"));
    for (mode, warned) in [(0o644, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        let by_variable = Environment::of([
            ("STRONGROOM_ROOT_USER", USER),
            ("STRONGROOM_ROOT_PASSWORD_FILE", name),
        ]);
        let by_file = Environment::of([
            ("STRONGROOM_ROOT_USER", USER),
            ("STRONGROOM_CONFIG", &config_file),
        ]);
        for environment in [by_variable, by_file] {
            let config = load(flags(&["--data-dir", "/d"]), &environment).expect("valid");
            assert_eq!(config.root.password.expose(), PASSWORD, "the first line");
            let told = config.warnings.iter().any(|told| told.contains(name));
            assert_eq!(told, warned, "{mode:o}: {:?}", config.warnings);
        }
    }
}

#[test]
fn only_root_changes_the_log_unless_everybody_may() {
    let changes = |value| {
        load(
            flags(&[]),
            &environment(&[("STRONGROOM_LOG_CHANGES", value)]),
        )
    };
    let default = load(flags(&[]), &environment(&[])).expect("valid");
    assert_eq!(default.log_changes, LogChanges::ByRoot);
    let anyone = changes("anyone").expect("valid");
    assert_eq!(anyone.log_changes, LogChanges::ByAnyone);
    let error = changes("nobody").expect_err("unknown").to_string();
    assert!(error.contains("STRONGROOM_LOG_CHANGES"), "{error}");
}
