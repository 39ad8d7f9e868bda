//! The journal: every request that reached a server, in order, in memory and as JSON lines in a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;

use serde::Serialize;

use crate::lock::hold;

/// Which of the played services a request went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// The GraphQL database.
    AppSync,
    /// The Content ID API.
    YouTube,
    /// The Reporting API.
    Reporting,
    /// The Data API.
    Data,
    /// OAuth's token endpoint and the HTTP token service.
    Token,
    /// The object store.
    S3,
    /// The event bus.
    EventBridge,
}

impl Service {
    /// The name as the journal and the score print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AppSync => "appsync",
            Self::YouTube => "youtube",
            Self::Reporting => "reporting",
            Self::Data => "data",
            Self::Token => "token",
            Self::S3 => "s3",
            Self::EventBridge => "eventbridge",
        }
    }
}

/// One request and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// Milliseconds since the servers came up, at the request's arrival.
    pub t_ms: u64,
    /// The service that was asked.
    pub service: Service,
    /// `assets.patch`, `PutEvents`, `GetObject`; a GraphQL request carries its root fields, joined with `+`.
    pub operation: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query, secrets masked.
    pub target: String,
    /// The status of the answer; 0 where the connection was broken instead of answered.
    pub status: u16,
    /// The assets, channels, keys or events the request was about.
    pub ids: Vec<String>,
    /// Size of the request's body.
    pub request_bytes: u64,
    /// Size of the answer's body.
    pub response_bytes: u64,
    /// The fault that was played on this request, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
}

impl Entry {
    /// Whether it asks the CMS to write to an asset, in one of the two ways.
    pub fn writes_an_asset(&self) -> bool {
        ["assets.patch", "assets.update"].contains(&self.operation.as_str())
    }
}

#[derive(Default)]
struct Pages {
    entries: Vec<Entry>,
    counts: BTreeMap<(Service, String), u64>,
    patches_per_asset: BTreeMap<String, u64>,
    file: Option<BufWriter<File>>,
}

/// Every request since the start.
#[derive(Default)]
pub struct Journal {
    pages: Mutex<Pages>,
}

impl Journal {
    pub(crate) fn create(path: &Path) -> std::io::Result<Self> {
        let file = Some(BufWriter::with_capacity(1 << 16, File::create(path)?));
        Ok(Self { pages: Mutex::new(Pages { file, ..Pages::default() }) })
    }

    pub(crate) fn record(&self, mut entry: Entry) {
        let mut pages = hold(&self.pages);
        entry.seq = pages.entries.len() as u64 + 1;
        *pages.counts.entry((entry.service, entry.operation.clone())).or_default() += 1;
        if entry.writes_an_asset() {
            for id in &entry.ids {
                *pages.patches_per_asset.entry(id.clone()).or_default() += 1;
            }
        }
        if let Some(file) = &mut pages.file {
            // A full disk must not make a server fail: the entries in memory are what tests read.
            let written = serde_json::to_writer(&mut *file, &entry).is_ok() && file.write_all(b"\n").is_ok();
            if !written {
                pages.file = None;
            }
        }
        pages.entries.push(entry);
    }

    /// How many requests a service got for an operation (`*` for all). A GraphQL request counts for each kind of
    /// root field it carries.
    pub fn count(&self, service: Service, operation: &str) -> u64 {
        hold(&self.pages)
            .counts
            .iter()
            .filter(|((of, name), _)| {
                *of == service && (operation == "*" || name.split('+').any(|part| part == operation))
            })
            .map(|(_, count)| count)
            .sum()
    }

    /// Requests per service and operation.
    pub fn counts(&self) -> BTreeMap<(Service, String), u64> {
        hold(&self.pages).counts.clone()
    }

    /// How often each asset was written to, refused writes included.
    pub fn patches_per_asset(&self) -> BTreeMap<String, u64> {
        hold(&self.pages).patches_per_asset.clone()
    }

    /// A copy of every entry so far, in order of completion.
    pub fn entries(&self) -> Vec<Entry> {
        hold(&self.pages).entries.clone()
    }

    /// Number of entries so far: a mark to look back to with [`Journal::since`].
    pub fn len(&self) -> usize {
        hold(&self.pages).entries.len()
    }

    /// Whether nothing was asked yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries after a mark.
    pub fn since(&self, mark: usize) -> Vec<Entry> {
        hold(&self.pages).entries.get(mark..).map(<[Entry]>::to_vec).unwrap_or_default()
    }

    /// Brings the JSON lines up to date on disk.
    pub fn flush(&self) {
        if let Some(file) = &mut hold(&self.pages).file {
            // As above: the file is a convenience, the memory is the record.
            let _unwritable = file.flush();
        }
    }
}

/// Path and query with the values of credentials replaced, so that the journal can be shown to anybody.
pub(crate) fn mask(path: &str, query: Option<&str>) -> String {
    const SECRET: [&str; 6] =
        ["access_token", "key", "token", "x-amz-signature", "x-amz-security-token", "x-amz-credential"];
    let Some(query) = query else { return path.to_owned() };
    let parts: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if SECRET.contains(&name.to_ascii_lowercase().as_str()) => format!("{name}=***"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", parts.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_the_credentials_in_a_query() {
        assert_eq!(mask("/a", Some("id=1&access_token=secret&KEY=x")), "/a?id=1&access_token=***&KEY=***");
        assert_eq!(mask("/a", None), "/a");
    }

    #[test]
    fn a_request_with_two_kinds_of_root_fields_counts_for_each() {
        let journal = Journal::default();
        journal.record(Entry {
            seq: 0,
            t_ms: 0,
            service: Service::AppSync,
            operation: "createChannel+updateChannel".into(),
            method: "POST".into(),
            target: "/graphql".into(),
            status: 200,
            ids: vec![],
            request_bytes: 0,
            response_bytes: 0,
            fault: None,
        });
        assert_eq!(journal.count(Service::AppSync, "createChannel"), 1);
        assert_eq!(journal.count(Service::AppSync, "updateChannel"), 1);
        assert_eq!(journal.count(Service::AppSync, "listChannels"), 0);
        assert_eq!(journal.count(Service::AppSync, "*"), 1);
        assert_eq!(journal.count(Service::S3, "*"), 0);
    }
}
