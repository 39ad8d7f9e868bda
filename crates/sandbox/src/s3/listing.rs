//! `ListObjectsV2`: the keys of a bucket in order, page by page.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use quick_xml::escape::escape;

use crate::clock;
use crate::s3::object::read_object;
use crate::s3::{ObjectStore, internal, no_such_bucket};
use crate::wire::{Call, Reply};

/// The most keys in one page of a listing.
const PAGE_KEYS: usize = 1000;

impl ObjectStore {
    pub(super) fn list(&self, call: &Call, bucket: &str) -> Reply {
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
