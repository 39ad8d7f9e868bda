//! What an answer means: a pure verdict on status, headers and body.
//!
//! Each service judges its own answers (Google names a reason in the body, AppSync puts errors into a 200) and falls
//! back to [`by_status`].

use std::time::Duration;

/// What is to be done after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The call did what it should; the service's client reads the body.
    Success,
    /// May pass by itself: counted as a try, repeated after a wait.
    Transient {
        /// Why, in the service's words.
        reason: String,
        /// What the server said about waiting.
        retry_after: Option<Duration>,
    },
    /// A success by its status whose body is no answer (a login page, half a document): repeated at most twice.
    Unreadable {
        /// What is wrong with it, with its first bytes.
        reason: String,
    },
    /// Refused for rate: the whole client waits; not counted as a try.
    RateLimited {
        /// Why, in the service's words.
        reason: String,
        /// What the server said about waiting.
        retry_after: Option<Duration>,
    },
    /// The credential was refused: renewed and replayed once where that can be done, then fatal.
    Unauthorized {
        /// Why, in the service's words.
        reason: String,
    },
    /// The day's quota is used up: never retried.
    QuotaExhausted {
        /// Why, in the service's words.
        reason: String,
    },
    /// Wrong configuration or permission: no call of this kind can work.
    Fatal {
        /// Why, in the service's words.
        reason: String,
    },
    /// The server sends us elsewhere: never followed, since the credentials would go along.
    Redirected {
        /// Why, in the service's words.
        reason: String,
    },
    /// This call was refused for good; others may work.
    Refused {
        /// The service's own code for it, as it stands in a rejects file.
        code: String,
        /// Why, in the service's words.
        reason: String,
    },
}

/// The verdict on a status alone, for an answer whose body says nothing more.
pub fn by_status(status: u16, reason: &str, retry_after: Option<Duration>) -> Verdict {
    let reason = if reason.is_empty() { format!("HTTP {status}") } else { reason.to_owned() };
    match status {
        200..=299 => Verdict::Success,
        300..=399 => Verdict::Redirected {
            reason: format!(
                "{reason}: the server sent a redirect, which is never followed with credentials; set the address it names, if it is yours"
            ),
        },
        401 => Verdict::Unauthorized { reason },
        403 | 407 => Verdict::Fatal { reason },
        429 => Verdict::RateLimited { reason, retry_after },
        408 | 425 | 500..=599 => Verdict::Transient { reason, retry_after },
        _ => Verdict::Refused { code: format!("http_{status}"), reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(200, "Success")]
    #[case(302, "Redirected")]
    #[case(400, "Refused")]
    #[case(401, "Unauthorized")]
    #[case(403, "Fatal")]
    #[case(404, "Refused")]
    #[case(429, "RateLimited")]
    #[case(500, "Transient")]
    #[case(503, "Transient")]
    fn a_status_alone_has_a_verdict(#[case] status: u16, #[case] kind: &str) {
        assert!(format!("{:?}", by_status(status, "", None)).starts_with(kind));
    }
}
