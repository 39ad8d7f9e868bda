//! What all AWS services have in common: settings, credentials, the reading of a failed call, the AppSync signature.
//!
//! The SDK reads its own environment (region, endpoints, credentials of a Fargate task). Its own retry is configured
//! here and nowhere wrapped in a second loop: two loops multiply.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use dn_domain::printable::{SHOWN_CHARS, printable};
use http::header::InvalidHeaderValue;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use url::Url;

/// The settings that every AWS client of a process shares.
pub use aws_config::SdkConfig;

/// Where everything of the known environment lies; a setting of the SDK's own comes before it.
const DEFAULT_REGION: &str = "us-east-1";
/// One call is tried this often in all.
const MAX_ATTEMPTS: u32 = 5;
/// A connection inside AWS stands in milliseconds; beyond this it will not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the first byte sent to the last header of the answer. The body of a read that is streamed is not in it:
/// that is watched by the protection against streams that stall.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// A stream that brings less than a byte a second for so long is broken off and resumed.
const STALL_GRACE: Duration = Duration::from_secs(10);
/// Temporary credentials are renewed this long before they end, as the SDK does for its own clients.
const RENEW_BEFORE_EXPIRY: Duration = Duration::from_mins(5);

/// What is set by hand instead of being left to the SDK's own environment. The default leaves everything to it.
#[derive(Debug, Clone, Default)]
pub struct AwsSettings {
    /// The region, before `AWS_REGION`.
    pub region: Option<String>,
    /// One address for every service, before `AWS_ENDPOINT_URL` and those of each service. An IP address in it keeps
    /// the bucket's name out of the host name.
    pub endpoint_url: Option<String>,
    /// Fixed credentials, before all sources that the SDK knows.
    pub access_key: Option<AccessKey>,
}

/// Fixed credentials.
#[derive(Debug, Clone)]
pub struct AccessKey {
    id: String,
    secret: SecretString,
}

impl AccessKey {
    /// The public and the secret half.
    pub fn new(id: impl Into<String>, secret: impl Into<SecretString>) -> Self {
        Self { id: id.into(), secret: secret.into() }
    }
}

/// Loads the settings that every AWS client of the process shares.
///
/// The region is not asked from the instance metadata service: outside AWS that is a wait of seconds for nothing,
/// and ECS sets `AWS_REGION`.
pub async fn load(settings: &AwsSettings) -> SdkConfig {
    let region = RegionProviderChain::first_try(settings.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else(Region::from_static(DEFAULT_REGION));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .build(),
        )
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled().grace_period(STALL_GRACE).build(),
        );
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(key) = &settings.access_key {
        loader = loader.credentials_provider(Credentials::new(
            key.id.clone(),
            key.secret.expose_secret(),
            None,
            None,
            "settings",
        ));
    }
    loader.load().await
}

/// Why a request could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// The settings name no source of credentials at all.
    #[error(
        "there is no source of AWS credentials; on ECS give the task a task role, elsewhere set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials,
    /// The source of credentials refused or could not be reached.
    #[error(
        "no AWS credentials: {reason}; on ECS see the task role, elsewhere AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    Credentials {
        /// The source's own words, all causes in a row.
        reason: String,
        /// Whether the same request may well succeed a moment later.
        temporary: bool,
    },
    /// The request cannot be signed as it is.
    #[error("the request cannot be signed: {0}")]
    Unsignable(String),
}

/// Signs requests to AppSync as the task's role (Signature Version 4, service `appsync`).
///
/// Cheap to clone; all clones share the credentials. Temporary credentials are kept until shortly before they end,
/// since their source on ECS is an HTTP endpoint and a request is signed anew at every try.
#[derive(Debug, Clone)]
pub struct AppSyncSigner {
    provider: SharedCredentialsProvider,
    region: String,
    kept: Arc<Mutex<Option<Credentials>>>,
}

impl AppSyncSigner {
    /// A signer with the credentials of the shared settings.
    pub fn new(aws: &SdkConfig) -> Result<Self, AwsError> {
        let provider = aws.credentials_provider().ok_or(AwsError::NoCredentials)?;
        let region = aws.region().map_or_else(|| DEFAULT_REGION.to_owned(), ToString::to_string);
        Ok(Self { provider, region, kept: Arc::default() })
    }

    /// The headers to add to a request so that AppSync takes it. `headers` and `body` must be sent exactly as they
    /// are given here. The time is AWS's only measure against replay: the clock must be right within 5 minutes.
    pub async fn sign(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, AwsError> {
        let identity = self.credentials(now).await?.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(region_of(url).unwrap_or(&self.region))
            .name("appsync")
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| AwsError::Unsignable(causes(&error)))?;
        let mut given = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            let text = value
                .to_str()
                .map_err(|_| AwsError::Unsignable(format!("the header {name} is not plain ASCII")))?;
            given.push((name.as_str(), text));
        }
        let request =
            SignableRequest::new(method.as_str(), url.as_str(), given.into_iter(), SignableBody::Bytes(body))
                .map_err(|error| AwsError::Unsignable(causes(&error)))?;
        let (instructions, _) =
            sign(request, &params.into()).map_err(|error| AwsError::Unsignable(causes(&error)))?.into_parts();
        let (signed, _) = instructions.into_parts();
        signed
            .iter()
            .map(|header| {
                let mut value = HeaderValue::from_str(header.value())?;
                value.set_sensitive(header.sensitive() || header.name() == "authorization");
                Ok((HeaderName::from_static(header.name()), value))
            })
            .collect::<Result<_, InvalidHeaderValue>>()
            .map_err(|_| {
                AwsError::Unsignable("the credentials hold characters that no header can carry".to_owned())
            })
    }

    async fn credentials(&self, now: SystemTime) -> Result<Credentials, AwsError> {
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.as_ref()
            && credentials.expiry().is_some_and(|expiry| now + RENEW_BEFORE_EXPIRY < expiry)
        {
            return Ok(credentials.clone());
        }
        let fresh = self.provider.provide_credentials().await.map_err(|error| AwsError::Credentials {
            temporary: is_passing(&error),
            reason: causes(&error),
        })?;
        *kept = Some(fresh.clone());
        Ok(fresh)
    }
}

