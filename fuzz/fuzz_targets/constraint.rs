#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| allegro_semver::fuzzing::constraint(data));
