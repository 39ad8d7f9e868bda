//! S3, EventBridge and SES as somebody else has read their description: what holds against the sandbox holds here too.
//!
//! moto checks neither signatures nor permissions nor sizes, and a rule's target here is a queue, since moto starts no
//! tasks: the rest of the rule is the template's own.

mod mail;
pub(crate) mod server;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dn_core::store::{Condition, ETag, ObjectReader, Store, StoreError, open_read};
use dn_sandbox::Service;
use dn_tests::{Rehearsal, assets_to_set, command};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::infrastructure::Template;
use server::Moto;

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const STATE: &str = "maintenance-state";
const REPORTS: &str = "reports";

#[tokio::test(flavor = "multi_thread")]
async fn e02_a_lock_in_an_s3_that_is_not_ours_is_won_once_and_changed_by_its_holder_alone() {
    let moto = Moto::start(&[STATE]).await;
    let store = Store::open(&format!("s3://{STATE}/prefix"), &moto.aws(None).await).unwrap();
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..8_u8 {
        let store = store.clone();
        tries.spawn(async move { store.put("lock.json", vec![n].into(), Condition::IfAbsent).await });
    }
    let mut won: Vec<ETag> = Vec::new();
    for result in tries.join_all().await {
        match result {
            Ok(etag) => won.push(etag),
            Err(StoreError::Precondition { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let [first] = &won[..] else { panic!("{} have the lock", won.len()) };
    let second = store.put("lock.json", "beat".into(), Condition::IfMatch(first.clone())).await.unwrap();
    let late = store.put("lock.json", "late".into(), Condition::IfMatch(first.clone())).await;
    assert!(matches!(late, Err(StoreError::Precondition { .. })), "{late:?}");
    assert_eq!(store.get("lock.json", 100).await.unwrap(), Some((b"beat".to_vec(), second.clone())));
    let there = json!({"Bucket": STATE, "Key": "prefix/lock.json"});
    assert_eq!(moto.ask_one("s3", "get_object", there).await["Body"], "beat");

    store.put("runs/2/plan.jsonl", "{}".into(), Condition::None).await.unwrap();
    store.put("runs/1/plan.jsonl", "{}".into(), Condition::None).await.unwrap();
    assert_eq!(store.list_folders("runs").await.unwrap(), ["1", "2"]);
    let keys: Vec<String> = store.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["lock.json", "runs/1/plan.jsonl", "runs/2/plan.jsonl"]);

    store.delete("lock.json").await.unwrap();
    assert_eq!(store.get("lock.json", 100).await.unwrap(), None);
    let gone = store.put("lock.json", "gone".into(), Condition::IfMatch(second)).await;
    assert!(matches!(gone, Err(StoreError::Precondition { .. })), "{gone:?}");
}

/// A report's worth of bytes that repeat nowhere near each other, so that a piece out of place shows.
fn report() -> Vec<u8> {
    (0..200_000_u64)
        .flat_map(|line| format!("{line},{:x}\n", line.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

/// Lays an object into moto with AWS's own client, and gives its address.
async fn lay(moto: &Moto, key: &str, content: &[u8]) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let object = json!({"Filename": file.path(), "Bucket": REPORTS, "Key": key});
    moto.ask_one("s3", "upload_file", object).await;
    format!("s3://{REPORTS}/{key}")
}

/// Stands before moto and breaks the first answers off after so many bytes, heads included; gives its address and the
/// heads of the requests that it carried.
fn breaking_off(moto: &Moto, mut after_bytes: Vec<u64>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let behind = moto.endpoint.strip_prefix("http://").unwrap().to_owned();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    std::thread::spawn(move || {
        after_bytes.reverse();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            let mut head = String::new();
            let mut reader = BufReader::new(&stream);
            while reader.read_line(&mut head).is_ok_and(|bytes| bytes > 2) {}
            let Ok(mut server) = TcpStream::connect(&behind) else { break };
            // One connection for each request: the end of an answer is then the end of the stream.
            let sent = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            server.write_all(sent.as_bytes()).unwrap();
            seen.lock().unwrap().push(head);
            let limit = after_bytes.pop().unwrap_or(u64::MAX);
            // Whoever asked may be gone already.
            let _sent = std::io::copy(&mut server.take(limit), &mut stream);
        }
    });
    (address, heads)
}

async fn read(reader: ObjectReader) -> std::io::Result<Vec<u8>> {
    tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.into_sync_read().read_to_end(&mut bytes).map(|_| bytes)
    })
    .await
    .unwrap()
}

#[rstest::rstest]
#[case::plain(false)]
#[case::gzip(true)]
#[tokio::test(flavor = "multi_thread")]
async fn s01_a_report_that_breaks_off_goes_on_by_range_in_an_s3_that_is_not_ours(#[case] gzip: bool) {
    let moto = Moto::start(&[REPORTS]).await;
    let content = report();
    let stored = if gzip { packed(&content) } else { content.clone() };
    let uri = lay(&moto, "report.csv", &stored).await;
    let (address, heads) = breaking_off(&moto, vec![400_000, 300_000]);
    let reader = open_read(&uri, &moto.aws(Some(&address)).await).await.unwrap();
    assert_eq!(reader.size_bytes, Some(stored.len() as u64));
    assert!(reader.modified.is_some());
    let etag = reader.etag.clone().unwrap();
    assert!(read(reader).await.unwrap() == content, "the pieces do not fit together");

    let heads = heads.lock().unwrap().join("\n").to_lowercase();
    assert_eq!(heads.matches("get /reports/report.csv").count(), 3, "{heads}");
    assert_eq!(heads.matches("range: bytes=").count(), 2, "{heads}");
    assert_eq!(heads.matches(&format!("if-match: {etag}")).count(), 2, "{heads}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s02_a_report_that_is_replaced_while_it_is_read_is_found_out_in_an_s3_that_is_not_ours() {
    let moto = Moto::start(&[REPORTS]).await;
    let uri = lay(&moto, "report.csv", &report()).await;
    let (address, heads) = breaking_off(&moto, vec![400_000]);
    let reader = open_read(&uri, &moto.aws(Some(&address)).await).await.unwrap();
    lay(&moto, "report.csv", &[report(), b"one more\n".to_vec()].concat()).await;
    let error = read(reader).await.unwrap_err();
    assert!(matches!(StoreError::behind(&error), Some(StoreError::Replaced { .. })), "{error:?}");
    assert_eq!(heads.lock().unwrap().len(), 2);
}

/// A sandbox, its programs turned to moto for state, report and bus, and the deployed rules with queues behind them.
struct Elsewhere {
    rehearsal: Rehearsal,
    moto: Moto,
    environment: std::collections::BTreeMap<String, String>,
    /// The success rule's and the failure rule's.
    queues: [String; 2],
}

impl Elsewhere {
    async fn start(assets: u64) -> Self {
        let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, assets)).await.unwrap();
        let moto = Moto::start(&[STATE, REPORTS]).await;
        let mut environment = rehearsal.environment();
        let report = environment["VIDEO_REPORT_URI"].strip_prefix("s3://").unwrap().to_owned();
        let report = std::fs::read(rehearsal.sandbox.dir().join("s3").join(report)).unwrap();
        environment.insert("VIDEO_REPORT_URI".to_owned(), lay(&moto, "video.csv", &packed(&report)).await);
        environment.insert("STATE_URI".to_owned(), format!("s3://{STATE}/tasks"));
        moto.put_into(&mut environment);
        let queues = deploy(&moto).await;
        Self { rehearsal, moto, environment, queues }
    }

    async fn run(&self, program: &str) -> dn_tests::Run {
        dn_tests::run(program, &self.environment, &["--json"]).await.unwrap()
    }

    /// Takes what lies in both queues.
    async fn delivered(&self) -> [Vec<Value>; 2] {
        let receive =
            |url: &String| json!(["sqs", "receive_message", {"QueueUrl": url, "MaxNumberOfMessages": 10}]);
        let answers = self.moto.ask(&self.queues.each_ref().map(receive)).await;
        [0, 1].map(|queue| {
            let messages = answers[queue]["Messages"].as_array().cloned().unwrap_or_default().into_iter();
            messages.map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()).collect()
        })
    }

    /// An object of the state folder, as AWS's own client reads it.
    async fn state(&self, key: &str) -> String {
        let object = json!({"Bucket": STATE, "Key": format!("tasks/{key}")});
        self.moto.ask_one("s3", "get_object", object).await["Body"].as_str().unwrap().to_owned()
    }

    async fn until_writes_begin(&self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch") < 3 {
            assert!(Instant::now() < deadline, "the writes never began");
            tokio::task::yield_now().await;
        }
    }
}

