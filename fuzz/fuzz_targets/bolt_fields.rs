//! Fuzz target `bolt_fields`: see `etcd-format/src/fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| strongroom_etcd_format::fuzzing::run(
    "bolt_fields",
    data
));
