//! Today's numbers through the Data API: the client over a real socket, and the report that tells them or goes without.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dn_core::task::clock;
use dn_core::transport::{Authorization, CallErrorKind, Pace, Transport};
use dn_core::youtube::data::{FoundVideo, VideoStats, Videos};
use dn_core::youtube::{CallBudget, Credentials, TokenCache};
use dn_domain::id::VideoId;
use dn_sandbox::{CredentialKind, Fault, Match, Service, VideoRecord, WorldBuilder};
use dn_tests::{Rehearsal, Run, command, run};
use jiff::Span;
use jiff::civil::Date;
use serde_json::{Value, json};

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

fn live(id: &str, views: u64, likes: Option<u64>, comments: Option<u64>) -> VideoRecord {
    VideoRecord {
        id: id.to_owned(),
        channel_id: CHANNEL.to_owned(),
        title: "A song".to_owned(),
        published: "2020-01-01T12:00:00Z".parse().unwrap(),
        views,
        likes,
        comments,
        privacy: "public".to_owned(),
    }
}

fn refusal(status: u16, reason: &str) -> Fault {
    let body = json!({"error": {"code": status, "message": "m", "errors": [{"reason": reason}]}});
    Fault::status(status, body.to_string())
}

mod client {
    use super::*;

    struct Bench {
        rehearsal: Rehearsal,
        client: Videos,
    }

    impl Bench {
        async fn new(units: u64) -> Self {
            let rehearsal = Rehearsal::of(WorldBuilder::new()).await.unwrap();
            let stop = tokio_util::sync::CancellationToken::new();
            let credentials = rehearsal.sandbox.credentials(CredentialKind::ServiceAccount);
            let credentials = Credentials::parse(&credentials).unwrap();
            let patience = Duration::from_secs(20);
            let tokens =
                TokenCache::new(&credentials, Pace::persistent(patience), stop.clone()).await.unwrap();
            let authorization = Authorization::Bearer(Arc::new(tokens));
            let transport = Transport::new(authorization, Pace::unhurried(patience), stop).unwrap();
            let budget = CallBudget::of_run(units, "units (--data-units)");
            let base = rehearsal.environment()["YOUTUBE_DATA_BASE_URL"].parse().unwrap();
            let client = Videos::new(transport.within(Some(Arc::new(budget))), base);
            Self { rehearsal, client }
        }

        fn inject(&self, times: u64, fault: Fault) {
            let faults = self.rehearsal.sandbox.faults();
            faults.inject(Service::Data, "videos.list", times, fault);
        }

        fn calls(&self) -> u64 {
            self.rehearsal.sandbox.journal().count(Service::Data, "videos.list")
        }
    }

