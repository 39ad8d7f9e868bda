//! The task definitions: what a program finds around it, and what it cannot do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::template::{Template, known_environment};
use crate::documents::variables_of;

fn definitions(template: &Template) -> Vec<(&Value, &Value)> {
    let definitions = template.of_type("AWS::ECS::TaskDefinition").into_values();
    let all: Vec<_> = definitions
        .map(|definition| {
            let containers = definition["ContainerDefinitions"].as_array().unwrap();
            assert_eq!(containers.len(), 1);
            (definition, &containers[0])
        })
        .collect();
    assert_eq!(all.len(), 3);
    all
}

#[test]
fn a_task_can_write_to_tmp_alone_has_no_rights_and_gets_two_minutes_to_end() {
    let template = Template::read("tasks.yaml");
    for (definition, container) in definitions(&template) {
        assert_eq!(container["ReadonlyRootFilesystem"], true);
        assert_eq!(container["LinuxParameters"]["Capabilities"], json!({"Drop": ["ALL"]}));
        assert!(!container["User"].as_str().unwrap().starts_with('0'));
        assert_eq!(container["StopTimeout"], 120);
        let volumes: Vec<&Value> =
            definition["Volumes"].as_array().unwrap().iter().map(|v| &v["Name"]).collect();
        let mounts = container["MountPoints"].as_array().unwrap();
        assert_eq!(
            (volumes, &mounts[0]["ContainerPath"]),
            (vec![&mounts[0]["SourceVolume"]], &json!("/tmp"))
        );
        assert_eq!(mounts.len(), 1);
        assert_eq!(definition["NetworkMode"], "awsvpc");
        assert_ne!(definition["ExecutionRoleArn"], definition["TaskRoleArn"]);
        let logs = &container["LogConfiguration"]["Options"];
        assert_eq!((&logs["mode"], &logs["max-buffer-size"]), (&json!("non-blocking"), &json!("25m")));
    }
}

#[test]
fn a_task_logs_to_its_group_which_is_kept_for_thirty_days() {
    let foundation = Template::read("foundation.yaml");
    let kept: BTreeMap<&str, &Value> = foundation
        .of_type("AWS::Logs::LogGroup")
        .into_values()
        .map(|group| (group["LogGroupName"].as_str().unwrap(), &group["RetentionInDays"]))
        .collect();
    let tasks = Template::read("tasks.yaml");
    let used: BTreeSet<&str> = definitions(&tasks)
        .into_iter()
        .map(|(_, container)| container["LogConfiguration"]["Options"]["awslogs-group"].as_str().unwrap())
        .collect();
    assert_eq!(used, kept.keys().copied().collect());
    assert!(kept.values().all(|days| **days == json!("30")), "{kept:?}");
}

#[test]
fn every_variable_of_a_task_definition_is_one_that_its_program_reads() {
    let template = Template::read("tasks.yaml");
    let mut secrets = 0;
    for (_, container) in definitions(&template) {
        let program = container["Name"].as_str().unwrap();
        let read = variables_of(program);
        let plain = container["Environment"].as_array().unwrap();
        let secret = container["Secrets"].as_array().unwrap();
        secrets += secret.len();
        for variable in plain.iter().chain(secret) {
            let name = variable["Name"].as_str().unwrap();
            assert!(read.contains(name), "{program} does not read {name}");
        }
        for name in ["STATE_URI", "EVENT_BUS_NAME", "MAX_DURATION"] {
            assert!(plain.iter().any(|variable| variable["Name"] == name), "{program} has no {name}");
        }
        // A secret comes by reference; no value of one stands in a template or in its parameters.
        for name in ["GRAPHQL_API_KEY", "YOUTUBE_CREDENTIALS"] {
            assert!(plain.iter().all(|variable| variable["Name"] != name), "{program}: {name}");
        }
    }
    assert_eq!(secrets, 5);
}

/// Fargate's steps: CPU units → the memory it has with them, in MiB.
fn is_a_size_of_fargate(cpu: u32, memory: u32) -> bool {
    let within =
        |low: u32, high: u32, step: u32| memory >= low && memory <= high && memory.is_multiple_of(step);
    match cpu {
        256 => [512, 1024, 2048].contains(&memory),
        512 => within(1024, 4096, 1024),
        1024 => within(2048, 8192, 1024),
        2048 => within(4096, 16_384, 1024),
        4096 => within(8192, 30_720, 1024),
        _ => false,
    }
}

#[test]
fn both_sets_of_sizes_are_fargates_and_the_measured_one_is_the_smaller() {
    let size = |sizes: &str| -> BTreeMap<String, (u32, u32)> {
        let mut given = known_environment();
        given.insert("TaskSizes".to_owned(), sizes.to_owned());
        let template = Template::read_with("tasks.yaml", &given);
        let number = |value: &Value| value.as_str().unwrap().parse().unwrap();
        definitions(&template)
            .into_iter()
            .map(|(definition, container)| {
                let name = container["Name"].as_str().unwrap().to_owned();
                (name, (number(&definition["Cpu"]), number(&definition["Memory"])))
            })
            .collect()
    };
    let (measured, former) = (size("measured"), size("former"));
    for (name, (cpu, memory)) in measured.iter().chain(&former) {
        assert!(is_a_size_of_fargate(*cpu, *memory), "{name}: {cpu} with {memory}");
    }
    assert!(measured.iter().all(|(name, (cpu, memory))| *cpu < former[name].0 && *memory < former[name].1));
    // As the tasks were before.
    assert_eq!(former["channelbackfill"], (2048, 4096));
    assert_eq!(former["cms-customid-cleanup"], (4096, 8192));
    assert_eq!(former["claims-report"], (1024, 3072));
}

#[test]
fn the_state_bucket_keeps_versions_is_encrypted_and_answers_over_tls_alone() {
    let template = Template::read("foundation.yaml");
    let bucket = template.of_type("AWS::S3::Bucket")["StateBucket"];
    assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled");
    assert!(bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0].is_object());
    let blocked = bucket["PublicAccessBlockConfiguration"].as_object().unwrap();
    assert!(blocked.len() == 4 && blocked.values().all(|blocks| blocks == true));
    assert_eq!(template.resource("StateBucket")["DeletionPolicy"], "Retain");
    let statement =
        &template.of_type("AWS::S3::BucketPolicy")["StateBucketPolicy"]["PolicyDocument"]["Statement"][0];
    assert_eq!((&statement["Effect"], &statement["Principal"]), (&json!("Deny"), &json!("*")));
    assert_eq!(statement["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
    // What an undo needs outlives a year; a lock, a ledger and the history never expire.
    let expiring: Vec<&str> = bucket["LifecycleConfiguration"]["Rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule.get("ExpirationInDays").is_some())
        .map(|rule| rule["Prefix"].as_str().unwrap())
        .collect();
    assert!(expiring.iter().all(|prefix| prefix.ends_with("/runs/") || *prefix == "claims-report/raw/"));
    for repository in template.of_type("AWS::ECR::Repository").into_values() {
        assert_eq!(repository["ImageTagMutability"], "IMMUTABLE");
        assert_eq!(repository["ImageScanningConfiguration"]["ScanOnPush"], true);
    }
}
