//! The event bus: how a run tells the rest of the system how it ended.
//!
//! `PutEvents` answers 200 also when it took nothing. An event counts as published when the bus gave it an id, and
//! what was not taken is sent again, alone.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use dn_domain::printable::printable;
use serde_json::Value;

use crate::aws::{Meaning, one_line, read_failure};
use crate::transport::{backoff, wait};

/// The most entries of one call.
const MAX_ENTRIES: usize = 10;
/// The most bytes of one entry, and of all entries of one call.
const MAX_CALL_BYTES: usize = 256 * 1024;
/// An entry that the bus does not take is sent this often in all.
const MAX_ROUNDS: u32 = 5;

/// One event as a rule sees it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Who says it, as `dn.backend.channelbackfill`.
    pub source: String,
    /// What happened, as `Channel Backfill Completed`.
    pub detail_type: String,
    /// The particulars, an object. Counts and addresses, never lists of rows: an event has a size limit.
    pub detail: Value,
    /// ARNs of what it is about.
    pub resources: Vec<String>,
}

/// Why events are not (all) on the bus.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The bus refuses, and will refuse again.
    #[error("the event bus {bus} refuses: {reason}")]
    Fatal {
        /// The bus's name or ARN.
        bus: String,
        /// Its own words and the remedy.
        reason: String,
    },
    /// The bus cannot be reached or does not take the event now; a later run can publish it.
    #[error("the event bus {bus} does not take the event: {reason}")]
    Temporary {
        /// The bus's name or ARN.
        bus: String,
        /// Its own words.
        reason: String,
    },
    /// An event is larger than the bus takes. Nothing was sent.
    #[error(
        "the event \"{detail_type}\" has {size_bytes} bytes and the bus takes {MAX_CALL_BYTES}: put the rows into the run folder and their address into the event"
    )]
    TooLarge {
        /// Which event.
        detail_type: String,
        /// Its size as the bus counts it.
        size_bytes: usize,
    },
}

/// What a look at a bus shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Described {
    /// It is there.
    There,
    /// The caller is known and may not look. It may well be allowed to put events.
    NotAllowed {
        /// The bus's own words.
        reason: String,
    },
    /// There is no such bus in this account and region.
    Absent {
        /// The bus's own words.
        reason: String,
    },
}

/// A client of one bus.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Client,
    bus: String,
}

impl EventBus {
    /// A client of the bus of that name or ARN; nothing is sent yet.
    pub fn new(aws: &SdkConfig, bus_name: impl Into<String>) -> Self {
        Self { client: Client::new(aws), bus: bus_name.into() }
    }

    /// Proves before the first write that the end of the run can be told: a bus that does not exist or credentials
    /// that nobody knows are found out here. A role that may put events need not be allowed to describe the bus, so
    /// that refusal is only noted.
    pub async fn check(&self) -> Result<(), PublishError> {
        match self.describe().await? {
            Described::There => Ok(()),
            Described::NotAllowed { reason } => {
                tracing::info!(
                    event_bus = self.bus,
                    reason,
                    "event bus not checked: not allowed to describe it"
                );
                Ok(())
            }
            Described::Absent { reason } => {
                Err(self.fatal(format!("{reason}; see --event-bus (EVENT_BUS_NAME) and AWS_REGION")))
            }
        }
    }

    /// Looks whether the bus is there, as far as this caller may know.
    pub async fn describe(&self) -> Result<Described, PublishError> {
        let Err(error) = self.client.describe_event_bus().name(&self.bus).send().await else {
            return Ok(Described::There);
        };
        let failure = read_failure(&error);
        match failure.meaning {
            Meaning::Denied => Ok(Described::NotAllowed { reason: failure.reason }),
            Meaning::Absent => Ok(Described::Absent { reason: failure.reason }),
            meaning => Err(self.failed(meaning, failure.reason)),
        }
    }

    /// Puts events on the bus and gives their ids, in the order of the events. An error says that at least one event
    /// is not on the bus; others may be.
    pub async fn publish(&self, events: &[Event]) -> Result<Vec<String>, PublishError> {
        let mut ids = Vec::with_capacity(events.len());
        for call in calls(events)? {
            ids.extend(self.publish_call(call).await?);
        }
        Ok(ids)
    }

    /// The error of a bus that did not answer within the time that whoever publishes had.
    pub fn no_answer(&self, within: std::time::Duration) -> PublishError {
        self.temporary(format!("no answer within {} s", within.as_secs()))
    }

