//! Weeks for the tests of the renderers: a busy one that has everything, a first one and one without anything.

use dn_domain::claims::alert::{Alert, Kind, Severity, State, Subject};
use dn_domain::claims::changes::{Change, ChangeState, Changes, ClaimMoves, Metric};
use dn_domain::claims::digest::{
    ChangeSummary, Digest, Dispute, SCHEMA_VERSION, SourceFile, SourceState, Totals,
};
use dn_domain::claims::movers::{Numbers, SubjectTotals, Trend, WeekTotals, trends};
use dn_domain::claims::outlook::ChangePoint;
use dn_domain::claims::quality::reconcile;
use dn_domain::claims::snapshot::{ReportFacts, Source};
use dn_domain::claims::week::Week;
use serde_json::json;

/// Titles as people and attackers write them.
pub(crate) const TITLES: [&str; 12] = [
    "Midnight Rain (Official Video)",
    "दिल की बात | New Song 2026",
    "<script>alert(document.cookie)</script>",
    "Summer “Remix” & Friends <b>bold</b>",
    "مرحبا يا عالم",
    "=HYPERLINK(\"https://evil.example\",\"win\")",
    "harmless\u{202e}gpj.exe",
    "two\nlines\tand\u{200b}nothing",
    "\"><img src=x onerror=alert(1)>",
    "A Title That Goes On And On Without An End In Sight, As Some Uploaders Seem To Believe That Every Word Helps To Be Found",
    "Supercalifragilisticexpialidociousandthensomemorewithoutasinglespacebetweenthelettersofit",
    "{{ 7*7 }} ${jndi:ldap://x} '; DROP TABLE songs; --",
];

const CHANNELS: [&str; 8] = [
    "Lotus Records",
    "Monsoon Beats",
    "Desi Hip Hop",
    "Raag & Roll",
    "Bhakti Daily",
    "Chennai Underground",
    "Indie Nights <live>",
    "Old Gold",
];

/// The week of all the samples.
pub(crate) fn week() -> Week {
    Week::of(jiff::civil::date(2026, 11, 16))
}

fn title(index: usize) -> &'static str {
    TITLES[index % TITLES.len()]
}

fn channel(index: usize) -> String {
    format!("UC{index:022}")
}

fn asset(index: usize) -> String {
    format!("A{index:015}")
}

/// A made-up but steady weekly gain, with a surge of one channel in the last week.
fn gain(channel: usize, index: usize) -> u64 {
    let base = 4_000_000 / (channel as u64 + 1);
    let swing = [0, 7, 3, 11, 5, 9, 2, 8, 12, 4, 10, 6, 13][(index + channel * 5) % 13];
    let surge = if index == 12 && channel == 2 { 6 } else { 1 };
    (base + base * swing / 40) * surge - if index == 12 && channel == 4 { base / 2 } else { 0 }
}

/// Thirteen weeks, one of them without reports.
fn history(last: Week) -> Vec<WeekTotals> {
    let mut lifetime = [40_000_000_u64; 8];
    let mut history = Vec::new();
    for index in 0..13_usize {
        let mut totals = WeekTotals {
            week: last.plus(i32::try_from(index).unwrap() - 12),
            assets: Some(79_000 + 31 * index as u64),
            videos: Some(38_000 + 57 * index as u64),
            claims: Some(1_900_000 + 4_100 * index as u64),
            all: Numbers::default(),
            channels: std::collections::BTreeMap::new(),
            artists: std::collections::BTreeMap::new(),
        };
        let mut all = 0;
        for (number, lifetime) in lifetime.iter_mut().enumerate() {
            *lifetime += gain(number, index);
            all += *lifetime;
            let numbers = Numbers {
                views: Some(*lifetime),
                engaged_views: (index > 4).then_some(*lifetime * 3 / 5),
                active_claims: Some(60_000 / (number as u64 + 1) + gain(number, index) / 9_000),
            };
            let channel_title = CHANNELS[number].to_owned();
            totals.channels.insert(channel(number), SubjectTotals { title: channel_title, numbers });
            let artist = format!("Artist {}", title(number));
            totals.artists.insert(artist.clone(), SubjectTotals { title: artist, numbers });
        }
        let claims = 512_400 + 611 * index as u64 - if index == 9 { 3_000 } else { 0 };
        totals.all = Numbers {
            views: Some(all),
            engaged_views: (index > 4).then_some(all * 3 / 5),
            active_claims: Some(claims),
        };
        if index != 6 {
            history.push(totals);
        }
    }
    history
}

