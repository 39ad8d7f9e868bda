//! cms-customid-cleanup: sets the custom IDs of the partner channels' assets.
//!
//! Gather (partner channels, video report), decide (`dn_domain::cleanup_plan`, by the live values), act (one write
//! per asset that differs), report (export, rejects, summary, event). The plan with its old values is durable before
//! the first write.

mod answer;
mod apply;
mod check;
mod drift;
mod explain;
mod export;
mod gather;
mod history;
mod job;
mod kept_plan;
mod past_runs;
mod plan;
mod rejects;
mod replay;
mod report;
mod runs;
pub mod trigger;

pub use report::Tally;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dn_core::graphql::AppSync;
use dn_core::task::settings::{self, GraphqlSettings, RunSettings, YoutubeSettings, given};
use dn_core::task::{
    Context, End, Ended, Environment, Exit, Frame, GraphqlArgs, OutputArgs, Problems, Report, RunArgs,
    RunInfo, Task, YoutubeArgs,
};
use dn_core::transport::{Authorization, Pace, Transport};
use dn_core::youtube::content_id::WriteMethod;
use dn_core::youtube::{CallBudget, ContentId, Credentials, TokenCache};
use dn_domain::cleanup_plan::{PlanLine, Policy};
use dn_domain::partner_channels::PartnerChannels;
use trigger::Gate;

use crate::explain::Wanted;
use crate::job::Job;
use crate::kept_plan::{KeptPlan, Planned};
use crate::rejects::Rejects;

const REPORT: &str = "s3://youtube-reporting-main/reports/video_report_Indmusic_V_v1-3.csv";
const CSV: &str = "./channels_customids.csv";
const FILTER_TARGET: &str = "all";
const EXPORT_DIR: &str = "/tmp";
const POLICY: &str = "fill-default";
const MAX_OVERWRITE_RATIO: &str = "0.3";
const MAX_ERROR_RATIO: &str = "0.5";
const MIN_SIZE_RATIO: &str = "0.5";
const MAX_REPORT_AGE: &str = "7d";
const CANARY: &str = "25";
const WRITE_METHOD: &str = "patch";

/// Goes through the CMS video report and sets the custom IDs of the partner channels' assets over the YouTube Content
/// ID API; started by the completion event of channelbackfill, or by hand
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "cms-customid-cleanup", version, max_term_width = 100, after_help = help())]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The CMS video report.
    #[arg(help = "The CMS video report: a path or s3://bucket/key, plain or gzip", long, global = true, env = "VIDEO_REPORT_URI", default_value = REPORT, value_name = "URI")]
    pub report: String,
    /// all, or one channel ID, or one custom ID: the partner channels that the run is limited to
    #[arg(long, global = true, env = "FILTER_TARGET", default_value = FILTER_TARGET, value_name = "TARGET")]
    pub filter_target: String,
    /// Where the filtered videos and what became of them are put, as <filter-target>.json
    #[arg(long, global = true, env = "EXPORT_DIR", default_value = EXPORT_DIR, value_name = "DIRECTORY")]
    pub export_dir: String,
    /// fill-default: only assets whose custom ID is empty or the video ID; enforce: whatever differs from the channel's
    #[arg(long, global = true, env = "POLICY", default_value = POLICY, value_name = "fill-default|enforce")]
    pub policy: String,
    /// The event that started the task, instead of the TRIGGER_ variables: JSON, or a file that holds it
    #[arg(long, global = true, value_name = "JSON_OR_FILE")]
    pub trigger_event: Option<String>,
    /// The share of a channel's values set by hand, and of all, that enforce may overwrite; judged above 10 assets
    #[arg(long, global = true, env = "MAX_OVERWRITE_RATIO", default_value = MAX_OVERWRITE_RATIO, value_name = "SHARE")]
    pub max_overwrite_ratio: String,
    /// The share of the last 100 writes that may fail before the run stops
    #[arg(long, global = true, env = "MAX_ERROR_RATIO", default_value = MAX_ERROR_RATIO, value_name = "SHARE")]
    pub max_error_ratio: String,
    /// Partner channels and report rows may fall to this share of the last full run's
    #[arg(long, global = true, env = "MIN_SIZE_RATIO", default_value = MIN_SIZE_RATIO, value_name = "SHARE")]
    pub min_size_ratio: String,
    /// A report that is older is refused
    #[arg(long, global = true, env = "MAX_REPORT_AGE", default_value = MAX_REPORT_AGE, value_name = "DURATION")]
    pub max_report_age: String,
    /// So many writes are read back before the rest begins; 0 for none
    #[arg(long, global = true, env = "CANARY", default_value = CANARY, value_name = "NUMBER")]
    pub canary: String,
    /// Do not read back what was written
    #[arg(long, global = true)]
    pub no_verify: bool,
    /// patch: write the custom ID alone; put: read the asset's whole own metadata before each write and write all of it
    #[arg(long, global = true, env = "WRITE_METHOD", default_value = WRITE_METHOD, value_name = "patch|put")]
    pub write_method: String,
    #[command(flatten)]
    graphql: GraphqlArgs,
    #[command(flatten)]
    youtube: YoutubeArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What to do; `run` when nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
