//! `run`: one week from its inputs to its report.
//!
//! Gather (partner channels and videos of the database, four reports, platform files, rights records), compare with the weeks before, judge, tell.
//! The history is changed last, in one conditional write: a run that fails before it leaves the history as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use dn_core::store::{Condition, Store};
use dn_core::task::{Context, Ended, Exit, Task as _, clock};
use dn_domain::claims::alert::{Alert, State};
use dn_domain::claims::changes::{Moves, compare_with};
use dn_domain::claims::movers::WeekTotals;
use dn_domain::claims::risk::Weights;
use dn_domain::claims::snapshot::{Both as _, ReportFacts, Snapshot, Source};
use dn_domain::claims::week::Week;
use dn_domain::id::ChannelId;
use dn_domain::platform_mapping::Mappings;
use tokio::task::JoinHandle;

use crate::analysis::{Input, Made, Past, analyse, judge};
use crate::args::{Place, Settings};
use crate::database::Database;
use crate::desk::{self, Asked, Memory};
use crate::fetch::{self, Fetcher, day_of};
use crate::history::{Entry, History, KeptAlert, KeptReport, KeptWeek, OpenClaim, PlatformValue};
use crate::in_two::SideBySide;
use crate::inputs::{self, Refused};
use crate::live::{self, Told};
use crate::render;
use crate::risks;
use crate::surges::{Question, surges};
use crate::{ClaimsReport, Tally, letter, mappings, past, quarantine};

