//! claims-report: what the weekly Content ID reports say, what changed, and what asks for attention.
//!
//! Gather (partner channels and videos of the database, the four reports, platform files, rights records), analyse (`dn_domain::claims`), render,
//! remember, tell. Rows are read once; what is kept of a week is compact, and the weeks before lie in the history.

mod analysis;
mod args;
mod backtest;
mod check;
mod database;
mod desk;
mod fetch;
pub mod history;
mod in_two;
mod inputs;
mod letter;
mod live;
mod mappings;
mod past;
mod quarantine;
mod reading;
mod relearn;
pub mod render;
mod replay;
mod report;
mod risks;
mod surges;
mod weekly;

pub use args::Args;
pub use backtest::Backtested;
pub use relearn::Relearnt;
pub use replay::{Raised, Replayed};
pub use report::Tally;

use std::time::Duration;

use anyhow::Context as _;
use dn_core::store::Store;
use dn_core::task::{Context, End, Environment, Exit, Frame, Problems, Report, RunInfo, Task, summaries};

use crate::args::{Command, HistoryCommand, Settings};
use crate::history::History;

/// The task, its settings read.
#[derive(Debug)]
pub struct ClaimsReport {
    command: Command,
    /// What a run or a fetch goes by; the other commands need none.
    settings: Option<Settings>,
    /// How long the history reaches back.
    retention: Duration,
    /// The budget that a backtest of the history goes by.
    alert_budget: usize,
    /// The table of weights that a backtest holds new ones against; none for the one that is built in.
    dispute_weights: Option<String>,
}

impl Task for ClaimsReport {
    const NAME: &'static str = "claims-report";
    type Args = Args;
    type Tally = Tally;

    fn frame(args: &Args) -> Frame<'_> {
        Frame { output: &args.output, run: Some(&args.run) }
    }

    fn prepare(args: &Args, environment: &Environment, problems: &mut Problems) -> Option<Self> {
        let command = args.command();
        let settings = match command {
            Command::Run | Command::Fetch | Command::Disputes | Command::Check => {
                Some(args.read(environment, problems)?)
            }
            Command::Backtest(_) | Command::Runs | Command::History { .. } => None,
        };
        let retention = args.history.read(problems)?;
        // A run's settings have it too, and told what is wrong with it already.
        let alert_budget = match &settings {
            Some(settings) => settings.alert_budget,
            None => args.alert_budget(problems)?,
        };
        Some(Self { command, settings, retention, alert_budget, dispute_weights: args.dispute_weights() })
    }

    fn begin(&self) -> Tally {
        Tally {
            is_fetch: self.command == Command::Fetch,
            is_desk: self.command == Command::Disputes,
            ..Tally::default()
        }
    }

    fn writes(&self, dry_run: bool) -> bool {
        !dry_run && self.is_run()
    }

    fn tells(args: &Args) -> bool {
        matches!(args.command(), Command::Run | Command::Fetch | Command::Disputes)
    }

    fn is_run(&self) -> bool {
        matches!(self.command, Command::Run | Command::Fetch | Command::Disputes)
    }

    async fn run(&self, context: &Context<Tally>) -> anyhow::Result<Exit> {
        match (&self.command, &self.settings) {
            (Command::Run, Some(settings)) => Box::pin(weekly::run(context, settings)).await,
            (Command::Fetch, Some(settings)) => self.fetch(context, settings).await,
            (Command::Backtest(args), _) => {
                if let (Some(panel), Some(alerts)) = (&args.panel, &args.alerts) {
                    let backtested = backtest::backtest(context, panel, alerts).await?;
                    context.count(|tally| tally.backtested = Some(backtested));
                } else {
                    let history = History::open(context.store()?, self.retention).await?;
                    let replayed = replay::replay(&history, self.alert_budget).await?;
                    let present = risks::weights(context, self.dispute_weights.as_deref()).await?;
                    let relearnt = relearn::relearn(&history, present, args.weights_out.as_deref()).await?;
                    context.count(|tally| {
                        tally.replayed = Some(replayed);
                        tally.relearnt = Some(relearnt);
                    });
                }
                Ok(Exit::Done)
            }
            (Command::Disputes, Some(settings)) => {
                let youtube = settings.youtube.as_ref();
                let youtube =
                    youtube.ok_or_else(|| anyhow::anyhow!("the desk was prepared without its settings"))?;
                desk::run(context, settings, youtube).await
            }
            (Command::History { command: HistoryCommand::Export { to } }, _) => {
                let history = History::open(context.store()?, self.retention).await?;
                let to = Store::open(to, &context.aws).context("--to")?;
                let exported = history::export(&history, &to).await?;
                context.count(|tally| tally.exported = Some(exported));
                Ok(Exit::Done)
            }
            (Command::Runs, _) => {
                let runs = summaries(context.store()?, Self::NAME, &report::TOLD).await?;
                context.count(|tally| tally.runs = Some(runs));
                Ok(Exit::Done)
            }
            (Command::Check, _) => anyhow::bail!("a check is no run: the harness makes it by itself"),
            (_, None) => anyhow::bail!("a run was prepared without its settings"),
        }
    }

    fn report(run: &RunInfo, tally: &Tally, end: &End) -> Report {
        report::report(run, tally, end)
    }
}

impl ClaimsReport {
    /// `fetch`: the week's reports into the state folder.
    async fn fetch(&self, context: &Context<Tally>, settings: &Settings) -> anyhow::Result<Exit> {
        let week = match settings.week {
            Some(week) => week,
            None => fetch::last_complete(context.info.started_at)?,
        };
        context.count(|tally| tally.week = Some(week));
        let youtube = settings.youtube.as_ref();
        let youtube = youtube.ok_or_else(|| anyhow::anyhow!("fetch was prepared without its settings"))?;
        fetch::fetch(context, youtube, &settings.run, week).await
    }
}
