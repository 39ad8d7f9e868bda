//! The history of the weekly report in S3, as the sandbox reads its description.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use claims_report::history::{Entry, History, export};
use dn_core::store::Store;
use dn_core::task::{Exit, Stop};
use dn_domain::claims::movers::WeekTotals;
use dn_domain::claims::snapshot::{Gather, Snapshot, Source};
use dn_domain::claims::week::Week;
use dn_domain::video_report::{ReportLine, VideoReport};
use dn_sandbox::{Fault, Match, Service};

use crate::services::Services;

const DATABASE: &str = "state/claims-report/history/history.sqlite";
const WEEKS: &str = "state/claims-report/history/weeks";

struct Bench {
    services: Services,
    store: Store,
}

impl Bench {
    async fn start() -> Self {
        let services = Services::start().await;
        let aws = services.aws("AWS_ENDPOINT_URL_S3").await;
        let store = Store::open(&services.sandbox.state_in_s3(), &aws).unwrap();
        Self { services, store }
    }

    async fn open(&self) -> History {
        History::open(&self.store, Duration::from_hours(730 * 24)).await.unwrap()
    }

    fn database(&self) -> Vec<u8> {
        std::fs::read(self.services.object(DATABASE)).unwrap()
    }

    /// The runs whose whole weeks lie beside the database.
    fn whole_weeks(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.services.object(WEEKS)).unwrap();
        let mut names: Vec<String> =
            names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A week with so many videos.
fn entry(run_id: &str, week: &str, videos: u32) -> Entry {
    let mut gather = Gather::new(Week::parse(week).unwrap(), []);
    let rows = (0..videos).map(|number| format!("v{number:010},UC0000000000000000000001,,label,{number}"));
    let header = "video_id,channel_id,asset_id,custom_id,views".to_owned();
    let text = [header].into_iter().chain(rows).collect::<Vec<_>>().join("\n");
    let mut report = VideoReport::open("videos.csv", text.as_bytes()).unwrap();
    gather.begin(Source::Videos, &report.missing_columns());
    while let Some(line) = report.next_row().unwrap() {
        let ReportLine::Row(row) = line else { panic!("a row of ours") };
        gather.video(&row).unwrap();
    }
    let snapshot: Snapshot = gather.finish();
    Entry {
        run_id: run_id.to_owned(),
        generated_at: "2026-11-23T08:00:00Z".to_owned(),
        reports: Vec::new(),
        totals: WeekTotals::of(&snapshot),
        alerts: Vec::new(),
        open_claims: Vec::new(),
        disputed: BTreeSet::new(),
        candidates: Vec::new(),
        platform_values: Vec::new(),
        snapshot: Arc::new(snapshot),
    }
}

fn exit(error: &anyhow::Error) -> Exit {
    Exit::of(error, &Stop::default())
}

#[tokio::test]
async fn of_two_histories_opened_at_once_the_second_is_refused_and_the_first_ones_stands() {
    let bench = Bench::start().await;
    for (number, week) in ["2026-11-16", "2026-11-23"].into_iter().enumerate() {
        let (mut first, mut second) = (bench.open().await, bench.open().await);
        first.record(entry(&format!("first-{number}"), week, 3)).await.unwrap();
        second.record(entry(&format!("second-{number}"), week, 4)).await.unwrap();
        first.save().await.unwrap();
        let before = bench.database();
        let error = second.save().await.unwrap_err();
        assert_eq!(exit(&error), Exit::Temporary, "{error:#}");
        assert!(error.to_string().contains("another run has written the history"), "{error:#}");
        assert!(bench.database() == before, "nothing is overwritten");
        let history = bench.open().await;
        let last = history.last_before(Week::parse("2027-01-04").unwrap()).await.unwrap().unwrap();
        assert_eq!(last.run_id, format!("first-{number}"));
        assert_eq!(history.recall(last.week).await.unwrap().unwrap().videos.len(), 3);
    }
    // What the second laid there no row names, and the first deletes it.
    let whole = ["2026-11-16-first-0", "2026-11-23-first-1"];
    assert_eq!(bench.whole_weeks(), whole.map(|name| format!("{name}.week")));
}

#[tokio::test]
async fn a_run_that_ends_between_the_whole_week_and_the_database_leaves_the_history_as_it_was() {
    let bench = Bench::start().await;
    let mut history = bench.open().await;
    history.record(entry("run-1", "2026-11-16", 3)).await.unwrap();
    history.save().await.unwrap();
    let before = bench.database();

    let denied = Fault::status(403, "<Error><Code>AccessDenied</Code><Message>Denied</Message></Error>");
    let put = Match::operation("PutObject").id(DATABASE);
    bench.services.sandbox.faults().inject(Service::S3, put, 1, denied);
    let mut history = bench.open().await;
    history.record(entry("run-2", "2026-11-23", 3)).await.unwrap();
    let error = history.save().await.unwrap_err();
    assert_eq!(exit(&error), Exit::Unauthorized, "{error:#}");
    assert_eq!(bench.services.sandbox.faults().pending(), 0, "it was the database that was refused");
    assert_eq!(bench.whole_weeks(), ["2026-11-16-run-1.week", "2026-11-23-run-2.week"]);
    assert!(bench.database() == before);

    let mut history = bench.open().await;
    assert_eq!(history.weeks().await.unwrap().len(), 1);
    history.record(entry("run-3", "2026-11-23", 3)).await.unwrap();
    history.save().await.unwrap();
    assert_eq!(bench.whole_weeks(), ["2026-11-16-run-1.week", "2026-11-23-run-3.week"]);
}

#[tokio::test]
async fn s01_a_history_of_many_pages_comes_and_goes_though_bodies_break_off() {
    let bench = Bench::start().await;
    let mut history = bench.open().await;
    history.record(entry("run-1", "2026-11-16", 20_000)).await.unwrap();
    history.save().await.unwrap();
    bench.services.sandbox.faults().inject(Service::S3, "GetObject", 2, Fault::HalfBody);
    let history = bench.open().await;
    let week = Week::parse("2026-11-16").unwrap();
    bench.services.sandbox.faults().inject(Service::S3, "GetObject", 2, Fault::HalfBody);
    assert_eq!(history.recall(week).await.unwrap().unwrap().videos.len(), 20_000);
    let exported = export(&history, &bench.store).await.unwrap();
    let videos = exported.iter().find(|file| file.uri.ends_with("/video_week.csv")).unwrap();
    assert_eq!(videos.rows, 20_000);
    let text = std::fs::read_to_string(bench.services.object("state/video_week.csv")).unwrap();
    assert_eq!(text.lines().count(), 20_001);
}
