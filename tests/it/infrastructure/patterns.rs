//! The patterns of the rules, asked with the events that come and with those that almost do.

use std::collections::BTreeSet;

use quamina::Quamina;
use rstest::rstest;
use serde_json::{Value, json};

use super::template::{Template, known_environment};
use crate::documents::event_example;

/// Each `$or` taken apart into patterns without one, which is what it says.
fn without_or(pattern: &Value) -> Vec<Value> {
    let mut plain = pattern.clone();
    let detail = plain.get_mut("detail").and_then(Value::as_object_mut);
    let Some(alternatives) = detail.and_then(|detail| detail.remove("$or")) else { return vec![plain] };
    let alternatives = alternatives.as_array().unwrap().iter();
    alternatives
        .map(|alternative| {
            let mut one = plain.clone();
            let detail = one["detail"].as_object_mut().unwrap();
            for (field, wanted) in alternative.as_object().unwrap() {
                assert!(detail.insert(field.clone(), wanted.clone()).is_none(), "{field} stands twice");
            }
            one
        })
        .collect()
}

/// The rules of a template that an event matches, by their logical names.
fn matching(template: &str, event: &Value) -> Vec<String> {
    let template = Template::read(template);
    let mut patterns = Quamina::new();
    for (logical, rule) in template.of_type("AWS::Events::Rule") {
        if let Some(pattern) = rule.get("EventPattern") {
            for one in without_or(pattern) {
                patterns.add_pattern(logical.to_owned(), &one.to_string()).unwrap();
            }
        }
    }
    let found = patterns.matches_for_event(event.to_string().as_bytes()).unwrap();
    found.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// A task's end as ECS tells it on the default bus.
fn stopped(family: &str, group: &str, started_by: &str, stop_code: &str, exit: Option<u8>) -> Value {
    let cluster = known_environment()["ClusterName"].clone();
    let arn = |rest: String| format!("arn:aws:ecs:us-east-1:123456789012:{rest}");
    let container = match family {
        "channelbackfill-task" => "channelbackfill",
        "cmscustomidcleanup-task" => "cms-customid-cleanup",
        _ => "claims-report",
    };
    let mut event = json!({
        "version": "0", "id": "8f07966c-b005-4a0f-9ee9-63d2c41448b3",
        "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "123456789012",
        "time": "2026-11-25T06:14:02Z", "region": "us-east-1",
        "resources": [arn(format!("task/{cluster}/20ceeb77c5af4b4ca7cbca4d4a4fc1b6"))],
        "detail": {
            "attachments": [{"id": "1", "type": "eni", "status": "DELETED", "details": [{"name": "subnetId", "value": "subnet-abcd1234"}]}],
            "clusterArn": arn(format!("cluster/{cluster}")),
            "taskArn": arn(format!("task/{cluster}/20ceeb77c5af4b4ca7cbca4d4a4fc1b6")),
            "taskDefinitionArn": arn(format!("task-definition/{family}:7")),
            "containers": [{"name": container, "lastStatus": "STOPPED", "networkInterfaces": [], "runtimeId": "1"}],
            "desiredStatus": "STOPPED", "lastStatus": "STOPPED", "launchType": "FARGATE", "version": 6,
            "group": group, "startedBy": started_by, "stopCode": stop_code,
            "stoppedReason": "Essential container in task exited", "cpu": "256", "memory": "512",
            "overrides": {"containerOverrides": [{"name": container, "environment": [{"name": "TRIGGER_STATUS", "value": "success"}]}]},
        },
    });
    if let Some(exit) = exit {
        event["detail"]["containers"][0]["exitCode"] = json!(exit);
    }
    event
}

const BY_RULE: (&str, &str) = ("dn-maintenance", "events-rule/channelbackfill-success-");
const AGAIN: (&str, &str) = ("dn-maintenance-rerun", "events-rule/dn-rerun-cleanup-dev");
const BY_HAND: (&str, &str) = ("family:cmscustomidcleanup-task", "");

#[rstest]
// Good ends and those that somebody reads by day.
#[case(0, "", "")]
#[case(3, "", "")]
#[case(8, "", "")]
#[case(10, "", "")]
// Another run does it; but not what the killed run before left locked.
#[case(11, "", "locked")]
// What may pass is tried once more, and alerts when it did not.
#[case(1, "rerun", "alert")]
#[case(5, "rerun", "alert")]
#[case(137, "rerun", "alert")]
// What does not pass alerts at once.
#[case(2, "alert", "alert")]
#[case(4, "alert", "alert")]
#[case(6, "alert", "alert")]
#[case(7, "alert", "alert")]
#[case(143, "alert", "alert")]
#[case(139, "alert", "alert")]
fn a_task_is_started_once_more_or_alerts_or_neither(
    #[case] exit: u8,
    #[case] first: &str,
    #[case] again: &str,
) {
    let rules = |(group, by): (&str, &str)| {
        matching(
            "schedules.yaml",
            &stopped("cmscustomidcleanup-task", group, by, "EssentialContainerExited", Some(exit)),
        )
    };
    let expected = |what: &str| match what {
        "rerun" => vec!["CleanupRerun".to_owned()],
        "alert" | "locked" => vec!["TaskAlertRule".to_owned()],
        _ => vec![],
    };
    assert_eq!(rules(BY_RULE), expected(first), "the first start");
    assert_eq!(rules(AGAIN), expected(again), "the second start");
    let by_hand = if again == "locked" { first } else { again };
    assert_eq!(rules(BY_HAND), expected(by_hand), "by hand nobody starts it but the hand");
}

#[rstest]
#[case("channelbackfill-task", "BackfillRerun")]
#[case("cmscustomidcleanup-task", "CleanupRerun")]
#[case("dn-task-claims-report-process", "ClaimsRerun")]
fn a_task_that_never_started_is_started_once_more_and_then_alerts(#[case] family: &str, #[case] rule: &str) {
    let never =
        |(group, by)| matching("schedules.yaml", &stopped(family, group, by, "TaskFailedToStart", None));
    assert_eq!(never(BY_RULE), [rule]);
    assert_eq!(never(AGAIN), ["TaskAlertRule"]);
}

#[test]
fn what_was_stopped_by_somebody_or_is_not_ours_starts_nothing() {
    let stopped_by_hand = stopped("channelbackfill-task", BY_RULE.0, BY_RULE.1, "UserInitiated", Some(137));
    assert_eq!(matching("schedules.yaml", &stopped_by_hand), Vec::<String>::new());
    // A host that is retired kills what did not end in time.
    let retired = stopped("channelbackfill-task", BY_RULE.0, BY_RULE.1, "TerminationNotice", Some(137));
    assert_eq!(matching("schedules.yaml", &retired), ["BackfillRerun"]);

    let bad = stopped("channelbackfill-task", BY_RULE.0, BY_RULE.1, "EssentialContainerExited", Some(5));
    assert_eq!(matching("schedules.yaml", &bad), ["BackfillRerun"]);
    let near_misses: [(&str, Value); 5] = [
        ("/detail/lastStatus", json!("RUNNING")),
        ("/detail/clusterArn", json!("arn:aws:ecs:us-east-1:123456789012:cluster/another")),
        (
            "/detail/taskDefinitionArn",
            json!("arn:aws:ecs:us-east-1:123456789012:task-definition/channelbackfill-task-old:7"),
        ),
        ("/source", json!("dn.made.up")),
        ("/detail-type", json!("ECS Container Instance State Change")),
    ];
    for (field, value) in near_misses {
        let mut event = bad.clone();
        *event.pointer_mut(field).unwrap() = value;
        assert_eq!(matching("schedules.yaml", &event), Vec::<String>::new(), "{field}");
    }
}

/// Two guards, each of which alone keeps a second start from a third.
#[test]
fn a_second_start_cannot_start_another() {
    let template = Template::read("schedules.yaml");
    let reruns = ["BackfillRerun", "CleanupRerun", "ClaimsRerun"];
    let rules = template.of_type("AWS::Events::Rule");
    for logical in reruns {
        let rule = rules[logical];
        let started = format!("events-rule/{}", rule["Name"].as_str().unwrap());
        assert!(started.len() <= 36, "ECS cuts {started}");
        let group = rule["Targets"][0]["EcsParameters"]["Group"].as_str().unwrap();
        for other in reruns {
            let detail = &rules[other]["EventPattern"]["detail"];
            assert!(
                !detail["group"].as_array().unwrap().contains(&json!(group)),
                "{other} starts from {logical}"
            );
            let but = detail["startedBy"][0]["anything-but"].as_array().unwrap();
            assert!(but.contains(&json!(started)), "{other} starts from {logical}");
        }
        // The group alone, and who started it alone.
        for (group, by) in [(group, "events-rule/anything"), ("dn-maintenance", started.as_str())] {
            let family = rule["Targets"][0]["EcsParameters"]["TaskDefinitionArn"].as_str().unwrap();
            let family = family.rsplit_once('/').unwrap().1;
            let event = stopped(family, group, by, "EssentialContainerExited", Some(5));
            let found = matching("schedules.yaml", &event);
            assert!(!found.iter().any(|rule| reruns.contains(&rule.as_str())), "{logical}: {found:?}");
        }
    }
    // Everything else that a rule starts is of the group that is started from.
    for name in ["schedules.yaml", "workflow.yaml"] {
        let template = Template::read(name);
        for (logical, rule) in template.of_type("AWS::Events::Rule") {
            let group = &rule["Targets"][0]["EcsParameters"]["Group"];
            let is_rerun = reruns.contains(&logical);
            assert!(is_rerun || group.is_null() || group == "dn-maintenance", "{logical}: {group}");
        }
    }
}

#[test]
fn a_second_start_gets_what_the_first_was_given() {
    let template = Template::read("schedules.yaml");
    for logical in ["BackfillRerun", "CleanupRerun", "ClaimsRerun"] {
        let target = &template.of_type("AWS::Events::Rule")[logical]["Targets"][0];
        let path = target["InputPath"].as_str().unwrap().replacen('$', "", 1).replace('.', "/");
        let event =
            stopped("cmscustomidcleanup-task", BY_RULE.0, BY_RULE.1, "EssentialContainerExited", Some(5));
        let handed = event.pointer(&path).unwrap();
        assert_eq!(handed["containerOverrides"][0]["environment"][0]["value"], "success");
    }
}

/// An end of a task on our bus, its detail changed a little.
fn end(kind: &str, change: &[(&str, Value)]) -> Value {
    let mut event = event_example(kind);
    for (field, value) in change {
        event["detail"][*field] = value.clone();
    }
    event
}

fn finding(severity: &str) -> Value {
    end("Claims Alert Raised", &[("severity", json!(severity))])
}

#[test]
fn failures_deferrals_and_findings_on_the_bus_reach_whom_they_are_for() {
    let rules = |event: &Value| matching("alerts.yaml", event);
    for kind in ["CMS Custom ID Cleanup Failed", "Claims Report Failed"] {
        for exit in [2, 4, 6, 7, 143] {
            assert_eq!(rules(&end(kind, &[("exitCode", json!(exit))])), ["TaskFailureRule"], "{kind} {exit}");
        }
        for exit in [1, 5] {
            assert!(
                rules(&end(kind, &[("exitCode", json!(exit))])).is_empty(),
                "{kind} {exit} is tried again"
            );
        }
    }
    assert_eq!(rules(&event_example("CMS Custom ID Cleanup Deferred")), ["DeferredRule"]);
    let deferred = end("Claims Report Failed", &[("status", json!("deferred")), ("exitCode", json!(8))]);
    assert_eq!(rules(&deferred), ["DeferredRule"]);
    assert_eq!(rules(&event_example("Claims Report Completed")), ["ClaimsHeartbeatRule"]);
    for severity in ["critical", "high"] {
        assert_eq!(rules(&finding(severity)), ["ClaimsAlertRule"], "{severity}");
    }
    assert!(rules(&finding("info")).is_empty());
    for kind in ["Channel Backfill Completed", "Channel Backfill Failed", "CMS Custom ID Cleanup Completed"] {
        assert!(rules(&event_example(kind)).is_empty(), "{kind}");
    }
    let mut foreign = event_example("CMS Custom ID Cleanup Failed");
    foreign["source"] = json!("dn.backend.other");
    assert!(rules(&foreign).is_empty());
}

#[test]
fn every_field_that_a_text_names_is_in_the_event_and_every_text_is_a_sentence_for_people() {
    let samples = [
        ("alerts.yaml", "TaskFailureRule", event_example("CMS Custom ID Cleanup Failed")),
        ("alerts.yaml", "TaskFailureRule", event_example("Claims Report Failed")),
        ("alerts.yaml", "DeferredRule", event_example("CMS Custom ID Cleanup Deferred")),
        ("alerts.yaml", "ClaimsAlertRule", finding("high")),
        (
            "schedules.yaml",
            "TaskAlertRule",
            stopped("channelbackfill-task", AGAIN.0, AGAIN.1, "EssentialContainerExited", Some(4)),
        ),
    ];
    for (template, rule, event) in samples {
        let template = Template::read(template);
        let transformer = &template.of_type("AWS::Events::Rule")[rule]["Targets"][0]["InputTransformer"];
        let mut text = transformer["InputTemplate"].as_str().unwrap().to_owned();
        for (name, path) in transformer["InputPathsMap"].as_object().unwrap() {
            let path = path.as_str().unwrap();
            let pointer = path.replacen('$', "", 1).replace(['.', '['], "/").replace(']', "");
            let found = event.pointer(&pointer).cloned();
            // The bus sets the time.
            let found = found.or_else(|| (path == "$.time").then(|| json!("2026-11-25T06:14:02Z")));
            let value = found.unwrap_or_else(|| panic!("{rule}: {path} leads nowhere in {event}"));
            assert!(text.contains(&format!("<{name}>")), "{rule} does not use {name}");
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text = text.replace(&format!("<{name}>"), &value.replace('"', "\\\""));
        }
        let text: String =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{rule}: {error}: {text}"));
        assert!(!text.contains(['<', '>', '{']) && text.len() > 60, "{rule}: {text}");
    }
}
