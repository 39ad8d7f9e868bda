//! AppSync's answers: where errors stand and what they mean. Types are decided by `errorType`, never by a message.

use std::fmt;

use dn_domain::backfill_plan::StoredChannel;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Found, StoredVideo};
use crate::transport::Answer;
use crate::transport::error::excerpt;
use crate::transport::verdict::{Verdict, by_status};

/// What to do about a refused key: said wherever one is refused.
const KEY_HINT: &str = "the API key is wrong or has expired (a key lives 365 days at the most): make a new one for \
    this API in the AppSync console under Settings, put it into the secret behind GRAPHQL_API_KEY and start the task \
    again";
/// What to do about a refused role.
const ROLE_HINT: &str = "the caller may not use this API: with an API key, see that the model allows it; with a role \
    (GRAPHQL_AUTH=iam), list the task role in Amplify's custom-roles.json and push";

/// A 200's body.
#[derive(Debug, Default, Deserialize)]
pub(super) struct GraphqlAnswer {
    #[serde(default, deserialize_with = "null_as_default")]
    pub data: Map<String, Value>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub errors: Vec<GraphqlError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GraphqlError {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    path: Option<Vec<Value>>,
}

/// A page of partner channels, every record of it: deleted ones are told as such.
#[derive(Debug)]
pub(super) struct ChannelPage {
    pub items: Vec<Found>,
    pub next_token: Option<String>,
}

impl ChannelPage {
    pub fn read(page: Value) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            items: Vec<Option<ChannelRecord>>,
            #[serde(default)]
            next_token: Option<String>,
        }
        let page: Page = serde_json::from_value(page).map_err(|error| error.to_string())?;
        let items: Option<Vec<_>> = page.items.into_iter().map(|item| item.map(Found::from)).collect();
        let items = items.ok_or("an entry of the list is null: a partner channel is missing in it")?;
        Ok(Self { items, next_token: page.next_token })
    }
}

/// A page of videos. Deleted ones are counted and nothing else.
#[derive(Debug)]
pub(super) struct VideoPage {
    pub videos: Vec<StoredVideo>,
    /// Deleted ones included.
    pub record_count: usize,
    pub next_token: Option<String>,
}

impl VideoPage {
    pub fn read(page: Value) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            items: Vec<Option<VideoRecord>>,
            #[serde(default)]
            next_token: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct VideoRecord {
            id: String,
            #[serde(default, rename = "channelID")]
            channel_id: Option<String>,
            #[serde(default)]
            asset_id: Option<String>,
            #[serde(default, rename = "_deleted")]
            deleted: Option<bool>,
        }
        let Page { items, next_token } = serde_json::from_value(page).map_err(|error| error.to_string())?;
        let record_count = items.len();
        let mut videos = Vec::with_capacity(record_count);
        for record in items {
            let VideoRecord { id, channel_id, asset_id, deleted } =
                record.ok_or("an entry of the list is null: a video is missing in it")?;
            if deleted != Some(true) {
                videos.push(StoredVideo { id, channel_id, asset_id });
            }
        }
        Ok(Self { videos, record_count, next_token })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChannelRecord {
    id: String,
    channel_id: String,
    #[serde(default)]
    custom_id: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default, rename = "_version")]
    version: Option<i64>,
    #[serde(default, rename = "_deleted")]
    deleted: Option<bool>,
}

impl From<ChannelRecord> for Found {
    fn from(record: ChannelRecord) -> Self {
        let ChannelRecord { id, channel_id, custom_id, display_name, version, deleted } = record;
        if deleted == Some(true) {
            return Self::Deleted { version };
        }
        Self::Stored(StoredChannel { id, channel_id, custom_id, display_name, version })
    }
}

/// The answer to a write, of an API that keeps versions.
#[derive(Debug, Deserialize)]
pub(super) struct WrittenRecord {
    #[serde(default, rename = "_deleted")]
    pub deleted: Option<bool>,
}

/// The fields of a type; null for one that there is not.
#[derive(Debug, Deserialize)]
pub(super) struct TypeFields {
    #[serde(default, deserialize_with = "null_as_default")]
    fields: Vec<NamedField>,
}

#[derive(Debug, Deserialize)]
struct NamedField {
    name: String,
}

impl TypeFields {
    pub fn have(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl GraphqlAnswer {
    pub fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body)
            .map_err(|error| format!("no GraphQL answer ({error}): {}", excerpt(body)))
    }
}

impl GraphqlError {
    /// The alias whose field failed; `None` for an error of the whole request.
    pub fn alias(&self) -> Option<&str> {
        self.path.as_ref()?.first()?.as_str()
    }

