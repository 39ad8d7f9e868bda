//! AppSync, the GraphQL database of partner channels: listing, and writing in aliased batches.
//!
//! An error can stand in three places: the HTTP status; a 200 whose errors have no `path` (the whole request was
//! refused, nothing was written); a 200 whose errors have a `path` (that field only, the others *were* written). A
//! list with any error in it is not used at all: a partner list with holes would silently drop channels.

mod answer;
pub mod documents;

use dn_domain::backfill_plan::StoredChannel;
use dn_domain::custom_id::CustomId;
use dn_domain::id::ChannelId;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

use crate::transport::client::target;
use crate::transport::error::excerpt;
use crate::transport::{Call, CallError, CallErrorKind, Transport, backoff, wait};
use answer::{GraphqlAnswer, judge_mutation, judge_query};

/// AppSync's ceiling; its default of 100 would make four pages of 372 channels.
const PAGE_LIMIT: u32 = 1_000;
/// No partner list is longer than this many pages: beyond it the paging itself is broken.
const MAX_PAGES: usize = 1_000;
/// So many aliased mutations travel in one request.
pub const WRITES_PER_REQUEST: usize = 25;
/// Rows that were throttled alone are sent again so often.
const MAX_THROTTLED_ROUNDS: usize = 5;

/// One partner channel to be written.
#[derive(Debug, Clone)]
pub struct ChannelWrite {
    /// The record's own id. A new record has the channel ID as its id, so that a repeated create cannot make two.
    pub id: String,
    /// Whether the record is to be made.
    pub create: bool,
    /// The channel.
    pub channel_id: ChannelId,
    /// Its custom ID.
    pub custom_id: CustomId,
    /// Its name; `None` leaves the stored one as it is.
    pub display_name: Option<String>,
}

/// What became of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The database has the value.
    Written,
    /// A create found the id taken, or an update found no record: read it and decide again.
    ConditionFailed,
    /// Refused, for this row alone.
    Failed {
        /// AppSync's `errorType`, or the transport's code.
        code: String,
        /// Its message.
        reason: String,
    },
}

/// What one look at the list shows.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse {
    /// Whether there is no channel at all.
    pub is_empty: bool,
    /// When the server says that it answered.
    pub date: Option<std::time::SystemTime>,
}

/// The client of one endpoint.
#[derive(Debug)]
pub struct AppSync {
    transport: Transport,
    endpoint: url::Url,
}

impl AppSync {
    /// A client of `endpoint`; the transport carries the key or the signature.
    pub fn new(transport: Transport, endpoint: url::Url) -> Self {
        Self { transport, endpoint }
    }

