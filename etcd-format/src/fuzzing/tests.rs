//! Replays the committed seeds: every `make test` runs the inputs that a fuzzer once reached or broke.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{TARGETS, run};

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

#[test]
fn seeds_of_every_target_pass() {
    for (target, _) in TARGETS {
        let folder = fuzz_folder().join("seeds").join(target);
        let entries = fs::read_dir(&folder).expect("every target has a folder of seeds");
        let mut seeds = 0;
        for entry in entries {
            let path = entry.expect("the folder can be listed").path();
            let data = fs::read(&path).expect("a seed is a file");
            println!("{}", path.display());
            run(target, &data);
            seeds += 1;
        }
        assert!(
            seeds >= 5,
            "{target} has {seeds} seeds, too few to mean anything"
        );
    }
}

#[test]
fn every_target_can_be_fuzzed() {
    for (target, _) in TARGETS {
        let file = fuzz_folder()
            .join("fuzz_targets")
            .join(format!("{target}.rs"));
        assert!(file.is_file(), "{} is missing", file.display());
    }
}
