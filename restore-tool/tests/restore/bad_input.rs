//! Every damaged snapshot and wrong argument: its exit code, its message, and an unchanged target.

use std::{fs, path::Path};

use sha2::{Digest as _, Sha256};

use crate::{
    sample::{compress, sample},
    tool::{Run, fingerprint, run, text},
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Restores into a new and into an existing directory; neither may change.
fn refused(file: &Path, flags: &[&str], code: i32) -> Run {
    let dir = tempfile::tempdir().expect("temporary directory");
    fs::create_dir(dir.path().join("lost+found")).expect("writable");
    let before = fingerprint(dir.path());
    let fresh = dir.path().join("new/etcd");
    run(&[&["--snapshot", text(file), "-d", text(&fresh)], flags].concat()).expect_code(code);
    let last = run(&[&["--snapshot", text(file), "-d", text(dir.path())], flags].concat())
        .expect_code(code);
    assert_eq!(fingerprint(dir.path()), before);
    last
}

fn with_trailer(mut db: Vec<u8>) -> Vec<u8> {
    let digest = Sha256::digest(&db);
    db.extend(digest);
    db
}

#[test]
fn a_damaged_file_is_an_integrity_failure_that_tells_what_is_wrong() -> Outcome {
    let dir = tempfile::tempdir()?;
    let whole = &sample().bytes;
    let db_len = whole.len() - 32;
    let mut flipped = whole.clone();
    flipped[db_len / 2] ^= 0x10;
    let mut wrong_trailer = whole.clone();
    wrong_trailer[db_len + 5] ^= 1;
    let mut torn = whole[..db_len].to_vec();
    torn[3 * 4096] ^= 0xff;
    let text_file = b"apiVersion: v1\n".repeat(4096);
    let cases: [(&str, Vec<u8>, &[&str]); 12] = [
        ("empty", Vec::new(), &["empty"]),
        ("short", whole[..1000].to_vec(), &["1000 bytes"]),
        (
            "cut in a page",
            whole[..db_len / 2 + 7].to_vec(),
            &["cut short"],
        ),
        (
            "cut after a page",
            whole[..4096 * 20].to_vec(),
            &["without the SHA-256"],
        ),
        (
            "cut, with a new trailer",
            with_trailer(whole[..4096 * 20].to_vec()),
            &["truncated", "81920"],
        ),
        (
            "no trailer",
            whole[..db_len].to_vec(),
            &["without the SHA-256"],
        ),
        ("flipped", flipped, &["SHA-256", "altered"]),
        ("wrong trailer", wrong_trailer, &["SHA-256", "altered"]),
        (
            "a torn page, with its trailer",
            with_trailer(torn),
            &["page 3 at offset 12288"],
        ),
        (
            "zeros",
            with_trailer(vec![0; 65_536]),
            &["not a bolt database"],
        ),
        (
            "not bolt",
            with_trailer(text_file[..57_344].to_vec()),
            &["not a bolt database"],
        ),
        (
            "gzip cut",
            compress(whole)[..10_000].to_vec(),
            &["gzip stream breaks"],
        ),
    ];
    for (name, bytes, words) in cases {
        let file = dir.path().join(name);
        fs::write(&file, bytes)?;
        refused(&file, &[], 7).expect_words(words).expect_words(&[
            "error: the snapshot ",
            " is damaged: ",
            "next: ",
        ]);
    }
    Ok(())
}

#[test]
fn an_archive_is_named_with_the_command_that_unpacks_it() -> Outcome {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("snapshot.zip");
    fs::write(&file, [&b"PK\x03\x04"[..], &[0; 5000]].concat())?;
    refused(&file, &[], 1).expect_words(&[
        "snapshot.zip is a zip archive",
        &format!("next: unzip -p {} >snapshot.db, then ", text(&file)),
    ]);
    let made = std::process::Command::new("tar")
        .args(["-czf", text(&file), "-C"])
        .arg(sample().raw.parent().ok_or("no folder")?)
        .arg("snapshot.db")
        .status()?;
    assert!(made.success());
    refused(&file, &[], 1).expect_words(&[
        "is a tar archive, inside gzip",
        &format!("next: tar -xvf {}, then ", text(&file)),
    ]);
    fs::write(&file, b"[{\"etcdEvent\":{\"kv\":{}}}]")?;
    refused(&file, &[], 1).expect_words(&["a delta snapshot", "next: name a full snapshot"]);
    fs::write(&file, [&[0x28, 0xb5, 0x2f, 0xfd][..], &[0; 5000]].concat())?;
    refused(&file, &[], 7).expect_words(&["its zstd stream breaks after 0 unpacked bytes"]);
    Ok(())
}

/// etcdbrctl with `--compression-policy lzw`: Go's LZW, which `uncompress` does not unpack.
#[test]
fn a_snapshot_packed_by_gos_lzw_is_restored() -> Outcome {
    let dir = tempfile::tempdir()?;
    let packed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapshot-io/tests/fixtures/etcd-3.4.db.Z");
    let target = dir.path().join("etcd");
    let line = ["--snapshot", text(&packed), "-d", text(&target)];
    let done = run(&line).expect_code(0);
    assert!(
        done.stdout
            .contains("Go's LZW, 7732 bytes stored, 118816 unpacked"),
        "{}",
        done.stdout
    );
    Ok(())
}

#[test]
fn a_file_that_is_not_there_or_none_is_told() -> Outcome {
    let dir = tempfile::tempdir()?;
    refused(&dir.path().join("missing"), &[], 4).expect_words(&["does not exist", "next: ls -l"]);
    refused(dir.path(), &[], 2).expect_words(&["not a regular file"]);
    refused(Path::new("/dev/null"), &[], 2).expect_words(&["not a regular file"]);
    Ok(())
}

#[test]
fn names_and_urls_that_do_not_fit_are_usage_errors_as_etcds() {
    const TWO: &str = "--initial-cluster=m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380";
    let cases: [(&[&str], &str); 9] = [
        (&[TWO, "--name=m3"], "couldn't find local name \"m3\""),
        (&[TWO], "m1"),
        (
            &[
                TWO,
                "--name=m1",
                "--initial-advertise-peer-urls=http://10.0.0.2:2380",
            ],
            "missing from",
        ),
        (
            &[
                "--initial-cluster=m1=http://10.0.0.1:2380",
                "--initial-advertise-peer-urls=http://10.0.0.9:2380",
            ],
            "missing from",
        ),
        (
            &[
                "--initial-cluster=m1=http://10.0.0.1:2380,m2=http://10.0.0.1:2380",
                "--name=m1",
            ],
            "duplicate url",
        ),
        (&["--initial-cluster=m1=http://10.0.0.1"], "host:port"),
        (&["--initial-cluster=m1=http://10.0.0.1:2380/"], "path"),
        (&["--initial-cluster=m1=ftp://10.0.0.1:2380"], "scheme"),
        (&["--initial-cluster="], "lists no member"),
    ];
    for (flags, word) in cases {
        refused(&sample().raw, flags, 2).expect_words(&[word]);
    }
}

#[test]
fn a_command_line_without_source_or_settings_says_what_is_missing() {
    for (flags, words) in [
        (&["-d", "x"][..], &["--snapshot", "--storage-provider"][..]),
        (
            &["-d", "x", "--storage-provider=ECS"],
            &["--store-container", "STORAGE_CONTAINER"],
        ),
        (
            &[
                "-d",
                "x",
                "--storage-provider=ECS",
                "--store-container=etcd-backup",
            ],
            &["ECS_ENDPOINT"],
        ),
        (
            &[
                "-d",
                "x",
                "--storage-provider=S3",
                "--store-container=etcd-backup",
            ],
            &["AWS_ACCESS_KEY_ID"],
        ),
        (
            &[
                "-d",
                "x",
                "--storage-provider=Swift",
                "--store-container=etcd-backup",
            ],
            &["ECS", "S3"],
        ),
    ] {
        run(flags).expect_code(2).expect_words(words);
    }
}
