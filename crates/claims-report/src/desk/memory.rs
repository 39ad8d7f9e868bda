//! What the desk has told already: a small file beside the history.

use std::collections::BTreeMap;

use anyhow::Context as _;
use dn_core::store::{Condition, Store};
use dn_core::task::{Context, Ended, Exit, clock};
use dn_domain::claims::alert::{Alert, Kind, State};
use serde::{Deserialize, Serialize};

use super::FOLDER;
use crate::Tally;
use crate::history::History;

/// The desk's part of the state folder.
const KEY: &str = "claims-report/disputes/told.json";

/// No desk has alerts near this.
const MAX_BYTES: u64 = 16 << 20;

/// The alerts of the desk's last run.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    run_id: String,
    generated_at: String,
    /// As that run settled them.
    alerts: Vec<Alert>,
    /// As they were before it: what counts if it was cut off before it could tell its own.
    before: Vec<Alert>,
}

impl Memory {
    /// What the desk's last run told. One that was cut off before its end told nothing.
    pub async fn load(store: &Store) -> anyhow::Result<Self> {
        let Some((bytes, _)) = store.get(KEY, MAX_BYTES).await? else { return Ok(Self::default()) };
        let mut memory: Self = serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!(
                "{}: it is damaged ({error}); delete it: open deadlines are then told once more",
                store.uri(KEY)
            );
            Ended::new(Exit::InputRefused, message)
        })?;
        let summary = format!("{FOLDER}/runs/{}/summary.json", memory.run_id);
        if store.get(&summary, MAX_BYTES).await?.is_none() {
            memory.alerts = std::mem::take(&mut memory.before);
        }
        Ok(memory)
    }

    /// The deadlines that were told, by the desk or by the last weekly report; the newer of the two has the last word.
    pub async fn open_alerts(&self, history: &History) -> anyhow::Result<Vec<Alert>> {
        let Some(last) = history.weeks().await?.pop() else { return Ok(self.alerts.clone()) };
        let weekly = history.alerts(last.week).await?;
        let weekly = weekly.into_iter().filter(|kept| kept.is_told).map(|kept| kept.alert);
        let weekly: Vec<Alert> = weekly.filter(|alert| alert.kind == Kind::DisputeDeadline).collect();
        Ok(self.after(weekly, &last.generated_at))
    }

    /// Alerts of a weekly report made at some time, and the desk's.
    pub fn after(&self, weekly: Vec<Alert>, generated_at: &str) -> Vec<Alert> {
        let desk = self.alerts.clone();
        let is_newer = self.generated_at.as_str() > generated_at;
        let [older, newer] = if is_newer { [weekly, desk] } else { [desk, weekly] };
        let by_id: BTreeMap<String, Alert> =
            older.into_iter().chain(newer).map(|alert| (alert.id.clone(), alert)).collect();
        by_id.into_values().collect()
    }

    /// Keeps what this run tells.
    pub async fn keep(self, context: &Context<Tally>, told: Vec<Alert>) -> anyhow::Result<()> {
        let mut before = self.alerts;
        before.retain(|alert| alert.state != State::Resolved);
        let memory = Self {
            run_id: context.info.run_id.clone(),
            generated_at: clock::event_time(context.info.started_at),
            alerts: told,
            before,
        };
        let bytes = serde_json::to_vec_pretty(&memory)?;
        let put = context.store()?.put(KEY, bytes.into(), Condition::None).await;
        put.map(drop).context("what was told could not be kept")
    }
}