    async fn publish_call(&self, events: &[Event]) -> Result<Vec<String>, PublishError> {
        let mut ids: Vec<Option<String>> = vec![None; events.len()];
        let mut open: Vec<usize> = (0..events.len()).collect();
        for round in 0..MAX_ROUNDS {
            let entries = open.iter().map(|&index| self.entry(&events[index])).collect();
            let answer =
                self.client.put_events().set_entries(Some(entries)).send().await.map_err(|error| {
                    let failure = read_failure(&error);
                    self.failed(failure.meaning, failure.reason)
                })?;
            let results = answer.entries();
            if results.len() != open.len() {
                return Err(self.temporary(format!(
                    "{} events were sent and {} answered for",
                    open.len(),
                    results.len()
                )));
            }
            for (&index, result) in open.iter().zip(results) {
                ids[index] = result.event_id().map(str::to_owned);
            }
            let mut failed = results.iter().filter(|result| result.event_id().is_none());
            if let Some(refused) = failed.clone().find(|result| !may_pass(result)) {
                return Err(self.fatal(told(refused)));
            }
            let Some(last) = failed.next_back() else { break };
            open.retain(|&index| ids[index].is_none());
            if round + 1 == MAX_ROUNDS {
                let reason = format!(
                    "{} of {} events were not taken in {MAX_ROUNDS} tries: {}",
                    open.len(),
                    events.len(),
                    told(last)
                );
                return Err(self.temporary(reason));
            }
            tracing::warn!(
                event_bus = self.bus,
                failed = open.len(),
                reason = told(last),
                "events not taken, sent again"
            );
            wait(backoff::nth(round)).await;
        }
        Ok(ids.into_iter().flatten().collect())
    }

    fn entry(&self, event: &Event) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(&event.source)
            .detail_type(&event.detail_type)
            .detail(event.detail.to_string())
            .set_resources((!event.resources.is_empty()).then(|| event.resources.clone()))
            .build()
    }

    fn failed(&self, meaning: Meaning, reason: String) -> PublishError {
        match meaning {
            Meaning::Temporary | Meaning::Precondition => self.temporary(reason),
            Meaning::Denied => {
                self.fatal(format!("{reason}; the task role needs events:PutEvents on this bus"))
            }
            Meaning::BadCredentials => {
                self.fatal(format!("{reason}; see the task role, or AWS_ACCESS_KEY_ID, and the clock"))
            }
            Meaning::Absent | Meaning::Refused => self.fatal(reason),
        }
    }

    fn fatal(&self, reason: String) -> PublishError {
        PublishError::Fatal { bus: self.bus.clone(), reason }
    }

    fn temporary(&self, reason: String) -> PublishError {
        PublishError::Temporary { bus: self.bus.clone(), reason }
    }
}

/// Whether an entry that was not taken may be taken a moment later. Codes nobody has heard of may: the number of
/// rounds is small.
fn may_pass(result: &PutEventsResultEntry) -> bool {
    !matches!(
        result.error_code().unwrap_or_default(),
        "AccessDeniedException"
            | "NotAuthorizedForSourceException"
            | "NotAuthorizedForDetailTypeException"
            | "InvalidAccountIdException"
            | "InvalidArgument"
            | "MalformedDetail"
            | "RedactionFailure"
            | "ResourceNotFoundException"
    )
}

fn told(result: &PutEventsResultEntry) -> String {
    one_line(&format!(
        "{}: {}",
        result.error_code().unwrap_or("no error code"),
        result.error_message().unwrap_or("no message")
    ))
}

/// Cuts events into calls within both limits; an event that is too large alone is refused before anything is sent.
fn calls(events: &[Event]) -> Result<Vec<&[Event]>, PublishError> {
    let mut calls = Vec::new();
    let (mut start, mut call_bytes) = (0, 0);
    for (index, event) in events.iter().enumerate() {
        let size_bytes = size_bytes(event);
        if size_bytes > MAX_CALL_BYTES {
            return Err(PublishError::TooLarge { detail_type: printable(&event.detail_type), size_bytes });
        }
        if index - start == MAX_ENTRIES || call_bytes + size_bytes > MAX_CALL_BYTES {
            calls.push(&events[start..index]);
            (start, call_bytes) = (index, 0);
        }
        call_bytes += size_bytes;
    }
    if start < events.len() {
        calls.push(&events[start..]);
    }
    Ok(calls)
}

/// The size of an entry as EventBridge documents it: source, detail-type, detail and resources in UTF-8. No time is
/// sent, so none counts.
fn size_bytes(event: &Event) -> usize {
    event.source.len()
        + event.detail_type.len()
        + event.detail.to_string().len()
        + event.resources.iter().map(String::len).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(detail_bytes: usize) -> Event {
        Event {
            source: "dn.test".to_owned(),
            detail_type: "Test".to_owned(),
            detail: Value::String("x".repeat(detail_bytes - 2)),
            resources: Vec::new(),
        }
    }

    fn lengths(events: &[Event]) -> Vec<usize> {
        calls(events).unwrap().iter().map(|call| call.len()).collect()
    }

    #[test]
    fn events_go_out_ten_at_a_time() {
        assert_eq!(lengths(&vec![event(100); 23]), [10, 10, 3]);
        assert_eq!(lengths(&vec![event(100); 10]), [10]);
        assert_eq!(lengths(&[]), Vec::<usize>::new());
    }

    #[test]
    fn a_call_stays_within_the_limit_of_all_its_entries() {
        assert_eq!(lengths(&vec![event(100 * 1024); 5]), [2, 2, 1]);
    }

    #[test]
    fn e08_an_event_over_the_size_limit_is_refused_before_it_is_sent() {
        let overhead = "dn.test".len() + "Test".len();
        assert_eq!(lengths(&[event(MAX_CALL_BYTES - overhead)]), [1]);
        let error = calls(&[event(100), event(MAX_CALL_BYTES - overhead + 1)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the event \"Test\" has 262145 bytes and the bus takes 262144: put the rows into the run folder and their \
             address into the event"
        );
    }
}
