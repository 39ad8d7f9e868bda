//! How weak an open claim looks: the risk that it had before somebody objected to it.
//!
//! How a dispute ends nobody can tell of a single claim: 65 % end for the uploader, and no public data say which. What
//! can be told is how likely a claim with these reasons is to be disputed at all. The same reasons make a claim weak, so
//! of two open claims the one with the higher risk is the one to doubt first; it is no forecast of how its dispute ends.

use super::weights::{Sign, Signs};
use super::{Context, Setting, decimal};
use crate::claims::digest::Dispute;
use crate::claims::snapshot::{OpenClaim, OpenStatus, Snapshot};
use crate::number::Decimal;

/// The reasons of an open claim, and the risk by them. That an uploader disputes counts where it is another claim's
/// dispute; earlier weeks have no say, since their dispute may be this one.
fn of_open(now: &Snapshot, claim: &OpenClaim, context: &Context<'_>) -> (Signs, Decimal) {
    let own = u32::from(matches!(claim.status, OpenStatus::Disputed | OpenStatus::Appealed));
    let uploader = now.uploader(claim.channel_id);
    let setting = Setting {
        asset: claim.asset_id.and_then(|id| now.asset(id)),
        video_id: claim.video_id,
        is_disputing: uploader.is_some_and(|uploader| uploader.claims_disputed > own),
    };
    let signs = setting.add_to(claim.signs, now, context);
    (signs, decimal(context.weights.probability(claim.is_manual, signs)))
}

/// The same of all open claims of a week, in their order.
pub fn of_all_open(now: &Snapshot, context: &Context<'_>) -> Vec<(Signs, Decimal)> {
    now.open_claims.iter().map(|claim| of_open(now, claim, context)).collect()
}

/// Puts a risk and its reasons to a row of the queue.
pub fn put(dispute: &mut Dispute, signs: Signs, risk: Decimal) {
    dispute.risk = Some(risk);
    dispute.reasons.extend(signs.iter().map(Sign::name).map(str::to_owned));
}
