use std::fmt::Write as _;

use super::*;
use crate::id::AssetId;
use crate::partner_channels::{Filter, PartnerChannels, PartnerRecord};
use crate::video_report::{ReportLine, VideoReport};
use proptest::prelude::*;
use rstest::rstest;

const ALPHA: &str = "UCalpha00000000000000000";
const BRAVO: &str = "UCbravo00000000000000000";
/// Has the same custom ID as [`ALPHA`].
const ALSO_ALPHA: &str = "UCalsoalpha0000000000000";
/// Is left out for want of a custom ID.
const NAMELESS: &str = "UCnameless00000000000000";
const STRANGER: &str = "UCstranger00000000000000";

fn partners() -> PartnerChannels {
    let record = |channel_id: &str, custom_id: Option<&str>| PartnerRecord {
        channel_id: channel_id.to_owned(),
        custom_id: custom_id.map(str::to_owned),
        display_name: None,
    };
    PartnerChannels::build([
        record(ALPHA, Some("alpha-01")),
        record(BRAVO, Some("bravo-02")),
        record(ALSO_ALPHA, Some("alpha-01")),
        record(NAMELESS, None),
    ])
}

fn video(number: u8) -> String {
    format!("video{number:06}")
}

fn asset(number: u8) -> String {
    format!("A{number:015}")
}

/// A row as (video, channel, assets, custom IDs, views).
type Row<'a> = (&'a str, &'a str, &'a str, &'a str, u64);

struct Scanned {
    partners: PartnerChannels,
    taken: Vec<Result<Taken, RowReject>>,
    gathered: Gathered,
}

fn scan_text(text: &str, target: &str) -> Scanned {
    let partners = partners();
    let mut report = VideoReport::open("report.csv", text.as_bytes()).unwrap();
    let mut scan = Scan::new(&partners);
    let mut taken = Vec::new();
    while let Some(line) = report.next_row().unwrap() {
        if let ReportLine::Row(row) = line {
            taken.push(scan.take(&row));
        }
    }
    let gathered = scan.finish(&partners.filter(target).unwrap());
    Scanned { partners, taken, gathered }
}

