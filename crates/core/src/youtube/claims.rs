//! Claims on other people's videos (youtubePartner v1): `claimSearch.list` for what waits for somebody, and
//! `claimHistory.get` for when it began to.
//!
//! A history carries people's addresses and what they wrote: the fields that are asked for leave both out, so that they
//! never come here at all.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use dn_domain::id::{AssetId, ChannelId, ClaimId, VideoId};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer};

use super::address::address;
use super::google_error::{Kind, judge, judge_read};
use crate::transport::client::target;
use crate::transport::error::excerpt;
use crate::transport::{Answer, Call, CallError, CallErrorKind, Transport, Verdict};

/// No queue is worked off that is longer than so many pages; the page's size is the server's.
const MAX_PAGES: usize = 5_000;
/// Nor one of so many claims.
const MAX_CLAIMS: usize = 200_000;
/// So many pages in a row may be empty before a list counts as one without end.
const MAX_EMPTY_PAGES: usize = 50;

const SEARCH: &str = "youtube claimSearch.list";
const HISTORY: &str = "youtube claimHistory.get";
const SEARCH_FIELDS: &str = "kind,nextPageToken,pageInfo(totalResults),items(id,assetId,videoId,videoTitle,videoViews,\
    engagedViews,status,contentType,origin(source),timeCreated,timeStatusLastModified,isPartnerUploaded,\
    isVideoShortsEligible)";
const HISTORY_FIELDS: &str =
    "kind,id,uploaderChannelId,event(time,type,typeDetails(updateStatus,closeReason))";

/// What a claim is in. Read whatever its case, and kept where it is a new one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimStatus {
    /// It stands.
    Active,
    /// The uploader appealed: seven days.
    Appealed,
    /// The uploader objects: thirty days.
    Disputed,
    /// It was given up, or its time ran out.
    Inactive,
    /// It waits for something.
    Pending,
    /// Somebody has to decide whether to claim: thirty days.
    Potential,
    /// The policy sends it to somebody.
    RoutedForReview,
    /// The video was taken down.
    Takedown,
    /// What YouTube may come to write, as it stands.
    Other(String),
}

impl ClaimStatus {
    /// Those that wait for somebody, the most urgent first.
    pub const WAITING: [Self; 5] =
        [Self::Appealed, Self::Disputed, Self::Potential, Self::RoutedForReview, Self::Pending];

    const KNOWN: [(&'static str, Self); 8] = [
        ("active", Self::Active),
        ("appealed", Self::Appealed),
        ("disputed", Self::Disputed),
        ("inactive", Self::Inactive),
        ("pending", Self::Pending),
        ("potential", Self::Potential),
        ("routedForReview", Self::RoutedForReview),
        ("takedown", Self::Takedown),
    ];

    /// The status by its name in lower camel or in capitals.
    pub fn named(name: &str) -> Self {
        let plain = name.replace('_', "");
        let known = Self::KNOWN.into_iter().find(|(known, _)| plain.eq_ignore_ascii_case(known));
        known.map_or_else(|| Self::Other(name.to_owned()), |(_, status)| status)
    }

    /// The name that the API takes.
    pub fn name(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => Self::KNOWN.iter().find(|(_, status)| status == known).map_or("", |(name, _)| name),
        }
    }
}

/// Which claims are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimQuery {
    /// In this status.
    pub status: ClaimStatus,
    /// Of this asset alone.
    pub asset: Option<AssetId>,
    /// Made on this day or later.
    pub created_after: Option<Date>,
    /// In their status since this day or later.
    pub modified_after: Option<Date>,
}

impl ClaimQuery {
    /// All claims in a status.
    pub fn of(status: ClaimStatus) -> Self {
        Self { status, asset: None, created_after: None, modified_after: None }
    }
}

/// A claim as a search tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundClaim {
    /// The claim.
    pub id: ClaimId,
    /// The asset in whose name it is made; none where the answer names none that can be read.
    pub asset_id: Option<AssetId>,
    /// The claimed video, likewise.
    pub video_id: Option<VideoId>,
    /// The video's title. Hostile text.
    pub video_title: String,
    /// The video's lifetime views.
    pub views: Option<u64>,
    /// The same in engaged views, another measure.
    pub engaged_views: Option<u64>,
    /// Its status.
    pub status: ClaimStatus,
    /// `audio`, `video`, `audiovisual`, as it came.
    pub content_type: String,
    /// `audioMatch`, `descriptiveSearch` and so on, as it came.
    pub origin: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it got its status.
    pub status_modified: Option<Timestamp>,
    /// Whether a partner uploaded the video.
    pub is_partner_uploaded: bool,
    /// Whether the video may be a Short.
    pub is_short: bool,
}

