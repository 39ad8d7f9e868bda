//! What is open and until when: the queue of the rights manager.
//!
//! A dispute and a potential claim live thirty days from the uploader's objection, an appeal seven; a claim that expires
//! is released and cannot be made active again. When the uploader objected stands in the claim's history. Where there is
//! none to be had, the time of the claim's last status is the next best, and it may be a later one. The claim report has
//! no dates at all: what it alone can tell is the week in which a claim was first seen in its state; the uploader
//! objected at the latest then, so a deadline counted from that week's Monday is an estimate on the safe side as long as
//! no report was missed.

pub mod deadline;

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::digest::Dispute;
use super::links;
use super::snapshot::{OpenClaim, OpenStatus, Snapshot};
use super::week::Week;
use crate::id::{AssetId, ChannelId, ClaimId, VideoId};
use crate::number::Decimal;

/// Days that a dispute or a potential claim is open.
pub const DISPUTE_DAYS: i64 = 30;

/// Days that an appeal is open.
pub const APPEAL_DAYS: i64 = 7;

/// So few days left that there may be no other report before the end.
pub const CRITICAL_DAYS: i32 = 3;

/// A deadline counted from a week is early by so many days at most.
const WEEK_SLACK_DAYS: i32 = 6;

/// What is known beside the reports.
pub struct Context<'a> {
    /// The day on which the queue is made; days are counted from it.
    pub today: Date,
    /// What a thousand views are worth.
    pub rpm: Option<Decimal>,
    /// The week in which a claim was first seen in its status; none for one that is new.
    pub first_seen: &'a dyn Fn(&OpenClaim) -> Option<Week>,
}

/// Since when a claim is in its status, from the best to the least that can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The uploader objected on this day, as the claim's history has it.
    Objection(Date),
    /// The claim got its status on this day.
    Status(Date),
    /// It was first seen in its status in this week's report.
    Seen(Week),
    /// Nobody says.
    Unknown,
}

impl Since {
    fn day(self) -> Option<Date> {
        match self {
            Self::Objection(day) | Self::Status(day) => Some(day),
            Self::Seen(week) => Some(week.monday()),
            Self::Unknown => None,
        }
    }
}

/// A claim that waits for somebody, from wherever it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The claim.
    pub claim_id: ClaimId,
    /// What it waits for.
    pub status: OpenStatus,
    /// Since when.
    pub since: Since,
    /// Its asset.
    pub asset_id: Option<AssetId>,
    /// The claimed video.
    pub video_id: Option<VideoId>,
    /// The channel of that video.
    pub channel_id: Option<ChannelId>,
    /// Lifetime views of the video.
    pub views: Option<u64>,
    /// The first day on which the video was surely there: its upload, else the day of the claim.
    pub there_since: Option<Date>,
}

/// The open claims that a week's reports show.
pub fn cases(now: &Snapshot, first_seen: &dyn Fn(&OpenClaim) -> Option<Week>) -> Vec<Case> {
    let case = |claim: &OpenClaim| Case {
        claim_id: claim.claim_id.clone(),
        status: claim.status,
        since: Since::Seen(first_seen(claim).unwrap_or(now.week)),
        asset_id: claim.asset_id,
        video_id: claim.video_id,
        channel_id: Some(claim.channel_id),
        views: claim.views,
        there_since: claim.uploaded.or(claim.created),
    };
    now.open_claims.iter().map(case).collect()
}

/// The open claims of a week in working order, by its reports alone.
pub fn queue(now: &Snapshot, before: Option<&Snapshot>, context: &Context<'_>) -> Vec<Dispute> {
    let cases = cases(now, context.first_seen);
    order(&cases, context.today, context.rpm, &|case| views_a_day(now, before, case))
}

