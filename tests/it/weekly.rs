//! The weekly report from week to week: what it remembers, what it tells once, and what it refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dn_sandbox::weeks::{Options, generate};
use dn_sandbox::{Fault, Match, ReportFile, Service, WorldBuilder};
use dn_tests::{Rehearsal, Run, command, run};
use serde_json::{Value, json};

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

const TYPES: [(&str, &str); 3] = [
    ("assets", "content_owner_asset_a3"),
    ("videos", "content_owner_video_metadata_a3"),
    ("claims", "content_owner_active_claims_a3"),
];

/// A catalogue that can be changed from week to week.
#[derive(Clone)]
struct Catalogue {
    /// Active claims by asset number; every asset has a video and a claim.
    active: BTreeMap<u32, u64>,
    custom_ids: BTreeMap<u32, String>,
    title: String,
    status: String,
    views: u64,
}

impl Catalogue {
    fn of(count: u32) -> Self {
        Self {
            active: (0..count).map(|n| (n, 10)).collect(),
            custom_ids: BTreeMap::new(),
            title: "A song".to_owned(),
            status: "ACTIVE,".to_owned(),
            views: 1_000,
        }
    }

    fn rows(&self, header: &str, row: impl Fn(u32, u64) -> String) -> String {
        let rows = self.active.iter().map(|(n, active)| format!("{}\n", row(*n, *active)));
        std::iter::once(format!("{header}\n")).chain(rows).collect()
    }

    fn custom_id(&self, n: u32) -> &str {
        self.custom_ids.get(&n).map_or("artist-one", String::as_str)
    }

    fn file(&self, name: &str) -> String {
        match name {
            "assets" => self.rows("asset_id,custom_id,active_claims,asset_type,asset_title", |n, active| {
                format!("A{n:015},{},{active},WEB,{}", self.custom_id(n), self.title)
            }),
            "videos" => self.rows("video_id,channel_id,asset_id,custom_id,views,video_title", |n, _| {
                let views = self.views + u64::from(n);
                format!("v{n:010},{CHANNEL},A{n:015},{},{views},{}", self.custom_id(n), self.title)
            }),
            _ => self.rows(
                "claim_id,channel_id,asset_id,video_id,claim_status,claim_status_detail,claim_type",
                |n, _| {
                    let status = if n == 0 { &self.status } else { "ACTIVE," };
                    format!("c{n},{CHANNEL},A{n:015},v{n:010},{status},AUDIO")
                },
            ),
        }
    }
}

struct Desk {
    rehearsal: Rehearsal,
    environment: BTreeMap<String, String>,
}

impl Desk {
    async fn new() -> Self {
        let world = WorldBuilder::new().stored(CHANNEL, CHANNEL, Some("artist-one"), Some("Artist One"));
        let rehearsal = Rehearsal::of(world).await.unwrap();
        let mut environment = rehearsal.environment();
        environment.remove("VIDEO_REPORT_URI");
        Self { rehearsal, environment }
    }

    fn write(&self, week: &str, catalogue: &Catalogue) -> Vec<String> {
        let mut arguments = vec!["--json".to_owned(), "--week".to_owned(), week.to_owned()];
        for (name, _) in TYPES {
            let path = self.rehearsal.directory().join(format!("{name}.csv"));
            std::fs::write(&path, catalogue.file(name)).unwrap();
            arguments.extend([format!("--{name}"), path.display().to_string()]);
        }
        arguments
    }

    async fn week(&self, week: &str, catalogue: &Catalogue) -> Run {
        let arguments = self.write(week, catalogue);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run("claims-report", &self.environment, &arguments).await.unwrap()
    }

    /// A week that is good.
    async fn good(&self, week: &str, catalogue: &Catalogue) -> Value {
        let run = self.week(week, catalogue).await;
        assert_eq!(run.code, Some(0), "{run:?}");
        run.summary().unwrap()
    }