    /// Every partner channel. Only a null token ends the list: a page may be short or empty and go on. A token that
    /// comes twice, or any error in any page, fails the whole list.
    pub async fn list_channels(&self) -> Result<Vec<StoredChannel>, CallError> {
        let mut channels = Vec::new();
        let mut seen = HashSet::new();
        let mut next_token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let variables = json!({"limit": PAGE_LIMIT, "nextToken": next_token});
            let page = self
                .query("appsync listChannels", documents::LIST_CHANNELS, &variables, "listChannels")
                .await?;
            let page: answer::ChannelPage =
                serde_json::from_value(page).map_err(|error| self.unusable(&error.to_string()))?;
            channels.extend(page.items.into_iter().flatten().map(StoredChannel::from));
            match page.next_token {
                None => return Ok(channels),
                Some(token) if !seen.insert(token.clone()) => {
                    return Err(self.unusable("the same nextToken came twice: the list has no end"));
                }
                token => next_token = token,
            }
        }
        Err(self.unusable("the list has more pages than any partner list can have"))
    }

    /// A page of one channel: whether the endpoint is there and lets this caller read.
    pub async fn glimpse(&self) -> Result<Glimpse, CallError> {
        let variables = json!({"limit": 1, "nextToken": null});
        let call = self.call("appsync listChannels", documents::LIST_CHANNELS, &variables);
        let answer = self.transport.send(&call, &|answer| judge_query(answer, "listChannels")).await?;
        let mut body = GraphqlAnswer::read(&answer.body).map_err(|reason| self.unusable(&reason))?;
        let page: answer::ChannelPage =
            serde_json::from_value(body.data.remove("listChannels").unwrap_or_default())
                .map_err(|error| self.unusable(&error.to_string()))?;
        Ok(Glimpse { is_empty: page.items.is_empty() && page.next_token.is_none(), date: answer.date() })
    }

    /// One record by its own id.
    pub async fn get_channel(&self, id: &str) -> Result<Option<StoredChannel>, CallError> {
        let value = self
            .query("appsync getChannel", documents::GET_CHANNEL, &json!({"id": id}), "getChannel")
            .await?;
        let record: Option<answer::ChannelRecord> =
            serde_json::from_value(value).map_err(|error| self.unusable(&error.to_string()))?;
        Ok(record.map(StoredChannel::from))
    }

    /// Writes up to [`WRITES_PER_REQUEST`] records in one request; an outcome for each, in order. A request that is
    /// refused as a whole is sent again row by row, so that one bad row costs itself alone; rows that were throttled
    /// are sent again without the others. `Err` only for what ends the run.
    pub async fn write_channels(&self, writes: &[ChannelWrite]) -> Result<Vec<WriteOutcome>, CallError> {
        let mut outcomes: Vec<Option<WriteOutcome>> = vec![None; writes.len()];
        let mut pending: Vec<usize> = (0..writes.len()).collect();
        let mut waits = backoff::schedule();
        for round in 0..MAX_THROTTLED_ROUNDS {
            if round > 0 {
                wait(waits.next().unwrap_or_default()).await;
            }
            let throttled = self.write_pending(writes, &pending, &mut outcomes).await?;
            pending = throttled.iter().map(|(index, _)| *index).collect();
            if pending.is_empty() {
                break;
            }
            for (index, reason) in throttled {
                outcomes[index] = Some(WriteOutcome::Failed { code: "throttled".to_owned(), reason });
            }
        }
        let missing = || WriteOutcome::Failed {
            code: "bad_answer".to_owned(),
            reason: "the answer has neither a record nor an error for this row".to_owned(),
        };
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect())
    }

    /// One request for all pending rows, or one for each where that is refused; gives back the throttled ones.
    async fn write_pending(
        &self,
        writes: &[ChannelWrite],
        pending: &[usize],
        outcomes: &mut [Option<WriteOutcome>],
    ) -> Result<Vec<(usize, String)>, CallError> {
        let mut throttled = Vec::new();
        match self.mutate(writes, pending).await {
            Ok(answer) => note_outcomes(&answer, pending, outcomes, &mut throttled),
            Err(error) if error.kind.ends_the_run() => return Err(error),
            Err(error) if pending.len() == 1 => outcomes[pending[0]] = Some(failed(&error)),
            Err(error) => {
                tracing::warn!(rows = pending.len(), %error, "batch of channels refused as a whole; sent again row by row");
                for index in pending {
                    match self.mutate(writes, &[*index]).await {
                        Ok(answer) => note_outcomes(&answer, &[*index], outcomes, &mut throttled),
                        Err(error) if error.kind.ends_the_run() => return Err(error),
                        Err(error) => outcomes[*index] = Some(failed(&error)),
                    }
                }
            }
        }
        Ok(throttled)
    }

    async fn mutate(&self, writes: &[ChannelWrite], rows: &[usize]) -> Result<GraphqlAnswer, CallError> {
        let batch = rows.iter().map(|index| writes[*index].create).collect::<Vec<_>>();
        let mut variables = Map::new();
        for (alias, index) in rows.iter().enumerate() {
            variables.insert(format!("input{alias}"), input(&writes[*index]));
        }
        let call =
            self.call("appsync writeChannels", &documents::write_channels(&batch), &Value::Object(variables));
        let answer = self.transport.send(&call, &judge_mutation).await?;
        GraphqlAnswer::read(&answer.body).map_err(|reason| self.unusable(&reason))
    }

    async fn query(
        &self,
        operation: &'static str,
        document: &str,
        variables: &Value,
        field: &str,
    ) -> Result<Value, CallError> {
        let call = self.call(operation, document, variables);
        let answer = self.transport.send(&call, &|answer| judge_query(answer, field)).await?;
        let mut answer = GraphqlAnswer::read(&answer.body).map_err(|reason| self.unusable(&reason))?;
        Ok(answer.data.remove(field).unwrap_or_default())
    }

    fn call(&self, operation: &'static str, document: &str, variables: &Value) -> Call {
        let body = json!({"query": document, "variables": variables}).to_string();
        Call {
            operation,
            method: Method::POST,
            url: self.endpoint.clone(),
            headers: HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            )]),
            body: body.into(),
        }
    }

    /// An answer that came and cannot be used: the list cannot be trusted, so the run ends as for a server that fails.
    fn unusable(&self, reason: &str) -> CallError {
        CallError {
            operation: "appsync".to_owned(),
            target: target(&Method::POST, &self.endpoint),
            kind: CallErrorKind::BadAnswer,
            reason: excerpt(reason.as_bytes()),
            tries: 1,
            elapsed: std::time::Duration::ZERO,
        }
    }
}

fn failed(error: &CallError) -> WriteOutcome {
    WriteOutcome::Failed { code: error.kind.code().to_owned(), reason: error.reason.clone() }
}

fn input(write: &ChannelWrite) -> Value {
    let mut input = Map::new();
    input.insert("id".to_owned(), write.id.clone().into());
    input.insert("channelId".to_owned(), write.channel_id.as_str().into());
    input.insert("customId".to_owned(), write.custom_id.as_str().into());
    if let Some(name) = &write.display_name {
        input.insert("displayName".to_owned(), name.clone().into());
    }
    Value::Object(input)
}

/// Reads a batch's answer alias by alias: an error with this alias as its path is this row's, whatever stands in
/// `data`.
fn note_outcomes(
    answer: &GraphqlAnswer,
    rows: &[usize],
    outcomes: &mut [Option<WriteOutcome>],
    throttled: &mut Vec<(usize, String)>,
) {
    for (position, index) in rows.iter().enumerate() {
        let alias = documents::alias(position);
        let error = answer.errors.iter().find(|error| error.alias() == Some(alias.as_str()));
        outcomes[*index] = match error {
            Some(error) if error.is_throttle() || error.is_timeout() => {
                throttled.push((*index, error.to_string()));
                None
            }
            Some(error) if error.is_condition() => Some(WriteOutcome::ConditionFailed),
            Some(error) => Some(WriteOutcome::Failed { code: error.code(), reason: error.to_string() }),
            None if answer.data.get(&alias).is_some_and(|record| !record.is_null()) => {
                Some(WriteOutcome::Written)
            }
            None => None,
        };
    }
}
