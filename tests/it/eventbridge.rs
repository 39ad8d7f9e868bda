//! The event bus over a real socket: EventBridge as the sandbox reads its description.

use dn_core::eventbridge::{Event, EventBus, PublishError};
use dn_sandbox::{Fault, Service};
use serde_json::{Value, json};

use crate::services::Services;

async fn bus(services: &Services) -> EventBus {
    EventBus::new(
        &services.aws("AWS_ENDPOINT_URL_EVENTBRIDGE").await,
        services.sandbox.env()["EVENT_BUS_NAME"].clone(),
    )
}

fn event(n: usize) -> Event {
    Event {
        source: "dn.backend.test".to_owned(),
        detail_type: format!("Test {n}"),
        detail: json!({"status": "success", "count": n}),
        resources: vec!["arn:aws:s3:::bucket/plan.jsonl".to_owned()],
    }
}

fn events(count: usize) -> Vec<Event> {
    (0..count).map(event).collect()
}

/// An answer of the bus, one entry per code; an empty code takes the event.
fn answer(codes: &[&str]) -> Fault {
    let entries: Vec<Value> = codes
        .iter()
        .map(|code| match *code {
            "" => json!({"EventId": "taken"}),
            code => json!({"ErrorCode": code, "ErrorMessage": "said the bus"}),
        })
        .collect();
    let failed = codes.iter().filter(|code| !code.is_empty()).count();
    Fault::status(200, json!({"FailedEntryCount": failed, "Entries": entries}).to_string())
}

#[tokio::test]
async fn events_are_on_the_bus_in_order_with_the_ids_it_gave_them() {
    let services = Services::start().await;
    let ids = bus(&services).await.publish(&events(23)).await.unwrap();
    let on_bus = services.sandbox.events();
    assert_eq!(services.count(Service::EventBridge, "PutEvents"), 3);
    assert_eq!(on_bus.len(), 23);
    assert_eq!(ids, on_bus.iter().map(|event| event["id"].as_str().unwrap()).collect::<Vec<_>>());
    let last = &on_bus[22];
    assert_eq!(last["source"], "dn.backend.test");
    assert_eq!(last["detail-type"], "Test 22");
    assert_eq!(last["detail"], json!({"status": "success", "count": 22}));
    assert_eq!(last["resources"], json!(["arn:aws:s3:::bucket/plan.jsonl"]));
}

#[tokio::test]
async fn e06_only_what_the_bus_did_not_take_is_sent_again() {
    let services = Services::start().await;
    let faults = services.sandbox.faults();
    faults.inject(
        Service::EventBridge,
        "PutEvents",
        1,
        answer(&["", "ThrottlingException", "", "InternalFailure"]),
    );
    let ids = bus(&services).await.publish(&events(4)).await.unwrap();
    let on_bus = services.sandbox.events();
    assert_eq!(on_bus.iter().map(|event| &event["detail-type"]).collect::<Vec<_>>(), ["Test 1", "Test 3"]);
    assert_eq!([&ids[0], &ids[2]], ["taken", "taken"]);
    assert_eq!([&ids[1], &ids[3]], [on_bus[0]["id"].as_str().unwrap(), on_bus[1]["id"].as_str().unwrap()]);
}

#[tokio::test]
async fn e06_a_bus_that_never_takes_the_event_fails_the_run_after_five_rounds() {
    let services = Services::start().await;
    services.sandbox.faults().inject(Service::EventBridge, "PutEvents", 100, answer(&["InternalFailure"]));
    let error = bus(&services).await.publish(&events(1)).await.unwrap_err();
    let PublishError::Temporary { reason, .. } = &error else { panic!("{error}") };
    assert_eq!(reason, "1 of 1 events were not taken in 5 tries: InternalFailure: said the bus");
    assert_eq!(services.count(Service::EventBridge, "PutEvents"), 5);
}

#[tokio::test]
async fn e06_a_refusal_for_good_is_not_tried_again() {
    let services = Services::start().await;
    services.sandbox.faults().inject(
        Service::EventBridge,
        "PutEvents",
        1,
        answer(&["InternalFailure", "NotAuthorizedForSourceException"]),
    );
    let error = bus(&services).await.publish(&events(2)).await.unwrap_err();
    assert!(
        matches!(&error, PublishError::Fatal { reason, .. } if reason.contains("NotAuthorizedForSource")),
        "{error}"
    );
    assert_eq!(services.count(Service::EventBridge, "PutEvents"), 1);
}

#[tokio::test]
async fn e07_a_bus_is_proved_before_the_first_write() {
    let services = Services::start().await;
    bus(&services).await.check().await.unwrap();
    let aws = services.aws("AWS_ENDPOINT_URL_EVENTBRIDGE").await;
    let unknown = EventBus::new(&aws, "no-such-bus");
    let error = unknown.check().await.unwrap_err();
    assert!(
        matches!(&error, PublishError::Fatal { reason, .. } if reason.contains("EVENT_BUS_NAME")),
        "{error}"
    );
    let error = unknown.publish(&events(1)).await.unwrap_err();
    assert!(matches!(error, PublishError::Fatal { .. }), "{error}");
    let wrong = services.aws_with_secret("AWS_ENDPOINT_URL_EVENTBRIDGE", "not-the-secret").await;
    let error = EventBus::new(&wrong, "no-such-bus").check().await.unwrap_err();
    assert!(
        matches!(&error, PublishError::Fatal { reason, .. } if reason.contains("InvalidSignature")),
        "{error}"
    );
    assert!(!format!("{error} {error:?} {wrong:?}").contains("not-the-secret"));
}

#[tokio::test]
async fn e07_a_role_that_may_not_describe_the_bus_may_still_put_events() {
    let services = Services::start().await;
    let denied = r#"{"__type":"AccessDeniedException","message":"not authorized to perform: events:DescribeEventBus"}"#;
    services.sandbox.faults().inject(Service::EventBridge, "DescribeEventBus", 1, Fault::status(400, denied));
    let bus = bus(&services).await;
    bus.check().await.unwrap();
    assert_eq!(services.sandbox.faults().pending(), 0);
    assert_eq!(bus.publish(&events(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn e07_a_role_that_may_not_put_events_is_told_so_at_once() {
    let services = Services::start().await;
    let denied = r#"{"__type":"AccessDeniedException","message":"not authorized"}"#;
    services.sandbox.faults().inject(Service::EventBridge, "PutEvents", 1, Fault::status(400, denied));
    let error = bus(&services).await.publish(&events(1)).await.unwrap_err();
    assert!(
        matches!(&error, PublishError::Fatal { reason, .. } if reason.contains("events:PutEvents")),
        "{error}"
    );
    assert_eq!(services.count(Service::EventBridge, "PutEvents"), 1);
}

#[tokio::test]
async fn e07_a_bus_that_is_down_is_a_passing_fault() {
    let services = Services::start().await;
    services.sandbox.faults().inject(Service::EventBridge, "PutEvents", 100, Fault::ResetBefore);
    let error = bus(&services).await.publish(&events(1)).await.unwrap_err();
    assert!(matches!(error, PublishError::Temporary { .. }), "{error}");
    assert_eq!(services.count(Service::EventBridge, "PutEvents"), 5);
}
