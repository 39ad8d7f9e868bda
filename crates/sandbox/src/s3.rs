//! S3 over a folder: path-style GET, HEAD, PUT, DELETE and listing, with ranges and the conditions that make a lock
//! honest.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use quick_xml::escape::escape;
use sha2::{Digest, Sha256};

use crate::clock;
use crate::journal::Service;
use crate::lock::hold;
use crate::signature::{Unsigned, verify};
use crate::wire::{Call, Content, FilePart, Operation, Play, Reply};

/// Above this an `ETag` is made from size, time and both ends, as a multipart object's is no hash of its content either.
const HASHED_WHOLE_BYTES: u64 = 4 << 20;
/// The most keys in one page of a listing.
const PAGE_KEYS: usize = 1000;

/// The object store: one folder per bucket below `root`.
pub(crate) struct ObjectStore {
    root: PathBuf,
    incoming: PathBuf,
    next_upload: AtomicU64,
    /// A condition and the write that depends on it are one step.
    writing: Mutex<()>,
}

struct Address {
    bucket: String,
    key: String,
}

struct Object {
    path: PathBuf,
    length_bytes: u64,
    etag: String,
    modified: Timestamp,
}

impl ObjectStore {
    pub(crate) fn new(root: PathBuf, incoming: PathBuf) -> std::io::Result<Self> {
        fs::create_dir_all(&root)?;
        fs::create_dir_all(&incoming)?;
        Ok(Self { root, incoming, next_upload: AtomicU64::new(0), writing: Mutex::new(()) })
    }

    fn get(&self, call: &Call, address: &Address) -> Reply {
        let object = match self.find(address) {
            Ok(object) => object,
            Err(reply) => return reply,
        };
        let quoted = format!("\"{}\"", object.etag);
        let wanted = call.header("if-match");
        if !wanted.is_empty() && !names_etag(wanted, &object.etag) {
            return error(412, "PreconditionFailed", "At least one of the pre-conditions did not hold");
        }
        if names_etag(call.header("if-none-match"), &object.etag) {
            return Reply::new(304, "application/xml", "").with("etag", quoted);
        }
        let (status, start, length_bytes) = match span(call.header("range"), object.length_bytes) {
            Span::Whole => (200, 0, object.length_bytes),
            Span::Part { start, length_bytes } => (206, start, length_bytes),
            Span::Unmeetable => {
                return error(416, "InvalidRange", "The requested range is not satisfiable")
                    .with("content-range", format!("bytes */{}", object.length_bytes));
            }
        };
        let mut reply = Reply::new(status, "application/octet-stream", "")
            .with("etag", quoted)
            .with("accept-ranges", "bytes")
            .with("last-modified", http_date(object.modified));
        if status == 206 {
            let end = start + length_bytes - 1;
            reply = reply.with("content-range", format!("bytes {start}-{end}/{}", object.length_bytes));
        }
        reply.content = Content::File(FilePart { path: object.path, start, length_bytes });
        reply
    }

