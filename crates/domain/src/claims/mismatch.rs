//! Assets whose custom ID is not their channel's: the wrong artist is paid for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alert::{Alert, Kind, Severity, Subject};
use super::links;
use super::snapshot::Snapshot;
use crate::custom_id::CustomId;
use crate::id::{AssetId, ChannelId};
use crate::partner_channels::PartnerChannels;
use crate::printable::printable;

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
    /// Whether that is said by the database's videos alone, and by no report.
    #[serde(default)]
    pub is_by_database: bool,
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
                is_by_database: asset.is_channel_by_database(),
                expected: expected.clone(),
                found: custom_id.to_owned(),
                active_claims: asset.active_claims.get(),
            })
        })
        .collect();
    found.sort_by(|a, b| (b.active_claims, a.asset_id).cmp(&(a.active_claims, b.asset_id)));
    found
}

/// The evidence that a finding rests on the database's videos: how many assets it is about whose channel no report says.
const BY_DATABASE: &str = "byDatabase";

/// Whether a finding rests on the database's videos, so that a week without them cannot judge it.
pub fn rests_on_database(alert: &Alert) -> bool {
    alert.kind == Kind::CustomIdMismatch && alert.evidence.contains_key(BY_DATABASE)
}

/// From so many assets of one channel on, the channel is the finding: nobody reads hundreds of lines that have one
/// cause.
const MANY: usize = 25;

/// So many assets are named in the finding about a channel.
const NAMED: usize = 10;

/// The findings: one for each asset or, where a channel has many, one for the channel. A wrong custom ID pays the wrong
/// artist; an empty one pays nobody yet, and the cleanup sets it.
pub fn alerts(mismatches: &[Mismatch], snapshot: &Snapshot) -> Vec<Alert> {
    let mut by_channel: BTreeMap<ChannelId, Vec<&Mismatch>> = BTreeMap::new();
    for mismatch in mismatches {
        by_channel.entry(mismatch.channel_id).or_default().push(mismatch);
    }
    let mut alerts = Vec::new();
    for (channel, mismatches) in by_channel {
        if mismatches.len() < MANY {
            alerts.extend(mismatches.into_iter().map(of_asset));
            continue;
        }
        let wrong = mismatches.iter().filter(|mismatch| !mismatch.found.is_empty()).count();
        let title = snapshot.channel(channel).map(|channel| snapshot.text(channel.name)).unwrap_or_default();
        let severity = if wrong > 0 { Severity::High } else { Severity::Info };
        let named: Vec<&str> = mismatches.iter().take(NAMED).map(|one| one.asset_id.as_str()).collect();
        let reason = format!(
            "{} assets of the channel have another custom ID than it gives, {wrong} of them a wrong one",
            mismatches.len()
        );
        let expected = mismatches.first().map(|mismatch| mismatch.expected.to_string());
        let by_database = mismatches.iter().filter(|mismatch| mismatch.is_by_database).count();
        alerts.push(marked(
            Alert::draft(
                Kind::CustomIdMismatch,
                severity,
                Subject::new("channel", channel.as_str(), title),
                reason,
            )
            .because("assets", mismatches.len())
            .because("wrong", wrong)
            .because("expected", expected)
            .because("first", named)
            .see(links::channel(channel)),
            by_database,
        ));
    }
    alerts
}

fn of_asset(mismatch: &Mismatch) -> Alert {
    let Mismatch { asset_id, title, channel_id, is_by_database, expected, found, active_claims } = mismatch;
    let (severity, reason) = if found.is_empty() {
        (Severity::Info, format!("it has no custom ID; its channel's is {expected}"))
    } else {
        (Severity::High, format!("its custom ID is {}; its channel's is {expected}", printable(found)))
    };
    let alert = Alert::draft(
        Kind::CustomIdMismatch,
        severity,
        Subject::new("asset", asset_id.as_str(), title),
        reason,
    )
    .because("expected", expected.as_str())
    .because("found", found.as_str())
    .because("channelId", channel_id.as_str())
    .because("activeClaims", *active_claims)
    .see(links::asset(asset_id));
    marked(alert, usize::from(*is_by_database))
}

