//! `fetch`: the week's reports, through the Reporting API, into the state folder.
//!
//! A report is chosen by its type and by what it covers: of the reports that end within the week the one that ends last,
//! made newest. Its file is kept as it came under `claims-report/raw/<type>/`, with its particulars beside it; a file that
//! is there is not fetched again, and a report that was made anew is another file.

use std::sync::Arc;

use anyhow::Context as _;
use dn_core::store::{Condition, Store};
use dn_core::task::settings::{RunSettings, YoutubeSettings};
use dn_core::task::{Context, Ended, Exit, Task as _, clock};
use dn_core::transport::{Authorization, Pace, Transport};
use dn_core::youtube::reporting::{LIFE_DAYS, ReportInfo, Reporting, SCOPES};
use dn_core::youtube::{CallBudget, TokenCache};
use dn_domain::claims::snapshot::Source;
use dn_domain::claims::week::Week;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{ClaimsReport, Tally};

/// Where Google's days begin, and so its reports'.
const ZONE: &str = "America/Los_Angeles";
/// Where raw reports are kept, in the state folder.
const RAW: &str = "claims-report/raw";

/// What the weekly report reads, in the order in which it is fetched.
pub(crate) const SOURCES: [Source; 4] = [Source::Claims, Source::Assets, Source::Videos, Source::Conflicts];

/// The report's type, by the API's name.
pub(crate) fn report_type(source: Source) -> &'static str {
    match source {
        Source::Claims => "content_owner_active_claims_a3",
        Source::Assets => "content_owner_asset_a3",
        Source::Videos => "content_owner_video_metadata_a3",
        Source::Conflicts => "content_owner_asset_conflict_a3",
    }
}

/// What became of one report type.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The API's name of it.
    pub report_type: &'static str,
    /// The report; `None` when the API has none for the week.
    pub report: Option<ReportInfo>,
    /// Where its file is.
    pub uri: Option<String>,
    /// Whether it was there before.
    pub was_kept: bool,
    /// The file's size as it came.
    pub size_bytes: Option<u64>,
}

/// The last week that is over, by Google's days.
pub(crate) fn last_complete(now: Timestamp) -> anyhow::Result<Week> {
    Ok(Week::last_complete(now.in_tz(ZONE)?.date()))
}

/// A moment's day, by Google's.
pub(crate) fn day_of(moment: Timestamp) -> Option<Date> {
    moment.in_tz(ZONE).ok().map(|moment| moment.date())
}

/// A week's first moment and the first one after it, by Google's days.
fn bounds(week: Week) -> anyhow::Result<(Timestamp, Timestamp)> {
    let begin = |week: Week| anyhow::Ok(week.monday().in_tz(ZONE)?.timestamp());
    Ok((begin(week)?, begin(week.plus(1))?))
}

/// Of the reports of one type that end within the week the one that ends last; of those the one made newest.
fn choose(
    reports: &[ReportInfo],
    report_type: &str,
    (begin, end): (Timestamp, Timestamp),
) -> Option<ReportInfo> {
    let of_week = reports
        .iter()
        .filter(|report| report.report_type == report_type && report.end > begin && report.end <= end);
    of_week.max_by_key(|report| (report.end, report.created)).cloned()
}

/// The Reporting API, and the state folder that its files are kept in.
pub(crate) struct Fetcher<'a> {
    context: &'a Context<Tally>,
    client: Reporting,
    budget: Option<Arc<CallBudget>>,
    /// What the API has, once it was asked.
    listed: Option<Vec<ReportInfo>>,
}

impl<'a> Fetcher<'a> {
    pub async fn connect(
        context: &'a Context<Tally>,
        youtube: &YoutubeSettings,
        run: &RunSettings,
    ) -> anyhow::Result<Self> {
        let budget = day_budget(context, youtube).await?;
        let client = connect(context, youtube, run, budget.clone()).await?;
        Ok(Self { context, client, budget, listed: None })
    }

    /// The day's calls, for whoever asks beside it: two counts of one day would forget each other's.
    pub fn budget(&self) -> Option<Arc<CallBudget>> {
        self.budget.clone()
    }

