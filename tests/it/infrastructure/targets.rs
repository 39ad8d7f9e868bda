//! What rules start and tell: nothing is lost on the way, and what is handed over is what the programs take.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Command, CommandFactory as _};
use serde_json::{Value, json};

use super::template::{Template, known_environment, many, names};

/// Every target of every rule: template, rule's logical name, rule, target.
fn targets(templates: &[Template]) -> Vec<(&Template, &str, &Value, &Value)> {
    let mut all = Vec::new();
    for template in templates {
        for (logical, rule) in template.of_type("AWS::Events::Rule") {
            for target in rule["Targets"].as_array().unwrap() {
                all.push((template, logical, rule, target));
            }
        }
    }
    assert!(all.len() > 10, "the rules were not found");
    all
}

/// Family of a task definition → its one container.
fn containers() -> BTreeMap<String, String> {
    let template = Template::read("tasks.yaml");
    let definitions = template.of_type("AWS::ECS::TaskDefinition").into_values();
    definitions
        .map(|definition| {
            let name = definition["ContainerDefinitions"][0]["Name"].as_str().unwrap();
            (definition["Family"].as_str().unwrap().to_owned(), name.to_owned())
        })
        .collect()
}

fn family(target: &Value) -> Option<String> {
    let arn = target["EcsParameters"]["TaskDefinitionArn"].as_str()?;
    Some(arn.split_once(":task-definition/").unwrap().1.to_owned())
}

#[test]
fn what_cannot_be_delivered_is_tried_for_a_day_and_then_kept_where_its_rule_may_leave_it() {
    let templates = Template::all();
    for (template, logical, _, target) in targets(&templates) {
        assert_eq!(target["RetryPolicy"]["MaximumEventAgeInSeconds"], 86_400, "{logical}");
        assert_eq!(target["RetryPolicy"]["MaximumRetryAttempts"], 185, "{logical}");
        let letters = target["DeadLetterConfig"]["Arn"]["!GetAtt"].as_str().unwrap();
        let queue = letters.strip_suffix(".Arn").unwrap();
        let queues = template.of_type("AWS::SQS::Queue");
        assert_eq!(queues[queue]["MessageRetentionPeriod"], 1_209_600, "{queue}");
        assert_eq!(template.resource(queue)["DeletionPolicy"], "Retain", "{queue}");
        let source = json!({"!GetAtt": format!("{logical}.Arn")});
        let policies = template.of_type("AWS::SQS::QueuePolicy");
        let let_in = policies
            .values()
            .filter(|policy| policy["Queues"].as_array().unwrap().contains(&json!({"!Ref": queue})))
            .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap())
            .any(|statement| {
                statement["Effect"] == "Allow"
                    && statement["Principal"] == json!({"Service": "events.amazonaws.com"})
                    && statement["Action"] == "sqs:SendMessage"
                    && statement["Resource"] == json!({"!GetAtt": letters})
                    && many(&statement["Condition"]["ArnEquals"]["aws:SourceArn"]).contains(&&source)
            });
        assert!(let_in, "{queue} does not let {logical} leave its events");
    }
}

#[test]
fn every_topic_lets_in_the_rules_that_publish_to_it_and_no_others() {
    let templates = Template::all();
    // Topic → the rules that its policy names, all as ARNs.
    let mut let_in: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut publishing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let rule_arn = |template: &Template, logical: &str| {
        let rule = template.of_type("AWS::Events::Rule")[logical];
        let bus = rule.get("EventBusName").map_or(String::new(), |bus| {
            let bus = bus.as_str().unwrap_or(&template.parameters["EventBusName"]);
            format!("{bus}/")
        });
        format!("arn:aws:events:us-east-1:123456789012:rule/{bus}{}", rule["Name"].as_str().unwrap())
    };
    let topic_name = |template: &Template, arn: &Value| match arn["!Ref"].as_str() {
        Some(topic) => template.of_type("AWS::SNS::Topic")[topic]["TopicName"].as_str().unwrap().to_owned(),
        None => arn.as_str().unwrap().rsplit(':').next().unwrap().to_owned(),
    };
    for template in &templates {
        for policy in template.of_type("AWS::SNS::TopicPolicy").into_values() {
            for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
                if statement["Principal"] != json!({"Service": "events.amazonaws.com"}) {
                    continue;
                }
                let sources = many(&statement["Condition"]["ArnEquals"]["aws:SourceArn"]).into_iter();
                let sources = sources.map(|source| match source["!GetAtt"].as_str() {
                    Some(att) => rule_arn(template, att.strip_suffix(".Arn").unwrap()),
                    None => source.as_str().unwrap().to_owned(),
                });
                let_in.entry(topic_name(template, &statement["Resource"])).or_default().extend(sources);
            }
        }
    }
    for (template, logical, _, target) in targets(&templates) {
        let is_topic = target["Arn"]["!Ref"].is_string()
            || target["Arn"].as_str().is_some_and(|arn| arn.contains(":sns:"));
        if is_topic {
            let topic = topic_name(template, &target["Arn"]);
            publishing.entry(topic).or_default().insert(rule_arn(template, logical));
        }
    }
    assert_eq!(publishing.len(), 2, "{publishing:?}");
    assert_eq!(let_in, publishing);
}