/// Open claims in working order: value at risk, then days left.
pub fn order(
    cases: &[Case],
    today: Date,
    rpm: Option<Decimal>,
    views_a_day: &dyn Fn(&Case) -> Option<u64>,
) -> Vec<Dispute> {
    let mut queue: Vec<Dispute> =
        cases.iter().map(|case| open(case, today, rpm, views_a_day(case))).collect();
    queue.sort_by(|a, b| {
        let key = |dispute: &Dispute| {
            (std::cmp::Reverse(dispute.value_at_risk), dispute.days_left.unwrap_or(i32::MAX))
        };
        key(a).cmp(&key(b)).then_with(|| a.claim_id.cmp(&b.claim_id))
    });
    queue
}

fn open(case: &Case, today: Date, rpm: Option<Decimal>, views_a_day: Option<u64>) -> Dispute {
    let lives = match case.status {
        OpenStatus::Appealed => Some(APPEAL_DAYS),
        OpenStatus::Disputed | OpenStatus::Potential => Some(DISPUTE_DAYS),
        OpenStatus::RoutedForReview | OpenStatus::Pending => None,
    };
    let deadline = lives.zip(case.since.day()).map(|(days, since)| since.saturating_add(days.days()));
    let days_left = deadline.map(|deadline| days_between(today, deadline));
    let estimate = deadline.is_some() && !matches!(case.since, Since::Objection(_));
    // What is left of its time, one day at least: a claim in its last hours is not worthless.
    let days = days_left.map_or(DISPUTE_DAYS, i64::from).clamp(1, DISPUTE_DAYS);
    let value_at_risk = views_a_day
        .zip(rpm)
        .map(|(views, rpm)| rpm.for_views(views.saturating_mul(days.unsigned_abs())).rounded(2));
    let mut reasons = vec![case.status.name().to_owned()];
    if estimate {
        reasons.push("deadline_estimated".to_owned());
    }
    let action = match (case.status, days_left) {
        (OpenStatus::Appealed | OpenStatus::Disputed | OpenStatus::Potential, Some(left)) if left < 0 => {
            "see whether it is still open; its time is probably over"
        }
        (OpenStatus::Appealed, _) => "release it or ask for a takedown before the seven days are over",
        (OpenStatus::Disputed, _) => "release it or uphold it",
        (OpenStatus::Potential | OpenStatus::RoutedForReview, _) => "decide whether to claim",
        (OpenStatus::Pending, _) => "see what it waits for",
    };
    Dispute {
        claim_id: case.claim_id.clone(),
        asset_id: case.asset_id,
        video_id: case.video_id,
        status: case.status.name().to_owned(),
        deadline,
        days_left,
        estimate,
        critical: case.status == OpenStatus::Appealed || is_near(days_left, estimate, CRITICAL_DAYS),
        value_at_risk,
        risk: None,
        reasons,
        action: action.to_owned(),
        link: link(case),
    }
}

/// Whether so few days are left, or none, and it is not sure yet that the time is over: then nobody can do anything.
fn is_near(days_left: Option<i32>, estimate: bool, days: i32) -> bool {
    let slack = if estimate { WEEK_SLACK_DAYS } else { 0 };
    days_left.is_some_and(|left| (-slack..=days).contains(&left))
}

fn link(case: &Case) -> String {
    match (case.video_id, case.asset_id, case.channel_id) {
        (Some(video), _, _) => links::video(video),
        (None, Some(asset), _) => links::asset(asset),
        (None, None, Some(channel)) => links::channel(channel),
        (None, None, None) => String::new(),
    }
}

/// Views a day of the claimed video: by two weeks' counters where both know it, else the mean of its life.
pub fn views_a_day(now: &Snapshot, before: Option<&Snapshot>, case: &Case) -> Option<u64> {
    let counter = |snapshot: &Snapshot, id: VideoId| {
        let video = snapshot.videos.binary_search_by_key(&id, |video| video.id).ok();
        let video = video.and_then(|index| snapshot.videos.get(index))?;
        video.views.get().or(video.engaged_views.get())
    };
    let gained = before.zip(case.video_id).and_then(|(before, video)| {
        let weeks = u64::try_from(now.week.since(before.week)).ok().filter(|weeks| *weeks > 0)?;
        let gain = counter(now, video)?.checked_sub(counter(before, video)?)?;
        Some(gain / (weeks * 7))
    });
    gained.or_else(|| mean_views_a_day(case, now.week.sunday()))
}