fn scan_filtered(rows: &[Row<'_>], target: &str) -> Scanned {
    let mut text = "video_id,channel_id,asset_id,custom_id,views\n".to_owned();
    for (video, channel, asset, custom_id, views) in rows {
        writeln!(text, "{video},{channel},{asset},{custom_id},{views}").unwrap();
    }
    scan_text(&text, target)
}

fn scan(rows: &[Row<'_>]) -> Scanned {
    scan_filtered(rows, "all")
}

impl Scanned {
    fn entry(&self, number: u8) -> &AssetEntry {
        let id = AssetId::parse(&asset(number)).unwrap();
        self.gathered.assets.iter().find(|entry| entry.asset_id == id).unwrap()
    }

    fn by_report(&self, number: u8, policy: Policy) -> String {
        decide_from_report(self.entry(number), &self.partners, policy)
            .map_or_else(|| "read live".to_owned(), |decision| word(&decision))
    }

    fn decide(&self, number: u8, policy: Policy, custom_id: Option<&str>) -> Decision {
        self.decide_typed(number, policy, custom_id, Some("web"), &[])
    }

    fn decide_typed(
        &self,
        number: u8,
        policy: Policy,
        custom_id: Option<&str>,
        asset_type: Option<&str>,
        artists: &[String],
    ) -> Decision {
        let entry = self.entry(number);
        let live = Live::Found(LiveAsset { asset_id: entry.asset_id, asset_type, custom_id, artists });
        decide(entry, &self.partners, policy, &live)
    }
}

fn word(decision: &Decision) -> String {
    match decision {
        Decision::Update(update) => format!("update {}: {}", update.new, update.reason),
        Decision::AlreadyRight => "already right".to_owned(),
        Decision::Skipped { reason } => format!("skipped: {reason}"),
        Decision::Conflict { reason, .. } => format!("conflict: {reason}"),
        Decision::Reject { code, .. } => format!("reject: {code}"),
    }
}

#[test]
fn v18_a_row_whose_channel_cannot_be_read_is_rejected_and_not_taken_for_a_foreign_one() {
    let scanned = scan(&[
        (&video(1), ALPHA, &asset(1), "", 5),
        (&video(2), STRANGER, &asset(2), "", 5),
        ("Total", "", "2", "", 5),
    ]);
    let reject = scanned.taken[2].clone().unwrap_err();
    assert_eq!((reject.code, reject.column, reject.channel), ("channel_id_invalid", "channel_id", None));
    let stats = scanned.gathered.stats;
    assert_eq!((stats.rows, stats.partner_rows, stats.foreign_rows, stats.rejected_rows), (3, 1, 2, 1));
}

#[test]
fn only_rows_of_partner_channels_are_kept() {
    let scanned = scan(&[
        (&video(1), ALPHA, &asset(1), "", 5),
        (&video(2), STRANGER, &asset(2), "", 9),
        ("not-an-id", STRANGER, "neither", "", 9),
        (&video(3), ALPHA, "", "", 7),
    ]);
    assert_eq!(
        scanned.taken,
        [Ok(Taken::Partner), Ok(Taken::NotPartner), Ok(Taken::NotPartner), Ok(Taken::WithoutAsset)]
    );
    let Gathered { assets, without_asset, stats } = &scanned.gathered;
    assert_eq!((assets.len(), without_asset.len()), (1, 1));
    assert_eq!(without_asset[0].video_id.as_str(), video(3));
    assert_eq!((stats.rows, stats.partner_rows, stats.foreign_rows, stats.rows_without_asset), (4, 2, 2, 1));
}

#[test]
fn assets_come_by_views_then_by_id() {
    let scanned = scan(&[
        (&video(1), ALPHA, &asset(3), "", 5),
        (&video(2), ALPHA, &asset(1), "", 5),
        (&video(3), ALPHA, &asset(2), "", 4),
        (&video(4), ALPHA, &asset(2), "", 4),
    ]);
    let order: Vec<_> =
        scanned.gathered.assets.iter().map(|entry| (entry.asset_id.to_string(), entry.views)).collect();
    assert_eq!(order, [(asset(2), 8), (asset(1), 5), (asset(3), 5)]);
}

#[test]
fn v10_the_same_row_again_is_counted_and_changes_nothing() {
    let row: Row<'_> = (&video(1), ALPHA, &asset(1), "", 5);
    let other: Row<'_> = (&video(2), ALPHA, &asset(1), "", 3);
    let scanned = scan(&[row, row, other, row, other]);
    assert_eq!(scanned.gathered.stats.duplicate_rows, 3);
    assert_eq!(scanned.entry(1).views, 8);
    assert_eq!(scanned.entry(1).videos().count(), 2);
}

#[test]
fn v13_an_asset_in_many_rows_is_one_entry_with_all_its_videos() {
    let scanned = scan(&[
        (&video(1), ALPHA, &asset(1), &video(1), 5),
        (&video(9), ALPHA, &asset(9), &video(9), 5),
        (&video(2), ALPHA, &asset(1), &video(1), 5),
        (&video(3), ALSO_ALPHA, &asset(1), &video(1), 5),
    ]);
    let videos: Vec<_> =
        scanned.entry(1).videos().map(|video| (video.video_id.to_string(), video.record)).collect();
    assert_eq!(videos, [(video(1), 1), (video(2), 3), (video(3), 4)]);
    assert_eq!(scanned.gathered.assets.len(), 2);
}

#[test]
fn an_asset_of_two_partner_channels_with_different_custom_ids_is_a_conflict() {
    let scanned = scan(&[(&video(1), ALPHA, &asset(1), "", 5), (&video(2), BRAVO, &asset(1), "", 5)]);
    for policy in [Policy::FillDefault, Policy::Enforce] {
        assert_eq!(scanned.by_report(1, policy), "conflict: two_partner_channels");
        assert_eq!(word(&scanned.decide(1, policy, None)), "conflict: two_partner_channels");
    }
    match scanned.decide(1, Policy::Enforce, None) {
        Decision::Conflict { detail, .. } => {
            insta::assert_snapshot!(detail, @"partner channels with different custom IDs have videos of the asset: UCalpha00000000000000000 (alpha-01), UCbravo00000000000000000 (bravo-02)");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_asset_of_two_partner_channels_with_the_same_custom_id_is_none() {
    let scanned = scan(&[(&video(1), ALPHA, &asset(1), "", 5), (&video(2), ALSO_ALPHA, &asset(1), "", 5)]);
    assert_eq!(word(&scanned.decide(1, Policy::FillDefault, None)), "update alpha-01: empty");
}

#[test]
fn g10_an_asset_also_in_a_channel_left_out_is_a_conflict() {
    let scanned = scan(&[
        (&video(1), ALPHA, &asset(1), "", 5),
        (&video(2), NAMELESS, &asset(1), "", 5),
        (&video(3), NAMELESS, &asset(2), "", 5),
    ]);
    assert_eq!(scanned.by_report(1, Policy::FillDefault), "conflict: channel_left_out");
    match scanned.decide(2, Policy::Enforce, None) {
        Decision::Conflict { detail, .. } => {
            insta::assert_snapshot!(detail, @"the partner channel UCnameless00000000000000 is left out: its record has no custom ID");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_conflict_with_a_channel_outside_the_filter_is_still_one() {
    let rows: [Row<'_>; 3] = [
        (&video(1), ALPHA, &asset(1), "", 5),
        (&video(2), BRAVO, &asset(1), "", 5),
        (&video(3), BRAVO, &asset(2), "", 5),
    ];
    let scanned = scan_filtered(&rows, ALPHA);
    assert_eq!(scanned.gathered.assets.len(), 1);
    assert_eq!(scanned.by_report(1, Policy::FillDefault), "conflict: two_partner_channels");
    assert_eq!(scan_filtered(&rows, "bravo-02").gathered.assets.len(), 2);
    assert_eq!(scanned.gathered.stats.partner_assets, 2);
}

#[rstest]
#[case::empty("", "read live", "read live")]
#[case::default("video000001", "read live", "read live")]
#[case::target("alpha-01", "already right", "read live")]
#[case::by_hand("by-hand", "skipped: set_by_hand", "read live")]
fn the_report_settles_what_the_policy_could_not_touch(
    #[case] reported: &str,
    #[case] fill_default: &str,
    #[case] enforce: &str,
) {
    let scanned = scan(&[(&video(1), ALPHA, &asset(1), reported, 5)]);
    assert_eq!(scanned.by_report(1, Policy::FillDefault), fill_default);
    assert_eq!(scanned.by_report(1, Policy::Enforce), enforce);
}

#[test]
fn a_default_of_another_row_of_the_asset_is_read_live_too() {
    let scanned = scan(&[
        (&video(1), ALPHA, &asset(1), &video(2), 5),
        (&video(2), ALPHA, &asset(1), &video(2), 5),
        (&video(3), ALPHA, &asset(2), &video(4), 5),
    ]);
    assert_eq!(scanned.by_report(1, Policy::FillDefault), "read live");
    assert_eq!(scanned.by_report(2, Policy::FillDefault), "skipped: set_by_hand");
}

#[test]
fn v13_rows_that_disagree_about_the_reported_value_are_settled_by_the_live_one() {
    let scanned =
        scan(&[(&video(1), ALPHA, &asset(1), "by-hand", 5), (&video(2), ALPHA, &asset(1), "alpha-01", 5)]);
    assert_eq!(scanned.by_report(1, Policy::FillDefault), "read live");
}

#[test]
fn an_unknown_pairing_is_settled_by_the_live_value() {
    let scanned = scan(&[(&video(1), ALPHA, &format!("{}|{}", asset(1), asset(2)), "by-hand", 5)]);
    assert_eq!(scanned.by_report(1, Policy::FillDefault), "read live");
    assert_eq!(scanned.by_report(2, Policy::FillDefault), "read live");
}

#[rstest]
#[case(None, "update alpha-01: empty", "update alpha-01: empty")]
#[case(Some(""), "update alpha-01: empty", "update alpha-01: empty")]
#[case(Some("video000001"), "update alpha-01: default_video_id", "update alpha-01: default_video_id")]
#[case(Some("video000002"), "update alpha-01: default_video_id", "update alpha-01: default_video_id")]
#[case(Some("video000003"), "skipped: set_by_hand", "update alpha-01: differs")]
#[case(Some("VIDEO000001"), "skipped: set_by_hand", "update alpha-01: differs")]
#[case(Some("Alpha-01"), "skipped: set_by_hand", "update alpha-01: differs")]
#[case(Some("by-hand"), "skipped: set_by_hand", "update alpha-01: differs")]
#[case(Some("alpha-01"), "already right", "already right")]
fn skips_an_asset_whose_custom_id_was_set_by_hand_unless_told_to_enforce(
    #[case] live: Option<&str>,
    #[case] fill_default: &str,
    #[case] enforce: &str,
) {
    let scanned = scan(&[
        (&video(1), ALPHA, &asset(1), "", 5),
        (&video(2), ALSO_ALPHA, &asset(1), "", 5),
        (&video(3), STRANGER, &asset(1), "", 5),
    ]);
    assert_eq!(word(&scanned.decide(1, Policy::FillDefault, live)), fill_default);
    assert_eq!(word(&scanned.decide(1, Policy::Enforce, live)), enforce);
}

#[rstest]
fn a_music_asset_without_an_artist_is_rejected(
    #[values(
        "music_video",
        "MUSIC_VIDEO",
        "musicVideo",
        "sound_recording",
        "SOUND_RECORDING",
        "soundRecording"
    )]
    asset_type: &str,
) {
    let scanned = scan(&[(&video(1), ALPHA, &asset(1), "", 5)]);
    let decide =
        |live, artists: &[String]| scanned.decide_typed(1, Policy::Enforce, live, Some(asset_type), artists);
    assert_eq!(word(&decide(None, &[])), "reject: artist_missing");
    assert_eq!(word(&decide(None, &[" ".to_owned()])), "reject: artist_missing");
    assert_eq!(word(&decide(Some("alpha-01"), &[])), "already right");
    match decide(None, &["One".to_owned(), "Two".to_owned()]) {
        Decision::Update(update) => assert_eq!(update.artists, ["One", "Two"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_asset_that_is_no_music_is_written_without_artists() {
    let scanned = scan(&[(&video(1), ALPHA, &asset(1), "", 5)]);
    for asset_type in [Some("web"), Some("art_track_video"), Some("SOMETHING_NEW"), None] {
        match scanned.decide_typed(1, Policy::FillDefault, None, asset_type, &["One".to_owned()]) {
            Decision::Update(update) => assert_eq!(update.artists, Vec::<String>::new()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a12_an_asset_gone_or_merged_is_rejected() {
    let scanned = scan(&[(&video(1), ALPHA, &asset(1), "", 5)]);
    let decide = |live| decide(scanned.entry(1), &scanned.partners, Policy::FillDefault, &live);
    assert_eq!(word(&decide(Live::Gone)), "reject: gone");
    match decide(Live::Merged { into: "A999\n".to_owned() }) {
        Decision::Reject { code, reason } => {
            assert_eq!((code, reason.as_str()), ("merged", "the asset was merged into A999\\n"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn v05_a_row_with_an_unreadable_id_is_rejected_and_its_asset_counted_once() {
    let text = std::str::from_utf8(crate::fixture::fixture("video_report/bad_ids.csv")).unwrap();
    let scanned = scan_text(text, "all");
    let reasons: Vec<String> = scanned
        .taken
        .iter()
        .map(|taken| match taken {
            Ok(taken) => format!("{taken:?}"),
            Err(reject) => format!("{} {}: {reject}", reject.column, reject.code),
        })
        .collect();
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    Partner
    video_id video_id_invalid: "1.2E+11" is not a video ID (11 characters of A-Z a-z 0-9 _ -)
    asset_id asset_id_invalid: "A0000" is not an asset ID (A and 15 or 16 digits, or 11 characters of A-Z a-z 0-9 _ -)
    channel_id channel_id_invalid: "" is not a channel ID (UC and 22 characters of A-Z a-z 0-9 _ -)
    "#);
    let Gathered { assets, stats, .. } = &scanned.gathered;
    let ids: Vec<_> = assets.iter().map(|entry| entry.asset_id.to_string()).collect();
    assert_eq!(ids, [asset(1), asset(3)]);
    assert_eq!((stats.rejected_rows, stats.unreadable_assets), (3, 2));
}

#[test]
fn a_row_with_an_unreadable_video_id_does_not_hide_a_conflict() {
    let scanned = scan(&[("bad", BRAVO, &asset(1), "", 5), (&video(1), ALPHA, &asset(1), "", 5)]);
    assert!(scanned.taken[0].is_err());
    assert_eq!(scanned.by_report(1, Policy::FillDefault), "conflict: two_partner_channels");
    assert_eq!(scanned.entry(1).videos().count(), 1);
}

#[test]
fn what_is_unreadable_in_a_channel_outside_the_filter_is_not_this_runs_failure() {
    let rows: [Row<'_>; 2] = [("bad", BRAVO, &asset(1), "", 5), (&video(1), BRAVO, "bad", "", 5)];
    assert_eq!(scan_filtered(&rows, ALPHA).gathered.stats.unreadable_assets, 0);
    assert_eq!(scan_filtered(&rows, BRAVO).gathered.stats.unreadable_assets, 2);
}

#[test]
fn a_line_of_the_plan_is_read_back_as_it_was_written() {
    let scanned = scan(&[(&video(1), ALPHA, &asset(1), "", 5), (&video(2), ALPHA, &asset(1), "", 5)]);
    let artists = ["Läufer \"X\"".to_owned()];
    let Decision::Update(update) =
        scanned.decide_typed(1, Policy::Enforce, Some("x\n"), Some("MUSIC_VIDEO"), &artists)
    else {
        panic!("no update");
    };
    let line = PlanLine::new(scanned.entry(1), &scanned.partners, &update, Some("\"etag\""));
    let json = line.to_json().unwrap();
    insta::assert_snapshot!(json, @r#"{"asset_id":"A000000000000001","videos":["video000001","video000002"],"channel_id":"UCalpha00000000000000000","old":"x\n","new":"alpha-01","reason":"differs","artists":["Läufer \"X\""],"row":1,"report_etag":"\"etag\""}"#);
    assert_eq!(PlanLine::from_json(&json).unwrap(), line);
}

#[rstest]
#[case("")]
#[case("{}")]
#[case(r#"{"asset_id":"A000000000000001","videos":[],"channel_id":"UCalpha00000000000000000","old":null,"new":"a b","reason":"empty","row":1,"report_etag":null}"#)]
#[case(r#"{"asset_id":"A000000000000001","videos":[],"channel_id":"UCalpha00000000000000000","old":null,"new":"a","reason":"empty","row":1,"report_etag":null,"more":1}"#)]
#[case(r#"{"asset_id":"A000000000000001","videos":[],"channel_id":"UCalpha00000000000000000","old":null,"new":"a","rea"#)]
fn p06_a_line_that_is_no_planned_write_is_refused(#[case] json: &str) {
    assert!(PlanLine::from_json(json).is_err());
}

#[test]
fn a_policy_is_read_as_it_is_written() {
    for policy in [Policy::FillDefault, Policy::Enforce] {
        assert_eq!(policy.to_string().parse(), Ok(policy));
    }
    assert_eq!(
        "Enforce".parse::<Policy>().unwrap_err().to_string(),
        "\"Enforce\" is no policy; give fill-default or enforce"
    );
}

/// A small world in which everything meets everything.
fn any_row() -> impl Strategy<Value = (String, String, String, String)> {
    let channel = prop::sample::select(vec![ALPHA, BRAVO, ALSO_ALPHA, NAMELESS, STRANGER]);
    let video = prop_oneof![9 => (0_u8..6).prop_map(video), 1 => Just("bad".to_owned())];
    let assets = prop::collection::vec(
        prop_oneof![9 => (0_u8..6).prop_map(asset), 1 => Just("bad".to_owned()), 1 => Just(String::new())],
        0..3,
    );
    let custom_ids = prop::collection::vec(
        prop_oneof![
            Just(String::new()),
            Just("alpha-01".to_owned()),
            Just("by-hand".to_owned()),
            (0_u8..6).prop_map(self::video)
        ],
        0..3,
    );
    (video, channel, assets, custom_ids).prop_map(|(video, channel, assets, custom_ids)| {
        (video, channel.to_owned(), assets.join("|"), custom_ids.join("|"))
    })
}

fn text_of(rows: &[(String, String, String, String)]) -> String {
    let mut text = "video_id,channel_id,asset_id,custom_id\n".to_owned();
    for (video, channel, asset, custom_id) in rows {
        writeln!(text, "{video},{channel},{asset},{custom_id}").unwrap();
    }
    text
}

proptest! {
    #[test]
    fn the_order_of_the_rows_changes_no_decision(rows in prop::collection::vec(any_row(), 1..30)) {
        let mut reversed = rows.clone();
        reversed.reverse();
        let decisions = |rows: &[_]| {
            let scanned = scan_text(&text_of(rows), "all");
            let decided: Vec<_> = scanned.gathered.assets.iter().map(|entry| {
                let from_report = decide_from_report(entry, &scanned.partners, Policy::FillDefault);
                (entry.asset_id, from_report.map(|decision| word(&decision)))
            }).collect();
            // Which of two rows says the other's again is a matter of order, and nothing hangs on it.
            (decided, ScanStats { duplicate_rows: 0, ..scanned.gathered.stats })
        };
        prop_assert_eq!(decisions(&rows), decisions(&reversed));
    }

    #[test]
    fn l04_every_asset_is_in_exactly_one_place(rows in prop::collection::vec(any_row(), 1..30)) {
        let scanned = scan_text(&text_of(&rows), "all");
        let stats = scanned.gathered.stats;
        prop_assert_eq!(stats.rows, stats.partner_rows + stats.foreign_rows);
        let rejected = scanned.taken.iter().filter(|taken| taken.is_err()).count() as u64;
        prop_assert_eq!(stats.rejected_rows, rejected);
        let ids: std::collections::HashSet<_> = scanned.gathered.assets.iter().map(|entry| entry.asset_id).collect();
        prop_assert_eq!(ids.len(), scanned.gathered.assets.len());
        prop_assert!(ids.len() as u64 <= stats.partner_assets);
        prop_assert!(stats.partner_assets <= ids.len() as u64 + stats.unreadable_assets);
    }

    #[test]
    fn the_default_policy_never_touches_a_value_set_by_hand(
        rows in prop::collection::vec(any_row(), 1..20),
        live in prop_oneof![Just("by-hand".to_owned()), "[a-z]{1,8}", (0_u8..9).prop_map(video)],
    ) {
        let scanned = scan_text(&text_of(&rows), "all");
        for entry in &scanned.gathered.assets {
            let asset = LiveAsset { asset_id: entry.asset_id, asset_type: None, custom_id: Some(&live), artists: &[] };
            if let Decision::Update(update) = decide(entry, &scanned.partners, Policy::FillDefault, &Live::Found(asset)) {
                prop_assert!(entry.videos().any(|video| video.video_id.as_str() == live));
                prop_assert_eq!(update.old.as_deref(), Some(live.as_str()));
            }
        }
    }

    #[test]
    fn every_filter_takes_a_part_of_all(rows in prop::collection::vec(any_row(), 1..20)) {
        let text = text_of(&rows);
        let all = scan_text(&text, "all");
        for target in [ALPHA, BRAVO, NAMELESS, "alpha-01"] {
            let part = scan_text(&text, target);
            for entry in &part.gathered.assets {
                let whole = all.gathered.assets.iter().find(|other| other.asset_id == entry.asset_id);
                prop_assert_eq!(Some(entry), whole);
            }
        }
        prop_assert!(Filter::all().is_all());
    }
}
