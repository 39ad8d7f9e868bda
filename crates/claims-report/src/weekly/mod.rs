//! `run`: one week from its inputs to its report.
//!
//! Gather (partner channels and videos of the database, four reports, platform files, rights records), compare with the weeks before, judge, tell.
//! The history is changed last, in one conditional write: a run that fails before it leaves the history as it was.

mod making;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use dn_core::store::{Condition, Store};
use dn_core::task::{Context, Exit, Task as _, clock};
use dn_domain::claims::alert::{Alert, State};
use dn_domain::claims::changes::Change;
use dn_domain::claims::risk::Weights;
use dn_domain::claims::snapshot::Source;
use dn_domain::claims::week::Week;
use dn_domain::platform_mapping::Mappings;

use crate::analysis::Made;
use crate::args::{Place, Settings};
use crate::database::Database;
use crate::desk::{self, Asked};
use crate::fetch::{self, Fetcher};
use crate::history::{Entry, History, KeptAlert, KeptReport, OpenClaim, PlatformValue};
use crate::live::{self, Told};
use crate::{ClaimsReport, Tally, letter, mappings, render, risks};

/// So many missed weeks are told and made up for at most.
const MISSED_WEEKS: i32 = 12;

/// No summary is near this.
const MAX_SUMMARY_BYTES: u64 = 16 << 20;

/// What every week of a run goes by.
struct Frame<'a> {
    context: &'a Context<Tally>,
    settings: &'a Settings,
    database: Option<Database>,
    fetcher: Option<Fetcher<'a>>,
    weights: Weights,
    mappings: Arc<Mappings>,
}

/// Makes the report of the week asked for and, where only the Reporting API is asked, makes up for those that were
/// missed since the last one.
pub(crate) async fn run(context: &Context<Tally>, settings: &Settings) -> anyhow::Result<Exit> {
    let week = match settings.week {
        Some(week) => week,
        None => fetch::last_complete(context.info.started_at)?,
    };
    let summary_uri = context.run_folder()?.uri("summary.json");
    context.count(|tally| {
        tally.week = Some(week);
        tally.summary_uri = Some(summary_uri);
    });
    let mappings = Arc::new(mappings::read(context, settings.mappings.as_deref()).await?);
    let database = if let Some(graphql) = &settings.graphql {
        Some(Database::read(context, graphql, settings).await?)
    } else {
        tracing::warn!("no GraphQL endpoint is set: custom IDs are not held against the partner channels'");
        None
    };
    let reporting = settings.youtube.as_ref().filter(|_| settings.asks_reporting());
    let fetcher = match reporting {
        Some(youtube) => Some(Fetcher::connect(context, youtube, &settings.run).await?),
        None => None,
    };
    let weights = risks::weights(context, settings.dispute_weights.as_deref()).await?;
    let mut frame = Frame { context, settings, database, fetcher, weights, mappings };
    let done = Box::pin(frame.run(week)).await;
    let saved = match &frame.fetcher {
        Some(fetcher) => fetcher.save().await,
        None => Ok(()),
    };
    // Why it ended is said before why that could not be noted.
    done.and_then(|exit| saved.map(|()| exit))
}