    /// A week's reports in the Reporting API.
    fn publish(&self, monday: &str, catalogue: &Catalogue, id: &str, created: &str) {
        let monday: jiff::civil::Date = monday.parse().unwrap();
        let end = monday.saturating_add(jiff::Span::new().days(7)).in_tz("America/Los_Angeles").unwrap();
        for (name, report_type) in TYPES {
            let path = self.rehearsal.directory().join(format!("{id}-{name}.report"));
            std::fs::write(&path, catalogue.file(name)).unwrap();
            self.rehearsal.sandbox.add_report(ReportFile {
                report_type: report_type.to_owned(),
                id: format!("{id}-{name}"),
                start: end.timestamp() - jiff::SignedDuration::from_hours(24),
                end: end.timestamp(),
                created: created.parse().unwrap(),
                path,
            });
        }
    }

    async fn api_week(&self, week: &str) -> Run {
        let api = "reporting-api";
        let arguments = ["--json", "--week", week, "--assets", api, "--videos", api, "--claims", api];
        run("claims-report", &self.environment, &arguments).await.unwrap()
    }

    fn events(&self, detail_type: &str) -> Vec<Value> {
        self.rehearsal.events(detail_type)
    }

    fn history(&self) -> PathBuf {
        PathBuf::from(&self.environment["STATE_URI"]).join("claims-report/history")
    }

    /// Every file of the history with its bytes.
    fn history_bytes(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.history()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = std::fs::read(&path).unwrap();
                    files.insert(path, bytes);
                }
            }
        }
        files
    }
}

fn file(summary: &Value, name: &str) -> String {
    std::fs::read_to_string(summary["files"][name].as_str().unwrap()).unwrap()
}

/// Kind, subject and state of each alert of a file.
fn alerts(summary: &Value, name: &str) -> BTreeSet<(String, String, String)> {
    let alerts: Vec<Value> = serde_json::from_str(&file(summary, name)).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    alerts.iter().map(|one| (text(&one["kind"]), text(&one["subject"]["id"]), text(&one["state"]))).collect()
}

