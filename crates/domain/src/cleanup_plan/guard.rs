//! Guards: when a plan is too large a change to be made without somebody's approval.

use super::overview::{ChannelCounts, Overview};
use crate::id::ChannelId;

/// A share is judged from so many assets on: of three, one is a third.
const JUDGED_ABOVE: u64 = 10;

/// A guard that stops the run. The message gives the number, the limit and the flag that lifts it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GuardTripped {
    /// Too many values set by hand would be overwritten.
    #[error(
        "the plan overwrites {overwrites} values set by hand of {assets} assets {} ({:.0} %, the limit is {:.0} %): read \
         the plan, and lift the limit with --max-overwrite-ratio",
        place.map_or_else(|| "in all".to_owned(), |channel| format!("of channel {channel}")),
        100.0 * share(*overwrites, *assets),
        100.0 * limit
    )]
    Overwrites {
        /// The channel; none for all together.
        place: Option<ChannelId>,
        /// Values that would be lost.
        overwrites: u64,
        /// Assets of the channel, or of all.
        assets: u64,
        /// The largest share that needs no approval.
        limit: f64,
    },
}

/// Judges the share of values set by hand that a plan overwrites, in all and for each channel.
pub fn check_overwrites(overview: &Overview, limit: f64) -> Result<(), GuardTripped> {
    judge(None, &overview.total(), limit)?;
    overview.channels().iter().try_for_each(|(channel, counts)| judge(Some(*channel), counts, limit))
}

fn judge(place: Option<ChannelId>, counts: &ChannelCounts, limit: f64) -> Result<(), GuardTripped> {
    let (overwrites, assets) = (counts.overwrite, counts.total());
    if assets > JUDGED_ABOVE && share(overwrites, assets) > limit {
        return Err(GuardTripped::Overwrites { place, overwrites, assets, limit });
    }
    Ok(())
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::super::decide::{Decision, PlannedUpdate};
    use super::*;
    use crate::custom_id::CustomId;
    use crate::id::AssetId;

    fn overview(channel: &str, overwrites: u64, right: u64) -> Overview {
        let mut overview = Overview::default();
        note(&mut overview, channel, overwrites, right);
        overview
    }

    fn note(overview: &mut Overview, channel: &str, overwrites: u64, right: u64) {
        let channel = ChannelId::parse(channel).unwrap();
        let new = CustomId::parse("artist-one").unwrap();
        let asset = AssetId::parse("A1000000000000001").unwrap();
        for _ in 0..overwrites {
            let update =
                PlannedUpdate { new: new.clone(), old: Some("x".into()), reason: "differs", artists: vec![] };
            overview.note(channel, asset, &Decision::Update(update));
        }
        for _ in 0..right {
            overview.note(channel, asset, &Decision::AlreadyRight);
        }
    }

    #[test]
    fn a_plan_that_overwrites_too_much_names_number_limit_and_flag() {
        let tripped = check_overwrites(&overview("UCaaaaaaaaaaaaaaaaaaaaaa", 6, 14), 0.25).unwrap_err();
        insta::assert_snapshot!(tripped, @"the plan overwrites 6 values set by hand of 20 assets in all (30 %, the limit is 25 %): read the plan, and lift the limit with --max-overwrite-ratio");
        assert_eq!(check_overwrites(&overview("UCaaaaaaaaaaaaaaaaaaaaaa", 5, 15), 0.25), Ok(()));
    }

    #[test]
    fn few_assets_are_not_judged() {
        assert_eq!(check_overwrites(&overview("UCaaaaaaaaaaaaaaaaaaaaaa", 10, 0), 0.1), Ok(()));
        assert!(check_overwrites(&overview("UCaaaaaaaaaaaaaaaaaaaaaa", 11, 0), 0.1).is_err());
    }

    #[test]
    fn one_channel_is_judged_beside_all() {
        let mut all = overview("UCbbbbbbbbbbbbbbbbbbbbbb", 0, 1_000);
        note(&mut all, "UCaaaaaaaaaaaaaaaaaaaaaa", 12, 3);
        let tripped = check_overwrites(&all, 0.3).unwrap_err();
        assert!(tripped.to_string().contains("of channel UCaaaaaaaaaaaaaaaaaaaaaa (80 %"), "{tripped}");
    }
}
