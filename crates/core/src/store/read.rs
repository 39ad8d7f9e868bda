//! Inputs: a report of any size as a stream of its text, from S3 or the local disk.
//!
//! Memory does not grow with the input. A connection that breaks is no end of the file: the stream goes on where it
//! broke off, with the same version of the object or not at all.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use aws_config::SdkConfig;
use tokio::runtime::Handle;

use super::gunzip::Unpacking;
use super::s3::{Bucket, store_error};
use super::stream::S3Stream;
use super::{ObjectRef, StoreError};
use crate::aws::{Meaning, one_line};

/// An input that is open: what it is, and the way to its text.
#[derive(Debug)]
pub struct ObjectReader {
    /// As it was asked for.
    pub uri: String,
    /// Which version: S3's `ETag`; of a file its size and time of change.
    pub etag: Option<String>,
    /// The size as it lies there, packed if it is packed.
    pub size_bytes: Option<u64>,
    /// When it was last written.
    pub modified: Option<jiff::Timestamp>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    File(WatchedFile),
    S3 { stream: Box<S3Stream>, runtime: Handle },
}

/// Opens an input: `s3://bucket/key` or a path. The first bytes are on their way when it returns.
///
/// [`StoreError::NotFound`] also for an object that the role may not read: S3 answers the same to both when the
/// bucket may not be listed, and either way it is the input that is at fault.
pub async fn open_read(uri: &str, aws: &SdkConfig) -> Result<ObjectReader, StoreError> {
    match ObjectRef::parse(uri)? {
        ObjectRef::Path(path) => {
            let name = uri.to_owned();
            tokio::task::spawn_blocking(move || open_file(&name, &path)).await.unwrap_or_else(|error| {
                Err(StoreError::Io { uri: uri.to_owned(), error: io::Error::other(error) })
            })
        }
        ObjectRef::S3 { bucket, key } => open_s3(uri, Bucket::new(aws, bucket, String::new()), key).await,
    }
}

fn open_file(uri: &str, path: &Path) -> Result<ObjectReader, StoreError> {
    let refused = |reason: String| StoreError::NotFound { uri: one_line(uri), reason };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            refused("there is no such file; see the path and the folder the task runs in".to_owned())
        }
        io::ErrorKind::PermissionDenied => refused(format!("{error}; see the owner and mode of the file")),
        _ => StoreError::Io { uri: one_line(uri), error },
    };
    let file = WatchedFile::open(uri, path).map_err(failed)?;
    let metadata = file.file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(refused("it is a folder; name the file in it".to_owned()));
    }
    // A pipe has neither size nor version.
    let size_bytes = metadata.is_file().then_some(metadata.len());
    if size_bytes == Some(0) {
        return Err(StoreError::Empty { uri: one_line(uri) });
    }
    Ok(ObjectReader {
        uri: uri.to_owned(),
        etag: file.version.as_ref().map(Version::to_text),
        size_bytes,
        modified: metadata.modified().ok().and_then(|at| at.try_into().ok()),
        source: Source::File(file),
    })
}

async fn open_s3(uri: &str, bucket: Bucket, key: String) -> Result<ObjectReader, StoreError> {
    if key.is_empty() {
        let reason = "it names a bucket and no object; write s3://bucket/key".to_owned();
        return Err(StoreError::BadAddress { uri: one_line(uri), reason });
    }
    let stream = S3Stream::open(bucket.client, &bucket.name, &key).await.map_err(|failure| {
        let uri = one_line(uri);
        match failure.meaning {
            Meaning::Denied => StoreError::NotFound {
                uri,
                reason: format!(
                    "{}; there is no such object, or the task role lacks s3:GetObject on it (S3 tells the two apart \
                     only with s3:ListBucket)",
                    failure.reason
                ),
            },
            _ => store_error(uri, &failure),
        }
    })?;
    if stream.size_bytes == Some(0) {
        return Err(StoreError::Empty { uri: one_line(uri) });
    }
    Ok(ObjectReader {
        uri: uri.to_owned(),
        etag: stream.etag.clone(),
        size_bytes: stream.size_bytes,
        modified: stream.modified,
        source: Source::S3 { stream: Box::new(stream), runtime: Handle::current() },
    })
}

