#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| allegro_vendor::classmap::fuzzing::scanner(data));
