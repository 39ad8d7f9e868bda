//! The open claims of the last week, as the partner API tells of them.

use jiff::{SignedDuration, Timestamp};

use crate::weeks::claim::{Claim, Dispute};
use crate::weeks::model::Asset;
use crate::weeks::plan::Plan;
use crate::youtube::{ClaimEvent, ClaimRecord};

/// The asset's claims that wait for somebody.
pub(super) fn of(plan: &Plan, asset: &Asset) -> Vec<ClaimRecord> {
    let is_open = |claim: &&Claim| claim.released.is_none_or(|released| released > plan.story.last);
    let waiting = asset.claims.iter().filter(is_open);
    waiting.filter_map(|claim| Some(record(plan, asset, claim, claim.dispute?))).collect()
}

fn record(plan: &Plan, asset: &Asset, claim: &Claim, dispute: Dispute) -> ClaimRecord {
    let created = made(plan, claim).min(dispute.since - SignedDuration::from_hours(30));
    let mut events = vec![ClaimEvent::new(created, "claim_create").by("Content ID")];
    let status = match (dispute.is_review, dispute.appealed) {
        (true, _) => "potential",
        (false, None) => "disputed",
        (false, Some(_)) => "appealed",
    };
    if !dispute.is_review {
        events.push(
            ClaimEvent::new(dispute.since, "dispute_create")
                .by("uploader")
                .mail("uploader@example.com")
                .detail("disputeReason", "license")
                .detail("disputeNotes", "I have a license.\nCall +1 555 0100."),
        );
    }
    if let Some(appealed) = dispute.appealed {
        // An appeal answers an owner who has upheld the claim.
        let upheld = appealed - SignedDuration::from_hours(24);
        events.push(
            ClaimEvent::new(upheld, "claim_update")
                .by("Partner")
                .mail("rights@example.com")
                .detail("updateStatus", "active"),
        );
        events.push(
            ClaimEvent::new(appealed, "dispute_appeal")
                .by("uploader")
                .mail("uploader@example.com")
                .detail("disputeReason", "license")
                .detail("appealExplanation", "The license is attached to my first message."),
        );
    }
    ClaimRecord {
        id: claim.id.clone(),
        asset_id: asset.id.clone(),
        video_id: claim.video.clone(),
        video_title: String::from_utf8_lossy(&claim.title).into_owned(),
        uploader_channel_id: claim.channel.clone(),
        reference_id: asset.references.get(claim.reference).cloned(),
        status: status.to_owned(),
        content_type: "audio".to_owned(),
        origin: "audioMatch".to_owned(),
        created,
        status_modified: dispute.appealed.unwrap_or(dispute.since),
        views: claim.series.views,
        engaged_views: claim.series.engaged_views(),
        is_partner_uploaded: claim.is_misplaced,
        is_shorts_eligible: claim.is_short,
        events,
    }
}

/// When a claim was made: in its week, as the claim report's day has it.
fn made(plan: &Plan, claim: &Claim) -> Timestamp {
    let first = plan.ends.first().copied().unwrap_or_default();
    let weekday = i64::try_from(claim.series.key % 7).unwrap_or_default();
    first + SignedDuration::from_hours(24 * (7 * (claim.created - 1) + weekday) + 12)
}
