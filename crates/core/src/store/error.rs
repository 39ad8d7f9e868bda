//! Why an object could not be read or written.

use std::io;

use dn_domain::refusal::{Refusal, RefusalKind};

/// Why an object could not be read or written. Every message names the object and, where there is one, the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address cannot be one of an object or a folder: a mistake in a setting.
    #[error("{uri} is no address of an object: {reason}")]
    BadAddress {
        /// As it was given.
        uri: String,
        /// What is wrong and how it should read.
        reason: String,
    },
    /// There is nothing to be read there, or the role may not know whether there is.
    #[error("{uri} cannot be read: {reason}")]
    NotFound {
        /// The object.
        uri: String,
        /// The store's own words and the remedy.
        reason: String,
    },
    /// The role or user may not do this, or the store does not know who is asking.
    #[error("{uri}: not allowed: {reason}")]
    Forbidden {
        /// The object or folder.
        uri: String,
        /// The store's own words and the remedy.
        reason: String,
    },
    /// An input without a single byte.
    #[error(
        "{uri} is empty (0 bytes), which is not the same as a report without rows: fetch or export it again"
    )]
    Empty {
        /// The object.
        uri: String,
    },
    /// The condition of a write does not hold: somebody else was there first.
    #[error("{uri} was not written: {reason}")]
    Precondition {
        /// The object.
        uri: String,
        /// Which condition.
        reason: String,
    },
    /// An input became another one while it was read. Whoever reads it starts again from the beginning, or gives up.
    #[error(
        "{uri} was replaced while it was read, so what was read is of no version: read it again from the beginning"
    )]
    Replaced {
        /// The object.
        uri: String,
    },
    /// The store does not answer, or not to the end, after all tries.
    #[error("{uri}: the store does not answer: {reason}")]
    Unreachable {
        /// The object or folder.
        uri: String,
        /// The last failure.
        reason: String,
    },
    /// More bytes than are sensible for what it is.
    #[error("{uri} is too large: {reason}")]
    TooLarge {
        /// The object.
        uri: String,
        /// Size, limit and remedy.
        reason: String,
    },
    /// The local disk failed.
    #[error("{uri}: {error}")]
    Io {
        /// The path.
        uri: String,
        /// The system's error.
        #[source]
        error: io::Error,
    },
}

impl StoreError {
    /// The store's error inside an error of a reader, if that is what it is. A reader can only fail with
    /// [`io::Error`], whose `source` passes over the error that it wraps, so the usual walk along causes misses it.
    pub fn behind(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// Whether an error comes of an input that was replaced while it was read, however deep that lies: then what was read
/// counts for nothing, and reading it again from the beginning may go well.
pub fn was_replaced(error: &anyhow::Error) -> bool {
    error.chain().any(|link| {
        let of_reader = |error| matches!(StoreError::behind(error), Some(StoreError::Replaced { .. }));
        if let Some(refusal) = link.downcast_ref::<Refusal>() {
            return matches!(&refusal.kind, RefusalKind::Unreadable(error) if of_reader(error));
        }
        matches!(link.downcast_ref(), Some(StoreError::Replaced { .. }))
            || link.downcast_ref::<io::Error>().is_some_and(of_reader)
    })
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        Self::other(error)
    }
}
