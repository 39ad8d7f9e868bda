//! From a week's inputs and its past to its digest: nothing here asks anybody for anything.

use std::collections::{BTreeMap, BTreeSet};

use dn_core::task::Exit;
use dn_domain::claims::alert::{Alert, Kind, settle, within_budget};
use dn_domain::claims::changes::Changes;
use dn_domain::claims::digest::{
    ChangeSummary, Digest, Dispute, SCHEMA_VERSION, SourceFile, SourceState, Totals,
};
use dn_domain::claims::disputes::{self, deadline};
use dn_domain::claims::mismatch;
use dn_domain::claims::movers::{WeekTotals, trends};
use dn_domain::claims::platform_habits::PlatformHabits;
use dn_domain::claims::quality::{self, Verdict, reconcile};
use dn_domain::claims::risk::{self, Signs, Weights};
use dn_domain::claims::snapshot::{OpenClaim, ReportFacts, Snapshot, Source};
use dn_domain::claims::unusual::{self, Habits};
use dn_domain::claims::week::Week;
use dn_domain::claims::{cross_platform, engagement, live, rights_conflicts};
use dn_domain::id::{ChannelId, ClaimId};
use dn_domain::number::Decimal;
use dn_domain::partner_channels::PartnerChannels;
use hashbrown::{HashMap, HashSet};
use jiff::civil::Date;

use crate::database::Database;
use crate::desk::{self, Asked};
use crate::history::NotedClaim;
use crate::inputs::{Besides, ReportRead, Reports};
use crate::risks;
use crate::surges::Surges;

/// So many movers of each kind are shown.
const MOVERS: usize = 10;

/// So many changes stand in the digest; all of them in `changes.csv`.
const DIGEST_CHANGES: usize = 200;

/// What the history knows of the weeks before.
#[derive(Default)]
pub(crate) struct Past {
    /// The last week, that this one was compared with; its claims are forgotten.
    pub before: Option<Snapshot>,
    /// What changed since.
    pub changes: Option<Changes>,
    /// What assets, references and channels use to be.
    pub habits: Habits,
    /// What the other platforms counted.
    pub platform_habits: PlatformHabits,
    /// The sums of the weeks before, the oldest first.
    pub totals: Vec<WeekTotals>,
    /// The last week's alerts, held-back ones included.
    pub alerts: Vec<Alert>,
    /// When each claim was first seen in its status, by the last week's open claims.
    pub first_seen: BTreeMap<(ClaimId, String), Week>,
    /// Of the uploaders with much at stake those who disputed a claim in a week before.
    pub disputing: HashSet<ChannelId>,
    /// The platforms that the last week heard of.
    pub platforms: BTreeSet<String>,
    /// The last good report of each kind.
    pub last_good: BTreeMap<Source, (Week, ReportFacts)>,
}

/// What the analysis goes by.
pub(crate) struct Input {
    pub week: Week,
    /// RFC 3339.
    pub generated_at: String,
    /// The day on which the report is made.
    pub today: Date,
    pub rpm: Decimal,
    pub alert_budget: usize,
    /// None where no endpoint is set.
    pub database: Option<Database>,
    /// What is open by the Content ID API; none where it was not asked.
    pub asked: Option<Asked>,
    /// Whether it was asked in vain.
    pub is_desk_missing: bool,
    /// How likely a claim is to be disputed.
    pub weights: Weights,
}

impl Input {
    fn partners(&self) -> Option<&PartnerChannels> {
        self.database.as_ref().map(|database| &database.partners)
    }

    fn has_stored_videos(&self) -> bool {
        self.database.as_ref().is_some_and(Database::has_videos)
    }
}

/// A week as it came out.
pub(crate) struct Made {
    pub digest: Digest,
    pub changes: Option<Changes>,
    pub snapshot: Snapshot,
    pub totals: WeekTotals,
    /// All alerts and whether they are told, the quality findings among them.
    pub alerts: Vec<(Alert, bool)>,
    pub verdict: Verdict,
    pub reports: Vec<ReportRead>,
    pub besides: Besides,
    pub rejected_rows: u64,
    /// When each open claim was first seen in its status, in the order of [`Snapshot::open_claims`].
    pub first_seen: Vec<Week>,
    /// Their reasons and risks, likewise.
    pub open_risks: Vec<(Signs, Decimal)>,
    /// The videos that the told alerts are about.
    pub wanted: Vec<live::Wanted>,
    /// Claims that are looked after from this week on.
    pub noted: Vec<NotedClaim>,
    /// Claims that the Content ID API says are disputed.
    pub disputed: BTreeSet<ClaimId>,
    pub exit: Exit,
}

