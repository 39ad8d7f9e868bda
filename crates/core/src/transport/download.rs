//! A download into a local file: streamed, and resumed where it broke off.
//!
//! A courier like any other, so a download lives under the same pace, patience and retry as every call: each try goes on
//! from what the file has, if the server sends parts of the same version, and from the beginning otherwise.

use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _, BufWriter};
use tokio::sync::Mutex;

use super::client::{Answer, Courier, Sent, not_answered};

/// A file of gigabytes takes its time; that its bytes keep coming is watched by the idle timeout.
const WHOLE: Duration = Duration::from_hours(2);
/// How much of a refusal is read.
const REFUSAL_BYTES: usize = 64 << 10;

/// The courier of one download.
pub(super) struct Download<'a> {
    http: &'a reqwest::Client,
    url: &'a url::Url,
    progress: Mutex<Progress<'a>>,
}

struct Progress<'a> {
    path: &'a Path,
    /// Bytes of the version below that lie in the file.
    have: u64,
    /// The version; without one nothing can be resumed.
    etag: Option<HeaderValue>,
}

impl<'a> Download<'a> {
    pub(super) fn new(http: &'a reqwest::Client, url: &'a url::Url, path: &'a Path) -> Self {
        Self { http, url, progress: Mutex::new(Progress { path, have: 0, etag: None }) }
    }

    async fn fetch(&self, proof: HeaderMap) -> Sent {
        let mut progress = self.progress.lock().await;
        let mut request = self.http.get(self.url.clone()).headers(proof).timeout(WHOLE);
        if let (Some(etag), true) = (&progress.etag, progress.have > 0) {
            request = request
                .header(header::RANGE, format!("bytes={}-", progress.have))
                .header(header::IF_RANGE, etag.clone());
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return not_answered(error),
        };
        let status = response.status();
        let headers = response.headers().clone();
        if !status.is_success() {
            if status == StatusCode::RANGE_NOT_SATISFIABLE {
                // The file is another one by now.
                progress.have = 0;
                return Sent::NotAnswered {
                    reason: format!("HTTP {status} to a resumed download"),
                    fatal: false,
                };
            }
            let mut body = BytesMut::new();
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() > REFUSAL_BYTES {
                    break;
                }
            }
            return Sent::Answer(Answer { status: status.as_u16(), headers, body: body.freeze() });
        }
        if status != StatusCode::PARTIAL_CONTENT || !begins_at(&headers, progress.have) {
            if status == StatusCode::PARTIAL_CONTENT {
                progress.have = 0;
                progress.etag = None;
                return Sent::NotAnswered {
                    reason: "another part came than was asked for".to_owned(),
                    fatal: false,
                };
            }
            progress.have = 0;
            // Unpacked on the way, the bytes in the file are not those that a range counts.
            let is_plain = headers.contains_key(header::CONTENT_LENGTH);
            progress.etag = headers.get(header::ETAG).filter(|_| is_plain).cloned();
        }
        match progress.write(&mut response).await {
            Ok(()) => Sent::Answer(Answer { status: 200, headers, body: Bytes::new() }),
            Err(Broken::Read(error)) => not_answered(error),
            // A full disk does not mend by asking the server again.
            Err(Broken::Write(error)) => {
                Sent::NotWritten { reason: format!("{}: {error}", progress.path.display()) }
            }
        }
    }
}

enum Broken {
    Read(reqwest::Error),
    Write(std::io::Error),
}

impl Progress<'_> {
    async fn write(&mut self, response: &mut reqwest::Response) -> Result<(), Broken> {
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.path)
            .await
            .map_err(Broken::Write)?;
        file.set_len(self.have).await.map_err(Broken::Write)?;
        file.seek(SeekFrom::End(0)).await.map_err(Broken::Write)?;
        let mut file = BufWriter::with_capacity(1 << 18, file);
        let received = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    file.write_all(&chunk).await.map_err(Broken::Write)?;
                    self.have += chunk.len() as u64;
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(Broken::Read(error)),
            }
        };
        file.flush().await.map_err(Broken::Write)?;
        file.get_ref().sync_all().await.map_err(Broken::Write)?;
        received
    }
}

/// Whether a part begins where the file ends.
fn begins_at(headers: &HeaderMap, have: u64) -> bool {
    let range = headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()) == Some(have)
}

impl Courier for Download<'_> {
    fn carry(&self, headers: HeaderMap) -> BoxFuture<'_, Sent> {
        Box::pin(self.fetch(headers))
    }
}
