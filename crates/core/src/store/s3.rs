//! The store in a bucket, or in a part of one.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use rand::Rng as _;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use super::directory::io_error;
use super::stream::S3Stream;
use super::{Condition, ETag, ObjectInfo, StoreError};
use crate::aws::{ATTEMPT_TIMEOUT, Failure, Meaning, read_failure};

/// The most bytes that S3 takes in one write; nothing the suite writes comes near it.
const MAX_PUT_BYTES: u64 = 5 << 30;
/// A write may take a second longer for each of these.
const SLOWEST_UPLOAD_BYTES_PER_SECOND: u64 = 256 * 1024;
/// Metadata of a conditional write: whose it was. After a lost answer the SDK writes again and meets its own object.
const WRITE_ID: &str = "write-id";

/// Objects in a bucket below one prefix.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
    prefix: String,
}

impl Bucket {
    pub(super) fn new(aws: &SdkConfig, name: String, prefix: String) -> Self {
        // Objects of several parts carry checksums of checksums, about which the SDK would warn at every read.
        let config = aws_sdk_s3::config::Builder::from(aws)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self { client: Client::from_conf(config), name, prefix }
    }

    pub(super) fn uri(&self, key: &str) -> String {
        format!("s3://{}/{}", self.name, self.full(key))
    }

    /// The key within the bucket.
    fn full(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    pub(super) async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
    ) -> Result<ETag, StoreError> {
        let size_bytes = bytes.len() as u64;
        self.write(key, ByteStream::from(bytes), size_bytes, condition).await
    }

    pub(super) async fn put_file(
        &self,
        key: &str,
        path: &Path,
        condition: Condition,
    ) -> Result<ETag, StoreError> {
        let local = || path.display().to_string();
        let metadata = tokio::fs::metadata(path).await.map_err(|error| io_error(local(), error))?;
        let body = ByteStream::from_path(path)
            .await
            .map_err(|error| io_error(local(), std::io::Error::other(error)))?;
        self.write(key, body, metadata.len(), condition).await
    }

