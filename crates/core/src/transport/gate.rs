//! Where the calls of a client wait for their turn.
//!
//! One call at a time stands at the gate and waits there for what the [`Pacer`] says; the others
//! queue behind it in their order. So a server's "wait" holds everybody, a rate that is cut is cut for the next call
//! already, and 32 waiting calls do not wake up together for one turn.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::pacer::{Begun, Pacer, Patience, Signal, Turn};
use super::wait;

/// The gate of one client.
#[derive(Debug)]
pub struct Gate {
    queue: tokio::sync::Mutex<()>,
    pacer: Mutex<Pacer>,
    ended: Notify,
}

/// A call that is under way; dropped without an end, it counts as given up.
#[derive(Debug)]
pub struct UnderWay<'g> {
    gate: &'g Gate,
    begun: Begun,
    has_ended: bool,
}

impl Gate {
    /// A gate that lets through so many calls a second and at once, and fewer as the server asks for it.
    pub fn new(rate_per_second: Option<f64>, max_in_flight: usize, max_wait: Duration) -> Self {
        Self {
            queue: tokio::sync::Mutex::new(()),
            pacer: Mutex::new(Pacer::new(rate_per_second, max_in_flight, max_wait)),
            ended: Notify::new(),
        }
    }

    /// Waits for a turn. To be dropped when the run is being stopped.
    pub async fn enter(&self, is_first_try: bool) -> UnderWay<'_> {
        let _head = self.queue.lock().await;
        loop {
            // Asked for before the pacer: an end between the two is not missed.
            let ended = self.ended.notified();
            let turn = self.pacer().turn(Instant::now(), is_first_try);
            match turn {
                Turn::Begun(begun) => return UnderWay { gate: self, begun, has_ended: false },
                Turn::Wait(time) => wait(time).await,
                Turn::Full => ended.await,
            }
        }
    }

    /// Waits until the budget of repetitions has one.
    pub async fn wait_for_retry(&self) {
        loop {
            let time = self.pacer().take_retry(Instant::now());
            match time {
                None => return,
                Some(time) => wait(time).await,
            }
        }
    }

    /// The shared state.
    pub fn pacer(&self) -> MutexGuard<'_, Pacer> {
        self.pacer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay<'_> {
    /// The call has ended.
    pub fn end(mut self, signal: Signal) -> Patience {
        self.has_ended = true;
        let patience = self.gate.pacer().ended(self.begun, Instant::now(), signal);
        self.gate.ended.notify_one();
        patience
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.gate.pacer().ended(self.begun, Instant::now(), Signal::Abandoned);
            self.gate.ended.notify_one();
        }
    }
}