enum Command {
    /// Gate the trigger, plan, canary, write, read back, export (the default)
    Run,
    /// Write the plan and print it: what would change for each channel, how many calls, how long; nothing else
    Plan {
        /// Exit 0 when there is nothing to do and 10 when there are changes
        #[arg(long)]
        detailed_exitcode: bool,
    },
    /// Carry out just this plan; assets that were changed since are left alone
    Apply {
        /// The run that made the plan
        #[arg(long, value_name = "RUN_ID")]
        plan: String,
    },
    /// Put back the values that a run replaced, where its own are still there
    Undo {
        /// The run to take back
        #[arg(long, value_name = "RUN_ID")]
        run: String,
    },
    /// Tell all about one asset or video: the report's rows, the live value, the decision and why, what past runs did
    Explain {
        /// An asset ID, or a video ID
        #[arg(value_name = "ASSET_OR_VIDEO_ID", allow_hyphen_values = true)]
        id: Wanted,
    },
    /// Compare channel sheet, GraphQL database and CMS, and show where they differ and since the last time
    Drift {
        /// The channel sheet.
        #[arg(help = "The channel sheet: a path or s3://bucket/key, plain or gzip", long, env = "CHANNELS_CSV", default_value = CSV, value_name = "URI")]
        csv: String,
    },
    /// List the runs in the state folder
    Runs,
    /// Prove the configuration without writing: a line for each thing that a run needs, and how to mend it
    Check,
}

fn help() -> String {
    let trigger = "\
Environment only (what the rule's input transformer sets; none of them: a run by hand):
  TRIGGER_SOURCE, TRIGGER_DETAIL_TYPE, TRIGGER_STATUS, TRIGGER_EVENT_ID, TRIGGER_TIMESTAMP";
    [
        settings::GRAPHQL_ENVIRONMENT_HELP,
        settings::YOUTUBE_ENVIRONMENT_HELP,
        trigger,
        settings::AWS_ENVIRONMENT_HELP,
    ]
    .join("\n\n")
}

/// The task, its settings read.
#[derive(Debug)]
pub struct Cleanup {
    command: Command,
    max_overwrite_ratio: f64,
    max_error_ratio: f64,
    min_size_ratio: f64,
    max_report_age: Duration,
    canary: usize,
    verify: bool,
    write_method: WriteMethod,
    report: String,
    filter_target: String,
    export_dir: PathBuf,
    policy: Policy,
    triggered_by: Option<String>,
    event_id: Option<String>,
    event_at: Option<jiff::Timestamp>,
    graphql: GraphqlSettings,
    youtube: YoutubeSettings,
    run: RunSettings,
}

impl Task for Cleanup {
    const NAME: &'static str = "cms-customid-cleanup";
    type Args = Args;
    type Tally = Tally;

