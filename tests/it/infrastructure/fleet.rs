//! The state machine for many content owners, carried out by somebody else's reading of Step Functions.
//!
//! That one starts no tasks of ECS: the two states that do put a message on a queue instead, with everything that ECS would
//! be told, and wait. What takes the messages here runs the real programs and answers as ECS does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use dn_tests::{Rehearsal, assets_to_set};
use serde_json::{Value, json};

use super::template::{Template, known_environment};
use crate::moto::server::Moto;

const ECS: &str = "arn:aws:states:::ecs:runTask.sync";

/// The machine as it is deployed.
fn machine(template: &Template) -> Value {
    let fleet = template.of_type("AWS::StepFunctions::StateMachine")["Fleet"];
    serde_json::from_str(fleet["DefinitionString"].as_str().unwrap()).unwrap()
}

fn child_states(machine: &mut Value) -> &mut serde_json::Map<String, Value> {
    machine["States"]["Owners"]["ItemProcessor"]["States"].as_object_mut().unwrap()
}

#[test]
fn an_owners_tasks_are_started_as_the_rules_start_them_and_share_the_rate() {
    let mut machine = machine(&Template::read("fleet.yaml"));
    let tasks = Template::read("tasks.yaml");
    let given = known_environment();
    let mut started = Vec::new();
    for state in child_states(&mut machine).values().filter(|state| state["Resource"] == ECS) {
        let task = &state["Parameters"];
        let subnets: Vec<&str> = given["Subnets"].split(',').collect();
        assert_eq!(task["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"], json!(subnets));
        assert_eq!(task["Group"], "dn-fleet");
        let family = task["TaskDefinition"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
        let overridden = &task["Overrides"]["ContainerOverrides"][0];
        let definition =
            tasks.of_type("AWS::ECS::TaskDefinition").into_values().find(|one| one["Family"] == *family);
        let container = &definition.unwrap()["ContainerDefinitions"][0];
        assert_eq!(overridden["Name"], container["Name"]);
        // What is overridden is in the definition too: no variable that the program does not know.
        let known = container["Environment"].as_array().unwrap();
        for variable in overridden["Environment"].as_array().unwrap() {
            assert!(known.iter().any(|one| one["Name"] == variable["Name"]), "{variable}");
        }
        started.push(family);
    }
    assert_eq!(started.len(), 2, "{started:?}");

    // Owners at a time, times the calls a second of one, is the rate of the project.
    for concurrency in ["1", "2", "5", "10"] {
        let mut given = given.clone();
        given.insert("Concurrency".to_owned(), concurrency.to_owned());
        let machine = self::machine(&Template::read_with("fleet.yaml", &given));
        let owners = &machine["States"]["Owners"];
        let rate: u64 = owners["ItemSelector"]["rate"].as_str().unwrap().parse().unwrap();
        assert_eq!(owners["MaxConcurrency"].as_u64().unwrap() * rate, 10);
    }
}

/// The machine with a queue in ECS's place, and without its waiting.
fn with_queue(mut machine: Value, queue: &str) -> Value {
    for state in child_states(&mut machine).values_mut() {
        if state["Resource"] == ECS {
            let task = state["Parameters"].take();
            state["Resource"] = json!("arn:aws:states:::sqs:sendMessage.waitForTaskToken");
            state["Parameters"] =
                json!({"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token", "task": task}});
        }
        if state["Type"] == "Wait" {
            state["Seconds"] = json!(0);
        }
    }
    // What AWS writes as JSON by itself has to be made a text there.
    let kept = machine["States"]["KeepSummary"]["Parameters"].as_object_mut().unwrap();
    assert_eq!(
        kept.insert("Body.$".to_owned(), json!("States.JsonToString($.summary)")),
        Some(json!("$.summary"))
    );
    // A share is read there with its point alone.
    let tolerated = &mut machine["States"]["Owners"]["ToleratedFailurePercentage"];
    *tolerated = json!(tolerated.as_f64().unwrap());
    machine
}

/// ECS for the fleet: runs the program of a container with the overrides over the environment of its definition.
struct Cluster {
    environment: BTreeMap<String, String>,
    /// CMS → the ends that its tasks come to before they are really run: an exit code, or none that never came up.
    accidents: BTreeMap<String, Vec<Option<i32>>>,
    /// CMS, program, exit code and rate of every start.
    starts: Vec<(String, String, Option<i32>, String)>,
}