    /// The week's report of a type, its file in the state folder; nothing where the API has none that ends within the
    /// week.
    pub async fn fetch(&mut self, source: Source, week: Week) -> anyhow::Result<Fetched> {
        let report_type = report_type(source);
        let listed = if let Some(listed) = &self.listed {
            listed
        } else {
            let types = SOURCES.map(self::report_type);
            let oldest = self.context.info.started_at - SignedDuration::from_hours(24 * LIFE_DAYS);
            let listed = self.client.reports(&types, oldest).await;
            self.listed.insert(listed.context("the reports could not be listed")?)
        };
        let Some(report) = choose(listed, report_type, bounds(week)?) else {
            return Ok(Fetched { report_type, report: None, uri: None, was_kept: false, size_bytes: None });
        };
        let step = self.context.progress.step(source.name(), None);
        let store = self.context.store()?;
        let fetched = keep(store, &self.client, report_type, &report, self.context.info.started_at)
            .await
            .with_context(|| format!("the {} {} could not be fetched", source.name(), report.id))?;
        step.advance(1);
        Ok(fetched)
    }

    /// Keeps what the day's calls came to.
    pub async fn save(&self) -> anyhow::Result<()> {
        match &self.budget {
            Some(budget) => budget.save().await.context("the day's calls could not be kept"),
            None => Ok(()),
        }
    }
}

/// What is left of the day's calls; none where they are not limited.
pub(crate) async fn day_budget(
    context: &Context<Tally>,
    youtube: &YoutubeSettings,
) -> anyhow::Result<Option<Arc<CallBudget>>> {
    let Some(limit) = youtube.call_budget else { return Ok(None) };
    let day = context.info.started_at;
    Ok(Some(Arc::new(CallBudget::of_day(context.store()?, ClaimsReport::NAME, limit, day).await?)))
}

/// Why the API has no report, and what to do.
pub(crate) fn missing(source: Source, week: Week) -> String {
    format!(
        "the Reporting API has no {} ({}) of the week of {week}: a new job's first one comes after two days, and files \
         live {LIFE_DAYS} days",
        source.name(),
        report_type(source)
    )
}

/// `fetch`: all four types.
pub(crate) async fn fetch(
    context: &Context<Tally>,
    youtube: &YoutubeSettings,
    run: &RunSettings,
    week: Week,
) -> anyhow::Result<Exit> {
    let mut fetcher = Fetcher::connect(context, youtube, run).await?;
    let done = fetch_all(context, &mut fetcher, week).await;
    let saved = fetcher.save().await;
    // Why it ended is said before why that could not be noted.
    done.and_then(|exit| saved.map(|()| exit))
}

async fn fetch_all(context: &Context<Tally>, fetcher: &mut Fetcher<'_>, week: Week) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    for source in SOURCES {
        let one = fetcher.fetch(source, week).await?;
        if one.report.is_none() {
            tracing::error!(report_type = one.report_type, week = %week, "{}", missing(source, week));
            exit = Exit::RowsFailed;
        }
        context.count(|tally| tally.fetched.push(one));
    }
    Ok(exit)
}

/// The Reporting API's client.
pub(crate) async fn connect<T: Clone>(
    context: &Context<T>,
    youtube: &YoutubeSettings,
    run: &RunSettings,
    budget: Option<Arc<CallBudget>>,
) -> anyhow::Result<Reporting> {
    let refuse = |problem: String| Ended::new(Exit::Usage, format!("YOUTUBE_CREDENTIALS: {problem}"));
    let pace = Pace::persistent(run.max_wait).timing_out(run.call_timeout);
    let tokens = TokenCache::new(&youtube.credentials, pace, context.stop.token()).await.map_err(refuse)?;
    let authorization = Authorization::Bearer(Arc::new(tokens.for_scopes(&SCOPES)));
    let transport = Transport::new(authorization, youtube.pace(run), context.stop.token())?;
    let transport = transport.under(context.lease.clone()).within(budget);
    Ok(Reporting::new(transport, youtube.reporting_base_url.clone(), youtube.content_owner.clone()))
}

