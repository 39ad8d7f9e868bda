//! Assets whose custom ID is not their channel's: the wrong artist is paid for them.

use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;
use crate::custom_id::CustomId;
use crate::id::{AssetId, ChannelId};
use crate::partner_channels::PartnerChannels;

/// An asset with a custom ID that is not its channel's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mismatch {
    /// The asset.
    pub asset_id: AssetId,
    /// Its title. Hostile text.
    pub title: String,
    /// The partner channel whose video carries it.
    pub channel_id: ChannelId,
    /// The custom ID that the channel gives to its assets.
    pub expected: CustomId,
    /// The asset's own; empty where it has none. Hostile text.
    pub found: String,
    /// The asset's active claims: the more, the more money goes astray.
    pub active_claims: Option<u64>,
}

/// All such assets, the most claimed first.
///
/// Judged are assets of the asset report whose channel is a partner with a custom ID to give. A channel that is left
/// out for its record, and an asset that several partner channels share, are the cleanup's findings and not this one.
pub fn mismatches(snapshot: &Snapshot, partners: &PartnerChannels) -> Vec<Mismatch> {
    let mut found: Vec<Mismatch> = snapshot
        .assets
        .iter()
        .filter(|asset| asset.is_reported && !asset.is_shared)
        .filter_map(|asset| {
            let channel_id = asset.channel?;
            let expected = partners.partner(channel_id)?.target()?;
            let custom_id = snapshot.text(asset.custom_id);
            (custom_id != expected.as_str()).then(|| Mismatch {
                asset_id: asset.id,
                title: snapshot.text(asset.title).to_owned(),
                channel_id,
                expected: expected.clone(),
                found: custom_id.to_owned(),
                active_claims: asset.active_claims.get(),
            })
        })
        .collect();
    found.sort_by(|a, b| (b.active_claims, a.asset_id).cmp(&(a.active_claims, b.asset_id)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::world::{World, rows};
    use crate::partner_channels::PartnerRecord;

    fn partners() -> PartnerChannels {
        let record = |number: u32, custom_id: Option<&str>| PartnerRecord {
            channel_id: crate::claims::world::channel(number),
            custom_id: custom_id.map(str::to_owned),
            display_name: None,
        };
        PartnerChannels::build([record(1, Some("alpha")), record(2, Some("beta")), record(3, None)])
    }

    #[test]
    fn an_asset_with_another_custom_id_than_its_channels_is_found_the_most_claimed_first() {
        let partners = partners();
        let world = World {
            assets: rows(&[
                "A000000000000001,alpha,Right,,,WEB,9,,,",
                "A000000000000002,beta,\"=wrong\",,,WEB,1,,,",
                "A000000000000003,,Without,,,WEB,5,,,",
                "A000000000000004,other,A stranger's,,,WEB,5,,,",
                "A000000000000005,other,Left out,,,WEB,5,,,",
                "A000000000000006,other,Shared,,,WEB,5,,,",
            ]),
            videos: rows(&[
                "vid1_______,UC0000000000000000000001,,,1,1,A000000000000001,",
                "vid2_______,UC0000000000000000000001,,,1,1,A000000000000002,alpha",
                "vid3_______,UC0000000000000000000002,,,1,1,A000000000000003,",
                "vid4_______,UC0000000000000000000009,,,1,1,A000000000000004,",
                "vid5_______,UC0000000000000000000003,,,1,1,A000000000000005,",
                "vid6_______,UC0000000000000000000001,,,1,1,A000000000000006,",
                "vid7_______,UC0000000000000000000002,,,1,1,A000000000000006,",
            ]),
            partners: partners.iter().map(|(_, partner)| partner.channel_id).collect(),
            ..World::default()
        };
        let found: Vec<String> = mismatches(&world.snapshot(), &partners)
            .iter()
            .map(|one| {
                format!("{} \"{}\" should be {} ({})", one.asset_id, one.found, one.expected, one.title)
            })
            .collect();
        insta::assert_snapshot!(found.join("\n"), @r#"
        A000000000000003 "" should be beta (Without)
        A000000000000002 "beta" should be alpha (=wrong)
        "#);
    }
}