/// The region that an AppSync address names, as in `….appsync-api.eu-west-1.amazonaws.com`: a signature for any
/// other is refused. A custom domain names none.
fn region_of(url: &Url) -> Option<&str> {
    let mut parts = url.host_str()?.split('.').skip_while(|part| *part != "appsync-api");
    parts.next()?;
    let region = parts.next()?;
    (parts.next() == Some("amazonaws")).then_some(region)
}

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

fn is_passing(error: &CredentialsError) -> bool {
    matches!(error, CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_))
}

/// An error and all its causes in one printable line: the SDK's outermost error says only "dispatch failure".
fn causes(error: &(dyn Error + 'static)) -> String {
    one_line(&chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

/// The most characters of one message: a refusal by IAM with two long ARNs has some 400.
const MAX_MESSAGE_CHARS: usize = 1_000;

/// An address, or what a service said, escaped as foreign text is but not cut to the length of an id: the end of an
/// ARN or a key is what the operator needs.
pub(crate) fn one_line(text: &str) -> String {
    let characters: Vec<char> = text.chars().take(MAX_MESSAGE_CHARS).collect();
    characters.chunks(SHOWN_CHARS).map(|piece| printable(piece.iter().collect::<String>())).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use aws_credential_types::provider::future;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn sdk(provider: impl ProvideCredentials + 'static) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(provider))
            .build()
    }

    async fn authorization(signer: &AppSyncSigner, url: &str, body: &[u8], now: SystemTime) -> String {
        let url = url.parse().unwrap();
        let headers = HeaderMap::from_iter([(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )]);
        let added = signer.sign(&Method::POST, &url, &headers, body, now).await.unwrap();
        let (_, value) = added.iter().find(|(name, _)| name == http::header::AUTHORIZATION).unwrap();
        assert!(value.is_sensitive(), "the signature would show in a debug line");
        value.to_str().unwrap().to_owned()
    }

    const URL: &str = "https://abc.appsync-api.us-east-1.amazonaws.com/graphql";

    #[tokio::test]
    async fn a_signature_covers_host_time_content_type_and_every_byte_of_the_body() {
        let signer =
            AppSyncSigner::new(&sdk(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))).unwrap();
        let now = at(1_763_900_000);
        let one = authorization(&signer, URL, b"{}", now).await;
        assert!(
            one.starts_with(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20251123/us-east-1/appsync/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, Signature="
            ),
            "{one}"
        );
        assert_eq!(one, authorization(&signer, URL, b"{}", now).await);
        assert_ne!(one, authorization(&signer, URL, b"{ }", now).await);
        assert_ne!(one, authorization(&signer, URL, b"{}", now + Duration::from_secs(1)).await);
    }

    #[tokio::test]
    async fn the_region_in_the_address_comes_before_the_configured_one() {
        let signer =
            AppSyncSigner::new(&sdk(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))).unwrap();
        let foreign = "https://abc.appsync-api.eu-west-1.amazonaws.com/graphql";
        let custom = "https://api.example.com/graphql";
        assert!(authorization(&signer, foreign, b"", at(0)).await.contains("/eu-west-1/appsync/"));
        assert!(authorization(&signer, custom, b"", at(0)).await.contains("/us-east-1/appsync/"));
    }

    #[derive(Debug, Default)]
    struct Endpoint {
        asked: Arc<AtomicU32>,
    }

    impl ProvideCredentials for Endpoint {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let nth = self.asked.fetch_add(1, Ordering::Relaxed);
            let expiry = at(3_600 * u64::from(nth + 1));
            let token = Some(format!("token-{nth}"));
            future::ProvideCredentials::ready(Ok(Credentials::new(
                "AKID",
                "secret",
                token,
                Some(expiry),
                "test",
            )))
        }
    }

    #[tokio::test]
    async fn temporary_credentials_are_kept_and_renewed_five_minutes_before_they_end() {
        let asked = Arc::new(AtomicU32::new(0));
        let signer = AppSyncSigner::new(&sdk(Endpoint { asked: Arc::clone(&asked) })).unwrap();
        for seconds in [0, 10, 3_299] {
            authorization(&signer, URL, b"", at(seconds)).await;
            assert_eq!(asked.load(Ordering::Relaxed), 1, "at {seconds} s");
        }
        let url = URL.parse().unwrap();
        let added = signer.sign(&Method::POST, &url, &HeaderMap::new(), b"", at(3_300)).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        assert!(added.iter().any(|(name, value)| name == "x-amz-security-token" && value == "token-1"));
    }

    #[tokio::test]
    async fn a_source_without_credentials_is_no_passing_fault() {
        #[derive(Debug)]
        struct Nothing;
        impl ProvideCredentials for Nothing {
            fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
            where
                Self: 'a,
            {
                future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("no variable is set")))
            }
        }
        let signer = AppSyncSigner::new(&sdk(Nothing)).unwrap();
        let url = URL.parse().unwrap();
        let error = signer.sign(&Method::POST, &url, &HeaderMap::new(), b"", at(0)).await.unwrap_err();
        assert!(
            matches!(&error, AwsError::Credentials { temporary: false, reason } if reason.contains("no variable is set"))
        );
    }

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
