use std::collections::BTreeMap;
use std::path::Path;

use dn_core::aws::{self, AwsSettings};
use dn_core::task::Stop;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::sample::{entry, open_claim, snapshot, week};
use super::tables::number_of;
use super::*;

const YEARS: Duration = Duration::from_hours(730 * 24);

struct Bench {
    folder: TempDir,
    store: Store,
}

async fn open_store(path: &Path) -> Store {
    let settings = AwsSettings { region: Some("us-east-1".to_owned()), ..AwsSettings::default() };
    Store::open(path.to_str().unwrap(), &aws::load(&settings).await).unwrap()
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open_store(&folder.path().join("state")).await;
        Self { folder, store }
    }

    async fn open(&self) -> History {
        History::open(&self.store, YEARS).await.unwrap()
    }

    async fn record(&self, entry: Entry) {
        self.record_for(YEARS, entry).await;
    }

    async fn record_for(&self, retention: Duration, entry: Entry) {
        let mut history = History::open(&self.store, retention).await.unwrap();
        history.record(entry).await.unwrap();
        history.save().await.unwrap();
    }

    fn path(&self, key: &str) -> std::path::PathBuf {
        self.folder.path().join("state").join(key)
    }

    async fn objects(&self) -> Vec<String> {
        let listed = self.store.list(WEEKS).await.unwrap().into_iter();
        listed.map(|object| object.key.strip_prefix(WEEKS).unwrap().to_owned()).collect()
    }

    /// Every row of every table.
    fn dump(&self) -> BTreeMap<String, Vec<Vec<Value>>> {
        let connection = Connection::open(self.path(DATABASE)).unwrap();
        let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let names: Vec<String> =
            tables.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        let rows = |name: &String| {
            let mut statement =
                connection.prepare(&format!("SELECT * FROM {name} ORDER BY 1, 2, 3")).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
            rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap()
        };
        names.into_iter().map(|name| (name.clone(), rows(&name))).collect()
    }
}

fn exit(error: &anyhow::Error) -> Exit {
    Exit::of(error, &Stop::default())
}

#[tokio::test]
async fn what_is_recorded_is_told_by_the_next_run() {
    let bench = Bench::new().await;
    let history = bench.open().await;
    assert_eq!((history.weeks().await.unwrap(), history.watermark().await.unwrap()), (vec![], None));
    assert!(history.recall(week(0)).await.unwrap().is_none());
    let first = entry("run-1", snapshot(week(0), &[1, 2, 3], 700));
    bench.record(first.clone()).await;

    let history = bench.open().await;
    let weeks = history.weeks().await.unwrap();
    assert_eq!((weeks.len(), weeks[0].week, weeks[0].is_whole), (1, week(0), true));
    assert_eq!(history.last_before(week(1)).await.unwrap(), Some(weeks[0].clone()));
    assert_eq!(history.last_before(week(0)).await.unwrap(), None);
    assert_eq!(history.totals(week(0), 12).await.unwrap(), [first.totals]);
    assert_eq!(history.alerts(week(0)).await.unwrap(), first.alerts);
    assert_eq!(history.reports(week(0)).await.unwrap().len(), 3);
    assert_eq!(history.open_claims(week(0)).await.unwrap(), first.open_claims);
    let facts = history.report_facts(week(3), Source::Videos).await.unwrap();
    assert_eq!(facts, Some((week(0), first.snapshot.reports[&Source::Videos].clone())));
    assert_eq!(history.report_facts(week(0), Source::Videos).await.unwrap(), None);
    let recalled = history.recall(week(0)).await.unwrap().unwrap();
    assert_eq!(recalled.videos.len(), 3);
    let keep = |snapshot: &Snapshot| snapshot.keep(Vec::new()).unwrap();
    assert!(keep(&recalled) == keep(&first.snapshot));
}

