//! The bus, its rules, and the tasks that they start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use dn_sandbox::World;
use serde_json::{Value, json};

use crate::harness::{Bench, json};
use crate::signing::Signed;

async fn put(bench: &Bench, target: &str, body: Value) -> Value {
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
    let url = format!("{}/", bench.env("AWS_ENDPOINT_URL_EVENTBRIDGE"));
    let reply = Signed::new(bench, "events").send("POST", &url, &headers, body.to_string()).await;
    let status = reply.status().as_u16();
    let mut body = json(reply).await;
    body["httpStatus"] = json!(status);
    body
}

fn entry(detail_type: &str, status: &str) -> Value {
    json!({"Source": "dn.backend.channelbackfill", "DetailType": detail_type, "EventBusName":
        "dn-backend-workflow-bus-dev", "Detail": json!({"status": status, "errorCount": 1}).to_string()})
}

/// A sandbox whose cleanup is a shell script.
async fn with_task(script: &str) -> Bench {
    let script = script.to_owned();
    Bench::over_with(World::small, move |options| {
        let bin = options.dir.join("bin");
        fs::create_dir_all(&bin).unwrap();
        let task = bin.join("cms-customid-cleanup");
        fs::write(&task, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&task, fs::Permissions::from_mode(0o755)).unwrap();
        options.bin_dir = Some(bin);
    })
    .await
}

#[tokio::test]
async fn a_success_starts_the_cleanup_with_the_trigger_in_its_environment() {
    let bench = with_task(
        "echo \"$TRIGGER_SOURCE|$TRIGGER_DETAIL_TYPE|$TRIGGER_STATUS\"; echo \"$GRAPHQL_ENDPOINT\" >&2; exit 3",
    )
    .await;
    let body = json!({"Entries": [entry("Channel Backfill Completed", "success")]});
    let answer = put(&bench, "AWSEvents.PutEvents", body).await;
    assert_eq!(answer["FailedEntryCount"], 0);
    let id = answer["Entries"][0]["EventId"].as_str().unwrap();
    let invocations = bench.sandbox.wait_invocation(1, Duration::from_secs(10)).await.unwrap();
    let task = &invocations[0];
    assert_eq!((task.rule.as_str(), task.exit_code), ("channelbackfill-success-trigger-dev", Some(3)));
    assert_eq!((task.event_id.as_str(), task.env["TRIGGER_EVENT_ID"].as_str()), (id, id));
    let said = fs::read_to_string(&task.stdout).unwrap();
    assert_eq!(said.trim(), "dn.backend.channelbackfill|Channel Backfill Completed|success");
    assert_eq!(fs::read_to_string(&task.stderr).unwrap().trim(), bench.env("GRAPHQL_ENDPOINT"));
    let event = &bench.sandbox.events()[0];
    assert_eq!((event["id"].as_str().unwrap(), &event["detail"]["errorCount"]), (id, &json!(1)));
    assert_eq!(task.env["TRIGGER_TIMESTAMP"], event["time"].as_str().unwrap());
}

#[tokio::test]
async fn failed_and_partial_backfills_alert_and_start_nothing() {
    let bench = with_task("exit 0").await;
    let entries = [
        entry("Channel Backfill Failed", "failed"),
        entry("Channel Backfill Completed", "partial"),
        entry("Something Else", "success"),
    ];
    put(&bench, "AWSEvents.PutEvents", json!({"Entries": entries})).await;
    let deliveries = bench.sandbox.deliveries();
    let rules: Vec<&str> = deliveries.iter().map(|one| one.rule.as_str()).collect();
    assert_eq!(rules, ["channelbackfill-failure-alert-dev"; 2]);
    let input: Value = serde_json::from_str(&deliveries[1].input).unwrap();
    let text = input["alert"].as_str().unwrap();
    assert!(text.starts_with("Channel Backfill Completed: partial; 1 of "), "{text}");
    assert_eq!(input["detail"]["errorCount"], 1);
    assert!(bench.sandbox.invocations().is_empty());
}

#[tokio::test]
async fn an_event_can_be_delivered_twice() {
    let bench = with_task("exit 0").await;
    put(&bench, "AWSEvents.PutEvents", json!({"Entries": [entry("Channel Backfill Completed", "success")]}))
        .await;
    bench.sandbox.publish(bench.sandbox.events()[0].clone());
    let both = bench.sandbox.wait_invocation(2, Duration::from_secs(10)).await.unwrap();
    assert_eq!(both[0].env, both[1].env);
    assert!(bench.sandbox.wait_for_idle(Duration::from_secs(10)).await.is_ok());
}

