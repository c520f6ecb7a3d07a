#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| squab_fuzz::policy::target(input));
