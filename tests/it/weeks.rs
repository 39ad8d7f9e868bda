//! The made-up weeks of claims reports, held against what `domain` reads from them: two readings of one contract.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::rc::Rc;

use dn_domain::asset_report::{AssetLine, AssetReport};
use dn_domain::claim_report::{ClaimLine, ClaimReport};
use dn_domain::claims::changes::compare;
use dn_domain::claims::mismatch::mismatches;
use dn_domain::claims::quality::{self, judge};
use dn_domain::claims::snapshot::{Gather, Snapshot, Source};
use dn_domain::conflict_report::{ConflictLine, ConflictReport};
use dn_domain::partner_channels::{PartnerChannels, PartnerRecord};
use dn_domain::platform_file::Span;
use dn_domain::platform_mapping::{AnalyticsFile, AnalyticsLine, Mappings};
use dn_domain::rights_record::{RightsFile, RightsLine};
use dn_domain::video_report::{ReportLine, VideoReport};
use dn_sandbox::weeks::{Options, WeekFiles, Weeks, generate};

type Found = BTreeSet<(String, String, String)>;

fn options() -> Options {
    Options { assets: 300, ..Options::ending("2026-11-16".parse().unwrap()) }
}

fn partners(weeks: &Weeks) -> PartnerChannels {
    PartnerChannels::build(weeks.partners.iter().map(|partner| PartnerRecord {
        channel_id: partner.channel_id.clone(),
        custom_id: partner.custom_id.clone(),
        display_name: partner.display_name.clone(),
    }))
}

fn gather(week: &WeekFiles, partners: &PartnerChannels) -> Snapshot {
    let open = |path: &Path| File::open(path).unwrap();
    let ids = partners.iter().map(|(_, partner)| partner.channel_id);
    let mut gather = Gather::new(week.monday.to_string().parse().unwrap(), ids);
    let mut report = AssetReport::open("assets", open(&week.assets)).unwrap();
    gather.begin(Source::Assets, &report.missing_columns());
    while let Some(line) = report.next_row().unwrap() {
        let AssetLine::Row(row) = line else { panic!("a misfit") };
        gather.asset(&row).unwrap();
    }
    let mut report = ClaimReport::open("claims", open(&week.claims)).unwrap();
    gather.begin(Source::Claims, &report.missing_columns());
    while let Some(line) = report.next_row().unwrap() {
        let ClaimLine::Row(row) = line else { panic!("a misfit") };
        gather.claim(&row).unwrap();
    }
    let mut report = VideoReport::open("videos", open(&week.videos)).unwrap();
    gather.begin(Source::Videos, &report.missing_columns());
    while let Some(line) = report.next_row().unwrap() {
        let ReportLine::Row(row) = line else { panic!("a misfit") };
        gather.video(&row).unwrap();
    }
    let mut report = ConflictReport::open("conflicts", open(&week.conflicts)).unwrap();
    gather.begin(Source::Conflicts, &report.missing_columns());
    while let Some(line) = report.next_row().unwrap() {
        let ConflictLine::Row(row) = line else { panic!("a misfit") };
        gather.conflict(&row).unwrap();
    }
    gather.finish()
}

/// What the truth says must be found in a week, of these kinds, and what may be found besides.
fn truth(weeks: &Weeks, week: &WeekFiles, is_asked: impl Fn(&str) -> bool) -> (Found, Found) {
    let (may, must): (Vec<_>, Vec<_>) = weeks
        .findings
        .iter()
        .filter(|finding| finding.week == week.monday && is_asked(finding.kind))
        .partition(|finding| finding.implied);
    let set = |findings: Vec<&dn_sandbox::weeks::Finding>| {
        findings
            .into_iter()
            .map(|one| (one.kind.to_owned(), one.subject_type.to_owned(), one.subject_id.clone()))
            .collect::<Found>()
    };
    let must = set(must);
    let may = &set(may) - &must;
    (must, may)
}

