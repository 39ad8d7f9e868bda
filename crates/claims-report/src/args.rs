//! The command line, and the settings it comes to.

use std::time::Duration;

use dn_core::mail::{MailArgs, MailSettings};
use dn_core::task::settings::{self, GraphqlSettings, RunSettings, YoutubeSettings, given};
use dn_core::task::{Environment, GraphqlArgs, OutputArgs, Problems, RunArgs, YoutubeArgs};
use dn_domain::claims::snapshot::Source;
use dn_domain::claims::week::Week;
use dn_domain::number::Decimal;

use crate::backtest::BacktestArgs;
use crate::desk::Asking;
use crate::history::HistoryArgs;

/// What the newest report of a type is asked for by.
pub(crate) const REPORTING_API: &str = "reporting-api";

const HISTORY_EXPORT: &str = "./history-export";
const RPM: &str = "1";
const ALERT_BUDGET: &str = "50";
const MIN_SIZE_RATIO: &str = "0.5";
const DISPUTES: &str = "auto";
const DATA_UNITS: &str = "20";

/// Reads the week's Content ID reports, compares them with the weeks before and says what changed, what asks for
/// attention and what is wrong with the data; give one report or several
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "claims-report", version, max_term_width = 100, after_help = help())]
pub struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The claim report.
    #[arg(
        help = "The claim report (content_owner_active_claims_a3): a path, s3://bucket/key, or reporting-api for \
                the week's newest; plain or gzip",
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
    /// The conflict report.
    #[arg(
        help = "The conflict report (content_owner_asset_conflict_a3), likewise",
        long,
        global = true,
        env = "CONFLICT_REPORT_URI",
        value_name = "URI"
    )]
    pub conflicts: Option<String>,
    /// The folder of platform files: what other platforms report, a CSV each in the normal form or one that a mapping knows
    #[arg(long, global = true, env = "ANALYTICS_URI", value_name = "FOLDER")]
    pub analytics: Option<String>,
    /// A folder of mappings of platforms' exports, a TOML each, beside those that are built in
    #[arg(long, global = true, env = "MAPPINGS_URI", value_name = "FOLDER")]
    pub mappings: Option<String>,
    /// The rights records: a CSV in the normal form
    #[arg(long, global = true, env = "RIGHTS_URI", value_name = "URI")]
    pub rights: Option<String>,
    /// The week, by its Monday.
    #[arg(
        long,
        global = true,
        env = "REPORT_WEEK",
        value_name = "YYYY-MM-DD",
        help = "The week, by its Monday [default: the last complete week]"
    )]
    pub week: Option<String>,
    /// Where the report's files go.
    #[arg(
        long,
        global = true,
        env = "REPORT_OUT_URI",
        value_name = "FOLDER",
        help = "Where the report's files go: a directory or s3://bucket/prefix [default: the run folder]"
    )]
    pub out: Option<String>,
    /// What a thousand views are worth: what findings and disputes are valued by
    #[arg(long, global = true, env = "RPM", default_value = RPM, value_name = "MONEY")]
    pub rpm: String,
    /// The most alerts of one run that ask for attention; the rest is kept, and told when there is room
    #[arg(long, global = true, env = "ALERT_BUDGET", default_value = ALERT_BUDGET, value_name = "N")]
    pub alert_budget: String,
    /// A report with fewer rows than this share of the last good one's is refused
    #[arg(long, global = true, env = "MIN_SIZE_RATIO", default_value = MIN_SIZE_RATIO, value_name = "0..1")]
    pub min_size_ratio: String,
    /// Where a weekly report has its disputes from
    #[arg(
        help = "Where a weekly report has its disputes from: the Content ID API (api), the reports alone (reports), \
                or the API where YouTube's credentials are set (auto)",
        long,
        global = true,
        env = "DISPUTES",
        default_value = DISPUTES,
        value_name = "api|reports|auto"
    )]
    pub disputes: String,
    /// How likely a claim is to be disputed: a table of weights as TOML, in place of the one that is built in
    #[arg(long, global = true, env = "DISPUTE_WEIGHTS", value_name = "URI")]
    pub dispute_weights: Option<String>,
    /// Units of the Data API's quota that a run may spend.
    #[arg(
        help = "Units of the Data API's quota that a run may spend on today's numbers of the videos it tells of; one is \
                for 50 videos, 0 asks for none",
        long,
        global = true,
        env = "DATA_UNITS",
        default_value = DATA_UNITS,
        value_name = "N"
    )]
    pub data_units: String,
    #[command(flatten)]
    pub(crate) mail: MailArgs,
    #[command(flatten)]
    pub(crate) history: HistoryArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) graphql: GraphqlArgs,
    #[command(flatten)]
    pub(crate) youtube: YoutubeArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What to do; `run` when nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub(crate) enum Command {
    /// Make the week's report: read, remember, compare, tell (the default)
    Run,
    /// Fetch the week's reports through the Reporting API into the state folder
    Fetch,
    /// Look back on the stored history, or on a panel of past weeks: what the detector would have told, week by week
    Backtest(BacktestArgs),
    /// Ask the Content ID API what is disputed, and tell of deadlines that are near: for every day
    Disputes,
    /// What is remembered of the weeks before
    History {
        /// What of it.
        #[command(subcommand)]
        command: HistoryCommand,
    },
    /// List the runs in the state folder
    Runs,
    /// Prove the configuration without writing: a line for each thing that a run needs, and how to mend it
    Check,
}

