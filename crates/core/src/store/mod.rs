//! One object store over S3 or a directory, and inputs from either.
//!
//! What outlives a task lies here: run folders, locks, history. A [`Store`] keeps objects under keys; a write is
//! there whole or not at all, and a condition on a write ([`Condition`]) is kept against other processes, so that a
//! lock can be honest. [`open_read`] opens an input (a report of any size) as a stream that survives a broken
//! connection and is unpacked if it is gzip.

mod address;
mod directory;
mod error;
mod gunzip;
mod read;
mod s3;
mod stream;

use std::fmt;
use std::fs::File;
use std::path::Path;

use aws_config::SdkConfig;
use bytes::Bytes;
use tempfile::NamedTempFile;

pub use address::ObjectRef;
pub use directory::Directory;
pub use error::{StoreError, was_replaced};
pub use read::{ObjectReader, open_read};
pub use s3::Bucket;

/// What identifies one version of an object: S3's own, or the BLAKE3 of the content in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// An `ETag` as a store gave it earlier.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As the store gave it, S3's quotes included.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// So often the reading of an input that is replaced meanwhile is begun again from its first byte.
pub const MAX_REREADS: u32 = 3;

/// What must hold for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    None,
    /// There is no such object yet: of all who try at once, one wins.
    IfAbsent,
    /// The object is still this version.
    IfMatch(ETag),
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Relative to the store.
    pub key: String,
    /// Its size as it lies there.
    pub size_bytes: u64,
    /// Its version, where the store knows it without reading the object: S3 does, a directory does not.
    pub etag: Option<ETag>,
    /// When it was last written.
    pub modified: Option<jiff::Timestamp>,
}

/// An object that is being written: a file beside its place, or on the local disk where the store is elsewhere. Nothing
/// is left of one that is not finished ([`Store::finish`]).
#[derive(Debug)]
pub struct Unfinished {
    key: String,
    file: NamedTempFile,
}

impl Unfinished {
    /// What is written to.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }
}

/// An object store. Keys are relative to the address it was opened with.
#[derive(Debug, Clone)]
pub enum Store {
    /// A folder on the local disk.
    Directory(Directory),
    /// A bucket, or a part of one.
    S3(Bucket),
}

impl Store {
    /// Opens `s3://bucket/prefix` or a directory. Nothing is asked or made yet: a directory comes into being with the
    /// first object.
    pub fn open(uri: &str, aws: &SdkConfig) -> Result<Self, StoreError> {
        Ok(match ObjectRef::parse(uri)? {
            ObjectRef::Path(root) => Self::Directory(Directory::new(root)),
            ObjectRef::S3 { bucket, key } => Self::S3(Bucket::new(aws, bucket, key)),
        })
    }

    /// Writes an object whole; durable when it returns. [`StoreError::Precondition`] when the condition does not hold.
    pub async fn put(&self, key: &str, bytes: Bytes, condition: Condition) -> Result<ETag, StoreError> {
        address::check_key(key)?;
        match self {
            Self::Directory(directory) => directory.put(key, bytes, condition).await,
            Self::S3(bucket) => bucket.put(key, bytes, condition).await,
        }
    }

    /// Writes a local file as an object, streamed: memory does not grow with its size. The file must not change
    /// meanwhile. [`StoreError::Precondition`] when the condition does not hold.
    pub async fn put_file(&self, key: &str, path: &Path, condition: Condition) -> Result<ETag, StoreError> {
        address::check_key(key)?;
        match self {
            Self::Directory(directory) => directory.put_file(key, path, condition).await,
            Self::S3(bucket) => bucket.put_file(key, path, condition).await,
        }
    }

    /// Reads an object of any size into a local file, streamed, and gives its version; `None` when there is none, and
    /// then there is no file either. A file that is there is replaced; after an error it holds a part.
    pub async fn get_file(&self, key: &str, path: &Path) -> Result<Option<ETag>, StoreError> {
        address::check_key(key)?;
        match self {
            Self::Directory(directory) => directory.get_file(key, path).await,
            Self::S3(bucket) => bucket.get_file(key, path).await,
        }
    }

    /// Opens an object of any size as a local file to be read; `None` when there is none. In a directory it is the object
    /// itself, which its writers replace and never change, from elsewhere a copy, which is made at `path` and goes when it
    /// is closed.
    pub async fn open_file(&self, key: &str, path: &Path) -> Result<Option<File>, StoreError> {
        address::check_key(key)?;
        match self {
            Self::Directory(directory) => directory.open_file(key).await,
            Self::S3(bucket) => bucket.open_file(key, path).await,
        }
    }

    /// Begins an object of any size that is written bit by bit, and by nobody else meanwhile.
    pub async fn begin(&self, key: &str) -> Result<Unfinished, StoreError> {
        address::check_key(key)?;
        let file = match self {
            Self::Directory(directory) => directory.begin(key).await,
            Self::S3(bucket) => bucket.begin().await,
        };
        Ok(Unfinished { key: key.to_owned(), file: file? })
    }

    /// Puts what was written in its place, whatever lies there; durable when it returns.
    pub async fn finish(&self, object: Unfinished) -> Result<(), StoreError> {
        let Unfinished { key, file } = object;
        match self {
            Self::Directory(directory) => directory.finish(&key, file).await,
            Self::S3(bucket) => bucket.put_file(&key, file.path(), Condition::None).await.map(drop),
        }
    }

    /// Reads a small object whole; `None` when there is none. One over `max_bytes` is refused, not cut.
    pub async fn get(&self, key: &str, max_bytes: u64) -> Result<Option<(Vec<u8>, ETag)>, StoreError> {
        address::check_key(key)?;
        match self {
            Self::Directory(directory) => directory.get(key, max_bytes).await,
            Self::S3(bucket) => bucket.get(key, max_bytes).await,
        }
    }

    /// All objects whose keys begin with `prefix`, in the order of their keys. An empty prefix lists everything.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        address::check_prefix(prefix)?;
        match self {
            Self::Directory(directory) => directory.list(prefix).await,
            Self::S3(bucket) => bucket.list(prefix).await,
        }
    }

    /// The names of the folders directly in a folder (`""` for the store itself), in order: the runs of a task,
    /// without listing their files. A folder without an object in it is none.
    pub async fn list_folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        address::check_prefix(folder)?;
        let folder = folder.trim_end_matches('/');
        match self {
            Self::Directory(directory) => directory.list_folders(folder).await,
            Self::S3(bucket) => bucket.list_folders(folder).await,
        }
    }

    /// Removes an object; that there is none is no error.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        address::check_key(key)?;
        match self {
            Self::Directory(directory) => directory.delete(key).await,
            Self::S3(bucket) => bucket.delete(key).await,
        }
    }

    /// The full address of a key, for messages and summaries.
    pub fn uri(&self, key: &str) -> String {
        match self {
            Self::Directory(directory) => directory.uri(key),
            Self::S3(bucket) => bucket.uri(key),
        }
    }
}
