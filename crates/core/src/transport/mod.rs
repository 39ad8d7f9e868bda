//! The only code that sends HTTP, waits or retries.
//!
//! [`verdict`] says what an answer means, [`backoff`] how long to wait, [`pacer`] when the whole client may go on: these
//! three are pure. At the [`gate`] calls wait for their turn, and [`client`] joins all in the suite's one retry loop.
//! Everybody who talks HTTP hands over a [`Call`] and a judge, so that no second loop can grow around this one.

pub mod backoff;
pub mod client;
mod download;
pub mod error;
pub mod gate;
pub mod pacer;
pub mod verdict;

pub use client::{Answer, Authorization, Call, Courier, Pace, Sent, Transport};
pub use error::{CallError, CallErrorKind};
pub use verdict::Verdict;

use std::time::Duration;

/// Waits. The suite's one place to do so: a loop elsewhere that wants to wait asks here, where it can be found.
#[expect(clippy::disallowed_methods, reason = "this is the one place that the ban sends everybody to")]
pub async fn wait(duration: Duration) {
    tokio::time::sleep(duration).await;
}