/// Whether the reports can be believed, held against the last week whose reports were.
pub(crate) fn judge(reports: &Reports, believed: Option<&Snapshot>, input: &Input) -> Verdict {
    let dates: HashMap<Source, Date> =
        reports.read.iter().filter_map(|report| Some((report.source, report.date?))).collect();
    let partners = input.partners();
    let is_partner = |channel| partners.is_some_and(|partners| partners.get(channel).is_some());
    let context = quality::Context { dates: &dates, is_partner: &is_partner, rpm: Some(input.rpm) };
    quality::judge(&reports.snapshot, believed, &context)
}

/// Sums up.
pub(crate) fn analyse(
    reports: Reports,
    verdict: Verdict,
    besides: Besides,
    surges: Surges,
    mut past: Past,
    input: &Input,
) -> Made {
    let Reports { snapshot, read, rejected_rows, .. } = reports;
    let changes = past.changes.take();
    let past = &past;
    let before = past.before.as_ref();
    let partners = input.partners();

    let mut drafts = verdict.findings.clone();
    let risks = risks::assess(&snapshot, &surges.alerts, &past.disputing, input);
    drafts.extend(risks::alerts(&risks.candidates, &snapshot, input));
    let noted = risks::noted(&risks.candidates, input.week, &verdict);
    drafts.extend(quality::departures(&surges.departed, &verdict, &snapshot, before, Some(input.rpm)));
    drafts.extend(surges.alerts);
    drafts.extend(besides.platforms.judge(input.week, &past.platforms));
    drafts.extend(besides.refused.iter().map(|refused| quality::refused(&refused.name, &refused.refusal)));
    if let Some(partners) = partners {
        drafts.extend(mismatch::alerts(&mismatch::mismatches(&snapshot, partners), &snapshot));
    }
    let unusual = unusual::Inputs {
        now: &snapshot,
        before,
        changes: changes.as_ref(),
        verdict: &verdict,
        habits: &past.habits,
        rpm: input.rpm,
        last: &past.alerts,
    };
    drafts.extend(unusual::alerts(&unusual));
    let (platforms, habits) = (&besides.platforms, &past.platform_habits);
    drafts.extend(cross_platform::alerts(&snapshot, platforms, input.week, habits, input.rpm));
    drafts.extend(engagement::alerts(&snapshot, platforms, input.week, habits));
    if let Some((_, book, _)) = &besides.rights {
        drafts.extend(rights_conflicts::alerts(book, &snapshot));
    }
    let seen = |claim: &OpenClaim| {
        past.first_seen.get(&(claim.claim_id.clone(), claim.status.name().to_owned())).copied()
    };
    let mut queue = if let Some(asked) = &input.asked {
        desk::queue(asked, &snapshot, before, input.today, input.rpm)
    } else {
        let context = disputes::Context { today: input.today, rpm: Some(input.rpm), first_seen: &seen };
        disputes::queue(&snapshot, before, &context)
    };
    for dispute in &mut queue {
        let place = snapshot.open_claims.binary_search_by(|claim| claim.claim_id.cmp(&dispute.claim_id));
        if let Some((signs, risk)) = place.ok().and_then(|place| risks.open.get(place)) {
            risk::open::put(dispute, *signs, *risk);
        }
    }
    let title = |dispute: &Dispute| match (&input.asked, dispute.asset_id.and_then(|id| snapshot.asset(id))) {
        (Some(asked), _) => asked.title(&dispute.claim_id),
        (None, Some(asset)) => snapshot.text(asset.title).to_owned(),
        (None, None) => dispute.claim_id.to_string(),
    };
    drafts.extend(deadline::alerts(&queue, &title));
    let settled = settle(drafts, &past.alerts, |alert| match alert.kind {
        Kind::RightsConflict => besides.rights.is_some(),
        Kind::CrossPlatform | Kind::EngagementSpike => platforms.has_week(input.week),
        _ => unusual.is_judged(alert).unwrap_or_else(|| is_judged(alert, &snapshot, &verdict, input)),
    });
    let (quality, findings): (Vec<Alert>, Vec<Alert>) =
        settled.into_iter().partition(|alert| alert.kind.is_quality());
    let budgeted = within_budget(findings, input.alert_budget);

    let wanted = live::wanted(&budgeted.told, &snapshot, before);
    let first_seen = snapshot.open_claims.iter().map(|claim| seen(claim).unwrap_or(input.week)).collect();

    let totals = WeekTotals::of(&snapshot);
    let mut all_totals = past.totals.clone();
    all_totals.push(totals.clone());
    let digest = Digest {
        schema_version: SCHEMA_VERSION,
        week: input.week,
        generated_at: input.generated_at.clone(),
        sources: sources(&snapshot, &read, &besides, past, input),
        totals: Totals::of(
            &totals,
            past.totals.iter().rev().find(|totals| totals.week < input.week),
            &budgeted.told,
        ),
        trends: trends(&all_totals, input.week, MOVERS),
        held_back_count: budgeted.held_back.len() as u64,
        rpm: Some(input.rpm),
        changes: changes
            .as_ref()
            .map(|changes| ChangeSummary::of(changes, DIGEST_CHANGES))
            .unwrap_or_default(),
        disputes: queue,
        alerts: budgeted.told.clone(),
        quality: quality.clone(),
    };
    let told = quality.into_iter().chain(budgeted.told).map(|alert| (alert, true));
    let held_back = budgeted.held_back.into_iter().map(|alert| (alert, false));
    let somebody_must_look = rejected_rows + besides.rejected_rows > 0 || !besides.refused.is_empty();
    Made {
        alerts: told.chain(held_back).collect(),
        exit: if somebody_must_look { Exit::RowsFailed } else { Exit::Done },
        rejected_rows: rejected_rows + besides.rejected_rows,
        digest,
        changes,
        snapshot,
        totals,
        verdict,
        reports: read,
        besides,
        first_seen,
        open_risks: risks.open,
        wanted,
        noted,
        disputed: input.asked.as_ref().map(Asked::disputed).unwrap_or_default(),
    }
}

