//! Progress: a bar on a terminal, a line every 30 seconds elsewhere.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(30);

/// Shows how far a step has come.
#[derive(Debug)]
pub struct Progress {
    on_terminal: bool,
}

/// One step under way; ends when it is dropped.
#[derive(Debug)]
pub struct Step {
    bar: Option<ProgressBar>,
    label: &'static str,
    total: Option<u64>,
    state: Mutex<(u64, Instant)>,
    started: Instant,
}

impl Progress {
    /// A bar where stderr is a terminal; none beside JSON logs.
    pub fn new(for_people: bool) -> Self {
        Self { on_terminal: for_people && std::io::stderr().is_terminal() }
    }

    /// Begins a step of `total` (`None` when nobody knows).
    pub fn step(&self, label: &'static str, total: Option<u64>) -> Step {
        let bar = self.on_terminal.then(|| {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(5));
            let style = match total {
                Some(_) => "{msg:<14} {bar:30} {human_pos}/{human_len} {per_sec} eta {eta}",
                None => "{msg:<14} {spinner} {human_pos} {per_sec}",
            };
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.set_message(label);
            bar
        });
        let started = Instant::now();
        Step { bar, label, total, state: Mutex::new((0, started)), started }
    }
}

impl Step {
    /// So much more is done.
    pub fn advance(&self, by: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(by);
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += by;
        if state.1.elapsed() >= LINE_EVERY {
            state.1 = Instant::now();
            let per_second = state.0 as f64 / self.started.elapsed().as_secs_f64();
            tracing::info!(step = self.label, done = state.0, total = self.total, per_second, "in progress");
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
