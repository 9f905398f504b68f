#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| allegro_store::fuzzing::import(data));
