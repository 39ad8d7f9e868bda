//! The end-to-end tests: the chain, the faults, and the workspace itself.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod architecture;
mod backfill;
mod browser;
mod chain;
mod check;
mod claims_report;
mod cleanup;
mod database;
mod detection;
mod disputes;
mod documents;
mod drift;
mod endings;
mod eventbridge;
mod explain;
mod findings;
mod fuzz_seeds;
mod graphql_check;
mod history;
mod infrastructure;
mod inputs;
mod kill;
mod live;
mod lock;
mod logging;
mod moto;
mod plan;
mod process;
mod profiles;
mod put;
mod python;
mod refusals;
mod relearn;
mod reliability;
mod remote;
mod reporting;
mod services;
mod store;
mod stored_videos;
mod tls;
mod walk;
mod weekly;
mod weeks;
mod writes;
