//! The week's inputs: found, opened, read. What is refused is gathered too, so that all of it is told at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use dn_core::store::{MAX_REREADS, ObjectReader, Store, was_replaced};
use dn_core::task::{Context, Exit};
use dn_domain::claims::platforms::PlatformWeeks;
use dn_domain::claims::rights::RightsBook;
use dn_domain::claims::risk::Weights;
use dn_domain::claims::snapshot::{Gather, ReportFacts, Snapshot, Source};
use dn_domain::claims::week::Week;
use dn_domain::platform_mapping::Mappings;
use dn_domain::refusal::{Refusal, RefusalKind};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::Tally;
use crate::args::{Place, Settings};
use crate::database::Database;
use crate::fetch::{self, Fetcher, day_of};
use crate::in_two::SideBySide;
use crate::quarantine::file_name;
use crate::reading::{FileRead, Watch, read_file, read_platform, read_report, read_rights};

/// A report of the week, wherever it lies.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    pub source: Source,
    pub uri: String,
    /// Of a report of the Reporting API: its id, when it was made, and the last day it covers.
    pub api: Option<ApiReport>,
}

/// What the Reporting API says of a report.
#[derive(Debug, Clone)]
pub(crate) struct ApiReport {
    pub id: String,
    pub created: Timestamp,
    pub covers: Option<Date>,
}

/// An input that was refused.
pub(crate) struct Refused {
    /// Its name for people and as a finding's id: the report's, or the file's.
    pub name: String,
    /// Which of the four reports it is, if one of them.
    pub source: Option<Source>,
    pub uri: String,
    pub refusal: Refusal,
    /// What was read of it, where it was read to its end.
    pub facts: Option<ReportFacts>,
}

/// A report that was read to its end.
pub(crate) struct ReportRead {
    pub source: Source,
    pub uri: String,
    /// What tells this report from another: the API's id, or the file's version.
    pub id: Option<String>,
    /// When it was made or last written.
    pub created: Option<Timestamp>,
    /// The last day that it covers or, where that is unknown, the day it was made.
    pub date: Option<Date>,
}

/// The week as the four reports tell it.
pub(crate) struct Reports {
    pub snapshot: Snapshot,
    pub read: Vec<ReportRead>,
    pub refused: Vec<Refused>,
    pub rejected_rows: u64,
}

/// Where the week's reports are; those of the Reporting API are fetched. What the API does not have is refused.
pub(crate) async fn locate(
    context: &Context<Tally>,
    settings: &Settings,
    fetcher: Option<&mut Fetcher<'_>>,
    week: Week,
) -> anyhow::Result<(Vec<Located>, Vec<Refused>)> {
    let (mut located, mut refused) = (Vec::new(), Vec::new());
    let mut fetcher = fetcher;
    for (source, place) in &settings.reports {
        let source = *source;
        let (uri, api) = match (place, &mut fetcher) {
            (Place::Uri(uri), _) => (Some(uri.clone()), None),
            (Place::ReportingApi, Some(fetcher)) => {
                let one = fetcher.fetch(source, week).await?;
                let api = one.report.as_ref().map(|report| ApiReport {
                    id: report.id.clone(),
                    created: report.created,
                    // The end is the first moment after it.
                    covers: day_of(report.end - jiff::SignedDuration::from_secs(1)),
                });
                let uri = one.uri.clone();
                context.count(|tally| tally.fetched.push(one));
                (uri, api)
            }
            (Place::ReportingApi, None) => anyhow::bail!("no client of the Reporting API was made"),
        };
        match uri {
            Some(uri) => located.push(Located { source, uri, api }),
            None => refused.push(Refused {
                name: source.name().to_owned(),
                source: Some(source),
                uri: crate::args::REPORTING_API.to_owned(),
                refusal: Refusal::new(
                    crate::args::REPORTING_API,
                    RefusalKind::Missing,
                    fetch::missing(source, week),
                    "Wait for it, or give the file by its address.",
                ),
                facts: None,
            }),
        }
    }
    Ok((located, refused))
}

/// Reads the four reports into one week. One that is replaced meanwhile is read again, and with it all the others: what
/// was kept of its rows cannot be taken out of the week again.
pub(crate) async fn read_reports(
    context: &Context<Tally>,
    located: &[Located],
    week: Week,
    database: Option<&Database>,
    weights: &Weights,
) -> anyhow::Result<Reports> {
    for _ in 0..MAX_REREADS {
        match read_once(context, located, week, database, weights).await {
            Err(error) if was_replaced(&error) => {
                tracing::warn!("a report was replaced while it was read; all of them are begun again");
            }
            read => return read,
        }
    }
    let last = read_once(context, located, week, database, weights).await;
    last.with_context(|| format!("the reports were begun again {MAX_REREADS} times"))
}

