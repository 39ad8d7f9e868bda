//! One week from its inputs to its digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use dn_core::task::{Ended, Exit, clock};
use dn_domain::claims::changes::{Change, Changes, Moves, changed_numbers};
use dn_domain::claims::movers::WeekTotals;
use dn_domain::claims::snapshot::{ReportFacts, Snapshot, Source};
use dn_domain::claims::week::Week;
use dn_domain::id::ChannelId;

use super::Frame;
use crate::analysis::{Input, Made, Past, analyse, judge};
use crate::desk::{Asked, Memory};
use crate::fetch::{self, day_of};
use crate::history::{History, KeptWeek};
use crate::in_two::SideBySide;
use crate::inputs::{self, Besides, Refused, Reports};
use crate::surges::{Question, surges};
use crate::{past, quarantine};

/// Weeks of totals that the trends need besides the week itself: eleven, and one before the first for its gain.
const PAST_WEEKS: i32 = 12;

/// A week's inputs, and what its reports are held against.
struct Gathered {
    reports: Reports,
    besides: Besides,
    last_good: BTreeMap<Source, (Week, ReportFacts)>,
    totals: Vec<WeekTotals>,
}

/// A week's inputs and its past.
struct Known {
    reports: Reports,
    besides: Besides,
    past: Past,
    /// The last week whose reports were believed.
    believed: Option<Snapshot>,
}

impl Frame<'_> {
    /// One week from its inputs to its digest. Once it is known what changed of its assets `start` is told: what it begins
    /// may go on beside the rest.
    pub(super) async fn make<B>(
        &mut self,
        history: &History,
        week: Week,
        asked: Option<Asked>,
        start: impl FnOnce(Arc<Vec<Change>>) -> B,
    ) -> anyhow::Result<(Made, B)> {
        let gathered = self.gather(history, week).await?;
        let weeks = history.weeks().await?;
        let Known { reports, besides, mut past, believed } =
            self.look_back(history, &weeks, week, gathered).await?;
        let input = self.input(week, asked);
        // Comparing a million videos is no work for the threads that keep the lock alive.
        let judging = tokio::task::spawn_blocking(move || {
            let verdict = judge(&reports, believed.as_ref(), &input);
            (reports, verdict, input, believed)
        });
        let (reports, verdict, input, believed) = judging.await?;
        // Nearly always the last week is also the last that was believed.
        let last = last_whole(&weeks, week);
        let before = match believed {
            Some(believed) if Some(believed.week) == last => Some(believed),
            other => {
                drop(other);
                recall(history, last).await?
            }
        };
        let reports = Arc::new(reports);
        let begun;
        (past.before, past.changes, begun) = match before {
            Some(before) => {
                let (before, changes, begun) = compare(before, Arc::clone(&reports), start).await?;
                (Some(before), Some(changes), begun)
            }
            None => (None, None, start(Arc::default())),
        };
        let question = Question {
            history,
            weeks: &weeks,
            verdict: &verdict,
            rpm: self.settings.rpm,
            alert_budget: self.settings.alert_budget,
        };
        let surges = surges(&question, &reports.snapshot).await?;
        let reports = Arc::into_inner(reports).context("somebody still reads the week")?;
        let analysed =
            tokio::task::spawn_blocking(move || analyse(reports, verdict, besides, surges, past, &input));
        Ok((analysed.await?, begun))
    }

    /// Reads a week's inputs. Where a report is refused nothing but that is said and done.
    async fn gather(&mut self, history: &History, week: Week) -> anyhow::Result<Gathered> {
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
        Ok(Gathered { reports, besides, last_good, totals })
    }

    /// What the history knows of the weeks before.
    async fn look_back(
        &self,
        history: &History,
        weeks: &[KeptWeek],
        week: Week,
        gathered: Gathered,
    ) -> anyhow::Result<Known> {
        let Gathered { reports, besides, last_good, totals } = gathered;
        // One week is recalled beside the habits' series, and no second one with it: two weeks at hand are the most that
        // memory has to hold.
        let habits = history.ask(move |tables| {
            let habits = past::habits(tables, &reports.snapshot)?;
            Ok((reports, habits))
        });
        let (believed, habits) = tokio::join!(recall(history, believed(weeks, week)), habits);
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
        if week >= fetch::last_complete(self.context.info.started_at)? {
            // What the desk has told since is no news.
            let memory = Memory::load(self.context.store()?).await?;
            past.alerts = memory.after(past.alerts, &last_made);
        }
        Ok(Known { reports, besides, past, believed })
    }

    fn input(&self, week: Week, asked: Option<Asked>) -> Input {
        let (context, settings) = (self.context, self.settings);
        Input {
            week,
            generated_at: clock::event_time(context.info.started_at),
            today: day_of(context.info.started_at).unwrap_or_else(|| week.sunday()),
            rpm: settings.rpm,
            alert_budget: settings.alert_budget,
            database: self.database.clone(),
            weights: self.weights,
            is_desk_missing: asked.is_none() && context.tally().disputes_from.is_some(),
            asked,
        }
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
}

/// Compares a week with the last one, and gives that without its claims. `start` is told of the assets while the claims,
/// millions of them, are still compared.
async fn compare<B>(
    before: Snapshot,
    now: Arc<Reports>,
    start: impl FnOnce(Arc<Vec<Change>>) -> B,
) -> anyhow::Result<(Snapshot, Changes, B)> {
    let before = Arc::new(before);
    let both = || (Arc::clone(&before), Arc::clone(&now));
    let (was, is) = both();
    let numbers = tokio::task::spawn_blocking(move || changed_numbers(&was, &is.snapshot));
    let (was, is) = both();
    let moves = tokio::task::spawn_blocking(move || Moves::between_on(&was, &is.snapshot, &SideBySide));
    let rows = Arc::new(numbers.await?);
    let begun = start(Arc::clone(&rows));
    let moves = moves.await?;
    let mut before = Arc::into_inner(before).context("somebody still reads the last week")?;
    let forgetting = tokio::task::spawn_blocking(move || {
        before.forget_claims();
        before
    });
    let before = forgetting.await?;
    let changes = Changes::new(&before, &now.snapshot, rows, moves);
    Ok((before, changes, begun))
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
