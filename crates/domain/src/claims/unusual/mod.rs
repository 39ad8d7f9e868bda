//! Claims that are not as they use to be, and content that will raise more of them.
//!
//! Each finding holds a week against the weeks before: of the same asset, reference or channel, with what is little
//! known of one drawn to what is known of all. A finding needs three things: that it is improbable (with what is looked
//! at a thousand times allowed for, see [`super::tails::discoveries`]), that it is large against the habit, and that it is
//! large at all. What a report that is not believed says raises nothing, and a first week nothing that needs a past.

mod ahead;
mod changes;
mod conflicts;
mod discrepancy;
mod habits;
mod own_channels;
mod rates;
mod references;
mod releases;
mod short_matches;

use super::alert::{Alert, Kind, Severity, State, Subject};
use super::changes::Changes;
use super::links;
use super::quality::Verdict;
use super::snapshot::{AssetState, Snapshot, Source};
use super::tails::{discovered, shown};
use crate::id::{AssetId, ChannelId};
use crate::number::Decimal;

pub use habits::{AssetPoint, HABIT_WEEKS, Habits};

/// So many weeks must a subject have been seen for having a habit.
const MIN_WEEKS: usize = 4;

/// What is held against what.
pub struct Inputs<'a> {
    /// The week.
    pub now: &'a Snapshot,
    /// The last week that is kept as a whole.
    pub before: Option<&'a Snapshot>,
    /// What changed since then.
    pub changes: Option<&'a Changes>,
    /// What is not to be believed.
    pub verdict: &'a Verdict,
    /// The weeks before.
    pub habits: &'a Habits,
    /// What a thousand views are worth.
    pub rpm: Decimal,
    /// The alerts of the last run.
    pub last: &'a [Alert],
}

/// All findings of these kinds.
pub fn alerts(inputs: &Inputs<'_>) -> Vec<Alert> {
    let mut alerts = Vec::new();
    if inputs.is_good(Source::Claims) {
        alerts.extend(references::alerts(inputs));
        alerts.extend(own_channels::alerts(inputs));
        alerts.extend(short_matches::alerts(inputs));
        alerts.extend(releases::alerts(inputs));
        alerts.extend(ahead::accelerating(inputs));
    }
    if inputs.is_good(Source::Assets) {
        alerts.extend(conflicts::alerts(inputs));
        alerts.extend(changes::alerts(inputs));
        alerts.extend(discrepancy::alerts(inputs));
        alerts.extend(ahead::unprotected(inputs));
    }
    if inputs.is_good(Source::Videos) {
        alerts.extend(ahead::contested(inputs));
    }
    alerts
}

impl<'a> Inputs<'a> {
    /// Whether an alert of one of these kinds could be found this week; none for other kinds.
    pub fn is_judged(&self, alert: &Alert) -> Option<bool> {
        let is_judged = match alert.kind {
            Kind::BadReference | Kind::OwnChannelClaim => self.is_good(Source::Claims),
            Kind::ShortMatch | Kind::ReleaseRate => {
                self.is_good(Source::Claims) && self.habits.has_last(Source::Claims)
            }
            Kind::ClaimsChange => self.is_good(Source::Assets) && self.habits.has_last(Source::Assets),
            Kind::OwnershipConflict => self.is_good(Source::Assets) && conflicts::knows_enough(self),
            Kind::ViewsClaimsDiscrepancy => self.is_good(Source::Assets) && !self.is_suspect_asset(alert),
            Kind::ClaimsAhead => match alert.subject.kind.as_str() {
                "video" => self.is_good(Source::Videos) && self.before.is_some(),
                _ => [Source::Claims, Source::Assets].into_iter().all(|source| self.is_good(source)),
            },
            _ => return None,
        };
        Some(is_judged)
    }

    fn is_good(&self, source: Source) -> bool {
        self.now.reports.contains_key(&source) && !self.verdict.suspect_reports.contains(&source)
    }

    fn is_suspect_asset(&self, alert: &Alert) -> bool {
        let asset = AssetId::parse(&alert.subject.id).ok().and_then(|id| self.now.asset(id));
        asset.is_some_and(|asset| self.is_suspect_channel(asset.channel))
    }

    fn is_suspect_channel(&self, channel: Option<ChannelId>) -> bool {
        channel.is_some_and(|channel| self.verdict.suspect_channels.contains(&channel))
    }

    /// The assets with their positions.
    fn assets(&self) -> impl Iterator<Item = (usize, &'a AssetState)> {
        self.now.assets.iter().enumerate()
    }

    /// The asset as the week before had it, where that is the week right before and its report was believed.
    fn week_before(&self, source: Source) -> Option<&'a Snapshot> {
        self.before.filter(|before| self.now.week.since(before.week) == 1 && self.habits.has_last(source))
    }

    /// Whether an alert like this one was open after the last run.
    fn was_open(&self, alert: &Alert) -> bool {
        self.last.iter().any(|last| last.id == alert.id && last.state != State::Resolved)
    }

    /// A finding on an asset, with what its views of a week are worth.
    fn on_asset(&self, kind: Kind, severity: Severity, asset: &AssetState, reason: String) -> Alert {
        let subject = Subject::new("asset", asset.id.as_str(), self.now.text(asset.title));
        let mut alert = Alert::draft(kind, severity, subject, reason)
            .because("customId", self.now.text(asset.custom_id))
            .see(links::asset(asset.id));
        if let Some(channel) = asset.channel {
            alert = alert.because("channelId", channel.as_str());
        }
        if let Some(views) = asset.daily_views.get().or(asset.daily_engaged_views.get()) {
            alert = alert
                .because("dailyViews", views)
                .worth(self.rpm.for_views(views.saturating_mul(7)).rounded(2));
        }
        alert
    }
}

#[cfg(test)]
mod tests;
