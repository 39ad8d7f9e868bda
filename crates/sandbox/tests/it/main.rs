//! The servers over real sockets, asked as their descriptions say a client asks.

#![expect(clippy::unwrap_used, reason = "what is unexpected fails the test")]

mod appsync;
mod claims;
mod content_id;
mod eventbridge;
mod faults;
mod harness;
mod object_store;
mod plants;
mod program;
mod reporting;
mod signing;
mod tokens;
mod videos;
mod weeks;
