#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dn_fuzz::fuzz_targets::ask("platforms", bytes));
