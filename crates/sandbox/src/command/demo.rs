//! The whole story on this machine: the sheet goes into the database, the plan is shown while the task that the event
//! started is held back, the CMS is brought in order, and the result is scored against the truth; then the claims
//! reports of ten weeks are read.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::command::{report, say, scoreboard, weekly};
use crate::eventbridge::Invocation;
use crate::journal::Service;
use crate::sandbox::{Options, Sandbox};
use crate::world::Kind;

/// How long a started task may take.
pub(super) const PATIENCE: Duration = Duration::from_mins(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Off a terminal a line is printed this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The tasks as they ended.
pub(super) struct Story {
    pub backfill: Invocation,
    /// The look ahead at what the cleanup would do.
    pub plan: Option<Invocation>,
    pub cleanup: Option<Invocation>,
}

pub(super) async fn run(options: Options, rate_per_second: u32) -> Result<ExitCode> {
    let (profile, seed) = (options.profile, options.seed);
    let sandbox = Sandbox::start(options).await?;
    sandbox.set_task_env("RATE_PER_SECOND", rate_per_second.to_string());
    say(&scoreboard::opening(&sandbox, profile, rate_per_second));

    // The rule starts the cleanup as soon as the backfill has told its end: it waits until the plan was shown.
    sandbox.hold_tasks();
    let place = sandbox.start_task("channelbackfill", &["--json"]);
    let backfill =
        follow(&sandbox, "channelbackfill", || sandbox.started_task(place), backfill_progress).await?;
    let (mut plan, mut cleanup) = (None, None);
    if sandbox.held_tasks() > 0 {
        let shown = sandbox.run_task("cms-customid-cleanup", &["plan"], PATIENCE).await?;
        say(&scoreboard::plan(&shown)?);
        plan = Some(shown);
    }
    sandbox.release_tasks();
    if !sandbox.invocations().is_empty() {
        let started = || sandbox.invocations().into_iter().next();
        cleanup = Some(follow(&sandbox, "cms-customid-cleanup", started, cleanup_progress).await?);
    }
    // A second delivery of the event would have started a second task.
    sandbox.wait_for_idle(PATIENCE).await?;
    let story = Story { backfill, plan, cleanup };
    let (text, mut misses) = scoreboard::custom_ids(&sandbox, &story)?;
    say(&text);
    let weeks = weekly::run(&sandbox, seed).await?;
    say(&weeks.text);
    misses.extend(weeks.misses);
    // Whom an alert's event wakes is part of the story.
    sandbox.wait_for_idle(PATIENCE).await?;
    say(&scoreboard::closing(&sandbox, &misses, weeks.page.as_deref())?);
    sandbox.stop().await;
    Ok(if misses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Done and wanted.
type Progress = (u64, u64);

fn backfill_progress(sandbox: &Sandbox) -> Progress {
    let journal = sandbox.journal();
    let written = journal
        .entries()
        .iter()
        .filter(|entry| entry.service == Service::AppSync && entry.method == "POST")
        .filter(|entry| {
            entry.operation.contains("createChannel") || entry.operation.contains("updateChannel")
        })
        .map(|entry| entry.ids.len() as u64)
        .sum();
    let world = sandbox.world();
    let same = world
        .channels
        .iter()
        .filter(|channel| {
            world.stored.iter().any(|record| {
                record.channel_id == channel.channel_id
                    && record.custom_id.as_ref() == Some(&channel.custom_id)
            })
        })
        .count() as u64;
    (written, world.channels.len() as u64 - same)
}

fn cleanup_progress(sandbox: &Sandbox) -> Progress {
    let wanted = sandbox.world().expected_counts().get(&Kind::Updated).copied().unwrap_or_default();
    (sandbox.write_count() as u64, wanted)
}

async fn follow(
    sandbox: &Sandbox,
    name: &'static str,
    task: impl Fn() -> Option<Invocation>,
    progress: fn(&Sandbox) -> Progress,
) -> Result<Invocation> {
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{msg:22} {wide_bar} {human_pos}/{human_len} writes, {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.set_message(name);
    let on_terminal = !bar.is_hidden();
    let mut every = tokio::time::interval(LOOK_EVERY);
    let mut last_line_ms = sandbox.elapsed_ms();
    let ended = loop {
        every.tick().await;
        let task = task().context("the task was not started")?;
        let (done, wanted) = progress(sandbox);
        bar.set_length(wanted);
        bar.set_position(done.min(wanted));
        if !task.is_running() {
            break task;
        }
        let line_due = sandbox.elapsed_ms() - last_line_ms >= LINE_EVERY.as_secs() * 1000;
        if !on_terminal && line_due {
            last_line_ms = sandbox.elapsed_ms();
            report(&format!("{name}: {done} of {wanted} writes"));
        }
    };
    bar.finish_and_clear();
    Ok(ended)
}