    fn id(number: usize) -> VideoId {
        format!("vid{number:08}").parse().unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn fifty_one_videos_take_two_calls_and_each_is_asked_for_once() {
        let bench = Bench::new(9).await;
        for number in 0..51 {
            bench.rehearsal.sandbox.set_live_video(live(
                id(number).as_str(),
                number as u64,
                Some(1),
                Some(2),
            ));
        }
        let ids: Vec<VideoId> = (0..51).chain(0..51).map(id).collect();
        let asked = bench.client.list(&ids).await;
        assert!(asked.error.is_none(), "{:?}", asked.error);
        assert_eq!((asked.found.len(), bench.calls()), (51, 2));
        let expected = VideoStats { views: Some(50), likes: Some(1), comments: Some(2) };
        assert_eq!(asked.found[&id(50)], FoundVideo::There(expected));
        let journal = bench.rehearsal.sandbox.journal().entries();
        let calls: Vec<_> = journal.iter().filter(|entry| entry.service == Service::Data).collect();
        assert_eq!((calls[0].ids.len(), calls[1].ids.len()), (50, 1));
        assert!(calls[0].response_bytes < 50 * 150, "no more than the counts: {}", calls[0].response_bytes);
        assert!(!calls[0].target.contains("onBehalfOfContentOwner"), "{}", calls[0].target);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_hidden_closed_private_or_deleted_is_told_apart_from_nought() {
        let bench = Bench::new(9).await;
        let sandbox = &bench.rehearsal.sandbox;
        sandbox.set_live_video(live(id(1).as_str(), 7, None, None));
        sandbox.set_live_video(live(id(2).as_str(), 0, Some(0), Some(0)));
        sandbox.set_live_video(VideoRecord {
            privacy: "private".to_owned(),
            ..live(id(3).as_str(), 7, None, None)
        });
        sandbox.set_live_video(live(id(4).as_str(), 7, None, None));
        assert!(sandbox.delete_live_video(id(4).as_str()));
        let asked = bench.client.list(&[1, 2, 3, 4].map(id)).await;
        let found = |number| asked.found[&id(number)];
        assert_eq!(found(1), FoundVideo::There(VideoStats { views: Some(7), likes: None, comments: None }));
        assert_eq!(
            found(2),
            FoundVideo::There(VideoStats { views: Some(0), likes: Some(0), comments: Some(0) })
        );
        assert_eq!((found(3), found(4)), (FoundVideo::Gone, FoundVideo::Gone));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_passing_failure_is_repeated_and_both_tries_are_paid_for() {
        let bench = Bench::new(9).await;
        bench.inject(1, refusal(503, "backendError"));
        let asked = bench.client.list(&[id(1)]).await;
        assert!(asked.error.is_none() && asked.found[&id(1)] == FoundVideo::Gone, "{asked:?}");
        assert_eq!((bench.client.request_count(), bench.calls()), (2, 2));

        // The third call finds the budget used up, and what came before it stands.
        let bench = Bench::new(2).await;
        let asked = bench.client.list(&(0..101).map(id).collect::<Vec<_>>()).await;
        let error = asked.error.unwrap();
        assert_eq!((&error.kind, asked.found.len()), (&CallErrorKind::QuotaExhausted, 100), "{error}");
        assert!(error.to_string().contains("the budget of 2 units (--data-units) is used up"), "{error}");
        assert_eq!(bench.calls(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a06_a_quota_that_is_used_up_is_never_asked_again() {
        let bench = Bench::new(9).await;
        bench.rehearsal.sandbox.set_data_units(1);
        let ids: Vec<VideoId> = (0..150).map(id).collect();
        let asked = bench.client.list(&ids).await;
        assert_eq!(asked.error.unwrap().kind, CallErrorKind::QuotaExhausted);
        assert_eq!((asked.found.len(), bench.calls()), (50, 2));
        let again = bench.client.list(&ids).await;
        assert_eq!(again.error.unwrap().kind, CallErrorKind::QuotaExhausted);
        assert_eq!(bench.calls(), 2, "not even once more");
    }
}

/// A partner's video that another owner claims, and a sound without a reference; both are watched far more in the third
/// week, which is the last one that is over.
struct Bench {
    rehearsal: Rehearsal,
    environment: BTreeMap<String, String>,
    last: Date,
}

const CONTESTED: &str = "contested01";
const SOUND: &str = "A100000000000002";

impl Bench {
    async fn new() -> Self {
        let world = WorldBuilder::new().stored(CHANNEL, CHANNEL, Some("artist-one"), Some("Artist One"));
        let rehearsal = Rehearsal::of(world).await.unwrap();
        let mut environment = rehearsal.environment();
        environment.remove("VIDEO_REPORT_URI");
        environment.insert("MAX_WAIT".to_owned(), "3s".to_owned());
        let today = clock::now().in_tz("America/Los_Angeles").unwrap().date();
        let monday =
            today.saturating_sub(Span::new().days(i64::from(today.weekday().to_monday_zero_offset())));
        let bench = Self { rehearsal, environment, last: monday.saturating_sub(Span::new().days(7)) };
        for (back, week) in [(2, [1_000, 100, 100]), (1, [2_000, 200, 100])] {
            let run = bench.week(back, week, &[]).await;
            assert_eq!(run.code, Some(0), "{run:?}");
        }
        for (id, views) in [(CONTESTED, 90_000), ("ofasound001", 8_000), ("ofasound002", 300)] {
            bench.rehearsal.sandbox.set_live_video(live(id, views, Some(views / 10), Some(views / 100)));
        }
        bench
    }

    /// A week so many before the last, with the lifetime views of the contested video and of one of the sound's, and the
    /// sound's daily views.
    async fn week(&self, back: i64, numbers: [u64; 3], more: &[&str]) -> Run {
        let given = self.arguments(back, numbers);
        let given: Vec<&str> = given.iter().map(String::as_str).chain(more.iter().copied()).collect();
        run("claims-report", &self.environment, &given).await.unwrap()
    }

    /// Writes the week's files, and says where they are.
    fn arguments(&self, back: i64, [contested, sound, daily]: [u64; 3]) -> Vec<String> {
        let monday = self.last.saturating_sub(Span::new().days(7 * back)).to_string();
        let path = |name: &str, text: String| {
            let path = self.rehearsal.directory().join(format!("{name}.csv"));
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let assets = path(
            "assets",
            format!(
                "asset_id,custom_id,active_claims,asset_type,asset_title,approx_daily_views,active_reference_id\n\
                 A100000000000001,artist-one,1,WEB,Film,5,r1\n{SOUND},artist-one,1,SOUND_RECORDING,Sound,{daily},\n"
            ),
        );
        let videos = path(
            "videos",
            format!(
                "video_id,channel_id,asset_id,custom_id,views,video_title,other_owners_claiming\n\
                 {CONTESTED},{CHANNEL},A100000000000001,artist-one,{contested},=Film,Rival\n\
                 ofasound001,{CHANNEL},{SOUND},artist-one,{sound},Sound,\n\
                 ofasound002,{CHANNEL},{SOUND},artist-one,150,Sound,\n"
            ),
        );
        let given = ["--json", "--week", &monday, "--assets", &assets, "--videos", &videos];
        given.map(str::to_owned).into()
    }

    async fn last_week(&self, more: &[&str]) -> Value {
        let run = self.week(0, [12_000, 5_000, 1_000], more).await;
        assert_eq!(run.code, Some(0), "{run:?}");
        run.summary().unwrap()
    }

    fn calls(&self) -> u64 {
        self.rehearsal.sandbox.journal().count(Service::Data, "*")
    }
}

fn read(summary: &Value, name: &str) -> String {
    std::fs::read_to_string(summary["files"][name].as_str().unwrap()).unwrap()
}

/// The two alerts on what is watched more, the video's and the sound's.
fn alerts(summary: &Value) -> [Value; 2] {
    let alerts: Vec<Value> = serde_json::from_str(&read(summary, "alerts.json")).unwrap();
    let on = |id: &str| {
        let on = |alert: &&Value| alert["kind"] == "claims_ahead" && alert["subject"]["id"] == id;
        alerts.iter().find(on).unwrap_or_else(|| panic!("{alerts:#?}")).clone()
    };
    [on(CONTESTED), on(SOUND)]
}

fn source(summary: &Value) -> Option<Value> {
    let sources = summary["sources"].as_array().unwrap();
    sources.iter().find(|source| source["name"] == "live numbers").cloned()
}

fn live_keys(alert: &Value) -> Vec<&str> {
    let keys = alert["evidence"].as_object().unwrap().keys();
    keys.map(String::as_str).filter(|key| key.starts_with("live")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_tells_todays_numbers_beside_the_weeks_and_the_bus_hears_them() {
    let bench = Bench::new().await;
    let summary = bench.last_week(&[]).await;
    let [video, sound] = alerts(&summary);
    let evidence = &video["evidence"];
    assert_eq!(
        [&evidence["liveViews"], &evidence["liveGained"], &evidence["liveLikes"], &evidence["liveComments"]],
        [&json!(90_000), &json!(78_000), &json!(9_000), &json!(900)]
    );
    let evidence = &sound["evidence"];
    assert_eq!([&evidence["liveViews"], &evidence["liveGained"]], [&json!(8_300), &json!(3_150)]);
    let videos = evidence["liveVideos"].as_array().unwrap();
    let ids: Vec<&str> = videos.iter().map(|video| video["videoId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["ofasound001", "ofasound002"], "the one that the week was spent on first");
    assert_eq!((&summary["dataUnits"], &summary["liveVideoCount"]), (&json!(1), &json!(3)));
    let source = source(&summary).unwrap();
    assert_eq!((&source["state"], &source["facts"]["used"]), (&json!("used"), &json!(3)));

    for name in ["report.html", "email.html"] {
        let page = read(&summary, name);
        assert!(
            page.contains("90,000 views (+78,000 since the week ended), 9,000 likes, 900 comments"),
            "{name}: {page}"
        );
    }
    let told = bench.rehearsal.events("Claims Alert Raised");
    let told = told.iter().find(|event| event["id"] == video["id"]).unwrap();
    assert_eq!(told["evidence"], video["evidence"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_another_number_of_today_is_no_other_alert_and_the_history_keeps_none() {
    let bench = Bench::new().await;
    let first = alerts(&bench.last_week(&[]).await);
    let raised = bench.rehearsal.events("Claims Alert Raised").len();
    bench.rehearsal.sandbox.set_live_video(live(CONTESTED, 95_000, None, None));
    assert!(bench.rehearsal.sandbox.delete_live_video("ofasound001"));
    assert!(bench.rehearsal.sandbox.delete_live_video("ofasound002"));
    let second = alerts(&bench.last_week(&[]).await);
    for (first, second) in first.iter().zip(&second) {
        for key in ["id", "kind", "severity", "state", "reason", "value"] {
            assert_eq!(first[key], second[key], "{key}");
        }
    }
    assert_eq!(second[0]["evidence"]["liveViews"], json!(95_000));
    assert_eq!(second[0]["evidence"].get("liveLikes"), None);
    assert_eq!(second[1]["evidence"]["liveGone"], json!(true));
    assert_eq!(bench.rehearsal.events("Claims Alert Raised").len(), raised, "no news");

    let out = bench.rehearsal.directory().join("export").display().to_string();
    let export = ["history", "export", "--to", &out];
    assert_eq!(run("claims-report", &bench.environment, &export).await.unwrap().code, Some(0));
    let kept = std::fs::read_to_string(format!("{out}/alerts.csv")).unwrap();
    assert!(kept.contains(CONTESTED) && !kept.contains("liveAsOf"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a06_the_data_apis_quota_stops_its_own_method_and_the_report_is_made_without() {
    let bench = Bench::new().await;
    bench.rehearsal.sandbox.set_data_units(0);
    let summary = bench.last_week(&[]).await;
    assert_eq!(bench.calls(), 1, "never repeated");
    assert!(alerts(&summary).iter().all(|alert| live_keys(alert).is_empty()), "{summary}");
    assert_eq!((&summary["disputesFrom"], &summary["liveVideoCount"]), (&json!("api"), &json!(0)));
    assert_eq!(source(&summary).unwrap()["state"], "missing");
    assert_eq!(summary["qualityCount"], json!(0), "it is no finding");
    assert!(read(&summary, "report.html").contains("live numbers"));
}

#[rstest::rstest]
#[case::not_enabled(refusal(403, "accessNotConfigured"))]
#[case::down(refusal(503, "backendError"))]
#[case::login_page(Fault::status(200, "<html>Sign in</html>"))]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_data_api_does_the_report_is_made_and_the_log_says_what_is_missing(
    #[case] fault: Fault,
) {
    let bench = Bench::new().await;
    bench.rehearsal.sandbox.faults().inject(Service::Data, Match::operation("*"), 100, fault);
    let run = bench.week(0, [12_000, 5_000, 1_000], &["--log-format", "json"]).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    let summary = run.summary().unwrap();
    assert!(alerts(&summary).iter().all(|alert| live_keys(alert).is_empty()));
    assert_eq!(source(&summary).unwrap()["state"], "missing");
    assert_eq!(run.stderr.matches("Data API did not answer").count(), 1, "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_unit_no_credential_and_no_last_week_mean_that_nobody_is_asked() {
    let mut bench = Bench::new().await;
    let summary = bench.last_week(&["--data-units", "0"]).await;
    assert_eq!((source(&summary), &summary["dataUnits"]), (None, &Value::Null));
    bench.environment.remove("YOUTUBE_CREDENTIALS");
    let summary = bench.last_week(&[]).await;
    assert_eq!((source(&summary), live_keys(&alerts(&summary)[0]).len()), (None, 0));
    assert_eq!(bench.calls(), 0);
    let bench = Bench::new().await;
    let old = bench.week(1, [90_000, 5_000, 1_000], &[]).await.summary().unwrap();
    let told = read(&old, "alerts.json");
    assert!(
        told.contains(CONTESTED) && !told.contains("liveAsOf"),
        "today is no day of an older week: {told}"
    );
    assert_eq!(source(&old), None);
    assert_eq!(bench.calls(), 0);
    let wrong = bench.week(0, [1, 1, 1], &["--data-units", "many"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("--data-units (DATA_UNITS)"), "{}", wrong.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn p01_a_signal_while_todays_numbers_are_asked_for_ends_the_run_and_leaves_the_history() {
    let bench = Bench::new().await;
    let history =
        || std::fs::read(bench.rehearsal.directory().join("state/claims-report/history/history.sqlite"));
    let before = history().unwrap();
    bench.rehearsal.sandbox.faults().inject(Service::Data, "videos.list", 1, Fault::Stall);
    let arguments = bench.arguments(0, [12_000, 5_000, 1_000]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child = command("claims-report", &bench.environment, &arguments).unwrap();
    let child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while bench.rehearsal.sandbox.faults().pending() > 0 {
        assert!(Instant::now() < deadline, "the Data API was never asked");
        tokio::task::yield_now().await;
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(ended.status.code(), Some(143), "{ended:?}");
    assert!(history().unwrap() == before);
    assert_eq!(bench.rehearsal.events("Claims Report Failed").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reads_todays_numbers_too() {
    let bench = Bench::new().await;
    let summary = bench.last_week(&["--dry-run"]).await;
    assert_eq!(alerts(&summary)[0]["evidence"]["liveViews"], json!(90_000));
    assert_eq!(bench.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_whether_the_data_api_answers_and_how_to_mend_it() {
    let bench = Bench::new().await;
    let assets = bench.rehearsal.directory().join("assets.csv").display().to_string();
    let row = async |more: &[&str]| {
        let arguments = [&["check", "--json", "--assets", &assets], more].concat();
        let run = run("claims-report", &bench.environment, &arguments).await.unwrap();
        assert_eq!(run.code, Some(0), "{run:?}");
        let rows = run.summary().unwrap();
        rows.as_array().unwrap().iter().find(|row| row["what"] == "Data API").cloned()
    };
    assert_eq!(row(&[]).await.unwrap()["state"], "PASS");
    assert_eq!(row(&["--data-units", "0"]).await, None);
    let disabled = refusal(403, "accessNotConfigured");
    bench.rehearsal.sandbox.faults().inject(Service::Data, "videos.list", 1, disabled);
    let warned = row(&[]).await.unwrap();
    assert_eq!(warned["state"], "WARN", "{warned}");
    assert!(warned["fix"].as_str().unwrap().contains("enable the YouTube Data API v3"), "{warned}");
}
