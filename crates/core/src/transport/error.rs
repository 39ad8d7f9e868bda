//! The error of a call that did not come to its end: which call, how often, how long, and what the server said.

use std::fmt;
use std::time::Duration;

/// How much of a refused answer's body stands in an error.
pub const SHOWN_BODY_BYTES: usize = 200;

/// Why a call did not come to its end. The kind decides what becomes of the row, or of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallErrorKind {
    /// Tried as often as allowed, each time a failure that might have passed. One row's failure.
    Exhausted,
    /// Refused for good with this code. One row's failure.
    Refused {
        /// The service's own code for it.
        code: String,
    },
    /// A 200 that cannot be read, or a body over the cap. One row's failure.
    BadAnswer,
    /// The local disk did not take what came.
    NotWritten,
    /// The server did nothing but fail for as long as the client bears it. Ends the run.
    PatienceOver,
    /// The credential is refused, or the configuration cannot work. Ends the run.
    Unauthorized,
    /// The server answers with a redirect, which is not followed. Ends the run.
    Redirected,
    /// The quota of the day, or the budget of calls, is used up. Ends the run, to go on later.
    QuotaExhausted,
    /// The lock's lease is over: another run may be at work. Ends the run.
    LockLost,
    /// The run is being stopped; the call was not sent, or its answer not waited for.
    Interrupted,
}

impl CallErrorKind {
    /// Whether no further call should be begun.
    pub fn ends_the_run(&self) -> bool {
        matches!(
            self,
            Self::PatienceOver
                | Self::Unauthorized
                | Self::Redirected
                | Self::QuotaExhausted
                | Self::LockLost
                | Self::Interrupted
        )
    }

    /// The code that stands for it in a rejects file.
    pub fn code(&self) -> &str {
        match self {
            Self::Exhausted => "unavailable",
            Self::Refused { code } => code,
            Self::BadAnswer => "bad_answer",
            Self::NotWritten => "not_written",
            Self::PatienceOver => "patience_over",
            Self::Unauthorized => "unauthorized",
            Self::Redirected => "redirected",
            Self::QuotaExhausted => "quota_exhausted",
            Self::LockLost => "lock_lost",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A call that did not come to its end.
#[derive(Debug, Clone, thiserror::Error)]
pub struct CallError {
    /// The service and operation, as `youtube assets.patch`.
    pub operation: String,
    /// Method and address without query or credentials.
    pub target: String,
    /// What became of it.
    pub kind: CallErrorKind,
    /// In the service's words, with the first bytes of the body where it was not readable.
    pub reason: String,
    /// How often it was sent.
    pub tries: u32,
    /// How many of these tries nobody knows the end of: no answer, or one that does not say whether it was carried out.
    pub lost: u32,
    /// From the first try to the end.
    pub elapsed: Duration,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, target, kind, reason, tries, elapsed, .. } = self;
        // Nothing failed: it was not begun.
        if *kind == CallErrorKind::Interrupted {
            return f.write_str(reason);
        }
        write!(f, "{operation} ({target}) failed after {tries} tries in {} ms: {reason}", elapsed.as_millis())
    }
}

/// The first bytes of a body, fit for a message: control characters escaped, long runs cut, bearer tokens masked.
pub fn excerpt(body: &[u8]) -> String {
    let cut = &body[..body.len().min(SHOWN_BODY_BYTES)];
    let text: String = String::from_utf8_lossy(cut).chars().flat_map(char::escape_debug).collect();
    let masked = mask_tokens(&text);
    if body.len() > SHOWN_BODY_BYTES { format!("{masked}… ({} bytes)", body.len()) } else { masked }
}

/// Replaces what looks like a Google token or a key (`ya29.…`, `AIza…`, `da2-…`, `1//…`) by a mask.
fn mask_tokens(text: &str) -> String {
    text.split_inclusive(|c: char| {
        c.is_whitespace() || matches!(c, '"' | ',' | ':' | '\'' | '=' | '&' | '\\')
    })
    .map(|word| {
        let secret = ["ya29.", "AIza", "da2-", "1//", "eyJ"].iter().any(|start| word.starts_with(start));
        if secret { "[masked] " } else { word }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_escaped_and_without_tokens() {
        let text = excerpt(b"{\"access_token\":\"ya29.a0AfH6SMBx\",\x1b[31m\"x\":\"\nlogin page\"}");
        assert!(!text.contains("a0AfH6SMBx"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\n'), "{text}");
        assert!(excerpt(&[b'x'; 5_000]).len() < 300);
    }
}
