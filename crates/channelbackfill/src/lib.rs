//! channelbackfill: the channel sheet into the partner channels of the GraphQL database.
//!
//! Gather (sheet, stored channels), decide (`dn_domain::backfill_plan`), act (create and update what differs, in
//! aliased batches), report (rejects, summary, the event that starts the cleanup).

mod apply;
mod check;
mod report;

pub use report::Tally;

use std::io::Write as _;

use anyhow::Context as _;
use dn_core::graphql::AppSync;
use dn_core::store;
use dn_core::task::settings::{self, GraphqlSettings, given};
use dn_core::task::{
    Context, End, Ended, Environment, Exit, Frame, GraphqlArgs, InputError, OutputArgs, Problems, Report,
    RunArgs, RunInfo, Scratch, Task,
};
use dn_core::transport::{Pace, Transport};
use dn_domain::backfill_plan::{self, BackfillPlan, Step};
use dn_domain::channel_sheet::{self, ChannelSheet};
use dn_domain::reject_sheet::RejectSheet;
use serde_json::json;

const CSV: &str = "./channels_customids.csv";
const ERROR_TOLERANCE: &str = "0.01";

/// Brings the channels of a sheet (channelID, customID, displayName) into the GraphQL database as partner channels,
/// and tells EventBridge how it went: a success starts the cleanup of custom IDs
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "channelbackfill", version, max_term_width = 100, after_help = help())]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The channel sheet.
    #[arg(help = "The channel sheet: a path or s3://bucket/key, plain or gzip", long, global = true, env = "CHANNELS_CSV", default_value = CSV, value_name = "URI")]
    pub csv: String,
    /// The share of rows that may be rejected or fail with the run still a success
    #[arg(long, global = true, env = "ERROR_TOLERANCE", default_value = ERROR_TOLERANCE, value_name = "SHARE")]
    pub error_tolerance: String,
    #[command(flatten)]
    graphql: GraphqlArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What to do; `run` when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Subcommand)]
enum Command {
    /// Read the sheet, write what differs, tell the bus (the default)
    Run,
    /// Prove the configuration without writing: a line for each thing that a run needs, and how to mend it
    Check,
}

fn help() -> String {
    format!("{}\n\n{}", settings::GRAPHQL_ENVIRONMENT_HELP, settings::AWS_ENVIRONMENT_HELP)
}

/// The task, its settings read.
#[derive(Debug)]
pub struct Backfill {
    csv: String,
    error_tolerance: f64,
    graphql: GraphqlSettings,
    pace: Pace,
}

impl Task for Backfill {
    const NAME: &'static str = "channelbackfill";
    type Args = Args;
    type Tally = Tally;

    fn frame(args: &Args) -> Frame<'_> {
        Frame { output: &args.output, run: Some(&args.run) }
    }

    fn prepare(args: &Args, environment: &Environment, problems: &mut Problems) -> Option<Self> {
        let name = "--error-tolerance (ERROR_TOLERANCE)";
        let error_tolerance = problems.number(&args.error_tolerance, ERROR_TOLERANCE, name, 0.0..=1.0);
        let graphql = args.graphql.read(environment, problems);
        // The patience was judged with the other run settings.
        let pace = args.run.read(&mut Problems::default()).pace();
        let csv = given(Some(&args.csv)).unwrap_or(CSV).to_owned();
        Some(Self { csv, error_tolerance: error_tolerance?, graphql: graphql?, pace })
    }

    fn found_all_done(tally: &Tally) -> bool {
        tally.rows.created == 0 && tally.rows.updated == 0
    }

    async fn run(&self, context: &Context<Tally>) -> anyhow::Result<Exit> {
        let sheet = self.read_sheet(context).await?;
        let appsync = self.connect(context)?;
        let stored = appsync.list_channels().await.context("the partner channels could not be listed")?;

        let plan = backfill_plan::plan(&sheet.rows, &stored);
        keep_plan(context, &plan).await.context("the plan could not be kept")?;

        let applied = if context.info.dry_run {
            context.count(|tally| tally.note_planned(plan.counts()));
            apply::Applied { failed: Vec::new(), ended: None }
        } else {
            apply::apply(&appsync, context, &plan).await?
        };

        let kept = keep_rejects(context, &sheet, &applied.failed).await;
        if let Some(error) = applied.ended {
            return Err(error.context("not every channel was written; the next run goes on"));
        }
        kept.context("the rejects could not be kept")?;
        let tally = context.tally();
        tally.rows.reconcile()?;
        Ok(if tally.rows.error > 0 { Exit::RowsFailed } else { Exit::Done })
    }

    fn report(run: &RunInfo, tally: &Tally, end: &End) -> Report {
        report::report(run, tally, end)
    }
}

