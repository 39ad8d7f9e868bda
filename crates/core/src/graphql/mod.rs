//! AppSync, the GraphQL database of partner channels and, where the API has them, of videos: listing, and writing
//! channels in aliased batches.
//!
//! An error can stand in three places: the HTTP status; a 200 whose errors have no `path` (the whole request was
//! refused, nothing was written); a 200 whose errors have a `path` (that field only, the others *were* written). A
//! list with any error in it is not used at all: a partner list with holes would silently drop channels.
//!
//! Some APIs keep versions (conflict detection): a record has a `_version` that an update must name, and a deleted one
//! is still listed. Which kind of API this is rides on the first page of the list as one more root field, so that it
//! costs a request only where there are versions, or where introspection is switched off.

mod answer;
pub mod documents;
mod listing;

use dn_domain::backfill_plan::StoredChannel;
use dn_domain::custom_id::CustomId;
use dn_domain::id::ChannelId;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::transport::client::target;
use crate::transport::error::excerpt;
use crate::transport::{Answer, Call, CallError, CallErrorKind, Transport, Verdict, backoff, wait};
use answer::{
    Asked, GraphqlAnswer, judge_asked, judge_if_there, judge_mutation, judge_query, lacks_field, read_asked,
};
pub use listing::ListError;
use listing::{Listing, Paging};

/// AppSync's ceiling; its default of 100 would make four pages of 372 channels.
const PAGE_LIMIT: u32 = 1_000;
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
    /// The version of the record that was read, of an API that keeps versions.
    pub version: Option<i64>,
}

/// Whether the API keeps versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versioning {
    /// Found out when the list is read.
    #[default]
    Auto,
    /// It does.
    Yes,
    /// It does not.
    No,
}

impl FromStr for Versioning {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "yes" => Ok(Self::Yes),
            "no" => Ok(Self::No),
            _ => Err(format!("{text:?} is none of auto, yes and no")),
        }
    }
}

/// What stands under a record's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A record that was deleted. Its id is taken: a create is refused, an update of its version brings it back.
    Deleted {
        /// The version to name in that update.
        version: Option<i64>,
    },
    /// A record.
    Stored(StoredChannel),
}

/// A video as the database has it: a copy of the catalogue, in which anything may be missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVideo {
    /// The record's own id.
    pub id: String,
    /// The channel that published it.
    pub channel_id: Option<String>,
    /// The asset it is claimed with.
    pub asset_id: Option<String>,
}

/// What became of the list of videos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideosRead {
    /// It was read to its end.
    Read,
    /// The API has no such list, or one of another shape.
    NotThere {
        /// In its own words.
        reason: String,
    },
}

/// What became of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The database has the value.
    Written,
    /// A create found the id taken, or an update found no record or one of another version: read it and decide again.
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
    versioning: Versioning,
    /// What was found out, once it was.
    probed: OnceLock<bool>,
    /// A write was refused for its version: proof that there are versions, whatever introspection says.
    refused_for_version: AtomicBool,
}

impl AppSync {
    /// A client of `endpoint`; the transport carries the key or the signature.
    pub fn new(transport: Transport, endpoint: url::Url, versioning: Versioning) -> Self {
        let refused_for_version = AtomicBool::new(false);
        Self { transport, endpoint, versioning, probed: OnceLock::new(), refused_for_version }
    }

    /// Every partner channel that is not deleted. Only a null token ends the list: a page may be short or empty and go
    /// on. Any error in any page fails the whole list, and so does paging that cannot be right ([`ListError`]).
    pub async fn list_channels(&self) -> Result<Vec<StoredChannel>, ListError> {
        let mut listing = Listing::default();
        let mut page = self.first_page().await?;
        loop {
            let page_read = answer::ChannelPage::read(page).map_err(|reason| self.unusable(&reason))?;
            let Some(token) = listing.take(page_read)? else { return Ok(listing.channels) };
            let document = if self.is_versioned() {
                documents::LIST_CHANNELS_VERSIONED
            } else {
                documents::LIST_CHANNELS
            };
            let variables = json!({"limit": PAGE_LIMIT, "nextToken": token});
            page = self.query("appsync listChannels", document, &variables, "listChannels").await?;
        }
    }

