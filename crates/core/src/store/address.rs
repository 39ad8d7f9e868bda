//! Addresses: `s3://bucket/key` or a path, and keys below them.

use std::path::PathBuf;

use super::StoreError;
use crate::aws::one_line;

/// The most bytes of a key in S3.
const MAX_KEY_BYTES: usize = 1024;

/// The address of one object or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectRef {
    /// In S3.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key, or the prefix of a folder without its last slash; may be empty for the whole bucket.
        key: String,
    },
    /// On the local disk.
    Path(PathBuf),
}

impl ObjectRef {
    /// Reads `s3://bucket/key` or a path. Other schemes are refused and not taken for odd file names.
    pub fn parse(uri: &str) -> Result<Self, StoreError> {
        let bad = |reason: &str| StoreError::BadAddress { uri: one_line(uri), reason: reason.to_owned() };
        if uri.trim().is_empty() {
            return Err(StoreError::BadAddress {
                uri: "an empty text".to_owned(),
                reason: "give s3://bucket/key or a path".to_owned(),
            });
        }
        if uri.contains('\0') {
            return Err(bad("it holds a NUL byte"));
        }
        let Some((scheme, rest)) = uri.split_once("://") else { return Ok(Self::Path(PathBuf::from(uri))) };
        if scheme != "s3" {
            return Err(bad("only s3://bucket/key or a path is understood"));
        }
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let is_bucket = (3..=255).contains(&bucket.len())
            && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if !is_bucket {
            return Err(bad("the bucket's name must be 3 to 63 of a-z, 0-9, . and -; write s3://bucket/key"));
        }
        let key = key.trim_end_matches('/');
        if key.len() > MAX_KEY_BYTES || key.split('/').any(|part| part == "..") {
            return Err(bad("the key must have at most 1,024 bytes and no part \"..\""));
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

/// Holds a key to what both kinds of store can keep: parts separated by single slashes, none of them beginning with
/// a dot (so none leads out of the folder, and the store's own files cannot be named), no control characters.
pub(super) fn check_key(key: &str) -> Result<(), StoreError> {
    let good_part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(char::is_control);
    if key.len() <= MAX_KEY_BYTES && key.split('/').all(good_part) {
        return Ok(());
    }
    Err(StoreError::BadAddress {
        uri: format!("the key \"{}\"", one_line(key)),
        reason: "a key has at most 1,024 bytes, and its parts are neither empty nor begin with a dot"
            .to_owned(),
    })
}

/// Holds a prefix to the same rules; it may be empty, end in a slash or in the middle of a name.
pub(super) fn check_prefix(prefix: &str) -> Result<(), StoreError> {
    match prefix.strip_suffix('/').unwrap_or(prefix) {
        "" if prefix.is_empty() => Ok(()),
        key => check_key(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_s3_or_a_path() {
        let s3 = |bucket: &str, key: &str| ObjectRef::S3 { bucket: bucket.to_owned(), key: key.to_owned() };
        assert_eq!(ObjectRef::parse("s3://reports/a/b.csv").unwrap(), s3("reports", "a/b.csv"));
        assert_eq!(ObjectRef::parse("s3://reports/state/").unwrap(), s3("reports", "state"));
        assert_eq!(ObjectRef::parse("s3://reports").unwrap(), s3("reports", ""));
        assert_eq!(ObjectRef::parse("./a b.csv").unwrap(), ObjectRef::Path("./a b.csv".into()));
    }

    #[rstest::rstest]
    #[case("")]
    #[case("gs://bucket/key")]
    #[case("S3://bucket/key")]
    #[case("s3://")]
    #[case("s3:///key")]
    #[case("s3://buc ket/key")]
    #[case("s3://bucket/a/../b")]
    #[case("a\0b")]
    fn an_address_that_cannot_be_one_is_a_mistake_in_a_setting(#[case] uri: &str) {
        assert!(matches!(ObjectRef::parse(uri), Err(StoreError::BadAddress { .. })), "{uri:?}");
    }

    #[rstest::rstest]
    #[case("")]
    #[case("/a")]
    #[case("a/")]
    #[case("a//b")]
    #[case("..")]
    #[case("a/../b")]
    #[case("a/.hidden")]
    #[case("a\nb")]
    fn no_key_leads_out_of_the_store_or_to_its_own_files(#[case] key: &str) {
        assert!(check_key(key).is_err(), "{key:?}");
    }

    #[test]
    fn keys_and_prefixes_of_run_folders_are_good() {
        check_key("cms-customid-cleanup/runs/20261123T095959999Z-0a1b2c3d/plan.jsonl").unwrap();
        for prefix in ["", "a", "a/", "a/b", "a/runs/2026"] {
            check_prefix(prefix).unwrap();
        }
        for prefix in ["/", "a//", "../"] {
            assert!(check_prefix(prefix).is_err(), "{prefix:?}");
        }
    }
}