/// What a search came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundClaims {
    /// Each claim once, in the order of the answer.
    pub claims: Vec<FoundClaim>,
    /// Whether the list changed while it was paged through: a claim came twice, or the server's total moved, and one may
    /// have been passed over. How many there are is then known about alone.
    pub is_approximate: bool,
    /// Entries without an id that can be read.
    pub unreadable: u64,
}

/// What happened to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimHistory {
    /// The channel of the claimed video.
    pub uploader: Option<ChannelId>,
    /// The events as they came.
    pub events: Vec<ClaimEvent>,
}

/// One thing that happened to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimEvent {
    /// When; none where that cannot be read.
    pub time: Option<Timestamp>,
    /// What.
    pub kind: ClaimEventKind,
    /// The status that an update gave it.
    pub new_status: Option<ClaimStatus>,
}

/// The kinds of events that decide about a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimEventKind {
    /// The uploader objected.
    DisputeCreate,
    /// The uploader objected to what the owner decided.
    DisputeAppeal,
    /// Any other, by its name in lower case.
    Other(String),
}

impl ClaimHistory {
    /// When the uploader last objected.
    pub fn last_dispute(&self) -> Option<Timestamp> {
        self.last(&ClaimEventKind::DisputeCreate)
    }

    /// When the uploader last appealed.
    pub fn last_appeal(&self) -> Option<Timestamp> {
        self.last(&ClaimEventKind::DisputeAppeal)
    }

