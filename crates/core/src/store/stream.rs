//! One version of an object in S3 as a stream that outlives its connections.

use std::io::{self, Read};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Buf as _, Bytes};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::StoreError;
use super::s3::{store_error, timestamp};
use crate::aws::{Failure, Meaning, one_line, read_failure};

/// A stream is resumed this often in a row before it is given up.
const MAX_RESUMPTIONS: u32 = 5;
/// A resumption that brought so much was worth it, and the count begins again: the largest reports are read for an
/// hour, in which a connection may well break more than five times.
const WORTH_RESUMING_BYTES: u64 = 16 << 20;
/// Chunks that wait between the network and the reader; the HTTP client's are at most some 400 KiB each.
const CHUNKS_AHEAD: usize = 8;

/// One version of an object in S3, from its first byte to its last.
#[derive(Debug)]
pub(super) struct S3Stream {
    client: Client,
    bucket: String,
    key: String,
    pub(super) etag: Option<String>,
    pub(super) size_bytes: Option<u64>,
    pub(super) modified: Option<jiff::Timestamp>,
    body: ByteStream,
    offset: u64,
    resumptions: u32,
    resumed_at: u64,
}

impl S3Stream {
    pub(super) async fn open(client: Client, bucket: &str, key: &str) -> Result<Self, Failure> {
        let answer =
            client.get_object().bucket(bucket).key(key).send().await.map_err(|error| read_failure(&error))?;
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            etag: answer.e_tag.filter(|etag| !etag.is_empty()),
            size_bytes: answer.content_length.and_then(|length| u64::try_from(length).ok()),
            modified: answer.last_modified.as_ref().and_then(timestamp),
            body: answer.body,
            client,
            offset: 0,
            resumptions: 0,
            resumed_at: 0,
        })
    }

    /// The bytes for a reader that is not async: a few chunks are fetched ahead of it, and no more once it is dropped.
    pub(super) fn into_sync_read(self, runtime: &Handle) -> impl Read + Send + 'static {
        let (sender, waiting) = mpsc::channel(CHUNKS_AHEAD);
        runtime.spawn(pump(self, sender));
        Chunks { waiting, current: Bytes::new(), over: false }
    }

    /// The next bytes, never empty; `None` only when every byte that was announced has come.
    pub(super) async fn next_chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            let broken = match self.body.try_next().await {
                Ok(Some(chunk)) if chunk.is_empty() => continue,
                Ok(Some(chunk)) => {
                    self.offset += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                Ok(None) if self.size_bytes.is_none_or(|size_bytes| self.offset == size_bytes) => {
                    return Ok(None);
                }
                Ok(None) => "the connection was closed".to_owned(),
                Err(_) if self.size_bytes == Some(self.offset) => return Ok(None),
                Err(error) => error.to_string(),
            };
            self.resume(&broken).await?;
        }
    }

    fn uri(&self) -> String {
        one_line(&format!("s3://{}/{}", self.bucket, self.key))
    }

    /// Asks for the rest of the same version. The SDK tries each of these calls as often as any other; only a body
    /// that breaks off again counts here.
    async fn resume(&mut self, broken: &str) -> Result<(), StoreError> {
        if self.offset - self.resumed_at >= WORTH_RESUMING_BYTES {
            self.resumptions = 0;
        }
        let (uri, offset) = (self.uri(), self.offset);
        let given_up = |why: &str| StoreError::Unreachable {
            uri: uri.clone(),
            reason: one_line(&format!("it broke off after {offset} bytes ({broken}) {why}")),
        };
        let Some(etag) = self.etag.clone() else {
            return Err(given_up("and has no ETag to go on by"));
        };
        if self.resumptions == MAX_RESUMPTIONS {
            return Err(given_up(&format!("and again after {MAX_RESUMPTIONS} resumptions")));
        }
        self.resumptions += 1;
        self.resumed_at = self.offset;
        tracing::warn!(
            uri,
            offset_bytes = offset,
            size_bytes = self.size_bytes,
            reason = broken,
            "input broke off, resumed"
        );
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&self.key)
            .range(format!("bytes={offset}-"))
            .if_match(etag);
        let answer = request.send().await.map_err(|error| {
            let failure = read_failure(&error);
            match failure.meaning {
                Meaning::Precondition | Meaning::Absent => StoreError::Replaced { uri: uri.clone() },
                _ => store_error(uri.clone(), &failure),
            }
        })?;
        let goes_on = format!("bytes {offset}-");
        if !answer.content_range().is_some_and(|range| range.starts_with(&goes_on)) {
            return Err(given_up("and the store does not resume where it was asked to"));
        }
        self.body = answer.body;
        Ok(())
    }
}

/// Chunks from the network for a reader that is not async.
struct Chunks {
    waiting: mpsc::Receiver<Result<Bytes, StoreError>>,
    current: Bytes,
    over: bool,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.over && !into.is_empty() {
            match self.waiting.blocking_recv() {
                // An empty chunk is the end; a channel that closes without one was cut by the end of the runtime.
                Some(Ok(chunk)) if chunk.is_empty() => self.over = true,
                Some(Ok(chunk)) => self.current = chunk,
                Some(Err(error)) => return Err(error.into()),
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the input is not read to its end: it failed before, or the run is over",
                    ));
                }
            }
        }
        let read = self.current.len().min(into.len());
        into[..read].copy_from_slice(&self.current[..read]);
        self.current.advance(read);
        Ok(read)
    }
}

/// Brings the chunks until the end, an error, or until nobody reads any more.
async fn pump(mut stream: S3Stream, sender: mpsc::Sender<Result<Bytes, StoreError>>) {
    loop {
        let next = tokio::select! {
            biased;
            () = sender.closed() => return,
            next = stream.next_chunk() => next,
        };
        let is_last = !matches!(&next, Ok(Some(_)));
        let message = next.map(Option::unwrap_or_default);
        if sender.send(message).await.is_err() || is_last {
            return;
        }
    }
}