    async fn write(
        &self,
        key: &str,
        body: ByteStream,
        size_bytes: u64,
        condition: Condition,
    ) -> Result<ETag, StoreError> {
        if size_bytes > MAX_PUT_BYTES {
            let reason = format!("{size_bytes} bytes, and S3 takes {MAX_PUT_BYTES} in one write");
            return Err(StoreError::TooLarge { uri: self.uri(key), reason });
        }
        let mut request = self.client.put_object().bucket(&self.name).key(self.full(key)).body(body);
        let mut write_id = None;
        if condition != Condition::None {
            let id = format!("{:032x}", rand::rng().random::<u128>());
            request = request.metadata(WRITE_ID, &id);
            write_id = Some(id);
        }
        request = match &condition {
            Condition::None => request,
            Condition::IfAbsent => request.if_none_match("*"),
            Condition::IfMatch(etag) => request.if_match(etag.as_str()),
        };
        let time = ATTEMPT_TIMEOUT + Duration::from_secs(size_bytes / SLOWEST_UPLOAD_BYTES_PER_SECOND);
        let patient = aws_sdk_s3::config::Builder::new()
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(time).build());
        match request.customize().config_override(patient).send().await {
            Ok(answer) => Ok(ETag::new(answer.e_tag().unwrap_or_default())),
            Err(error) => {
                let failure = read_failure(&error);
                let lost = failure.meaning == Meaning::Precondition
                    || (failure.meaning == Meaning::Absent
                        && failure.code.as_deref() != Some("NoSuchBucket"));
                match write_id {
                    Some(id) if lost => self.written_before(key, &id, &condition).await,
                    _ => Err(self.failed(key, &failure)),
                }
            }
        }
    }

    /// Whether a write whose condition did not hold had been carried out by an earlier try of the same call, whose
    /// answer was lost: then the object carries this write's id, and the write was won, not lost.
    async fn written_before(&self, key: &str, id: &str, condition: &Condition) -> Result<ETag, StoreError> {
        let head = self.client.head_object().bucket(&self.name).key(self.full(key)).send().await;
        if let Ok(head) = head
            && head.metadata().and_then(|metadata| metadata.get(WRITE_ID)).is_some_and(|there| there == id)
        {
            return Ok(ETag::new(head.e_tag().unwrap_or_default()));
        }
        let reason = match condition {
            Condition::IfMatch(_) => "it has been changed since it was read",
            _ => "it is there already",
        };
        Err(StoreError::Precondition { uri: self.uri(key), reason: reason.to_owned() })
    }

    pub(super) async fn get(&self, key: &str, max_bytes: u64) -> Result<Option<(Vec<u8>, ETag)>, StoreError> {
        let Some(mut stream) = self.open(key).await? else { return Ok(None) };
        let too_large = || StoreError::TooLarge {
            uri: self.uri(key),
            reason: format!("at most {max_bytes} bytes were expected"),
        };
        if stream.size_bytes.is_some_and(|size_bytes| size_bytes > max_bytes) {
            return Err(too_large());
        }
        let etag = ETag::new(stream.etag.clone().unwrap_or_default());
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next_chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > max_bytes {
                return Err(too_large());
            }
        }
        Ok(Some((bytes, etag)))
    }

    pub(super) async fn get_file(&self, key: &str, path: &Path) -> Result<Option<ETag>, StoreError> {
        let Some(mut stream) = self.open(key).await? else { return Ok(None) };
        let etag = ETag::new(stream.etag.clone().unwrap_or_default());
        let local = |error| io_error(path.display().to_string(), error);
        let mut file = tokio::fs::File::create(path).await.map_err(local)?;
        while let Some(chunk) = stream.next_chunk().await? {
            file.write_all(&chunk).await.map_err(local)?;
        }
        file.flush().await.map_err(local)?;
        Ok(Some(etag))
    }

    pub(super) async fn open_file(&self, key: &str, path: &Path) -> Result<Option<File>, StoreError> {
        if self.get_file(key, path).await?.is_none() {
            return Ok(None);
        }
        let open = || {
            let file = File::open(path)?;
            std::fs::remove_file(path)?;
            Ok(file)
        };
        open().map(Some).map_err(|error| io_error(path.display().to_string(), error))
    }

    /// A file for what is to be put.
    pub(super) async fn begin(&self) -> Result<NamedTempFile, StoreError> {
        let file = tokio::task::spawn_blocking(NamedTempFile::new)
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)));
        file.map_err(|error| io_error(std::env::temp_dir().display().to_string(), error))
    }

    /// An object as a stream; `None` when there is none.
    async fn open(&self, key: &str) -> Result<Option<S3Stream>, StoreError> {
        match S3Stream::open(self.client.clone(), &self.name, &self.full(key)).await {
            Ok(stream) => Ok(Some(stream)),
            Err(failure)
                if failure.meaning == Meaning::Absent && failure.code.as_deref() != Some("NoSuchBucket") =>
            {
                Ok(None)
            }
            Err(failure) => Err(self.failed(key, &failure)),
        }
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(self.full(prefix))
            .into_paginator()
            .send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            for object in page.map_err(|error| self.failed_call(prefix, &error))?.contents() {
                let Some(key) = object.key().and_then(|key| self.relative(key)) else { continue };
                objects.push(ObjectInfo {
                    key: key.to_owned(),
                    size_bytes: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                    etag: object.e_tag().map(ETag::new),
                    modified: object.last_modified().and_then(timestamp),
                });
            }
        }
        objects.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(objects)
    }

    pub(super) async fn list_folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let parent = match self.full(folder).trim_end_matches('/') {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(&parent)
            .delimiter("/")
            .into_paginator()
            .send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            for common in page.map_err(|error| self.failed_call(folder, &error))?.common_prefixes() {
                let name = common.prefix().and_then(|prefix| prefix.strip_prefix(&parent));
                names.extend(name.map(|name| name.trim_end_matches('/').to_owned()));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let request = self.client.delete_object().bucket(&self.name).key(self.full(key));
        request.send().await.map(drop).map_err(|error| self.failed_call(key, &error))
    }

    /// A key of the bucket as one of this store; a "folder" that some tools leave behind as an empty object is none.
    fn relative<'a>(&self, key: &'a str) -> Option<&'a str> {
        let key = match self.prefix.as_str() {
            "" => key,
            prefix => key.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        (!key.is_empty() && !key.ends_with('/')).then_some(key)
    }

    fn failed_call<E>(&self, key: &str, error: &SdkError<E>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.failed(key, &read_failure(error))
    }

    fn failed(&self, key: &str, failure: &Failure) -> StoreError {
        store_error(self.uri(key), failure)
    }
}

/// A failed call as the store's error.
pub(super) fn store_error(uri: String, failure: &Failure) -> StoreError {
    let reason = failure.reason.clone();
    match failure.meaning {
        Meaning::Absent => StoreError::NotFound { uri, reason: format!("{reason}; see the bucket and key") },
        Meaning::Denied => StoreError::Forbidden {
            uri,
            reason: format!(
                "{reason}; the task role needs s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket here"
            ),
        },
        Meaning::BadCredentials => StoreError::Forbidden {
            uri,
            reason: format!("{reason}; see the task role, or AWS_ACCESS_KEY_ID, and the clock"),
        },
        Meaning::Refused => {
            StoreError::Forbidden { uri, reason: format!("{reason}; see the bucket's name and AWS_REGION") }
        }
        Meaning::Precondition => StoreError::Precondition { uri, reason },
        Meaning::Temporary => StoreError::Unreachable { uri, reason },
    }
}

/// S3's time as the suite's.
pub(super) fn timestamp(at: &aws_sdk_s3::primitives::DateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(at.secs()).ok()
}
