use std::fmt::Write as _;

use super::*;
use crate::claims::movers::WeekTotals;
use crate::claims::world::{World, any_world, catalogue, rows};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// Everything a week says, texts resolved.
fn shown(week: &Snapshot) -> String {
    let mut shown = String::new();
    for asset in &week.assets {
        let texts = [
            asset.custom_id,
            asset.title,
            asset.artist,
            asset.isrc,
            asset.asset_type,
            asset.conflicting_owner,
            asset.conflicting_countries,
        ]
        .map(|text| week.text(text));
        let numbers = [
            asset.active_claims,
            asset.daily_views,
            asset.daily_engaged_views,
            asset.claimed_views,
            asset.claimed_engaged_views,
        ]
        .map(Known::get);
        let counts = [
            asset.active_references,
            asset.inactive_references,
            asset.claims,
            asset.claims_active,
            asset.claims_inactive,
            asset.claims_disputed,
            asset.claims_created,
            asset.claims_short,
        ];
        let _ = writeln!(
            shown,
            "{} {} {} {:?} {texts:?} {numbers:?} {counts:?}",
            asset.id, asset.is_reported, asset.is_shared, asset.channel
        );
    }
    for video in &week.videos {
        let _ = writeln!(
            shown,
            "{} {:?} {:?} {} {:?} {:?} {}",
            video.id,
            week.channel_at(video.channel).map(|channel| channel.id),
            video.asset.and_then(|asset| week.asset_at(asset)).map(|asset| asset.id),
            week.text(video.title),
            video.views.get(),
            video.engaged_views.get(),
            video.published
        );
    }
    for channel in &week.channels {
        let _ = writeln!(
            shown,
            "{} {} {} {} {:?} {:?}",
            channel.id,
            week.text(channel.name),
            channel.video_rows,
            channel.videos,
            channel.views.get(),
            channel.engaged_views.get()
        );
    }
    for uploader in &week.uploaders {
        let _ = writeln!(shown, "{uploader:?}");
    }
    for reference in &week.references {
        let _ = writeln!(
            shown,
            "{} {:?} {} {} {} {} {} {:?}",
            week.text(reference.id),
            reference.asset.and_then(|asset| week.asset_at(asset)).map(|asset| asset.id),
            reference.claims,
            reference.claims_active,
            reference.claims_inactive,
            reference.claims_disputed,
            reference.claims_created,
            reference.lengths
        );
    }
    for claim in &week.claims {
        let asset = claim.asset().and_then(|asset| week.asset_at(asset)).map(|asset| asset.id);
        let _ = writeln!(shown, "{:016x} {asset:?} {:?}", claim.key(), claim.state());
    }
    for source in Source::ALL {
        let _ = writeln!(shown, "{source:?} {:?}", week.reports.get(&source));
    }
    shown
}

pub(super) fn small() -> World {
    World {
        assets: rows(&[
            "A000000000000001,alpha,First,Ann,USABC2600001,SOUND_RECORDING,3,12,9,r1|r2",
            "A000000000000002,,Second,Bo,,WEB,,,,",
            "A000000000000001,alpha,First,Ann,USABC2600001,SOUND_RECORDING,3,12,9,r1|r2",
            "nonsense,,,,,WEB,1,1,1,",
            "A000000000000003,,,,,WEB,\"1,200\",1,1,",
            "too,short",
        ]),
        claims: rows(&[
            "c1,UC0000000000000000000001,A000000000000001,v,r1,ACTIVE,,ID_MATCH,100,9,2026-11-17",
            "c2,UC0000000000000000000002,A000000000000001,v,r1,PENDING,VIDEO_DISPUTED,ID_MATCH,50,1:00,2026-11-15",
            "c3,UC0000000000000000000002,A000000000000004,v,r1,INACTIVE,,ID_MATCH,,120,2026-11-22",
            "c3,UC0000000000000000000002,A000000000000004,v,r1,INACTIVE,,ID_MATCH,,120,2026-11-22",
            "c3,UC0000000000000000000002,A000000000000004,v,r2,ACTIVE,,ID_MATCH,,120,2026-11-23",
            "c4,UC0000000000000000000002,A000000000000004,v,r2,ACTIVE,,ID_MATCH,,120,23/11/2026",
        ]),
        videos: rows(&[
            "vid1_______,UC0000000000000000000001,One,\"=x\",100,40,A000000000000001|A000000000000004,alpha|beta",
            "vid1_______,UC0000000000000000000001,One,\"=x\",100,40,A000000000000002,",
            "vid2_______,UC0000000000000000000002,Two,y,,,,",
        ]),
        conflicts: rows(&["A000000000000002,Other Ltd,US|DE"]),
        ..World::default()
    }
}

