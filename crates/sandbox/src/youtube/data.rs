//! The Data API v3: `videos.list` over the videos that were put there.
//!
//! Every call costs a unit of the day's quota, a wrong one too. A video that was deleted or is private is absent from the
//! answer; a count that the uploader hides has no key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::journal::Service;
use crate::lock::hold;
use crate::wire::{Call, Operation, Play, Reply};
use crate::youtube::content_id::{compress, partial};
use crate::youtube::tokens::{SCOPE, TokenBook};

const VIDEOS: &str = "/youtube/v3/videos";
/// A token for one of these opens the API.
const SCOPES: [&str; 2] = [SCOPE, "https://www.googleapis.com/auth/youtube.readonly"];
/// So many ids a call; more are a wrong filter.
const MOST_IDS: usize = 50;
/// The quota of a project's day.
pub(crate) const UNITS_A_DAY: u64 = 10_000;
const PARTS: [&str; 3] = ["snippet", "statistics", "status"];

/// A video as the API has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoRecord {
    /// Its id.
    pub id: String,
    /// The channel that it is on.
    pub channel_id: String,
    /// Its title.
    pub title: String,
    /// When it was published.
    pub published: Timestamp,
    /// Lifetime views.
    pub views: u64,
    /// Likes; none where they are hidden.
    pub likes: Option<u64>,
    /// Comments; none where they are closed.
    pub comments: Option<u64>,
    /// `public`, `unlisted` or `private`.
    pub privacy: String,
}

impl VideoRecord {
    fn resource(&self, parts: &BTreeSet<&str>) -> Value {
        let mut video = Map::new();
        video.insert("kind".into(), json!("youtube#video"));
        video.insert("id".into(), json!(self.id));
        if parts.contains("snippet") {
            let snippet = json!({
                "publishedAt": self.published.to_string(),
                "channelId": self.channel_id,
                "title": self.title,
                "description": "",
                "liveBroadcastContent": "none",
            });
            video.insert("snippet".into(), snippet);
        }
        if parts.contains("statistics") {
            // 64 bits do not fit into a number of JSON.
            let mut statistics = json!({"viewCount": self.views.to_string(), "favoriteCount": "0"});
            for (name, count) in [("likeCount", self.likes), ("commentCount", self.comments)] {
                if let Some(count) = count {
                    statistics[name] = count.to_string().into();
                }
            }
            video.insert("statistics".into(), statistics);
        }
        if parts.contains("status") {
            let status = json!({
                "uploadStatus": "processed",
                "privacyStatus": self.privacy,
                "license": "youtube",
                "embeddable": true,
                "publicStatsViewable": self.likes.is_some(),
                "madeForKids": false,
            });
            video.insert("status".into(), status);
        }
        video.into()
    }
}

/// All videos that the API has, and what is left of the day's quota.
pub(crate) struct VideoShelf {
    videos: Mutex<BTreeMap<String, VideoRecord>>,
    units: Mutex<u64>,
}

impl VideoShelf {
    pub fn new(units: u64) -> Self {
        Self { videos: Mutex::default(), units: Mutex::new(units) }
    }

    /// Puts a video there, in place of the one with its id.
    pub fn put(&self, video: VideoRecord) {
        hold(&self.videos).insert(video.id.clone(), video);
    }

    pub fn remove(&self, id: &str) -> bool {
        hold(&self.videos).remove(id).is_some()
    }

    pub fn get(&self, id: &str) -> Option<VideoRecord> {
        hold(&self.videos).get(id).cloned()
    }

    pub fn set_units(&self, units: u64) {
        *hold(&self.units) = units;
    }

    /// Takes a unit; false when the day has none left.
    fn pay(&self) -> bool {
        let mut units = hold(&self.units);
        let is_left = *units > 0;
        *units = units.saturating_sub(1);
        is_left
    }
}

/// The API over the videos.
pub(crate) struct DataApi {
    pub videos: Arc<VideoShelf>,
    pub tokens: Arc<TokenBook>,
}

fn ids(call: &Call) -> Vec<String> {
    let text = call.parameter("id").unwrap_or_default();
    text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

impl DataApi {
    fn list(&self, call: &Call) -> Reply {
        let parts = call.parameter("part").unwrap_or_default();
        let parts: BTreeSet<&str> = parts.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        if parts.is_empty() {
            return refuse(400, "youtube.parameter", "missingRequiredParameter", "No part was selected.");
        }
        // The id alone is a part, too.
        if let Some(part) = parts.iter().find(|part| **part != "id" && !PARTS.contains(part)) {
            return refuse(400, "youtube.part", "unknownPart", part);
        }
        let asked = ids(call);
        if asked.is_empty() {
            let message = "No filter selected. Expected one of: chart, id, myRating";
            return refuse(400, "youtube.parameter", "missingRequiredParameter", message);
        }
        if asked.len() > MOST_IDS {
            let message = "The request specifies an invalid filter parameter.";
            return refuse(400, "youtube.parameter", "invalidFilters", message);
        }
        let videos = hold(&self.videos.videos);
        let mut seen = BTreeSet::new();
        let items: Vec<Value> = asked
            .iter()
            .filter(|id| seen.insert(id.as_str()))
            .filter_map(|id| videos.get(id))
            .filter(|video| video.privacy != "private")
            .map(|video| video.resource(&parts))
            .collect();
        let page = json!({"totalResults": items.len(), "resultsPerPage": items.len()});
        Reply::json(200, &json!({"kind": "youtube#videoListResponse", "items": items, "pageInfo": page}))
    }
}

impl Play for DataApi {
    fn service(&self) -> Service {
        Service::Data
    }

    fn classify(&self, call: &Call) -> Operation {
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", VIDEOS) => Operation::new("videos.list").about(ids(call)),
            _ => Operation::new("unknown"),
        }
    }

    fn answer(&self, call: &Call) -> Reply {
        let authorization = call.header("authorization");
        if !self.tokens.opens(authorization) {
            let message = "Request had invalid authentication credentials.";
            return refuse(401, "global", "authError", message);
        }
        if !self.videos.pay() {
            let message = "The request cannot be completed because you have exceeded your <a \
                href=\"/youtube/v3/getting-started#quota\">quota</a>.";
            return refuse(403, "youtube.quota", "quotaExceeded", message);
        }
        if !self.tokens.has_any_scope(authorization, &SCOPES) {
            let message = "Request had insufficient authentication scopes.";
            return refuse(403, "global", "insufficientPermissions", message);
        }
        let reply = match (call.method.as_str(), call.path.as_str()) {
            ("GET", VIDEOS) => self.list(call),
            _ => refuse(404, "global", "notFound", "Not Found"),
        };
        compress(partial(reply, call), call)
    }
}

/// A refusal as this API words it: without a status in capitals where the filter or the part is wrong.
fn refuse(code: u16, domain: &str, reason: &str, message: &str) -> Reply {
    let error = json!({"domain": domain, "reason": reason, "message": message});
    Reply::json(code, &json!({"error": {"code": code, "message": message, "errors": [error]}}))
}