    pub fn code(&self) -> String {
        excerpt(self.error_type.as_deref().unwrap_or("graphql_error").as_bytes())
    }

    fn error_type(&self) -> &str {
        self.error_type.as_deref().unwrap_or_default()
    }

    pub fn is_throttle(&self) -> bool {
        ["Throttling", "LimitExceeded", "TooManyRequests", "ProvisionedThroughputExceeded"]
            .iter()
            .any(|part| self.error_type().contains(part))
    }

    pub fn is_condition(&self) -> bool {
        self.error_type().ends_with("ConditionalCheckFailedException")
    }

    /// The record is not of the version that the write named.
    pub fn is_conflict(&self) -> bool {
        self.error_type() == "ConflictUnhandled"
    }

    fn is_unauthorized(&self) -> bool {
        matches!(self.error_type(), "Unauthorized" | "UnauthorizedException")
    }

    /// The document does not fit the schema. AppSync itself gives such errors no type at all.
    fn is_validation(&self) -> bool {
        self.error_type.is_none()
            || self.error_type() == "FieldUndefined"
            || self.error_type().contains("Validation")
    }

    /// AppSync has no type for its own 30-second limit: the text is all there is.
    pub fn is_timeout(&self) -> bool {
        self.error_type() == "ExecutionTimeout"
            || self.message.as_deref().is_some_and(|text| text.starts_with("Execution timed out"))
    }

    fn verdict(&self) -> Verdict {
        let reason = self.to_string();
        if self.is_unauthorized() {
            Verdict::Fatal { reason: format!("{reason}; {ROLE_HINT}") }
        } else if self.is_throttle() {
            Verdict::RateLimited { reason, retry_after: None }
        } else if self.is_timeout() {
            Verdict::Transient { reason, retry_after: None }
        } else {
            Verdict::Refused { code: self.code(), reason }
        }
    }
}

impl fmt::Display for GraphqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = excerpt(self.message.as_deref().unwrap_or("no message").as_bytes());
        write!(f, "{}: {message}", self.code())
    }
}

/// The verdict on a read: any error anywhere, and the answer is not used.
pub(super) fn judge_query(answer: &Answer, field: &str) -> Verdict {
    match judge(answer) {
        Ok(body) => match body.errors.first() {
            Some(error) => error.verdict(),
            None if !body.data.contains_key(field) => Verdict::Unreadable {
                reason: format!("the answer has no {field}: {}", excerpt(&answer.body)),
            },
            None => Verdict::Success,
        },
        Err(verdict) => verdict,
    }
}

/// What became of a list's document, where several may have to be tried.
#[derive(Debug)]
pub(super) enum Asked {
    /// It was answered; `errors` may have what concerns another field than the list.
    Answered(GraphqlAnswer),
    /// The API does not take the document at all: a field in it that it does not have, or introspection switched off.
    NotTaken {
        /// In its own words.
        reason: String,
    },
}

/// The verdict on a list whose document the API may not take: that is a success too, told apart by [`read_asked`].
pub(super) fn judge_asked(answer: &Answer, field: &str) -> Verdict {
    if not_taken(answer).is_some() {
        return Verdict::Success;
    }
    match judge(answer) {
        Ok(body) => match body.errors.iter().find(|error| error.alias().is_none_or(|alias| alias == field)) {
            Some(error) => error.verdict(),
            None if !body.data.contains_key(field) => Verdict::Unreadable {
                reason: format!("the answer has no {field}: {}", excerpt(&answer.body)),
            },
            None => Verdict::Success,
        },
        Err(verdict) => verdict,
    }
}

/// Reads an answer that [`judge_asked`] let through.
pub(super) fn read_asked(answer: &Answer) -> Result<Asked, String> {
    match not_taken(answer) {
        Some(reason) => Ok(Asked::NotTaken { reason }),
        None => GraphqlAnswer::read(&answer.body).map(Asked::Answered),
    }
}

/// A document is refused as a whole: by an error without a path, or (not AppSync's way) by HTTP 400.
fn not_taken(answer: &Answer) -> Option<String> {
    if answer.status == 400 {
        return Some(format!("HTTP 400: {}", excerpt(&answer.body)));
    }
    let body = GraphqlAnswer::read(&answer.body).ok().filter(|_| answer.status == 200)?;
    let whole = body.errors.iter().find(|error| error.alias().is_none())?;
    matches!(whole.verdict(), Verdict::Refused { .. }).then(|| whole.to_string())
}

/// The verdict on a list that an API need not have: that it has none is a success too, told apart by
/// [`lacks_field`].
pub(super) fn judge_if_there(answer: &Answer, field: &str) -> Verdict {
    if lacks_field(answer).is_some() { Verdict::Success } else { judge_query(answer, field) }
}

