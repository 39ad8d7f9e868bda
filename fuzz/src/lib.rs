//! The targets of the end-to-end package, built for the fuzzer: one text, so that a find fails there too.

#[path = "../../tests/src/fuzz_targets.rs"]
pub mod fuzz_targets;