#[tokio::test]
async fn a_rules_task_that_is_held_back_starts_when_it_is_released() {
    let bench = with_task("echo \"$TRIGGER_STATUS\"").await;
    let body = json!({"Entries": [entry("Channel Backfill Completed", "success")]});
    bench.sandbox.hold_tasks();
    put(&bench, "AWSEvents.PutEvents", body.clone()).await;
    assert_eq!(bench.sandbox.deliveries()[0].error, None);
    assert!(bench.sandbox.invocations().is_empty() && bench.sandbox.held_tasks() == 1);
    // Who starts a task by hand does not wait.
    let by_hand = bench.sandbox.run_task("cms-customid-cleanup", &[], Duration::from_secs(10)).await.unwrap();
    assert_eq!(by_hand.exit_code, Some(0));

    assert_eq!(bench.sandbox.release_tasks(), 1);
    let tasks = bench.sandbox.wait_invocation(1, Duration::from_secs(10)).await.unwrap();
    assert_eq!(fs::read_to_string(&tasks[0].stdout).unwrap().trim(), "success");
    put(&bench, "AWSEvents.PutEvents", body).await;
    assert_eq!(bench.sandbox.wait_invocation(2, Duration::from_secs(10)).await.unwrap().len(), 2);
    assert_eq!(bench.sandbox.release_tasks(), 0);
}

#[tokio::test]
async fn entries_fail_one_by_one_under_a_status_of_200() {
    let bench = Bench::small().await;
    let mut malformed = entry("A", "success");
    malformed["Detail"] = json!("{not json");
    let mut nowhere = entry("A", "success");
    nowhere["EventBusName"] = json!("no-such-bus");
    let mut nameless = entry("A", "success");
    nameless.as_object_mut().unwrap().remove("DetailType");
    let entries = json!({"Entries": [malformed, entry("A", "x"), nowhere, nameless]});
    let answer = put(&bench, "AWSEvents.PutEvents", entries).await;
    assert_eq!((answer["httpStatus"].as_u64(), answer["FailedEntryCount"].as_u64()), (Some(200), Some(3)));
    assert_eq!(answer["Entries"][0]["ErrorCode"], "MalformedDetail");
    assert!(answer["Entries"][1]["EventId"].is_string());
    assert_eq!(bench.sandbox.events().len(), 1);
}

#[tokio::test]
async fn takes_ten_entries_of_256_kb() {
    let bench = Bench::small().await;
    let eleven: Vec<Value> = (0..11).map(|_| entry("A", "x")).collect();
    let answer = put(&bench, "AWSEvents.PutEvents", json!({"Entries": eleven})).await;
    assert_eq!(
        (answer["httpStatus"].as_u64(), &answer["__type"]),
        (Some(400), &json!("ValidationException"))
    );
    let mut large = entry("A", "x");
    large["Detail"] = json!(json!({"rows": "x".repeat(256 << 10)}).to_string());
    assert_eq!(put(&bench, "AWSEvents.PutEvents", json!({"Entries": [large]})).await["httpStatus"], 400);
    assert!(bench.sandbox.events().is_empty());
}

#[tokio::test]
async fn tells_a_bus_that_exists_from_one_that_does_not() {
    let bench = Bench::small().await;
    let good = put(&bench, "AWSEvents.DescribeEventBus", json!({"Name": bench.env("EVENT_BUS_NAME")})).await;
    assert_eq!(good["Name"], json!(bench.env("EVENT_BUS_NAME")));
    let bad = put(&bench, "AWSEvents.DescribeEventBus", json!({"Name": "other"})).await;
    assert_eq!(bad["__type"], "ResourceNotFoundException");
    let unsigned = bench.client.post(bench.env("AWS_ENDPOINT_URL_EVENTBRIDGE")).send().await.unwrap();
    assert_eq!(json(unsigned).await["__type"], "MissingAuthenticationToken");
}

#[tokio::test]
async fn a_task_that_cannot_start_is_recorded_with_its_reason() {
    let bench = Bench::small().await;
    put(&bench, "AWSEvents.PutEvents", json!({"Entries": [entry("Channel Backfill Completed", "success")]}))
        .await;
    let task = &bench.sandbox.invocations()[0];
    assert_eq!(
        (task.exit_code, task.start_error.as_deref()),
        (None, Some("no folder of binaries was given"))
    );
    assert_eq!(bench.sandbox.deliveries()[0].error, task.start_error);
}

#[tokio::test]
async fn a_task_started_by_hand_has_the_environment_and_no_trigger() {
    let bench = with_task("echo \"$1 ${TRIGGER_SOURCE:-none} $EXTRA\"").await;
    bench.sandbox.set_task_env("EXTRA", "more");
    let task =
        bench.sandbox.run_task("cms-customid-cleanup", &["--json"], Duration::from_secs(10)).await.unwrap();
    assert_eq!(task.exit_code, Some(0));
    assert_eq!(fs::read_to_string(&task.stdout).unwrap().trim(), "--json none more");
    assert!(bench.sandbox.invocations().is_empty());
}
