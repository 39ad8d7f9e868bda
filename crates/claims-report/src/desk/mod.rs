//! The dispute desk: what is open, until when, and what is at risk.
//!
//! The weekly run asks the desk too, and goes by its reports where the desk cannot be asked. `disputes` is the desk alone,
//! for every day: it joins what the API says with what the last week of the history knows, and tells of a deadline once.
//! What was told stands in a small file of its own beside the history, so that neither of the two repeats the other.

mod ask;
mod memory;

use std::collections::{BTreeSet, HashMap};

use anyhow::Context as _;
use dn_core::task::settings::YoutubeSettings;
use dn_core::task::{Context, Exit, clock};
use dn_domain::claims::alert::{Alert, State, settle, within_budget};
use dn_domain::claims::digest::Dispute;
use dn_domain::claims::disputes::{self, Case, Since, deadline};
use dn_domain::claims::risk;
use dn_domain::claims::snapshot::{OpenStatus, Snapshot};
use dn_domain::claims::week::Week;
use dn_domain::id::{ClaimId, VideoId};
use dn_domain::number::Decimal;
use jiff::civil::Date;
use serde::Serialize;

use crate::args::Settings;
use crate::fetch::{self, day_of};
use crate::history::{History, VideoWeek};
use crate::render;
use crate::{ClaimsReport, Tally};

pub(crate) use ask::{Asked, ask, can_do_without, connect};
pub(crate) use memory::Memory;

/// Whether the desk is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Asking {
    /// Where YouTube's credentials are set.
    #[default]
    Auto,
    /// Always.
    Api,
    /// Never: by the reports alone.
    Reports,
}

impl std::str::FromStr for Asking {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "api" => Ok(Self::Api),
            "reports" => Ok(Self::Reports),
            _ => Err(format!("{text:?} is neither api nor reports nor auto")),
        }
    }
}

/// The queue of a weekly run by what the API says, its reports telling of views and of when a video was uploaded.
pub(crate) fn queue(
    asked: &Asked,
    now: &Snapshot,
    before: Option<&Snapshot>,
    today: Date,
    rpm: Decimal,
) -> Vec<Dispute> {
    let joined: Vec<Case> = asked.cases.iter().map(|case| join(case, now)).collect();
    disputes::order(&joined, today, Some(rpm), &|case| disputes::views_a_day(now, before, case))
}

fn join(case: &Case, now: &Snapshot) -> Case {
    let known = now.open_claims.binary_search_by(|claim| claim.claim_id.cmp(&case.claim_id)).ok();
    let Some(known) = known.and_then(|index| now.open_claims.get(index)) else { return case.clone() };
    Case {
        asset_id: case.asset_id.or(known.asset_id),
        video_id: case.video_id.or(known.video_id),
        channel_id: case.channel_id.or(Some(known.channel_id)),
        there_since: known.uploaded.or(case.there_since),
        ..case.clone()
    }
}

/// What the last week of the history knows of the claims and their videos.
#[derive(Default)]
struct Known {
    week: Option<Week>,
    open: HashMap<ClaimId, crate::history::OpenClaim>,
    videos: HashMap<VideoId, VideoWeek>,
    before: HashMap<VideoId, VideoWeek>,
}

impl Known {
    async fn of(history: &History, cases: &[Case]) -> anyhow::Result<Self> {
        let Some(last) = history.weeks().await?.pop().map(|kept| kept.week) else {
            return Ok(Self::default());
        };
        let open = history.open_claims(last).await?;
        let open: HashMap<_, _> = open.into_iter().map(|claim| (claim.claim_id.clone(), claim)).collect();
        let of_case =
            |case: &Case| case.video_id.or(open.get(&case.claim_id).and_then(|known| known.video_id));
        let ids: Vec<VideoId> = cases.iter().filter_map(of_case).collect();
        let (videos, before) = history
            .ask(move |tables| Ok((tables.videos(last, &ids)?, tables.videos(last.plus(-1), &ids)?)))
            .await?;
        Ok(Self { week: Some(last), open, videos, before })
    }

    fn join(&self, case: &Case) -> Case {
        let Some(known) = self.open.get(&case.claim_id) else { return case.clone() };
        let since = match case.since {
            Since::Unknown if known.status == case.status.name() => Since::Seen(known.first_seen),
            since => since,
        };
        Case {
            since,
            asset_id: case.asset_id.or(known.asset_id),
            video_id: case.video_id.or(known.video_id),
            ..case.clone()
        }
    }

    /// By the last two weeks' counters, else by what came since the last one, else the mean of the video's life.
    fn views_a_day(&self, case: &Case, today: Date) -> Option<u64> {
        let counter = |videos: &HashMap<VideoId, VideoWeek>| {
            let video = videos.get(&case.video_id?)?;
            video.views.or(video.engaged_views)
        };
        let by_weeks = || Some(counter(&self.videos)?.checked_sub(counter(&self.before)?)? / 7);
        let since_then = || {
            let days = today.duration_since(self.week?.sunday()).as_hours() / 24;
            let days = u64::try_from(days).ok().filter(|days| *days > 0)?;
            Some(case.views?.checked_sub(counter(&self.videos)?)? / days)
        };
        by_weeks().or_else(since_then).or_else(|| disputes::mean_views_a_day(case, today))
    }
}

/// The desk as programs read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sheet<'a> {
    schema_version: u32,
    day: Date,
    generated_at: String,
    /// The week of the history that views and first sights come from.
    known_by: Option<Week>,
    is_approximate: bool,
    rpm: Decimal,
    value_at_risk: Decimal,
    disputes: &'a [Dispute],
    alerts: &'a [Alert],
}

