//! What started the task: the completion event of the backfill, somebody's hand, or something that is not for us.

use std::path::Path;

use dn_core::task::{Environment, Problems};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

const SOURCE: &str = "dn.backend.channelbackfill";
const DETAIL_TYPE: &str = "Channel Backfill Completed";
const SUCCESS: &str = "success";

/// What is to be done about what started the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Nobody's event: a run by hand.
    Manual,
    /// The backfill succeeded.
    Go {
        /// The event's id, where it is known.
        event_id: Option<String>,
        /// When it happened, where that is known.
        at: Option<Timestamp>,
    },
    /// Not for us, or not a success: nothing is read.
    Ignore {
        /// Why.
        reason: String,
        /// The event's id, where it is known.
        event_id: Option<String>,
    },
}

/// An event, as far as it decides anything.
#[derive(Debug, Default, Clone)]
struct Trigger {
    source: Option<String>,
    detail_type: Option<String>,
    status: Option<String>,
    event_id: Option<String>,
    at: Option<Timestamp>,
}

/// The whole event, as the bus delivers it; `detail` may have been turned into a string on the way.
#[derive(Deserialize)]
struct EventJson {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    time: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default, rename = "detail-type")]
    detail_type: Option<String>,
    #[serde(default)]
    detail: Value,
}

/// Reads the trigger and decides. `given` is `--trigger-event`: JSON, or a file that holds it.
pub fn gate(given: Option<&str>, environment: &Environment, problems: &mut Problems) -> Option<Gate> {
    let trigger = match given {
        Some(given) => match read_event(given) {
            Ok(trigger) => Some(trigger),
            Err(problem) => {
                problems.add(format!("--trigger-event {problem}"));
                return None;
            }
        },
        None => from_environment(environment),
    };
    match trigger {
        None => Some(Gate::Manual),
        Some(trigger) => decide(&trigger, problems),
    }
}

/// The variables that the rule's input transformer sets; `None` when not one of them is there.
fn from_environment(environment: &Environment) -> Option<Trigger> {
    let get = |name| environment.get(name).map(str::to_owned);
    let trigger = Trigger {
        source: get("TRIGGER_SOURCE"),
        detail_type: get("TRIGGER_DETAIL_TYPE"),
        status: get("TRIGGER_STATUS"),
        event_id: get("TRIGGER_EVENT_ID"),
        at: get("TRIGGER_TIMESTAMP").and_then(|time| read_time(&time)),
    };
    let any = [
        &trigger.source,
        &trigger.detail_type,
        &trigger.status,
        &trigger.event_id,
        &get("TRIGGER_TIMESTAMP"),
    ]
    .iter()
    .any(|value| value.is_some());
    any.then_some(trigger)
}

fn read_event(given: &str) -> Result<Trigger, String> {
    let text = if given.trim_start().starts_with('{') {
        given.to_owned()
    } else {
        std::fs::read_to_string(Path::new(given))
            .map_err(|error| format!("{given:?} cannot be read: {error}"))?
    };
    let event: EventJson = serde_json::from_str(&text).map_err(|error| format!("is no event: {error}"))?;
    let detail = match event.detail {
        Value::String(text) => {
            serde_json::from_str(&text).map_err(|error| format!("has a detail that is no JSON: {error}"))?
        }
        detail => detail,
    };
    let at = event.time.as_deref().or_else(|| detail.get("timestamp").and_then(Value::as_str));
    Ok(Trigger {
        at: at.and_then(read_time),
        source: event.source,
        detail_type: event.detail_type,
        status: detail.get("status").and_then(Value::as_str).map(str::to_owned),
        event_id: event.id,
    })
}

/// A time that cannot be read is as good as none: the event is served then.
fn read_time(text: &str) -> Option<Timestamp> {
    text.parse().inspect_err(|error| tracing::warn!(%error, "the trigger's time cannot be read")).ok()
}

