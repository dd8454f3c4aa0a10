//! `strongroom-zoo`: writes the fixtures of broken snapshots.
//!
//! `strongroom-zoo base` records a new sound snapshot from a real etcd 3.6 (its bytes differ each time), `table`
//! regenerates `zoo.tsv` from it, and `files FOLDER` writes every specimen to a file of its own, for inspection.

use std::path::Path;
use std::process::ExitCode;

use strongroom_tests::programs;
use strongroom_tests::zoo::{Zoo, base, table};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let fixtures = programs::workspace().join("tests/fixtures/zoo");
    match words[..] {
        ["base"] => {
            let dir = tempfile::tempdir().expect("temporary folder");
            write(&fixtures.join("base.db.gz"), &base::record(dir.path()));
        }
        ["table"] => {
            let zoo = Zoo::from(&fixtures);
            write(&fixtures.join("zoo.tsv"), table::text(&zoo).as_bytes());
        }
        ["files", folder] => {
            for specimen in Zoo::from(&fixtures).broken {
                write(&Path::new(folder).join(specimen.name), &specimen.bytes);
            }
        }
        _ => {
            eprintln!("next: strongroom-zoo base | table | files FOLDER");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}
