//! claims-report: what the weekly Content ID reports hold.
//!
//! Gather (each report given, streamed), count (claims, assets, videos by status, type and channel), report (summary,
//! text, event). What was counted is kept in the run folder.

mod check;
mod counts;
mod fetch;
mod report;

pub use report::Tally;

use std::io::Read;

use anyhow::Context as _;
use dn_core::store::{self, MAX_REREADS, was_replaced};
use dn_core::task::settings::{self, RunSettings, YoutubeSettings, given};
use dn_core::task::{
    Context, End, Environment, Exit, Frame, InputError, OutputArgs, Problems, Report, RunArgs, RunInfo, Task,
    YoutubeArgs, summaries,
};

use crate::counts::{Rows, count_assets, count_claims, count_videos};
use crate::fetch::Week;
use crate::report::Counted;

/// Reads the claim, asset and video reports of the CMS and counts what they hold per status, type and channel; give
/// one report or several
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "claims-report", version, max_term_width = 100, after_help = help())]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The claim report.
    #[arg(
        help = "The claim report (content_owner_active_claims_a3): a path or s3://bucket/key, plain or gzip",
        long,
        global = true,
        env = "CLAIM_REPORT_URI",
        value_name = "URI"
    )]
    pub claims: Option<String>,
    /// The asset report.
    #[arg(
        help = "The asset report (content_owner_asset_a3), likewise",
        long,
        global = true,
        env = "ASSET_REPORT_URI",
        value_name = "URI"
    )]
    pub assets: Option<String>,
    /// The video report.
    #[arg(
        help = "The video report (content_owner_video_metadata_a3), likewise",
        long,
        global = true,
        env = "VIDEO_REPORT_URI",
        value_name = "URI"
    )]
    pub videos: Option<String>,
    /// The week whose reports are fetched, by its Monday.
    #[arg(
        long,
        global = true,
        env = "REPORT_WEEK",
        value_name = "YYYY-MM-DD",
        help = "Of fetch: the week, by its Monday [default: the last complete week]"
    )]
    week: Option<String>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    youtube: YoutubeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What to do; `run` when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Subcommand)]
enum Command {
    /// Count what the reports hold, keep it and tell the bus (the default)
    Run,
    /// Fetch the week's reports through the Reporting API into the state folder
    Fetch,
    /// List the runs in the state folder
    Runs,
    /// Prove the configuration without writing: a line for each thing that a run needs, and how to mend it
    Check,
}

fn help() -> String {
    [settings::REPORTING_ENVIRONMENT_HELP, settings::AWS_ENVIRONMENT_HELP].join("\n\n")
}

/// The task, its settings read.
#[derive(Debug)]
pub struct Count {
    command: Command,
    claims: Option<String>,
    assets: Option<String>,
    videos: Option<String>,
    /// What `fetch` needs.
    source: Option<(YoutubeSettings, RunSettings, Option<Week>)>,
}

impl Task for Count {
    const NAME: &'static str = "claims-report";
    type Args = Args;
    type Tally = Tally;

    fn frame(args: &Args) -> Frame<'_> {
        Frame { output: &args.output, run: Some(&args.run) }
    }

    fn prepare(args: &Args, environment: &Environment, problems: &mut Problems) -> Option<Self> {
        let uri = |value: &Option<String>| given(value.as_deref()).map(str::to_owned);
        let command = args.command.unwrap_or(Command::Run);
        let week = given(args.week.as_deref()).map(Week::parse).transpose();
        let week = week.unwrap_or_else(|problem| {
            problems.add(format!("--week (REPORT_WEEK): {problem}"));
            None
        });
        let source = match command {
            Command::Fetch => {
                let youtube = args.youtube.read(environment, problems)?;
                Some((youtube, args.run.read(&mut Problems::default()), week))
            }
            _ => None,
        };
        let task = Self {
            command,
            claims: uri(&args.claims),
            assets: uri(&args.assets),
            videos: uri(&args.videos),
            source,
        };
        let nothing = task.claims.is_none() && task.assets.is_none() && task.videos.is_none();
        if nothing && matches!(command, Command::Run | Command::Check) {
            problems.add(
                "no report is given: set --claims (CLAIM_REPORT_URI), --assets (ASSET_REPORT_URI) or --videos \
                 (VIDEO_REPORT_URI), or several of them",
            );
            return None;
        }
        Some(task)
    }

    fn writes(&self, dry_run: bool) -> bool {
        !dry_run && matches!(self.command, Command::Run | Command::Fetch)
    }

    fn tells(args: &Args) -> bool {
        matches!(args.command, None | Some(Command::Run | Command::Fetch))
    }

    fn is_run(&self) -> bool {
        matches!(self.command, Command::Run | Command::Fetch)
    }

    async fn run(&self, context: &Context<Tally>) -> anyhow::Result<Exit> {
        match self.command {
            Command::Run => self.count_all(context).await,
            Command::Fetch => self.fetch(context).await,
            Command::Runs => {
                let runs = summaries(context.store()?, Self::NAME, &report::TOLD).await?;
                context.count(|tally| tally.runs = Some(runs));
                Ok(Exit::Done)
            }
            Command::Check => anyhow::bail!("a check is no run: the harness makes it by itself"),
        }
    }

    fn report(run: &RunInfo, tally: &Tally, end: &End) -> Report {
        report::report(run, tally, end)
    }
}

