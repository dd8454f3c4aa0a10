//! Fuzz target `mvcc`: see `etcd-format/src/fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| strongroom_etcd_format::fuzzing::run("mvcc", data));
