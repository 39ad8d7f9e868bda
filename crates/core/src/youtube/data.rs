//! The Data API v3: what the public sees of videos today (`videos.list`).
//!
//! A call costs one unit of the day's quota and takes fifty ids, so the ids are asked for in fifties and each once. It is
//! not made on behalf of the content owner: the numbers of a private video are nobody's news.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use dn_domain::id::VideoId;
use http::{HeaderMap, Method};
use serde::{Deserialize, Deserializer};

use super::address::address;
use super::google_error::{Kind, judge, judge_read};
use crate::transport::client::target;
use crate::transport::error::excerpt;
use crate::transport::{Answer, Call, CallError, CallErrorKind, Transport, Verdict};

/// `videos.list` takes so many ids a call at most, and refuses more.
pub const VIDEOS_PER_CALL: usize = 50;

const LIST: &str = "youtube videos.list";
const PARTS: &str = "statistics,status";
const FIELDS: &str = "kind,items(id,statistics(viewCount,likeCount,commentCount),status(privacyStatus))";

/// A video's lifetime counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VideoStats {
    /// Views; none where YouTube does not show them.
    pub views: Option<u64>,
    /// Likes; none where the uploader hides them.
    pub likes: Option<u64>,
    /// Comments; none where they are closed.
    pub comments: Option<u64>,
}

/// What the API says of a video that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundVideo {
    /// The public can watch it.
    There(VideoStats),
    /// It is not in the answer, or in it and private: nobody can watch it any more.
    Gone,
}

/// What asking for videos came to.
#[derive(Debug, Default)]
pub struct AskedVideos {
    /// The videos that were answered for. One that was asked for and is not among them is unknown.
    pub found: HashMap<VideoId, FoundVideo>,
    /// Why the rest was not asked for, or not answered.
    pub error: Option<CallError>,
}

#[derive(Deserialize)]
struct VideoList {
    /// Without its kind an answer is no list: any JSON object would be one with no videos in it, all of them gone.
    #[serde(deserialize_with = "video_list_kind", rename = "kind")]
    _kind: (),
    #[serde(default)]
    items: Vec<Video>,
}

#[derive(Deserialize)]
struct Video {
    #[serde(default)]
    id: String,
    #[serde(default)]
    statistics: Statistics,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize, Default)]
struct Statistics {
    #[serde(default, rename = "viewCount", deserialize_with = "counter")]
    views: Option<u64>,
    #[serde(default, rename = "likeCount", deserialize_with = "counter")]
    likes: Option<u64>,
    #[serde(default, rename = "commentCount", deserialize_with = "counter")]
    comments: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    privacy_status: String,
}

fn video_list_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let kind = String::deserialize(deserializer)?;
    if kind.eq_ignore_ascii_case("youtube#videoListResponse") {
        return Ok(());
    }
    Err(serde::de::Error::custom(format!("its kind is {:?}, not a list of videos", excerpt(kind.as_bytes()))))
}

/// 64 bits come as a text, or as a number; what is no count is none.
fn counter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(number) => number.as_u64(),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    })
}

/// The client: one base address.
#[derive(Debug)]
pub struct Videos {
    transport: Transport,
    base_url: url::Url,
}

impl Videos {
    /// A client of `base_url` (`…/youtube/v3`), with a token for [`CONTENT_ID_SCOPE`](super::auth::CONTENT_ID_SCOPE),
    /// which opens this API too. A [budget](super::CallBudget) of its transport counts units.
    pub fn new(transport: Transport, base_url: url::Url) -> Self {
        Self { transport, base_url }
    }

    /// How many requests this client sent, repeated ones included: so many units were paid for.
    pub fn request_count(&self) -> u64 {
        self.transport.request_count()
    }

    /// Asks for videos, in their order and each once, until one call fails for good.
    pub async fn list(&self, ids: &[VideoId]) -> AskedVideos {
        let mut seen = BTreeSet::new();
        let once: Vec<VideoId> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
        let mut asked = AskedVideos::default();
        for ids in once.chunks(VIDEOS_PER_CALL) {
            match self.list_once(ids).await {
                Ok(found) => asked.found.extend(found),
                Err(error) => {
                    asked.error = Some(error);
                    break;
                }
            }
        }
        asked
    }

    async fn list_once(&self, ids: &[VideoId]) -> Result<Vec<(VideoId, FoundVideo)>, CallError> {
        let call = self.call(ids);
        let answer = self.transport.send(&call, &judge_list).await?;
        let list: VideoList = serde_json::from_slice(&answer.body).map_err(|error| CallError {
            operation: call.operation.to_owned(),
            target: target(&call.method, &call.url),
            kind: CallErrorKind::BadAnswer,
            reason: format!("the list cannot be read: {error}"),
            tries: 1,
            lost: 0,
            elapsed: Duration::ZERO,
        })?;
        Ok(read(list, ids))
    }

