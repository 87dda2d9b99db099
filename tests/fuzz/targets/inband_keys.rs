#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| roomgate::fuzz::inband_keys(data));
