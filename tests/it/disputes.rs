//! The dispute desk over real sockets: what is open, until when, told once; and the week that goes on without it.

use std::collections::BTreeMap;

use dn_core::task::clock;
use dn_sandbox::{ClaimEvent, ClaimRecord, Fault, Match, Service, WorldBuilder};
use dn_tests::{Rehearsal, Run, run};
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const ZONE: &str = "America/Los_Angeles";

fn today() -> Date {
    clock::now().in_tz(ZONE).unwrap().date()
}

fn day_ago(days: i64) -> Date {
    today().saturating_sub(Span::new().days(days))
}

/// Noon of a day in Los Angeles, so that no change of clocks moves it to another.
fn ago(days: i64) -> Timestamp {
    day_ago(days).at(12, 0, 0, 0).in_tz(ZONE).unwrap().timestamp()
}

fn claim(id: &str, status: &str, days: i64, views: u64) -> ClaimRecord {
    let kind = if status == "appealed" { "dispute_appeal" } else { "dispute_create" };
    ClaimRecord {
        id: id.to_owned(),
        asset_id: "A100000000000001".to_owned(),
        video_id: format!("{id:_<11}"),
        video_title: format!("=Song {id}"),
        uploader_channel_id: CHANNEL.to_owned(),
        reference_id: None,
        status: status.to_owned(),
        content_type: "audio".to_owned(),
        origin: "audioMatch".to_owned(),
        created: ago(99),
        status_modified: ago(days - 2),
        views,
        engaged_views: 1,
        is_partner_uploaded: false,
        is_shorts_eligible: false,
        events: vec![
            ClaimEvent::new(ago(99), "claim_create"),
            ClaimEvent::new(ago(days), kind)
                .by("uploader")
                .mail("someone@example.com")
                .detail("disputeNotes", "call me"),
        ],
    }
}

struct Bench {
    rehearsal: Rehearsal,
    environment: BTreeMap<String, String>,
}

impl Bench {
    async fn new(claims: Vec<ClaimRecord>) -> Self {
        let world = WorldBuilder::new().stored(CHANNEL, CHANNEL, Some("artist-one"), Some("Artist One"));
        let rehearsal = Rehearsal::of(world).await.unwrap();
        for claim in claims {
            rehearsal.sandbox.add_claim(claim);
        }
        let mut environment = rehearsal.environment();
        environment.remove("VIDEO_REPORT_URI");
        environment.insert("MAX_WAIT".to_owned(), "3s".to_owned());
        Self { rehearsal, environment }
    }

    /// One near its end, one appealed, one fresh and watched.
    async fn of_three() -> Self {
        Self::new(vec![
            claim("near", "disputed", 28, 10_000),
            claim("call", "appealed", 2, 1_000),
            claim("rich", "potential", 4, 9_000_000),
        ])
        .await
    }

    async fn desk(&self, more: &[&str]) -> Run {
        let arguments = [&["disputes", "--json"], more].concat();
        run("claims-report", &self.environment, &arguments).await.unwrap()
    }

    async fn good_desk(&self) -> Value {
        let run = self.desk(&[]).await;
        assert_eq!(run.code, Some(0), "{run:?}");
        run.summary().unwrap()
    }

    /// A weekly report of one claim, which its file says is disputed.
    async fn week(&self, more: &[&str]) -> Run {
        self.week_with("", more).await
    }