#[test]
fn references_whose_names_are_cut_alike_are_one() {
    let long = "r".repeat(crate::claims::strings::MAX_TEXT_BYTES);
    let row = |claim, asset, reference: &str, length| {
        format!(
            "{claim},UC0000000000000000000001,A00000000000000{asset},v,{reference},ACTIVE,,ID_MATCH,1,{length},2026-11-17"
        )
    };
    let claims = vec![
        row("c1", 2, &format!("{long}1"), 9),
        row("c2", 1, &format!("{long}2"), 60),
        row("c3", 3, "r", 9),
    ];
    let week = World { claims: Some(claims), ..World::default() }.snapshot();
    let [first, second] = week.references.as_slice() else { panic!("{:?}", week.references) };
    assert_eq!((week.text(first.id), week.text(second.id)), ("r", long.as_str()));
    assert_eq!((second.claims, second.claims_active, second.claims_created), (2, 2, 2));
    assert_eq!((second.lengths.count(), second.lengths.short()), (2, 1));
    assert_eq!(second.asset.and_then(|asset| week.asset_at(asset)).unwrap().id.as_str(), "A000000000000001");
}

#[test]
fn v10_v19_a_week_is_gathered_and_every_row_counted_once() {
    let week = small().snapshot();
    insta::assert_snapshot!(shown(&week), @r#"
    A000000000000001 true false Some(ChannelId(UC0000000000000000000001)) ["alpha", "First", "Ann", "USABC2600001", "SOUND_RECORDING", "", ""] [Some(3), Some(12), Some(9), Some(150), None] [2, 0, 2, 1, 0, 1, 1, 1]
    A000000000000002 true false Some(ChannelId(UC0000000000000000000001)) ["", "Second", "Bo", "", "WEB", "Other Ltd", "US|DE"] [Some(0), None, None, None, None] [0, 0, 0, 0, 0, 0, 0, 0]
    A000000000000004 false false Some(ChannelId(UC0000000000000000000001)) ["beta", "", "", "", "", "", ""] [None, None, None, None, None] [0, 0, 1, 1, 0, 0, 1, 0]
    vid1_______ Some(ChannelId(UC0000000000000000000001)) Some(AssetId(A000000000000001)) =x Some(100) Some(40) 0
    vid2_______ Some(ChannelId(UC0000000000000000000002)) None y None None 0
    UC0000000000000000000001 One 2 1 Some(100) Some(40)
    UC0000000000000000000002 Two 1 1 None None
    UploaderState { id: ChannelId(UC0000000000000000000002), claims: 3, claims_active: 1, claims_inactive: 1, claims_disputed: 1, claims_created: 1, claims_short: 0 }
    r1 Some(AssetId(A000000000000001)) 3 1 1 1 2 LengthCounts([0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0])
    r2 Some(AssetId(A000000000000004)) 1 1 0 0 0 LengthCounts([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
    3dad38d96cd8adb9 Some(AssetId(A000000000000001)) Active
    98ea22f684764de1 Some(AssetId(A000000000000001)) Disputed
    adf83df61ba5c95c Some(AssetId(A000000000000004)) Active
    Assets Some(ReportFacts { rows: 6, used: 2, duplicates: 1, rejected: 3, entries: 2, channels: 0, views: Some(12), engaged_views: Some(9), active_claims: Some(3), fingerprint: 18327290286808184630, missing_columns: ["constituent_asset_id", "inactive_reference_id", "asset_labels", "match_policy", "is_merged", "conflicting_owner", "conflicting_country_code", "ownership", "display_isrc", "your_isrc", "other_isrc", "upc", "label"] })
    Claims Some(ReportFacts { rows: 6, used: 4, duplicates: 1, rejected: 1, entries: 3, channels: 2, views: Some(150), engaged_views: None, active_claims: Some(2), fingerprint: 3005512517756456752, missing_columns: ["reference_video_id", "custom_id", "claim_type", "uploader", "channel_display_name", "video_title", "engaged_views", "video_matching_length", "matching_duration", "content_type", "claim_policy_monetize", "claim_policy_track", "claim_policy_block", "asset_policy_monetize", "asset_policy_track", "asset_policy_block", "video_upload_date", "video_duration_sec", "asset_title", "asset_labels", "isrc", "artist", "upc", "record_label", "is_shorts_eligible"] })
    Videos Some(ReportFacts { rows: 3, used: 3, duplicates: 0, rejected: 0, entries: 2, channels: 2, views: Some(100), engaged_views: Some(40), active_claims: None, fingerprint: 38033272824291906, missing_columns: ["time_uploaded", "time_published", "video_privacy_status", "claim_origin", "content_type", "claimed_by_this_owner", "claimed_by_another_owner", "other_owners_claiming", "effective_policy", "isrc"] })
    Conflicts Some(ReportFacts { rows: 1, used: 1, duplicates: 0, rejected: 0, entries: 1, channels: 0, views: None, engaged_views: None, active_claims: None, fingerprint: 5134914529990661268, missing_columns: ["custom_id", "approx_daily_views", "approx_daily_engaged_views", "asset_type", "active_claims", "conflicting_owner_isrc", "conflicting_owner_asset_title", "conflicting_owner_artist", "engaged_views_in_conflict", "lifetime_views_in_conflict", "lifetime_engaged_views_in_conflict", "ownership_last_updated", "other_ownership_last_updated", "ownership_origination", "other_ownership_origination", "match_policy", "asset_labels"] })
    "#);
    for facts in week.reports.values() {
        assert_eq!(facts.rows, facts.used + facts.duplicates + facts.rejected);
    }
}

#[test]
fn a_report_that_was_not_given_is_not_an_empty_one() {
    let mut world = small();
    world.videos = None;
    let week = world.snapshot();
    assert!(!week.reports.contains_key(&Source::Videos));
    assert!(week.reports.contains_key(&Source::Assets));
}

#[test]
fn v19_all_zeros_are_zeros_and_empty_cells_are_unknown() {
    let world = World {
        assets: rows(&["A000000000000001,,,,,WEB,0,0,,", "A000000000000002,,,,,WEB,0,,,"]),
        ..World::default()
    };
    let week = world.snapshot();
    let facts = &week.reports[&Source::Assets];
    assert_eq!((facts.active_claims, facts.views, facts.engaged_views), (Some(0), Some(0), None));
}

#[test]
fn a_partners_channel_goes_before_others_and_two_partners_share() {
    let videos = [
        "vid1_______,UC0000000000000000000001,,,1,1,A000000000000001,",
        "vid2_______,UC0000000000000000000002,,,1,1,A000000000000001,",
        "vid3_______,UC0000000000000000000003,,,1,1,A000000000000001,",
    ];
    let id = |number: u32| crate::id::ChannelId::parse(&crate::claims::world::channel(number)).unwrap();
    for (partners, channel, is_shared) in
        [(vec![], id(1), false), (vec![id(2)], id(2), false), (vec![id(2), id(3)], id(2), true)]
    {
        let world = World { videos: rows(&videos), partners, ..World::default() };
        for world in [world.clone(), world.shuffled(7), world.shuffled(123_456_789)] {
            let asset = &world.snapshot().assets[0];
            assert_eq!((asset.channel, asset.is_shared), (Some(channel), is_shared));
        }
    }
}

#[test]
fn the_middle_length_of_matches_is_told_to_a_step() {
    let mut lengths = LengthCounts::default();
    assert_eq!(lengths.median_seconds(), None);
    for seconds in [3, 9, 9, 12, 100_000] {
        lengths.add(seconds);
    }
    assert_eq!((lengths.count(), lengths.short(), lengths.median_seconds()), (5, 3, Some(5)));
}

#[test]
fn what_is_kept_of_each_thing_stays_small() {
    assert_eq!(size_of::<ClaimEntry>(), 12);
    assert_eq!(size_of::<UploaderState>(), 48);
    assert!(size_of::<VideoState>() <= 48, "{}", size_of::<VideoState>());
    assert!(size_of::<ChannelState>() <= 56, "{}", size_of::<ChannelState>());
    assert!(size_of::<ReferenceState>() <= 92, "{}", size_of::<ReferenceState>());
    assert!(size_of::<AssetState>() <= 160, "{}", size_of::<AssetState>());
}

#[test]
fn a_claims_state_is_told_by_status_and_detail() {
    for (status, detail, state) in [
        ("ACTIVE", "DISPUTE_REJECTED", ClaimState::Active),
        ("active", "", ClaimState::Active),
        ("Inactive", "RELEASED", ClaimState::Inactive),
        ("PENDING", "", ClaimState::Pending),
        ("PENDING", "Disputed by uploader", ClaimState::Disputed),
        ("PENDING", "DISPUTE_APPEALED", ClaimState::Appealed),
        ("TAKEDOWN", "", ClaimState::Other),
    ] {
        assert_eq!(ClaimState::of(status.as_bytes(), detail.as_bytes()), state, "{status} {detail}");
        assert_eq!(ClaimEntry::new(7, Some(3), state).state(), state);
    }
    assert_eq!(ClaimEntry::new(7, Some(3), ClaimState::Active).asset(), Some(3));
    assert_eq!(ClaimEntry::new(7, None, ClaimState::Active).asset(), None);
}

#[test]
fn a_catalogue_adds_up() {
    let week = catalogue(3, 10, 1000).snapshot();
    assert_eq!((week.assets.len(), week.videos.len(), week.claims.len()), (30, 30, 30));
    let videos = &week.reports[&Source::Videos];
    assert_eq!(videos.views, Some(30 * 1000 + (0..30).sum::<u64>()));
    assert_eq!(
        week.channels.iter().filter_map(|channel| channel.views.get()).sum::<u64>(),
        videos.views.unwrap()
    );
    assert_eq!(videos.channels, 3);
    assert!(week.assets.iter().all(|asset| asset.claims == 1 && asset.claims_active == 1));
}

/// The week as the history keeps it.
fn without_what_is_not_kept(week: &Snapshot) -> String {
    let mut week = week.clone();
    week.uploaders.retain(|uploader| uploader.claims >= KEPT_CLAIMS);
    week.videos.iter_mut().for_each(|video| video.title = crate::claims::strings::Text::EMPTY);
    shown(&week)
}

fn kept(week: &Snapshot) -> Vec<u8> {
    week.keep(Vec::new()).unwrap()
}

#[test]
fn a_kept_week_that_is_torn_or_changed_is_refused() {
    let bytes = kept(&small().snapshot());
    for end in 0..bytes.len() {
        assert!(Snapshot::recall(&bytes[..end]).is_err(), "cut at {end}");
    }
    for index in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[index] ^= 1;
        assert!(Snapshot::recall(bytes.as_slice()).is_err(), "changed at {index}");
    }
    let more = [bytes.as_slice(), b"x"].concat();
    assert!(Snapshot::recall(more.as_slice()).is_err());
}

#[test]
fn a_kept_week_of_another_form_is_named() {
    let text =
        String::from_utf8_lossy(&kept(&small().snapshot())).replacen("\"version\":2", "\"version\":3", 1);
    let error = Snapshot::recall(text.as_bytes()).unwrap_err();
    insta::assert_snapshot!(error, @"the kept week has the form 3, this program reads 2");
}

#[test]
fn an_uploader_with_many_claims_is_kept_and_one_with_a_dispute_until_the_next_week() {
    let claims = (0..13).map(|n| {
        let status = if n == 11 { "PENDING,VIDEO_DISPUTED" } else { "ACTIVE," };
        format!("c{n},UC{:022},A000000000000001,v,r,{status},x,1,30,", n - n.min(10))
    });
    let week = World { claims: Some(claims.collect()), ..World::default() }.snapshot();
    let back = Snapshot::recall(kept(&week).as_slice()).unwrap();
    assert_eq!((week.uploaders.len(), back.uploaders.len()), (2, 1));
    assert_eq!(back.uploader(back.uploaders[0].id).unwrap().claims, 11);
}

proptest! {
    #[test]
    fn a_week_that_was_kept_with_a_sha_256_is_read(world in any_world()) {
        let bytes = kept(&world.snapshot());
        let (old, _) = bytes.split_at(bytes.len() - 32);
        let mut old = String::from_utf8_lossy(&old[..12]).replace("\"version\":2", "\"version\":1").into_bytes();
        old.extend(&bytes[12..bytes.len() - 32]);
        let hash: [u8; 32] = Sha256::digest(&old).into();
        old.extend(hash);
        let back = Snapshot::recall(old.as_slice()).unwrap();
        prop_assert_eq!(shown(&back), shown(&Snapshot::recall(bytes.as_slice()).unwrap()));
        // A hash of the other kind is none.
        let end = old.len() - 32;
        old[end..].copy_from_slice(&bytes[bytes.len() - 32..]);
        prop_assert!(Snapshot::recall(old.as_slice()).is_err());
    }

    #[test]
    fn a_kept_week_comes_back_as_it_was(world in any_world(), by: u64) {
        let week = world.snapshot();
        let bytes = kept(&week);
        prop_assert_eq!(&kept(&world.shuffled(by).snapshot()), &bytes, "the order of rows changes no byte");
        let back = Snapshot::recall(bytes.as_slice()).unwrap();
        prop_assert_eq!(back.week, week.week);
        prop_assert_eq!(shown(&back), without_what_is_not_kept(&week));
        prop_assert_eq!(kept(&back), bytes);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, world in any_world(), at: prop::sample::Index) {
        let _ = Snapshot::recall(bytes.as_slice());
        // Also behind a good head.
        let mut kept = kept(&world.snapshot());
        let start = at.index(kept.len());
        for (place, byte) in kept[start..].iter_mut().zip(&bytes) {
            *place = *byte;
        }
        let _ = Snapshot::recall(kept.as_slice());
    }

    #[test]
    fn the_order_of_rows_and_of_reports_changes_nothing(world in any_world(), by: u64) {
        let week = shown(&world.snapshot());
        prop_assert_eq!(shown(&world.shuffled(by).snapshot()), week.clone());
        prop_assert_eq!(shown(&world.read(true)), week);
    }

    #[test]
    fn the_database_says_only_what_no_report_says(world in any_world()) {
        let (with, without) = (world.snapshot(), World { database: Vec::new(), ..world.clone() }.snapshot());
        prop_assert_eq!(with.assets.len(), without.assets.len());
        for (with, without) in with.assets.iter().zip(&without.assets) {
            if without.channel.is_some() {
                prop_assert_eq!((with.channel, with.is_shared), (without.channel, without.is_shared));
            }
            let is_stored = world.database.iter().any(|(_, asset)| *asset == with.id.as_str());
            prop_assert_eq!(with.is_channel_by_database(), without.channel.is_none() && is_stored);
            prop_assert_eq!(with.channel.is_some(), without.channel.is_some() || is_stored);
        }
        // All else is as without it.
        let silent = |week: &Snapshot| {
            let mut week = week.clone();
            for asset in &mut week.assets {
                (asset.channel, asset.is_shared) = (None, false);
            }
            shown(&week)
        };
        prop_assert_eq!(silent(&with), silent(&without));
        prop_assert_eq!(format!("{:?}", WeekTotals::of(&with)), format!("{:?}", WeekTotals::of(&without)));
    }

    #[test]
    fn a_report_with_every_row_twice_says_nothing_else_but_that(world in any_world()) {
        // All but the counts of rows: those of the reports, and those of the video report's rows in a channel.
        let said = |week: &Snapshot| {
            let mut week = week.clone();
            week.reports.clear();
            week.channels.iter_mut().for_each(|channel| channel.video_rows = 0);
            shown(&week)
        };
        let twice = |rows: &Option<Vec<String>>| rows.as_ref().map(|rows| [rows.as_slice(), rows].concat());
        let doubled = World {
            assets: twice(&world.assets),
            claims: twice(&world.claims),
            videos: twice(&world.videos),
            conflicts: twice(&world.conflicts),
            ..world.clone()
        };
        let (once, doubled) = (world.snapshot(), doubled.snapshot());
        prop_assert_eq!(said(&doubled), said(&once));
        for (source, facts) in &doubled.reports {
            prop_assert_eq!(facts.used, once.reports[source].used);
        }
    }

    #[test]
    fn every_row_is_counted_once(world in any_world()) {
        for facts in world.snapshot().reports.values() {
            prop_assert_eq!(facts.rows, facts.used + facts.duplicates + facts.rejected);
        }
    }
}
