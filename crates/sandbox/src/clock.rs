//! The sandbox's own time: how long it has been up, and the wall clock for what it stamps on answers.

use std::time::{Duration, Instant};

/// Counts from the moment the servers came up, so that a journal reads as a story.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn elapsed_ms(self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The wall clock, which stands on records, events and `Last-Modified` as the real services' does.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox plays the services, and they have clocks of their own"
)]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// `2025-07-29T18:45:00.000Z`, the form of AppSync's `createdAt`.
pub(crate) fn with_milliseconds(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `2025-07-29T18:45:00Z`, the form of `time` on an event: EventBridge keeps whole seconds.
pub(crate) fn with_seconds(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
