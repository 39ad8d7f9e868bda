//! The Reporting API v1: jobs, their reports, and the files behind them.
//!
//! A job without a report answers `{}`; a report that was made anew has the same start and end, another id and a newer
//! `createTime`; files are packed or plain whatever their headers say, and can be asked for in parts.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::journal::Service;
use crate::lock::hold;
use crate::wire::{Call, Content, FilePart, Operation, Play, Reply};
use crate::youtube::catalogue::refuse;
use crate::youtube::tokens::TokenBook;

/// The scope without which the Reporting API does not open.
pub(crate) const ANALYTICS_SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/yt-analytics.readonly",
    "https://www.googleapis.com/auth/yt-analytics-monetary.readonly",
];
const ROOT: &str = "/v1/jobs";
const MEDIA: &str = "/v1/media/";
/// Files live so long.
const LIFE_DAYS: i64 = 60;

/// A report of a job.
#[derive(Debug, Clone)]
pub struct ReportFile {
    /// `content_owner_asset_a3` …
    pub report_type: String,
    /// The report's own id.
    pub id: String,
    /// The first moment of what it covers.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
    /// When it was made.
    pub created: Timestamp,
    /// The file, as it is sent.
    pub path: PathBuf,
}

/// The API over the reports that were put there.
pub(crate) struct Reporting {
    pub reports: Arc<Shelf>,
    pub tokens: Arc<TokenBook>,
    pub content_owner: &'static str,
}

/// All reports, and the jobs that make them.
#[derive(Default)]
pub(crate) struct Shelf {
    files: Mutex<Vec<ReportFile>>,
    jobs: Mutex<Vec<String>>,
    /// Entries of a page.
    page_size: Mutex<Option<usize>>,
}

impl Shelf {
    /// Makes a job for a report type, if it has none.
    pub fn add_job(&self, report_type: &str) {
        let mut jobs = hold(&self.jobs);
        if !jobs.iter().any(|job| job == report_type) {
            jobs.push(report_type.to_owned());
        }
    }

    pub fn add(&self, file: ReportFile) {
        self.add_job(&file.report_type);
        hold(&self.files).push(file);
    }

    pub fn set_page_size(&self, entries: usize) {
        *hold(&self.page_size) = Some(entries);
    }

    /// One page of a list, and the token of the next.
    fn page(&self, call: &Call, all: &[Value], key: &str) -> Reply {
        let size = hold(&self.page_size).unwrap_or(100).max(1);
        let asked = call.parameter("pageToken").unwrap_or_default();
        let from =
            if asked.is_empty() { Some(0) } else { asked.strip_prefix('p').and_then(|n| n.parse().ok()) };
        let Some(from) = from.filter(|from: &usize| *from <= all.len()) else {
            return refuse(400, "invalidPageToken", "The page token is not valid.");
        };
        let page: Vec<_> = all.iter().skip(from).take(size).cloned().collect();
        let mut answer = serde_json::Map::new();
        // An empty list has no key at all.
        if !page.is_empty() {
            answer.insert(key.to_owned(), page.into());
        }
        if from + size < all.len() {
            answer.insert("nextPageToken".to_owned(), format!("p{}", from + size).into());
        }
        Reply::json(200, &answer.into())
    }
}

fn job_id(report_type: &str) -> String {
    format!("job-{report_type}")
}

impl Reporting {
    fn jobs(&self, call: &Call) -> Reply {
        // Jobs of the system are left out unless they are asked for.
        let is_asked = call.parameter("includeSystemManaged").as_deref() == Some("true");
        let jobs: Vec<_> = hold(&self.reports.jobs)
            .iter()
            .filter(|_| is_asked)
            .map(|report_type| {
                json!({"id": job_id(report_type), "reportTypeId": report_type, "name": report_type,
                    "createTime": "2024-01-01T00:00:00Z", "systemManaged": true})
            })
            .collect();
        self.reports.page(call, &jobs, "jobs")
    }

