//! The templates and the data API's schema, held to what the programs send and read.

mod alarms;
mod deployed;
mod fleet;
mod images;
mod patterns;
mod roles;
mod runbook;
mod targets;
mod tasks;
mod template;

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use dn_core::graphql::documents;
use dn_tests::root;
use quamina::Quamina;
use regex::Regex;
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

use crate::documents::event_example;
use crate::graphql_check::Sdl;
use crate::python::{bare, environment};

pub(crate) use template::Template;

const SUCCESS_RULE: &str = "channelbackfill-success-trigger-dev";
const FAILURE_RULE: &str = "channelbackfill-failure-alert-dev";

#[test]
fn the_bus_and_its_rules_have_the_names_of_the_known_environment() {
    let template = Template::read("workflow.yaml");
    let buses = template.of_type("AWS::Events::EventBus");
    let names: Vec<&Value> = buses.values().map(|bus| &bus["Name"]).collect();
    assert_eq!(names, ["dn-backend-workflow-bus-dev"]);
    let default_of_the_tasks = channelbackfill::Args::command()
        .get_arguments()
        .find(|argument| argument.get_id() == "event_bus")
        .map(|argument| argument.get_default_values().to_vec());
    assert_eq!(default_of_the_tasks.unwrap(), ["dn-backend-workflow-bus-dev"]);
    for rule in [SUCCESS_RULE, FAILURE_RULE] {
        let (_, rule) = template.rule(rule);
        assert_eq!(rule["State"], "ENABLED");
        assert_eq!(rule["EventBusName"], json!({"!GetAtt": "WorkflowBus.Name"}));
        assert!(buses.contains_key("WorkflowBus"));
    }
}

/// Which of the two rules an event matches, by the engine that EventBridge's own patterns are described by.
fn matching_rules(event: &Value) -> BTreeSet<&'static str> {
    let template = Template::read("workflow.yaml");
    let mut patterns = Quamina::new();
    for rule in [SUCCESS_RULE, FAILURE_RULE] {
        patterns.add_pattern(rule, &template.rule(rule).1["EventPattern"].to_string()).unwrap();
    }
    patterns.matches_for_event(event.to_string().as_bytes()).unwrap().into_iter().collect()
}

#[test]
fn a_success_starts_the_cleanup_and_a_failed_or_partial_backfill_alerts() {
    let success = event_example("Channel Backfill Completed");
    let failed = event_example("Channel Backfill Failed");
    let mut partial = success.clone();
    partial["detail"]["status"] = json!("partial");
    assert_eq!(matching_rules(&success), BTreeSet::from([SUCCESS_RULE]));
    assert_eq!(matching_rules(&failed), BTreeSet::from([FAILURE_RULE]));
    assert_eq!(matching_rules(&partial), BTreeSet::from([FAILURE_RULE]));

    let mut foreign = success.clone();
    foreign["source"] = json!("dn.backend.other");
    assert!(matching_rules(&foreign).is_empty(), "another program's event is nobody's");
    for kind in ["Completed", "Failed", "Deferred"] {
        let end = event_example(&format!("CMS Custom ID Cleanup {kind}"));
        assert!(matching_rules(&end).is_empty(), "the cleanup's own end must not start it again: {kind}");
    }
}

#[test]
fn the_transformer_hands_over_exactly_the_trigger_that_the_cleanup_reads() {
    let template = Template::read("workflow.yaml");
    let target = &template.rule(SUCCESS_RULE).1["Targets"][0];
    let transformer = &target["InputTransformer"];
    let written = transformer["InputTemplate"].as_str().unwrap();
    let input: Value = serde_json::from_str(written).unwrap();
    let container = &input["containerOverrides"][0];
    assert_eq!(container["name"], "cms-customid-cleanup");

    let set = container["environment"].as_array().unwrap().iter();
    let set: BTreeSet<String> = set.map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    let help = cms_customid_cleanup::Args::command().get_after_help().unwrap().to_string();
    let named = Regex::new(r"\bTRIGGER_[A-Z_]*[A-Z]\b").unwrap();
    let named: BTreeSet<String> = named.find_iter(&help).map(|name| name.as_str().to_owned()).collect();
    assert_eq!(set, named, "what the rule sets, and what the program says it reads");

    let places = Regex::new("<([A-Za-z]+)>").unwrap();
    let used: BTreeSet<&str> =
        places.captures_iter(written).map(|place| place.get(1).unwrap().as_str()).collect();
    let paths = transformer["InputPathsMap"].as_object().unwrap();
    assert_eq!(used, paths.keys().map(String::as_str).collect());
    // Of the event's own fields, each path leads to one that is there; id and time are EventBridge's.
    let event = event_example("Channel Backfill Completed");
    for path in paths.values().map(|path| path.as_str().unwrap()) {
        let pointer = path.replacen('$', "", 1).replace('.', "/");
        let found = event.pointer(&pointer).is_some() || ["$.id", "$.time"].contains(&path);
        assert!(found, "{path} leads nowhere in {event}");
    }
}