    fn frame(args: &Args) -> Frame<'_> {
        Frame { output: &args.output, run: Some(&args.run) }
    }

    fn stand_aside(args: &Args, environment: &Environment, problems: &mut Problems) -> Option<Tally> {
        if !matches!(args.command, None | Some(Command::Run)) {
            return None;
        }
        match trigger::gate(args.trigger_event.as_deref(), environment, problems)? {
            Gate::Ignore { reason, event_id } => {
                tracing::info!(reason, "trigger ignored");
                Some(Tally { ignored: Some(reason), triggered_by: event_id, ..Tally::default() })
            }
            Gate::Manual | Gate::Go { .. } => None,
        }
    }

    fn prepare(args: &Args, environment: &Environment, problems: &mut Problems) -> Option<Self> {
        // The gate's own problems and those of the run settings were noted when they were first read.
        let gate = trigger::gate(args.trigger_event.as_deref(), environment, &mut Problems::default());
        let (triggered_by, event_id, event_at) = match gate {
            Some(Gate::Go { event_id, at }) => {
                (Some(event_id.clone().unwrap_or_else(|| "event".to_owned())), event_id, at)
            }
            _ => (None, None, None),
        };
        let run = args.run.read(&mut Problems::default());
        let policy = given(Some(&args.policy)).unwrap_or(POLICY).parse::<Policy>();
        let policy = policy.map_err(|error| problems.add(format!("--policy (POLICY): {error}"))).ok();
        let write_method = given(Some(&args.write_method)).unwrap_or(WRITE_METHOD).parse::<WriteMethod>();
        let write_method = write_method
            .map_err(|error| problems.add(format!("--write-method (WRITE_METHOD): {error}")))
            .ok();
        let graphql = args.graphql.read(environment, problems);
        let youtube = args.youtube.read(environment, problems);
        let name = "--max-overwrite-ratio (MAX_OVERWRITE_RATIO)";
        let max_overwrite_ratio =
            problems.number(&args.max_overwrite_ratio, MAX_OVERWRITE_RATIO, name, 0.0..=1.0);
        let name = "--max-error-ratio (MAX_ERROR_RATIO)";
        let max_error_ratio = problems.number(&args.max_error_ratio, MAX_ERROR_RATIO, name, 0.0..=1.0);
        let name = "--min-size-ratio (MIN_SIZE_RATIO)";
        let min_size_ratio = problems.number(&args.min_size_ratio, MIN_SIZE_RATIO, name, 0.0..=1.0);
        let name = "--max-report-age (MAX_REPORT_AGE)";
        let max_report_age = problems.duration(Some(&args.max_report_age), Some(MAX_REPORT_AGE), name);
        let canary = problems.number(&args.canary, CANARY, "--canary (CANARY)", 0.0..=100_000.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just before")]
        let canary = canary? as usize;
        let or = |value: &str, default: &str| given(Some(value)).unwrap_or(default).to_owned();
        Some(Self {
            command: args.command.clone().unwrap_or(Command::Run),
            max_overwrite_ratio: max_overwrite_ratio?,
            max_error_ratio: max_error_ratio?,
            min_size_ratio: min_size_ratio?,
            max_report_age: max_report_age?,
            canary,
            verify: !args.no_verify,
            write_method: write_method?,
            report: or(&args.report, REPORT),
            filter_target: or(&args.filter_target, FILTER_TARGET),
            export_dir: or(&args.export_dir, EXPORT_DIR).into(),
            policy: policy?,
            triggered_by,
            event_id,
            event_at,
            graphql: graphql?,
            youtube: youtube?,
            run,
        })
    }

    fn begin(&self) -> Tally {
        let triggered_by = self.triggered_by.clone();
        Tally { triggered_by, command: Some(self.command.name()), ..Tally::default() }
    }

    fn writes(&self, dry_run: bool) -> bool {
        !dry_run && self.command.writes()
    }

    fn tells(args: &Args) -> bool {
        args.command.as_ref().is_none_or(Command::writes)
    }

    fn is_run(&self) -> bool {
        !matches!(self.command, Command::Runs | Command::Explain { .. })
    }

    fn found_all_done(tally: &Tally) -> bool {
        tally.assets.updated == 0
    }

    async fn run(&self, context: &Context<Tally>) -> anyhow::Result<Exit> {
        match &self.command {
            Command::Run => self.run_all(context).await,
            Command::Plan { detailed_exitcode } => self.plan_only(context, *detailed_exitcode).await,
            Command::Apply { plan } => self.apply_kept(context, plan).await,
            Command::Undo { run } => self.undo(context, run).await,
            Command::Explain { id } => explain::explain(self, context, id).await,
            Command::Drift { csv } => drift::drift(self, context, given(Some(csv)).unwrap_or(CSV)).await,
            Command::Runs => runs::list(context).await,
            Command::Check => anyhow::bail!("a check is no run: the harness makes it by itself"),
        }
    }

    fn report(run: &RunInfo, tally: &Tally, end: &End) -> Report {
        report::report(run, tally, end)
    }
}