impl ObjectReader {
    /// The input's text for a reader that is not async, unpacked if it is gzip, whatever its name. To be read where
    /// blocking is allowed (`spawn_blocking`). An error of it wraps a [`StoreError`]; see [`StoreError::behind`].
    pub fn into_sync_read(self) -> impl Read + Send + 'static {
        let uri = one_line(&self.uri);
        let packed: Box<dyn Read + Send> = match self.source {
            Source::File(file) => Box::new(file),
            Source::S3 { stream, runtime } => Box::new(stream.into_sync_read(&runtime)),
        };
        Unpacking::new(uri, packed)
    }
}

/// A file that is found out when it is written to while it is read. One that is replaced by a rename is read to its
/// old end, which is whole.
#[derive(Debug)]
struct WatchedFile {
    uri: String,
    file: File,
    version: Option<Version>,
}

#[derive(Debug, PartialEq, Eq)]
struct Version {
    size_bytes: u64,
    modified: SystemTime,
}

impl Version {
    fn of(file: &File) -> io::Result<Option<Self>> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        Ok(Some(Self { size_bytes: metadata.len(), modified: metadata.modified()? }))
    }

    fn to_text(&self) -> String {
        let since_epoch = self.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        format!("{}-{}", self.size_bytes, since_epoch.as_nanos())
    }
}

impl WatchedFile {
    fn open(uri: &str, path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self { uri: one_line(uri), version: Version::of(&file)?, file })
    }
}

impl Read for WatchedFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        if read == 0 && !into.is_empty() && Version::of(&self.file)? != self.version {
            return Err(StoreError::Replaced { uri: self.uri.clone() }.into());
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use aws_config::BehaviorVersion;

    use super::*;

    fn aws() -> SdkConfig {
        SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build()
    }

    async fn open(path: &Path) -> Result<ObjectReader, StoreError> {
        open_read(path.to_str().unwrap(), &aws()).await
    }

    #[tokio::test]
    async fn a_local_file_is_read_whole_with_size_version_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        std::fs::write(&path, "video_id\n1\n").unwrap();
        let reader = open(&path).await.unwrap();
        assert_eq!(reader.size_bytes, Some(11));
        assert!(reader.etag.as_ref().is_some_and(|etag| etag.starts_with("11-")), "{:?}", reader.etag);
        assert!(reader.modified.is_some());
        let mut text = String::new();
        reader.into_sync_read().read_to_string(&mut text).unwrap();
        assert_eq!(text, "video_id\n1\n");
    }

    #[tokio::test]
    async fn s02_a_file_that_grows_while_it_is_read_is_no_version_of_the_report() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        std::fs::write(&path, "video_id\n").unwrap();
        let mut reader = open(&path).await.unwrap().into_sync_read();
        let mut start = [0; 4];
        reader.read_exact(&mut start).unwrap();
        File::options().append(true).open(&path).unwrap().write_all(b"1\n").unwrap();
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(matches!(StoreError::behind(&error), Some(StoreError::Replaced { .. })), "{error}");
    }

    #[tokio::test]
    async fn s02_a_file_that_is_replaced_by_a_rename_is_read_to_its_old_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        std::fs::write(&path, "old\n").unwrap();
        let mut reader = open(&path).await.unwrap().into_sync_read();
        let next = folder.path().join("next");
        std::fs::write(&next, "new and longer\n").unwrap();
        std::fs::rename(&next, &path).unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "old\n");
    }

    #[tokio::test]
    async fn s03_an_input_that_is_missing_a_folder_or_empty_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.csv");
        std::fs::write(&empty, "").unwrap();
        assert!(matches!(open(&empty).await, Err(StoreError::Empty { .. })));
        for (path, hint) in [
            (folder.path().join("none.csv"), "there is no such file"),
            (folder.path().to_owned(), "it is a folder"),
        ] {
            let error = open(&path).await.unwrap_err();
            assert!(
                matches!(&error, StoreError::NotFound { reason, .. } if reason.contains(hint)),
                "{error}"
            );
        }
        assert!(matches!(open_read("s3://bucket", &aws()).await, Err(StoreError::BadAddress { .. })));
    }
}
