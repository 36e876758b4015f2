#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bayeux_fuzz::targets::histories(input));
