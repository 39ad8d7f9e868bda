//! The templates and the data API's schema, held to what the programs send and read.

use std::collections::{BTreeMap, BTreeSet};

use clap::CommandFactory as _;
use dn_core::graphql::documents;
use dn_tests::root;
use quamina::Quamina;
use regex::Regex;
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

use crate::documents::event_example;
use crate::graphql_check::Sdl;

/// A template whose references to parameters are their defaults; other functions stand as `{"<name>": argument}`.
pub(crate) struct Template {
    parameters: BTreeMap<String, String>,
    resources: Value,
}

impl Template {
    pub(crate) fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(root().join("infra").join(name)).unwrap();
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let yaml: Yaml = serde_yaml_ng::from_str(text).unwrap();
        let defaults = yaml["Parameters"].as_mapping().unwrap().iter().filter_map(|(name, parameter)| {
            let default = parameter.get("Default")?;
            let text = default.as_str().map(str::to_owned);
            let text = text.unwrap_or_else(|| serde_yaml_ng::to_string(default).unwrap().trim().to_owned());
            Some((name.as_str()?.to_owned(), text))
        });
        let mut template = Self { parameters: defaults.collect(), resources: Value::Null };
        template.resources = template.resolve(&yaml["Resources"]);
        template
    }

    fn resolve(&self, yaml: &Yaml) -> Value {
        match yaml {
            Yaml::Tagged(tagged) => {
                let function = tagged.tag.to_string();
                let argument = self.resolve(&tagged.value);
                match (function.as_str(), argument.as_str()) {
                    ("!Ref", Some(name)) if self.parameters.contains_key(name) => {
                        json!(self.parameters[name])
                    }
                    ("!Sub", Some(text)) => {
                        let filled = self.parameters.iter().fold(text.to_owned(), |text, (name, value)| {
                            text.replace(&format!("${{{name}}}"), value)
                        });
                        json!(filled)
                    }
                    _ => json!({function: argument}),
                }
            }
            Yaml::Mapping(mapping) => mapping
                .iter()
                .map(|(key, value)| (key.as_str().unwrap().to_owned(), self.resolve(value)))
                .collect(),
            Yaml::Sequence(items) => items.iter().map(|item| self.resolve(item)).collect(),
            plain => serde_json::to_value(plain).unwrap(),
        }
    }

    /// The resources of a kind: logical name → properties.
    pub(crate) fn of_type(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let resources = self.resources.as_object().unwrap().iter();
        resources
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
            .collect()
    }

    /// The rule of a name: its logical name and its properties.
    pub(crate) fn rule(&self, name: &str) -> (&str, &Value) {
        let rules = self.of_type("AWS::Events::Rule");
        rules.into_iter().find(|(_, rule)| rule["Name"] == name).unwrap_or_else(|| panic!("no rule {name}"))
    }
}

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

#[test]
fn what_cannot_be_delivered_is_tried_for_a_day_and_then_kept() {
    let template = Template::read("workflow.yaml");
    let queues = template.of_type("AWS::SQS::Queue");
    let policies = template.of_type("AWS::SQS::QueuePolicy");
    for rule in [SUCCESS_RULE, FAILURE_RULE] {
        let (logical, rule) = template.rule(rule);
        for target in rule["Targets"].as_array().unwrap() {
            assert_eq!(target["RetryPolicy"]["MaximumEventAgeInSeconds"], 86_400);
            assert_eq!(target["RetryPolicy"]["MaximumRetryAttempts"], 185);
            let letters = target["DeadLetterConfig"]["Arn"]["!GetAtt"].as_str().unwrap();
            let queue = letters.strip_suffix(".Arn").unwrap();
            assert!(queues.contains_key(queue), "{queue} is no queue");
            let source = json!({"!GetAtt": format!("{logical}.Arn")});
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
}

/// One or several, as policies write it.
fn many(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
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
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("infra")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            seen += 1;
            let bound = environment_bound(&std::fs::read_to_string(&path).unwrap());
            assert!(bound.is_empty(), "{}: {bound:?}", path.display());
        }
    }
    assert!(seen > 0, "no template was found");
    // The same values in a resource are found.
    let wrong = "Parameters: {S: {Default: subnet-0614f6234c8532909}}\nResources:\n  A: {Properties: {Arn: 'arn:aws:ecs:us-east-1:867653852961:x', Net: sg-0e95bc87b1582a935}}\n";
    assert_eq!(environment_bound(wrong), ["867653852961", "sg-0e95bc87b1582a935"]);
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
        &documents::write_channels(&batch, false),
    ];
    let versioned = [
        documents::LIST_CHANNELS_VERSIONED,
        documents::GET_CHANNEL_VERSIONED,
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