    fn list(&self, call: &Call, job: &str) -> Reply {
        if !hold(&self.reports.jobs).iter().any(|report_type| job_id(report_type) == job) {
            return refuse(404, "notFound", "Requested entity was not found.");
        }
        let after = call.parameter("createdAfter").and_then(|text| text.parse::<Timestamp>().ok());
        let mut files = hold(&self.reports.files).clone();
        files.retain(|file| {
            job_id(&file.report_type) == job && after.is_none_or(|after| file.created > after)
        });
        files.sort_by_key(|file| std::cmp::Reverse(file.created));
        let host = call.header("host");
        let reports: Vec<_> = files
            .iter()
            .map(|file| {
                json!({"id": file.id, "jobId": job, "startTime": file.start.to_string(),
                    "endTime": file.end.to_string(), "createTime": file.created.to_string(),
                    "jobExpireTime": file.created.checked_add(jiff::SignedDuration::from_hours(24 * LIFE_DAYS))
                        .unwrap_or(file.created).to_string(),
                    "downloadUrl": format!("http://{host}{MEDIA}{}?alt=media", file.id)})
            })
            .collect();
        self.reports.page(call, &reports, "reports")
    }

    fn media(&self, call: &Call, id: &str) -> Reply {
        let Some(file) = hold(&self.reports.files).iter().find(|file| file.id == id).cloned() else {
            return refuse(404, "notFound", "Requested entity was not found.");
        };
        let Ok(meta) = fs::metadata(&file.path) else {
            return refuse(500, "backendError", "The file is not there.");
        };
        let etag = format!("\"{id}\"");
        let whole = meta.len();
        let wanted = call.header("if-range");
        let from = (wanted.is_empty() || wanted == etag)
            .then(|| call.header("range").strip_prefix("bytes=")?.strip_suffix('-')?.parse::<u64>().ok())
            .flatten();
        let (status, start) = match from {
            Some(from) if from >= whole => {
                return Reply::new(416, "text/plain", "").with("content-range", format!("bytes */{whole}"));
            }
            Some(from) => (206, from),
            None => (200, 0),
        };
        let part = FilePart { path: file.path, start, length_bytes: whole - start };
        // Whatever is in it, Google calls it so.
        let headers = vec![("content-type", "application/octet-stream".to_owned()), ("etag", etag)];
        let reply = Reply { status, headers, content: Content::File(part) };
        if status == 206 {
            reply.with("content-range", format!("bytes {start}-{}/{whole}", whole - 1))
        } else {
            reply
        }
    }
}

impl Play for Reporting {
    fn service(&self) -> Service {
        Service::Reporting
    }

    fn classify(&self, call: &Call) -> Operation {
        if call.path == ROOT {
            return Operation::new("jobs.list");
        }
        if let Some(id) = call.path.strip_prefix(MEDIA) {
            return Operation::new("media.download").about(vec![id.to_owned()]);
        }
        match call.path.strip_prefix(ROOT).and_then(|rest| rest.strip_suffix("/reports")) {
            Some(job) => Operation::new("reports.list").about(vec![job.trim_matches('/').to_owned()]),
            None => Operation::new("unknown"),
        }
    }

    fn answer(&self, call: &Call) -> Reply {
        let authorization = call.header("authorization");
        if !self.tokens.opens(authorization) {
            return refuse(401, "authError", "Request had invalid authentication credentials.");
        }
        if !self.tokens.has_any_scope(authorization, &ANALYTICS_SCOPES) {
            return refuse(403, "insufficientPermissions", "Request had insufficient authentication scopes.");
        }
        if let Some(id) = call.path.strip_prefix(MEDIA) {
            return self.media(call, id);
        }
        match call.parameter("onBehalfOfContentOwner") {
            Some(owner) if owner == self.content_owner => {}
            _ => return refuse(403, "forbidden", "The caller may not act for this content owner."),
        }
        if call.method != "GET" {
            return refuse(404, "notFound", "Not Found");
        }
        if call.path == ROOT {
            return self.jobs(call);
        }
        match call.path.strip_prefix("/v1/jobs/").and_then(|rest| rest.strip_suffix("/reports")) {
            Some(job) => self.list(call, job),
            None => refuse(404, "notFound", "Not Found"),
        }
    }
}
