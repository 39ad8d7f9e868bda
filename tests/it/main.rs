//! The end-to-end tests: the chain, the faults, and the workspace itself.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so by failing")]

mod architecture;
mod chain;
mod claims_report;
mod eventbridge;
mod services;
mod store;