    /// The same with more rows in its claim report.
    async fn week_with(&self, rows: &str, more: &[&str]) -> Run {
        let path = |name: &str, text: String| {
            let path = self.rehearsal.directory().join(format!("{name}.csv"));
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let asset = "A100000000000001";
        let assets = path(
            "assets",
            format!(
                "asset_id,custom_id,active_claims,asset_type,asset_title\n{asset},artist-one,1,WEB,Song\n"
            ),
        );
        let videos = path(
            "videos",
            format!(
                "video_id,channel_id,asset_id,custom_id,views\nnear_______,{CHANNEL},{asset},artist-one,5\n"
            ),
        );
        let claims = path(
            "claims",
            format!(
                "claim_id,channel_id,asset_id,video_id,claim_status,claim_status_detail,claim_type,views,video_upload_date,\
                 claim_origin,longest_match,claim_created_date,claim_policy_block\n\
                 near,{CHANNEL},{asset},near_______,PENDING,DISPUTED,AUDIO,70000,{},,60,,\n{rows}",
                day_ago(999)
            ),
        );
        let given = ["--json", "--assets", &assets, "--videos", &videos, "--claims", &claims];
        run("claims-report", &self.environment, &[&given, more].concat()).await.unwrap()
    }

    /// Subject and severity of each deadline that the bus heard of.
    fn told(&self) -> Vec<(String, String)> {
        let events = self.rehearsal.events("Claims Alert Raised").into_iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        events
            .filter(|event| event["kind"] == "dispute_deadline")
            .map(|event| (text(&event["subject"]["id"]), text(&event["severity"])))
            .collect()
    }

    fn refuse(&self, operation: &str, times: u64, status: u16, reason: &str) {
        let body = json!({"error": {"code": status, "message": "m", "errors": [{"reason": reason}]}});
        let faults = self.rehearsal.sandbox.faults();
        faults.inject(
            Service::YouTube,
            Match::operation(operation),
            times,
            Fault::status(status, body.to_string()),
        );
    }

    fn page(&self, page: &Value) {
        let faults = self.rehearsal.sandbox.faults();
        faults.inject(Service::YouTube, "claimSearch.list", 1, Fault::status(200, page.to_string()));
    }
}

fn read(summary: &Value, name: &str) -> String {
    std::fs::read_to_string(summary["files"][name].as_str().unwrap()).unwrap()
}

/// The queue's cells by their columns' names, in order.
fn queue(summary: &Value) -> Vec<BTreeMap<String, String>> {
    let text = read(summary, "disputes.csv");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    lines.map(|cells| header.iter().cloned().zip(cells).collect()).collect()
}

fn cells(summary: &Value, columns: &[&str]) -> Vec<String> {
    let row = |row: &BTreeMap<String, String>| {
        columns.iter().map(|column| row[*column].clone()).collect::<Vec<_>>().join(" ")
    };
    queue(summary).iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_tells_every_deadline_by_its_history_in_working_order() {
    let bench = Bench::of_three().await;
    bench.rehearsal.sandbox.set_claim_page_size(1);
    let summary = bench.good_desk().await;
    let deadline = |days_ago: i64, days: i64| day_ago(days_ago).saturating_add(Span::new().days(days));
    assert_eq!(
        cells(&summary, &["claim_id", "status", "deadline", "estimate", "critical"]),
        [
            format!("rich potential {} no no", deadline(4, 30)),
            format!("near disputed {} no yes", deadline(28, 30)),
            format!("call appealed {} no yes", deadline(2, 7)),
        ]
    );
    let sheet: Value = serde_json::from_str(&read(&summary, "disputes.json")).unwrap();
    let day: Date = sheet["day"].as_str().unwrap().parse().unwrap();
    for dispute in sheet["disputes"].as_array().unwrap() {
        let deadline: Date = dispute["deadline"].as_str().unwrap().parse().unwrap();
        let left = i64::from((deadline - day).get_days());
        assert_eq!(dispute["daysLeft"].as_i64(), Some(left), "{dispute}");
        // A hundred days of life, both the first and the last counted; a thousand views are worth one.
        let views = [("rich", 9_000_000.0), ("near", 10_000.0), ("call", 1_000.0)];
        let (_, views) = views.into_iter().find(|(id, _)| dispute["claimId"] == *id).unwrap();
        let expected = f64::round(views / 100.0 * left as f64 / 10.0) / 100.0;
        assert!((dispute["valueAtRisk"].as_f64().unwrap() - expected).abs() < 0.011, "{dispute} {expected}");
    }
    assert_eq!(
        (&summary["disputeCount"], &summary["criticalDisputeCount"], &summary["estimatedDeadlineCount"]),
        (&json!(3), &json!(2), &json!(0))
    );
    let whole =
        format!("{summary}{}{}{sheet}", read(&summary, "alerts.json"), read(&summary, "disputes.csv"));
    assert!(!whole.contains("example.com") && !whole.contains("call me"), "whoever wrote stays unnamed");
    let journal = bench.rehearsal.sandbox.journal().entries();
    assert!(journal.iter().filter(|entry| entry.operation == "claimSearch.list").count() >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_a_deadline_is_told_once_by_whichever_of_the_two_sees_it_first() {
    let bench = Bench::of_three().await;
    let pair = |id: &str, severity: &str| (id.to_owned(), severity.to_owned());
    let first = bench.good_desk().await;
    assert_eq!(first["newAlertCount"], 2);
    let mut told = bench.told();
    told.sort();
    assert_eq!(told, [pair("call", "critical"), pair("near", "critical")]);
    assert!(bench.rehearsal.events("Claims Report Completed").is_empty(), "the desk is no weekly report");

    let again = bench.good_desk().await;
    assert_eq!((&again["newAlertCount"], &again["alertCount"]), (&json!(0), &json!(2)));
    let week = bench.week(&[]).await;
    assert_eq!(week.code, Some(0), "{week:?}");
    assert_eq!(week.summary().unwrap()["disputesFrom"], "api");
    assert_eq!(bench.told().len(), 2, "the week repeats nothing of the desk");

    // One more since: the week tells it, the desk does not; and what is settled is resolved.
    bench.rehearsal.sandbox.add_claim(claim("more", "appealed", 1, 5));
    bench.rehearsal.sandbox.add_claim(claim("near", "active", 28, 10_000));
    let week = bench.week(&[]).await;
    assert_eq!(week.code, Some(0), "{week:?}");
    assert_eq!(bench.told().last(), Some(&pair("more", "critical")));
    let last = bench.good_desk().await;
    assert_eq!((&last["newAlertCount"], &last["alertCount"]), (&json!(0), &json!(2)));
    let alerts: Vec<Value> = serde_json::from_str(&read(&last, "alerts.json")).unwrap();
    let near = alerts.iter().find(|alert| alert["subject"]["id"] == "near");
    assert!(near.is_none_or(|alert| alert["state"] == "resolved"), "{near:?}");
    assert_eq!(bench.told().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_history_the_deadline_is_counted_from_the_last_status_and_marked() {
    let bench = Bench::of_three().await;
    let id = |id: &str| Match::operation("claimHistory.get").id(id);
    let gone = json!({"error": {"code": 404, "message": "m", "errors": [{"reason": "claimNotFound"}]}});
    let faults = bench.rehearsal.sandbox.faults();
    faults.inject(Service::YouTube, id("near"), 1, Fault::status(404, gone.to_string()));
    faults.inject(Service::YouTube, id("call"), 9, Fault::status(200, "<html>"));
    let summary = bench.good_desk().await;
    let about: BTreeMap<_, _> =
        queue(&summary).into_iter().map(|row| (row["claim_id"].clone(), row)).collect();
    assert_eq!(about["rich"]["estimate"], "no");
    // Their status is two days younger than the objection.
    for (claim, expected) in [("near", day_ago(26 - 30)), ("call", day_ago(-7))] {
        let row = &about[claim];
        assert_eq!(
            (row["estimate"].as_str(), row["deadline"].clone()),
            ("yes", expected.to_string()),
            "{claim}"
        );
        assert!(row["reasons"].contains("deadline_estimated"), "{row:?}");
    }
    assert_eq!(summary["estimatedDeadlineCount"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a28_a_claim_on_two_pages_is_one_dispute_and_the_count_is_approximate() {
    let bench = Bench::of_three().await;
    let item = json!({"id": "near", "status": "DISPUTED", "videoViews": 7, "newField": {"x": 1}});
    // The first search is for what is appealed; the page after the injected one is the server's own first.
    bench.page(
        &json!({"kind": "youtubePartner#claimSnippetList", "items": [item, item], "nextPageToken": "CP0"}),
    );
    let summary = bench.good_desk().await;
    assert_eq!((&summary["disputeCount"], &summary["disputesApproximate"]), (&json!(3), &json!(true)));
    let calm = bench.good_desk().await;
    assert_eq!(calm["disputesApproximate"], json!(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a23_a_list_of_claims_without_end_ends_the_desk_and_not_the_week() {
    let bench = Bench::of_three().await;
    let endless = json!({"kind": "youtubePartner#claimSnippetList", "nextPageToken": "again"});
    for _ in 0..2 {
        bench.page(&endless);
    }
    let desk = bench.desk(&[]).await;
    assert_eq!(desk.code, Some(5), "{desk:?}");
    assert!(desk.summary().unwrap()["error"].as_str().unwrap().contains("second time"));
    assert_eq!(bench.rehearsal.events("Claims Report Failed").len(), 1);
    for _ in 0..2 {
        bench.page(&endless);
    }
    let week = bench.week(&[]).await;
    assert_eq!(week.code, Some(0), "{week:?}");
    assert_eq!(week.summary().unwrap()["disputesFrom"], "reports");
}

/// A desk that cannot be asked ends itself with this code, and leaves the week to its reports.
async fn is_gone_without(status: u16, reason: &str, code: i32) {
    let bench = Bench::of_three().await;
    bench.refuse("claimSearch.list", 10_000, status, reason);
    let desk = bench.desk(&[]).await;
    assert_eq!(desk.code, Some(code), "{desk:?}");
    assert!(bench.told().is_empty());
    let week = bench.week(&["--disputes", "api"]).await;
    assert_eq!(week.code, Some(0), "{week:?}");
    let summary = week.summary().unwrap();
    assert_eq!(summary["disputesFrom"], "reports");
    assert_eq!(cells(&summary, &["claim_id", "status", "estimate"]), ["near disputed yes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a06_a_desk_without_quota_is_put_off_and_the_week_goes_by_its_reports() {
    is_gone_without(403, "quotaExceeded", 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a17_a_desk_that_only_fails_is_given_up_and_the_week_goes_by_its_reports() {
    is_gone_without(503, "backendError", 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_a_desk_that_may_not_be_asked_is_told_by_week_and_desk_alike() {
    let bench = Bench::of_three().await;
    bench.refuse("claimSearch.list", 10_000, 403, "forbidden");
    for run in [bench.desk(&[]).await, bench.week(&[]).await] {
        assert_eq!(run.code, Some(7), "{run:?}");
        assert!(run.summary().unwrap()["error"].as_str().unwrap().contains("YOUTUBE_CONTENT_OWNER"));
    }
    let reports = bench.week(&["--disputes", "reports"]).await;
    assert_eq!(reports.code, Some(0), "{reports:?}");
    assert_eq!(reports.summary().unwrap()["disputesFrom"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_has_its_disputes_from_the_api_and_what_its_reports_know_besides() {
    let bench = Bench::of_three().await;
    let week = bench.week(&[]).await;
    assert_eq!(week.code, Some(0), "{week:?}");
    let summary = week.summary().unwrap();
    assert_eq!(
        cells(&summary, &["claim_id", "estimate"]),
        ["rich no", "call no", "near no"],
        "by the history, and in working order"
    );
    // Ten views a day by its upload a thousand days ago, where the claim alone would make it a hundred.
    let near = queue(&summary).into_iter().find(|row| row["claim_id"] == "near").unwrap();
    let value: f64 = near["value_at_risk"].parse().unwrap();
    assert!(value <= 0.03, "{near:?}");
    let old = bench.week(&["--week", "2020-01-06"]).await;
    assert_eq!(old.summary().unwrap()["disputesFrom"], Value::Null, "the API knows of today alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_desk_tells_nobody_and_remembers_nothing() {
    let bench = Bench::of_three().await;
    let dry = bench.desk(&["--dry-run"]).await;
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert!(bench.told().is_empty());
    assert_eq!(bench.good_desk().await["newAlertCount"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_keeps_to_the_days_calls() {
    let bench = Bench::of_three().await;
    let short = bench.desk(&["--call-budget", "2"]).await;
    assert_eq!(short.code, Some(8), "{short:?}");
    let calls = || bench.rehearsal.sandbox.journal().count(Service::YouTube, "claimSearch.list");
    assert_eq!(calls(), 2);
    assert_eq!(bench.desk(&["--call-budget", "2"]).await.code, Some(8), "the day's calls are used up");
    assert_eq!(calls(), 2);
}

/// One claim with every reason in its row and much at stake, and one without a reason and with more.
fn at_risk() -> String {
    let (asset, uploader) = ("A100000000000001", "UCbbbbbbbbbbbbbbbbbbbbbb");
    let day = day_ago(9);
    format!(
        "hot,{uploader},{asset},hot________,ACTIVE,,AUDIO,5000000,{day},Manual Claim,4,{day},US|DE\n\
         big,{uploader},{asset},big________,ACTIVE,,AUDIO,9000000,{},Audio Match,99,{},\n",
        day_ago(400),
        day_ago(400)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_likely_to_be_disputed_is_told_with_its_reasons() {
    let bench = Bench::new(Vec::new()).await;
    let risks = |run: &Run| -> Vec<Value> {
        let alerts: Vec<Value> = serde_json::from_str(&read(&run.summary().unwrap(), "alerts.json")).unwrap();
        alerts.into_iter().filter(|alert| alert["kind"] == "dispute_risk").collect()
    };
    let week = bench.week_with(&at_risk(), &[]).await;
    assert_eq!(week.code, Some(0), "{week:?}");
    let [hot] = &risks(&week)[..] else { panic!("{:?}", risks(&week)) };
    assert_eq!((&hot["subject"]["id"], &hot["severity"]), (&json!("hot"), &json!("info")));
    assert_eq!(hot["evidence"]["reasons"], json!(["short_match", "block_policy", "young_claim"]));
    // 1.13 % of manual claims, and the odds times e to the 0.9 + 0.8 + 0.7.
    assert_eq!(hot["evidence"]["risk"], json!(0.1119));

    let table =
        std::fs::read_to_string(dn_tests::root().join("crates/domain/data/dispute_weights.toml")).unwrap();
    let path = bench.rehearsal.directory().join("weights.toml");
    let given = ["--dispute-weights", path.to_str().unwrap()];
    let nothing: Vec<String> = table
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some((name, _)) if !["automatic", "manual"].contains(&name) => format!("{name} = 0.0"),
            _ => line.to_owned(),
        })
        .collect();
    std::fs::write(&path, nothing.join("\n")).unwrap();
    let week = bench.week_with(&at_risk(), &given).await;
    assert_eq!(week.code, Some(0), "{week:?}");
    assert!(risks(&week).is_empty(), "the table that is given counts");
    std::fs::write(&path, table.replace("short_match", "short_macth")).unwrap();
    let refused = bench.week_with(&at_risk(), &given).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.summary().unwrap()["error"].as_str().unwrap().contains("short_macth"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_claim_that_the_report_has_carries_its_risk_into_the_week_and_every_day_after_it() {
    let bench = Bench::of_three().await;
    for id in ["weak", "only"] {
        bench.rehearsal.sandbox.add_claim(claim(id, "disputed", 10, 10_000));
    }
    let day = day_ago(9);
    let row = format!(
        "weak,UCbbbbbbbbbbbbbbbbbbbbbb,A100000000000001,weak_______,PENDING,DISPUTED,AUDIO,10000,{day},Manual Claim,4,{day},US\n"
    );
    let risk_of = |summary: &Value, id: &str| {
        let row = queue(summary).into_iter().find(|row| row["claim_id"] == id).unwrap();
        (row["risk"].clone(), row["reasons"].clone())
    };
    let expected = ("0.1119".to_owned(), "disputed|short_match|block_policy|young_claim".to_owned());
    let week = bench.week_with(&row, &[]).await;
    assert_eq!(week.code, Some(0), "{week:?}");
    let week = week.summary().unwrap();
    assert_eq!(risk_of(&week, "weak"), expected);
    assert_eq!(risk_of(&week, "only"), (String::new(), "disputed".to_owned()), "no report has this claim");
    let daily = bench.good_desk().await;
    assert_eq!(risk_of(&daily, "weak"), expected);
    assert_eq!(risk_of(&daily, "only").0, "");
}