/// What to do with the history.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub(crate) enum HistoryCommand {
    /// Write it as CSV files, one for each table, with cells that no spreadsheet evaluates
    Export {
        /// Where the files go.
        #[arg(
            help = "Where the files go: a directory or s3://bucket/prefix",
            long,
            default_value = HISTORY_EXPORT,
            value_name = "FOLDER"
        )]
        to: String,
    },
}

fn help() -> String {
    [
        settings::GRAPHQL_ENVIRONMENT_HELP,
        settings::REPORTING_ENVIRONMENT_HELP,
        settings::DATA_ENVIRONMENT_HELP,
        settings::MAIL_ENVIRONMENT_HELP,
        settings::AWS_ENVIRONMENT_HELP,
    ]
    .join("\n\n")
}

/// Where a report is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A path or `s3://bucket/key`.
    Uri(String),
    /// The newest of the week, through the Reporting API.
    ReportingApi,
}

impl Place {
    pub fn read(value: Option<&str>) -> Option<Self> {
        given(value).map(|value| match value {
            REPORTING_API => Self::ReportingApi,
            uri => Self::Uri(uri.to_owned()),
        })
    }
}

/// What a run goes by.
#[derive(Debug)]
pub(crate) struct Settings {
    /// None for the last complete week.
    pub week: Option<Week>,
    /// The reports that are given, in the order in which they are read.
    pub reports: Vec<(Source, Place)>,
    pub analytics: Option<String>,
    pub mappings: Option<String>,
    pub rights: Option<String>,
    pub out: Option<String>,
    pub rpm: Decimal,
    pub alert_budget: usize,
    pub min_size_ratio: f64,
    pub history_retention: Duration,
    pub run: RunSettings,
    /// None where no endpoint is set: then nothing is said of partner channels.
    pub graphql: Option<GraphqlSettings>,
    /// None where no mail is asked for.
    pub mail: Option<MailSettings>,
    /// Only where something is asked of YouTube.
    pub youtube: Option<YoutubeSettings>,
    /// Whether a weekly report asks the Content ID API for its disputes.
    pub asks_desk: bool,
    /// None for the table that is built in.
    pub dispute_weights: Option<String>,
    /// What a run may spend on today's numbers; none where the Data API is not asked.
    pub data_units: Option<u64>,
}

impl Args {
    pub(crate) fn command(&self) -> Command {
        self.command.clone().unwrap_or(Command::Run)
    }

    /// The report's setting, by what it is.
    pub(crate) fn report(&self, source: Source) -> (Option<&str>, &'static str) {
        let (uri, setting) = match source {
            Source::Claims => (&self.claims, "--claims (CLAIM_REPORT_URI)"),
            Source::Assets => (&self.assets, "--assets (ASSET_REPORT_URI)"),
            Source::Videos => (&self.videos, "--videos (VIDEO_REPORT_URI)"),
            Source::Conflicts => (&self.conflicts, "--conflicts (CONFLICT_REPORT_URI)"),
        };
        (given(uri.as_deref()), setting)
    }

