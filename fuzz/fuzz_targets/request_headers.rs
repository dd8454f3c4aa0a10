//! Fuzz target `request_headers`: see `server/src/s3/fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| strongroom_server::s3::fuzzing::run(
    "request_headers",
    data
));