    fn put(&self, call: &Call, address: &Address) -> Reply {
        let Some(body) = decode_body(call) else {
            return error(400, "IncompleteBody", "The chunked body could not be read");
        };
        let Some(path) = self.path_of(address) else {
            return error(400, "InvalidURI", "The key cannot be stored");
        };
        let number = self.next_upload.fetch_add(1, Ordering::Relaxed);
        let incoming = self.incoming.join(format!("{number}"));
        if fs::write(&incoming, &body).is_err() {
            return internal();
        }
        let _one_at_a_time = hold(&self.writing);
        if !self.root.join(&address.bucket).is_dir() {
            return no_such_bucket();
        }
        let present = read_object(&path).ok();
        let if_none_match = call.header("if-none-match");
        let if_match = call.header("if-match");
        if if_none_match == "*" && present.is_some() {
            return error(412, "PreconditionFailed", "At least one of the pre-conditions did not hold");
        }
        if !if_match.is_empty() {
            match &present {
                None => return error(404, "NoSuchKey", "The specified key does not exist."),
                Some(object) if !names_etag(if_match, &object.etag) => {
                    return error(
                        412,
                        "PreconditionFailed",
                        "At least one of the pre-conditions did not hold",
                    );
                }
                Some(_) => {}
            }
        }
        let stored = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::rename(&incoming, &path))
            .and_then(|()| read_object(&path));
        match stored {
            Ok(object) => Reply::new(200, "application/xml", "").with("etag", format!("\"{}\"", object.etag)),
            Err(_) => internal(),
        }
    }

    fn delete(&self, address: &Address) -> Reply {
        let _one_at_a_time = hold(&self.writing);
        if let Some(path) = self.path_of(address) {
            match fs::remove_file(path) {
                Err(why) if why.kind() != ErrorKind::NotFound => return internal(),
                // Deleting what is not there succeeds.
                _ => {}
            }
        }
        Reply::new(204, "application/xml", "")
    }

    fn list(&self, call: &Call, bucket: &str) -> Reply {
        let folder = self.root.join(bucket);
        if !folder.is_dir() {
            return no_such_bucket();
        }
        let prefix = call.parameter("prefix").unwrap_or_default();
        let delimiter = call.parameter("delimiter").unwrap_or_default();
        let after = call
            .parameter("continuation-token")
            .or_else(|| call.parameter("start-after"))
            .unwrap_or_default();
        let page: usize =
            call.parameter("max-keys").and_then(|text| text.parse().ok()).unwrap_or(PAGE_KEYS).min(PAGE_KEYS);
        let mut keys = Vec::new();
        if gather_keys(&folder, "", &mut keys).is_err() {
            return internal();
        }
        keys.sort();
        let mut contents = String::new();
        let mut prefixes: Vec<String> = Vec::new();
        let mut count = 0;
        let mut last = String::new();
        let mut more = false;
        for key in keys.into_iter().filter(|key| key.starts_with(&prefix) && *key > after) {
            let rest = &key[prefix.len()..];
            let folded = (!delimiter.is_empty())
                .then(|| {
                    rest.find(&delimiter).map(|at| key[..prefix.len() + at + delimiter.len()].to_owned())
                })
                .flatten();
            if folded.as_ref().is_some_and(|common| prefixes.last() == Some(common) || *common <= after) {
                last = key;
                continue;
            }
            if count == page {
                more = true;
                break;
            }
            count += 1;
            if let Some(common) = folded {
                prefixes.push(common);
            } else if let Ok(object) = read_object(&folder.join(&key)) {
                // Writing to a text cannot fail.
                let _infallible = write!(
                    contents,
                    "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                    escape(&key),
                    clock::with_milliseconds(object.modified),
                    object.etag,
                    object.length_bytes
                );
            }
            last = key;
        }
        for one in &prefixes {
            let _infallible =
                write!(contents, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escape(one));
        }
        let next = if more {
            format!("<NextContinuationToken>{}</NextContinuationToken>", escape(&last))
        } else {
            String::new()
        };
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{}</Name><Prefix>{}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>{page}</MaxKeys><IsTruncated>{more}</IsTruncated>{next}{contents}</ListBucketResult>",
            escape(bucket),
            escape(&prefix),
        );
        Reply::new(200, "application/xml", body)
    }

    fn find(&self, address: &Address) -> Result<Object, Reply> {
        if !self.root.join(&address.bucket).is_dir() {
            return Err(no_such_bucket());
        }
        self.path_of(address)
            .and_then(|path| read_object(&path).ok())
            .ok_or_else(|| error(404, "NoSuchKey", "The specified key does not exist."))
    }

    /// The file of a key; none for keys that would leave the bucket's folder.
    fn path_of(&self, address: &Address) -> Option<PathBuf> {
        let harmless = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
        (harmless(&address.bucket) && address.key.split('/').all(harmless))
            .then(|| self.root.join(&address.bucket).join(&address.key))
    }
}

fn address(path: &str) -> Option<Address> {
    let path = percent_decode_str(path.strip_prefix('/')?).decode_utf8().ok()?;
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    (!bucket.is_empty()).then(|| Address { bucket: bucket.to_owned(), key: key.to_owned() })
}

fn gather_keys(folder: &Path, prefix: &str, keys: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let key = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            gather_keys(&entry.path(), &format!("{key}/"), keys)?;
        } else {
            keys.push(key);
        }
    }
    Ok(())
}