/// `disputes`: asks, joins, writes, tells.
pub(crate) async fn run(
    context: &Context<Tally>,
    settings: &Settings,
    youtube: &YoutubeSettings,
) -> anyhow::Result<Exit> {
    let summary_uri = context.run_folder()?.uri("summary.json");
    context.count(|tally| tally.summary_uri = Some(summary_uri));
    let budget = fetch::day_budget(context, youtube).await?;
    let client = connect(context, youtube, &settings.run, budget.clone()).await?;
    let asked = ask(client).await;
    if let Some(budget) = &budget {
        let saved = budget.save().await.context("the day's calls could not be kept");
        // Why it could not be asked is said before why that could not be noted.
        asked.as_ref().map_or(Ok(()), |_| saved)?;
    }
    let asked = asked?;
    let today = day_of(context.info.started_at).context("no day by Google's clock")?;
    let history = History::open(context.store()?, settings.history_retention).await?;
    let known = Known::of(&history, &asked.cases).await?;
    let cases: Vec<Case> = asked.cases.iter().map(|case| known.join(case)).collect();
    let mut queue =
        disputes::order(&cases, today, Some(settings.rpm), &|case| known.views_a_day(case, today));
    for dispute in &mut queue {
        if let Some((claim, risk)) =
            known.open.get(&dispute.claim_id).and_then(|claim| Some((claim, claim.risk?)))
        {
            risk::open::put(dispute, claim.signs, risk);
        }
    }

    let memory = Memory::load(context.store()?).await?;
    let title = |dispute: &Dispute| asked.title(&dispute.claim_id);
    let drafts = deadline::alerts(&queue, &title);
    let settled = settle(drafts, &memory.open_alerts(&history).await?, |_| true);
    let told = within_budget(settled, settings.alert_budget).told;
    let news: Vec<Alert> = told.iter().filter(|alert| alert.state == State::New).cloned().collect();
    write(context, settings, &asked, &known, today, &queue, &told).await?;
    count(context, &asked, &queue, &told, news.len());
    if !context.info.dry_run {
        memory.keep(context, told).await?;
        context.count(|tally| tally.raised = news);
    }
    Ok(Exit::Done)
}

/// Writes the desk's files into the run folder, or into a folder of their own where the report's files are wanted: there
/// lie those of the week.
async fn write(
    context: &Context<Tally>,
    settings: &Settings,
    asked: &Asked,
    known: &Known,
    day: Date,
    queue: &[Dispute],
    alerts: &[Alert],
) -> anyhow::Result<()> {
    let sheet = Sheet {
        schema_version: 1,
        day,
        generated_at: clock::event_time(context.info.started_at),
        known_by: known.week,
        is_approximate: asked.is_approximate,
        rpm: settings.rpm,
        value_at_risk: queue.iter().filter_map(|dispute| dispute.value_at_risk).sum(),
        disputes: queue,
        alerts,
    };
    let files = [
        ("disputes.csv", render::disputes_csv(queue)?),
        ("disputes.json", render::json(&sheet)?),
        ("alerts.json", render::json(&alerts)?),
    ];
    crate::weekly::write_files(context, settings.out.as_deref(), "disputes/", &files).await
}

fn count(context: &Context<Tally>, asked: &Asked, queue: &[Dispute], alerts: &[Alert], news: usize) {
    let count = |count: usize| count as u64;
    let open = alerts.iter().filter(|alert| alert.state != State::Resolved).count();
    context.count(|tally| {
        tally.disputes = Some(count(queue.len()));
        tally.critical_disputes = Some(count(queue.iter().filter(|one| one.critical).count()));
        tally.alerts = Some(count(open));
        tally.new_alerts = Some(count(news));
        tally.note_asked(asked);
        tally.queue = queue.iter().take(crate::report::SHOWN).cloned().collect();
    });
}

impl Asked {
    /// The claims that an uploader objects to.
    pub fn disputed(&self) -> BTreeSet<ClaimId> {
        let objected = |case: &&Case| matches!(case.status, OpenStatus::Disputed | OpenStatus::Appealed);
        self.cases.iter().filter(objected).map(|case| case.claim_id.clone()).collect()
    }

    /// The claimed video's title, else the claim's id.
    pub fn title(&self, claim: &ClaimId) -> String {
        let title = self.titles.get(claim).filter(|title| !title.is_empty());
        title.cloned().unwrap_or_else(|| claim.to_string())
    }
}

/// Asks the desk for a weekly run; nothing where it cannot be asked now, which is said and fails no week.
pub(crate) async fn ask_for_week(
    context: &Context<Tally>,
    settings: &Settings,
    budget: Option<std::sync::Arc<dn_core::youtube::CallBudget>>,
) -> anyhow::Result<Option<Asked>> {
    let Some(youtube) = settings.youtube.as_ref().filter(|_| settings.asks_desk) else { return Ok(None) };
    let client = connect(context, youtube, &settings.run, budget).await?;
    match ask(client).await {
        Ok(asked) => {
            context.count(|tally| tally.note_asked(&asked));
            Ok(Some(asked))
        }
        Err(error) if can_do_without(&error) => {
            tracing::error!(
                error = format!("{error:#}"),
                "desk not asked, the disputes are those of the reports"
            );
            context.count(|tally| tally.disputes_from = Some("reports"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The task's part of the state folder.
const FOLDER: &str = <ClaimsReport as dn_core::task::Task>::NAME;