    /// Where the table of weights is; none for the one that is built in.
    pub(crate) fn dispute_weights(&self) -> Option<String> {
        given(self.dispute_weights.as_deref()).map(str::to_owned)
    }

    /// The most alerts that ask for attention.
    pub(crate) fn alert_budget(&self, problems: &mut Problems) -> Option<usize> {
        let budget = given(Some(&self.alert_budget)).unwrap_or(ALERT_BUDGET).parse().ok();
        if budget.is_none() {
            problems.add("--alert-budget (ALERT_BUDGET) is no whole number");
        }
        budget
    }

    /// Everything that a run or a fetch needs, or every problem at once.
    pub(crate) fn read(&self, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
        let command = self.command();
        let week = given(self.week.as_deref()).map(Week::parse).transpose();
        let week = week.unwrap_or_else(|problem| {
            problems.add(format!("--week (REPORT_WEEK): {problem}"));
            None
        });
        // Assets first: what they say of an asset need not be looked up in millions of claims.
        let order = [Source::Assets, Source::Videos, Source::Claims, Source::Conflicts];
        let reports: Vec<(Source, Place)> = order
            .into_iter()
            .filter_map(|source| Some((source, Place::read(self.report(source).0)?)))
            .collect();
        let reads_reports = !matches!(command, Command::Fetch | Command::Disputes);
        if reads_reports && reports.iter().all(|(source, _)| *source == Source::Conflicts) {
            problems.add(
                "no report is given: set --claims (CLAIM_REPORT_URI), --assets (ASSET_REPORT_URI) or --videos \
                 (VIDEO_REPORT_URI), or several of them",
            );
        }
        let asking = given(Some(&self.disputes)).unwrap_or(DISPUTES).parse::<Asking>();
        let asking = asking.unwrap_or_else(|problem| {
            problems.add(format!("--disputes (DISPUTES): {problem}"));
            Asking::Reports
        });
        let asks_desk = reads_reports
            && match asking {
                Asking::Api => true,
                Asking::Reports => false,
                Asking::Auto => self.youtube.is_given(environment),
            };
        let data_units = given(Some(&self.data_units)).unwrap_or(DATA_UNITS).parse::<u64>();
        let data_units = data_units.unwrap_or_else(|_| {
            problems.add("--data-units (DATA_UNITS) is no whole number");
            0
        });
        let asks_data = reads_reports && data_units > 0 && self.youtube.is_given(environment);
        let asks_youtube = !reads_reports
            || asks_desk
            || asks_data
            || reports.iter().any(|(_, place)| *place == Place::ReportingApi);
        let youtube = if asks_youtube { Some(self.youtube.read(environment, problems)?) } else { None };
        let rpm = given(Some(&self.rpm)).unwrap_or(RPM).parse::<Decimal>();
        let rpm = rpm.ok().filter(|rpm| *rpm >= Decimal::ZERO).or_else(|| {
            problems.add("--rpm (RPM) is no amount of money; it is written 1.25");
            None
        });
        let alert_budget = self.alert_budget(problems);
        let min_size_ratio = problems.number(
            &self.min_size_ratio,
            MIN_SIZE_RATIO,
            "--min-size-ratio (MIN_SIZE_RATIO)",
            0.0..=1.0,
        );
        Some(Settings {
            week,
            reports,
            analytics: given(self.analytics.as_deref()).map(str::to_owned),
            mappings: given(self.mappings.as_deref()).map(str::to_owned),
            rights: given(self.rights.as_deref()).map(str::to_owned),
            out: given(self.out.as_deref()).map(str::to_owned),
            rpm: rpm?,
            alert_budget: alert_budget?,
            min_size_ratio: min_size_ratio?,
            history_retention: self.history.read(problems)?,
            // Its problems are the harness's to tell.
            run: self.run.read(&mut Problems::default()),
            graphql: self.graphql.read_if_given(environment, problems),
            mail: self.mail.read(problems),
            youtube,
            asks_desk,
            dispute_weights: self.dispute_weights(),
            data_units: asks_data.then_some(data_units),
        })
    }
}

impl Settings {
    /// Whether a report comes through the Reporting API.
    pub fn asks_reporting(&self) -> bool {
        self.reports.iter().any(|(_, place)| *place == Place::ReportingApi)
    }
}
