//! The released program is static and does not contain forbidden libraries.
//!
//! If `make` has built it, `STRONGROOM_RESTORE_BIN` is its path; otherwise it is built here, in the same target directory.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{clock::environment, tool::text};

const TARGET: &str = "x86_64-unknown-linux-gnu";

fn shipped() -> &'static Path {
    static SHIPPED: OnceLock<PathBuf> = OnceLock::new();
    SHIPPED.get_or_init(
        || match environment("STRONGROOM_RESTORE_BIN").map(PathBuf::from) {
            Some(path) if path.is_file() => path,
            _ => build(),
        },
    )
}

fn build() -> PathBuf {
    // .../target/tmp -> .../target
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("cargo's layout");
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "-j2",
            "--release",
            "-p",
            "strongroom-restore",
            "--target",
            TARGET,
        ])
        .args(["--target-dir", text(target_dir)])
        .env("RUSTFLAGS", "-Ctarget-feature=+crt-static")
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the static build fails");
    target_dir.join(TARGET).join("release/strongroom-restore")
}

/// Reads a little-endian field.
fn field(bytes: &[u8], offset: usize, len: usize) -> u64 {
    bytes[offset..offset + len]
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The types of the program headers (ELF64: e_phoff at 32, e_phentsize at 54, e_phnum at 56).
fn segments(elf: &[u8]) -> Vec<(u64, usize, usize)> {
    assert_eq!(&elf[..5], b"\x7fELF\x02", "a 64-bit ELF file");
    let position = |value: u64| usize::try_from(value).expect("an offset in this file");
    let (start, size, count) = (
        position(field(elf, 32, 8)),
        position(field(elf, 54, 2)),
        field(elf, 56, 2),
    );
    (0..position(count))
        .map(|index| {
            let at = start + index * size;
            (
                field(elf, at, 4),
                position(field(elf, at + 8, 8)),
                position(field(elf, at + 32, 8)),
            )
        })
        .collect()
}

#[test]
fn no_interpreter_and_no_shared_library_is_needed() {
    const PT_DYNAMIC: u64 = 2;
    const PT_INTERP: u64 = 3;
    const DT_NEEDED: u64 = 1;
    let elf = fs::read(shipped()).expect("built");
    for (kind, offset, len) in segments(&elf) {
        assert_ne!(kind, PT_INTERP, "it asks for a dynamic loader");
        if kind == PT_DYNAMIC {
            // A static PIE keeps a dynamic section for its own relocations.
            let needed = elf[offset..offset + len]
                .chunks_exact(16)
                .any(|entry| field(entry, 0, 8) == DT_NEEDED);
            assert!(!needed, "it needs a shared library");
        }
    }
}

#[test]
fn no_rocksdb_grpc_or_openssl_is_in_it() {
    let bytes = fs::read(shipped()).expect("built");
    let holds = |word: &str| {
        bytes
            .windows(word.len())
            .any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
    };
    // ring's assembler mentions OpenSSL's authors, so the word alone proves nothing. These are OpenSSL's own symbols.
    for banned in [
        "rocksdb",
        "tonic::",
        "tonic-",
        "grpc",
        "etcdserverpb",
        "SSL_CTX_new",
        "EVP_EncryptInit",
        "openssl-sys",
        "openssl_sys",
        "libssl",
        "libcrypto",
    ] {
        assert!(!holds(banned), "{banned} is in the program");
    }
    assert!(
        holds("rustls") && holds("hickory"),
        "the search finds what is there"
    );
}

#[test]
fn it_runs_without_anything_beside_it() {
    let output = Command::new(shipped())
        .arg("--version")
        .env_clear()
        .output()
        .expect("it starts");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("strongroom-restore "));
}