impl Cluster {
    /// Answers to the token as `runTask.sync` answers: good is exit code 0, all else is a failure whose cause is the
    /// task.
    async fn run(&mut self, message: &Value) -> Value {
        let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        let container = &body["task"]["Overrides"]["ContainerOverrides"][0];
        let program = container["Name"].as_str().unwrap();
        let mut environment = self.environment.clone();
        for variable in container["Environment"].as_array().unwrap() {
            let text = |name: &str| variable[name].as_str().unwrap().to_owned();
            environment.insert(text("Name"), text("Value"));
        }
        let cms = environment["STATE_URI"].rsplit_once('/').unwrap().1.to_owned();
        let accidents = self.accidents.entry(cms.clone()).or_default();
        let exit = if accidents.is_empty() {
            let rate = environment.insert("RATE_PER_SECOND".to_owned(), "5000".to_owned()).unwrap();
            let run = dn_tests::run(program, &environment, &["--json"]).await.unwrap();
            self.starts.push((cms, program.to_owned(), run.code, rate));
            run.code
        } else {
            let exit = accidents.remove(0);
            self.starts.push((cms, program.to_owned(), exit, environment["RATE_PER_SECOND"].clone()));
            exit
        };
        let stop_code = if exit.is_some() { "EssentialContainerExited" } else { "TaskFailedToStart" };
        let mut ended =
            json!({"Containers": [{"Name": program, "LastStatus": "STOPPED"}], "StopCode": stop_code});
        if let Some(exit) = exit {
            ended["Containers"][0]["ExitCode"] = json!(exit);
        }
        let token = &body["token"];
        if exit == Some(0) {
            json!(["stepfunctions", "send_task_success", {"taskToken": token, "output": ended.to_string()}])
        } else {
            let failure = json!({"taskToken": token, "error": "TaskStopped", "cause": ended.to_string()});
            json!(["stepfunctions", "send_task_failure", failure])
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_owner_of_the_list_is_gone_through_once_more_after_an_accident_and_summed_up() {
    let template = Template::read("fleet.yaml");
    let (bucket, key) = (&template.parameters["OwnersBucketName"], &template.parameters["OwnersKey"]);
    let moto = Moto::start(&[bucket]).await;
    let rehearsal = Rehearsal::of(assets_to_set("UCaaaaaaaaaaaaaaaaaaaaaa", 20)).await.unwrap();
    let mut environment = rehearsal.environment();
    let report = environment["VIDEO_REPORT_URI"].strip_prefix("s3://").unwrap().to_owned();
    let report = rehearsal.sandbox.dir().join("s3").join(report);
    let claims = dn_tests::root().join("fixtures/claim_report/small.csv");
    let assets = dn_tests::root().join("fixtures/asset_report/small.csv");
    let owner = environment["YOUTUBE_CONTENT_OWNER"].clone();
    moto.put_into(&mut environment);
    environment.insert("EVENT_BUS_NAME".to_owned(), "dn-backend-workflow-bus-dev".to_owned());

    let mut list = "owner,cms,video_report_uri,claim_report_uri,asset_report_uri,state_uri\n".to_owned();
    for cms in ["good", "killed", "never-up", "no-report"] {
        let report = if cms == "no-report" { report.with_extension("gone") } else { report.clone() };
        let (report, claims, assets) = (report.display(), claims.display(), assets.display());
        writeln!(list, "{owner},{cms},{report},{claims},{assets},s3://{bucket}/fleet/{cms}").unwrap();
    }
    let queue = |name: &str| format!("{}/123456789012/{name}", moto.endpoint);
    let bus = "dn-backend-workflow-bus-dev";
    let told = json!({"source": ["dn.maintenance.fleet"], "detail-type": ["Fleet Run Completed"]});
    let definition = with_queue(machine(&template), &queue("ecs")).to_string();
    let role = "arn:aws:iam::123456789012:role/fleet";
    let answers = moto.ask(&[
        json!(["s3", "put_object", {"Bucket": bucket, "Key": key, "Body": list}]),
        json!(["sqs", "create_queue", {"QueueName": "ecs"}]),
        json!(["sqs", "create_queue", {"QueueName": "told"}]),
        json!(["events", "create_event_bus", {"Name": bus}]),
        json!(["events", "put_rule", {"Name": "told", "EventBusName": bus, "EventPattern": told.to_string()}]),
        json!(["events", "put_targets", {"Rule": "told", "EventBusName": bus,
            "Targets": [{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:told"}]}]),
        json!(["stepfunctions", "create_state_machine", {"name": "fleet", "definition": definition, "roleArn": role}]),
    ]).await;
    let start = json!({"stateMachineArn": answers[6]["stateMachineArn"], "name": "a-week"});
    let execution = moto.ask_one("stepfunctions", "start_execution", start).await["executionArn"].clone();

    let mut cluster = Cluster {
        environment,
        accidents: [("killed".to_owned(), vec![Some(137)]), ("never-up".to_owned(), vec![None])].into(),
        starts: Vec::new(),
    };
    let deadline = Instant::now() + Duration::from_mins(3);
    let mut calls = Vec::new();
    let ended = loop {
        assert!(Instant::now() < deadline, "the execution never ended: {:?}", cluster.starts);
        calls.push(json!(["sqs", "receive_message", {"QueueUrl": queue("ecs"), "MaxNumberOfMessages": 10, "VisibilityTimeout": 600}]));
        calls.push(json!(["stepfunctions", "describe_execution", {"executionArn": execution}]));
        let mut answers = moto.ask(&std::mem::take(&mut calls)).await;
        let described = answers.pop().unwrap();
        if described["status"] != "RUNNING" {
            break described;
        }
        for message in answers.pop().unwrap()["Messages"].as_array().into_iter().flatten() {
            calls.push(cluster.run(message).await);
        }
    };

    // One owner's report is not there, so the whole says that somebody has to look, and where.
    let summary_uri = format!("s3://{bucket}/fleet/summaries/a-week.json");
    assert_eq!((&ended["status"], &ended["error"]), (&json!("FAILED"), &json!("OwnersFailed")), "{ended}");
    assert_eq!(ended["cause"], json!(summary_uri));
    let exits = |cms: &str, program: &str| -> Vec<Option<i32>> {
        let of_it = cluster.starts.iter().filter(|(one, other, _, _)| one == cms && other == program);
        of_it.map(|(_, _, exit, _)| *exit).collect()
    };
    assert_eq!(exits("good", "cms-customid-cleanup"), [Some(0)]);
    assert_eq!(exits("killed", "cms-customid-cleanup"), [Some(137), Some(0)]);
    assert_eq!(exits("never-up", "cms-customid-cleanup"), [None, Some(0)]);
    assert_eq!(exits("no-report", "cms-customid-cleanup"), [Some(4)], "4 does not pass");
    assert!(cluster.starts.iter().all(|(.., rate)| rate == "2"), "{:?}", cluster.starts);
    assert!(rehearsal.sandbox.score().unwrap().is_perfect());

    let object = json!({"Bucket": bucket, "Key": "fleet/summaries/a-week.json"});
    let summary = moto.ask_one("s3", "get_object", object).await["Body"].as_str().unwrap().to_owned();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let counts = json!([summary["endedCount"], summary["goodCount"], summary["badCount"]]);
    assert_eq!(counts, json!([4, 3, 1]), "{summary}");
    let owners = |what: &str| summary[what].as_array().unwrap().clone();
    for owner in owners("good").into_iter().chain(owners("bad")) {
        let cms = owner["cms"].as_str().unwrap();
        assert_eq!(owner["cleanup"], json!(exits(cms, "cms-customid-cleanup").last().unwrap()));
        assert_eq!(owner["claims"], json!(exits(cms, "claims-report").last().unwrap()));
    }
    assert_eq!(owners("bad")[0]["cms"], "no-report");
    let received = json!({"QueueUrl": queue("told"), "MaxNumberOfMessages": 10});
    let messages = moto.ask_one("sqs", "receive_message", received).await["Messages"].clone();
    assert_eq!(messages.as_array().unwrap().len(), 1);
    let event: Value = serde_json::from_str(messages[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&event["detail"]["badCount"], &event["detail"]["summaryUri"]),
        (&json!(1), &json!(summary_uri))
    );
    // Each owner has a state folder of its own.
    let listed = json!({"Bucket": bucket, "Prefix": "fleet/killed/cms-customid-cleanup/"});
    assert!(moto.ask_one("s3", "list_objects_v2", listed).await["KeyCount"].as_u64().unwrap() > 3);
}
