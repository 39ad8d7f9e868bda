//! What a failed call of an AWS service means, read once for all services.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use dn_domain::printable::{SHOWN_CHARS, printable};

/// The most characters of one message: a refusal by IAM with two long ARNs has some 400.
const MAX_MESSAGE_CHARS: usize = 1_000;

/// What a failed call of an AWS service means for whoever made it, after the SDK's own retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// What was asked for is not there.
    Absent,
    /// The credentials are good and may not do this.
    Denied,
    /// There are no credentials, or nobody knows them (any more).
    BadCredentials,
    /// A condition of the call did not hold.
    Precondition,
    /// No answer, or one that says "later".
    Temporary,
    /// Refused for another reason; the same call will be refused again.
    Refused,
}

/// A failed call, read once for all services.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub meaning: Meaning,
    /// The service's own name for the error.
    pub code: Option<String>,
    /// Status, code and message in one printable line.
    pub reason: String,
}

/// Reads a failed call. Never matches on messages, which AWS rewords.
pub(crate) fn read_failure<E>(error: &SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.code().map(str::to_owned);
    let meaning = match (credentials_error(error), status) {
        (Some(cause), _) if is_passing(cause) => Meaning::Temporary,
        (Some(_), _) => Meaning::BadCredentials,
        (None, None) if matches!(error, SdkError::ConstructionFailure(_)) => Meaning::Refused,
        (None, None) => Meaning::Temporary,
        (None, Some(status)) => meaning_of(status, code.as_deref().unwrap_or_default()),
    };
    let told = match (status, error.message()) {
        (Some(status), Some(message)) => {
            format!("HTTP {status} {}: {message}", code.as_deref().unwrap_or("without an error code"))
        }
        (Some(status), None) => format!("HTTP {status} {}", code.as_deref().unwrap_or_default()),
        (None, _) => causes(error),
    };
    Failure { meaning, code, reason: one_line(told.trim_end()) }
}

fn meaning_of(status: u16, code: &str) -> Meaning {
    // Services disagree about the status of these, so the code comes first.
    match code {
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "RequestTimeTooSkewed"
        | "RequestExpired" => return Meaning::BadCredentials,
        "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" => return Meaning::Denied,
        "ResourceNotFoundException" | "NoSuchKey" | "NoSuchBucket" => return Meaning::Absent,
        "PreconditionFailed" | "ConditionalRequestConflict" => return Meaning::Precondition,
        "Throttling"
        | "ThrottlingException"
        | "SlowDown"
        | "RequestTimeout"
        | "RequestLimitExceeded"
        | "InternalException"
        | "InternalFailure"
        | "InternalError"
        | "ServiceUnavailable" => {
            return Meaning::Temporary;
        }
        _ => {}
    }
    match status {
        401 | 403 => Meaning::Denied,
        404 => Meaning::Absent,
        409 | 412 => Meaning::Precondition,
        // A 2xx that ends here broke off in the middle or could not be read.
        200..300 | 408 | 429 | 500.. => Meaning::Temporary,
        _ => Meaning::Refused,
    }
}

fn credentials_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CredentialsError> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// An error and its causes, outermost first.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// Whether the source of the credentials may give them a moment later.
pub(super) fn is_passing(error: &CredentialsError) -> bool {
    matches!(error, CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_))
}

/// An error and all its causes in one printable line: the SDK's outermost error says only "dispatch failure".
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    one_line(&chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

/// An address, or what a service said, escaped as foreign text is but not cut to the length of an id: the end of an
/// ARN or a key is what the operator needs.
pub(crate) fn one_line(text: &str) -> String {
    let characters: Vec<char> = text.chars().take(MAX_MESSAGE_CHARS).collect();
    characters.chunks(SHOWN_CHARS).map(|piece| printable(piece.iter().collect::<String>())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v16_a_services_message_stays_on_one_line_and_keeps_its_end() {
        let arn = format!("arn:aws:events:us-east-1:{}:event-bus/the-bus", "1".repeat(120));
        assert_eq!(one_line(&format!("not allowed\non {arn}")), format!("not allowed\\non {arn}"));
        assert_eq!(one_line(&"x".repeat(100_000)).len(), MAX_MESSAGE_CHARS);
    }

    #[rstest::rstest]
    #[case(400, "ExpiredToken", Meaning::BadCredentials)]
    #[case(403, "RequestTimeTooSkewed", Meaning::BadCredentials)]
    #[case(403, "AccessDenied", Meaning::Denied)]
    #[case(403, "", Meaning::Denied)]
    #[case(400, "AccessDeniedException", Meaning::Denied)]
    #[case(400, "ResourceNotFoundException", Meaning::Absent)]
    #[case(404, "", Meaning::Absent)]
    #[case(409, "ConditionalRequestConflict", Meaning::Precondition)]
    #[case(412, "", Meaning::Precondition)]
    #[case(400, "ThrottlingException", Meaning::Temporary)]
    #[case(503, "SlowDown", Meaning::Temporary)]
    #[case(599, "", Meaning::Temporary)]
    #[case(301, "PermanentRedirect", Meaning::Refused)]
    #[case(400, "InvalidArgument", Meaning::Refused)]
    fn the_code_of_a_refusal_counts_before_its_status(
        #[case] status: u16,
        #[case] code: &str,
        #[case] meaning: Meaning,
    ) {
        assert_eq!(meaning_of(status, code), meaning);
    }
}
