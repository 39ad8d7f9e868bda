//! Google's error bodies: where the reason stands, and what it means.

use serde::Deserialize;

use super::content_id::WRITE_CONFLICT;
use crate::transport::Answer;
use crate::transport::error::excerpt;
use crate::transport::verdict::{Verdict, by_status};

/// Whether a refusal of one asset is the row's own matter (a write) or says that nothing can work (a read).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A read: `forbidden` means the content owner or the role is wrong.
    Read,
    /// A write to one asset: `forbidden` means that the asset is not ours.
    Write,
}

#[derive(Deserialize)]
struct Body {
    error: Problem,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    message: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    errors: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    reason: String,
}

/// The verdict on an answer of one of Google's APIs.
pub fn judge(answer: &Answer, kind: Kind) -> Verdict {
    let retry_after = answer.retry_after();
    let conflict = |reason| Verdict::Refused { code: WRITE_CONFLICT.to_owned(), reason };
    let is_conflict = matches!(answer.status, 409 | 412) && kind == Kind::Write;
    if (200..300).contains(&answer.status) {
        return Verdict::Success;
    }
    let Ok(Body { error }) = serde_json::from_slice::<Body>(&answer.body) else {
        let reason = format!("HTTP {}: {}", answer.status, excerpt(&answer.body));
        if is_conflict {
            return conflict(reason);
        }
        return match by_status(answer.status, &reason, retry_after) {
            Verdict::Fatal { reason } if answer.status == 403 && kind == Kind::Write => {
                Verdict::Refused { code: "forbidden".to_owned(), reason }
            }
            verdict => verdict,
        };
    };
    let code = error.errors.into_iter().map(|detail| detail.reason).find(|reason| !reason.is_empty());
    let code = code.or(error.status).unwrap_or_else(|| format!("http_{}", answer.status));
    // It stands in logs and rejects like the message.
    let code = excerpt(code.as_bytes());
    let message = excerpt(error.message.as_bytes());
    let reason = format!("HTTP {} {code}: {message}", answer.status);
    match (answer.status, code.as_str()) {
        (401, _) => Verdict::Unauthorized { reason },
        (403 | 429, "quotaExceeded" | "dailyLimitExceeded") => Verdict::QuotaExhausted { reason },
        (429, _) if message.to_lowercase().contains("per day") => Verdict::QuotaExhausted { reason },
        (403 | 429, "rateLimitExceeded" | "userRateLimitExceeded") | (429, _) => {
            Verdict::RateLimited { reason, retry_after }
        }
        (400, "contentOwnerNotProvided") => Verdict::Fatal {
            reason: format!(
                "{reason}; set --content-owner (YOUTUBE_CONTENT_OWNER) to the content owner's id"
            ),
        },
        (403, "serviceAccountNotAllowed") => Verdict::Fatal {
            reason: format!("{reason}; invite the service account to the content owner's account in Studio"),
        },
        (403, _) if kind == Kind::Read => Verdict::Fatal {
            reason: format!(
                "{reason}; the credential may not read for this content owner (YOUTUBE_CONTENT_OWNER)"
            ),
        },
        // Whatever word Google has for it (newer services say PERMISSION_DENIED): this asset may not be written.
        (403, _) => Verdict::Refused { code: "forbidden".to_owned(), reason },
        (404, _) if kind == Kind::Write => Verdict::Refused { code: "gone".to_owned(), reason },
        (409 | 412, _) if is_conflict => conflict(reason),
        (408 | 500..=599, _) => Verdict::Transient { reason, retry_after },
        (300..=399, _) => by_status(answer.status, &reason, None),
        _ => Verdict::Refused { code, reason },
    }
}

