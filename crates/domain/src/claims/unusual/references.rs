//! References that claim far more than they use to.
//!
//! A reference with a wrong piece of sound in it (a sample that everybody has, silence, a spoken intro) can claim
//! thousands of videos within days.

use super::rates::Learner;
use super::{Inputs, MIN_WEEKS, discovered, shown};
use crate::claims::alert::{Alert, Kind, Severity, Subject};
use crate::claims::links;

/// From so many new claims a week on it is worth somebody's look.
const MIN_CREATED: u32 = 20;

/// From so many times the usual on; ten times is what a bad reference comes to at the least, with a usual count that
/// itself is known to some tenths.
const MIN_RATIO: f64 = 6.0;

/// From so many on it cannot wait.
const MANY_CREATED: u32 = 1000;

pub(super) fn alerts(inputs: &Inputs<'_>) -> Vec<Alert> {
    let Inputs { now, habits, .. } = inputs;
    let mut learner = Learner::default();
    for position in 0..now.references.len() {
        learner.add(habits.reference(position));
    }
    let rates = learner.rates();
    let mut candidates = Vec::new();
    for (position, reference) in now.references.iter().enumerate() {
        let created = reference.claims_created;
        if created < MIN_CREATED {
            continue;
        }
        let expected = rates.expect(habits.reference(position));
        if expected.weeks >= MIN_WEEKS && f64::from(created) >= MIN_RATIO * expected.mean {
            candidates.push((expected.tail(u64::from(created)), (reference, expected)));
        }
    }
    let found = discovered(candidates, now.references.len()).into_iter();
    found
        .map(|(probability, (reference, expected))| {
            let created = reference.claims_created;
            let severity = if created >= MANY_CREATED { Severity::Critical } else { Severity::High };
            let id = now.text(reference.id);
            let asset = reference.asset.and_then(|asset| now.asset_at(asset));
            let title = asset.map(|asset| now.text(asset.title)).unwrap_or_default();
            let reason = format!("the reference raised {created} claims this week, its usual number is {:.1}", expected.mean);
            let alert = Alert::draft(Kind::BadReference, severity, Subject::new("reference", id, title), reason)
                .because("created", created)
                .because("usual", shown(expected.mean))
                .because("ratio", shown(f64::from(created) / expected.mean))
                .because("weeks", expected.weeks)
                .because("probability", shown(probability))
                .because("claims", reference.claims)
                .because("disputed", reference.claims_disputed)
                .because("medianMatchSeconds", reference.lengths.median_seconds())
                .because("action", "Listen to the reference and to some of the new matches; if it holds sound that is not the asset's own, deactivate it and release what it claimed.");
            match asset {
                Some(asset) => alert.because("assetId", asset.id.as_str()).see(links::asset(asset.id)),
                None => alert,
            }
        })
        .collect()
}
