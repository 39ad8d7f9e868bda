//! The bus: takes events, matches them against the rules, hands them to the targets.

use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow};
use quamina::Quamina;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clock;
use crate::eventbridge::runner::Runner;
use crate::eventbridge::template::{ACCOUNT, Rule, Workflow};
use crate::eventbridge::transformer::transform;
use crate::journal::Service;
use crate::lock::hold;
use crate::signature::{REGION, Unsigned, verify};
use crate::wire::{Call, Operation, Play, Reply};

const ENTRIES_LIMIT: usize = 10;
const ENTRY_LIMIT_BYTES: usize = 256 << 10;

/// An event that reached a target.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    /// The rule that matched.
    pub rule: String,
    /// The target's id in the rule.
    pub target: String,
    /// The target's ARN.
    pub arn: String,
    /// The event's id.
    pub event_id: String,
    /// What the target got: the event, or what the transformer made of it.
    pub input: String,
    /// Why it did not arrive; it would wait in the dead-letter queue.
    pub error: Option<String>,
}

/// The buses of a template with their rules.
pub(crate) struct Bus {
    workflow: Workflow,
    /// Index into the workflow's rules.
    patterns: Mutex<Quamina<usize>>,
    runner: Arc<Runner>,
    state: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    events: Vec<Value>,
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    time: Option<f64>,
}

impl Bus {
    pub(crate) fn new(workflow: Workflow, runner: Arc<Runner>) -> Result<Self> {
        let mut patterns = Quamina::new();
        for (at, rule) in workflow.rules.iter().enumerate().filter(|(_, rule)| rule.enabled) {
            patterns
                .add_pattern(at, &rule.pattern.to_string())
                .map_err(|why| anyhow!("the pattern of rule {} is refused: {why}", rule.name))?;
        }
        Ok(Self { workflow, patterns: Mutex::new(patterns), runner, state: Mutex::default() })
    }

    pub(crate) fn name(&self) -> &str {
        self.workflow.buses.first().map_or("", String::as_str)
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        hold(&self.state).events.clone()
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        hold(&self.state).deliveries.clone()
    }

    /// Puts an event on the bus as it is and hands it to every rule it matches; the way to deliver one twice.
    pub(crate) fn publish(&self, bus: &str, event: Value) {
        let matched =
            hold(&self.patterns).matches_for_event(event.to_string().as_bytes()).unwrap_or_default();
        let event_id = event.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        for at in matched {
            if let Some(rule) = self.workflow.rules.get(at).filter(|rule| rule.bus == bus) {
                self.deliver(rule, &event, &event_id);
            }
        }
        hold(&self.state).events.push(event);
    }

    fn deliver(&self, rule: &Rule, event: &Value, event_id: &str) {
        for target in &rule.targets {
            let input = match &target.transformer {
                Some(transformer) => transform(transformer, event, rule),
                None => event.to_string(),
            };
            let error = if target.starts_task {
                self.runner.start(&rule.name, event_id, &input).err()
            } else {
                // Every other kind of target takes JSON or a JSON text.
                serde_json::from_str::<Value>(&input).err().map(|why| format!("the input is no JSON: {why}"))
            };
            hold(&self.state).deliveries.push(Delivery {
                rule: rule.name.clone(),
                target: target.id.clone(),
                arn: target.arn.clone(),
                event_id: event_id.to_owned(),
                input,
                error,
            });
        }
    }

    fn put_events(&self, body: &[u8]) -> Reply {
        let Ok(request) = serde_json::from_slice::<PutEvents>(body) else {
            return refuse("SerializationException", "The request could not be read.");
        };
        if request.entries.is_empty() || request.entries.len() > ENTRIES_LIMIT {
            let message = "1 validation error detected: Value at 'entries' failed to satisfy constraint: \
                           Member must have length less than or equal to 10 and at least 1";
            return refuse("ValidationException", message);
        }
        if request.entries.iter().any(|entry| entry.size_bytes() > ENTRY_LIMIT_BYTES) {
            return refuse(
                "ValidationException",
                "Total size of the entries in the request is over the limit.",
            );
        }
        let mut failed = 0;
        let results: Vec<Value> = request
            .entries
            .into_iter()
            .map(|entry| match self.accept(entry) {
                Ok(id) => json!({"EventId": id}),
                Err((code, message)) => {
                    failed += 1;
                    json!({"ErrorCode": code, "ErrorMessage": message})
                }
            })
            .collect();
        amz_json(200, &json!({"FailedEntryCount": failed, "Entries": results}))
    }