fn read_object(path: &Path) -> std::io::Result<Object> {
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

fn names_etag(header: &str, etag: &str) -> bool {
    header.split(',').map(str::trim).any(|one| one == "*" || one.trim_matches('"') == etag)
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Span {
    Whole,
    Part { start: u64, length_bytes: u64 },
    Unmeetable,
}

fn span(header: &str, length_bytes: u64) -> Span {
    let Some((from, to)) = header.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Span::Whole;
    };
    let last = length_bytes.checked_sub(1);
    let bounds = match (from.parse::<u64>().ok(), to.parse::<u64>().ok(), last) {
        (Some(start), None, Some(last)) if start <= last => Some((start, last)),
        (Some(start), Some(end), Some(last)) if start <= last && start <= end => Some((start, end.min(last))),
        (None, Some(suffix), Some(last)) if suffix > 0 => Some((length_bytes.saturating_sub(suffix), last)),
        _ => None,
    };
    bounds.map_or(Span::Unmeetable, |(start, end)| Span::Part { start, length_bytes: end - start + 1 })
}

/// The object in a request's body: the SDK sends it in chunks with a checksum behind them.
fn decode_body(call: &Call) -> Option<Vec<u8>> {
    let chunked = call.header("content-encoding").contains("aws-chunked")
        || call.header("x-amz-content-sha256").starts_with("STREAMING-");
    if !chunked {
        return Some(call.body.to_vec());
    }
    let mut rest = &call.body[..];
    let mut object = Vec::with_capacity(rest.len());
    loop {
        let line_end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(&rest[..line_end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[line_end + 2..];
        if size == 0 {
            break;
        }
        object.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
    let declared = call.header("x-amz-decoded-content-length");
    (declared.is_empty() || declared.parse() == Ok(object.len())).then_some(object)
}

fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>SANDBOX</RequestId></Error>"
    );
    Reply::new(status, "application/xml", body)
}

fn no_such_bucket() -> Reply {
    error(404, "NoSuchBucket", "The specified bucket does not exist")
}

fn internal() -> Reply {
    error(500, "InternalError", "We encountered an internal error. Please try again.")
}

impl Play for ObjectStore {
    fn service(&self) -> Service {
        Service::S3
    }

    fn classify(&self, call: &Call) -> Operation {
        let address = address(&call.path);
        let key = address.as_ref().map(|address| address.key.clone()).unwrap_or_default();
        let name = match (call.method.as_str(), key.is_empty()) {
            ("GET", true) => "ListObjectsV2",
            ("HEAD", true) => "HeadBucket",
            ("GET", false) => "GetObject",
            ("HEAD", false) => "HeadObject",
            ("PUT", false) => "PutObject",
            ("DELETE", false) => "DeleteObject",
            _ => "unknown",
        };
        let ids = if key.is_empty() { Vec::new() } else { vec![key] };
        Operation::new(name).about(ids)
    }

    fn answer(&self, call: &Call) -> Reply {
        match verify(call, "s3") {
            Ok(()) => {}
            Err(Unsigned::Missing) => return error(403, "AccessDenied", "Access Denied"),
            Err(Unsigned::UnknownKey) => {
                return error(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist");
            }
            Err(Unsigned::Mismatch) => {
                return error(403, "SignatureDoesNotMatch", "The request signature does not match");
            }
        }
        let Some(address) = address(&call.path) else {
            return error(400, "InvalidURI", "Couldn't parse the specified URI.");
        };
        match (call.method.as_str(), address.key.is_empty()) {
            ("GET", true) => self.list(call, &address.bucket),
            ("HEAD", true) if self.root.join(&address.bucket).is_dir() => {
                Reply::new(200, "application/xml", "")
            }
            ("HEAD", true) => no_such_bucket(),
            ("GET" | "HEAD", false) => self.get(call, &address),
            ("PUT", false) => self.put(call, &address),
            ("DELETE", false) => self.delete(&address),
            _ => error(405, "MethodNotAllowed", "The specified method is not allowed against this resource."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges_as_the_protocol_has_them() {
        let part = |start, length_bytes| Span::Part { start, length_bytes };
        assert_eq!(span("", 10), Span::Whole);
        assert_eq!(span("bytes=0-3", 10), part(0, 4));
        assert_eq!(span("bytes=4-", 10), part(4, 6));
        assert_eq!(span("bytes=-3", 10), part(7, 3));
        assert_eq!(span("bytes=4-99", 10), part(4, 6));
        assert_eq!(span("bytes=10-", 10), Span::Unmeetable);
        assert_eq!(span("bytes=0-", 0), Span::Unmeetable);
    }

    #[test]
    fn takes_the_object_out_of_its_chunks() {
        let body = "3;chunk-signature=aa\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n";
        let mut headers = http::HeaderMap::new();
        headers.insert("content-encoding", "aws-chunked".parse().unwrap());
        headers.insert("x-amz-decoded-content-length", "5".parse().unwrap());
        let mut call =
            Call { method: "PUT".into(), path: "/b/k".into(), query: None, headers, body: body.into() };
        assert_eq!(decode_body(&call).as_deref(), Some(&b"abcde"[..]));
        call.headers.insert("x-amz-decoded-content-length", "6".parse().unwrap());
        assert_eq!(decode_body(&call), None);
    }

    #[test]
    fn a_key_cannot_leave_its_bucket() {
        let dir = tempfile::tempdir().unwrap();
        let store = ObjectStore::new(dir.path().join("s3"), dir.path().join("in")).unwrap();
        let at = |bucket: &str, key: &str| {
            store.path_of(&Address { bucket: bucket.to_owned(), key: key.to_owned() })
        };
        assert!(at("b", "a/b.json").is_some());
        assert!(at("b", "../x").is_none());
        assert!(at("..", "x").is_none());
        assert!(at("b", "a//b").is_none());
    }
}