async fn read_once(
    context: &Context<Tally>,
    located: &[Located],
    week: Week,
    database: Option<&Database>,
    weights: &Weights,
) -> anyhow::Result<Reports> {
    let mut gather = database.map_or_else(|| Gather::new(week, []), |database| database.gather(week));
    gather.rank_risks(*weights);
    let (mut read, mut refused, mut rejected_rows, mut all_rejects) = (Vec::new(), Vec::new(), 0, Vec::new());
    for report in located {
        let source = report.source;
        let date_of = |modified: Option<Timestamp>| match &report.api {
            Some(api) => api.covers,
            None => modified.and_then(day_of),
        };
        let accept = |reader: &ObjectReader| check_date(source, &report.uri, date_of(reader.modified), week);
        let into = move |name: &str, text, gather: &mut Gather, watch: &mut Watch| {
            read_report(source, name, text, gather, watch)
        };
        let (state, done) = read_file(context, source.name(), &report.uri, accept, gather, into).await;
        gather = match state {
            Some(gather) => gather,
            // The reader itself broke down.
            None => return Err(done.err().unwrap_or_else(|| anyhow::anyhow!("a report's reader was lost"))),
        };
        match done.map_err(|error| refusal(context, &report.uri, error)) {
            Ok(file) => {
                let FileRead { uri, etag, modified, rejects, .. } = file;
                rejected_rows += rejects.count;
                all_rejects.push((source, rejects));
                read.push(ReportRead {
                    source,
                    uri,
                    id: report.api.as_ref().map(|api| api.id.clone()).or(etag),
                    created: report.api.as_ref().map(|api| api.created).or(modified),
                    date: date_of(modified),
                });
            }
            // That there are no conflicts is no fault of the report.
            Err(Ok(refusal))
                if source == Source::Conflicts && matches!(refusal.kind, RefusalKind::HeaderOnly) =>
            {
                read.push(ReportRead {
                    source,
                    uri: report.uri.clone(),
                    id: report.api.as_ref().map(|api| api.id.clone()),
                    created: report.api.as_ref().map(|api| api.created),
                    date: date_of(None),
                });
            }
            Err(Ok(refusal)) => refused.push(Refused {
                name: source.name().to_owned(),
                source: Some(source),
                uri: report.uri.clone(),
                refusal,
                facts: None,
            }),
            Err(Err(error)) => return Err(error),
        }
    }
    // Only now is it sure that nothing is begun again.
    for (source, rejects) in all_rejects {
        rejects.keep(context, slug(source)).await?;
    }
    let snapshot = tokio::task::spawn_blocking(move || gather.finish_on(&SideBySide)).await?;
    Ok(Reports { snapshot, read, refused, rejected_rows })
}

/// A report's name in files.
pub(crate) fn slug(source: Source) -> &'static str {
    match source {
        Source::Claims => "claims",
        Source::Assets => "assets",
        Source::Videos => "videos",
        Source::Conflicts => "conflicts",
    }
}

/// Refuses a report that was made before the week it is to tell of was over.
fn check_date(source: Source, uri: &str, date: Option<Date>, week: Week) -> anyhow::Result<()> {
    let end = week.sunday();
    match date.filter(|date| *date < end) {
        None => Ok(()),
        Some(date) => Err(Refusal::new(
            uri,
            RefusalKind::Stale,
            format!("the {} is of {date}, and the week of {week} ends on {end}", source.name()),
            "Give the report that was made after the week's end, or ask for the week it is of with --week.",
        )
        .into()),
    }
}

/// An error of an input as a refusal, where it is one: what cannot be helped by trying again.
fn refusal(context: &Context<Tally>, uri: &str, error: anyhow::Error) -> Result<Refusal, anyhow::Error> {
    if Exit::of(&error, &context.stop) != Exit::InputRefused {
        return Err(error);
    }
    error.downcast::<Refusal>().or_else(|error| {
        let remedy = "See the address, and that the report was written there.";
        Ok(Refusal::new(uri, RefusalKind::Missing, format!("{error:#}"), remedy))
    })
}

/// Refuses what has far fewer rows than the last good report of its kind. Conflicts come and go by themselves.
pub(crate) fn check_sizes(
    reports: &mut Reports,
    last_good: &BTreeMap<Source, (Week, ReportFacts)>,
    min_size_ratio: f64,
) {
    let sources: Vec<(Source, String)> =
        reports.read.iter().map(|read| (read.source, read.uri.clone())).collect();
    for (source, uri) in sources {
        let Some(is) = reports.snapshot.reports.get(&source) else { continue };
        let Some((week, was)) = last_good.get(&source).filter(|_| source != Source::Conflicts) else {
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "a share of a count of rows")]
        let floor = was.rows as f64 * min_size_ratio;
        #[expect(clippy::cast_precision_loss, reason = "a count of rows beside it")]
        let rows = is.rows as f64;
        if rows >= floor {
            continue;
        }
        reports.refused.push(Refused {
            name: source.name().to_owned(),
            source: Some(source),
            refusal: Refusal::new(
                uri.clone(),
                RefusalKind::Shrunken,
                format!(
                    "the {} has {} rows, that of the week of {week} had {}; a part of it is missing",
                    source.name(),
                    is.rows,
                    was.rows
                ),
                "Fetch or export it again; if so much is really gone, lower --min-size-ratio for this run.",
            ),
            uri,
            facts: Some(is.clone()),
        });
    }
}