    fn last(&self, kind: &ClaimEventKind) -> Option<Timestamp> {
        self.events.iter().filter(|event| event.kind == *kind).filter_map(|event| event.time).max()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SnippetPage {
    #[serde(deserialize_with = "snippet_list_kind", rename = "kind")]
    _kind: (),
    #[serde(default)]
    items: Vec<Snippet>,
    #[serde(default)]
    next_page_token: Option<String>,
    #[serde(default)]
    page_info: PageInfo,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    #[serde(default)]
    total_results: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snippet {
    #[serde(default)]
    id: String,
    #[serde(default)]
    asset_id: String,
    #[serde(default)]
    video_id: String,
    #[serde(default)]
    video_title: String,
    #[serde(default, deserialize_with = "whole")]
    video_views: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    engaged_views: Option<u64>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    content_type: String,
    #[serde(default)]
    origin: Origin,
    #[serde(default)]
    time_created: String,
    #[serde(default)]
    time_status_last_modified: String,
    #[serde(default)]
    is_partner_uploaded: bool,
    #[serde(default)]
    is_video_shorts_eligible: bool,
}

#[derive(Deserialize, Default)]
struct Origin {
    #[serde(default)]
    source: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HistoryAnswer {
    #[serde(deserialize_with = "history_kind", rename = "kind")]
    _kind: (),
    #[serde(default)]
    id: String,
    #[serde(default)]
    uploader_channel_id: String,
    #[serde(default)]
    event: Vec<EventAnswer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventAnswer {
    #[serde(default)]
    time: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    type_details: EventDetails,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct EventDetails {
    #[serde(default)]
    update_status: Option<String>,
}

/// Without its kind an answer is no list: any JSON object would be one with no claims in it.
fn snippet_list_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    expect_kind(deserializer, "#claimsnippetlist")
}

fn history_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    expect_kind(deserializer, "#claimhistory")
}

fn expect_kind<'de, D: Deserializer<'de>>(deserializer: D, ending: &str) -> Result<(), D::Error> {
    let kind = String::deserialize(deserializer)?;
    if kind.to_ascii_lowercase().ends_with(ending) {
        return Ok(());
    }
    Err(serde::de::Error::custom(format!("its kind is {:?}, not …{ending}", excerpt(kind.as_bytes()))))
}

/// 64 bits come as a text, or as a number.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Whole {
        Number(u64),
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Whole::deserialize(deserializer)? {
        Whole::Number(number) => Some(number),
        Whole::Text(text) => text.parse().ok(),
        Whole::Other(_) => None,
    })
}

impl Snippet {
    fn read(self) -> Option<FoundClaim> {
        Some(FoundClaim {
            id: self.id.parse().ok()?,
            asset_id: self.asset_id.parse().ok(),
            video_id: self.video_id.parse().ok(),
            video_title: self.video_title,
            views: self.video_views,
            engaged_views: self.engaged_views,
            status: ClaimStatus::named(&self.status),
            content_type: self.content_type,
            origin: self.origin.source,
            created: self.time_created.parse().ok(),
            status_modified: self.time_status_last_modified.parse().ok(),
            is_partner_uploaded: self.is_partner_uploaded,
            is_short: self.is_video_shorts_eligible,
        })
    }
}

impl EventAnswer {
    fn read(self) -> ClaimEvent {
        let plain = self.kind.replace('_', "").to_ascii_lowercase();
        ClaimEvent {
            time: self.time.parse().ok(),
            kind: match plain.as_str() {
                "disputecreate" => ClaimEventKind::DisputeCreate,
                "disputeappeal" => ClaimEventKind::DisputeAppeal,
                _ => ClaimEventKind::Other(self.kind.to_ascii_lowercase()),
            },
            new_status: self.type_details.update_status.as_deref().map(ClaimStatus::named),
        }
    }
}

/// The client: one base address, one content owner.
#[derive(Debug)]
pub struct Claims {
    transport: Transport,
    base_url: url::Url,
    content_owner: String,
}

impl Claims {
    /// A client of `base_url` (`…/youtube/partner/v1`) on behalf of `content_owner`.
    pub fn new(transport: Transport, base_url: url::Url, content_owner: String) -> Self {
        Self { transport, base_url, content_owner }
    }

    /// How many requests this client sent, repeated ones included.
    pub fn request_count(&self) -> u64 {
        self.transport.request_count()
    }

    /// All claims of a query, each once: what comes twice, because the list moved while it was paged through, is taken in
    /// its latest status. A token that comes again, or pages without end, are an error.
    pub async fn search(&self, query: &ClaimQuery) -> Result<FoundClaims, CallError> {
        let mut pages = Pages::default();
        loop {
            let call = self.search_call(query, &pages.token);
            let answer = self.transport.send(&call, &judge_page).await?;
            let page: SnippetPage = serde_json::from_slice(&answer.body)
                .map_err(|error| self.unusable(&call, format!("the page cannot be read: {error}")))?;
            if pages.take(page).map_err(|reason| self.unusable(&call, reason))? {
                return Ok(pages.found);
            }
        }
    }

    /// What happened to a claim; nothing where the API has no such claim (any more).
    pub async fn history(&self, claim: &ClaimId) -> Result<Option<ClaimHistory>, CallError> {
        let mut url = self.address("claimHistory", &[("fields", HISTORY_FIELDS)]);
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(claim.as_str());
        }
        let call = Self::call(HISTORY, url);
        let answer = match self.transport.send(&call, &judge_history).await {
            Ok(answer) => answer,
            Err(error) if error.kind == (CallErrorKind::Refused { code: GONE.to_owned() }) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let history: HistoryAnswer = serde_json::from_slice(&answer.body)
            .map_err(|error| self.unusable(&call, format!("the history cannot be read: {error}")))?;
        if history.id != claim.as_str() {
            let reason = format!("it is the history of {:?}, not of {claim}", excerpt(history.id.as_bytes()));
            return Err(self.unusable(&call, reason));
        }
        Ok(Some(ClaimHistory {
            uploader: history.uploader_channel_id.parse().ok(),
            events: history.event.into_iter().map(EventAnswer::read).collect(),
        }))
    }

    fn search_call(&self, query: &ClaimQuery, token: &str) -> Call {
        let mut url =
            self.address("claimSearch", &[("status", query.status.name()), ("fields", SEARCH_FIELDS)]);
        let day = |day: Option<Date>| day.map(|day| day.to_string());
        let asset = query.asset.map(|asset| asset.to_string());
        let token = Some(token).filter(|token| !token.is_empty()).map(str::to_owned);
        for (name, value) in [
            ("assetId", asset),
            ("createdAfter", day(query.created_after)),
            ("statusModifiedAfter", day(query.modified_after)),
            ("pageToken", token),
        ] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
        Self::call(SEARCH, url)
    }

    fn address(&self, path: &str, query: &[(&str, &str)]) -> url::Url {
        address(&self.base_url, path, query, Some(&self.content_owner))
    }

    fn call(operation: &'static str, url: url::Url) -> Call {
        Call { operation, method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    fn unusable(&self, call: &Call, reason: String) -> CallError {
        CallError {
            operation: call.operation.to_owned(),
            target: target(&call.method, &self.base_url),
            kind: CallErrorKind::BadAnswer,
            reason,
            tries: 1,
            lost: 0,
            elapsed: Duration::ZERO,
        }
    }
}

/// The code of a claim that is not there.
const GONE: &str = "gone";

/// Whether an answer is a page of claims.
pub(crate) fn judge_page(answer: &Answer) -> Verdict {
    judge_read::<SnippetPage>(answer, Kind::Read)
}

/// Whether an answer is a claim's history. A claim that is not there is this claim's own matter.
pub(crate) fn judge_history(answer: &Answer) -> Verdict {
    if answer.status == 404
        && let Verdict::Refused { reason, .. } = judge(answer, Kind::Read)
    {
        return Verdict::Refused { code: GONE.to_owned(), reason };
    }
    judge_read::<HistoryAnswer>(answer, Kind::Read)
}

/// What the pages of a search came to so far.
#[derive(Default)]
struct Pages {
    found: FoundClaims,
    places: HashMap<ClaimId, usize>,
    seen_tokens: HashSet<String>,
    token: String,
    total: Option<u64>,
    count: usize,
    empty: usize,
}

impl Pages {
    /// Takes a page; true when it was the last. The error says why the list cannot be one.
    fn take(&mut self, page: SnippetPage) -> Result<bool, String> {
        self.count += 1;
        self.empty = if page.items.is_empty() { self.empty + 1 } else { 0 };
        let total = page.page_info.total_results;
        self.found.is_approximate |= self.total.is_some() && total.is_some() && self.total != total;
        self.total = total.or(self.total);
        for snippet in page.items {
            let Some(claim) = snippet.read() else {
                self.found.unreadable += 1;
                continue;
            };
            let claims = &mut self.found.claims;
            if let Some(known) = self.places.get(&claim.id).and_then(|place| claims.get_mut(*place)) {
                self.found.is_approximate = true;
                if claim.status_modified > known.status_modified {
                    *known = claim;
                }
            } else {
                self.places.insert(claim.id.clone(), claims.len());
                claims.push(claim);
            }
        }
        // Absent or empty at the end.
        self.token = page.next_page_token.unwrap_or_default();
        if self.token.is_empty() {
            return Ok(true);
        }
        if !self.seen_tokens.insert(self.token.clone()) {
            return Err("the list does not end: a page token came a second time".to_owned());
        }
        if self.empty >= MAX_EMPTY_PAGES {
            return Err(format!("the list does not end: {MAX_EMPTY_PAGES} pages in a row had no claim"));
        }
        if self.count >= MAX_PAGES || self.found.claims.len() >= MAX_CLAIMS {
            return Err(format!("the list has more than {MAX_PAGES} pages or {MAX_CLAIMS} claims"));
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(json: &str) -> SnippetPage {
        serde_json::from_str(json).unwrap()
    }

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn a22_what_is_new_in_an_answer_is_carried_or_passed_over() {
        let mut pages = Pages::default();
        let last = pages.take(page(
            r#"{"kind":"youtubePartner#claimSnippetList","mood":1,"items":[
                {"id":"c1","status":"ROUTED_FOR_REVIEW","videoViews":"9007199254740993","engagedViews":5,
                 "assetId":"?","videoId":"vid00000001","timeCreated":"2026-11-01T10:00:00.000Z","new":{}},
                {"id":"c2","status":"underDiscussion","videoViews":-1},
                {"id":"no id"},{}]}"#,
        ));
        assert_eq!(last, Ok(true));
        let [one, two] = &pages.found.claims[..] else { panic!("{:?}", pages.found) };
        assert_eq!((&one.status, one.views), (&ClaimStatus::RoutedForReview, Some(9_007_199_254_740_993)));
        assert_eq!((one.engaged_views, one.asset_id, one.status_modified), (Some(5), None, None));
        assert_eq!((two.status.name(), two.views), ("underDiscussion", None));
        assert_eq!((pages.found.unreadable, pages.found.is_approximate), (2, false));
    }

    #[test]
    fn every_status_is_known_in_lower_camel_and_in_capitals() {
        for (name, status) in ClaimStatus::KNOWN {
            assert_eq!((ClaimStatus::named(name), status.name()), (status.clone(), name));
            assert_eq!(ClaimStatus::named(&name.to_uppercase()), status);
        }
    }

    #[test]
    fn a28_a_claim_that_comes_twice_counts_once_in_its_latest_status() {
        let mut pages = Pages::default();
        let first = r#"{"kind":"x#claimSnippetList","pageInfo":{"totalResults":3},"nextPageToken":"2","items":[
            {"id":"a","status":"disputed","timeStatusLastModified":"2026-11-01T00:00:00Z"},
            {"id":"b","status":"disputed","timeStatusLastModified":"2026-11-01T00:00:00Z"}]}"#;
        assert_eq!(pages.take(page(first)), Ok(false));
        assert!(!pages.found.is_approximate);
        let second = r#"{"kind":"x#claimSnippetList","pageInfo":{"totalResults":3},"nextPageToken":"","items":[
            {"id":"b","status":"disputed","timeStatusLastModified":"2026-10-01T00:00:00Z"},
            {"id":"a","status":"appealed","timeStatusLastModified":"2026-11-02T00:00:00Z"}]}"#;
        assert_eq!(pages.take(page(second)), Ok(true));
        let found: Vec<_> =
            pages.found.claims.iter().map(|one| (one.id.as_str(), one.status.name())).collect();
        assert_eq!(found, [("a", "appealed"), ("b", "disputed")]);
        assert!(pages.found.is_approximate);
    }