/// The mean of the video's views over its life up to a day; none where its age is not known.
pub fn mean_views_a_day(case: &Case, today: Date) -> Option<u64> {
    let age = days_between(case.there_since?, today) + 1;
    Some(case.views? / u64::try_from(age.max(1)).unwrap_or(1))
}

fn days_between(from: Date, to: Date) -> i32 {
    i32::try_from(to.duration_since(from).as_hours() / 24).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::world::{World, rows, week};

    fn world(index: i32, views: u64) -> World {
        World {
            claims: rows(&[
                "c1,UC0000000000000000000001,A000000000000001,vid1_______,r1,PENDING,DISPUTED,x,700,30,2026-01-01",
                "c2,UC0000000000000000000001,A000000000000001,vid2_______,r1,PENDING,APPEALED,x,70000,30,2026-01-01",
                "c3,UC0000000000000000000001,A000000000000001,vid3_______,r1,ACTIVE,,x,7,30,2026-01-01",
                "c4,UC0000000000000000000001,,vid4_______,r1,PENDING,ROUTED_FOR_REVIEW,x,,30,",
                "c1,UC0000000000000000000001,A000000000000001,vid1_______,r1,PENDING,,x,700,30,2026-01-01",
            ]),
            videos: rows(&[&format!(
                "vid1_______,UC0000000000000000000001,,,{views},,A000000000000001,"
            )]),
            ..World::default()
        }
        .in_week(index)
    }

    fn shown(disputes: &[Dispute]) -> String {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let lines = disputes.iter().map(|one| {
            format!(
                "{} {} {} {} {} {} ({}) {} {}\n",
                one.claim_id,
                one.status,
                text(one.deadline.map(|day| day.to_string())),
                text(one.days_left.map(|days| days.to_string())),
                if one.estimate { "about" } else { "exactly" },
                if one.critical { "critical" } else { "" },
                text(one.value_at_risk.map(|value| value.to_string())),
                one.action,
                one.link
            )
        });
        lines.collect()
    }

    #[test]
    fn what_is_open_stands_in_working_order_with_the_days_that_are_left() {
        let (before, now) = (world(-1, 1_000).snapshot(), world(0, 15_000).snapshot());
        let context = Context {
            today: "2026-11-25".parse().unwrap(),
            rpm: Some("2".parse().unwrap()),
            first_seen: &|claim| (claim.claim_id.as_str() == "c1").then(|| week(-3)),
        };
        insta::assert_snapshot!(shown(&queue(&now, Some(&before), &context)), @r#"
        c1 disputed 2026-11-25 0 about critical (4) release it or uphold it https://studio.youtube.com/video/vid1_______/copyright
        c2 appealed 2026-11-23 -2 about critical (0.43) see whether it is still open; its time is probably over https://studio.youtube.com/video/vid2_______/copyright
        c4 routed_for_review - - exactly  (-) decide whether to claim https://studio.youtube.com/video/vid4_______/copyright
        "#);
    }

    #[test]
    fn without_a_price_nothing_is_valued_and_a_new_claim_counts_from_its_week() {
        let context = Context { today: "2026-11-25".parse().unwrap(), rpm: None, first_seen: &|_| None };
        let queue = queue(&world(0, 1).snapshot(), None, &context);
        let days: Vec<_> =
            queue.iter().map(|one| (one.status.as_str(), one.days_left, one.value_at_risk)).collect();
        assert_eq!(
            days,
            [("appealed", Some(-2), None), ("disputed", Some(21), None), ("routed_for_review", None, None)]
        );
    }

    #[test]
    fn the_order_of_rows_changes_nothing_of_what_is_open() {
        let world = world(0, 5);
        assert_eq!(world.snapshot().open_claims, world.shuffled(77).snapshot().open_claims);
        assert_eq!(world.snapshot().open_claims.len(), 3);
    }
}