/// An event that lacks what decides is a mistake of whoever wired it; one that says something else is not for us.
fn decide(trigger: &Trigger, problems: &mut Problems) -> Option<Gate> {
    let ignore = |reason: String| Some(Gate::Ignore { reason, event_id: trigger.event_id.clone() });
    match (&trigger.source, &trigger.detail_type, &trigger.status) {
        (Some(source), _, _) if source != SOURCE => {
            ignore(format!("the event's source is {source:?}, not {SOURCE:?}"))
        }
        (_, Some(kind), _) if kind != DETAIL_TYPE => {
            ignore(format!("the event's detail-type is {kind:?}, not {DETAIL_TYPE:?}"))
        }
        (_, _, Some(status)) if status != SUCCESS => {
            ignore(format!("the backfill's status is {status:?}, not {SUCCESS:?}"))
        }
        (Some(_), Some(_), Some(_)) => Some(Gate::Go { event_id: trigger.event_id.clone(), at: trigger.at }),
        (source, kind, status) => {
            let missing: Vec<&str> = [
                (source, "source (TRIGGER_SOURCE)"),
                (kind, "detail-type (TRIGGER_DETAIL_TYPE)"),
                (status, "detail.status (TRIGGER_STATUS)"),
            ]
            .into_iter()
            .filter_map(|(value, name)| value.is_none().then_some(name))
            .collect();
            problems.add(format!(
                "the trigger has no {}; see the rule's input transformer",
                missing.join(", no ")
            ));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO: &str = r#"{"id":"e1","source":"dn.backend.channelbackfill","detail-type":"Channel Backfill Completed","detail":{"status":"success"}}"#;

    #[rstest::rstest]
    #[case::whole(GO, "Go { event_id: Some(\"e1\"), at: None }")]
    #[case::with_its_time(r#"{"time":"2026-11-23T10:00:00Z","source":"dn.backend.channelbackfill","detail-type":"Channel Backfill Completed","detail":{"status":"success","timestamp":"2026-11-23T09:59:59.000Z"}}"#, "Go { event_id: None, at: Some(2026-11-23T10:00:00Z) }")]
    #[case::with_the_backfills_time(r#"{"time":null,"source":"dn.backend.channelbackfill","detail-type":"Channel Backfill Completed","detail":{"status":"success","timestamp":"2026-11-23T09:59:59.000Z"}}"#, "Go { event_id: None, at: Some(2026-11-23T09:59:59Z) }")]
    #[case::with_a_time_that_is_none(r#"{"time":"yesterday","source":"dn.backend.channelbackfill","detail-type":"Channel Backfill Completed","detail":{"status":"success"}}"#, "Go { event_id: None, at: None }")]
    #[case::detail_as_text(r#"{"source":"dn.backend.channelbackfill","detail-type":"Channel Backfill Completed","detail":"{\"status\":\"success\"}"}"#, "Go { event_id: None, at: None }")]
    #[case::failed(r#"{"source":"dn.backend.channelbackfill","detail-type":"Channel Backfill Completed","detail":{"status":"failed"}}"#, "Ignore")]
    #[case::partial(r#"{"source":"dn.backend.channelbackfill","detail-type":"Channel Backfill Completed","detail":{"status":"partial"}}"#, "Ignore")]
    #[case::other_type(
        r#"{"source":"dn.backend.channelbackfill","detail-type":"Channel Backfill Failed","detail":{}}"#,
        "Ignore"
    )]
    #[case::other_source(
        r#"{"source":"aws.ecs","detail-type":"ECS Task State Change","detail":{}}"#,
        "Ignore"
    )]
    fn e04_an_event_is_gated_by_source_type_and_status(#[case] event: &str, #[case] expected: &str) {
        let mut problems = Problems::default();
        let gate = gate(Some(event), &Environment::default(), &mut problems);
        assert!(format!("{:?}", gate.unwrap()).starts_with(expected));
        assert!(problems.list().is_empty());
    }

    #[rstest::rstest]
    #[case::no_json("{", "is no event")]
    #[case::no_file("/nowhere/event.json", "cannot be read")]
    #[case::no_status(
        r#"{"source":"dn.backend.channelbackfill","detail-type":"Channel Backfill Completed"}"#,
        "no detail.status"
    )]
    #[case::bad_detail(r#"{"source":"dn.backend.channelbackfill","detail":"{"}"#, "detail that is no JSON")]
    fn e04_a_trigger_that_cannot_be_judged_is_a_configuration_error(#[case] event: &str, #[case] part: &str) {
        let mut problems = Problems::default();
        assert_eq!(gate(Some(event), &Environment::default(), &mut problems), None);
        assert!(problems.list()[0].contains(part), "{problems:?}");
    }

    #[test]
    fn without_any_trigger_it_is_a_run_by_hand_and_with_half_of_one_a_mistake() {
        let mut problems = Problems::default();
        assert_eq!(gate(None, &Environment::default(), &mut problems), Some(Gate::Manual));
        let half: Environment = [("TRIGGER_STATUS".to_owned(), "success".to_owned())].into_iter().collect();
        assert_eq!(gate(None, &half, &mut problems), None);
        assert_eq!(problems.list().len(), 1);
        let whole: Environment = [
            ("TRIGGER_SOURCE", SOURCE),
            ("TRIGGER_DETAIL_TYPE", DETAIL_TYPE),
            ("TRIGGER_STATUS", "success"),
            ("TRIGGER_EVENT_ID", "e9"),
            ("TRIGGER_TIMESTAMP", "2026-11-23T10:00:00Z"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        assert_eq!(
            gate(None, &whole, &mut problems),
            Some(Gate::Go { event_id: Some("e9".to_owned()), at: "2026-11-23T10:00:00Z".parse().ok() })
        );
    }
}
