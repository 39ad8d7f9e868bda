//! Claims behind the Content ID API: `claimSearch.list` and `claimHistory.get`.
//!
//! A search is by an asset, a reference, videos or words, by one of them and no more, or by a status alone. Claims that
//! wait for somebody come in the order in which their time runs out, which the answer does not tell; all others come
//! newest first. The size of a page is the server's.

use std::sync::Mutex;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::lock::hold;
use crate::wire::{Call, Reply};
use crate::youtube::catalogue::refuse;

/// What a search may be by; two of them exclude each other.
const SUBJECTS: [&str; 4] = ["assetId", "q", "referenceId", "videoId"];
/// The statuses there are.
const STATUSES: [&str; 9] = [
    "active",
    "appealed",
    "disputed",
    "inactive",
    "pending",
    "potential",
    "routedForReview",
    "takedown",
    "unknown",
];
/// Of these the claims wait for somebody.
const WAITING: [&str; 5] = ["appealed", "disputed", "pending", "potential", "routedForReview"];
/// No status was noted before this day.
const FIRST_STATUS: Date = jiff::civil::date(2016, 6, 30);
const PAGE: usize = 20;

/// A claim as the API has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRecord {
    /// Its id.
    pub id: String,
    /// The asset in whose name it is made.
    pub asset_id: String,
    /// The claimed video.
    pub video_id: String,
    /// Its title.
    pub video_title: String,
    /// The channel of the claimed video.
    pub uploader_channel_id: String,
    /// The reference that matched.
    pub reference_id: Option<String>,
    /// `active`, `disputed`, `appealed` and so on.
    pub status: String,
    /// `audio`, `video` or `audiovisual`.
    pub content_type: String,
    /// `audioMatch` and so on.
    pub origin: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it got its status.
    pub status_modified: Timestamp,
    /// The video's views.
    pub views: u64,
    /// Its engaged views.
    pub engaged_views: u64,
    /// Whether a partner uploaded the video.
    pub is_partner_uploaded: bool,
    /// Whether the video may be a Short.
    pub is_shorts_eligible: bool,
    /// What happened to it, the oldest first; the last dispute or appeal sets the time that is left.
    pub events: Vec<ClaimEvent>,
}

/// Something that happened to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimEvent {
    time: Timestamp,
    kind: String,
    source: Option<String>,
    mail: Option<String>,
    details: Map<String, Value>,
}

impl ClaimEvent {
    /// An event: `claim_create`, `dispute_create`, `dispute_appeal`, `claim_update` and so on.
    pub fn new(time: Timestamp, kind: &str) -> Self {
        Self { time, kind: kind.to_owned(), source: None, mail: None, details: Map::new() }
    }

    /// The same, caused by the uploader, the partner or the machine.
    #[must_use]
    pub fn by(mut self, source: &str) -> Self {
        self.source = Some(source.to_owned());
        self
    }

    /// The same, by somebody with this address.
    #[must_use]
    pub fn mail(mut self, address: &str) -> Self {
        self.mail = Some(address.to_owned());
        self
    }

    /// The same with one of the details that its kind has: `disputeReason`, `disputeNotes`, `appealExplanation`,
    /// `updateStatus`.
    #[must_use]
    pub fn detail(mut self, name: &str, text: &str) -> Self {
        self.details.insert(name.to_owned(), json!(text));
        self
    }

    fn json(&self) -> Value {
        let mut event = Map::new();
        event.insert("kind".into(), json!("youtubePartner#claimEvent"));
        event.insert("time".into(), json!(shown(self.time)));
        event.insert("type".into(), json!(self.kind));
        if let Some(source) = &self.source {
            let mut from = Map::new();
            from.insert("type".into(), json!(source));
            if let Some(mail) = &self.mail {
                from.insert("userEmail".into(), json!(mail));
            }
            event.insert("source".into(), from.into());
        }
        if !self.details.is_empty() {
            event.insert("typeDetails".into(), self.details.clone().into());
        }
        event.into()
    }
}

impl ClaimRecord {
    /// When its time is over: 30 days after the last dispute, 7 after the last appeal, 30 after it came to wait where
    /// nobody objected.
    fn expires(&self) -> Timestamp {
        let last =
            |kind: &str| self.events.iter().filter(|event| event.kind == kind).map(|event| event.time).max();
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        match self.status.as_str() {
            "appealed" => last("dispute_appeal").unwrap_or(self.status_modified) + days(7),
            _ => last("dispute_create").unwrap_or(self.status_modified) + days(30),
        }
    }

    fn snippet(&self) -> Value {
        json!({
            "kind": "youtubePartner#claimSnippet",
            "id": self.id,
            "assetId": self.asset_id,
            "videoId": self.video_id,
            "videoTitle": self.video_title,
            // 64 bits do not fit into a number of JSON.
            "videoViews": self.views.to_string(),
            "engagedViews": self.engaged_views.to_string(),
            "status": self.status,
            "contentType": self.content_type,
            "origin": {"source": self.origin},
            "timeCreated": shown(self.created),
            "timeStatusLastModified": shown(self.status_modified),
            "isPartnerUploaded": self.is_partner_uploaded,
            "isVideoShortsEligible": self.is_shorts_eligible,
            "thirdPartyClaim": false,
        })
    }
}

fn shown(time: Timestamp) -> String {
    crate::clock::with_milliseconds(time)
}

/// All claims that the API has.
pub(crate) struct ClaimShelf {
    claims: Mutex<Vec<ClaimRecord>>,
    page_size: Mutex<usize>,
}

impl Default for ClaimShelf {
    fn default() -> Self {
        Self { claims: Mutex::default(), page_size: Mutex::new(PAGE) }
    }
}