/// Reads every week, and holds changes, quality and custom IDs against the truth. Gives all changes.
fn hold_against_the_truth(options: &Options) -> String {
    let dir = tempfile::tempdir().unwrap();
    let weeks = generate(options, dir.path()).unwrap();
    let partners = partners(&weeks);
    let mut before: Option<Rc<Snapshot>> = None;
    let mut believed: Option<Rc<Snapshot>> = None;
    let mut all = String::new();
    for week in &weeks.weeks {
        let now = Rc::new(gather(week, &partners));
        let expected = std::fs::read_to_string(&week.changes).unwrap();
        if let Some(before) = &before {
            let read = compare(before, &now).write_csv(Vec::new()).unwrap();
            let read = String::from_utf8(read).unwrap();
            for (number, (read, expected)) in read.lines().zip(expected.lines()).enumerate() {
                assert_eq!(read, expected, "{} line {}", week.changes.display(), number + 1);
            }
            assert!(read == expected, "{}", week.changes.display());
            all.push_str(&read);
        } else {
            assert_eq!(expected.lines().count(), 1, "the first week has a header alone");
        }

        let sunday = week.monday.checked_add(jiff::Span::new().days(6)).unwrap();
        let dates = Source::ALL.into_iter().map(|source| (source, sunday)).collect();
        let is_partner = |channel| partners.partner(channel).is_some();
        let context = quality::Context { dates: &dates, is_partner: &is_partner, rpm: None };
        let verdict = judge(&now, believed.as_deref(), &context);
        let found: Found = verdict
            .findings
            .iter()
            .map(|one| (one.kind.name(), one.subject.kind.clone(), one.subject.id.clone()))
            .collect();
        let (must, may) = truth(&weeks, week, |kind| {
            kind.starts_with("report_") || kind.starts_with("channel_") || kind == "duplicate_rows"
        });
        assert_eq!(&found - &may, must, "{}: {:#?}", week.monday, verdict.findings);

        let found: Found = mismatches(&now, &partners)
            .iter()
            .map(|one| ("custom_id_mismatch".to_owned(), "asset".to_owned(), one.asset_id.to_string()))
            .collect();
        let (must, _) = truth(&weeks, week, |kind| kind == "custom_id_mismatch");
        assert_eq!(found, must, "{}", week.monday);

        if verdict.suspect_reports.is_empty() {
            believed = Some(Rc::clone(&now));
        }
        before = Some(now);
    }
    all
}

#[test]
fn changes_quality_and_custom_ids_read_from_the_weeks_are_their_truth() {
    let read = hold_against_the_truth(&options());
    assert!(read.lines().count() > 3_000);
    // Every state, an asset of the old kind whose id begins like a formula, and titles that do.
    for part in [",new\n", ",gone\n", ",up\n", ",down\n", "\n'-", "\"'=HYPERLINK", ",'@SUM", "\u{202e}"] {
        assert!(read.contains(part), "{part:?}");
    }
}

#[test]
fn so_they_are_with_doubled_and_partial_reports_and_with_a_missing_week() {
    hold_against_the_truth(&Options { seed: 2, report_faults: true, ..options() });
    hold_against_the_truth(&Options { seed: 3, missing_week: Some(8), ..options() });
    hold_against_the_truth(&Options { seed: 4, weeks: 3, assets: 90, ..options() });
}

#[test]
fn platform_files_and_rights_records_hold_no_row_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let weeks = generate(&options(), dir.path()).unwrap();
    let mappings = Mappings::built_in().unwrap();
    let mut counts = (0, 0);
    for week in &weeks.weeks {
        for platform in ["spotify", "tiktok", "apple_music"] {
            let path = match platform {
                "spotify" => week.spotify().unwrap(),
                _ => week.analytics.join(format!("{platform}.csv")),
            };
            let file = File::open(&path).unwrap();
            let mut file = AnalyticsFile::open(&mappings, path.to_str().unwrap(), file).unwrap();
            assert_eq!(file.mapping(), (platform == "spotify").then_some("spotify_for_artists"));
            while let Some(line) = file.next_row().unwrap() {
                let AnalyticsLine::Row(row) = line else { panic!("a misfit") };
                let read = row.values(|value| {
                    assert_eq!(value.platform, platform);
                    assert!((0..7).contains(&value.date.since(week.monday).unwrap().get_days()));
                    assert_eq!(value.span == Span::Week, platform == "spotify");
                    counts.0 += 1;
                });
                read.unwrap();
            }
        }
        let mut file = RightsFile::open("rights", File::open(&week.rights).unwrap()).unwrap();
        while let Some(line) = file.next_row().unwrap() {
            let RightsLine::Row(row) = line else { panic!("a misfit") };
            row.record().unwrap();
            counts.1 += 1;
        }
    }
    assert!(counts.0 > 15_000 && counts.1 > 800, "{counts:?}");
}