    /// Hands every video that is not deleted to `each`, page by page; nothing is kept of them here. The list fails as
    /// that of the channels does, and then what was handed over is a part and worth nothing. That an API has no list of
    /// videos is no failure.
    pub async fn list_videos(
        &self,
        mut each: impl FnMut(StoredVideo) + Send,
    ) -> Result<VideosRead, ListError> {
        let (document, mut page) = match self.first_videos().await? {
            Ok(first) => first,
            Err(reason) => return Ok(VideosRead::NotThere { reason }),
        };
        let mut paging = Paging::new(listing::VIDEOS);
        loop {
            let page_read = answer::VideoPage::read(page).map_err(|reason| self.unusable(&reason))?;
            page_read.videos.into_iter().for_each(&mut each);
            let Some(token) = paging.pass(page_read.record_count, page_read.next_token)? else {
                return Ok(VideosRead::Read);
            };
            let variables = json!({"limit": PAGE_LIMIT, "nextToken": token});
            page = self.query("appsync listVideos", document, &variables, "listVideos").await?;
        }
    }

    /// The first page of videos and the document that it was had with, or why there is none. Versions can be kept of
    /// one model and not of another, so what is known of the channels spares a request only where they have none.
    async fn first_videos(&self) -> Result<Result<(&'static str, Value), String>, CallError> {
        let variables = json!({"limit": PAGE_LIMIT, "nextToken": null});
        let without = self.versioning == Versioning::No || self.probed.get() == Some(&false);
        let mut lacking = String::new();
        for document in
            [documents::LIST_VIDEOS_VERSIONED, documents::LIST_VIDEOS].into_iter().skip(without.into())
        {
            let call = self.call("appsync listVideos", document, &variables);
            let answer = self.transport.send(&call, &|answer| judge_if_there(answer, "listVideos")).await?;
            if let Some(reason) = lacks_field(&answer) {
                lacking = reason;
                continue;
            }
            let mut answer = GraphqlAnswer::read(&answer.body).map_err(|reason| self.unusable(&reason))?;
            return Ok(Ok((document, answer.data.remove("listVideos").unwrap_or_default())));
        }
        Ok(Err(lacking))
    }

    /// The first page, and with it whether the API keeps versions, where that is not known yet.
    async fn first_page(&self) -> Result<Value, CallError> {
        let variables = json!({"limit": PAGE_LIMIT, "nextToken": null});
        if self.versioning != Versioning::Auto || self.probed.get().is_some() || self.is_versioned() {
            let document = if self.is_versioned() {
                documents::LIST_CHANNELS_VERSIONED
            } else {
                documents::LIST_CHANNELS
            };
            return self.query("appsync listChannels", document, &variables, "listChannels").await;
        }
        let mut with_type = variables.clone();
        with_type["type"] = documents::CHANNEL_TYPE.into();
        match self.ask(documents::LIST_CHANNELS_AND_TYPE, &with_type).await? {
            Asked::Answered(mut answer) => {
                // An error can only be the type's here: who may not look at types is in the dark like one whose
                // document was not taken.
                if answer.errors.is_empty() {
                    let fields = answer.data.remove("__type").unwrap_or_default();
                    let fields: Option<answer::TypeFields> =
                        serde_json::from_value(fields).map_err(|error| self.unusable(&error.to_string()))?;
                    let versioned = fields.is_some_and(|fields| fields.have("_version"));
                    self.probed.get_or_init(|| versioned);
                    if !versioned {
                        return Ok(answer.data.remove("listChannels").unwrap_or_default());
                    }
                    tracing::info!("the GraphQL database keeps versions of its records");
                    let document = documents::LIST_CHANNELS_VERSIONED;
                    return self.query("appsync listChannels", document, &variables, "listChannels").await;
                }
            }
            Asked::NotTaken { reason } => {
                tracing::debug!(reason, "the GraphQL database does not tell its types");
            }
        }
        // Without introspection it shows by whether a document with versions is taken.
        if let Asked::Answered(mut answer) = self.ask(documents::LIST_CHANNELS_VERSIONED, &variables).await? {
            self.probed.get_or_init(|| true);
            return Ok(answer.data.remove("listChannels").unwrap_or_default());
        }
        let page =
            self.query("appsync listChannels", documents::LIST_CHANNELS, &variables, "listChannels").await?;
        self.probed.get_or_init(|| false);
        Ok(page)
    }

    /// Whether documents name versions, as far as is known by now.
    fn is_versioned(&self) -> bool {
        match self.versioning {
            Versioning::Yes => true,
            Versioning::No => false,
            Versioning::Auto => {
                self.probed.get() == Some(&true) || self.refused_for_version.load(Ordering::Relaxed)
            }
        }
    }