#[tokio::test]
async fn the_same_week_twice_leaves_the_same_content() {
    let bench = Bench::new().await;
    bench.record(entry("run-1", snapshot(week(0), &[1, 2, 3], 700))).await;
    bench.record(entry("run-2", snapshot(week(1), &[2, 3, 4], 800))).await;
    let before = bench.dump();
    let views = video_views(&bench.open().await, 2).await;
    assert_eq!(views.values().flatten().flatten().count(), 6);
    bench.record(entry("run-2", snapshot(week(1), &[2, 3, 4], 800))).await;
    assert_eq!(bench.dump(), before);
    bench.record(entry("run-1", snapshot(week(0), &[1, 2, 3], 700))).await;
    assert_eq!(bench.dump(), before);
}

#[tokio::test]
async fn a_report_that_was_made_anew_replaces_its_week() {
    let bench = Bench::new().await;
    bench.record(entry("run-1", snapshot(week(0), &[1, 2], 700))).await;
    bench.record(entry("run-2", snapshot(week(1), &[2, 9], 800))).await;
    bench.record(entry("run-3", snapshot(week(1), &[2, 3], 900))).await;
    assert_eq!(bench.objects().await, ["2026-11-16-run-1.week", "2026-11-23-run-3.week"]);
    let views = video_views(&bench.open().await, 2).await;
    assert_eq!(views.keys().collect::<Vec<_>>(), ["v0000000001", "v0000000002", "v0000000003"]);
    assert_eq!(views["v0000000002"], [Some(700), Some(900)]);
}

