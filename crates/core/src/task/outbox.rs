//! The outbox: events that may not be on the bus yet.
//!
//! A run's events are kept in `<task>/outbox/<run-id>.json` of the state folder before they are sent, and taken away once
//! the bus has them. What a run finds there when it begins, a run before it could not tell: it is sent then, as it was written,
//! with that run's id. So no end is lost to a crash or to a bus that is down; one may be told twice.

use std::time::Duration;

use crate::eventbridge::{Event, EventBus};
use crate::store::{Condition, Store, StoreError};

/// What one run tells is a few events of at most 256 KiB; most are a hundredth of that.
const MAX_BYTES: u64 = 16 << 20;

/// What lies in the outbox. Earlier versions kept one event as it is.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Kept {
    Several(Vec<Event>),
    One(Event),
}

/// The outbox of one task.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    store: Store,
    folder: String,
}

impl Outbox {
    pub(super) fn new(store: Store, task: &str) -> Self {
        Self { store, folder: format!("{task}/outbox/") }
    }

    /// Keeps events before they are sent.
    pub(super) async fn keep(&self, run_id: &str, events: &[Event]) -> Result<(), StoreError> {
        let key = self.key(run_id);
        let bytes = serde_json::to_vec_pretty(events)
            .map_err(|error| StoreError::Io { uri: self.store.uri(&key), error: error.into() })?;
        self.store.put(&key, bytes.into(), Condition::None).await.map(drop)
    }

    /// Takes them away. What stays is only sent once more.
    pub(super) async fn discard(&self, run_id: &str, within: Duration) {
        let key = self.key(run_id);
        match tokio::time::timeout(within, self.store.delete(&key)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "told event not taken from the outbox; it is sent once more");
            }
            Err(_) => {
                tracing::warn!(key, "told event not taken from the outbox in time; it is sent once more");
            }
        }
    }

    /// Sends what earlier runs could not, oldest first, and gives what the bus has now. What cannot be sent stays: that
    /// does not keep a run from its work.
    pub(super) async fn send_left(&self, bus: &EventBus, within: Duration) -> Result<Vec<Event>, StoreError> {
        let mut sent = Vec::new();
        for object in self.store.list(&self.folder).await? {
            let uri = self.store.uri(&object.key);
            let bytes = match self.store.get(&object.key, MAX_BYTES).await {
                Ok(Some((bytes, _))) => bytes,
                Ok(None) => continue,
                // What stays too large must not keep every run from its work.
                Err(error @ StoreError::TooLarge { .. }) => {
                    tracing::error!(uri, %error, "event of an earlier run is none; see it, and delete it");
                    continue;
                }
                Err(error) => return Err(error),
            };
            let events: Vec<Event> = match serde_json::from_slice::<Kept>(&bytes) {
                Ok(Kept::Several(events)) => events,
                Ok(Kept::One(event)) => vec![event],
                Err(error) => {
                    tracing::error!(uri, %error, "event of an earlier run cannot be read; see it, and delete it");
                    continue;
                }
            };
            if let Err(error) = bus.publish(&events).await {
                tracing::error!(uri, %error, "event of an earlier run still not sent");
                continue;
            }
            for event in &events {
                tracing::warn!(uri, detail_type = event.detail_type, "event of an earlier run sent");
            }
            let run_id = object.key.trim_start_matches(&self.folder).trim_end_matches(".json");
            self.discard(run_id, within).await;
            sent.extend(events);
        }
        Ok(sent)
    }

    fn key(&self, run_id: &str) -> String {
        format!("{}{run_id}.json", self.folder)
    }
}