impl Backfill {
    /// Reads the whole sheet before anything else: a refused sheet leaves everything untouched.
    async fn read_sheet(&self, context: &Context<Tally>) -> anyhow::Result<ChannelSheet> {
        let reader = store::open_read(&self.csv, &context.aws).await.map_err(InputError)?;
        let name = self.csv.clone();
        let sheet = tokio::task::spawn_blocking(move || channel_sheet::read(&name, reader.into_sync_read()))
            .await??;
        for warning in &sheet.warnings {
            tracing::warn!(warning, "channel sheet has a doubtful row, taken all the same");
        }
        if sheet.rows.is_empty() && sheet.total_count > 0 && sheet.rejects.len() as u64 == sheet.total_count {
            tracing::error!(rows = sheet.total_count, "every row of the channel sheet was rejected");
        }
        context.count(|tally| {
            tally.error_tolerance = self.error_tolerance;
            tally.rows.total = sheet.total_count;
            tally.rows.error = sheet.rejects.len() as u64;
            tally.rows.skipped = sheet.duplicate_count + sheet.blank_count;
        });
        Ok(sheet)
    }

    fn connect(&self, context: &Context<Tally>) -> anyhow::Result<AppSync> {
        let authorization = self.graphql.authorization(&context.aws)?;
        let transport = Transport::new(authorization, self.pace, context.stop.token())
            .map_err(|error| Ended::new(Exit::Usage, format!("no HTTP client: {error}")))?
            .under(context.lease.clone());
        Ok(AppSync::new(transport, self.graphql.endpoint.clone(), self.graphql.versioning))
    }
}

/// The plan with its old values, durable before the first write.
async fn keep_plan(context: &Context<Tally>, plan: &BackfillPlan<'_>) -> anyhow::Result<()> {
    let mut scratch = Scratch::new()?;
    for step in &plan.steps {
        let row = step.row();
        let (action, old) = match step {
            Step::Create { .. } => ("create", Vec::new()),
            Step::Unchanged { .. } => ("unchanged", Vec::new()),
            Step::Update { records, .. } => (
                "update",
                records
                    .iter()
                    .map(|record| json!({"id": record.id, "customId": record.custom_id, "displayName": record.display_name}))
                    .collect(),
            ),
        };
        let line = json!({
            "channelId": row.channel_id,
            "action": action,
            "customId": row.custom_id,
            "displayName": row.display_name,
            "old": old,
            "row": row.record,
        });
        writeln!(scratch, "{line}")?;
    }
    let folder = context.run_folder()?;
    folder.put_plan("plan.jsonl", scratch).await?;
    Ok(())
}

/// The rows that were not taken, in the sheet's own columns.
async fn keep_rejects(
    context: &Context<Tally>,
    sheet: &ChannelSheet,
    failed: &[apply::FailedRow<'_>],
) -> anyhow::Result<()> {
    if sheet.rejects.is_empty() && failed.is_empty() {
        return Ok(());
    }
    let mut rejects = RejectSheet::new(Vec::new(), &sheet.headers)?;
    for reject in &sheet.rejects {
        tracing::warn!(line = reject.line, code = reject.code, reason = reject.reason, "row rejected");
        rejects.write(&reject.fields, reject.code, &reject.reason)?;
    }
    for row in failed {
        rejects.write(&row.row.fields, &row.code, &row.reason)?;
    }
    let folder = context.run_folder()?;
    folder.put("rejects.csv", rejects.finish()?).await?;
    let uri = folder.uri("rejects.csv");
    context.count(|tally| tally.rejects_uri = Some(uri));
    Ok(())
}