/// What the files besides the four reports tell.
pub(crate) struct Besides {
    pub platforms: PlatformWeeks,
    /// The platform files that were read: their names, addresses and rows.
    pub platform_files: Vec<(String, String, ReportFacts)>,
    pub rights: Option<(String, RightsBook, ReportFacts)>,
    pub refused: Vec<Refused>,
    pub rejected_rows: u64,
}

/// Reads the platform files and the rights records. One that is refused is left out.
pub(crate) async fn read_besides(
    context: &Context<Tally>,
    settings: &Settings,
    mappings: &Arc<Mappings>,
    week: Week,
) -> anyhow::Result<Besides> {
    let mut besides = Besides {
        platforms: PlatformWeeks::default(),
        platform_files: Vec::new(),
        rights: None,
        refused: Vec::new(),
        rejected_rows: 0,
    };
    if let Some(folder) = &settings.analytics {
        for (name, uri) in platform_files(context, folder, &mut besides.refused).await? {
            // A file that is refused in its middle must leave nothing behind, so each is read by itself.
            let (weeks, mappings) = (PlatformWeeks::default(), Arc::clone(mappings));
            let read = move |name: &str, text, weeks: &mut PlatformWeeks, watch: &mut Watch| {
                read_platform(name, text, &mappings, weeks, watch)
            };
            let (state, done) = read_file(context, "platform file", &uri, |_| Ok(()), weeks, read).await;
            let weeks = state.unwrap_or_default();
            if let Some(facts) =
                besides.take(context, &format!("platform-{}", file_name(&name)), &name, &uri, done).await?
            {
                besides.platforms.merge(weeks);
                besides.platform_files.push((name, uri, facts));
            }
        }
    }
    if let Some(uri) = &settings.rights {
        let book = RightsBook::new(week.sunday());
        let (state, done) = read_file(context, "rights records", uri, |_| Ok(()), book, read_rights).await;
        let facts = besides.take(context, "rights", "rights records", uri, done).await?;
        besides.rights = state.zip(facts).map(|(book, facts)| (uri.clone(), book, facts));
    }
    Ok(besides)
}

impl Besides {
    /// What a file came to; nothing where it was refused.
    async fn take(
        &mut self,
        context: &Context<Tally>,
        slug: &str,
        name: &str,
        uri: &str,
        done: anyhow::Result<FileRead>,
    ) -> anyhow::Result<Option<ReportFacts>> {
        match done.map_err(|error| refusal(context, uri, error)) {
            Ok(file) => {
                let facts = ReportFacts {
                    rows: file.rows,
                    used: file.rows - file.rejects.count,
                    rejected: file.rejects.count,
                    entries: file.rows - file.rejects.count,
                    ..ReportFacts::default()
                };
                self.rejected_rows += file.rejects.count;
                file.rejects.keep(context, slug.trim_end_matches(".csv")).await?;
                Ok(Some(facts))
            }
            Err(Ok(refusal)) => {
                tracing::error!(input = name, uri, %refusal, "input refused, the report is made without it");
                self.refused.push(Refused {
                    name: name.to_owned(),
                    source: None,
                    uri: uri.to_owned(),
                    refusal,
                    facts: None,
                });
                Ok(None)
            }
            Err(Err(error)) => Err(error),
        }
    }
}

/// The platform files in a folder, by their paths below it and their addresses; a folder that is not there or has none is refused as a whole.
async fn platform_files(
    context: &Context<Tally>,
    folder: &str,
    refused: &mut Vec<Refused>,
) -> anyhow::Result<Vec<(String, String)>> {
    let store = Store::open(folder, &context.aws).context("--analytics (ANALYTICS_URI)")?;
    let objects = store.list("").await.context("the platform files could not be listed")?;
    let is_table = |key: &str| {
        let key = key.to_ascii_lowercase();
        [".csv", ".csv.gz"].iter().any(|end| key.ends_with(end))
    };
    let tables = objects.into_iter().filter(|object| is_table(&object.key));
    let files: Vec<(String, String)> =
        tables.map(|object| (object.key.clone(), store.uri(&object.key))).collect();
    if files.is_empty() {
        refused.push(Refused {
            name: "platform files".to_owned(),
            source: None,
            uri: folder.to_owned(),
            refusal: Refusal::new(
                folder,
                RefusalKind::Missing,
                "there is no file that ends in .csv or .csv.gz",
                "See --analytics (ANALYTICS_URI), and that the platforms' exports were put there.",
            ),
            facts: None,
        });
    }
    Ok(files)
}
