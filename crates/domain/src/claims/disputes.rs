//! What is open and until when: the queue of the rights manager.
//!
//! The claim report has no dates of disputes. What it alone can tell is the week in which a claim was first seen in its
//! state; the uploader objected at the latest then, so a deadline counted from that week's Monday is an estimate on the
//! safe side as long as no report was missed. A dispute and a potential claim live thirty days, an appeal seven; a claim
//! that expires is released and cannot be made active again.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::digest::Dispute;
use super::links;
use super::snapshot::{OpenClaim, OpenStatus, Snapshot};
use super::week::Week;
use crate::id::VideoId;
use crate::number::Decimal;

/// Days that a dispute or a potential claim is open.
pub const DISPUTE_DAYS: i64 = 30;

/// Days that an appeal is open.
pub const APPEAL_DAYS: i64 = 7;

/// What is known beside the reports.
pub struct Context<'a> {
    /// The day on which the queue is made; days are counted from it.
    pub today: Date,
    /// What a thousand views are worth.
    pub rpm: Option<Decimal>,
    /// The week in which a claim was first seen in its status; none for one that is new.
    pub first_seen: &'a dyn Fn(&OpenClaim) -> Option<Week>,
}

/// The open claims of a week in working order: value at risk, then days left.
pub fn queue(now: &Snapshot, before: Option<&Snapshot>, context: &Context<'_>) -> Vec<Dispute> {
    let mut queue: Vec<Dispute> =
        now.open_claims.iter().map(|claim| open(now, before, context, claim)).collect();
    queue.sort_by(|a, b| {
        let key = |dispute: &Dispute| {
            (std::cmp::Reverse(dispute.value_at_risk), dispute.days_left.unwrap_or(i32::MAX))
        };
        key(a).cmp(&key(b)).then_with(|| a.claim_id.cmp(&b.claim_id))
    });
    queue
}

fn open(now: &Snapshot, before: Option<&Snapshot>, context: &Context<'_>, claim: &OpenClaim) -> Dispute {
    let first_seen = (context.first_seen)(claim).unwrap_or(now.week);
    let lives = match claim.status {
        OpenStatus::Appealed => Some(APPEAL_DAYS),
        OpenStatus::Disputed | OpenStatus::Potential => Some(DISPUTE_DAYS),
        OpenStatus::RoutedForReview | OpenStatus::Pending => None,
    };
    let deadline = lives.map(|days| first_seen.monday().saturating_add(days.days()));
    let days_left = deadline.map(|deadline| days_between(context.today, deadline));
    let views_a_day = views_a_day(now, before, claim);
    // What is left of its time, one day at least: a claim in its last hours is not worthless.
    let days = days_left.map_or(DISPUTE_DAYS, i64::from).clamp(1, DISPUTE_DAYS);
    let value_at_risk = views_a_day
        .zip(context.rpm)
        .map(|(views, rpm)| rpm.for_views(views.saturating_mul(days.unsigned_abs())).rounded(2));
    let critical = claim.status == OpenStatus::Appealed;
    let mut reasons = vec![claim.status.name().to_owned()];
    if deadline.is_some() {
        reasons.push("deadline_estimated".to_owned());
    }
    let action = match (claim.status, days_left) {
        (OpenStatus::Appealed | OpenStatus::Disputed, Some(left)) if left < 0 => {
            "see whether it is still open; its time is probably over"
        }
        (OpenStatus::Appealed, _) => "release it or ask for a takedown before the seven days are over",
        (OpenStatus::Disputed, _) => "release it or uphold it",
        (OpenStatus::Potential | OpenStatus::RoutedForReview, _) => "decide whether to claim",
        (OpenStatus::Pending, _) => "see what it waits for",
    };
    Dispute {
        claim_id: claim.claim_id.clone(),
        asset_id: claim.asset_id,
        video_id: claim.video_id,
        status: claim.status.name().to_owned(),
        deadline,
        days_left,
        estimate: deadline.is_some(),
        critical,
        value_at_risk,
        risk: None,
        reasons,
        action: action.to_owned(),
        link: match (claim.video_id, claim.asset_id) {
            (Some(video), _) => links::video(video),
            (None, Some(asset)) => links::asset(asset),
            (None, None) => links::channel(claim.channel_id),
        },
    }
}

/// Views a day of the claimed video: by two weeks' counters where both know it, else its whole life's mean.
fn views_a_day(now: &Snapshot, before: Option<&Snapshot>, claim: &OpenClaim) -> Option<u64> {
    let counter = |snapshot: &Snapshot, id: VideoId| {
        let video = snapshot.videos.binary_search_by_key(&id, |video| video.id).ok();
        let video = video.and_then(|index| snapshot.videos.get(index))?;
        video.views.get().or(video.engaged_views.get())
    };
    let gained = before.zip(claim.video_id).and_then(|(before, video)| {
        let weeks = u64::try_from(now.week.since(before.week)).ok().filter(|weeks| *weeks > 0)?;
        let gain = counter(now, video)?.checked_sub(counter(before, video)?)?;
        Some(gain / (weeks * 7))
    });
    gained.or_else(|| {
        let age = claim.uploaded.map_or(1, |day| days_between(day, now.week.sunday()) + 1);
        Some(claim.views? / u64::try_from(age.max(1)).unwrap_or(1))
    })
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
                "c2,UC0000000000000000000001,A000000000000001,vid2_______,r1,PENDING,APPEALED,x,70,30,2026-01-01",
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
        c1 disputed 2026-11-25 0 about  (4) release it or uphold it https://studio.youtube.com/video/vid1_______/copyright
        c2 appealed 2026-11-23 -2 about critical (0.14) see whether it is still open; its time is probably over https://studio.youtube.com/video/vid2_______/copyright
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
