use std::collections::BTreeMap;

use super::*;
use crate::history::sample::{entry, snapshot, week};
use crate::history::tables::Tables;

const YEARS: std::time::Duration = std::time::Duration::from_hours(730 * 24);

/// An id, and the views of each week.
type Series = (String, Vec<Option<u64>>);

struct Bench {
    _folder: tempfile::TempDir,
    tables: Tables,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tables = Tables::open(&folder.path().join("history.sqlite"), YEARS).unwrap();
        Self { _folder: folder, tables }
    }

    /// Writes the views of these videos in a week; ten thousand are two blocks.
    fn write(&self, index: i32, videos: impl Iterator<Item = u32>) {
        let number = number_of(week(index));
        let mut writer = Writer::new(&self.tables.connection, number, VideoWeek::KIND).unwrap();
        for video in videos {
            writer.add(&id(video), &[Some(views(video)), None]).unwrap();
        }
        writer.finish().unwrap();
    }

    /// What a walk through the weeks tells: each id once, in order.
    fn walk(&self, indices: &[i32]) -> Result<Vec<Series>, HistoryError> {
        let weeks: Vec<Week> = indices.iter().map(|index| week(*index)).collect();
        let mut told = Vec::new();
        walk(&self.tables.connection, &weeks, |id, points: &[Option<VideoWeek>]| {
            let views = points.iter().map(|point| point.and_then(|point| point.views));
            told.push((id.to_owned(), views.collect()));
            Ok::<_, HistoryError>(())
        })?;
        Ok(told)
    }

    fn find(&self, index: i32, ids: &[String]) -> Result<BTreeMap<String, Option<u64>>, HistoryError> {
        let mut found = BTreeMap::new();
        find(&self.tables.connection, week(index), ids, |id, point: VideoWeek| {
            found.insert(id.clone(), point.views);
        })?;
        Ok(found)
    }

    fn execute(&self, sql: &str) {
        assert!(self.tables.connection.execute(sql, []).unwrap() > 0);
    }
}

fn id(video: u32) -> String {
    format!("v{video:010}")
}

fn views(video: u32) -> u64 {
    u64::from(video) | 1 << 60
}

#[test]
fn weeks_of_many_blocks_are_walked_in_step_in_the_order_of_ids() {
    let bench = Bench::new();
    bench.write(0, (0..30_000).filter(|video| video % 2 == 0));
    bench.write(1, (0..30_000).filter(|video| video % 3 == 0));
    let blocks = "SELECT COUNT(*) FROM series_block WHERE week = ?1";
    let count = |index| bench.tables.connection.query_row(blocks, [number_of(week(index))], |row| row.get(0));
    let count: i64 = count(0).unwrap();
    assert!(count > 1, "it is about more than one block");
    let expected = (0..30_000).filter(|video| video % 2 == 0 || video % 3 == 0).map(|video| {
        let of = |part| Some(views(video)).filter(|_| video % part == 0);
        (id(video), vec![of(3), None, of(2), of(2)])
    });
    assert_eq!(bench.walk(&[1, 5, 0, 0]).unwrap(), expected.collect::<Vec<_>>());
    assert_eq!(bench.walk(&[5]).unwrap(), []);
    assert_eq!(bench.walk(&[]).unwrap(), []);
    assert_eq!(weeks(&bench.tables.connection).unwrap(), [week(0), week(1)]);
}

#[test]
fn single_subjects_are_found_wherever_they_stand_in_the_blocks() {
    let bench = Bench::new();
    bench.write(0, (1..30_000).map(|video| video * 2));
    let all: Vec<String> = (0..60_010).map(id).collect();
    let expected: BTreeMap<_, _> = (1..30_000).map(|video| (id(video * 2), Some(views(video * 2)))).collect();
    assert_eq!(bench.find(0, &all).unwrap(), expected);
    for video in [0, 1, 2, 3, 29_999, 30_000, 59_998, 59_999] {
        let expected: Vec<String> = expected.keys().filter(|known| **known == id(video)).cloned().collect();
        assert_eq!(bench.find(0, &[id(video)]).unwrap().into_keys().collect::<Vec<_>>(), expected);
    }
    assert_eq!(bench.find(1, &all).unwrap(), BTreeMap::new());
}

#[test]
fn a_damaged_block_ends_the_walk_and_is_named() {
    let wrong = [
        ("UPDATE series_block SET block = substr(block, 1, 20)", "it is cut short"),
        ("UPDATE series_block SET entries = entries - 1", "it has more than its entries"),
        ("UPDATE series_block SET entries = 4294967295", "it is cut short"),
        ("UPDATE series_block SET entries = -1", "out of range"),
        ("UPDATE series_block SET block = zeroblob(10000000)", "its ids are out of order"),
        ("UPDATE series_block SET first = 'v0000000000x' WHERE rowid = 2", "its ids are out of order"),
        ("UPDATE series_block SET first = CAST(x'ff' AS TEXT) WHERE rowid = 2", "utf-8"),
    ];
    for (sql, what) in wrong {
        let bench = Bench::new();
        bench.write(0, 0..10_000);
        bench.execute(sql);
        let error = bench.walk(&[1, 0]).unwrap_err();
        assert!(error.is_damage(), "{sql}: {error}");
        assert!(error.to_string().to_lowercase().contains(what), "{sql}: {error}");
        assert!(bench.find(0, &[id(9_999)]).map_or_else(|error| error.is_damage(), |_| true), "{sql}");
    }
    let bench = Bench::new();
    bench.write(0, 0..10);
    bench.execute("UPDATE series_block SET block = x'01'");
    let error = bench.walk(&[0]).unwrap_err();
    insta::assert_snapshot!(error, @r#"it is damaged: a block of video_week of 2026-11-16, at or behind "v0000000000": it is cut short"#);
}

#[test]
fn who_has_no_number_in_a_week_has_no_entry_and_what_is_out_of_order_is_not_written() {
    let bench = Bench::new();
    let mut snapshot = snapshot(week(0), &[1, 2, 3], 100);
    snapshot.videos[1].views = dn_domain::claims::snapshot::Known::UNKNOWN;
    write(&bench.tables.connection, &snapshot).unwrap();
    let ids: Vec<String> = bench.walk(&[0]).unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [id(1), id(3)]);

    snapshot.week = week(1);
    snapshot.videos.swap(0, 2);
    let error = write(&bench.tables.connection, &snapshot).unwrap_err();
    assert!(!error.is_damage(), "the history is not at fault");
    insta::assert_snapshot!(error, @r#"what is to be written is out of order at "v0000000001""#);
}

#[test]
fn what_is_asked_of_single_videos_and_uploaders_is_told_of_each_week() {
    let mut bench = Bench::new();
    for index in 0..3 {
        let mut snapshot = snapshot(week(index), &[1, 2, 3], 100);
        snapshot.uploaders[0].claims_disputed = u32::from(index == 1);
        bench.tables.record(&entry("run", snapshot)).unwrap();
    }
    let ids = [3, 9, 1, 3].map(|video| id(video).parse().unwrap());
    let videos = bench.tables.videos(week(0), &ids).unwrap();
    assert_eq!(videos.len(), 2);
    assert_eq!(videos[&ids[0]], VideoWeek { views: Some(100), engaged_views: None });
    let channels = [103, 101, 102, 101].map(|number| format!("UC{number:022}").parse().unwrap());
    let disputing = |index| bench.tables.disputing(week(index), &channels).unwrap();
    assert_eq!((disputing(1).len(), disputing(2).len(), disputing(9).len()), (0, 1, 1));
    assert!(disputing(2).contains(&channels[1]));
}