/// Weeks of totals that the trends need besides the week itself: eleven, and one before the first for its gain.
const PAST_WEEKS: i32 = 12;

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
        let (mut made, begun) = Box::pin(self.make(&history, week, asked)).await?;
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
        match Box::pin(self.make(history, week, None)).await {
            // Nobody is told of it: what was begun of its files is left.
            Ok((made, _)) => {
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

    /// One week from its inputs to its digest, and what can be begun of its files beside that.
    async fn make(
        &mut self,
        history: &History,
        week: Week,
        asked: Option<Asked>,
    ) -> anyhow::Result<(Made, JoinHandle<anyhow::Result<render::Begun>>)> {
        let (context, settings) = (self.context, self.settings);
        let (located, missing) = inputs::locate(context, settings, self.fetcher.as_mut(), week).await?;
        let mut reports =
            inputs::read_reports(context, &located, week, self.database.as_ref(), &self.weights).await?;
        reports.refused.extend(missing);
        let mut last_good = BTreeMap::new();
        for source in Source::ALL {
            if let Some(facts) = history.report_facts(week, source).await? {
                last_good.insert(source, facts);
            }
        }
        inputs::check_sizes(&mut reports, &last_good, settings.min_size_ratio);
        let totals = history.totals(week.plus(-1), PAST_WEEKS).await?;
        if !reports.refused.is_empty() {
            return Err(self.refuse(&reports.refused, &last_good, &totals, week).await);
        }
        let besides = inputs::read_besides(context, settings, &self.mappings, week).await?;
        for refused in &besides.refused {
            self.put_aside(refused, None, &totals, week).await;
        }
        // One week is recalled beside the habits' series, and no second one with it: two weeks at hand are the most that
        // memory has to hold.
        let weeks = history.weeks().await?;
        let habits = history.ask(move |tables| {
            let habits = past::habits(tables, &reports.snapshot)?;
            Ok((reports, habits))
        });
        let (believed, habits) = tokio::join!(recall(history, believed(&weeks, week)), habits);
        let (believed, (reports, habits)) = (believed?, habits?);
        let (besides, platform_habits) = history
            .ask(move |tables| {
                let habits = past::platform_habits(tables, &besides.platforms, week)?;
                Ok((besides, habits))
            })
            .await?;
        let mut past = Past { habits, platform_habits, totals, last_good, ..Past::default() };
        let mut last_made = String::new();
        if let Some(last) = history.last_before(week).await? {
            past.platforms = history.platforms(last.week).await?;
            past.alerts = history.alerts(last.week).await?.into_iter().map(|kept| kept.alert).collect();
            last_made.clone_from(&last.generated_at);
            let open = history.open_claims(last.week).await?;
            past.first_seen =
                open.into_iter().map(|claim| ((claim.claim_id, claim.status), claim.first_seen)).collect();
        }
        let uploaders: Vec<ChannelId> =
            reports.snapshot.candidates.iter().map(|one| one.channel_id).collect();
        past.disputing = history.ask(move |tables| tables.disputing(week, &uploaders)).await?;
        if week >= fetch::last_complete(context.info.started_at)? {
            // What the desk has told since is no news.
            let memory = Memory::load(context.store()?).await?;
            past.alerts = memory.after(past.alerts, &last_made);
        }
        let input = Input {
            week,
            generated_at: clock::event_time(context.info.started_at),
            today: day_of(context.info.started_at).unwrap_or_else(|| week.sunday()),
            rpm: settings.rpm,
            alert_budget: settings.alert_budget,
            database: self.database.clone(),
            weights: self.weights,
            is_desk_missing: asked.is_none() && context.tally().disputes_from.is_some(),
            asked,
        };
        // Comparing a million videos is no work for the threads that keep the lock alive.
        let last = last_whole(&weeks, week);
        let judging = tokio::task::spawn_blocking(move || {
            // Nearly always the last week is also the last that was believed.
            let before = believed.as_ref().filter(|believed| Some(believed.week) == last);
            let (verdict, moves) = SideBySide.both(
                || judge(&reports, believed.as_ref(), &input),
                || before.map(|before| Moves::between_on(before, &reports.snapshot, &SideBySide)),
            );
            (reports, verdict, input, believed, moves)
        });
        let (reports, verdict, input, believed, moves) = judging.await?;
        let before = if moves.is_some() {
            believed
        } else {
            drop(believed);
            recall(history, last).await?
        };
        // Before anything else takes room: two weeks with all their claims are the most that memory has to hold.
        let reports = Arc::new(reports);
        let now = Arc::clone(&reports);
        let forgetting = tokio::task::spawn_blocking(move || {
            before.map(|mut before| {
                let moves = moves.unwrap_or_else(|| Moves::between_on(&before, &now.snapshot, &SideBySide));
                before.forget_claims();
                (before, moves)
            })
        });
        let before = forgetting.await?;
        let now = Arc::clone(&reports);
        let comparing = async {
            let comparing = tokio::task::spawn_blocking(move || {
                before.map(|(before, moves)| {
                    let changes = Arc::new(compare_with(&before, &now.snapshot, moves));
                    (before, changes)
                })
            });
            let (before, changes) = comparing.await?.unzip();
            let begun = changes.clone();
            let begun = tokio::task::spawn_blocking(move || render::begin(begun.as_deref()));
            Ok::<_, anyhow::Error>((before, changes, begun))
        };
        let question = Question {
            history,
            weeks: &weeks,
            verdict: &verdict,
            rpm: settings.rpm,
            alert_budget: settings.alert_budget,
        };
        let (compared, surges) = tokio::join!(comparing, surges(&question, &reports.snapshot));
        let (compared, surges) = (compared?, surges?);
        let begun;
        (past.before, past.changes, begun) = compared;
        let reports = Arc::into_inner(reports).context("somebody still reads the week")?;
        let analysed =
            tokio::task::spawn_blocking(move || analyse(reports, verdict, besides, surges, past, &input));
        Ok((analysed.await?, begun))
    }

    /// Puts aside what was refused, and says all of it.
    async fn refuse(
        &self,
        refused: &[Refused],
        last_good: &BTreeMap<Source, (Week, ReportFacts)>,
        totals: &[WeekTotals],
        week: Week,
    ) -> anyhow::Error {
        for input in refused {
            let good = input.source.and_then(|source| last_good.get(&source));
            self.put_aside(input, good, totals, week).await;
        }
        let told: Vec<String> = refused.iter().map(|input| input.refusal.to_string()).collect();
        let message = match told.as_slice() {
            [one] => one.clone(),
            several => format!("{} reports are refused:\n  - {}", several.len(), several.join("\n  - ")),
        };
        Ended::new(Exit::InputRefused, message).into()
    }

    async fn put_aside(
        &self,
        input: &Refused,
        last_good: Option<&(Week, ReportFacts)>,
        totals: &[WeekTotals],
        week: Week,
    ) {
        let known =
            quarantine::Known { last_good, week_views: week_views(totals), rpm: self.settings.rpm, week };
        self.context.count(|tally| tally.refused += 1);
        if let Err(error) = quarantine::put_aside(self.context, input, &known).await {
            tracing::error!(input = input.name, error = format!("{error:#}"), "refused input not put aside");
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

/// The last week before that is kept as a whole: what changed is told since then.
fn last_whole(weeks: &[KeptWeek], week: Week) -> Option<Week> {
    weeks.iter().filter(|kept| kept.week < week && kept.is_whole).map(|kept| kept.week).max()
}

/// The last one whose reports were believed, else the last one: what the reports are judged by. Conflicts are not
/// counted on.
fn believed(weeks: &[KeptWeek], week: Week) -> Option<Week> {
    let is_believed = |kept: &&KeptWeek| kept.suspects.iter().all(|source| *source == Source::Conflicts);
    let whole = weeks.iter().filter(|kept| kept.week < week && kept.is_whole);
    whole.filter(is_believed).map(|kept| kept.week).max().or_else(|| last_whole(weeks, week))
}

async fn recall(history: &History, week: Option<Week>) -> anyhow::Result<Option<Snapshot>> {
    match week {
        Some(week) => history.recall(week).await,
        None => Ok(None),
    }
}

/// The views that all videos gained in the last week that is known.
fn week_views(totals: &[WeekTotals]) -> Option<u64> {
    let [.., before, last] = totals else { return None };
    last.all.views?.checked_sub(before.all.views?).filter(|_| last.week.since(before.week) == 1)
}
