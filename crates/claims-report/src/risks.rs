//! Claims that may come to be disputed: the table of weights, and the alerts of a week.

use std::io::Read as _;

use anyhow::Context as _;
use dn_core::store::open_read;
use dn_core::task::{Context, Ended, Exit, InputError};
use dn_domain::claims::alert::{Alert, Kind};
use dn_domain::claims::quality::Verdict;
use dn_domain::claims::risk::{self, BUILT_IN, Risk, Signs, Weights};
use dn_domain::claims::snapshot::{Snapshot, Source};
use dn_domain::claims::week::Week;
use dn_domain::id::ChannelId;
use dn_domain::number::Decimal;
use hashbrown::HashSet;

use crate::Tally;
use crate::analysis::Input;
use crate::history::NotedClaim;

/// No table is near this.
const MAX_BYTES: u64 = 64 << 10;

const SETTING: &str = "--dispute-weights (DISPUTE_WEIGHTS)";

/// The table that is given, else the one that is built in.
pub(crate) async fn weights(context: &Context<Tally>, uri: Option<&str>) -> anyhow::Result<Weights> {
    let Some(uri) = uri else { return read(BUILT_IN) };
    let opened = open_read(uri, &context.aws).await.map_err(InputError);
    let opened = opened.with_context(|| format!("{SETTING} could not be opened"))?;
    let reading = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        opened.into_sync_read().take(MAX_BYTES).read_to_string(&mut text).map(|_| text)
    });
    let text = reading.await?.with_context(|| format!("{SETTING} could not be read"))?;
    let weights = read(&text);
    weights.map_err(|error| Ended::new(Exit::Usage, format!("{SETTING} {uri}: {error:#}")).into())
}

fn read(table: &str) -> anyhow::Result<Weights> {
    let weights: Weights = toml::from_str(table).map_err(|error| anyhow::anyhow!("{}", error.message()))?;
    Ok(weights.checked()?)
}

/// What the claims of a week risk.
pub(crate) struct Risks {
    /// Claims that may come to be disputed, the highest expected loss first.
    pub candidates: Vec<Risk>,
    /// Of the open claims, in the order of [`Snapshot::open_claims`], the reasons and what they come to.
    pub open: Vec<(Signs, Decimal)>,
}

/// What the claims risk. What surged is told by the week's alerts.
pub(crate) fn assess(
    now: &Snapshot,
    surges: &[Alert],
    disputing: &HashSet<ChannelId>,
    input: &Input,
) -> Risks {
    let viral: HashSet<&str> = surges
        .iter()
        .filter(|alert| alert.kind == Kind::Viral)
        .map(|alert| alert.subject.id.as_str())
        .collect();
    let context = risk::Context {
        weights: &input.weights,
        rpm: input.rpm,
        has_disputed: &|uploader| disputing.contains(&uploader),
        is_viral_video: &|video| viral.contains(video.as_str()),
        is_viral_asset: &|asset| viral.contains(asset.as_str()),
    };
    Risks { candidates: risk::assess(now, &context), open: risk::open::of_all_open(now, &context) }
}

/// The alerts of those that are most at risk.
pub(crate) fn alerts(risks: &[Risk], now: &Snapshot, input: &Input) -> Vec<Alert> {
    let title = |risk: &Risk| {
        let asset = risk.asset_id.and_then(|id| now.asset(id));
        let title = asset.map(|asset| now.text(asset.title)).filter(|title| !title.is_empty());
        title.map_or_else(|| risk.claim_id.to_string(), str::to_owned)
    };
    risk::alerts(risks, &input.weights, &title)
}

/// The claims that are looked after from this week on; none where the claim report is not believed.
pub(crate) fn noted(risks: &[Risk], week: Week, verdict: &Verdict) -> Vec<NotedClaim> {
    if verdict.suspect_reports.contains(&Source::Claims) {
        return Vec::new();
    }
    let noted = risks.iter().filter(|risk| risk.is_noted(week)).map(|risk| NotedClaim {
        claim_id: risk.claim_id.clone(),
        asset_id: risk.asset_id,
        channel_id: risk.channel_id,
        signs: risk.signs,
        is_manual: risk.is_manual,
        is_ranked: risk.is_ranked,
        is_drawn: risk.is_drawn,
        probability: risk.probability,
        at_stake: risk.at_stake,
    });
    noted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dn_domain::claims::risk::Sign;

    #[test]
    fn the_table_that_is_built_in_can_be_read_and_has_the_base_rates_of_the_report() {
        let weights = read(BUILT_IN).unwrap();
        assert_eq!((weights.base().automatic, weights.base().manual), (0.0054, 0.0113));
        assert_eq!(weights.values().len(), Sign::ALL.len());
    }

    #[test]
    fn a_table_with_a_name_too_few_or_too_many_is_refused_by_that_name() {
        let without = BUILT_IN.replace("viral = 0.5", "");
        assert!(read(&without).unwrap_err().to_string().contains("viral"));
        let other = format!("{BUILT_IN}\nshort_macth = 1.0\n");
        assert!(read(&other).unwrap_err().to_string().contains("short_macth"));
        assert!(read(&BUILT_IN.replace("viral = 0.5", "viral = 11.0")).is_err());
    }
}