#[test]
fn overrides_name_the_container_of_the_task_that_is_started_and_commands_that_it_has() {
    let templates = Template::all();
    let containers = containers();
    let programs: BTreeMap<&str, Command> = [
        ("channelbackfill", channelbackfill::Args::command()),
        ("cms-customid-cleanup", cms_customid_cleanup::Args::command()),
        ("claims-report", claims_report::Args::command()),
    ]
    .into();
    let mut overridden = 0;
    for (_, logical, _, target) in targets(&templates) {
        let Some(family) = family(target) else { continue };
        let container = containers.get(&family).unwrap_or_else(|| panic!("{logical} starts {family}"));
        let written = target.get("Input").or_else(|| target["InputTransformer"].get("InputTemplate"));
        let Some(written) = written else { continue };
        let written = written.as_str().unwrap();
        assert!(written.len() <= 8192, "{logical}: {} characters", written.len());
        let input: Value = serde_json::from_str(written).unwrap();
        for one in input["containerOverrides"].as_array().unwrap() {
            assert_eq!(one["name"], **container, "{logical}");
            for command in one["command"].as_array().into_iter().flatten() {
                let command = command.as_str().unwrap();
                let has = programs[container.as_str()].find_subcommand(command).is_some();
                assert!(has, "{logical}: {container} has no {command}");
            }
            overridden += 1;
        }
    }
    assert_eq!(overridden, 2, "the trigger of the cleanup and the command of the disputes");
}

#[test]
fn the_container_of_a_task_is_named_as_its_program() {
    let containers: BTreeSet<String> = containers().into_values().collect();
    let programs = ["channelbackfill", "claims-report", "cms-customid-cleanup"].map(str::to_owned);
    assert_eq!(containers, BTreeSet::from(programs));
}

#[test]
fn one_name_means_one_thing_in_all_templates_and_everything_without_a_default_is_given() {
    // What changes with every deployment.
    let each_time = BTreeSet::from(["ImageTag"]);
    let given = known_environment();
    let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for template in Template::all() {
        for (parameter, default) in &template.defaults {
            let (elsewhere, there) =
                seen.entry(parameter.clone()).or_insert_with(|| (template.name.clone(), default.clone()));
            assert_eq!(default, there, "{parameter} in {} and in {elsewhere}", template.name);
        }
        for parameter in template.parameters.keys().filter(|name| !name.starts_with("AWS::")) {
            let has = template.defaults.contains_key(parameter)
                || given.contains_key(parameter)
                || each_time.contains(parameter.as_str());
            assert!(has, "{} needs {parameter}", template.name);
            known.insert(parameter.clone());
        }
    }
    let unknown: Vec<&String> = given.keys().filter(|name| !known.contains(*name)).collect();
    assert!(unknown.is_empty(), "no template has {unknown:?}");
    assert!(names().len() >= 6);
}

#[test]
fn the_schedules_are_those_of_the_known_environment() {
    let template = Template::read("schedules.yaml");
    let weekly = template.rule("dn-claims-report").1;
    assert_eq!(
        (&weekly["ScheduleExpression"], &weekly["State"]),
        (&json!("rate(7 days)"), &json!("ENABLED"))
    );
    let daily = template.rule("dn-channelbackfill-daily-dev").1;
    assert_eq!(daily["ScheduleExpression"], "cron(0 6 * * ? *)");
    assert_eq!(family(&daily["Targets"][0]).unwrap(), "channelbackfill-task");
}
