//! Winding down: on SIGTERM, on SIGINT, or when the time that the run was given is up.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why a run winds down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// SIGTERM: ECS takes the task away.
    Terminate,
    /// SIGINT: somebody pressed Ctrl-C.
    Interrupt,
    /// `--max-duration` is over.
    TimeUp,
}

/// Tells everybody once that the run winds down, and why.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    reason: Arc<OnceLock<StopReason>>,
}

impl Stop {
    /// Winds down for this reason; the first reason stays.
    pub fn begin(&self, reason: StopReason) {
        self.reason.get_or_init(|| reason);
        self.token.cancel();
    }

    /// Why, once it has begun.
    pub fn reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }

    /// What calls watch: no call begins once it is cancelled.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Whether a signal began it: the process will be killed before long.
    pub fn is_signalled(&self) -> bool {
        matches!(self.reason(), Some(StopReason::Terminate | StopReason::Interrupt))
    }
}