    fn call(&self, ids: &[VideoId]) -> Call {
        let ids: Vec<&str> = ids.iter().map(VideoId::as_str).collect();
        let query = [("part", PARTS), ("id", &ids.join(",")), ("fields", FIELDS)];
        let url = address(&self.base_url, "videos", &query, None);
        Call { operation: LIST, method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() }
    }
}

/// Whether an answer is a list of videos. Nothing here is on behalf of a content owner: a 403 is about the project, the
/// token or its scopes.
pub(crate) fn judge_list(answer: &Answer) -> Verdict {
    if answer.status == 403
        && let Verdict::Refused { reason, .. } = judge(answer, Kind::Write)
    {
        let reason = format!(
            "{reason}; enable the YouTube Data API v3 in the credential's project, and see that its token is for \
             youtubepartner or youtube.readonly"
        );
        return Verdict::Fatal { reason };
    }
    judge_read::<VideoList>(answer, Kind::Read)
}

/// Each video of a call, whatever the order of the answer and whatever stands in it besides.
fn read(list: VideoList, ids: &[VideoId]) -> Vec<(VideoId, FoundVideo)> {
    let mut unreadable = false;
    let mut there: HashMap<VideoId, FoundVideo> = HashMap::new();
    for video in list.items {
        let Ok(id) = video.id.parse() else {
            unreadable = true;
            continue;
        };
        let Statistics { views, likes, comments } = video.statistics;
        let found = if video.status.privacy_status.eq_ignore_ascii_case("private") {
            FoundVideo::Gone
        } else {
            FoundVideo::There(VideoStats { views, likes, comments })
        };
        there.insert(id, found);
    }
    let of = |id: &VideoId| match there.get(id) {
        Some(found) => Some((*id, *found)),
        // Of which video an entry without an id is nobody knows.
        None => (!unreadable).then_some((*id, FoundVideo::Gone)),
    };
    ids.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u32]) -> Vec<VideoId> {
        numbers.iter().map(|number| format!("vid{number:08}").parse().unwrap()).collect()
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: body.to_owned().into() }
    }

    #[test]
    fn a22_counters_are_texts_or_numbers_and_a_key_that_is_left_out_is_no_count() {
        let list = serde_json::from_str(
            r#"{"kind":"youtube#videoListResponse","new":1,"items":[
                {"id":"vid00000002","statistics":{"viewCount":"9007199254740993","likeCount":7,"favoriteCount":"0"},
                 "status":{"privacyStatus":"public"}},
                {"id":"vid00000001","statistics":{"viewCount":"-1","likeCount":null,"commentCount":"0"}},
                {"id":"vid00000003","statistics":{"viewCount":"5"},"status":{"privacyStatus":"private"}},
                {"id":"vid00000099","statistics":{"viewCount":"5"}}]}"#,
        );
        let stats = |views, likes, comments| FoundVideo::There(VideoStats { views, likes, comments });
        let asked = ids(&[1, 2, 3, 4]);
        let found = read(list.unwrap(), &asked);
        let expected = [
            stats(None, None, Some(0)),
            stats(Some(9_007_199_254_740_993), Some(7), None),
            FoundVideo::Gone,
            FoundVideo::Gone,
        ];
        assert_eq!(found, asked.into_iter().zip(expected).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_not_in_an_answer_with_an_entry_that_cannot_be_read_is_unknown_and_not_gone() {
        let list = r#"{"kind":"youtube#videoListResponse","items":[{"statistics":{}},{"id":"vid00000001"}]}"#;
        let found = read(serde_json::from_str(list).unwrap(), &ids(&[1, 2]));
        assert_eq!(found, [(ids(&[1])[0], FoundVideo::There(VideoStats::default()))]);
    }

    #[test]
    fn a20_any_other_json_is_no_list_of_videos_that_are_all_gone() {
        for body in ["{}", r#"{"kind":"youtube#channelListResponse","items":[]}"#, "<html>", ""] {
            assert!(matches!(judge_list(&answer(200, body)), Verdict::Unreadable { .. }), "{body}");
        }
    }

    #[rstest::rstest]
    #[case(403, "quotaExceeded", "QuotaExhausted")]
    #[case(403, "rateLimitExceeded", "RateLimited")]
    #[case(403, "accessNotConfigured", "Fatal")]
    #[case(403, "insufficientPermissions", "Fatal")]
    #[case(400, "invalidFilters", "Refused")]
    #[case(401, "authError", "Unauthorized")]
    #[case(503, "backendError", "Transient")]
    fn a_refusal_of_the_project_or_the_token_says_what_to_enable(
        #[case] status: u16,
        #[case] reason: &str,
        #[case] expected: &str,
    ) {
        let body =
            format!(r#"{{"error":{{"code":{status},"message":"m","errors":[{{"reason":"{reason}"}}]}}}}"#);
        let verdict = format!("{:?}", judge_list(&answer(status, &body)));
        assert!(verdict.starts_with(expected), "{verdict}");
        assert_eq!(verdict.contains("enable the YouTube Data API v3"), expected == "Fatal", "{verdict}");
    }
}
