//! The Reporting API v1: which bulk reports there are, and their files.
//!
//! A report is found by its type, never by a stored job's id. A report that was made anew has the same start and end and
//! a newer `createTime`: the newest one counts.

use std::collections::HashSet;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::address::address;
use super::google_error::{Kind, judge, judge_read};
use crate::transport::{Call, CallError, CallErrorKind, Transport};

/// Reports live so long.
pub const LIFE_DAYS: i64 = 60;
/// No job has more reports in sixty days than this many pages hold.
const MAX_PAGES: usize = 200;
/// What a token must have been given for, besides Content ID.
pub const SCOPES: [&str; 3] = [
    super::auth::CONTENT_ID_SCOPE,
    "https://www.googleapis.com/auth/yt-analytics.readonly",
    "https://www.googleapis.com/auth/yt-analytics-monetary.readonly",
];

/// One report, as the API lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportInfo {
    /// The report's own id.
    pub id: String,
    /// `content_owner_asset_a3` …
    pub report_type: String,
    /// The first moment that it covers.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
    /// When it was made.
    pub created: Timestamp,
    /// Where its file is.
    pub download_url: url::Url,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobPage {
    #[serde(default)]
    jobs: Vec<Job>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    id: String,
    #[serde(default)]
    report_type_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReportPage {
    #[serde(default)]
    reports: Vec<Listed>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    start_time: Timestamp,
    end_time: Timestamp,
    create_time: Timestamp,
    download_url: url::Url,
}

/// One page of a list.
trait Page: DeserializeOwned {
    type Item;
    fn into_parts(self) -> (Vec<Self::Item>, Option<String>);
}

impl Page for JobPage {
    type Item = Job;
    fn into_parts(self) -> (Vec<Job>, Option<String>) {
        (self.jobs, self.next_page_token)
    }
}

impl Page for ReportPage {
    type Item = Listed;
    fn into_parts(self) -> (Vec<Listed>, Option<String>) {
        (self.reports, self.next_page_token)
    }
}

/// The client: one base address, one content owner.
#[derive(Debug)]
pub struct Reporting {
    transport: Transport,
    base_url: url::Url,
    content_owner: String,
}

impl Reporting {
    /// A client of `base_url` (`…/v1`) on behalf of `content_owner`, with a token for [`SCOPES`].
    pub fn new(transport: Transport, base_url: url::Url, content_owner: String) -> Self {
        Self { transport, base_url, content_owner }
    }

    /// The reports of these types made after `created_after`, of every job of a type, newest made first. A type without
    /// a job and a job without a report are no error: nothing of theirs is in the answer.
    pub async fn reports(
        &self,
        report_types: &[&str],
        created_after: Timestamp,
    ) -> Result<Vec<ReportInfo>, CallError> {
        let jobs: Vec<Job> =
            self.all::<JobPage>("reporting jobs.list", "jobs", &[("includeSystemManaged", "true")]).await?;
        let mut found = Vec::new();
        for job in jobs {
            let Some(report_type) = report_types.iter().find(|wanted| **wanted == job.report_type_id) else {
                continue;
            };
            let path = format!("jobs/{}/reports", job.id);
            let after = [("createdAfter", created_after.to_string())];
            let after = after.each_ref().map(|(name, value)| (*name, value.as_str()));
            let listed = self.all::<ReportPage>("reporting reports.list", &path, &after).await?;
            found.extend(listed.into_iter().map(|report| ReportInfo {
                id: report.id,
                report_type: (*report_type).to_owned(),
                start: report.start_time,
                end: report.end_time,
                created: report.create_time,
                download_url: report.download_url,
            }));
        }
        found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        Ok(found)
    }

    /// Downloads a report's file as it is sent, packed or plain. A download that breaks off is resumed, or begun anew.
    pub async fn download(&self, report: &ReportInfo, path: &Path) -> Result<(), CallError> {
        let call = Self::call("reporting media.download", report.download_url.clone());
        if !self.is_ours(&report.download_url) {
            let reason =
                "the report's address is neither Google's nor the API's own; the token is not sent there";
            return Err(CallError {
                operation: call.operation.to_owned(),
                target: crate::transport::client::target(&call.method, &call.url),
                kind: CallErrorKind::Redirected,
                reason: reason.to_owned(),
                tries: 0,
                lost: 0,
                elapsed: std::time::Duration::ZERO,
            });
        }
        self.transport.download(&call, path, &|answer| judge(answer, Kind::Read)).await.map(drop)
    }

    /// Whether a token may be sent there: the API's own server, or one of Google's over TLS.
    fn is_ours(&self, url: &url::Url) -> bool {
        let same = |a: &url::Url, b: &url::Url| {
            (a.scheme(), a.host_str(), a.port_or_known_default())
                == (b.scheme(), b.host_str(), b.port_or_known_default())
        };
        let googles = url.scheme() == "https"
            && url
                .host_str()
                .is_some_and(|host| host == "googleapis.com" || host.ends_with(".googleapis.com"));
        googles || same(url, &self.base_url)
    }

    /// All entries of a list. A page token that comes again, or pages without end, are an error.
    async fn all<P: Page>(
        &self,
        operation: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<P::Item>, CallError> {
        let mut items = Vec::new();
        let mut seen = HashSet::new();
        let mut token = String::new();
        for _ in 0..MAX_PAGES {
            let mut url = address(&self.base_url, path, query, Some(&self.content_owner));
            if !token.is_empty() {
                url.query_pairs_mut().append_pair("pageToken", &token);
            }
            let call = Self::call(operation, url);
            let answer = self.transport.send(&call, &|answer| judge_read::<P>(answer, Kind::Read)).await?;
            let page: P = serde_json::from_slice(&answer.body)
                .map_err(|error| unusable(&call, &format!("the page cannot be read: {error}")))?;
            let (more, next) = page.into_parts();
            items.extend(more);
            // Absent or empty at the end.
            token = next.unwrap_or_default();
            if token.is_empty() {
                return Ok(items);
            }
            if !seen.insert(token.clone()) {
                return Err(unusable(&call, "the list does not end: a page token came a second time"));
            }
        }
        let call = Self::call(operation, self.base_url.clone());
        Err(unusable(&call, &format!("the list has more than {MAX_PAGES} pages")))
    }

    fn call(operation: &'static str, url: url::Url) -> Call {
        Call { operation, method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() }
    }
}

fn unusable(call: &Call, reason: &str) -> CallError {
    CallError {
        operation: call.operation.to_owned(),
        target: crate::transport::client::target(&call.method, &call.url),
        kind: CallErrorKind::BadAnswer,
        reason: reason.to_owned(),
        tries: 1,
        lost: 0,
        elapsed: std::time::Duration::ZERO,
    }
}
