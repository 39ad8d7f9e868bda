//! New ownership conflicts on much-watched assets: while two own one territory, nobody is paid there.

use super::Inputs;
use crate::claims::alert::{Alert, Kind, Severity};
use crate::claims::snapshot::{AssetState, Snapshot, Source};
use crate::printable::printable;

/// Much watched is the upper quarter of the catalogue, and so many views a day at least.
const MUCH_WATCHED: (usize, usize) = (3, 4);
const MIN_DAILY_VIEWS: u64 = 20;

/// What a week's reports say of conflicts: the asset report's column, and the conflict report.
fn sources(week: &Snapshot) -> [bool; 2] {
    let assets = week.reports.get(&Source::Assets);
    let has_column =
        assets.is_some_and(|facts| !facts.missing_columns.iter().any(|name| name == "conflicting_owner"));
    [has_column, week.reports.contains_key(&Source::Conflicts)]
}

/// Whether the last week had all that tells of conflicts this week: else every conflict would look new.
pub(super) fn knows_enough(inputs: &Inputs<'_>) -> bool {
    let Some(before) = inputs.before else { return false };
    let (now, before) = (sources(inputs.now), sources(before));
    now.iter().any(|knows| *knows) && now.iter().zip(before).all(|(now, before)| before || !now)
}

pub(super) fn alerts(inputs: &Inputs<'_>) -> Vec<Alert> {
    let now = inputs.now;
    let Some(before) = inputs.before.filter(|_| knows_enough(inputs)) else { return Vec::new() };
    let views = |asset: &AssetState| asset.daily_views.get().or(asset.daily_engaged_views.get());
    let mut all: Vec<u64> = now.assets.iter().filter_map(views).collect();
    all.sort_unstable();
    let (part, of) = MUCH_WATCHED;
    let much = all.get(all.len() * part / of).copied().unwrap_or_default().max(MIN_DAILY_VIEWS);
    let mut alerts = Vec::new();
    for (_, asset) in inputs.assets() {
        let owner = now.text(asset.conflicting_owner);
        if owner.is_empty() || views(asset).is_none_or(|views| views < much) {
            continue;
        }
        let Some(was) = before.asset(asset.id).filter(|was| was.is_reported) else { continue };
        let owner_before = before.text(was.conflicting_owner);
        let countries = now.text(asset.conflicting_countries);
        let reason = format!(
            "{} claims to own it{}",
            printable(owner),
            if countries.is_empty() {
                String::new()
            } else {
                format!(" in {}", printable(countries.replace('|', ", ")))
            }
        );
        let alert = inputs
            .on_asset(Kind::OwnershipConflict, Severity::High, asset, reason)
            .because("conflictingOwner", owner)
            .because("ownerBefore", Some(owner_before).filter(|owner| !owner.is_empty()))
            .because("countries", countries.split('|').filter(|code| !code.is_empty()).collect::<Vec<_>>())
            .because("muchWatchedFrom", much)
            .because(
                "action",
                "Hold the claim against your contract: write to the other owner, or give up the territories.",
            );
        // What was found stays found while the conflict lasts.
        if owner_before != owner || inputs.was_open(&alert) {
            alerts.push(alert);
        }
    }
    alerts
}