impl Cleanup {
    /// `run`: from the trigger to the event.
    async fn run_all(&self, context: &Context<Tally>) -> anyhow::Result<Exit> {
        if let Some(event_id) = &self.event_id
            && let Some(served_by) = history::served(context, event_id).await?
        {
            let reason = format!("the event {event_id} was served by run {served_by} already");
            context.count(|tally| tally.ignored = Some(reason));
            return Ok(Exit::Done);
        }
        if let Some(event_at) = self.event_at
            && let Some(newer) = history::completed_since(context, event_at, self.policy).await?
        {
            let reason =
                format!("the event is of {event_at}, and run {newer} has gone through everything since");
            context.count(|tally| tally.ignored = Some(reason));
            return Ok(Exit::Done);
        }
        let partners = self.partners(context).await?;
        let mut job = self.job(context).await?;
        job.begin_export(&self.filter_target)?;
        let done = self.plan_and_apply(&mut job, &partners).await;
        let failed = job.rejects.failed_assets().to_vec();
        let put_away = job.finish().await;
        first_of(done, put_away)?;
        let exit = finished(context)?;
        if !context.info.dry_run {
            history::note_failed(context, &failed).await?;
            if let Some(sizes) = context.tally().sizes {
                history::note_sizes(context, &sizes).await?;
            }
            if self.filter_target == FILTER_TARGET {
                history::note_completed(context, self.policy).await?;
            }
            if let Some(event_id) = &self.event_id {
                history::note_served(context, event_id).await?;
            }
        }
        Ok(exit)
    }

    async fn plan_and_apply(&self, job: &mut Job<'_>, partners: &Arc<PartnerChannels>) -> anyhow::Result<()> {
        let planned = self.plan(job, partners).await?;
        if job.context.info.dry_run {
            apply::rehearse(job, &planned)
        } else {
            apply::apply(job, &planned).await
        }
    }

    /// `plan`: the plan kept and printed.
    async fn plan_only(&self, context: &Context<Tally>, detailed_exitcode: bool) -> anyhow::Result<Exit> {
        let partners = self.partners(context).await?;
        let mut job = self.job(context).await?;
        let planned = self.plan(&mut job, &partners).await;
        let counted = planned.and_then(|planned| apply::rehearse(&mut job, &planned).map(|()| planned.count));
        job.finish().await?;
        let exit = (counted?, finished(context)?);
        Ok(match exit {
            (count, _) if detailed_exitcode && count > 0 => Exit::Changes,
            (_, exit) => exit,
        })
    }

    /// `apply --plan`: exactly that plan, as far as it still fits.
    async fn apply_kept(&self, context: &Context<Tally>, run_id: &str) -> anyhow::Result<Exit> {
        let kept = KeptPlan::fetch(context, run_id).await?;
        let partners = self.partners(context).await?;
        let mut job = self.job(context).await?;
        replay::check_inputs(&job, &kept, &partners).await?;
        job.begin_export(&kept.inputs.filter_target)?;
        let done = self.replay(&mut job, &kept, kept.lines()?).await;
        let put_away = job.finish().await;
        first_of(done, put_away)?;
        finished(context)
    }

    /// `undo --run`: the run's plan reversed, where the live value is still the one that it wrote.
    async fn undo(&self, context: &Context<Tally>, run_id: &str) -> anyhow::Result<Exit> {
        let kept = KeptPlan::fetch(context, run_id).await?;
        let mut job = self.job(context).await?;
        let failed = replay::failed_assets(&job, run_id).await?;
        let lines = kept.lines()?.filter_map(move |line| match line {
            Ok(line) if failed.contains(&line.asset_id) => None,
            line => Some(line.map(|line| line.reversed())),
        });
        let done = self.replay(&mut job, &kept, lines).await;
        let put_away = job.finish().await;
        first_of(done, put_away)?;
        finished(context)
    }

    async fn replay(
        &self,
        job: &mut Job<'_>,
        kept: &KeptPlan,
        lines: impl Iterator<Item = anyhow::Result<PlanLine>>,
    ) -> anyhow::Result<()> {
        let planned = replay::plan_again(job, &kept.inputs, lines).await?;
        if job.context.info.dry_run {
            apply::rehearse(job, &planned)
        } else {
            apply::apply(job, &planned).await
        }
    }