/// Why the document does not fit the API's schema, in the API's words. Only a refusal of the whole document counts, and
/// none for anything else than what it asks for: an API that is merely out of order has its fields all the same.
pub(super) fn lacks_field(answer: &Answer) -> Option<String> {
    if !matches!(answer.status, 200 | 400) {
        return None;
    }
    let errors = GraphqlAnswer::read(&answer.body).ok()?.errors;
    let is_other =
        errors.iter().any(|error| error.alias().is_some() || error.is_timeout() || !error.is_validation());
    errors.first().filter(|_| !is_other).map(GraphqlError::to_string)
}

/// The verdict on a batch of writes: errors of single aliases are the rows' own matter, unless they say that no row
/// may be written.
pub(super) fn judge_mutation(answer: &Answer) -> Verdict {
    match judge(answer) {
        Ok(body) => {
            let whole = body.errors.iter().find(|error| error.alias().is_none() || error.is_unauthorized());
            whole.map_or(Verdict::Success, GraphqlError::verdict)
        }
        Err(verdict) => verdict,
    }
}

/// A 200's body, or the verdict on anything else.
fn judge(answer: &Answer) -> Result<GraphqlAnswer, Verdict> {
    let body = GraphqlAnswer::read(&answer.body);
    if (200..300).contains(&answer.status) {
        return body.map_err(|reason| Verdict::Unreadable { reason });
    }
    let first = body.as_ref().ok().and_then(|body| body.errors.first());
    let reason = match first {
        Some(error) => format!("HTTP {} {error}", answer.status),
        None => format!("HTTP {}: {}", answer.status, excerpt(&answer.body)),
    };
    if first.is_some_and(GraphqlError::is_throttle) {
        return Err(Verdict::RateLimited { reason, retry_after: answer.retry_after() });
    }
    Err(match by_status(answer.status, &reason, answer.retry_after()) {
        Verdict::Unauthorized { reason } | Verdict::Fatal { reason }
            if matches!(answer.status, 401 | 403) =>
        {
            Verdict::Fatal { reason: format!("{reason}; {KEY_HINT}") }
        }
        verdict => verdict,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: http::HeaderMap::new(), body: body.to_owned().into() }
    }

    #[rstest::rstest]
    #[case::whole(r#"{"data":null,"errors":[{"message":"x","errorType":"ValidationError"}]}"#, "Refused")]
    #[case::one_field(r#"{"data":{"listChannels":{"items":[null]}},"errors":[{"path":["listChannels","items",0],"errorType":"MappingTemplate","message":"x"}]}"#, "Refused")]
    #[case::throttled(r#"{"data":{"listChannels":null},"errors":[{"path":["listChannels"],"errorType":"ThrottlingException","message":"x"}]}"#, "RateLimited")]
    #[case::timeout(r#"{"data":{"listChannels":null},"errors":[{"path":["listChannels"],"message":"Execution timed out."}]}"#, "Transient")]
    #[case::role(r#"{"data":{"listChannels":null},"errors":[{"path":["listChannels"],"errorType":"Unauthorized","message":"Not Authorized to access listChannels on type Query"}]}"#, "Fatal")]
    #[case::good(r#"{"data":{"listChannels":{"items":[],"nextToken":null}}}"#, "Success")]
    #[case::other_field(r#"{"data":{}}"#, "Unreadable")]
    #[case::page("<html>", "Unreadable")]
    fn g01_a_list_with_any_error_in_it_is_not_used(#[case] body: &str, #[case] expected: &str) {
        let verdict = judge_query(&answer(200, body), "listChannels");
        assert!(format!("{verdict:?}").starts_with(expected), "{verdict:?}");
    }

    #[rstest::rstest]
    #[case::field_unknown(
        r#"{"data":null,"errors":[{"message":"Validation error of type FieldUndefined"}]}"#,
        "NotTaken"
    )]
    #[case::page(r#"{"data":{"listChannels":{"items":[]}}}"#, "Answered")]
    #[case::only_the_type(r#"{"data":{"listChannels":{"items":[]},"__type":null},"errors":[{"path":["__type"],"errorType":"Unauthorized","message":"x"}]}"#, "Answered")]
    #[case::in_the_list(r#"{"data":{"listChannels":{"items":[null]}},"errors":[{"path":["listChannels","items",0],"errorType":"MappingTemplate","message":"x"}]}"#, "Refused")]
    #[case::throttled(
        r#"{"data":null,"errors":[{"errorType":"ThrottlingException","message":"x"}]}"#,
        "RateLimited"
    )]
    #[case::key(r#"{"data":null,"errors":[{"errorType":"UnauthorizedException","message":"x"}]}"#, "Fatal")]
    fn a_document_that_is_not_taken_is_told_from_a_list_with_an_error_in_it(
        #[case] body: &str,
        #[case] expected: &str,
    ) {
        let answer = answer(200, body);
        let told = match judge_asked(&answer, "listChannels") {
            Verdict::Success => format!("{:?}", read_asked(&answer).unwrap()),
            verdict => format!("{verdict:?}"),
        };
        assert!(told.starts_with(expected), "{told}");
    }

    #[rstest::rstest]
    #[case::by_appsync(200, r#"{"data":null,"errors":[{"path":null,"message":"Validation error of type FieldUndefined: Field 'listVideos' in type 'Query' is undefined"}]}"#, true)]
    #[case::typed(200, r#"{"errors":[{"errorType":"ValidationError","message":"x"}]}"#, true)]
    #[case::as_bad_request(400, r#"{"errors":[{"errorType":"FieldUndefined","message":"x"}]}"#, true)]
    #[case::in_the_list(
        200,
        r#"{"data":{"listVideos":null},"errors":[{"path":["listVideos"],"message":"x"}]}"#,
        false
    )]
    #[case::broken(200, r#"{"data":null,"errors":[{"errorType":"InternalFailure","message":"x"}]}"#, false)]
    #[case::timed_out(200, r#"{"data":null,"errors":[{"message":"Execution timed out."}]}"#, false)]
    #[case::signature(
        400,
        r#"{"errors":[{"errorType":"IncompleteSignatureException","message":"x"}]}"#,
        false
    )]
    #[case::one_of_two(
        200,
        r#"{"errors":[{"errorType":"ValidationError"},{"errorType":"ThrottlingException"}]}"#,
        false
    )]
    #[case::gateway(400, "<html>", false)]
    #[case::down(503, r#"{"errors":[{"message":"x"}]}"#, false)]
    #[case::page(200, r#"{"data":{"listVideos":{"items":[]}}}"#, false)]
    fn a_list_that_is_not_there_is_told_from_one_that_cannot_be_had(
        #[case] status: u16,
        #[case] body: &str,
        #[case] lacking: bool,
    ) {
        assert_eq!(lacks_field(&answer(status, body)).is_some(), lacking);
        assert!(!lacking || judge_if_there(&answer(status, body), "listVideos") == Verdict::Success);
    }

    #[test]
    fn a_page_of_videos_takes_nulls_and_passes_over_what_is_deleted_but_has_no_holes() {
        let video = serde_json::json!({"id": "a", "channelID": null, "assetId": null});
        let deleted = serde_json::json!({"id": "b", "channelID": "c", "assetId": "d", "_deleted": true});
        let page = VideoPage::read(serde_json::json!({"items": [video, deleted], "nextToken": "t"})).unwrap();
        assert_eq!(page.videos, [StoredVideo { id: "a".to_owned(), channel_id: None, asset_id: None }]);
        assert_eq!((page.record_count, page.next_token.as_deref()), (2, Some("t")));
        assert!(
            VideoPage::read(serde_json::json!({"items": [video, null]})).unwrap_err().contains("missing")
        );
        assert!(VideoPage::read(Value::Null).is_err());
    }

    #[test]
    fn g01_a_list_with_a_hole_in_it_is_not_used() {
        let channel = serde_json::json!({"id": "1", "channelId": "UCaaaaaaaaaaaaaaaaaaaaaa"});
        let page = ChannelPage::read(serde_json::json!({"items": [channel], "nextToken": null}));
        assert_eq!(page.unwrap().items.len(), 1);
        let error = ChannelPage::read(serde_json::json!({"items": [channel, null]})).unwrap_err();
        assert!(error.contains("missing"), "{error}");
    }

    #[test]
    fn g01_an_error_of_one_alias_leaves_the_others_written() {
        let body = r#"{"data":{"w0":{"id":"a"},"w1":null},"errors":[{"path":["w1"],"errorType":"DynamoDB:ConditionalCheckFailedException","message":"x"}]}"#;
        assert_eq!(judge_mutation(&answer(200, body)), Verdict::Success);
        let read = GraphqlAnswer::read(body.as_bytes()).unwrap();
        assert_eq!(read.errors[0].alias(), Some("w1"));
        assert!(read.errors[0].is_condition());
    }

    #[test]
    fn g05_a_refused_key_says_how_to_rotate_it() {
        let body = r#"{"errors":[{"errorType":"UnauthorizedException","message":"You are not authorized to make this call."}]}"#;
        match judge_mutation(&answer(401, body)) {
            Verdict::Fatal { reason } => assert!(reason.contains("make a new one"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}
