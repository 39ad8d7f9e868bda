//! What all AWS services have in common: settings, credentials, the reading of a failed call, the AppSync signature.
//!
//! The SDK reads its own environment (region, endpoints, credentials of a Fargate task). Its own retry is configured
//! here and nowhere wrapped in a second loop: two loops multiply.

mod appsync_signer;
mod failure;

use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use secrecy::{ExposeSecret as _, SecretString};

pub use appsync_signer::{AppSyncSigner, AwsError};
pub(crate) use failure::{Failure, Meaning, one_line, read_failure};

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