impl Frame<'_> {
    async fn run(&mut self, week: Week) -> anyhow::Result<Exit> {
        let context = self.context;
        let mut history = self.open().await?;
        for missed in self.missed(&history, week).await? {
            if Box::pin(self.make_up(&mut history, missed)).await? {
                // Made to last week by week, and opened anew: the next week is compared with this one.
                history.save().await?;
                history = self.open().await?;
            }
        }
        let asked = self.ask_desk(week).await?;
        let start = |changes: Arc<Vec<Change>>| tokio::task::spawn_blocking(move || render::begin(&changes));
        let (mut made, begun) = Box::pin(self.make(&history, week, asked, start)).await?;
        // Today's numbers are for who reads this: the history keeps the week.
        let live = self.ask_live(&made).await?;
        live.tell_in(&mut made.digest);
        let mut news = self.news(&history, &made).await?;
        live.put_into(&mut news);
        self.count(&made, news.len());
        let (exit, digest) = (made.exit, Arc::new(made.digest.clone()));
        // The files are made beside the history's rows, and are there even if these cannot be written.
        let shown = Arc::clone(&digest);
        let rendering = tokio::spawn(async move {
            let begun = begun.await??;
            tokio::task::spawn_blocking(move || begun.finish(&shown)).await?
        });
        let recorded = if context.info.dry_run { Ok(()) } else { history.record(entry(context, made)).await };
        let files = rendering.await??;
        write_files(context, self.settings.out.as_deref(), "", &files).await?;
        recorded?;
        if !context.info.dry_run {
            history.save().await?;
            context.count(|tally| tally.raised = news);
            if let Some(mail) = &self.settings.mail {
                letter::send(context, mail, &digest, &files).await;
            }
        }
        Ok(exit)
    }

    /// What is open by the Content ID API. It knows of today alone: a week that is made later has its disputes from its
    /// reports.
    async fn ask_desk(&self, week: Week) -> anyhow::Result<Option<Asked>> {
        let settings = self.settings;
        if !settings.asks_desk || week < fetch::last_complete(self.context.info.started_at)? {
            return Ok(None);
        }
        let own = match (&self.fetcher, &settings.youtube) {
            (None, Some(youtube)) => fetch::day_budget(self.context, youtube).await?,
            _ => None,
        };
        let budget = own.clone().or_else(|| self.fetcher.as_ref().and_then(Fetcher::budget));
        let asked = desk::ask_for_week(self.context, settings, budget).await;
        let saved = match own {
            Some(budget) => budget.save().await.context("the day's calls could not be kept"),
            None => Ok(()),
        };
        // Why it could not be asked is said before why that could not be noted.
        asked.and_then(|asked| saved.map(|()| asked))
    }

    /// What the Data API says of the told alerts' videos. It knows of today alone, as the desk does.
    async fn ask_live(&self, made: &Made) -> anyhow::Result<Told> {
        let Settings { youtube: Some(youtube), data_units: Some(units), run, .. } = self.settings else {
            return Ok(Told::default());
        };
        let is_last = made.digest.week >= fetch::last_complete(self.context.info.started_at)?;
        if !is_last || made.wanted.is_empty() {
            return Ok(Told::default());
        }
        live::ask(self.context, youtube, run, *units, &made.wanted).await
    }

    async fn open(&self) -> anyhow::Result<History> {
        History::open(self.context.store()?, self.settings.history_retention).await
    }

    /// The weeks between the last one before and this that the history does not have, the oldest first. They can be
    /// made up for where the Reporting API still has their reports; the files at other addresses are this week's.
    async fn missed(&self, history: &History, week: Week) -> anyhow::Result<Vec<Week>> {
        let Some(last) = history.last_before(week).await? else { return Ok(Vec::new()) };
        // Of a long absence the last weeks are told: an event and a summary must not grow with it, and the API keeps no
        // file longer.
        let absent = week.since(last.week) - 1;
        let missed: Vec<Week> = week.plus(-1).row_of(absent.clamp(0, MISSED_WEEKS)).collect();
        let from_api = self.settings.reports.iter().all(|(_, place)| *place == Place::ReportingApi);
        if missed.is_empty() || (from_api && !self.context.info.dry_run) {
            return Ok(missed);
        }
        for week in &missed {
            tracing::warn!(%week, "the history has no such week: it stays a gap; give its reports with --week to fill it");
        }
        self.context.count(|tally| tally.gaps = missed);
        Ok(Vec::new())
    }

    /// Makes up for a week that was missed. One whose reports are no longer there, or refused, stays a gap.
    async fn make_up(&mut self, history: &mut History, week: Week) -> anyhow::Result<bool> {
        tracing::info!(%week, "week missed, made up for");
        // Nobody is told of it: none of its files are made.
        match Box::pin(self.make(history, week, None, |_| ())).await {
            Ok((made, ())) => {
                history.record(entry(self.context, made)).await?;
                self.context.count(|tally| tally.made_up.push(week));
                Ok(true)
            }
            Err(error) if Exit::of(&error, &self.context.stop) == Exit::InputRefused => {
                tracing::warn!(%week, error = format!("{error:#}"), "the week stays a gap");
                self.context.count(|tally| tally.gaps.push(week));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The alerts that the bus is to be told of: the new ones, unless an earlier run of the same week told them.
    async fn news(&self, history: &History, made: &Made) -> anyhow::Result<Vec<Alert>> {
        let week = made.digest.week;
        let earlier = history.weeks().await?.into_iter().find(|kept| kept.week == week);
        let mut told = BTreeSet::new();
        if let Some(earlier) = earlier {
            let summary = format!("{}/runs/{}/summary.json", ClaimsReport::NAME, earlier.run_id);
            // A run that was cut off before it could tell its end told nothing.
            if self.context.store()?.get(&summary, MAX_SUMMARY_BYTES).await?.is_some() {
                let alerts = history.alerts(week).await?;
                told.extend(alerts.into_iter().filter(|kept| kept.is_told).map(|kept| kept.alert.id));
            }
        }
        let news = made
            .alerts
            .iter()
            .filter(|(alert, is_told)| *is_told && alert.state == State::New && !told.contains(&alert.id));
        Ok(news.map(|(alert, _)| alert.clone()).collect())
    }

    fn count(&self, made: &Made, news: usize) {
        let Made { digest, changes, .. } = made;
        let count = |count: usize| count as u64;
        let open =
            |alerts: &[Alert]| count(alerts.iter().filter(|alert| alert.state != State::Resolved).count());
        self.context.count(|tally| {
            tally.assets = digest.totals.assets;
            tally.videos = digest.totals.videos;
            tally.claims = digest.totals.claims;
            tally.active_claims = digest.totals.numbers.active_claims;
            tally.compared_with = changes.as_ref().map(|changes| changes.before);
            tally.changes = changes.as_ref().map(|changes| count(changes.rows.len()));
            tally.alerts = Some(open(&digest.alerts));
            tally.new_alerts = Some(count(news));
            tally.held_back = Some(digest.held_back_count);
            tally.quality = Some(open(&digest.quality));
            tally.disputes = Some(count(digest.disputes.len()));
            tally.critical_disputes =
                Some(count(digest.disputes.iter().filter(|dispute| dispute.critical).count()));
            tally.rejected_rows = made.rejected_rows;
            tally.sources.clone_from(&digest.sources);
        });
    }
}

/// Writes a report's files: into the run folder, or below a folder where they are wanted.
pub(crate) async fn write_files(
    context: &Context<Tally>,
    out: Option<&str>,
    below: &str,
    files: &[(&'static str, Vec<u8>)],
) -> anyhow::Result<()> {
    let folder = context.run_folder()?;
    // A dry run writes nothing outside its folder.
    let out = out.filter(|_| !context.info.dry_run);
    let out = out.map(|uri| Store::open(uri, &context.aws).context("--out (REPORT_OUT_URI)")).transpose()?;
    let mut uris = BTreeMap::new();
    for (name, bytes) in files {
        let uri = if let Some(store) = &out {
            let key = format!("{below}{name}");
            let put = store.put(&key, bytes.clone().into(), Condition::None).await;
            put.with_context(|| format!("{name} could not be written to --out (REPORT_OUT_URI)"))?;
            store.uri(&key)
        } else {
            let put = folder.put(name, bytes.clone()).await;
            put.with_context(|| format!("{name} could not be written"))?;
            folder.uri(name)
        };
        uris.insert(*name, uri);
    }
    context.count(|tally| tally.files = uris);
    Ok(())
}

/// A week as the history keeps it.
fn entry(context: &Context<Tally>, made: Made) -> Entry {
    let is_suspect = |source: Source| made.verdict.suspect_reports.contains(&source);
    let reports = made.reports.iter().filter_map(|report| {
        Some(KeptReport {
            source: report.source,
            id: report.id.clone().unwrap_or_default(),
            uri: report.uri.clone(),
            modified: report.created.map(clock::event_time),
            covers_until: report.date,
            is_suspect: is_suspect(report.source),
            facts: made.snapshot.reports.get(&report.source)?.clone(),
        })
    });
    let known = made.first_seen.iter().zip(&made.open_risks);
    let open_claims =
        made.snapshot.open_claims.iter().zip(known).map(|(claim, (first_seen, (signs, risk)))| OpenClaim {
            claim_id: claim.claim_id.clone(),
            asset_id: claim.asset_id,
            video_id: claim.video_id,
            status: claim.status.name().to_owned(),
            first_seen: *first_seen,
            signs: *signs,
            risk: Some(*risk),
        });
    let platform_values = made.besides.platforms.series.iter().flat_map(|(series, weeks)| {
        weeks.iter().map(|(week, value)| PlatformValue {
            platform: series.platform.clone(),
            key_kind: series.kind,
            key: series.key.clone(),
            metric: series.metric.clone(),
            week: *week,
            value: value.value,
        })
    });
    Entry {
        run_id: context.info.run_id.clone(),
        generated_at: made.digest.generated_at.clone(),
        reports: reports.collect(),
        open_claims: open_claims.collect(),
        platform_values: platform_values.collect(),
        disputed: made.disputed,
        candidates: made.noted,
        totals: made.totals,
        alerts: made.alerts.into_iter().map(|(alert, is_told)| KeptAlert { alert, is_told }).collect(),
        snapshot: Arc::new(made.snapshot),
    }
}