impl Count {
    /// `fetch`: the week's reports into the state folder.
    async fn fetch(&self, context: &Context<Tally>) -> anyhow::Result<Exit> {
        let (youtube, run, week) = self.source.as_ref().context("fetch was prepared without its settings")?;
        let week = match week {
            Some(week) => *week,
            None => Week::last_complete(context.info.started_at)?,
        };
        context.count(|tally| tally.week = Some(week.to_string()));
        fetch::fetch(context, youtube, run, week).await
    }

    /// `run`: each report given, counted from its first row to its last.
    async fn count_all(&self, context: &Context<Tally>) -> anyhow::Result<Exit> {
        let summary_uri = context.run_folder()?.uri("summary.json");
        context.count(|tally| tally.summary_uri = Some(summary_uri));
        if let Some(uri) = &self.claims {
            let counted = read(context, "claim report", uri, count_claims).await?;
            context.count(|tally| tally.claims = Some(counted));
        }
        if let Some(uri) = &self.assets {
            let counted = read(context, "asset report", uri, count_assets).await?;
            context.count(|tally| tally.assets = Some(counted));
        }
        if let Some(uri) = &self.videos {
            let counted = read(context, "video report", uri, count_videos).await?;
            context.count(|tally| tally.videos = Some(counted));
        }
        Ok(Exit::Done)
    }
}

/// What counts a report: its name for messages, its text, and who is told of every row.
type Counter<C> = fn(&str, Box<dyn Read + Send>, &mut Rows<'_>) -> anyhow::Result<C>;

/// Counts one report. One that is replaced meanwhile is counted again from its first byte.
async fn read<C: Send + 'static>(
    context: &Context<Tally>,
    kind: &'static str,
    uri: &str,
    count: Counter<C>,
) -> anyhow::Result<Counted<C>> {
    for _ in 0..MAX_REREADS {
        match read_once(context, kind, uri, count).await {
            Err(error) if was_replaced(&error) => {
                tracing::warn!(report = kind, uri, "report replaced while it was read, begun again");
            }
            read => return read,
        }
    }
    let last = read_once(context, kind, uri, count).await;
    last.with_context(|| format!("the {kind} was begun again {MAX_REREADS} times"))
}

/// Streams one report through its counter, off the async threads.
async fn read_once<C: Send + 'static>(
    context: &Context<Tally>,
    kind: &'static str,
    uri: &str,
    count: Counter<C>,
) -> anyhow::Result<Counted<C>> {
    let reader = store::open_read(uri, &context.aws)
        .await
        .map_err(InputError)
        .with_context(|| format!("the {kind} could not be opened"))?;
    let (name, etag, size_bytes, modified) =
        (uri.to_owned(), reader.etag.clone(), reader.size_bytes, reader.modified);
    let step = context.progress.step(kind, None);
    let stopped = context.stop.token();
    let (counts, row_count) = tokio::task::spawn_blocking(move || {
        let is_stopped = || stopped.is_cancelled();
        let advance = |by| step.advance(by);
        let mut rows = Rows::new(&advance, &is_stopped);
        count(&name, Box::new(reader.into_sync_read()), &mut rows).map(|counts| (counts, rows.count()))
    })
    .await??;
    tracing::info!(report = kind, rows = row_count, size_bytes, "report read");
    Ok(Counted { uri: uri.to_owned(), etag, size_bytes, modified, counts })
}