fn alerts() -> Vec<Alert> {
    let amount = |text: &str| text.parse().unwrap();
    let studio = |index: usize| format!("https://studio.youtube.com/asset/{}", asset(index));
    let mut alerts = vec![
        Alert::draft(
            Kind::CustomIdMismatch,
            Severity::Critical,
            Subject::new("asset", asset(1), title(0)),
            "its custom ID is old-label, its channel's is lotus-01: the wrong artist is paid for 1,204 active claims",
        )
        .because("expected", "lotus-01")
        .because("found", "old-label")
        .because("activeClaims", 1_204)
        .worth(amount("1840.5"))
        .see(studio(1)),
        Alert::draft(
            Kind::DisputeDeadline,
            Severity::Critical,
            Subject::new("claim", "appealed-claim-1", title(2)),
            "the appeal runs out in 2 days",
        )
        .because("daysLeft", 2)
        .because("deadline", "2026-11-25")
        .worth(amount("960.25"))
        .see("javascript:alert(1)"),
        Alert::draft(
            Kind::Viral,
            Severity::High,
            Subject::new("video", "dQw4w9WgXcQ", title(1)),
            "1,420,000 views this week where 96,000 were expected: 14.8 times its habit",
        )
        .because("weeklyViews", json!([91_000, 99_500, null, 94_000, 97_200, 96_100, 102_000, 1_420_000]))
        .because("expected", 96_000)
        .because("liveAsOf", "2026-11-23T06:00:00.000Z")
        .because("liveViews", 24_811_300)
        .because("liveGained", 402_118)
        .because("liveLikes", 1_104_220)
        .because("ratio", 14.8)
        .because("impact", json!({"views": 1_324_000, "channels": 1}))
        .worth(amount("1986"))
        .see("https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
        Alert::draft(
            Kind::BadReference,
            Severity::High,
            Subject::new("reference", "ref-<img src=x>", title(3)),
            "3,310 new claims this week, 12 times its usual 276",
        )
        .because("newClaims", 3_310)
        .because("usual", 276)
        .because("sample", json!(["claim-1", "claim-2", "claim-3"]))
        .see("https://evil.example/reference"),
        Alert::draft(
            Kind::OwnershipConflict,
            Severity::High,
            Subject::new("asset", asset(5), title(4)),
            "another owner claims 100 % in IN, US and GB; 240,000 views a day are contested",
        )
        .because("countries", json!(["IN", "US", "GB"]))
        .because("dailyViews", 240_000)
        .worth(amount("2520"))
        .see(studio(5)),
        Alert::draft(
            Kind::ClaimsAhead,
            Severity::Info,
            Subject::new("asset", asset(6), title(6)),
            "some 420 new claims are to be expected next week (from 260 to 610)",
        )
        .because("expected", 420)
        .because("low", 260)
        .because("high", 610),
        Alert::draft(
            Kind::ShortMatch,
            Severity::Info,
            Subject::new("asset", asset(7), title(8)),
            "34 % of its new matches last less than ten seconds; 11 % did before",
        )
        .because("share", 0.34)
        .because("before", 0.11),
        Alert::draft(
            Kind::ReleaseRate,
            Severity::High,
            Subject::new("asset", asset(8), title(7)),
            "4.4 times as many of its claims are released as of others",
        )
        .worth(amount("75")),
    ];
    alerts[4].state = State::Ongoing;
    alerts[7].state = State::Resolved;
    alerts
}

fn quality() -> Vec<Alert> {
    vec![
        Alert::draft(
            Kind::ReportStale,
            Severity::Critical,
            Subject::new("file", "conflict report", "conflict report"),
            "conflict report: it ends on 2026-11-09, the week on 2026-11-22",
        )
        .because("date", "2026-11-09")
        .because("weekEnd", "2026-11-22")
        .because("impact", json!({"entries": 812, "channels": 0, "views": null, "value": null})),
        Alert::draft(
            Kind::ChannelMissing,
            Severity::High,
            Subject::new("channel", channel(7), CHANNELS[7]),
            "none of its videos is in the report",
        )
        .because("videosBefore", 412)
        .because("videos", 0)
        .because("impact", json!({"entries": 412, "channels": 1, "views": 40_000_000, "value": 60_000}))
        .worth("60000".parse().unwrap()),
        Alert::draft(
            Kind::RowsRejected,
            Severity::Info,
            Subject::new("file", "claim report", "claim report"),
            "claim report: 14 of 1,949,200 rows could not be read",
        )
        .because("rows", 1_949_200)
        .because("count", 14),
    ]
}

fn disputes() -> Vec<Dispute> {
    let statuses = ["appealed", "disputed", "potential", "routed_for_review", "pending"];
    let actions = ["Release it: the match lasts 8 seconds", "Uphold it", "Ask the label"];
    (0..9_usize)
        .map(|index| {
            let days = [2, -1, 6, 11, 14, 19, 23, 27, 29][index];
            let claim = if index == 0 { "appealed-claim-1".to_owned() } else { format!("claim-{index}") };
            let deadline = week().sunday().saturating_add(jiff::Span::new().days(i64::from(days) + 1));
            let value = format!("{}.{index}5", 2_400 / (index + 1));
            Dispute {
                claim_id: claim.parse().unwrap(),
                asset_id: (index != 3).then(|| asset(index).parse().unwrap()),
                video_id: Some(format!("vid_{index:07}").parse().unwrap()),
                status: statuses[index % 5].to_owned(),
                deadline: (index != 4).then_some(deadline),
                days_left: (index != 4).then_some(days),
                estimate: index % 2 == 1,
                critical: index % 5 == 0,
                value_at_risk: (index != 5).then(|| value.parse().unwrap()),
                risk: Some(format!("0.{}", 65 - 6 * index).parse().unwrap()),
                reasons: vec!["short_match".to_owned(), "uploader_disputed_before".to_owned()],
                action: actions[index % 3].to_owned(),
                link: format!("https://studio.youtube.com/video/vid_{index:07}/copyright"),
            }
        })
        .collect()
}

/// What changed, of so many assets.
pub(crate) fn changes(count: usize) -> Changes {
    let states = [ChangeState::Up, ChangeState::Down, ChangeState::New, ChangeState::Gone];
    let rows = (0..count)
        .map(|index| {
            let metric = Metric::ALL[(index * 3 / count.max(1)).min(2)];
            let (state, size) = (states[index % 4], (count - index) as u64 * 37);
            let before = (state != ChangeState::New).then_some(20_000_u64 + size);
            let now = match state {
                ChangeState::Up => Some(20_000 + 2 * size),
                ChangeState::Down => Some(20_000),
                ChangeState::New => Some(size),
                ChangeState::Gone => None,
            };
            let signed = |number: u64| i64::try_from(number).unwrap();
            Change {
                asset_id: asset(index).parse().unwrap(),
                custom_id: if index % 5 == 0 { String::new() } else { format!("label-{}", index % 7) },
                channel_id: (index % 3 != 0).then(|| channel(index % 8).parse().unwrap()),
                title: title(index).to_owned(),
                artist: format!("Artist {}", index % 9),
                isrc: format!("INA0126{:05}", index % 100_000),
                metric,
                before,
                now,
                difference: before.zip(now).map(|(before, now)| signed(now) - signed(before)),
                state,
            }
        })
        .collect();
    Changes {
        before: week().plus(-1),
        weeks_apart: 1,
        rows: std::sync::Arc::new(rows),
        claims: std::collections::BTreeMap::new(),
        claims_total: ClaimMoves { opened: 9_120, released: 1_404, gone: 311, disputed: 58, settled: 41 },
    }
}

fn sources() -> Vec<SourceFile> {
    let facts = |rows: u64| ReportFacts {
        rows,
        used: rows - 34,
        duplicates: 20,
        rejected: 14,
        entries: rows - 34,
        channels: 368,
        views: Some(rows * 1_310),
        engaged_views: Some(rows * 700),
        active_claims: Some(519_732),
        fingerprint: 77,
        missing_columns: vec!["engaged_views".to_owned()],
    };
    let day = Some(week().sunday());
    let mut sources: Vec<SourceFile> = [Source::Claims, Source::Assets, Source::Videos]
        .into_iter()
        .enumerate()
        .map(|(index, source)| {
            let uri =
                format!("s3://youtube-reporting-main/reports/{}.csv.gz", source.name().replace(' ', "_"));
            let (now, was) = (facts(1_949_200 >> index), facts(1_940_100 >> index));
            let reconciliation = reconcile(source, Some((week().plus(-1), &was)), Some(&now));
            let file = SourceFile::report(source, uri, day, Some(now));
            SourceFile { reconciliation: Some(reconciliation), ..file }
        })
        .collect();
    let conflicts =
        SourceFile::report(Source::Conflicts, "s3://youtube-reporting-main/reports/conflict.csv", None, None);
    sources.push(SourceFile { state: SourceState::Refused, ..conflicts });
    sources.push(SourceFile {
        name: "spotify".to_owned(),
        uri: "analytics/spotify-<week>.csv".to_owned(),
        date: None,
        state: SourceState::Missing,
        facts: None,
        reconciliation: None,
    });
    sources
}

/// The history's trends, the first with a change of its level.
fn busy_trends(history: &[WeekTotals]) -> Vec<Trend> {
    let mut trends = trends(history, week(), 8);
    if let Some(trend) = trends.first_mut() {
        trend.change_points = vec![ChangePoint { week: week().plus(-5), before: 1_000, after: 1_500 }];
    }
    trends
}

/// A week in which all happens that a report shows, and its changes.
pub(crate) fn busy() -> (Digest, Changes) {
    let history = history(week());
    let changes = changes(2_600);
    let alerts = alerts();
    let totals = match history.as_slice() {
        [.., before, now] => Totals::of(now, Some(before), &alerts),
        _ => unreachable!("the history has weeks"),
    };
    let digest = Digest {
        schema_version: SCHEMA_VERSION,
        week: week(),
        generated_at: "2026-11-23T06:00:00Z".to_owned(),
        sources: sources(),
        totals,
        trends: busy_trends(&history),
        alerts,
        held_back_count: 3,
        rpm: Some("1.5".parse().unwrap()),
        quality: quality(),
        changes: ChangeSummary::of(&changes, 60),
        disputes: disputes(),
    };
    (digest, changes)
}

/// The first week of all: no past, and so no changes.
pub(crate) fn first() -> Digest {
    let history: Vec<WeekTotals> = history(week()).into_iter().rev().take(1).collect();
    let alerts: Vec<Alert> = alerts().into_iter().take(1).collect();
    let mut sources = sources();
    for source in &mut sources {
        source.reconciliation = None;
    }
    Digest {
        totals: Totals::of(&history[0], None, &alerts),
        trends: trends(&history, week(), 8),
        sources,
        alerts,
        ..empty()
    }
}

/// A week of which nothing is known.
pub(crate) fn empty() -> Digest {
    let nothing = WeekTotals {
        week: week(),
        assets: None,
        videos: None,
        claims: None,
        all: Numbers::default(),
        channels: std::collections::BTreeMap::new(),
        artists: std::collections::BTreeMap::new(),
    };
    Digest {
        schema_version: SCHEMA_VERSION,
        week: week(),
        generated_at: "2026-11-23T06:00:00Z".to_owned(),
        sources: Vec::new(),
        totals: Totals::of(&nothing, None, &[]),
        trends: Vec::new(),
        alerts: Vec::new(),
        held_back_count: 0,
        rpm: None,
        quality: Vec::new(),
        changes: ChangeSummary::default(),
        disputes: Vec::new(),
    }
}
