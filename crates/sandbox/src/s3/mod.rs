//! S3 over a folder: path-style GET, HEAD, PUT, DELETE and listing, with ranges and the conditions that make a lock
//! honest.

mod listing;
mod object;
mod request;

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::journal::Service;
use crate::lock::hold;
use crate::s3::object::{Object, read_object};
use crate::s3::request::{Address, Span, address, decode_body, names_etag, span};
use crate::signature::{Unsigned, verify};
use crate::wire::{Call, Content, FilePart, Operation, Play, Reply};

/// The object store: one folder per bucket below `root`.
pub(crate) struct ObjectStore {
    root: PathBuf,
    incoming: PathBuf,
    next_upload: AtomicU64,
    /// A condition and the write that depends on it are one step.
    writing: Mutex<()>,
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
            Err(Unsigned::Skewed) => {
                return error(
                    403,
                    "RequestTimeTooSkewed",
                    "The difference between the request time and the current time is too large.",
                );
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