    /// Sends a list's document that the API may not take.
    async fn ask(&self, document: &str, variables: &Value) -> Result<Asked, CallError> {
        let call = self.call("appsync listChannels", document, variables);
        let answer = self.transport.send(&call, &|answer| judge_asked(answer, "listChannels")).await?;
        read_asked(&answer).map_err(|reason| self.unusable(&reason))
    }

    /// A page of one channel: whether the endpoint is there and lets this caller read.
    pub async fn glimpse(&self) -> Result<Glimpse, CallError> {
        let variables = json!({"limit": 1, "nextToken": null});
        let call = self.call("appsync listChannels", documents::LIST_CHANNELS, &variables);
        let answer = self.transport.send(&call, &|answer| judge_query(answer, "listChannels")).await?;
        let mut body = GraphqlAnswer::read(&answer.body).map_err(|reason| self.unusable(&reason))?;
        let page = answer::ChannelPage::read(body.data.remove("listChannels").unwrap_or_default())
            .map_err(|reason| self.unusable(&reason))?;
        Ok(Glimpse { is_empty: page.items.is_empty() && page.next_token.is_none(), date: answer.date() })
    }

    /// What stands under a record's own id.
    pub async fn get_channel(&self, id: &str) -> Result<Found, CallError> {
        let document =
            if self.is_versioned() { documents::GET_CHANNEL_VERSIONED } else { documents::GET_CHANNEL };
        let value = self.query("appsync getChannel", document, &json!({"id": id}), "getChannel").await?;
        let record: Option<answer::ChannelRecord> =
            serde_json::from_value(value).map_err(|error| self.unusable(&error.to_string()))?;
        Ok(record.map_or(Found::Absent, Found::from))
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
        let document = documents::write_channels(&batch, self.is_versioned());
        let call = self.call("appsync writeChannels", &document, &Value::Object(variables));
        let answer = self.transport.send(&call, &judge_mutation).await?;
        let answer = GraphqlAnswer::read(&answer.body).map_err(|reason| self.unusable(&reason))?;
        if answer.errors.iter().any(answer::GraphqlError::is_conflict) {
            self.refused_for_version.store(true, Ordering::Relaxed);
        }
        Ok(answer)
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
            lost: 0,
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
    if let Some(version) = write.version {
        input.insert("_version".to_owned(), version.into());
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
            Some(error) if error.is_condition() || error.is_conflict() => Some(WriteOutcome::ConditionFailed),
            Some(error) => Some(WriteOutcome::Failed { code: error.code(), reason: error.to_string() }),
            None => answer.data.get(&alias).filter(|record| !record.is_null()).map(written),
        };
    }
}

/// A success, unless the record is deleted all the same: then nobody would see what was written.
fn written(record: &Value) -> WriteOutcome {
    match serde_json::from_value(record.clone()) {
        Ok(answer::WrittenRecord { deleted: Some(true) }) => WriteOutcome::Failed {
            code: "still_deleted".to_owned(),
            reason: "the record was deleted and stays so after the write: restore it in the database, or wait until \
                     the API has removed it for good"
                .to_owned(),
        },
        _ => WriteOutcome::Written,
    }
}

/// A page of partner channels and the token of the next, out of an answer to [`documents::LIST_CHANNELS`]; the verdict
/// where there is none.
pub(crate) fn read_page(answer: &Answer) -> Result<(Vec<Found>, Option<String>), Verdict> {
    let unreadable = |reason| Verdict::Unreadable { reason };
    match judge_query(answer, "listChannels") {
        Verdict::Success => {
            let mut body = GraphqlAnswer::read(&answer.body).map_err(unreadable)?;
            let page = body.data.remove("listChannels").unwrap_or_default();
            let page = answer::ChannelPage::read(page).map_err(unreadable)?;
            Ok((page.items, page.next_token))
        }
        verdict => Err(verdict),
    }
}

/// What an answer to a batch says of each of its rows: an outcome, or none for one that is to be sent again; the verdict
/// where it says nothing.
pub(crate) fn read_batch(answer: &Answer, rows: usize) -> Result<Vec<Option<WriteOutcome>>, Verdict> {
    match judge_mutation(answer) {
        Verdict::Success => {
            let read = GraphqlAnswer::read(&answer.body).map_err(|reason| Verdict::Unreadable { reason })?;
            let mut outcomes = vec![None; rows];
            note_outcomes(&read, &(0..rows).collect::<Vec<_>>(), &mut outcomes, &mut Vec::new());
            Ok(outcomes)
        }
        verdict => Err(verdict),
    }
}
