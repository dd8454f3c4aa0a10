//! Command lines as people type them for etcdbrctl, etcdutl and etcdctl.

use super::*;

fn parse(line: &[&str]) -> Result<LowArgs, clap::Error> {
    LowArgs::try_parse_from([&["strongroom-restore"], line].concat())
}

/// The command of scenario S2, with and without the word `restore`.
#[test]
fn etcdbrctls_command_line_is_understood() {
    let typed = [
        "--data-dir",
        "/var/lib/etcd/",
        "--store-container=etcd-backup",
        "--storage-provider=ECS",
        "--initial-cluster=controller-node1=https://10.6.212.10:2380",
        "--initial-advertise-peer-urls=https://10.6.212.10:2380",
    ];
    let plain = parse(&typed).expect("the command people type");
    let with_word =
        parse(&[&["restore"], &typed[..]].concat()).expect("the same with etcdbrctl's word");
    assert_eq!(plain.storage_provider, Some(StorageProvider::Ecs));
    assert_eq!(plain.store_container.as_deref(), Some("etcd-backup"));
    assert_eq!(plain.data_dir, PathBuf::from("/var/lib/etcd/"));
    assert_eq!(with_word.snapshot(), Ok(None));
    assert_eq!(
        LowArgs {
            words: Vec::new(),
            ..with_word
        },
        plain
    );
}

/// etcdctl's and etcdutl's command lines, and a bare file.
#[test]
fn the_file_may_stand_where_etcds_tools_have_it() {
    let file = |words: &[&str]| {
        let args = parse(&[&["-d", "x"], words].concat()).expect("it parses");
        args.snapshot().map(|file| file.map(Path::to_owned))
    };
    let named = Ok(Some(PathBuf::from("snapshot.db")));
    for words in [
        &["snapshot.db"][..],
        &["restore", "snapshot.db"],
        &["snapshot", "restore", "snapshot.db"],
        &["snapshot", "restore", "--snapshot=snapshot.db"],
        &["--snapshot=snapshot.db"],
    ] {
        assert_eq!(file(words), named, "{words:?}");
    }
    assert_eq!(file(&["./restore"]), Ok(Some("./restore".into())));
    for words in [
        &["compact"][..],
        &["snapshot", "save", "snapshot.db"],
        &["snapshot", "status", "snapshot.db"],
        &["a.db", "b.db"],
        &["restore", "a.db", "--snapshot=b.db"],
    ] {
        assert!(file(words).is_err(), "{words:?}");
    }
}

/// Go's flag packages take `--flag=true` and `--flag=false` for any switch.
#[test]
fn a_switch_may_have_a_value() {
    let dry = |flag: &str| parse(&["-d", "x", flag]).map(|args| args.dry_run);
    for (flag, expected) in [
        ("--dry-run", true),
        ("--dry-run=true", true),
        ("--dry-run=1", true),
        ("--dry-run=false", false),
        ("--dry-run=F", false),
    ] {
        assert_eq!(dry(flag).expect("a boolean"), expected, "{flag}");
    }
    assert!(dry("--dry-run=yes").is_err());
    let args = parse(&[
        "--skip-hash-check",
        "-d",
        "x",
        "--mark-compacted=false",
        "f",
    ]);
    let args = args.expect("a switch does not take the next argument for its value");
    assert!(args.skip_hash_check && !args.mark_compacted);
}

#[test]
fn flags_without_meaning_are_accepted_and_named() {
    let args = parse(&[
        "-d",
        "x",
        "--max-fetchers=6",
        "--embedded-etcd-quota-bytes",
        "8589934592",
        "--endpoints=https://10.0.0.1:2379",
        "--insecure-transport=false",
        "--password",
        "never-shown",
        "-w=json",
    ])
    .expect("flags of etcdbrctl and etcdctl");
    assert_eq!(
        args.ignored.warning().as_deref(),
        Some(
            "--embedded-etcd-quota-bytes, --max-fetchers, --write-out, --endpoints, --password, --insecure-transport \
             have no effect here: the restore works offline, without an etcd"
        )
    );
    let none = parse(&["-d", "x"]).expect("nothing ignored");
    assert_eq!(none.ignored.warning(), None);
}

/// As in etcdbrctl's own parser: the last value of a repeated flag is used; a repeated list flag adds up.
#[test]
fn repeated_flags_behave_as_in_etcdbrctl() {
    let line = [
        "-d",
        "x",
        "--name=a",
        "--name=b",
        "--initial-advertise-peer-urls=http://h:1",
    ];
    let args = parse(&[&line[..], &["--initial-advertise-peer-urls=http://h:2"]].concat())
        .expect("repeated");
    assert_eq!(args.name.as_deref(), Some("b"));
    assert_eq!(
        args.initial_advertise_peer_urls,
        ["http://h:1", "http://h:2"]
    );
}

/// A failure of the command line has the form of every other failure.
#[test]
fn a_wrong_command_line_is_a_message_without_the_parsers_frame() {
    let read = |line: &[&str]| {
        let line: Vec<OsString> = line.iter().map(Into::into).collect();
        LowArgs::read(&line).expect_err("no restore")
    };
    let Unread::Refused { message, json } = read(&["x", "--json", "-d", "x", "--bump"]) else {
        panic!("not refused");
    };
    assert!(json && message.starts_with("unexpected argument '--bump' found"));
    assert!(
        !message.contains("Usage:") && !message.contains("For more"),
        "{message}"
    );
    let provider = read(&["x", "-d", "x", "--storage-provider=Local"]);
    assert!(
        matches!(&provider, Unread::Refused { message, json: false } if message.contains("--snapshot FILE")),
        "{provider:?}"
    );
    assert!(matches!(read(&["x", "--help"]), Unread::Help(text) if text.contains("Exit codes")));
}

#[test]
fn unknown_flags_are_refused() {
    assert!(parse(&["-d", "x", "--bump"]).is_err());
    assert!(
        parse(&["--snapshot", "f"]).is_err(),
        "--data-dir is required"
    );
}
