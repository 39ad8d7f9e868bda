//! The alarms and the dashboard, held to what the programs measure and to the runbook.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Value, json};

use super::template::{Template, many};
use crate::documents::{anchors, document, sources};

/// The metrics that each task's code writes.
fn measured() -> BTreeMap<&'static str, BTreeSet<String>> {
    let emitted = document("crates/core/src/task/metrics.rs");
    let common = Regex::new(r#"writer\.value\("([A-Z]\w+)""#).unwrap();
    let common: BTreeSet<String> = common.captures_iter(&emitted).map(|found| found[1].to_owned()).collect();
    // The dimension is none of them.
    let common: BTreeSet<String> = common.into_iter().filter(|name| name != "Task").collect();
    assert!(common.contains("ExitCode"), "{common:?}");
    let own = Regex::new(r#"\("([A-Z]\w+)", "#).unwrap();
    let tasks = ["channelbackfill", "cms-customid-cleanup", "claims-report"];
    tasks
        .map(|task| {
            let mut names = common.clone();
            let folder = format!("/crates/{task}/src/");
            for (_, text) in
                sources().into_iter().filter(|(path, _)| path.to_string_lossy().contains(&folder))
            {
                if let Some((_, counts)) = text.split_once("fn metric_counts(") {
                    let counts = counts.split("\n}").next().unwrap();
                    names.extend(own.captures_iter(counts).map(|found| found[1].to_owned()));
                }
            }
            assert!(names.len() > common.len(), "{task} measures nothing of its own");
            (task, names)
        })
        .into()
}

fn alarms(template: &Template) -> BTreeMap<&str, &Value> {
    let alarms = template.of_type("AWS::CloudWatch::Alarm");
    assert!(alarms.len() > 15, "the alarms were not found");
    alarms
}

/// Namespace, name and dimensions of each metric that an alarm looks at.
fn metrics(alarm: &Value) -> Vec<(&str, &str, BTreeMap<&str, &str>)> {
    let single = std::iter::once(alarm).filter(|alarm| alarm.get("MetricName").is_some());
    let several = alarm["Metrics"].as_array().into_iter().flatten();
    let several = several.filter_map(|metric| metric["MetricStat"].get("Metric"));
    single
        .chain(several)
        .map(|metric| {
            let dimensions = metric["Dimensions"].as_array().unwrap().iter();
            let dimensions =
                dimensions.map(|one| (one["Name"].as_str().unwrap(), one["Value"].as_str().unwrap()));
            (
                metric["Namespace"].as_str().unwrap(),
                metric["MetricName"].as_str().unwrap(),
                dimensions.collect(),
            )
        })
        .collect()
}

#[test]
fn every_alarm_tells_somebody_and_leads_to_its_section_of_the_runbook() {
    let template = Template::read("monitoring.yaml");
    let workflow = Template::read("workflow.yaml");
    let topic = workflow.of_type("AWS::SNS::Topic")["AlertTopic"]["TopicName"].as_str().unwrap();
    let topic = json!([format!("arn:aws:sns:us-east-1:123456789012:{topic}")]);
    let let_in = workflow.of_type("AWS::SNS::TopicPolicy")["AlertTopicPolicy"]["PolicyDocument"]["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .find(|statement| statement["Principal"] == json!({"Service": "cloudwatch.amazonaws.com"}))
        .map(|statement| statement["Condition"]["ArnLike"]["aws:SourceArn"].as_str().unwrap());
    let let_in = let_in.unwrap().strip_suffix('*').unwrap();
    let (anchors, runbook) = (anchors("docs/OPERATIONS.md"), document("docs/OPERATIONS.md"));
    let lead = Regex::new(r"docs/OPERATIONS\.md#(alarm-[a-z-]+)$").unwrap();
    let mut sought = BTreeSet::new();
    for (logical, alarm) in alarms(&template) {
        assert_eq!((&alarm["AlarmActions"], &alarm["OKActions"]), (&topic, &topic), "{logical}");
        let name = alarm["AlarmName"].as_str().unwrap();
        let arn = format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}");
        assert!(arn.starts_with(let_in), "the topic does not let {name} in");
        let description = alarm["AlarmDescription"].as_str().unwrap();
        let anchor = &lead.captures(description).unwrap_or_else(|| panic!("{logical}: {description}"))[1];
        assert!(anchors.contains(anchor), "{logical}: OPERATIONS has no #{anchor}");
        sought.insert(anchor.to_owned());
        let told = name.strip_suffix("-dev").unwrap();
        assert!(runbook.contains(&format!("`{told}`")), "OPERATIONS does not name {told}");
        assert!(alarm["TreatMissingData"].is_string(), "{logical}");
    }
    // Each section has its meaning and three commands, and there is none that no alarm leads to.
    for section in runbook.split("\n### Alarm: ").skip(1) {
        let commands = section.split("```sh\n").nth(1).and_then(|block| block.split("```").next());
        assert_eq!(commands.map(|commands| commands.lines().count()), Some(3), "{section}");
    }
    let sections: BTreeSet<String> =
        anchors.into_iter().filter(|anchor| anchor.starts_with("alarm-")).collect();
    assert_eq!(sections, sought);
}

#[test]
fn alarms_and_dashboard_look_at_metrics_that_are_measured_and_at_rules_and_queues_that_are_there() {
    let template = Template::read("monitoring.yaml");
    let measured = measured();
    let namespace = Regex::new(r#"NAMESPACE: &str = "([^"]+)""#).unwrap();
    let namespace = namespace.captures(&document("crates/core/src/task/metrics.rs")).unwrap()[1].to_owned();
    let all = Template::all();
    // Rules with their bus, if it is not the default one; queues.
    let mut rules = BTreeSet::new();
    let mut queues = BTreeSet::new();
    for template in &all {
        for rule in template.of_type("AWS::Events::Rule").into_values() {
            let bus = rule.get("EventBusName").map(|_| template.parameters["EventBusName"].clone());
            rules.insert((bus, rule["Name"].as_str().unwrap().to_owned()));
        }
        for queue in template.of_type("AWS::SQS::Queue").into_values() {
            queues.insert(queue["QueueName"].as_str().unwrap().to_owned());
        }
    }
    let check = |place: &str, (space, name, dimensions): (&str, &str, BTreeMap<&str, &str>)| match space {
        "AWS/Events" => {
            let rule = (
                dimensions.get("EventBusName").map(|bus| (*bus).to_owned()),
                dimensions["RuleName"].to_owned(),
            );
            assert!(rules.contains(&rule), "{place}: {rule:?}");
        }
        "AWS/SQS" => assert!(queues.contains(dimensions["QueueName"]), "{place}: {dimensions:?}"),
        "ECS/ContainerInsights" => assert!(dimensions.contains_key("TaskDefinitionFamily"), "{place}"),
        own => {
            assert_eq!(own, namespace, "{place}");
            let task = dimensions["Task"];
            assert!(measured[task].contains(name), "{place}: {task} does not measure {name}");
        }
    };
    // What an alarm looks at of rules and queues.
    let mut watched = BTreeSet::new();
    for (logical, alarm) in alarms(&template) {
        let metrics = metrics(alarm);
        assert!(!metrics.is_empty() && metrics.len() <= 10, "{logical}");
        for metric in metrics {
            if matches!(metric.1, "FailedInvocations" | "ApproximateNumberOfMessagesVisible") {
                watched
                    .extend(["RuleName", "QueueName"].iter().filter_map(|name| metric.2.get(name).copied()));
            }
            check(logical, metric);
        }
    }
    for name in rules.iter().map(|(_, name)| name).chain(&queues) {
        assert!(watched.contains(name.as_str()), "no alarm looks at {name}");
    }
    let body = template.of_type("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let mut shown: BTreeSet<String> = BTreeSet::new();
    for widget in body["widgets"].as_array().unwrap() {
        for metric in widget["properties"]["metrics"].as_array().into_iter().flatten() {
            let parts: Vec<&str> = many(metric).into_iter().map(|part| part.as_str().unwrap()).collect();
            let dimensions = parts[2..].chunks(2).map(|pair| (pair[0], pair[1])).collect();
            check(widget["properties"]["title"].as_str().unwrap(), (parts[0], parts[1], dimensions));
            shown.insert(format!("{} {}", parts[0], parts[1]));
        }
    }
    // What is measured is shown.
    for name in measured.values().flatten() {
        assert!(shown.contains(&format!("{namespace} {name}")), "{name} is on no widget");
    }
}

/// An alarm looks back over seven days at the most.
#[test]
fn no_alarm_looks_back_further_than_cloudwatch_does() {
    let template = Template::read("monitoring.yaml");
    for (logical, alarm) in alarms(&template) {
        let periods = alarm["EvaluationPeriods"].as_u64().unwrap();
        let inner = alarm["Metrics"].as_array().into_iter().flatten();
        let inner = inner.filter_map(|metric| metric["MetricStat"]["Period"].as_u64()).max();
        let period = alarm["Period"].as_u64().or(inner).unwrap();
        let limit = if period >= 3600 { 604_800 } else { 86_400 };
        assert!(periods * period <= limit, "{logical}: {periods} times {period} s");
    }
    // What is asked over eight days is asked of a queue that keeps its messages for so long.
    let alerts = Template::read("alerts.yaml");
    assert_eq!(alerts.of_type("AWS::SQS::Queue")["ClaimsHeartbeat"]["MessageRetentionPeriod"], 8 * 86_400);
}

#[test]
fn the_saved_queries_filter_on_messages_and_fields_that_are_logged() {
    let template = Template::read("monitoring.yaml");
    let code: String = sources().into_iter().map(|(_, text)| text).collect();
    let message = Regex::new(r#"message = "([^"]+)""#).unwrap();
    let queries = template.of_type("AWS::Logs::QueryDefinition");
    assert!(queries.len() >= 4);
    let mut seen = 0;
    for (logical, query) in queries {
        let text = query["QueryString"].as_str().unwrap();
        for found in message.captures_iter(text) {
            assert!(code.contains(&format!("\"{}\"", &found[1])), "{logical}: nobody logs {:?}", &found[1]);
            seen += 1;
        }
    }
    assert!(seen >= 3);
}