impl ClaimShelf {
    /// Puts a claim there, in place of the one with its id.
    pub fn put(&self, claim: ClaimRecord) {
        let mut claims = hold(&self.claims);
        claims.retain(|known| known.id != claim.id);
        claims.push(claim);
    }

    pub fn set_page_size(&self, claims: usize) {
        *hold(&self.page_size) = claims.max(1);
    }

    /// `claimSearch.list`.
    pub(super) fn search(&self, call: &Call) -> Reply {
        match self.matches(call) {
            Ok(matches) => self.page(call, &matches),
            Err(refusal) => refusal,
        }
    }

    /// `claimHistory.get`.
    pub(super) fn history(&self, id: &str) -> Reply {
        let claims = hold(&self.claims);
        let Some(claim) = claims.iter().find(|claim| claim.id == id) else {
            return refuse(404, "claimNotFound", "The requested claim was not found.");
        };
        let events: Vec<Value> = claim.events.iter().map(ClaimEvent::json).collect();
        let mut answer = Map::new();
        answer.insert("kind".into(), json!("youtubePartner#claimHistory"));
        answer.insert("id".into(), json!(claim.id));
        answer.insert("uploaderChannelId".into(), json!(claim.uploader_channel_id));
        if !events.is_empty() {
            answer.insert("event".into(), events.into());
        }
        Reply::json(200, &answer.into())
    }

    fn matches(&self, call: &Call) -> Result<Vec<Value>, Reply> {
        let given = |name: &str| call.parameter(name).filter(|value| !value.is_empty());
        let subjects: Vec<(&str, String)> =
            SUBJECTS.into_iter().filter_map(|name| Some((name, given(name)?))).collect();
        let status = given("status");
        if let Some(status) = &status
            && !STATUSES.iter().any(|known| known.eq_ignore_ascii_case(status))
        {
            return Err(refuse(400, "invalidParameter", &format!("Invalid value {status} for status.")));
        }
        let subject = match &subjects[..] {
            [] if status.is_none() => {
                return Err(refuse(
                    400,
                    "required",
                    "One of assetId, q, referenceId, videoId and status is required.",
                ));
            }
            [] => None,
            [subject] => Some(subject),
            [(first, _), (second, _), ..] => {
                let message = format!("{first} and {second} cannot be used in one request.");
                return Err(refuse(400, "incompatibleParameters", &message));
            }
        };
        let created = [day(call, "createdAfter")?, day(call, "createdBefore")?];
        let modified = [day(call, "statusModifiedAfter")?, day(call, "statusModifiedBefore")?];
        if modified.iter().flatten().any(|day| *day < FIRST_STATUS) {
            return Err(refuse(
                400,
                "invalidParameter",
                &format!("The date must be on or after {FIRST_STATUS}."),
            ));
        }
        let wanted = |claim: &&ClaimRecord| {
            status.as_ref().is_none_or(|status| claim.status.eq_ignore_ascii_case(status))
                && subject.is_none_or(|(name, value)| claim.is_about(name, value))
                && is_within(claim.created, created)
                && is_within(claim.status_modified, modified)
        };
        let claims = hold(&self.claims);
        let mut found: Vec<&ClaimRecord> = claims.iter().filter(wanted).collect();
        let is_waiting = |status: &String| WAITING.iter().any(|waiting| waiting.eq_ignore_ascii_case(status));
        if status.as_ref().is_some_and(is_waiting) {
            found.sort_by(|a, b| (a.expires(), &a.id).cmp(&(b.expires(), &b.id)));
        } else {
            found.sort_by(|a, b| (b.created, &a.id).cmp(&(a.created, &b.id)));
        }
        Ok(found.into_iter().map(ClaimRecord::snippet).collect())
    }

    fn page(&self, call: &Call, all: &[Value]) -> Reply {
        let size = *hold(&self.page_size);
        let asked = call.parameter("pageToken").unwrap_or_default();
        let from =
            if asked.is_empty() { Some(0) } else { asked.strip_prefix("CP").and_then(|at| at.parse().ok()) };
        let Some(from) = from.filter(|from: &usize| *from <= all.len()) else {
            return refuse(400, "invalidPageToken", "The page token is not valid.");
        };
        let page: Vec<Value> = all.iter().skip(from).take(size).cloned().collect();
        let mut answer = json!({
            "kind": "youtubePartner#claimSnippetList",
            "pageInfo": {"totalResults": all.len(), "resultsPerPage": page.len(), "startIndex": from},
        });
        if !page.is_empty() {
            answer["items"] = page.into();
        }
        if from + size < all.len() {
            answer["nextPageToken"] = format!("CP{}", from + size).into();
        }
        Reply::json(200, &answer)
    }
}

impl ClaimRecord {
    fn is_about(&self, name: &str, value: &str) -> bool {
        match name {
            "assetId" => self.asset_id == value,
            "referenceId" => self.reference_id.as_deref() == Some(value),
            "videoId" => value.split(',').any(|video| video.trim() == self.video_id),
            _ => self.video_title.to_lowercase().contains(&value.to_lowercase()),
        }
    }
}

/// Whether a moment lies on or after the first day and before the second.
fn is_within(time: Timestamp, [from, until]: [Option<Date>; 2]) -> bool {
    let day = jiff::tz::TimeZone::UTC.to_datetime(time).date();
    from.is_none_or(|from| from <= day) && until.is_none_or(|until| day < until)
}

fn day(call: &Call, name: &str) -> Result<Option<Date>, Reply> {
    let Some(text) = call.parameter(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let is_plain = text.len() == 10;
    match text.parse::<Date>() {
        Ok(day) if is_plain => Ok(Some(day)),
        _ => Err(refuse(400, "invalidParameter", &format!("{name} must be a date of the form YYYY-MM-DD."))),
    }
}
