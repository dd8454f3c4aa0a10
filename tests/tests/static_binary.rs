//! The contents of the released programs: the restore tool is one static file without RocksDB, gRPC or OpenSSL, the
//! server has no test machinery.

use strongroom_tests::programs;

/// ELF64: program headers' offset, entry size and count in the file header; type of an entry that names an interpreter.
const PHOFF: usize = 32;
const PHENTSIZE: usize = 54;
const PHNUM: usize = 56;
const PT_INTERP: u32 = 3;

fn little(bytes: &[u8], at: usize, len: usize) -> usize {
    let field = bytes.get(at..at + len).expect("an ELF file has this field");
    field
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | usize::from(*byte))
}

fn interpreters(elf: &[u8]) -> usize {
    assert_eq!(
        elf.get(..5),
        Some(&b"\x7fELF\x02"[..]),
        "an ELF file of 64 bits"
    );
    let (offset, size) = (little(elf, PHOFF, 8), little(elf, PHENTSIZE, 2));
    let interpreter = usize::try_from(PT_INTERP).expect("small");
    (0..little(elf, PHNUM, 2))
        .filter(|i| little(elf, offset + i * size, 4) == interpreter)
        .count()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn the_restore_tool_is_one_static_file_without_rocksdb_grpc_and_openssl() {
    let tool = std::fs::read(programs::restore_path()).expect("readable");
    assert_eq!(interpreters(&tool), 0, "it needs a dynamic loader");
    for foreign in ["rocksdb", "tonic", "grpc-status", "OPENSSL_init_ssl"] {
        assert!(
            !contains(&tool, foreign),
            "`{foreign}` is linked into the restore tool"
        );
    }
    let own = std::env::current_exe().expect("own path is known");
    assert!(
        interpreters(&std::fs::read(own).expect("readable")) > 0,
        "this test itself is dynamic: the check sees it"
    );
}

#[test]
fn a_normal_server_has_no_test_machinery() {
    let read = |command: std::process::Command| {
        std::fs::read(command.get_program()).expect("the program is readable")
    };
    let (normal, planted) = (read(programs::server()), read(programs::planted_server()));
    // First the switch of planted bugs, then symbols: a module's functions and statics contain its name.
    for machinery in [
        "STRONGROOM_PLANTED_BUG",
        "strongroom_store7testing",
        "MemRows",
        "MemEngine",
        "MemFiles",
        "MemDisk",
        "FaultDisk",
        "PackPerBatch",
        "let_others_run",
        "7conformance",
    ] {
        assert!(
            !contains(&normal, machinery),
            "`{machinery}` is in the server"
        );
    }
    for machinery in ["STRONGROOM_PLANTED_BUG", "strongroom_store7testing"] {
        assert!(
            contains(&planted, machinery),
            "the check sees `{machinery}` where it is"
        );
    }
    assert!(
        contains(&normal, "strongroom_store4meta"),
        "the check sees symbols at all"
    );
}