/// Google's verdict, and for a success that its body can be read as what was asked for.
pub fn judge_read<T: serde::de::DeserializeOwned>(answer: &Answer, kind: Kind) -> Verdict {
    match judge(answer, kind) {
        Verdict::Success => match serde_json::from_slice::<T>(&answer.body) {
            Ok(_) => Verdict::Success,
            Err(error) => Verdict::Unreadable {
                reason: format!(
                    "HTTP {} with a body that is no answer ({error}): {}",
                    answer.status,
                    excerpt(&answer.body)
                ),
            },
        },
        verdict => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, reason: &str, kind: Kind) -> Verdict {
        let body = serde_json::json!({"error": {"code": status, "message": "m", "errors": [{"domain": "d", "reason": reason}]}});
        let body = body.to_string().into();
        judge(&Answer { status, headers: http::HeaderMap::new(), body }, kind)
    }

    #[rstest::rstest]
    #[case(403, "quotaExceeded", Kind::Write, "QuotaExhausted")]
    #[case(403, "dailyLimitExceeded", Kind::Read, "QuotaExhausted")]
    #[case(403, "rateLimitExceeded", Kind::Write, "RateLimited")]
    #[case(403, "userRateLimitExceeded", Kind::Read, "RateLimited")]
    #[case(429, "whatever", Kind::Read, "RateLimited")]
    #[case(403, "forbidden", Kind::Write, "Refused")]
    #[case(403, "forbidden", Kind::Read, "Fatal")]
    #[case(403, "serviceAccountNotAllowed", Kind::Write, "Fatal")]
    #[case(400, "contentOwnerNotProvided", Kind::Read, "Fatal")]
    #[case(400, "invalidValue", Kind::Write, "Refused")]
    #[case(404, "assetNotFound", Kind::Write, "Refused")]
    #[case(401, "authError", Kind::Read, "Unauthorized")]
    #[case(503, "backendError", Kind::Write, "Transient")]
    fn a_reason_decides_what_becomes_of_a_call(
        #[case] status: u16,
        #[case] reason: &str,
        #[case] kind: Kind,
        #[case] expected: &str,
    ) {
        let verdict = verdict(status, reason, kind);
        assert!(format!("{verdict:?}").starts_with(expected), "{verdict:?}");
    }

    #[rstest::rstest]
    #[case(409, r#"{"error":{"code":409,"message":"m","errors":[{"reason":"conflict"}]}}"#)]
    #[case(412, r#"{"error":{"code":412,"message":"m","errors":[{"reason":"conditionNotMet"}]}}"#)]
    #[case(412, "Precondition Failed")]
    fn a14_a_conflict_is_known_by_its_status(#[case] status: u16, #[case] body: &'static str) {
        let answer = Answer { status, headers: http::HeaderMap::new(), body: body.into() };
        let Verdict::Refused { code, reason } = judge(&answer, Kind::Write) else { panic!("not refused") };
        assert!(code == WRITE_CONFLICT && reason.contains(&status.to_string()), "{code}: {reason}");
        assert!(
            !matches!(judge(&answer, Kind::Read), Verdict::Refused { code, .. } if code == WRITE_CONFLICT)
        );
    }

    #[test]
    fn a11_a_refusal_without_a_list_of_errors_is_forbidden_all_the_same() {
        let body = r#"{"error":{"code":403,"message":"The caller does not have permission","status":"PERMISSION_DENIED"}}"#;
        let answer = Answer { status: 403, headers: http::HeaderMap::new(), body: body.as_bytes().into() };
        match judge(&answer, Kind::Write) {
            Verdict::Refused { code, reason } => {
                assert!(code == "forbidden" && reason.contains("PERMISSION_DENIED"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a09_a_429_that_speaks_of_the_day_is_the_days_quota() {
        let body = r#"{"error":{"code":429,"message":"Video Uploads per day","errors":[{"reason":"rateLimitExceeded"}]}}"#;
        let answer = Answer { status: 429, headers: http::HeaderMap::new(), body: body.as_bytes().into() };
        assert!(matches!(judge(&answer, Kind::Write), Verdict::QuotaExhausted { .. }));
    }

    #[test]
    fn v16_a_reason_with_a_line_break_forges_no_line_of_a_log() {
        match verdict(400, "invalid\nValue", Kind::Write) {
            Verdict::Refused { code, reason } => assert!(!code.contains('\n') && !reason.contains('\n')),
            other => panic!("{other:?}"),
        }
        match verdict(400, &"x".repeat(100_000), Kind::Write) {
            Verdict::Refused { code, .. } => assert!(code.len() < 300, "{}", code.len()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_html_page_is_judged_by_its_status() {
        let body = bytes::Bytes::from_static(b"<html>Error 502</html>");
        let answer = Answer { status: 502, headers: http::HeaderMap::new(), body };
        assert!(matches!(judge(&answer, Kind::Read), Verdict::Transient { .. }));
    }
}
