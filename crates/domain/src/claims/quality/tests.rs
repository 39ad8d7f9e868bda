use super::*;
use crate::claims::alert::State;
use crate::claims::world::{World, any_world, catalogue, channel, week};
use crate::refusal::Refusal;
use proptest::prelude::*;
use rstest::rstest;

fn judged(before: &World, now: &World) -> Verdict {
    judge(&now.snapshot(), Some(&before.snapshot()), &context(&HashMap::new()))
}

fn context(dates: &HashMap<Source, Date>) -> Context<'_> {
    Context { dates, is_partner: &|_| true, rpm: Some("1.5".parse().unwrap()) }
}

fn kinds(verdict: &Verdict) -> Vec<(Kind, String)> {
    verdict
        .findings
        .iter()
        .filter(|alert| alert.severity != Severity::Info)
        .map(|alert| (alert.kind, alert.subject.id.clone()))
        .collect()
}

/// The rows of some channels changed.
fn change(rows: &mut Option<Vec<String>>, channels: &[u32], by: impl Fn(&str) -> Vec<String>) {
    let of: Vec<String> = channels.iter().map(|number| channel(*number)).collect();
    let old = rows.take().unwrap();
    *rows = Some(
        old.into_iter()
            .flat_map(|row| if of.iter().any(|id| row.contains(id)) { by(&row) } else { vec![row] })
            .collect(),
    );
}

fn doubled_views(row: &str) -> Vec<String> {
    let mut cells: Vec<String> = row.split(',').map(str::to_owned).collect();
    for index in [4, 5] {
        cells[index] = (cells[index].parse::<u64>().unwrap() * 2).to_string();
    }
    vec![cells.join(",")]
}

fn file(kind: Kind, source: Source) -> (Kind, String) {
    (kind, source.name().to_owned())
}

#[test]
fn a_week_of_ordinary_growth_has_no_finding() {
    let verdict = judged(&catalogue(4, 10, 1000).in_week(-1), &catalogue(4, 10, 1100));
    assert_eq!(kinds(&verdict), []);
    assert!(verdict.suspect_reports.is_empty() && verdict.suspect_channels.is_empty());
}

#[test]
fn the_first_week_has_nothing_to_be_held_against() {
    let verdict = judge(&catalogue(4, 10, 1000).snapshot(), None, &context(&HashMap::new()));
    assert_eq!(kinds(&verdict), []);
}

#[test]
fn a_report_with_every_row_twice_is_doubled_and_no_channel_is_named_besides() {
    let mut now = catalogue(4, 10, 1100);
    change(&mut now.videos, &[0, 1, 2, 3], |row| vec![row.to_owned(), row.to_owned()]);
    let verdict = judged(&catalogue(4, 10, 1000).in_week(-1), &now);
    assert_eq!(
        kinds(&verdict),
        [file(Kind::ReportDoubled, Source::Videos), file(Kind::DuplicateRows, Source::Videos)]
    );
    assert!(verdict.suspect_reports.contains(&Source::Videos) && verdict.suspect_channels.is_empty());
}

#[test]
fn a_report_with_every_number_twice_is_doubled_also_where_the_sum_hides_it() {
    let before = catalogue(4, 10, 1000).in_week(-1);
    let mut now = catalogue(4, 10, 1050);
    change(&mut now.videos, &[0, 1, 2, 3], doubled_views);
    assert_eq!(kinds(&judged(&before, &now)), [file(Kind::ReportDoubled, Source::Videos)]);
}