/// The views of each video in the weeks from the first on.
async fn video_views(history: &History, count: i32) -> BTreeMap<String, Vec<Option<u64>>> {
    let weeks: Vec<Week> = (0..count).map(week).collect();
    history
        .ask(move |tables| {
            let mut series = BTreeMap::new();
            tables.video_series(&weeks, |id, points| {
                let views = points.iter().map(|point| point.and_then(|point| point.views));
                let twice = series.insert(id.to_owned(), views.collect());
                assert!(twice.is_none(), "each is told once");
                Ok::<_, HistoryError>(())
            })?;
            Ok(series)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn t05_a_week_without_numbers_is_a_gap_in_the_series_and_no_zero() {
    let bench = Bench::new().await;
    bench.record(entry("run-1", snapshot(week(0), &[5, 6], 100))).await;
    bench.record(entry("run-2", snapshot(week(2), &[4, 6], 300))).await;
    let history = bench.open().await;
    let expected = BTreeMap::from([
        ("v0000000004".to_owned(), vec![None, None, Some(300)]),
        ("v0000000005".to_owned(), vec![Some(100), None, None]),
        ("v0000000006".to_owned(), vec![Some(100), None, Some(300)]),
    ]);
    assert_eq!(video_views(&history, 3).await, expected);
    assert_eq!(history.totals(week(2), 3).await.unwrap().len(), 2);
    assert_eq!(history.totals(week(2), 2).await.unwrap().len(), 1);
}

#[tokio::test]
async fn assets_references_and_uploaders_have_their_claims_of_each_week() {
    let bench = Bench::new().await;
    bench.record(entry("run-1", snapshot(week(0), &[7], 700))).await;
    let mut without_claims = snapshot(week(1), &[7], 700);
    without_claims.reports.remove(&Source::Claims);
    without_claims.references.clear();
    without_claims.uploaders.clear();
    bench.record(entry("run-2", without_claims)).await;
    let (assets, references, uploaders) = bench
        .open()
        .await
        .ask(|tables| {
            let weeks = [week(0), week(1)];
            let (mut assets, mut references, mut uploaders) = (Vec::new(), Vec::new(), Vec::new());
            tables.asset_series(&weeks, |id, points| {
                assets.push((id.to_owned(), points.to_vec()));
                Ok::<_, HistoryError>(())
            })?;
            tables.reference_series(&weeks, |id, points| {
                references.push((id.to_owned(), points.to_vec()));
                Ok::<_, HistoryError>(())
            })?;
            tables.uploader_series(&weeks, |id, points| {
                uploaders.push((id.to_owned(), points.to_vec()));
                Ok::<_, HistoryError>(())
            })?;
            Ok((assets, references, uploaders))
        })
        .await
        .unwrap();
    let some = |numbers: [u64; 5]| numbers.map(Some);
    let [claims, created, inactive, disputed, short] = some([12, 12, 0, 0, 5]);
    let unknown = AssetWeek { active_claims: Some(7), daily_views: Some(100), ..AssetWeek::default() };
    let counted = AssetWeek { claims, created, inactive, disputed, short, ..unknown };
    assert_eq!(assets, [("A000000000000007".to_owned(), vec![Some(counted), Some(unknown)])]);
    let reference = ReferenceWeek { claims, created, inactive, disputed, short, median_seconds: Some(10) };
    assert_eq!(references, [("ref7".to_owned(), vec![Some(reference), None])]);
    let uploader = UploaderWeek { claims, created, inactive, disputed, short };
    assert_eq!(uploaders, [(format!("UC{:022}", 107), vec![Some(uploader), None])]);
}

#[tokio::test]
async fn t03_the_watermark_is_the_last_week_that_was_believed_and_a_missing_week_shows() {
    let bench = Bench::new().await;
    bench.record(entry("run-1", snapshot(week(0), &[1], 100))).await;
    let mut suspect = entry("run-2", snapshot(week(3), &[1], 200));
    suspect.reports.iter_mut().find(|report| report.source == Source::Videos).unwrap().is_suspect = true;
    bench.record(suspect).await;
    let history = bench.open().await;
    assert_eq!(history.watermark().await.unwrap(), Some(week(0)));
    let last = history.last_before(week(4)).await.unwrap().unwrap();
    assert_eq!((last.week, &last.suspects[..]), (week(3), &[Source::Videos][..]));
    let believed = history.report_facts(week(4), Source::Videos).await.unwrap().unwrap();
    assert_eq!(believed.0, week(0), "a report that was not believed is no measure");
    assert_eq!(history.report_facts(week(4), Source::Assets).await.unwrap().unwrap().0, week(3));
}

#[tokio::test]
async fn a_claim_keeps_the_week_in_which_it_was_first_seen() {
    let bench = Bench::new().await;
    let of = |index: i32, claims: &[&str]| {
        let mut entry = entry(&format!("run-{}", index + 5), snapshot(week(index), &[1], 100));
        entry.open_claims = claims.iter().map(|id| open_claim(id, week(index))).collect();
        entry
    };
    let seen = async || {
        let claims = bench.open().await.open_claims(week(2)).await.unwrap().into_iter();
        claims.map(|claim| claim.first_seen.since(week(0))).collect::<Vec<_>>()
    };
    bench.record(of(1, &["a"])).await;
    bench.record(of(2, &["a", "b"])).await;
    assert_eq!(seen().await, [1, 2]);
    bench.record(of(0, &["b"])).await;
    assert_eq!(seen().await, [1, 0], "a week that comes late was there first");
    bench.record_for(Duration::from_hours(7 * 24), of(3, &["c"])).await;
    bench.record(of(2, &["a", "b"])).await;
    assert_eq!(seen().await, [1, 0], "though the weeks themselves are gone");
}

#[tokio::test]
async fn four_weeks_are_kept_whole_and_the_objects_of_others_and_of_failed_runs_are_deleted() {
    let bench = Bench::new().await;
    for index in 0..6 {
        bench.record(entry(&format!("run-{index}"), snapshot(week(index), &[1], 100))).await;
    }
    bench.store.put(&format!("{WEEKS}2026-12-28-died.week"), "half".into(), Condition::None).await.unwrap();
    bench.record(entry("late", snapshot(week(1), &[1], 100))).await;
    let names: Vec<String> = (2..6).map(|index| format!("{}-run-{index}.week", week(index))).collect();
    assert_eq!(bench.objects().await, names);
    let history = bench.open().await;
    assert!(history.recall(week(1)).await.unwrap().is_none());
    assert!(history.recall(week(2)).await.unwrap().is_some());
    assert_eq!(history.weeks().await.unwrap().len(), 6);
}

#[tokio::test]
async fn weeks_past_the_retention_go_with_all_their_rows_and_their_room() {
    let bench = Bench::new().await;
    let many: Vec<u32> = (0..3_000).collect();
    for index in 0..3 {
        bench.record(entry("run", snapshot(week(index), &many, 100))).await;
    }
    let size = || std::fs::metadata(bench.path(DATABASE)).unwrap().len();
    let before = size();
    let fortnight = Duration::from_hours(14 * 24);
    bench.record_for(fortnight, entry("run", snapshot(week(4), &[1], 100))).await;
    let weeks: Vec<Week> = bench.open().await.weeks().await.unwrap().iter().map(|kept| kept.week).collect();
    assert_eq!(weeks, [week(2), week(4)]);
    let kept = [week(2), week(4)].map(|week| Value::Integer(number_of(week)));
    for (table, rows) in &bench.dump() {
        assert!(rows.iter().all(|row| kept.contains(&row[0])), "{table}");
    }
    assert_eq!(video_views(&bench.open().await, 7).await.len(), 3_000);
    bench.record_for(fortnight, entry("run", snapshot(week(6), &[1], 100))).await;
    assert_eq!(video_views(&bench.open().await, 7).await.len(), 1, "nobody without a week is left");
    assert_eq!(bench.dump()["series_block"].len(), 2 * 4, "a block for each kind");
    assert!(size() < before / 4, "{} of {before} bytes", size());
}

#[tokio::test]
async fn the_second_of_two_runs_is_refused_and_the_first_ones_history_stands() {
    let bench = Bench::new().await;
    for had_history in [false, true] {
        let (mut first, mut second) = (bench.open().await, bench.open().await);
        let index = i32::from(had_history);
        first.record(entry("first", snapshot(week(index), &[1], 100))).await.unwrap();
        second.record(entry("second", snapshot(week(index), &[2], 200))).await.unwrap();
        first.save().await.unwrap();
        let before = bench.dump();
        let error = second.save().await.unwrap_err();
        assert_eq!(exit(&error), Exit::Temporary, "{error:#}");
        assert!(error.to_string().contains("run the week again"), "{error:#}");
        assert_eq!(bench.dump(), before);
        assert!(bench.open().await.recall(week(index)).await.unwrap().is_some());
    }
    let firsts = ["2026-11-16-first.week", "2026-11-23-first.week"];
    assert_eq!(bench.objects().await, firsts, "what the second laid there the first deletes");
    bench.record(entry("third", snapshot(week(2), &[1], 100))).await;
    assert_eq!(
        bench.objects().await,
        ["2026-11-16-first.week", "2026-11-23-first.week", "2026-11-30-third.week"]
    );
}

#[tokio::test]
async fn a_history_that_is_damaged_or_newer_is_refused_with_the_remedy() {
    let bench = Bench::new().await;
    bench.record(entry("run-1", snapshot(week(0), &[1], 100))).await;
    let path = bench.path(DATABASE);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = History::open(&bench.store, YEARS).await.unwrap_err();
    assert_eq!(exit(&error), Exit::InputRefused);
    assert!(error.to_string().contains("run the newer program"), "{error:#}");

    std::fs::write(&path, vec![b'x'; 50_000]).unwrap();
    let error = History::open(&bench.store, YEARS).await.unwrap_err();
    assert_eq!(exit(&error), Exit::InputRefused);
    assert!(error.to_string().contains("move it away"), "{error:#}");
    assert_eq!(std::fs::read(&path).unwrap(), vec![b'x'; 50_000], "it is left as it is");
}

#[tokio::test]
async fn a_whole_week_that_is_damaged_or_another_is_refused_and_one_that_is_gone_is_none() {
    let bench = Bench::new().await;
    bench.record(entry("run-1", snapshot(week(0), &[1], 100))).await;
    bench.record(entry("run-2", snapshot(week(1), &[1], 100))).await;
    let path = |name: &str| bench.path(&format!("{WEEKS}{name}"));
    let (one, other) = (path("2026-11-16-run-1.week"), path("2026-11-23-run-2.week"));
    let whole = std::fs::read(&one).unwrap();
    let mut changed = whole.clone();
    changed[500] ^= 1;
    let other = std::fs::read(&other).unwrap();
    let of_another_run = snapshot(week(0), &[1], 200).keep(Vec::new()).unwrap();
    for bad in [&whole[..20], &whole[..whole.len() - 40], &changed, &other, &of_another_run] {
        std::fs::write(&one, bad).unwrap();
        let error = bench.open().await.recall(week(0)).await.unwrap_err();
        assert_eq!(exit(&error), Exit::InputRefused, "{error:#}");
        assert!(error.to_string().contains("delete it"), "{error:#}");
    }
    std::fs::remove_file(&one).unwrap();
    assert!(bench.open().await.recall(week(0)).await.unwrap().is_none());
}

#[test]
fn p04_a_disk_that_fails_while_a_whole_week_is_read_is_a_passing_fault_and_none_of_the_week() {
    let without = |error: io::Error| {
        without_whole_week(KeptError::Unreadable(error), week(0), "s3://state/a.week".to_owned())
    };
    let error = without(io::Error::other("the disk is gone")).unwrap_err();
    assert_eq!(exit(&error), Exit::Temporary, "{error:#}");
    assert!(format!("{error:#}").contains("s3://state/a.week"), "{error:#}");
    let error = without(io::ErrorKind::UnexpectedEof.into()).unwrap_err();
    assert_eq!(exit(&error), Exit::InputRefused, "a file that ends too early is a bad one: {error:#}");
}

#[tokio::test]
async fn p04_a_disk_that_is_full_is_a_passing_fault_and_changes_nothing() {
    let bench = Bench::new().await;
    bench.record(entry("run-1", snapshot(week(0), &[1], 100))).await;
    let before = bench.dump();
    let mut history = bench.open().await;
    history.ask(|tables| Ok(tables.connection.execute_batch("PRAGMA max_page_count = 30")?)).await.unwrap();
    let many: Vec<u32> = (0..5_000).collect();
    let error = history.record(entry("run-2", snapshot(week(1), &many, 100))).await.unwrap_err();
    assert_eq!(exit(&error), Exit::Temporary, "{error:#}");
    assert!(error.to_string().contains("temporary files"), "{error:#}");
    history.save().await.unwrap();
    assert_eq!(bench.dump(), before, "half a week is none");
    assert_eq!(bench.objects().await, ["2026-11-16-run-1.week"]);
}

#[tokio::test]
async fn v15_the_export_has_a_file_for_each_table_and_no_cell_that_is_evaluated() {
    let bench = Bench::new().await;
    bench.record(entry("run-1", snapshot(week(0), &[1, 2], 100))).await;
    bench.record(entry("run-2", snapshot(week(1), &[2], 300))).await;
    let to = open_store(&bench.folder.path().join("export")).await;
    let exported = export(&bench.open().await, &to).await.unwrap();
    let rows: Vec<(&str, u64)> =
        exported.iter().map(|file| (file.uri.rsplit('/').next().unwrap(), file.rows)).collect();
    assert_eq!(
        rows,
        [
            ("weeks.csv", 2),
            ("reports.csv", 6),
            ("totals.csv", 4),
            ("alerts.csv", 4),
            ("open_claims.csv", 2),
            ("candidates.csv", 2),
            ("video_week.csv", 3),
            ("asset_week.csv", 3),
            ("reference_week.csv", 3),
            ("uploader_week.csv", 3),
            ("platform_week.csv", 2),
        ]
    );
    let mut shown = String::new();
    for (name, _) in rows {
        let text = std::fs::read_to_string(bench.folder.path().join("export").join(name)).unwrap();
        let first: Vec<&str> = text.lines().take(2).collect();
        shown.extend([name, "\n", &first.join("\n"), "\n"]);
    }
    insta::assert_snapshot!(shown, @r#"
    weeks.csv
    week,run_id,generated_at,assets,videos,claims,views,engaged_views,active_claims
    2026-11-16,run-1,2026-11-23T08:00:00Z,2,2,24,200,,3
    reports.csv
    week,source,report_id,uri,modified,covers_until,suspect,rows,used,duplicates,rejected,entries,channels,views,engaged_views,active_claims
    2026-11-16,assets,etag,s3://reports/a.csv,2026-11-23T06:00:00Z,2026-11-22,no,2,2,0,0,2,0,28,,3
    totals.csv
    week,kind,id,title,views,engaged_views,active_claims
    2026-11-16,artist,Artist,Artist,,,3
    alerts.csv
    week,told,id,kind,severity,state,subject_type,subject_id,title,value,reason,evidence
    2026-11-16,yes,ac7ea47a649280b4,viral,high,new,video,v1,'=1+1,0.3,it rises,"{""views"":12}"
    open_claims.csv
    week,claim_id,asset_id,video_id,status,first_seen,signs,risk
    2026-11-16,claim-1,A000000000000001,v0000000001,disputed,2026-11-16,block_policy young_claim,0.0237
    candidates.csv
    week,claim_id,asset_id,channel_id,signs,manual,ranked,drawn,probability,at_stake,looked,disputed,released,gone
    2026-11-16,claim-9,A000000000000001,UC0000000000000000000101,short_match young_claim,no,yes,no,0.0268,4.2,1,0,0,1
    video_week.csv
    week,video_id,views,engaged_views
    2026-11-16,v0000000001,100,
    asset_week.csv
    week,asset_id,active_claims,claims,created,inactive,disputed,short,daily_views,daily_engaged_views,claimed_views,claimed_engaged_views
    2026-11-16,A000000000000001,1,12,12,0,0,5,14,,,
    reference_week.csv
    week,reference_id,claims,created,inactive,disputed,short,median_seconds
    2026-11-16,ref1,12,12,0,0,5,10
    uploader_week.csv
    week,channel_id,claims,created,inactive,disputed,short
    2026-11-16,UC0000000000000000000101,12,12,0,0,5
    platform_week.csv
    week,platform,key_kind,key,metric,value
    2026-11-16,spotify,isrc,USABC2600001,streams,-12345678901234567.25
    "#);
}

#[test]
fn the_retention_is_a_duration_or_a_problem() {
    let read = |text: &str| {
        let mut problems = dn_core::task::Problems::default();
        let args = HistoryArgs { history_retention: text.to_owned() };
        (args.read(&mut problems), problems.list().len())
    };
    assert_eq!(read(" "), (Some(YEARS), 0));
    assert_eq!(read("26d"), (Some(Duration::from_hours(26 * 24)), 0));
    assert_eq!(read("two years"), (None, 1));
}

#[tokio::test]
async fn a_history_that_is_still_being_asked_is_not_put() {
    let bench = Bench::new().await;
    let mut history = bench.open().await;
    history.record(entry("run-1", snapshot(week(0), &[1], 100))).await.unwrap();
    let held = Arc::clone(&history.tables);
    assert!(history.save().await.is_err());
    assert!(!bench.path(DATABASE).exists());
    drop(held);
}
