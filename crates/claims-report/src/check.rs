//! What the report needs, a line for each.

use std::io::Read;

use dn_core::task::check::probes::{self, Open, in_time};
use dn_core::task::check::{Checked, Row, settings_rows};
use dn_core::task::settings::YoutubeSettings;
use dn_core::task::{Context, Environment, Problems, Task as _};
use dn_core::youtube::claims::{ClaimQuery, ClaimStatus};
use dn_domain::asset_report::AssetReport;
use dn_domain::claim_report::ClaimReport;
use dn_domain::claims::snapshot::Source;
use dn_domain::conflict_report::ConflictReport;
use dn_domain::refusal::Refusal;
use dn_domain::rights_record::RightsFile;
use dn_domain::video_report::VideoReport;
use jiff::SignedDuration;

use crate::args::{Command, Place, Settings};
use crate::desk;
use crate::fetch;
use crate::live;
use crate::{Args, ClaimsReport};

impl Checked for ClaimsReport {
    fn asks_for_check(args: &Args) -> bool {
        args.command() == Command::Check
    }

    async fn check(args: &Args, environment: &Environment, context: &Context<Vec<Row>>) -> Vec<Row> {
        let mut problems = Problems::default();
        let run = args.run.read(&mut problems);
        let task = Self::prepare(args, environment, &mut problems);
        let mut rows = settings_rows(&problems, Self::NAME);
        for source in Source::ALL {
            let (uri, setting) = args.report(source);
            let Some(Place::Uri(uri)) = Place::read(uri) else { continue };
            let probe = probes::input(source.name(), &uri, setting, None, opener(source), context);
            rows.push(in_time(source.name(), probe).await);
        }
        if let Some(settings) = task.and_then(|task| task.settings) {
            rows.extend(rows_of(&settings, context).await);
        }
        let (bus, state) = tokio::join!(
            in_time("event bus", probes::event_bus(&run.event_bus, context)),
            in_time("state folder", probes::state_folder(&run.state_uri, Self::NAME, context)),
        );
        rows.extend([bus, state]);
        rows
    }
}

/// What is known once the settings are read.
async fn rows_of(settings: &Settings, context: &Context<Vec<Row>>) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(uri) = &settings.rights {
        let setting = "--rights (RIGHTS_URI)";
        let probe = probes::input("rights records", uri, setting, None, open_rights, context);
        rows.push(in_time("rights records", probe).await);
    }
    if settings.mappings.is_some() {
        rows.push(in_time(MAPPINGS, mappings(settings, context)).await);
    }
    if let Some(graphql) = &settings.graphql {
        rows.extend(probes::graphql(Some(graphql), context).await);
    }
    if settings.asks_reporting() {
        rows.push(in_time(REPORTING, reporting(settings, context)).await);
    }
    if settings.asks_desk {
        rows.push(in_time(CLAIMS, claims(settings, context)).await);
    }
    if let (Some(youtube), Some(units)) = (&settings.youtube, settings.data_units) {
        rows.push(in_time(DATA, data(youtube, settings, units, context)).await);
    }
    rows
}

const MAPPINGS: &str = "mappings";

/// That the user's mappings can be read.
async fn mappings(settings: &Settings, context: &Context<Vec<Row>>) -> Row {
    match crate::mappings::read(context, settings.mappings.as_deref()).await {
        Ok(all) => Row::pass(MAPPINGS, all.names().collect::<Vec<_>>().join(", ")),
        Err(error) => Row::of_error(MAPPINGS, &error, "mend the mapping; docs/PLATFORMS.md has its keys"),
    }
}

const CLAIMS: &str = "claim search";

/// That the Content ID API lets the token search for claims.
async fn claims(settings: &Settings, context: &Context<Vec<Row>>) -> Row {
    const FIX: &str = "see YOUTUBE_CREDENTIALS, --content-owner (YOUTUBE_CONTENT_OWNER) and YOUTUBE_API_BASE_URL; \
        --disputes reports (DISPUTES) goes without";
    let Some(youtube) = &settings.youtube else { return Row::not_checked(CLAIMS, "its settings") };
    let client = match desk::connect(context, youtube, &settings.run, None).await {
        Ok(client) => client,
        Err(error) => return Row::of_error(CLAIMS, &error, FIX),
    };
    match client.search(&ClaimQuery::of(ClaimStatus::Appealed)).await {
        Ok(found) => Row::pass(CLAIMS, format!("{} claims are appealed", found.claims.len())),
        Err(error) => Row::of_error(CLAIMS, &error.into(), FIX),
    }
}

const DATA: &str = "Data API";

/// That the Data API lets the token in. A report goes without today's numbers, so that nothing here fails a check.
async fn data(
    youtube: &YoutubeSettings,
    settings: &Settings,
    units: u64,
    context: &Context<Vec<Row>>,
) -> Row {
    const FIX: &str = "enable the YouTube Data API v3 in the project of YOUTUBE_CREDENTIALS, see its quota there and \
        YOUTUBE_DATA_BASE_URL; --data-units 0 (DATA_UNITS) goes without";
    match live::probe(context, youtube, &settings.run).await {
        Ok(()) => Row::pass(DATA, format!("answers; a run may spend {units} units of its quota")),
        Err(error) => Row::warn(DATA, format!("{error:#}"), FIX),
    }
}

const REPORTING: &str = "Reporting API";

/// That the Reporting API lets the token in and has reports of every type.
async fn reporting(settings: &Settings, context: &Context<Vec<Row>>) -> Row {
    const FIX: &str = "see YOUTUBE_CREDENTIALS (its scopes want yt-analytics.readonly), --content-owner \
        (YOUTUBE_CONTENT_OWNER) and YOUTUBE_REPORTING_BASE_URL";
    let Some(youtube) = &settings.youtube else { return Row::not_checked(REPORTING, "its settings") };
    let client = match fetch::connect(context, youtube, &settings.run, None).await {
        Ok(client) => client,
        Err(error) => return Row::of_error(REPORTING, &error, FIX),
    };
    let types = fetch::SOURCES.map(fetch::report_type);
    let oldest =
        context.info.started_at - SignedDuration::from_hours(24 * dn_core::youtube::reporting::LIFE_DAYS);
    match client.reports(&types, oldest).await {
        Ok(reports) => {
            let has = |name: &str| reports.iter().any(|report| report.report_type == name);
            let missing: Vec<&str> = types.into_iter().filter(|name| !has(name)).collect();
            let detail = format!("{} reports of {} types", reports.len(), types.len() - missing.len());
            if missing.is_empty() {
                return Row::pass(REPORTING, detail);
            }
            let detail = format!("{detail}, none of {}", missing.join(", "));
            Row::warn(
                REPORTING,
                detail,
                "see the reporting jobs of the content owner; a new job's first report comes after two days",
            )
        }
        Err(error) => Row::of_error(REPORTING, &error.into(), FIX),
    }
}

fn opener(source: Source) -> Open {
    match source {
        Source::Claims => |name, text| Ok(columns(ClaimReport::open(name, text)?.headers())),
        Source::Assets => |name, text| Ok(columns(AssetReport::open(name, text)?.headers())),
        Source::Videos => |name, text| Ok(columns(VideoReport::open(name, text)?.headers())),
        Source::Conflicts => |name, text| Ok(columns(ConflictReport::open(name, text)?.headers())),
    }
}

fn open_rights(name: &str, text: Box<dyn Read + Send>) -> Result<String, Refusal> {
    Ok(columns(RightsFile::open(name, text)?.headers()))
}

fn columns(headers: &[String]) -> String {
    format!("{} columns", headers.len())
}