    /// Scans the report and decides.
    async fn plan(&self, job: &mut Job<'_>, partners: &Arc<PartnerChannels>) -> anyhow::Result<Planned> {
        let (mut gathered, report_etag) =
            gather::report(self, job.context, partners, &mut job.rejects).await?;
        history::failed_first(job.context, &mut gathered).await?;
        plan::plan(job, partners, &gathered, report_etag).await
    }

    async fn partners(&self, context: &Context<Tally>) -> anyhow::Result<Arc<PartnerChannels>> {
        let appsync = self.connect_graphql(context)?;
        Ok(Arc::new(gather::partner_channels(&appsync, context).await?))
    }

    async fn job<'a>(&'a self, context: &'a Context<Tally>) -> anyhow::Result<Job<'a>> {
        let budget = match self.youtube.call_budget {
            Some(limit) => Some(Arc::new(
                CallBudget::of_day(context.store()?, Self::NAME, limit, context.info.started_at).await?,
            )),
            None => None,
        };
        let content_id = Arc::new(self.connect_youtube(context, budget.clone()).await?);
        Ok(Job {
            budget,
            cleanup: self,
            context,
            content_id,
            export: None,
            rejects: Rejects::begin(),
            aside: None,
        })
    }

    /// Writes done per second at the configured rate of calls.
    fn writes_per_second(&self) -> f64 {
        self.youtube.rate_per_second / f64::from(self.write_method.calls_per_write())
    }

    fn connect_graphql(&self, context: &Context<Tally>) -> anyhow::Result<AppSync> {
        let authorization = self.graphql.authorization(&context.aws)?;
        let transport =
            Transport::new(authorization, self.run.pace(), context.stop.token()).map_err(no_client)?;
        Ok(AppSync::new(transport, self.graphql.endpoint.clone(), self.graphql.versioning))
    }

    async fn connect_youtube(
        &self,
        context: &Context<Tally>,
        budget: Option<Arc<CallBudget>>,
    ) -> anyhow::Result<ContentId> {
        let YoutubeSettings { content_owner, credentials, api_base_url, .. } = &self.youtube;
        let tokens = self.token_cache(credentials, context).await?;
        let pace = self.youtube.pace(&self.run);
        let authorization = Authorization::Bearer(Arc::new(tokens));
        let transport = Transport::new(authorization, pace, context.stop.token())
            .map_err(no_client)?
            .under(context.lease.clone())
            .within(budget);
        let content_id = ContentId::new(transport, api_base_url.clone(), content_owner.clone());
        Ok(content_id.writing_by(self.write_method))
    }

    async fn token_cache(
        &self,
        credentials: &Credentials,
        context: &Context<Tally>,
    ) -> anyhow::Result<TokenCache> {
        let pace = Pace::persistent(self.run.max_wait).timing_out(self.run.call_timeout);
        let cache = TokenCache::new(credentials, pace, context.stop.token()).await;
        cache.map_err(|problem| Ended::new(Exit::Usage, format!("YOUTUBE_CREDENTIALS: {problem}")).into())
    }
}

/// Of the work's failure and that of putting its files away the work's counts: it says whether a run may be started again
/// by itself.
pub(crate) fn first_of(done: anyhow::Result<()>, put_away: anyhow::Result<()>) -> anyhow::Result<()> {
    if let (Err(_), Err(error)) = (&done, &put_away) {
        tracing::error!(error = format!("{error:#}"), "the run's files could not be put away either");
    }
    done.and(put_away)
}

/// How a run that came to its end ends: with 3 when somebody has to look.
fn finished(context: &Context<Tally>) -> anyhow::Result<Exit> {
    let tally = context.tally();
    tally.assets.reconcile()?;
    let somebody_must_look =
        tally.assets.has_failures() || tally.rejected_rows > 0 || tally.channels_left_out > 0;
    Ok(if somebody_must_look { Exit::RowsFailed } else { Exit::Done })
}

impl Command {
    /// Whether it may write to the CMS.
    fn writes(&self) -> bool {
        matches!(self, Self::Run | Self::Apply { .. } | Self::Undo { .. })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Plan { .. } => "plan",
            Self::Apply { .. } => "apply",
            Self::Undo { .. } => "undo",
            Self::Explain { .. } => "explain",
            Self::Drift { .. } => "drift",
            Self::Runs => "runs",
            Self::Check => "check",
        }
    }
}

fn no_client(error: impl std::fmt::Display) -> Ended {
    Ended::new(Exit::Usage, format!("no HTTP client: {error}"))
}