    #[test]
    fn a28_a_total_that_moves_between_pages_makes_the_count_an_approximate_one() {
        let mut pages = Pages::default();
        for total in [3, 2] {
            let token = if total == 3 { "2" } else { "" };
            let json = format!(
                r#"{{"kind":"x#claimSnippetList","pageInfo":{{"totalResults":{total}}},"nextPageToken":"{token}","items":[{{"id":"c{total}"}}]}}"#
            );
            pages.take(page(&json)).unwrap();
        }
        assert!(pages.found.is_approximate);
    }

    #[test]
    fn a23_a_list_that_does_not_end_is_an_error() {
        let mut pages = Pages::default();
        let same = r#"{"kind":"x#claimSnippetList","nextPageToken":"again"}"#;
        assert_eq!(pages.take(page(same)), Ok(false));
        assert!(pages.take(page(same)).unwrap_err().contains("second time"));
        let mut pages = Pages::default();
        let empty = |n: usize| page(&format!(r#"{{"kind":"x#claimSnippetList","nextPageToken":"t{n}"}}"#));
        let ends = (0..MAX_PAGES).find_map(|n| pages.take(empty(n)).err());
        assert!(ends.is_some_and(|reason| reason.contains("in a row")) && pages.count == MAX_EMPTY_PAGES);
    }

    #[test]
    fn a20_any_other_json_is_no_queue_and_no_history() {
        for body in ["{}", r#"{"kind":"youtubePartner#assetList","items":[]}"#, "<html>", ""] {
            assert!(matches!(judge_page(&answer(200, body)), Verdict::Unreadable { .. }), "{body}");
            assert!(matches!(judge_history(&answer(200, body)), Verdict::Unreadable { .. }), "{body}");
        }
        let gone = r#"{"error":{"code":404,"message":"m","errors":[{"reason":"claimNotFound"}]}}"#;
        assert!(matches!(judge_history(&answer(404, gone)), Verdict::Refused { code, .. } if code == GONE));
    }

    #[test]
    fn the_last_dispute_and_the_last_appeal_are_found_whatever_the_order() {
        let json = r#"{"kind":"youtubePartner#claimHistory","id":"c","event":[
            {"time":"2026-11-02T10:00:00.000Z","type":"dispute_create"},
            {"time":"2026-11-01T10:00:00.000Z","type":"DISPUTE_CREATE"},
            {"time":"soon","type":"dispute_create"},
            {"type":"claim_update","typeDetails":{"updateStatus":"active"}}]}"#;
        let answer: HistoryAnswer = serde_json::from_str(json).unwrap();
        let events: Vec<_> = answer.event.into_iter().map(EventAnswer::read).collect();
        assert_eq!(events[3].new_status, Some(ClaimStatus::Active));
        let history = ClaimHistory { uploader: None, events };
        assert_eq!(history.last_dispute().unwrap().to_string(), "2026-11-02T10:00:00Z");
        assert_eq!(history.last_appeal(), None);
    }
}
