#![no_main]

libfuzzer_sys::fuzz_target!(
    // Making the key that signs notifications takes longer than any input may.
    init: squab_fuzz::gateway::target(b""),
    |input: &[u8]| squab_fuzz::gateway::target(input)
);
