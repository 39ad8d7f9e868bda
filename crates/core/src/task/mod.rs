//! The one harness of all tasks: settings, telemetry, signals, the run folder, the event, the exit code.
//!
//! The only code that reads the environment and the wall clock, and the only one that ends a process. A task says
//! what it needs ([`Task::prepare`]), does its work ([`Task::run`]) and says how its end reads ([`Task::report`]);
//! everything around that is the same for all.

pub mod check;
pub mod clock;
mod exit;
mod launch;
pub mod lock;
mod metrics;
mod outbox;
mod progress;
mod run_folder;
pub mod settings;
mod stop;
mod telemetry;

pub use exit::{End, Ended, Exit, InputError};
pub use launch::{launch, launch_with_check};
pub use progress::{Progress, Step as ProgressStep};
pub use run_folder::{RunFolder, Scratch, new_run_id, summaries};
pub use settings::{Environment, GraphqlArgs, OutputArgs, Problems, RunArgs, YoutubeArgs};
pub use stop::{Stop, StopReason};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::eventbridge::Event;
use crate::store::Store;

/// What every task of the suite is.
pub trait Task: Sized {
    /// The name on the command line, in the state folder and in metrics.
    const NAME: &'static str;
    /// Its flags.
    type Args: clap::Parser;
    /// What it has counted so far: what its summary and event are made from, also when it is cut off.
    type Tally: Clone + Default + Send + 'static;

    /// The flags that the harness itself reads.
    fn frame(args: &Self::Args) -> Frame<'_>;

    /// Whether there is nothing to do, before anything else is looked at: what started the task may not concern it.
    /// Gives the tally that says so.
    fn stand_aside(
        _args: &Self::Args,
        _environment: &Environment,
        _problems: &mut Problems,
    ) -> Option<Self::Tally> {
        None
    }

    /// Settings into a task that can start, or every problem at once.
    fn prepare(args: &Self::Args, environment: &Environment, problems: &mut Problems) -> Option<Self>;

    /// What is known before the work begins: the tally of a run that ends before it.
    fn begin(&self) -> Self::Tally {
        Self::Tally::default()
    }

    /// Whether the run writes to the outside: then it takes the task's lock and tells the bus its end.
    fn writes(&self, dry_run: bool) -> bool {
        !dry_run
    }

    /// Whether the bus is told of a start that fails for want of settings: only where a run that writes was meant.
    fn tells(_args: &Self::Args) -> bool {
        true
    }

    /// Whether this is a run: it keeps a folder and is measured. A command that only looks leaves neither.
    fn is_run(&self) -> bool {
        true
    }

    /// Whether a run that came to its end found everything done already. Where the event of the run that did it had to
    /// be sent first, such an end needs no telling of its own.
    fn found_all_done(_tally: &Self::Tally) -> bool {
        false
    }

    /// The work. An error ends the run before or in the middle; what happens to one row is data.
    fn run(&self, context: &Context<Self::Tally>) -> impl Future<Output = anyhow::Result<Exit>>;

    /// How the end reads: for programs, for people, for the bus.
    fn report(run: &RunInfo, tally: &Self::Tally, end: &End) -> Report;
}

/// The flags that the harness reads itself.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// How to speak.
    pub output: &'a OutputArgs,
    /// Where a run keeps its state and whom it tells; `None` for a task that has neither.
    pub run: Option<&'a RunArgs>,
}

/// Which run this is.
#[derive(Debug, Clone)]
pub struct RunInfo {
    /// Sorts by time.
    pub run_id: String,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// When it ended; the beginning while it runs.
    pub ended_at: jiff::Timestamp,
    /// How long it took, on the monotonic clock.
    pub duration_ms: u64,
    /// Whether nothing outside the run folder is written.
    pub dry_run: bool,
}

/// How a run's end reads.
#[derive(Debug, Clone)]
pub struct Report {
    /// One object: stdout under `--json`, and `summary.json`.
    pub summary: serde_json::Value,
    /// For people, with a last newline.
    pub text: String,
    /// For the bus, if this end is to be told.
    pub event: Option<Event>,
    /// What else is told together with it, before it.
    pub events_before: Vec<Event>,
    /// Counts for CloudWatch.
    pub counts: Vec<(&'static str, u64)>,
}

/// What a task is given to work with.
#[derive(Debug)]
pub struct Context<T> {
    /// Which run this is.
    pub info: RunInfo,
    /// The monotonic beginning.
    pub started: Instant,
    /// Told when the run is to wind down.
    pub stop: Stop,
    /// The AWS settings, loaded once.
    pub aws: aws_config::SdkConfig,
    /// The state folder of all tasks and this run's part of it; `None` for a task without state.
    pub folder: Option<Arc<RunFolder>>,
    /// Whether people are watching.
    pub progress: Progress,
    /// The lease of the task's lock, for the clients that write; `None` for a run that writes nothing.
    pub lease: Option<Arc<lock::Lease>>,
    tally: Arc<Mutex<T>>,
}

impl<T: Clone> Context<T> {
    /// Changes what has been counted.
    pub fn count<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What has been counted so far.
    pub fn tally(&self) -> T {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This run's folder. Only a task whose [`Frame`] has no run part is without one.
    pub fn run_folder(&self) -> anyhow::Result<&RunFolder> {
        self.folder.as_deref().ok_or_else(|| anyhow::anyhow!("this task keeps no state"))
    }

    /// The store that the run folder lies in.
    pub fn store(&self) -> anyhow::Result<&Store> {
        Ok(self.run_folder()?.store())
    }
}
