//! The templates as stacks, in services that are not ours: that they come up, and what an event does there.

use dn_tests::root;
use serde_json::{Value, json};

use super::template::{Template, names};
use crate::documents::event_example;
use crate::moto::server::Moto;

#[tokio::test(flavor = "multi_thread")]
async fn every_template_comes_up_and_a_finished_report_is_kept_in_mind_for_eight_days() {
    let moto = Moto::start(&[]).await;
    let printed = moto.run(&root().join("infra/dry_run.py")).await;
    for name in names() {
        let stack = format!("dn-maintenance-{}-dev: CREATE_COMPLETE: ", name.trim_end_matches(".yaml"));
        assert!(printed.contains(&stack), "{printed}");
    }

    let tasks = moto
        .ask_one("ecs", "describe_task_definition", json!({"taskDefinition": "cmscustomidcleanup-task"}))
        .await;
    let container = &tasks["taskDefinition"]["containerDefinitions"][0];
    assert_eq!(
        container["image"],
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/dn-maintenance/cms-customid-cleanup:0123456789ab"
    );
    let environment = container["environment"].as_array().unwrap();
    let report = json!({"name": "VIDEO_REPORT_URI", "value": "s3://youtube-reporting-main/reports/video_report_Indmusic_V_v1-3.csv"});
    assert!(environment.contains(&report), "{environment:?}");
    assert_eq!(container["secrets"][1]["name"], "YOUTUBE_CREDENTIALS");
    assert!(container["secrets"][1]["valueFrom"].as_str().unwrap().ends_with("secret:youtube-AbCdEf"));

    // The one rule whose target works there as it is deployed.
    let queue = json!({"QueueName": "dn-claims-reports-of-eight-days-dev"});
    let url = moto.ask_one("sqs", "get_queue_url", queue).await["QueueUrl"].clone();
    put(&moto, &event_example("Claims Report Completed")).await;
    let asked =
        json!({"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages", "MessageRetentionPeriod"]});
    let attributes = moto.ask_one("sqs", "get_queue_attributes", asked).await["Attributes"].clone();
    assert_eq!(attributes, json!({"ApproximateNumberOfMessages": "1", "MessageRetentionPeriod": "691200"}));
}

async fn put(moto: &Moto, event: &Value) {
    let entry = json!({"EventBusName": "dn-backend-workflow-bus-dev", "Source": event["source"],
        "DetailType": event["detail-type"], "Detail": event["detail"].to_string()});
    let answer = moto.ask_one("events", "put_events", json!({"Entries": [entry]})).await;
    assert_eq!(answer["FailedEntryCount"], 0, "{answer}");
}

/// The rules of alerts.yaml with a queue behind each instead of its topic, since a topic is no target there.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_bus_is_told_comes_out_as_a_text_for_people() {
    let moto = Moto::start(&[]).await;
    let template = Template::read("alerts.yaml");
    let bus = "dn-backend-workflow-bus-dev";
    let mut calls = vec![json!(["events", "create_event_bus", {"Name": bus}])];
    let told = ["TaskFailureRule", "DeferredRule", "ClaimsAlertRule"];
    for logical in told {
        let rule = template.of_type("AWS::Events::Rule")[logical];
        let target = json!({"Id": "queue", "Arn": format!("arn:aws:sqs:us-east-1:123456789012:{logical}"),
            "InputTransformer": rule["Targets"][0]["InputTransformer"]});
        let pattern = rule["EventPattern"].to_string();
        calls.extend([
            json!(["sqs", "create_queue", {"QueueName": logical}]),
            json!(["events", "put_rule", {"Name": logical, "EventBusName": bus, "EventPattern": pattern, "State": "ENABLED"}]),
            json!(["events", "put_targets", {"Rule": logical, "EventBusName": bus, "Targets": [target]}]),
        ]);
    }
    moto.ask(&calls).await;

    put(&moto, &event_example("CMS Custom ID Cleanup Failed")).await;
    put(&moto, &event_example("CMS Custom ID Cleanup Deferred")).await;
    for severity in ["info", "critical"] {
        let mut finding = event_example("Claims Alert Raised");
        finding["detail"]["severity"] = json!(severity);
        put(&moto, &finding).await;
    }
    let receive = |logical| {
        let url = format!("{}/123456789012/{logical}", moto.endpoint);
        json!(["sqs", "receive_message", {"QueueUrl": url, "MaxNumberOfMessages": 10}])
    };
    let answers = moto.ask(&told.map(receive)).await;
    let texts: Vec<String> = answers
        .iter()
        .map(|answer| {
            let messages = answer["Messages"].as_array().unwrap();
            assert_eq!(messages.len(), 1, "{messages:?}");
            serde_json::from_str(messages[0]["Body"].as_str().unwrap()).unwrap()
        })
        .collect();
    assert!(texts[0].starts_with("CMS Custom ID Cleanup Failed at "), "{}", texts[0]);
    assert!(texts[0].contains(", exit code 4: the video report could not be opened: "), "{}", texts[0]);
    assert!(
        texts[1].starts_with("dn.backend.cmscustomidcleanup left the rest for the next run at "),
        "{}",
        texts[1]
    );
    let finding = "critical, custom_id_mismatch: Night Drive (asset A123456789012345): its custom ID is beta; its channel's is alpha. The evidence is in s3://BUCKET/";
    assert!(texts[2].starts_with(finding) && texts[2].ends_with("/report.html."), "{}", texts[2]);
}