/// Whether an alert that was open could be found again this week; where not, it stays open.
fn is_judged(alert: &Alert, snapshot: &Snapshot, verdict: &Verdict, input: &Input) -> bool {
    let is_good =
        |source: Source| snapshot.reports.contains_key(&source) && !verdict.suspect_reports.contains(&source);
    match alert.kind {
        // What is wrong with the data is seen each week anew; a channel only in a video report that can be believed.
        kind if kind.is_quality() => alert.subject.kind != "channel" || is_good(Source::Videos),
        Kind::Viral if alert.subject.kind == "asset" => is_good(Source::Assets),
        Kind::Viral => is_good(Source::Videos),
        Kind::DisputeDeadline if input.asked.is_some() => true,
        Kind::DisputeDeadline | Kind::DisputeRisk => is_good(Source::Claims),
        Kind::CustomIdMismatch => {
            let is_seen = !mismatch::rests_on_database(alert) || input.has_stored_videos();
            is_seen && input.partners().is_some() && is_good(Source::Assets) && is_good(Source::Videos)
        }
        _ => Source::ALL.into_iter().all(|source| source == Source::Conflicts || is_good(source)),
    }
}

/// The inputs, and what became of each.
fn sources(
    snapshot: &Snapshot,
    read: &[ReportRead],
    besides: &Besides,
    past: &Past,
    input: &Input,
) -> Vec<SourceFile> {
    let reports = Source::ALL.into_iter().map(|source| {
        let report = read.iter().find(|report| report.source == source);
        let facts = snapshot.reports.get(&source).cloned();
        let uri = report.map(|report| report.uri.clone()).unwrap_or_default();
        let before = past.last_good.get(&source).map(|(week, facts)| (*week, facts));
        let reconciliation = reconcile(source, before, facts.as_ref());
        SourceFile {
            reconciliation: Some(reconciliation).filter(|one| one.before.is_some()),
            ..SourceFile::report(source, uri, report.and_then(|report| report.date), facts)
        }
    });
    let file = |name: &str, uri: &str, state, facts: Option<ReportFacts>| SourceFile {
        name: name.to_owned(),
        uri: uri.to_owned(),
        date: None,
        state,
        facts,
        reconciliation: None,
    };
    let platforms = besides
        .platform_files
        .iter()
        .map(|(name, uri, facts)| file(name, uri, SourceState::Used, Some(facts.clone())));
    let rights = besides
        .rights
        .iter()
        .map(|(uri, _, facts)| file("rights records", uri, SourceState::Used, Some(facts.clone())));
    let refused =
        besides.refused.iter().map(|refused| file(&refused.name, &refused.uri, SourceState::Refused, None));
    let partners = match input.partners() {
        Some(partners) => {
            let count = partners.len() as u64;
            let facts = ReportFacts {
                rows: count,
                used: count,
                entries: count,
                channels: count,
                ..ReportFacts::default()
            };
            file("partner channels", "", SourceState::Used, Some(facts))
        }
        None => file("partner channels", "", SourceState::Missing, None),
    };
    let facts = input.database.as_ref().and_then(Database::video_facts);
    let state = if facts.is_some() { SourceState::Used } else { SourceState::Missing };
    let videos = file("videos of the database", "", state, facts);
    let desk = input.asked.as_ref().map(|asked| {
        let count = asked.cases.len() as u64;
        let facts = ReportFacts {
            rows: count + asked.unreadable,
            used: count,
            rejected: asked.unreadable,
            entries: count,
            ..ReportFacts::default()
        };
        file("claim search", "", SourceState::Used, Some(facts))
    });
    let missing = || file("claim search", "", SourceState::Missing, None);
    let desk = desk.or_else(|| input.is_desk_missing.then(missing));
    reports.chain(platforms).chain(rights).chain(refused).chain([partners, videos]).chain(desk).collect()
}