    fn accept(&self, entry: Entry) -> Result<String, (&'static str, String)> {
        let required = |value: Option<String>, name: &str| {
            value.filter(|text| !text.is_empty()).ok_or_else(|| {
                let message =
                    format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
                ("InvalidArgument", message)
            })
        };
        let source = required(entry.source, "Source")?;
        let detail_type = required(entry.detail_type, "DetailType")?;
        let detail = required(entry.detail, "Detail")?;
        let detail: Value = serde_json::from_str(&detail)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| ("MalformedDetail", "Detail is malformed.".to_owned()))?;
        let bus = entry.event_bus_name.as_deref().map_or("default", bare_name).to_owned();
        if !self.workflow.buses.contains(&bus) {
            return Err(("ResourceNotFoundException", format!("Event bus {bus} does not exist.")));
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds of an event's time")]
        let at = entry
            .time
            .and_then(|seconds| jiff::Timestamp::from_second(seconds as i64).ok())
            .unwrap_or_else(clock::now);
        let id = self.new_id();
        let event = json!({
            "version": "0",
            "id": id,
            "detail-type": detail_type,
            "source": source,
            "account": ACCOUNT,
            "time": clock::with_seconds(at),
            "region": REGION,
            "resources": entry.resources,
            "detail": detail,
        });
        self.publish(&bus, event);
        Ok(id)
    }

    /// No two events ever share an id, also not two of different starts: tasks remember the ids they served.
    fn new_id(&self) -> String {
        let count = hold(&self.state).events.len();
        let seed = format!("{}-{}-{count}", clock::now().as_nanosecond(), std::process::id());
        let digits = hex::encode(&Sha256::digest(seed.as_bytes())[..16]);
        format!(
            "{}-{}-4{}-a{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[13..16],
            &digits[17..20],
            &digits[20..]
        )
    }

    fn describe(&self, body: &[u8]) -> Reply {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let name = request.get("Name").and_then(Value::as_str).map_or("default", bare_name);
        if !self.workflow.buses.iter().any(|bus| bus == name) {
            return refuse("ResourceNotFoundException", &format!("Event bus {name} does not exist."));
        }
        let arn = format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name}");
        amz_json(200, &json!({"Name": name, "Arn": arn}))
    }
}

impl Entry {
    /// As EventBridge counts it: the texts' UTF-8 bytes, and 14 for a time.
    fn size_bytes(&self) -> usize {
        let text = |value: &Option<String>| value.as_ref().map_or(0, String::len);
        text(&self.source)
            + text(&self.detail_type)
            + text(&self.detail)
            + self.resources.iter().map(String::len).sum::<usize>()
            + if self.time.is_some() { 14 } else { 0 }
    }
}

/// A bus may be named by its ARN.
fn bare_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn refuse(kind: &str, message: &str) -> Reply {
    amz_json(400, &json!({"__type": kind, "message": message}))
}

fn amz_json(status: u16, body: &Value) -> Reply {
    Reply::new(status, "application/x-amz-json-1.1", body.to_string())
}

impl Play for Bus {
    fn service(&self) -> Service {
        Service::EventBridge
    }

    fn classify(&self, call: &Call) -> Operation {
        let name = call.header("x-amz-target").rsplit('.').next().unwrap_or_default();
        let ids = serde_json::from_slice::<PutEvents>(&call.body)
            .map(|request| request.entries.into_iter().filter_map(|entry| entry.detail_type).collect());
        Operation::new(if name.is_empty() { "unknown" } else { name }).about(ids.unwrap_or_default())
    }

    fn answer(&self, call: &Call) -> Reply {
        match verify(call, "events") {
            Ok(()) => {}
            Err(Unsigned::Missing) => {
                return refuse("MissingAuthenticationToken", "Missing Authentication Token");
            }
            Err(Unsigned::UnknownKey) => {
                return refuse(
                    "UnrecognizedClientException",
                    "The security token included in the request is invalid.",
                );
            }
            Err(Unsigned::Skewed) => {
                return refuse(
                    "InvalidSignatureException",
                    "Signature expired or not yet valid: see the clock.",
                );
            }
            Err(Unsigned::Mismatch) => {
                return refuse(
                    "InvalidSignatureException",
                    "The request signature we calculated does not match.",
                );
            }
        }
        match call.header("x-amz-target") {
            "AWSEvents.PutEvents" => self.put_events(&call.body),
            "AWSEvents.DescribeEventBus" => self.describe(&call.body),
            _ => refuse("UnknownOperationException", "The operation is not known here."),
        }
    }
}
