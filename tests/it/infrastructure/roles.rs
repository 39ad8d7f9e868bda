//! The roles: what each may do is what its holder does, on what it does it to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::template::{Template, known_environment, many};
use crate::documents::sources;

/// Template, role and each statement of its policies.
fn statements(templates: &[Template]) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for template in templates {
        for (logical, role) in template.of_type("AWS::IAM::Role") {
            for policy in role["Policies"].as_array().unwrap() {
                for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
                    all.push((format!("{} {logical}", template.name), statement));
                }
            }
        }
    }
    assert!(all.len() > 10, "the roles were not found");
    all
}

fn actions(statement: &Value) -> Vec<&str> {
    many(&statement["Action"]).into_iter().map(|action| action.as_str().unwrap()).collect()
}

/// An action of ours and the call of the SDK that needs it.
const CALLS: [(&str, &str); 8] = [
    ("s3:GetObject", ".get_object()"),
    ("s3:GetObject", ".head_object()"),
    ("s3:PutObject", ".put_object()"),
    ("s3:DeleteObject", ".delete_object()"),
    ("s3:ListBucket", ".list_objects_v2()"),
    ("events:PutEvents", ".put_events()"),
    ("events:DescribeEventBus", ".describe_event_bus()"),
    ("ses:SendEmail", ".send_email()"),
];

#[test]
fn a_task_may_do_what_its_code_calls_and_nothing_else() {
    let code: String = sources().into_iter().map(|(_, text)| text.replace(char::is_whitespace, "")).collect();
    let granted: BTreeMap<String, BTreeSet<String>> = {
        // With a sender, so that mail is among it.
        let mut given = known_environment();
        given.insert("SesIdentity".to_owned(), "example.com".to_owned());
        let templates = [Template::read_with("tasks.yaml", &given)];
        let mut granted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (role, statement) in statements(&templates) {
            granted.entry(role).or_default().extend(actions(statement).into_iter().map(str::to_owned));
        }
        granted.into_iter().filter(|(role, _)| !role.ends_with("ExecutionRole")).collect()
    };
    assert_eq!(granted.len(), 3);
    for (role, actions) in &granted {
        for action in actions {
            let mut calls = CALLS.iter().filter(|(name, _)| name == action).peekable();
            assert!(calls.peek().is_some(), "{role}: nobody calls {action}");
            let called = calls.any(|(_, call)| code.contains(call));
            assert!(called, "{role}: nobody calls {action}");
        }
    }
    // And every call of the SDK's that the code makes, each task may make: they share their clients.
    for (action, call) in CALLS.iter().filter(|(_, call)| code.contains(call)) {
        for (role, actions) in &granted {
            let mail_is_the_reports = *action == "ses:SendEmail" && !role.ends_with("ClaimsTaskRole");
            assert!(mail_is_the_reports || actions.contains(*action), "{role} may not {action} for {call}");
        }
    }
}

/// S3 tells somebody who may not list a bucket that an object is forbidden when it is not there, and the programs ask for
/// many that need not be: a lock, a ledger, a report of this week. A condition on the prefix must not be one on every
/// request, since a read has none.
#[test]
fn a_task_that_may_read_in_a_bucket_learns_what_is_not_there() {
    let templates = [Template::read("tasks.yaml")];
    let mut reads: BTreeSet<(String, String)> = BTreeSet::new();
    let mut learns = BTreeSet::new();
    for (role, statement) in statements(&templates) {
        for resource in many(&statement["Resource"]).into_iter().filter_map(Value::as_str) {
            let Some(path) = resource.strip_prefix("arn:aws:s3:::") else { continue };
            let bucket = path.split('/').next().unwrap().to_owned();
            for action in actions(statement) {
                match action {
                    "s3:GetObject" => drop(reads.insert((role.clone(), bucket.clone()))),
                    "s3:ListBucket" => {
                        let conditions = statement["Condition"].as_object().unwrap().keys();
                        assert!(conditions.into_iter().all(|kind| kind.ends_with("IfExists")), "{statement}");
                        learns.insert((role.clone(), bucket.clone()));
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(reads.len() >= 5, "{reads:?}");
    assert_eq!(reads, learns);
}

#[test]
fn no_role_has_everything_where_a_name_is_known() {
    let templates = Template::all();
    for (role, statement) in statements(&templates) {
        assert_eq!(statement["Effect"], "Allow", "{role}");
        for action in actions(statement) {
            assert!(!action.contains('*'), "{role}: {action}");
        }
        let everything = many(&statement["Resource"]).iter().any(|resource| **resource == "*");
        // The two that know no resource.
        let knows_none = ["ecr:GetAuthorizationToken"];
        assert!(
            !everything || actions(statement).iter().all(|action| knows_none.contains(action)),
            "{role}: {statement}"
        );
    }
}

#[test]
fn a_role_that_starts_tasks_may_hand_over_the_roles_of_those_tasks_and_no_other() {
    let tasks = Template::read("tasks.yaml");
    let known: BTreeSet<&str> = tasks
        .of_type("AWS::IAM::Role")
        .into_values()
        .map(|role| role["RoleName"].as_str().unwrap())
        .collect();
    let families: BTreeMap<&str, &str> = tasks
        .of_type("AWS::ECS::TaskDefinition")
        .into_values()
        .map(|definition| {
            let role = definition["TaskRoleArn"]["!GetAtt"].as_str().unwrap().strip_suffix(".Arn").unwrap();
            let role = tasks.of_type("AWS::IAM::Role")[role]["RoleName"].as_str().unwrap();
            (definition["Family"].as_str().unwrap(), role)
        })
        .collect();
    let templates = Template::all();
    let mut starting: BTreeMap<String, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for (role, statement) in statements(&templates) {
        for action in actions(statement) {
            let resources = many(&statement["Resource"]).into_iter().filter_map(Value::as_str);
            let names = resources.filter_map(|arn| arn.rsplit_once('/').map(|(_, name)| name));
            let entry = starting.entry(role.clone()).or_default();
            match action {
                "ecs:RunTask" => entry.0.extend(names.map(|name| name.trim_end_matches(":*"))),
                "iam:PassRole" => {
                    assert_eq!(
                        statement["Condition"]["StringEquals"]["iam:PassedToService"],
                        "ecs-tasks.amazonaws.com",
                        "{role}"
                    );
                    entry.1.extend(names);
                }
                _ => {}
            }
        }
    }
    starting.retain(|_, (started, passed)| !started.is_empty() || !passed.is_empty());
    assert!(starting.len() >= 2, "{starting:?}");
    for (role, (started, passed)) in starting {
        let needed: BTreeSet<&str> =
            started.iter().map(|family| families[family]).chain(["dn-maintenance-execution-dev"]).collect();
        assert_eq!(passed, needed, "{role}");
        assert!(passed.iter().all(|name| known.contains(name)), "{role}: {passed:?}");
    }
}
