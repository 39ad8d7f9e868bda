//! An object as it lies in its folder: size, time, `ETag`.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Above this an `ETag` is made from size, time and both ends, as a multipart object's is no hash of its content either.
const HASHED_WHOLE_BYTES: u64 = 4 << 20;
/// What is known of an object without its content.
pub(super) struct Object {
    pub path: PathBuf,
    pub length_bytes: u64,
    pub etag: String,
    pub modified: Timestamp,
}

pub(super) fn read_object(path: &Path) -> std::io::Result<Object> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    let length_bytes = metadata.len();
    let since_epoch = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified = i64::try_from(since_epoch.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let mut hasher = Sha256::new();
    let mut parts = "";
    if length_bytes <= HASHED_WHOLE_BYTES {
        std::io::copy(&mut file, &mut hasher)?;
    } else {
        hasher.update(length_bytes.to_le_bytes());
        hasher.update(since_epoch.as_nanos().to_le_bytes());
        let mut end = vec![0; 1 << 16];
        file.read_exact(&mut end)?;
        hasher.update(&end);
        file.seek(SeekFrom::End(-(1 << 16)))?;
        file.read_exact(&mut end)?;
        hasher.update(&end);
        parts = "-2";
    }
    let hash = hex::encode(&hasher.finalize()[..16]);
    Ok(Object { path: path.to_owned(), length_bytes, etag: format!("{hash}{parts}"), modified })
}
