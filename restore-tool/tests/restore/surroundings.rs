//! Limits of the machine: a disk that is too small, and memory, which must not grow with the snapshot.

use std::{
    fs,
    process::{Command, Stdio},
};

use strongroom_tests::zoo::image::{Image, meta};

use crate::{
    etcd::{Etcd, MemberConfig},
    sample::{compress, sample},
    tool::{Run, finish, text},
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Restores onto a separate file system in a private mount namespace; prints what is left there afterwards.
fn on_a_disk_of(megabytes: u32, snapshot: &str) -> Run {
    on_a_disk(&format!("size={megabytes}m"), snapshot)
}

fn on_a_disk(options: &str, snapshot: &str) -> Run {
    let script = format!(
        "mount -t tmpfs -o {options},mode=0755 disk /mnt && {} --snapshot {snapshot} -d /mnt/etcd; code=$?; \
         ls -A /mnt >&2; exit $code",
        env!("CARGO_BIN_EXE_strongroom-restore")
    );
    let mut command = Command::new("unshare");
    command
        .args(["-m", "--propagation", "private", "sh", "-c", &script])
        .stdin(Stdio::null());
    finish(command)
}

#[test]
fn a_full_disk_is_foreseen_by_size_and_met_in_time_when_gzip_hides_it() -> Outcome {
    let small = on_a_disk_of(8, text(&sample().raw))
        .expect_code(8)
        .expect_words(&["not enough free space", "free)", "next: df"]);
    assert!(
        !small.stderr.contains("Restoring from"),
        "known before the first byte: {}",
        small.stderr
    );
    // A copied database file is longer than its meta pages say; the free space behind its pages compresses well.
    let dir = tempfile::tempdir()?;
    let hidden = dir.path().join("hidden.gz");
    let mut copied = sample().bytes.clone();
    copied.resize(200 << 20, 0);
    fs::write(&hidden, compress(&copied))?;
    let hidden = on_a_disk_of(130, text(&hidden))
        .expect_code(8)
        .expect_words(&["Restoring from", "not enough free space"]);
    // A saved one has the length of its meta pages: it is refused before it is unpacked.
    let announced = dir.path().join("announced.gz");
    let mut database = Image::of_snapshot(&sample().bytes);
    database.put_meta(meta::HIGH_WATER, &(1_u64 << 16).to_le_bytes());
    fs::write(&announced, compress(&database.snapshot()))?;
    let needed = (1_u64 << 28) + (80 << 20);
    let announced = on_a_disk_of(130, text(&announced))
        .expect_code(8)
        .expect_words(&["not enough free space", &format!("{needed} bytes needed")]);
    for run in [small, hidden, announced] {
        let last = run.stderr.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("next: "),
            "nothing is left on the disk, but: {last}"
        );
    }
    Ok(())
}

/// The message says what ran out: inodes, not space.
#[test]
fn a_file_system_without_inodes_is_told_as_such() {
    let full = on_a_disk("size=400m,nr_inodes=4", text(&sample().raw));
    full.expect_code(8)
        .expect_words(&["no free inodes", "next: df -i /mnt"]);
}

/// The snapshot is three times as large as the memory that the program may allocate.
#[test]
fn memory_does_not_grow_with_the_snapshot() -> Outcome {
    const DATA_BYTES_MAX: &str = "50331648";
    let dir = tempfile::tempdir()?;
    let seat = MemberConfig::new("large");
    let initial = seat.initial();
    let snapshot = dir.path().join("large.db");
    {
        let mut etcd = Etcd::start(
            &seat,
            &dir.path().join("data"),
            &["--initial-cluster", &initial],
        );
        etcd.wait_until_healthy();
        let value = "M".repeat(1_200_000);
        for key in 0..120 {
            etcd.ctl_with_input(&["put", &format!("large-{key}")], &value);
        }
        etcd.ctl(&["snapshot", "save", text(&snapshot)]);
    }
    assert!(fs::metadata(&snapshot)?.len() > 140_000_000);
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--data={DATA_BYTES_MAX}"))
        .arg(env!("CARGO_BIN_EXE_strongroom-restore"))
        .args([
            "--snapshot",
            text(&snapshot),
            "-d",
            text(&dir.path().join("etcd")),
        ]);
    finish(command).expect_code(0);
    Ok(())
}
