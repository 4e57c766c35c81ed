#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| t8gate::links::fuzzed::links(octets));
