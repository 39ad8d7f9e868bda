//! cms-customid-cleanup: sets the custom IDs of the partner channels' assets.
//!
//! Gather (partner channels, video report), decide (`dn_domain::cleanup_plan`, by the live values), act (one write
//! per asset that differs), report (export, rejects, summary, event). The plan with its old values is durable before
//! the first write.

mod apply;
mod export;
mod gather;
mod plan;
mod rejects;
mod report;
pub mod trigger;

pub use report::Tally;

use std::path::PathBuf;
use std::sync::Arc;

use dn_core::graphql::AppSync;
use dn_core::task::settings::{self, GraphqlSettings, RunSettings, YoutubeSettings, given};
use dn_core::task::{
    Context, End, Ended, Environment, Exit, Frame, GraphqlArgs, OutputArgs, Problems, Report, RunArgs,
    RunInfo, Task, YoutubeArgs,
};
use dn_core::transport::{Authorization, Pace, Transport};
use dn_core::youtube::{ContentId, Credentials, TokenCache};
use dn_domain::cleanup_plan::Policy;
use trigger::Gate;

use crate::export::Export;

const REPORT: &str = "s3://youtube-reporting-main/reports/video_report_Indmusic_V_v1-3.csv";
const FILTER_TARGET: &str = "all";
const EXPORT_DIR: &str = "/tmp";
const POLICY: &str = "fill-default";

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
#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum Command {
    /// Gate the trigger, plan, write, export (the default)
    Run,
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
    report: String,
    filter_target: String,
    export_dir: PathBuf,
    policy: Policy,
    triggered_by: Option<String>,
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
        match trigger::gate(args.trigger_event.as_deref(), environment, problems)? {
            Gate::Ignore { reason } => {
                tracing::info!(reason, "trigger ignored");
                Some(Tally { ignored: Some(reason), ..Tally::default() })
            }
            Gate::Manual | Gate::Go { .. } => None,
        }
    }

    fn prepare(args: &Args, environment: &Environment, problems: &mut Problems) -> Option<Self> {
        // The gate's own problems and those of the run settings were noted when they were first read.
        let gate = trigger::gate(args.trigger_event.as_deref(), environment, &mut Problems::default());
        let triggered_by = match gate {
            Some(Gate::Go { event_id }) => Some(event_id.unwrap_or_else(|| "event".to_owned())),
            _ => None,
        };
        let run = args.run.read(&mut Problems::default());
        let policy = given(Some(&args.policy)).unwrap_or(POLICY).parse::<Policy>();
        let policy = policy.map_err(|error| problems.add(format!("--policy (POLICY): {error}"))).ok();
        let graphql = args.graphql.read(environment, problems);
        let youtube = args.youtube.read(environment, problems);
        let or = |value: &str, default: &str| given(Some(value)).unwrap_or(default).to_owned();
        Some(Self {
            report: or(&args.report, REPORT),
            filter_target: or(&args.filter_target, FILTER_TARGET),
            export_dir: or(&args.export_dir, EXPORT_DIR).into(),
            policy: policy?,
            triggered_by,
            graphql: graphql?,
            youtube: youtube?,
            run,
        })
    }

    async fn run(&self, context: &Context<Tally>) -> anyhow::Result<Exit> {
        context.count(|tally| tally.triggered_by.clone_from(&self.triggered_by));
        let appsync = self.connect_graphql(context)?;
        let partners = Arc::new(gather::partner_channels(&appsync, context).await?);
        let mut rejects = rejects::Rejects::begin();
        let (gathered, report_etag) = gather::report(self, context, &partners, &mut rejects).await?;

        let content_id = self.connect_youtube(context).await?;
        let mut export = Export::begin(&self.export_dir, &self.filter_target);
        let planned = plan::plan(
            self,
            context,
            &content_id,
            &partners,
            &gathered,
            report_etag.as_deref(),
            &mut export,
            &mut rejects,
        )
        .await;
        context.count(|tally| tally.youtube_calls = content_id.request_count());
        let planned = planned?;
        drop(gathered);

        let applied = if context.info.dry_run {
            apply::rehearse(context, &planned, &mut export)
        } else {
            apply::apply(self, context, &content_id, &planned, &mut export, &mut rejects).await
        };
        context.count(|tally| tally.youtube_calls = content_id.request_count());
        let kept = rejects.keep(context).await;
        if let Some(path) = export.finish() {
            context.count(|tally| tally.export_path = Some(path.display().to_string()));
        }
        applied?;
        kept?;

        let tally = context.tally();
        tally.assets.reconcile()?;
        let somebody_must_look =
            tally.assets.has_failures() || tally.rejected_rows > 0 || tally.channels_left_out > 0;
        Ok(if somebody_must_look { Exit::RowsFailed } else { Exit::Done })
    }

    fn report(run: &RunInfo, tally: &Tally, end: &End) -> Report {
        report::report(run, tally, end)
    }
}

impl Cleanup {
    fn connect_graphql(&self, context: &Context<Tally>) -> anyhow::Result<AppSync> {
        let authorization = self.graphql.authorization(&context.aws)?;
        let pace = Pace::unhurried(self.run.max_wait);
        let transport = Transport::new(authorization, pace, context.stop.token()).map_err(no_client)?;
        Ok(AppSync::new(transport, self.graphql.endpoint.clone()))
    }

    async fn connect_youtube(&self, context: &Context<Tally>) -> anyhow::Result<ContentId> {
        let YoutubeSettings { content_owner, credentials, api_base_url, .. } = &self.youtube;
        let tokens = self.token_cache(credentials, context).await?;
        let pace = self.youtube.pace(self.run.max_wait);
        let authorization = Authorization::Bearer(Arc::new(tokens));
        let transport = Transport::new(authorization, pace, context.stop.token())
            .map_err(no_client)?
            .under(context.lease.clone());
        Ok(ContentId::new(transport, api_base_url.clone(), content_owner.clone()))
    }

    async fn token_cache(
        &self,
        credentials: &Credentials,
        context: &Context<Tally>,
    ) -> anyhow::Result<TokenCache> {
        let cache = TokenCache::new(credentials, self.run.max_wait, context.stop.token()).await;
        cache.map_err(|problem| Ended::new(Exit::Usage, format!("YOUTUBE_CREDENTIALS: {problem}")).into())
    }
}

fn no_client(error: impl std::fmt::Display) -> Ended {
    Ended::new(Exit::Usage, format!("no HTTP client: {error}"))
}