/// The report's file in the state folder, fetched if it is not there.
async fn keep(
    store: &Store,
    client: &Reporting,
    report_type: &'static str,
    report: &ReportInfo,
    now: Timestamp,
) -> anyhow::Result<Fetched> {
    let name = format!("{RAW}/{report_type}/{}-{}", report.end.in_tz(ZONE)?.date(), file_name(&report.id));
    let there = store.list(&format!("{name}.")).await?;
    let found = |ends: &str| there.iter().find(|object| object.key.ends_with(ends));
    // The particulars are written last: without them a file may be half of one.
    if found(".json").is_some()
        && let Some(file) = found(".csv").or_else(|| found(".csv.gz"))
    {
        let (uri, size_bytes) = (Some(store.uri(&file.key)), Some(file.size_bytes));
        return Ok(Fetched { report_type, report: Some(report.clone()), uri, was_kept: true, size_bytes });
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("report");
    client.download(report, &path).await?;
    let of_file = path.clone();
    let (is_packed, size_bytes, sha256) = tokio::task::spawn_blocking(move || measure(&of_file)).await??;
    let key = format!("{name}{}", if is_packed { ".csv.gz" } else { ".csv" });
    store.put_file(&key, &path, Condition::None).await?;
    let particulars = json!({
        "reportId": report.id,
        "reportType": report_type,
        "startTime": report.start,
        "endTime": report.end,
        "createTime": report.created,
        "sizeBytes": size_bytes,
        "sha256": sha256,
        "fetchedAt": clock::event_time(now),
    });
    let particulars = serde_json::to_vec_pretty(&particulars)?;
    store.put(&format!("{name}.json"), particulars.into(), Condition::None).await?;
    tracing::info!(report_type, report_id = report.id, size_bytes, "report fetched");
    let uri = Some(store.uri(&key));
    Ok(Fetched {
        report_type,
        report: Some(report.clone()),
        uri,
        was_kept: false,
        size_bytes: Some(size_bytes),
    })
}

/// Whether a file is packed, by its first bytes; its size and its SHA-256.
fn measure(path: &std::path::Path) -> std::io::Result<(bool, u64, String)> {
    use std::io::Read as _;
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let (mut size, mut is_packed) = (0, false);
    loop {
        let read = file.read(&mut buffer)?;
        let part = buffer.get(..read).unwrap_or_default();
        if size == 0 {
            is_packed = part.starts_with(&[0x1f, 0x8b]);
        }
        if part.is_empty() {
            return Ok((is_packed, size, hex::encode(hash.finalize())));
        }
        size += part.len() as u64;
        hash.update(part);
    }
}

/// A report's id as part of a file's name.
fn file_name(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    // A Monday in Los Angeles begins at 8 in UTC; the week before is over then and not earlier.
    #[case("2026-11-23T07:59:59Z", "2026-11-09")]
    #[case("2026-11-23T08:00:00Z", "2026-11-16")]
    #[case("2026-11-29T12:00:00Z", "2026-11-16")]
    fn t02_the_last_complete_week_goes_by_googles_days(#[case] now: &str, #[case] monday: &str) {
        assert_eq!(last_complete(now.parse().unwrap()).unwrap().to_string(), monday);
    }

    #[rstest::rstest]
    // Clocks go back on 1 November 2026 and forward on 8 March.
    #[case("2026-10-26", "2026-10-26T07:00:00Z", "2026-11-02T08:00:00Z")]
    #[case("2026-03-02", "2026-03-02T08:00:00Z", "2026-03-09T07:00:00Z")]
    fn t02_a_week_with_a_change_of_clocks_begins_where_the_one_before_ends(
        #[case] monday: &str,
        #[case] begin: &str,
        #[case] end: &str,
    ) {
        let bounds = bounds(Week::parse(monday).unwrap()).unwrap();
        assert_eq!((bounds.0.to_string(), bounds.1.to_string()), (begin.to_owned(), end.to_owned()));
    }

    #[test]
    fn the_last_report_of_the_week_counts_and_of_two_makings_the_newer() {
        let report = |id: &str, end: &str, created: &str| ReportInfo {
            id: id.to_owned(),
            report_type: "content_owner_asset_a3".to_owned(),
            start: Timestamp::UNIX_EPOCH,
            end: end.parse().unwrap(),
            created: created.parse().unwrap(),
            download_url: "https://www.googleapis.com/x".parse().unwrap(),
        };
        let bounds = bounds(Week::parse("2026-11-16").unwrap()).unwrap();
        let reports = [
            report("before", "2026-11-16T08:00:00Z", "2026-11-25T00:00:00Z"),
            report("early", "2026-11-20T08:00:00Z", "2026-11-25T00:00:00Z"),
            report("first", "2026-11-23T08:00:00Z", "2026-11-24T00:00:00Z"),
            report("again", "2026-11-23T08:00:00Z", "2026-11-25T00:00:00Z"),
            report("after", "2026-11-24T08:00:00Z", "2026-11-25T00:00:00Z"),
        ];
        let chosen = |reports: &[ReportInfo]| choose(reports, "content_owner_asset_a3", bounds).map(|r| r.id);
        assert_eq!(chosen(&reports).as_deref(), Some("again"));
        assert_eq!(chosen(&reports[..2]).as_deref(), Some("early"));
        assert_eq!(chosen(&reports[..1]), None);
        assert_eq!(choose(&reports, "content_owner_active_claims_a3", bounds), None);
    }
}