/// The bus and the rules of the template; each rule's target is a queue with the target's own transformer.
async fn deploy(moto: &Moto) -> [String; 2] {
    let template = Template::read("workflow.yaml");
    let bus = template.of_type("AWS::Events::EventBus").into_values().next().unwrap()["Name"].clone();
    let mut calls = vec![json!(["events", "create_event_bus", {"Name": bus}])];
    let rules = ["channelbackfill-success-trigger-dev", "channelbackfill-failure-alert-dev"];
    calls.extend(rules.map(|name| json!(["sqs", "create_queue", {"QueueName": name}])));
    for name in rules {
        let rule = template.rule(name).1;
        let pattern = rule["EventPattern"].to_string();
        let target = json!({
            "Id": rule["Targets"][0]["Id"],
            "Arn": format!("arn:aws:sqs:us-east-1:123456789012:{name}"),
            "InputTransformer": rule["Targets"][0]["InputTransformer"],
        });
        let rule = json!({"Name": name, "EventBusName": bus, "EventPattern": pattern, "State": "ENABLED"});
        let targets = json!({"Rule": name, "EventBusName": bus, "Targets": [target]});
        calls.extend([json!(["events", "put_rule", rule]), json!(["events", "put_targets", targets])]);
    }
    let answers = moto.ask(&calls).await;
    [1, 2].map(|queue| answers[queue]["QueueUrl"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workflow_runs_with_its_state_its_report_and_its_bus_in_services_that_are_not_ours() {
    let mut elsewhere = Elsewhere::start(60).await;
    let backfill = elsewhere.run("channelbackfill").await;
    assert_eq!(backfill.code, Some(0), "{backfill:?}");

    let [started, alerted] = elsewhere.delivered().await;
    assert_eq!((started.len(), alerted.len()), (1, 0), "{started:?} {alerted:?}");
    let mut handed = started[0].clone();
    let variables = &mut handed["containerOverrides"][0]["environment"];
    let event_id = variables[3]["value"].take();
    // moto writes the time of an event as seconds.
    let time = variables[4]["value"].take();
    assert!(event_id.as_str().is_some_and(|id| id.len() == 36), "{event_id}");
    assert!(time.as_str().is_some_and(|time| time.parse::<f64>().is_ok_and(|at| at > 1e9)), "{time}");
    let golden = json!({"containerOverrides": [{"name": "cms-customid-cleanup", "environment": [
        {"name": "TRIGGER_SOURCE", "value": "dn.backend.channelbackfill"},
        {"name": "TRIGGER_DETAIL_TYPE", "value": "Channel Backfill Completed"},
        {"name": "TRIGGER_STATUS", "value": "success"},
        {"name": "TRIGGER_EVENT_ID", "value": null},
        {"name": "TRIGGER_TIMESTAMP", "value": null},
    ]}]});
    assert_eq!(handed, golden);

    // What the rule would start.
    for variable in started[0]["containerOverrides"][0]["environment"].as_array().unwrap() {
        let text = |field: &str| variable[field].as_str().unwrap().to_owned();
        elsewhere.environment.insert(text("name"), text("value"));
    }
    let cleanup = elsewhere.run("cms-customid-cleanup").await;
    assert_eq!(cleanup.code, Some(0), "{cleanup:?}");
    let summary = cleanup.summary().unwrap();
    assert_eq!((&summary["updatedCount"], &summary["triggeredBy"]), (&json!(60), &event_id));
    assert!(elsewhere.rehearsal.sandbox.score().unwrap().is_perfect());
    let requests = |service| elsewhere.rehearsal.sandbox.journal().count(service, "*");
    assert_eq!((requests(Service::S3), requests(Service::EventBridge)), (0, 0));
    let delivered = elsewhere.delivered().await;
    assert!(
        delivered.iter().all(Vec::is_empty),
        "the cleanup's own end starts and alerts nobody: {delivered:?}"
    );

    let run = format!("cms-customid-cleanup/runs/{}", summary["runId"].as_str().unwrap());
    assert_eq!(summary["planUri"], json!(format!("s3://{STATE}/tasks/{run}/plan.jsonl")));
    assert_eq!(elsewhere.state(&format!("{run}/plan.jsonl")).await.lines().count(), 60);
    let kept: Value = serde_json::from_str(&elsewhere.state(&format!("{run}/summary.json")).await).unwrap();
    assert_eq!(kept["updatedCount"], json!(60));

    // The ledger of past runs is there too: the same event again does nothing.
    let again = elsewhere.run("cms-customid-cleanup").await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(elsewhere.rehearsal.sandbox.writes().len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn e03_a_lock_in_an_s3_that_is_not_ours_shuts_others_out_and_is_taken_over_from_the_dead() {
    let mut elsewhere = Elsewhere::start(60).await;
    elsewhere.environment.insert("RATE_PER_SECOND".to_owned(), "20".to_owned());
    elsewhere.environment.insert("LOCK_LEASE".to_owned(), "3s".to_owned());
    let mut first = command("cms-customid-cleanup", &elsewhere.environment, &[]).unwrap();
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    elsewhere.until_writes_begin().await;
    let second = elsewhere.run("cms-customid-cleanup").await;
    assert_eq!(second.code, Some(11), "{second:?}");
    first.kill().unwrap();
    first.wait().unwrap();

    elsewhere.environment.insert("RATE_PER_SECOND".to_owned(), "5000".to_owned());
    let deadline = Instant::now() + Duration::from_mins(1);
    let run = loop {
        let run = elsewhere.run("cms-customid-cleanup").await;
        if run.code != Some(11) {
            break run;
        }
        assert!(Instant::now() < deadline, "the dead run's lock was never free");
    };
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(elsewhere.rehearsal.sandbox.score().unwrap().is_perfect());
    let lock: Value = serde_json::from_str(&elsewhere.state("cms-customid-cleanup/lock.json").await).unwrap();
    assert_eq!((&lock["fence"], &lock["runId"]), (&json!(2), &run.summary().unwrap()["runId"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_backfill_reaches_the_failure_rule_of_a_bus_that_is_not_ours() {
    let mut elsewhere = Elsewhere::start(1).await;
    let sheet = elsewhere.rehearsal.directory().join("wrong.csv");
    std::fs::write(&sheet, "channelID,displayName\nUCaaaaaaaaaaaaaaaaaaaaaa,Artist One\n").unwrap();
    elsewhere.environment.insert("CHANNELS_CSV".to_owned(), sheet.to_string_lossy().into_owned());
    let run = elsewhere.run("channelbackfill").await;
    assert_eq!(run.code, Some(4), "{run:?}");

    let [started, alerted] = elsewhere.delivered().await;
    assert_eq!((started.len(), alerted.len()), (0, 1), "{started:?} {alerted:?}");
    let alert = &alerted[0];
    let text = alert["alert"].as_str().unwrap();
    assert!(text.starts_with("Channel Backfill Failed: failed; 0 of 0 rows rejected or failed."), "{text}");
    assert_eq!((&alert["detail"]["status"], &alert["detail"]["exitCode"]), (&json!("failed"), &json!(4)));
    assert!(alert["detail"]["error"].as_str().unwrap().contains("customID"), "{alert}");
    assert!(alert["time"].as_str().is_some(), "{alert}");
}

#[tokio::test(flavor = "multi_thread")]
async fn e07_a_bus_that_is_not_there_is_found_out_before_the_first_write_by_services_that_are_not_ours() {
    let mut elsewhere = Elsewhere::start(1).await;
    elsewhere.environment.insert("EVENT_BUS_NAME".to_owned(), "no-such-bus".to_owned());
    let run = elsewhere.run("channelbackfill").await;
    assert_eq!(run.code, Some(7), "{run:?}");
    assert!(run.stderr.contains("EVENT_BUS_NAME"), "{}", run.stderr);
    assert_eq!(elsewhere.rehearsal.sandbox.journal().count(Service::AppSync, "*"), 0);
    let delivered = elsewhere.delivered().await;
    assert!(delivered.iter().all(Vec::is_empty), "{delivered:?}");
}