/// Notes for how many of its assets a finding rests on the database; nothing where it rests on reports.
fn marked(alert: Alert, by_database: usize) -> Alert {
    if by_database == 0 { alert } else { alert.because(BY_DATABASE, by_database) }
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

    #[test]
    fn an_asset_whose_channel_the_database_alone_knows_is_found_and_its_custom_id_is_the_reports() {
        let partners = partners();
        let world = |database: &[(u32, &str)]| World {
            assets: rows(&[
                "A000000000000001,beta,No video,,,WEB,5,,,",
                "A000000000000002,beta,By a report,,,WEB,4,,,",
                "A000000000000003,beta,Shared,,,WEB,3,,,",
                "A000000000000004,alpha,Right,,,WEB,2,,,",
            ]),
            videos: rows(&["vid2_______,UC0000000000000000000002,,,1,1,A000000000000002,"]),
            partners: partners.iter().map(|(_, partner)| partner.channel_id).collect(),
            database: database
                .iter()
                .map(|(number, asset)| (crate::claims::world::channel(*number), (*asset).to_owned()))
                .collect(),
            ..World::default()
        };
        let found = |database: &[(u32, &str)]| {
            let snapshot = world(database).snapshot();
            let alerts = alerts(&mismatches(&snapshot, &partners), &snapshot);
            let told = alerts.iter().map(|one| {
                format!(
                    "{} {} {}",
                    one.subject.id,
                    one.reason,
                    if rests_on_database(one) { "(database)" } else { "" }
                )
            });
            told.collect::<Vec<_>>()
        };
        assert_eq!(found(&[]), Vec::<String>::new());
        let videos = [
            // A stranger's video of the same asset goes after the partner's.
            (9, "A000000000000001"),
            (1, "A000000000000001"),
            (1, "A000000000000002"),
            (1, "A000000000000003"),
            (2, "A000000000000003"),
            (1, "A000000000000004"),
            (1, "A000000000000099"),
        ];
        assert_eq!(
            found(&videos),
            ["A000000000000001 its custom ID is beta; its channel's is alpha (database)"]
        );
        let snapshot = world(&videos).snapshot();
        assert_eq!(snapshot.assets.len(), 4, "an asset that no report knows is none of the week's");
        assert_eq!(snapshot.channels.len(), 1, "nor is a channel");
    }

    #[test]
    fn many_assets_of_one_channel_are_one_finding() {
        let partners = partners();
        let assets = |count: u32| -> Vec<String> {
            (0..count)
                .map(|n| format!("A{n:015},{},T,,,WEB,1,,,", if n == 0 { "wrong" } else { "" }))
                .collect()
        };
        let videos = |count: u32| -> Vec<String> {
            (0..count).map(|n| format!("v{n:010},UC0000000000000000000001,Name,,1,1,A{n:015},")).collect()
        };
        let found = |count| {
            let world = World {
                assets: Some(assets(count)),
                videos: Some(videos(count)),
                partners: partners.iter().map(|(_, partner)| partner.channel_id).collect(),
                ..World::default()
            };
            let snapshot = world.snapshot();
            alerts(&mismatches(&snapshot, &partners), &snapshot)
        };
        let few = found(24);
        assert_eq!(few.len(), 24);
        assert_eq!(few.iter().filter(|alert| alert.severity == Severity::High).count(), 1);
        let many = found(25);
        let told: Vec<String> =
            many.iter().map(|one| format!("{}: {}", one.subject.title, one.reason)).collect();
        insta::assert_snapshot!(told.join("\n"), @"Name: 25 assets of the channel have another custom ID than it gives, 1 of them a wrong one");
    }
}
