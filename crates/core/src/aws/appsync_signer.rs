//! The signature that AppSync asks of a task's role.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http::header::InvalidHeaderValue;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::sync::Mutex;
use url::Url;

use super::DEFAULT_REGION;
use super::failure::{causes, is_passing};

/// Temporary credentials are renewed this long before they end, as the SDK does for its own clients.
const RENEW_BEFORE_EXPIRY: Duration = Duration::from_mins(5);

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

impl AwsError {
    /// Whether asking again may help: the source of the credentials had a bad moment.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Credentials { temporary: true, .. })
    }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::provider::error::CredentialsError;
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
}
