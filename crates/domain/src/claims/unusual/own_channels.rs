//! Claims on partners' own channels: a channel that should be on the allow list and is not, or no longer.
//!
//! The claims that partners make by uploading are none of these. A partner whose videos always were claimed by matches
//! is used to it, so what is found are claims beyond the channel's habit; it is found as long as they are held.

use super::rates::Learner;
use super::{Inputs, MIN_WEEKS, discovered, shown};
use crate::claims::alert::{Alert, Kind, Severity, Subject};
use crate::claims::links;

/// From so many new ones a week on.
const MIN_CREATED: u32 = 5;

/// From so many times the usual on.
const MIN_RATIO: f64 = 4.0;

pub(super) fn alerts(inputs: &Inputs<'_>) -> Vec<Alert> {
    let Inputs { now, habits, .. } = inputs;
    let mut learner = Learner::default();
    for own in &now.own_channels {
        learner.add(habits.uploader(own.channel));
    }
    let rates = learner.rates();
    let mut candidates = Vec::new();
    let mut alerts = Vec::new();
    for own in &now.own_channels {
        let expected = rates.expect(habits.uploader(own.channel));
        let is_new = own.created >= MIN_CREATED
            && expected.weeks >= MIN_WEEKS
            && f64::from(own.created) >= MIN_RATIO * expected.mean;
        let title = now.channel(own.channel).map(|channel| now.text(channel.name)).unwrap_or_default();
        let reason = format!(
            "{} claims by matches are held on the partner's own channel, {} of them made this week",
            own.held, own.created
        );
        let subject = Subject::new("channel", own.channel.as_str(), title);
        let mut alert = Alert::draft(Kind::OwnChannelClaim, Severity::High, subject, reason)
            .because("held", own.held)
            .because("created", own.created)
            .because("usual", shown(expected.mean))
            .because("action", "Put the channel on the allow list of the asset's owner, and release the claims unless they are wanted.")
            .see(links::channel(own.channel));
        if let Some(asset) = own.first_asset {
            alert = alert.because("firstAssetId", asset.as_str()).see(links::asset(asset));
        }
        if let Some(views) = own.views.get() {
            alert = alert.because("views", views);
        }
        if is_new {
            candidates.push((expected.tail(u64::from(own.created)), alert));
        } else if own.held >= MIN_CREATED && inputs.was_open(&alert) {
            alerts.push(alert);
        }
    }
    alerts.extend(
        discovered(candidates, now.own_channels.len())
            .into_iter()
            .map(|(probability, alert)| alert.because("probability", shown(probability))),
    );
    alerts
}