/// What belongs to one account or one environment and stands in a template all the same.
fn environment_bound(text: &str) -> Vec<String> {
    let bound = Regex::new(
        r"\b\d{12}\b|\bsubnet-[0-9a-f]{6,}|\bsg-[0-9a-f]{6,}|\bvpc-[0-9a-f]{6,}|amplify-[a-z]+|NetworkStack|\b[a-z]+-[a-z]+-bus-[a-z]+\b",
    );
    let yaml: Yaml = serde_yaml_ng::from_str(text).unwrap();
    let rest: String = ["Mappings", "Conditions", "Resources", "Outputs"]
        .iter()
        .filter_map(|part| yaml.get(part))
        .map(|part| serde_yaml_ng::to_string(part).unwrap())
        .collect();
    bound.unwrap().find_iter(&rest).map(|found| found.as_str().to_owned()).collect()
}

#[test]
fn what_belongs_to_one_environment_stands_in_the_parameters_alone() {
    for name in template::names() {
        let bound = environment_bound(&std::fs::read_to_string(root().join("infra").join(&name)).unwrap());
        assert!(bound.is_empty(), "{name}: {bound:?}");
    }
    // The same values in a resource are found.
    let wrong = "Parameters: {S: {Default: subnet-0614f6234c8532909}}\nResources:\n  A: {Properties: {Arn: 'arn:aws:ecs:us-east-1:867653852961:x', Net: sg-0e95bc87b1582a935}}\n";
    assert_eq!(environment_bound(wrong), ["867653852961", "sg-0e95bc87b1582a935"]);
}

const LINTER: &str = "cfn-lint==1.58.0";

#[test]
fn cloudformations_own_linter_finds_nothing_in_the_templates() {
    let linter = environment("cfn-lint", LINTER).join("cfn-lint");
    let templates = template::names().into_iter().map(|name| root().join("infra").join(name));
    let output = bare(&linter).args(templates).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

    // It does find what is wrong.
    let wrong = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(&wrong, "Resources: {Q: {Type: AWS::SQS::Queue, Properties: {Fast: true}}}\n").unwrap();
    let output = bare(&linter).arg(wrong.path()).output().unwrap();
    assert!(!output.status.success());
}

fn sdl(name: &str) -> String {
    std::fs::read_to_string(root().join("infra/graphql").join(name)).unwrap()
}

#[test]
fn every_graphql_document_fits_the_data_apis_schema() {
    let batch = [true, false];
    let plain = [
        documents::LIST_CHANNELS,
        documents::LIST_CHANNELS_AND_TYPE,
        documents::GET_CHANNEL,
        documents::LIST_VIDEOS,
        &documents::write_channels(&batch, false),
    ];
    let versioned = [
        documents::LIST_CHANNELS_VERSIONED,
        documents::GET_CHANNEL_VERSIONED,
        documents::LIST_VIDEOS_VERSIONED,
        &documents::write_channels(&batch, true),
    ];
    let (without, with) = (Sdl::parse(&sdl("schema.graphql")), Sdl::parse(&sdl("schema-versioned.graphql")));
    for document in plain {
        // An API with versions is first asked as one without.
        assert_eq!(without.problems(document), Vec::<String>::new(), "{document}");
        assert_eq!(with.problems(document), Vec::<String>::new(), "{document}");
    }
    for document in versioned {
        assert_eq!(with.problems(document), Vec::<String>::new(), "{document}");
        assert!(!without.problems(document).is_empty(), "{document}");
    }
}

#[test]
fn the_two_schemas_differ_by_the_versions_alone() {
    let types = |text: &str| -> Vec<String> {
        let own = ["_version", "_deleted", "_lastChangedAt", "startedAt", "scalar AWSTimestamp", "#"];
        let lines = text.lines().filter(|line| !own.iter().any(|own| line.trim().starts_with(own)));
        lines.map(str::to_owned).collect()
    };
    let (plain, versioned) = (sdl("schema.graphql"), sdl("schema-versioned.graphql"));
    assert_eq!(types(&plain), types(&versioned));
    assert!(versioned.matches("_version: Int").count() == 4 && !plain.contains("_version"));
}
