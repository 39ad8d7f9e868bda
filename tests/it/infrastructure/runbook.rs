//! The runbook's commands, held to the templates and to the programs that they start.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use clap::CommandFactory as _;
use regex::Regex;
use serde_json::{Value, json};

use super::template::{Template, known_environment};
use crate::documents::{document, sources, variables_of};

fn programs() -> BTreeMap<&'static str, clap::Command> {
    [
        ("channelbackfill", channelbackfill::Args::command()),
        ("cms-customid-cleanup", cms_customid_cleanup::Args::command()),
        ("claims-report", claims_report::Args::command()),
    ]
    .into()
}

/// The shell blocks of the runbook.
fn shell() -> Vec<String> {
    let text = document("docs/OPERATIONS.md");
    let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned());
    let blocks: Vec<String> = blocks.collect();
    assert!(blocks.len() > 25, "the commands were not found");
    blocks
}

/// Whether a program takes these arguments; placeholders are read as what they stand for.
fn takes(program: &str, arguments: &[&str]) -> Result<(), String> {
    let arguments = std::iter::once(program).chain(arguments.iter().copied());
    programs()[program].clone().try_get_matches_from(arguments).map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_block_of_commands_is_one_that_a_shell_reads() {
    for block in shell() {
        let mut bash =
            Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        bash.stdin.take().unwrap().write_all(block.as_bytes()).unwrap();
        let output = bash.wait_with_output().unwrap();
        assert!(output.status.success(), "{block}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_task_that_the_runbook_starts_by_hand_is_one_of_ours_with_arguments_that_it_takes() {
    let tasks = Template::read("tasks.yaml");
    let containers: BTreeMap<String, String> = tasks
        .of_type("AWS::ECS::TaskDefinition")
        .into_values()
        .map(|definition| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&definition["Family"]), text(&definition["ContainerDefinitions"][0]["Name"]))
        })
        .collect();
    let start = Regex::new(r"^\s*by_hand --task-definition (\S+)(?: --overrides '(.+)')?$").unwrap();
    let mut commands = BTreeSet::new();
    for line in shell().iter().flat_map(|block| block.lines()).filter(|line| line.contains("by_hand --")) {
        let found = start.captures(line).unwrap_or_else(|| panic!("not understood: {line}"));
        let container = containers.get(&found[1]).unwrap_or_else(|| panic!("no task is {}", &found[1]));
        let Some(overrides) = found.get(2) else { continue };
        assert!(overrides.len() <= 8192);
        let overrides: Value =
            serde_json::from_str(overrides.as_str()).unwrap_or_else(|error| panic!("{error}: {line}"));
        let one = &overrides["containerOverrides"][0];
        assert_eq!(one["name"], **container, "{line}");
        for variable in one["environment"].as_array().into_iter().flatten() {
            assert!(variables_of(container).contains(variable["name"].as_str().unwrap()), "{line}");
        }
        let arguments = one["command"].as_array().into_iter().flatten();
        let arguments: Vec<&str> = arguments.map(|argument| argument.as_str().unwrap()).collect();
        takes(container, &arguments).unwrap_or_else(|error| panic!("{line}\n{error}"));
        commands.extend(arguments.first().map(|command| format!("{container} {command}")));
    }
    for needed in ["channelbackfill check", "claims-report fetch", "cms-customid-cleanup undo"] {
        assert!(commands.contains(needed), "{needed}: {commands:?}");
    }

    // Where they are started is where the rules start them.
    let given = known_environment();
    let text = shell().join("\n");
    let network = format!(
        "subnets=[{}],securityGroups=[{}],assignPublicIp={}",
        given["Subnets"], given["SecurityGroup"], given["AssignPublicIp"]
    );
    assert!(text.contains(&network), "{network}");
    assert!(text.contains(&format!("CLUSTER={}\n", given["ClusterName"])));
}

#[test]
fn every_program_that_the_runbook_calls_takes_what_it_is_given() {
    let mut seen = 0;
    for line in shell().iter().flat_map(|block| block.lines()) {
        let line = line.split('#').next().unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some((program, arguments)) = words.split_first()
            && programs().contains_key(program)
            && !arguments.contains(&"--help")
        {
            takes(program, arguments).unwrap_or_else(|error| panic!("{line}\n{error}"));
            seen += 1;
        }
    }
    assert!(seen > 10, "the calls were not found");
}

/// Everything that has a name in the templates.
fn names_of_the_cloud() -> BTreeSet<String> {
    let keys = [
        "Name",
        "TopicName",
        "QueueName",
        "RoleName",
        "AlarmName",
        "StateMachineName",
        "DashboardName",
        "Family",
    ];
    let mut names = BTreeSet::new();
    for template in Template::all() {
        names.insert(format!("dn-maintenance-{}-dev", template.name.trim_end_matches(".yaml")));
        for resource in template.resources().values() {
            let properties = &resource["Properties"];
            names.extend(keys.iter().filter_map(|key| properties[*key].as_str().map(str::to_owned)));
        }
    }
    names
}

#[test]
fn what_the_runbook_names_of_the_cloud_is_there() {
    let names = names_of_the_cloud();
    let text = document("docs/OPERATIONS.md");
    let written = Regex::new(r"\b(?:dn-[a-z-]+|channelbackfill-[a-z-]+)-dev\b").unwrap();
    let mut seen = 0;
    for found in written.find_iter(&text) {
        assert!(names.contains(found.as_str()), "no template has {}", found.as_str());
        seen += 1;
    }
    assert!(seen > 20, "the names were not found");
}

#[test]
fn every_event_that_the_code_sends_stands_in_the_runbook() {
    let kind = Regex::new(
        r#""((?:Channel Backfill|CMS Custom ID Cleanup|Claims Report|Claims Alert) [A-Z][a-z]+)""#,
    )
    .unwrap();
    let runbook = document("docs/OPERATIONS.md");
    let sent: BTreeSet<String> = sources()
        .iter()
        .flat_map(|(_, text)| kind.captures_iter(text).map(|found| found[1].to_owned()).collect::<Vec<_>>())
        .collect();
    assert!(sent.len() >= 7, "{sent:?}");
    for event in &sent {
        assert!(runbook.contains(&format!("`{event}`")), "OPERATIONS does not name {event}");
    }
    // The fleet's own.
    let fleet = Template::read("fleet.yaml");
    let definition =
        fleet.of_type("AWS::StepFunctions::StateMachine")["Fleet"]["DefinitionString"].as_str().unwrap();
    let machine: Value = serde_json::from_str(definition).unwrap();
    let entry = &machine["States"]["Tell"]["Parameters"]["Entries"][0];
    assert_eq!(entry["EventBusName"], json!(known_environment()["EventBusName"]));
    for field in ["Source", "DetailType"] {
        assert!(runbook.contains(&format!("`{}`", entry[field].as_str().unwrap())), "{entry}");
    }
}