fn alert(kind: &str, subject: &str, state: &str) -> (String, String, String) {
    (kind.to_owned(), subject.to_owned(), state.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_told_since_the_week_before_and_a_week_made_again_changes_nothing() {
    let desk = Desk::new().await;
    let mut catalogue = Catalogue::of(20);
    let first = desk.good("2020-01-06", &catalogue).await;
    assert_eq!((&first["comparedWith"], &first["changeCount"]), (&Value::Null, &Value::Null));
    assert_eq!(file(&first, "changes.csv").lines().count(), 1, "a header alone");

    catalogue.active.insert(1, 25);
    catalogue.active.insert(2, 4);
    catalogue.active.remove(&3);
    catalogue.active.insert(99, 1);
    catalogue.views = 1_100;
    let second = desk.good("2020-01-13", &catalogue).await;
    let changes = file(&second, "changes.csv");
    let active: Vec<String> = changes
        .lines()
        .filter(|line| line.contains(",active_claims,"))
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            [cells[0], cells[7], cells[8], cells[9], cells[10]].join(" ")
        })
        .collect();
    assert_eq!(
        active,
        [
            "A000000000000001 10 25 15 up",
            "A000000000000003 10   gone",
            "A000000000000002 10 4 -6 down",
            "A000000000000099  1  new",
        ]
    );
    let third = desk.good("2020-01-13", &catalogue).await;
    assert_eq!(file(&third, "changes.csv"), changes);
    for key in ["alertCount", "qualityCount", "changeCount", "comparedWith"] {
        assert_eq!(third[key], second[key], "{key}");
    }
    let weeks: Vec<Value> = serde_json::from_str::<Value>(&file(&third, "report.json")).unwrap()["trends"][0]
        ["values"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(weeks.len(), 12);
    assert_eq!(desk.events("Claims Report Completed").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_an_alert_is_told_once_goes_on_and_is_resolved_once() {
    let desk = Desk::new().await;
    // Counters grow from week to week; a report that says what it said last week is not believed.
    let good = |views| Catalogue { views, ..Catalogue::of(20) };
    let wrong = |views| {
        let mut wrong = good(views);
        wrong.custom_ids.insert(7, "another-artist".to_owned());
        wrong
    };
    let subject = format!("A{:015}", 7);
    let told = |events: &[Value]| {
        events.iter().filter(|event| event["kind"] == "custom_id_mismatch").cloned().collect::<Vec<_>>()
    };
    desk.good("2020-01-06", &good(1_000)).await;
    assert!(told(&desk.events("Claims Alert Raised")).is_empty());

    let first = desk.good("2020-01-13", &wrong(1_100)).await;
    assert!(alerts(&first, "alerts.json").contains(&alert("custom_id_mismatch", &subject, "new")));
    let events = told(&desk.events("Claims Alert Raised"));
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["severity"], &events[0]["subject"]["id"]), (&json!("high"), &json!(subject)));
    assert_eq!(events[0]["evidence"]["expected"], "artist-one");

    let again = desk.good("2020-01-13", &wrong(1_100)).await;
    assert!(alerts(&again, "alerts.json").contains(&alert("custom_id_mismatch", &subject, "new")));
    let next = desk.good("2020-01-20", &wrong(1_200)).await;
    assert!(alerts(&next, "alerts.json").contains(&alert("custom_id_mismatch", &subject, "ongoing")));
    let mended = desk.good("2020-01-27", &good(1_300)).await;
    assert!(alerts(&mended, "alerts.json").contains(&alert("custom_id_mismatch", &subject, "resolved")));
    let later = desk.good("2020-02-03", &good(1_400)).await;
    assert!(alerts(&later, "alerts.json").is_empty());
    assert_eq!(told(&desk.events("Claims Alert Raised")).len(), 1, "and the bus heard of it once");
}

#[tokio::test(flavor = "multi_thread")]
async fn t03_weeks_that_were_missed_are_made_up_for_from_the_api_and_are_gaps_elsewhere() {
    let desk = Desk::new().await;
    let week = |views| Catalogue { views, ..Catalogue::of(20) };
    // Files of the API live sixty days, so the weeks are the last ones.
    let now = dn_core::task::clock::now().in_tz("America/Los_Angeles").unwrap().date();
    let since_monday = i64::from(now.weekday().to_monday_zero_offset());
    let monday = |back: i64| now.saturating_sub(jiff::Span::new().days(since_monday + 7 * back)).to_string();
    let mondays = [monday(4), monday(3), monday(2), monday(1)];
    let created = dn_core::task::clock::now().to_string();
    for (index, monday) in mondays.iter().enumerate() {
        if index != 2 {
            let index = index as u64;
            desk.publish(monday, &week(1_000 + 100 * index), &format!("w{index}"), &created);
        }
    }
    let first = desk.api_week(&mondays[0]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let last = desk.api_week(&mondays[3]).await;
    assert_eq!(last.code, Some(0), "{last:?}");
    let summary = last.summary().unwrap();
    assert_eq!(summary["madeUpWeeks"], json!([mondays[1]]));
    assert_eq!(summary["missingWeeks"], json!([mondays[2]]), "a gap, of which the API has nothing");
    assert_eq!(summary["comparedWith"], json!(mondays[1]));
    let report: Value = serde_json::from_str(&file(&summary, "report.json")).unwrap();
    let views = report["trends"].as_array().unwrap().iter().find(|one| one["measure"] == "views");
    let views = views.unwrap_or_else(|| panic!("{}", report["trends"]));
    // The gain of the week after the first is known; the gap has none, nor the week after it.
    let values = views["values"].as_array().unwrap();
    assert_eq!(values[9..], [json!(2_000), Value::Null, Value::Null]);

    // A report that was made anew replaces its week, and later ones stay.
    desk.publish(&mondays[3], &week(9_000), "anew", &dn_core::task::clock::now().to_string());
    let anew = desk.api_week(&mondays[3]).await.summary().unwrap();
    assert_eq!(anew["comparedWith"], json!(mondays[1]));
    let ids: BTreeSet<&str> =
        anew["fetched"].as_array().unwrap().iter().filter_map(|one| one["reportId"].as_str()).collect();
    assert_eq!(ids, BTreeSet::from(["anew-assets", "anew-claims", "anew-videos"]));

    // Files at an address are of one week alone: what was missed before stays missed, and is said.
    let desk = Desk::new().await;
    desk.good("2019-01-07", &week(1_000)).await;
    let by_path = desk.good("2020-01-06", &week(9_500)).await;
    assert_eq!(by_path["missingWeeks"].as_array().unwrap().len(), 12, "the last of them: {by_path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s03_a_report_that_has_shrunk_is_refused_and_the_history_is_left_as_it_was() {
    let desk = Desk::new().await;
    let whole = Catalogue::of(40);
    desk.good("2020-01-06", &whole).await;
    let before = desk.history_bytes();
    let mut part = whole.clone();
    part.active.retain(|n, _| *n < 15);
    let refused = desk.week("2020-01-13", &part).await;
    assert_eq!(refused.code, Some(4), "{refused:?}");
    let summary = refused.summary().unwrap();
    assert_eq!(summary["refusedCount"], 3);
    let error = summary["error"].as_str().unwrap();
    for text in ["has 15 rows, that of the week of 2020-01-06 had 40", "--min-size-ratio"] {
        assert!(error.contains(text), "{error}");
    }
    assert_eq!(desk.history_bytes(), before);
    assert_eq!(desk.events("Claims Report Failed").len(), 1);
    let folder = PathBuf::from(
        summary["quarantineUris"]
            .as_array()
            .unwrap()
            .iter()
            .find(|uri| uri.as_str().unwrap().contains("videos"))
            .unwrap()
            .as_str()
            .unwrap(),
    );
    let json =
        |name: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap() };
    assert_eq!(json("reason.json")["kind"], "report_partial");
    assert_eq!(json("impact.json")["entries"], 40);
    let rows = &json("reconciliation.json")["numbers"][0];
    assert_eq!((&rows["name"], &rows["before"], &rows["now"]), (&json!("rows"), &json!(40), &json!(15)));

    // Some fewer is a finding, and the next week is judged by the last that was believed.
    part = whole.clone();
    part.active.retain(|n, _| *n < 28);
    let partial = desk.good("2020-01-13", &part).await;
    assert!(alerts(&partial, "quality.json").contains(&alert("report_partial", "video report", "new")));
    let next = desk.good("2020-01-20", &Catalogue { views: 1_200, ..whole }).await;
    let quality = alerts(&next, "quality.json");
    assert!(quality.contains(&alert("report_partial", "video report", "resolved")), "{quality:?}");
    assert!(
        !quality.iter().any(|(kind, _, state)| kind == "report_doubled" && state != "resolved"),
        "{quality:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn t08_hostile_titles_are_escaped_in_every_file_that_is_for_people() {
    let desk = Desk::new().await;
    let mut catalogue = Catalogue::of(20);
    catalogue.title = "\"=cmd|' /C calc'!A0<script>alert(1)</script>\u{202e}\u{1b}[31m\"".to_owned();
    catalogue.custom_ids.insert(1, "wrong".to_owned());
    desk.good("2020-01-06", &catalogue).await;
    catalogue.active.insert(1, 12);
    let summary = desk.good("2020-01-13", &catalogue).await;
    for name in ["report.html", "email.html"] {
        let page = file(&summary, name);
        assert!(page.contains("alert(1)"), "{name} shows the title");
        assert!(!page.contains("<script"), "{name}");
        assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'), "{name}");
    }
    let changes = file(&summary, "changes.csv");
    assert!(changes.contains(",'=cmd"), "{changes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn v19_a_number_that_is_none_rejects_its_row_and_the_sums_stay_exact() {
    let desk = Desk::new().await;
    let mut arguments = desk.write("2020-01-06", &Catalogue::of(20));
    let assets = desk.rehearsal.directory().join("assets.csv");
    let mut text = std::fs::read_to_string(&assets).unwrap();
    for (n, cell) in ["-5", "NaN", "1e3", "18446744073709551616", "\"1,000\""].into_iter().enumerate() {
        writeln!(text, "A1{n:014},artist-one,{cell},WEB,Song").unwrap();
    }
    std::fs::write(&assets, text).unwrap();
    arguments.push("--dry-run".to_owned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = run("claims-report", &desk.environment, &arguments).await.unwrap();
    assert_eq!(run.code, Some(3), "{run:?}");
    let summary = run.summary().unwrap();
    assert_eq!((&summary["badRowCount"], &summary["activeClaimCount"]), (&json!(5), &json!(200)));
    let rejects = std::fs::read_to_string(summary["rejectsUris"][0].as_str().unwrap()).unwrap();
    assert_eq!(rejects.matches("number_invalid").count(), 5, "{rejects}");
    assert!(!desk.history().exists(), "a dry run remembers nothing");
    assert!(desk.rehearsal.sandbox.events().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn e08_the_event_of_a_week_holds_counts_and_addresses_and_never_rows() {
    let desk = Desk::new().await;
    desk.good("2020-01-06", &Catalogue::of(20)).await;
    let mut catalogue = Catalogue::of(3_000);
    catalogue.views = 9_999;
    desk.good("2020-01-13", &catalogue).await;
    let events = desk.events("Claims Report Completed");
    assert_eq!(events[1]["changeCount"], json!(2_980));
    assert!(events[1].to_string().len() < 2_000, "{}", events[1]);
    assert!(events[1]["reportUri"].as_str().unwrap().ends_with("report.html"));
}

#[tokio::test(flavor = "multi_thread")]
async fn p01_a_signal_while_a_report_is_read_ends_the_week_with_one_event_and_no_history() {
    let desk = Desk::new().await;
    let mut environment = desk.environment.clone();
    std::fs::write(
        desk.rehearsal.directory().join("s3/sandbox-state/assets.csv"),
        Catalogue::of(20).file("assets"),
    )
    .unwrap();
    environment.insert("ASSET_REPORT_URI".to_owned(), "s3://sandbox-state/assets.csv".to_owned());
    environment.insert("REPORT_WEEK".to_owned(), "2020-01-06".to_owned());
    let read = Match::operation("GetObject").id("assets.csv");
    desk.rehearsal.sandbox.faults().inject(Service::S3, read, 1, Fault::Stall);
    let mut child = command("claims-report", &environment, &["--json"]).unwrap();
    let child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while desk.rehearsal.sandbox.faults().pending() > 0 {
        assert!(Instant::now() < deadline, "the report was never asked for");
        tokio::task::yield_now().await;
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(ended.status.code(), Some(143));
    let failed = desk.events("Claims Report Failed");
    assert_eq!((failed.len(), desk.rehearsal.sandbox.events().len()), (1, 1));
    assert_eq!(failed[0]["exitCode"], json!(143));
    assert!(!desk.history().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn g06_half_a_partner_list_is_not_used_and_no_list_says_nothing_of_custom_ids() {
    let desk = Desk::new().await;
    let mut catalogue = Catalogue::of(20);
    catalogue.custom_ids.insert(1, "wrong".to_owned());
    let mut nobody = desk.environment.clone();
    nobody.retain(|name, _| !name.contains("GRAPHQL"));
    let arguments = desk.write("2020-01-06", &catalogue);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let without = run("claims-report", &nobody, &arguments).await.unwrap();
    assert_eq!(without.code, Some(0), "{without:?}");
    let summary = without.summary().unwrap();
    assert!(alerts(&summary, "alerts.json").is_empty());
    for name in ["partner channels", "videos of the database"] {
        let sources = summary["sources"].as_array().unwrap();
        let source = sources.iter().find(|source| source["name"] == name).unwrap();
        assert_eq!(source["state"], "missing", "{source}");
    }

    let broken =
        r#"{"data":{"listChannels":null},"errors":[{"message":"boom","errorType":"InternalFailure"}]}"#;
    desk.rehearsal.sandbox.faults().inject(Service::AppSync, "*", 100, Fault::status(200, broken));
    let failed = run("claims-report", &desk.environment, &[&arguments[..], &["--max-wait", "2s"]].concat())
        .await
        .unwrap();
    assert_eq!(failed.code, Some(5), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_another_runs_newer_history_is_never_overwritten() {
    let desk = Desk::new().await;
    desk.good("2020-01-06", &Catalogue::of(20)).await;
    let database = desk.history().join("history.sqlite");
    let arguments = desk.write("2020-01-13", &Catalogue { views: 1_100, ..Catalogue::of(20) });
    let s3 = desk.rehearsal.directory().join("s3/sandbox-state/claims.csv");
    std::fs::rename(desk.rehearsal.directory().join("claims.csv"), &s3).unwrap();
    let mut environment = desk.environment.clone();
    environment.insert("CLAIM_REPORT_URI".to_owned(), "s3://sandbox-state/claims.csv".to_owned());
    let read = Match::operation("GetObject").id("claims.csv");
    desk.rehearsal.sandbox.faults().inject(Service::S3, read, 1, Fault::Delay { ms: 1_500 });
    let arguments: Vec<&str> =
        arguments.iter().map(String::as_str).take_while(|argument| *argument != "--claims").collect();
    let under_way = run("claims-report", &environment, &arguments);
    let meanwhile = async {
        while desk.rehearsal.sandbox.faults().pending() > 0 {
            tokio::task::yield_now().await;
        }
        // Somebody who keeps no lock.
        std::fs::write(&database, b"newer").unwrap();
    };
    let (run, ()) = tokio::join!(under_way, meanwhile);
    let run = run.unwrap();
    assert_eq!(run.code, Some(5), "{run:?}");
    assert_eq!(std::fs::read(&database).unwrap(), b"newer");
    assert!(run.summary().unwrap()["error"].as_str().unwrap().contains("history"), "{run:?}");
    let after = desk.week("2020-01-13", &Catalogue::of(20)).await;
    assert_eq!(after.code, Some(4), "and what is no history is refused: {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_is_in_the_queue_and_its_days_count_from_the_week_it_was_first_seen() {
    let desk = Desk::new().await;
    let disputed = Catalogue { status: "PENDING,DISPUTED".to_owned(), ..Catalogue::of(20) };
    desk.good("2020-01-06", &disputed).await;
    let second = desk.good("2020-01-13", &Catalogue { views: 1_700, ..disputed.clone() }).await;
    let row = |summary: &Value| {
        let text = file(summary, "disputes.csv");
        let line = text.lines().nth(1).unwrap().to_owned();
        line.split(',').take(8).map(str::to_owned).collect::<Vec<_>>()
    };
    let found = row(&second);
    assert_eq!(found[..5], ["c0", "A000000000000000", "v0000000000", "disputed", "2020-02-05"]);
    let appealed = Catalogue { status: "PENDING,APPEALED".to_owned(), views: 1_900, ..disputed };
    let third = desk.good("2020-01-20", &appealed).await;
    let found = row(&third);
    assert_eq!(
        (&*found[3], &*found[4], &*found[7]),
        ("appealed", "2020-01-27", "yes"),
        "an appeal is counted anew"
    );
    assert_eq!(third["criticalDisputeCount"], json!(1));
}

/// Weeks as they come, through the real program: what changed is the generator's own truth to the byte, also where a
/// week is missing and where reports say everything twice or break off.
#[rstest::rstest]
#[case::ten_weeks(Options { assets: 260, ..Options::ending("2020-03-09".parse().unwrap()) })]
#[case::with_report_faults(Options { seed: 2, assets: 260, report_faults: true, ..Options::ending("2020-03-09".parse().unwrap()) })]
#[case::with_a_missing_week(Options { seed: 3, weeks: 5, assets: 90, missing_week: Some(3), ..Options::ending("2020-03-09".parse().unwrap()) })]
#[tokio::test(flavor = "multi_thread")]
async fn every_difference_of_the_seeded_weeks_is_the_truths(#[case] options: Options) {
    let desk = Desk::new().await;
    let folder = tempfile::tempdir().unwrap();
    let made = generate(&options, folder.path()).unwrap();
    desk.rehearsal.sandbox.publish_partners(&made).unwrap();
    let (mut kinds, mut missed) = (BTreeSet::new(), BTreeSet::new());
    for week in &made.weeks {
        let text = |path: &std::path::Path| path.display().to_string();
        let arguments = [
            ["--week".to_owned(), week.monday.to_string()],
            ["--assets".to_owned(), text(&week.assets)],
            ["--videos".to_owned(), text(&week.videos)],
            ["--claims".to_owned(), text(&week.claims)],
            ["--conflicts".to_owned(), text(&week.conflicts)],
            ["--analytics".to_owned(), text(&week.analytics)],
            ["--rights".to_owned(), text(&week.rights)],
        ];
        let arguments: Vec<&str> = arguments.iter().flatten().map(String::as_str).chain(["--json"]).collect();
        let run = run("claims-report", &desk.environment, &arguments).await.unwrap();
        assert_eq!(run.code, Some(0), "{}: {run:?}", week.monday);
        let summary = run.summary().unwrap();
        let expected = std::fs::read_to_string(&week.changes).unwrap();
        assert!(file(&summary, "changes.csv") == expected, "{}: changes.csv is not the truth", week.monday);
        kinds.extend(alerts(&summary, "quality.json").into_iter().map(|(kind, _, _)| kind));
        missed.extend(summary["missingWeeks"].as_array().unwrap().iter().map(ToString::to_string));
    }
    assert_eq!(options.report_faults, kinds.contains("report_doubled"), "{kinds:?}");
    assert_eq!(options.missing_week.is_some(), missed.len() == 1, "{missed:?}");

    let replayed = run("claims-report", &desk.environment, &["backtest", "--json"]).await.unwrap();
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let replayed = replayed.summary().unwrap();
    assert_eq!(replayed["weeks"].as_array().unwrap().len(), options.weeks);
    let raised: BTreeSet<(&str, &str)> = replayed["raised"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["week"].as_str().unwrap(), one["videoId"].as_str().unwrap()))
        .collect();
    let planted = made.findings.iter().filter(|one| one.kind == "viral" && one.subject_type == "video");
    for finding in planted.filter(|one| !one.implied) {
        // Where two of ten weeks are not believed, a video has so few left that it is taken for a young one, which may
        // climb on: the surge is told when it begins, and not again.
        let week = finding.week.to_string();
        let is_told =
            |(told, id): &(&str, &str)| *id == finding.subject_id && (options.report_faults || *told == week);
        assert!(raised.iter().any(is_told), "{finding:?}: {raised:?}");
    }

    let out = tempfile::tempdir().unwrap();
    let to = out.path().display().to_string();
    let exported =
        run("claims-report", &desk.environment, &["history", "export", "--to", &to]).await.unwrap();
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let weeks = std::fs::read_to_string(out.path().join("weeks.csv")).unwrap();
    assert_eq!(weeks.lines().count(), 1 + made.weeks.len());
}
