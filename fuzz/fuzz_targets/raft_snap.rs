//! Fuzz target `raft_snap`: see `etcd-format/src/fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| strongroom_etcd_format::fuzzing::run("raft_snap", data));