#[test]
fn a_channel_with_every_number_twice_is_doubled_and_a_viral_video_is_not() {
    let before = catalogue(4, 10, 1000).in_week(-1);
    let mut now = catalogue(4, 10, 1050);
    change(&mut now.videos, &[2], doubled_views);
    let verdict = judged(&before, &now);
    assert_eq!(kinds(&verdict), [(Kind::ChannelDoubled, channel(2))]);
    assert_eq!(verdict.suspect_channels.len(), 1);
    insta::assert_snapshot!(verdict.findings[0].reason, @"channel UC0000000000000000000002: 10 of 10 videos have twice the views of last time");
    insta::assert_snapshot!(serde_json::to_string(&verdict.findings[0].evidence).unwrap(), @r#"{"impact":{"channels":1,"entries":10,"value":16.8675,"views":11245},"videosCompared":10,"videosDoubled":10}"#);

    let mut now = catalogue(4, 10, 1050);
    let videos = now.videos.as_mut().unwrap();
    for video in &mut videos[20..25] {
        *video = doubled_views(video).remove(0);
    }
    assert_eq!(kinds(&judged(&before, &now)), [], "five of ten videos of one channel");
}

#[test]
fn a_channel_with_every_row_twice_is_doubled() {
    let mut now = catalogue(4, 10, 1050);
    change(&mut now.videos, &[1], |row| vec![row.to_owned(), row.replace("label-", "other-")]);
    let verdict = judged(&catalogue(4, 10, 1000).in_week(-1), &now);
    assert_eq!(kinds(&verdict), [(Kind::ChannelDoubled, channel(1))]);
}

#[test]
fn t05_a_channel_that_is_absent_is_missing_and_so_is_most_of_one() {
    let mut now = catalogue(8, 10, 1050);
    change(&mut now.videos, &[3], |_| Vec::new());
    let verdict = judged(&catalogue(8, 10, 1000).in_week(-1), &now);
    assert_eq!(kinds(&verdict), [(Kind::ChannelMissing, channel(3))]);
    assert_eq!(verdict.findings[0].subject.title, "Channel 3");

    let mut now = catalogue(8, 10, 1050);
    change(&mut now.videos, &[3], |row| if row < "v0000000034" { vec![row.to_owned()] } else { Vec::new() });
    let verdict = judged(&catalogue(8, 10, 1000).in_week(-1), &now);
    assert_eq!(kinds(&verdict), [(Kind::ChannelMissing, channel(3))]);
    insta::assert_snapshot!(verdict.findings[0].reason, @"channel UC0000000000000000000003: 4 of its 10 videos are in the report");
}

#[rstest]
fn a_report_that_lacks_a_quarter_is_partial(
    #[values(Source::Assets, Source::Claims, Source::Videos)] source: Source,
) {
    let before = catalogue(4, 10, 1000).in_week(-1);
    let mut now = catalogue(4, 10, 1050);
    let report = match source {
        Source::Assets => &mut now.assets,
        Source::Claims => &mut now.claims,
        _ => &mut now.videos,
    };
    report.as_mut().unwrap().truncate(30);
    let verdict = judged(&before, &now);
    assert_eq!(kinds(&verdict), [file(Kind::ReportPartial, source)]);
    assert!(verdict.suspect_reports.contains(&source));
}

#[test]
fn a_report_that_was_there_last_time_is_missing_and_one_that_never_was_is_not() {
    let mut now = catalogue(4, 10, 1050);
    now.claims = None;
    let verdict = judged(&catalogue(4, 10, 1000).in_week(-1), &now);
    assert_eq!(kinds(&verdict), [file(Kind::ReportMissing, Source::Claims)]);
}

#[test]
fn last_weeks_report_again_is_stale_and_so_is_one_that_ends_before_the_week() {
    // A small catalogue may stand still for a week, a large one does not.
    assert_eq!(kinds(&judged(&catalogue(4, 10, 1000).in_week(-1), &catalogue(4, 10, 1000))), []);
    let verdict = judged(&catalogue(4, 30, 1000).in_week(-1), &catalogue(4, 30, 1000).shuffled(9));
    assert_eq!(
        kinds(&verdict),
        [Source::Assets, Source::Claims, Source::Videos].map(|source| file(Kind::ReportStale, source))
    );
    // The same week done again is the same week, not a stale one.
    assert_eq!(kinds(&judged(&catalogue(4, 30, 1000), &catalogue(4, 30, 1000))), []);

    let now = catalogue(4, 10, 1050).snapshot();
    for (day, is_stale) in [("2026-11-21", true), ("2026-11-22", false), ("2026-11-24", false)] {
        let dates = HashMap::from([(Source::Videos, day.parse().unwrap())]);
        let verdict = judge(&now, None, &context(&dates));
        assert_eq!(verdict.suspect_reports.contains(&Source::Videos), is_stale, "{day}");
    }
}

#[test]
fn rejected_rows_are_a_note_up_to_one_in_a_hundred() {
    let mut now = catalogue(10, 10, 1050);
    now.videos.as_mut().unwrap()[0] = "bad,UC0000000000000000000001,,,1,1,,".to_owned();
    let before = catalogue(10, 10, 1000).in_week(-1);
    let verdict = judged(&before, &now);
    assert_eq!(kinds(&verdict), []);
    assert!(verdict.findings.iter().any(|alert| alert.kind == Kind::RowsRejected));
    now.videos.as_mut().unwrap()[1] = "bad,UC0000000000000000000001,,,2,1,,".to_owned();
    assert_eq!(kinds(&judged(&before, &now)), [file(Kind::RowsRejected, Source::Videos)]);
}

#[test]
fn v06_a_column_that_is_lost_is_named() {
    let before = catalogue(4, 10, 1000).in_week(-1).snapshot();
    let mut now = catalogue(4, 10, 1050).snapshot();
    now.reports.get_mut(&Source::Claims).unwrap().missing_columns.push("views".to_owned());
    let verdict = judge(&now, Some(&before), &context(&HashMap::new()));
    assert_eq!(kinds(&verdict), [file(Kind::ColumnMissing, Source::Claims)]);
    assert_eq!(verdict.findings[0].evidence["columns"], serde_json::json!(["views"]));
}

#[test]
fn a_refused_report_is_a_finding_of_its_own_kind() {
    let refusal =
        Refusal::new("s3://b/a.csv", RefusalKind::WrongReportType, "this is another", "Give it.").at_line(1);
    let alert = refused(Source::Assets.name(), &refusal);
    assert_eq!(
        (alert.kind, alert.severity, alert.state),
        (Kind::WrongReportType, Severity::Critical, State::New)
    );
    insta::assert_snapshot!(alert.reason, @"s3://b/a.csv:1: this is another. Give it.");
    let basic = crate::asset_report::AssetReport::open(
        "basic.csv",
        crate::fixture::fixture("asset_report/basic_without_claims.csv"),
    );
    let alert = refused(Source::Assets.name(), &basic.err().unwrap());
    assert_eq!(alert.kind, Kind::WrongReportType);
    assert!(alert.reason.contains("content_owner_asset_basic_a3"), "{}", alert.reason);
}

#[test]
fn a_reconciliation_holds_the_last_run_against_this_one() {
    let (before, now) = (catalogue(4, 10, 1000).in_week(-1).snapshot(), catalogue(4, 9, 1000).snapshot());
    let facts = |week: &Snapshot| week.reports[&Source::Videos].clone();
    let reconciled = reconcile(Source::Videos, Some((week(-1), &facts(&before))), Some(&facts(&now)));
    let rows = &reconciled.numbers[0];
    assert_eq!((rows.before, rows.now, rows.difference), (Some(40), Some(36), Some(-4)));
    let refused = reconcile(Source::Videos, Some((week(-1), &facts(&before))), None);
    assert!(refused.numbers.iter().all(|number| number.now.is_none() && number.difference.is_none()));
}

#[test]
fn the_impact_is_in_views_and_exact_money() {
    let mut now = catalogue(4, 10, 1000);
    change(&mut now.videos, &[2], doubled_views);
    let verdict = judged(&catalogue(4, 10, 1000).in_week(-1), &now);
    let alert = verdict.findings.iter().find(|alert| alert.kind == Kind::ChannelDoubled).unwrap();
    // Ten videos of 1020 to 1029 views, counted twice.
    assert_eq!(alert.evidence["impact"]["views"], 10_245);
    assert_eq!(alert.evidence["impact"]["entries"], 10);
    assert_eq!(alert.value.unwrap().to_string(), "15.3675");
}

proptest! {
    #[test]
    fn the_order_of_rows_changes_no_verdict(before in any_world(), now in any_world(), by: u64) {
        let before = before.in_week(-1);
        let verdict = judged(&before, &now);
        prop_assert_eq!(judged(&before.shuffled(by), &now.shuffled(by.rotate_left(9))), verdict);
    }

    #[test]
    fn the_same_week_given_again_is_never_suspect_in_size(world in any_world(), by: u64) {
        let verdict = judged(&world, &world.shuffled(by));
        prop_assert!(verdict.suspect_channels.is_empty());
        let wrong = [Kind::ReportPartial, Kind::ReportStale, Kind::ReportMissing];
        prop_assert!(verdict.findings.iter().all(|alert| !wrong.contains(&alert.kind)));
    }
}
