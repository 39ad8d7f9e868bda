//! Weeks made by hand, for the tests of the history.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use dn_domain::asset_report::{AssetLine, AssetReport};
use dn_domain::claim_report::{ClaimLine, ClaimReport};
use dn_domain::claims::alert::{Alert, Kind, Severity, Subject};
use dn_domain::claims::movers::WeekTotals;
use dn_domain::claims::platforms::KeyKind;
use dn_domain::claims::risk::Signs;
use dn_domain::claims::snapshot::{Gather, Snapshot, Source};
use dn_domain::claims::week::Week;
use dn_domain::video_report::{ReportLine, VideoReport};

use super::{Entry, KeptAlert, KeptReport, NotedClaim, OpenClaim, PlatformValue};

pub(super) fn week(index: i32) -> Week {
    Week::parse("2026-11-16").unwrap().plus(index)
}

/// A week with the videos and assets of these numbers, twelve claims of one uploader on each asset, and all with so
/// many views.
pub(super) fn snapshot(week: Week, numbers: &[u32], views: u64) -> Snapshot {
    let mut gather = Gather::new(week, []);
    let mut text =
        "video_id,channel_id,channel_display_name,video_title,views,asset_id,custom_id\n".to_owned();
    for number in numbers {
        writeln!(text, "v{number:010},UC{:022},=Channel,Title,{views},A{number:015},label", 1).unwrap();
    }
    let mut report = VideoReport::open("videos.csv", text.as_bytes()).unwrap();
    gather.begin(Source::Videos, &report.missing_columns());
    while let Some(line) = report.next_row().unwrap() {
        let ReportLine::Row(row) = line else { panic!("a row of ours") };
        gather.video(&row).unwrap();
    }
    let mut text =
        "claim_id,channel_id,asset_id,video_id,reference_id,claim_status,claim_type,longest_match,claim_created_date\n"
            .to_owned();
    for number in numbers {
        for claim in 0..12 {
            writeln!(
                text,
                "c{number}-{claim},UC{:022},A{number:015},w{number:010},ref{number},ACTIVE,AUDIO,{},{week}",
                number + 100,
                claim * 2
            )
            .unwrap();
        }
    }
    let mut report = ClaimReport::open("claims.csv", text.as_bytes()).unwrap();
    gather.begin(Source::Claims, &report.missing_columns());
    while let Some(line) = report.next_row().unwrap() {
        let ClaimLine::Row(row) = line else { panic!("a row of ours") };
        gather.claim(&row).unwrap();
    }
    let mut text =
        "asset_id,custom_id,asset_title,artist,asset_type,active_claims,approx_daily_views\n".to_owned();
    for number in numbers {
        writeln!(text, "A{number:015},label,Title,Artist,WEB,{number},{}", views / 7).unwrap();
    }
    let mut report = AssetReport::open("assets.csv", text.as_bytes()).unwrap();
    gather.begin(Source::Assets, &report.missing_columns());
    while let Some(line) = report.next_row().unwrap() {
        let AssetLine::Row(row) = line else { panic!("a row of ours") };
        gather.asset(&row).unwrap();
    }
    gather.finish()
}

/// The week as it is recorded.
pub(super) fn entry(run_id: &str, snapshot: Snapshot) -> Entry {
    let week = snapshot.week;
    let alert = Alert::draft(Kind::Viral, Severity::High, Subject::new("video", "v1", "=1+1"), "it rises")
        .because("views", 12)
        .worth("0.3".parse().unwrap());
    let reports = Source::ALL.iter().filter_map(|source| {
        Some(KeptReport {
            source: *source,
            id: "etag".to_owned(),
            uri: "s3://reports/a.csv".to_owned(),
            modified: Some("2026-11-23T06:00:00Z".to_owned()),
            covers_until: Some(week.sunday()),
            is_suspect: false,
            facts: snapshot.reports.get(source)?.clone(),
        })
    });
    Entry {
        run_id: run_id.to_owned(),
        generated_at: "2026-11-23T08:00:00Z".to_owned(),
        reports: reports.collect(),
        totals: WeekTotals::of(&snapshot),
        alerts: vec![
            KeptAlert { alert: alert.clone(), is_told: true },
            KeptAlert { alert: Alert { id: "held".to_owned(), ..alert }, is_told: false },
        ],
        open_claims: vec![open_claim("claim-1", week)],
        disputed: BTreeSet::new(),
        candidates: vec![noted("claim-9", &["short_match", "young_claim"])],
        platform_values: vec![PlatformValue {
            platform: "spotify".to_owned(),
            key_kind: KeyKind::Isrc,
            key: "USABC2600001".to_owned(),
            metric: "streams".to_owned(),
            week,
            value: "-12345678901234567.25".parse().unwrap(),
        }],
        snapshot: Arc::new(snapshot),
    }
}

pub(super) fn open_claim(id: &str, first_seen: Week) -> OpenClaim {
    OpenClaim {
        claim_id: id.parse().unwrap(),
        asset_id: Some("A000000000000001".parse().unwrap()),
        video_id: Some("v0000000001".parse().unwrap()),
        status: "disputed".to_owned(),
        first_seen,
        signs: Signs::named(["block_policy", "young_claim"].into_iter()),
        risk: Some("0.0237".parse().unwrap()),
    }
}

/// A claim that is looked after, with these reasons.
pub(super) fn noted(id: &str, signs: &[&str]) -> NotedClaim {
    NotedClaim {
        claim_id: id.parse().unwrap(),
        asset_id: Some("A000000000000001".parse().unwrap()),
        channel_id: "UC0000000000000000000101".parse().unwrap(),
        signs: Signs::named(signs.iter().copied()),
        is_manual: false,
        is_ranked: true,
        is_drawn: false,
        probability: 0.026_8,
        at_stake: "4.2".parse().unwrap(),
    }
}
