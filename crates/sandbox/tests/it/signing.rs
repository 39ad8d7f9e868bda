//! Signing with the vendor's own crate: the sandbox's verification is read from the documentation, and the two must
//! agree.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use reqwest::{RequestBuilder, Response};

use crate::harness::Bench;

pub struct Signed<'a> {
    pub bench: &'a Bench,
    pub service: &'static str,
    pub secret: String,
}

impl<'a> Signed<'a> {
    pub fn new(bench: &'a Bench, service: &'static str) -> Self {
        Self { bench, service, secret: bench.env("AWS_SECRET_ACCESS_KEY") }
    }

    /// Sends a request signed for this service.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Response {
        let body = body.into();
        #[expect(clippy::disallowed_methods, reason = "a signature is of its time")]
        let now = std::time::SystemTime::now();
        let identity =
            Credentials::new(self.bench.env("AWS_ACCESS_KEY_ID"), &self.secret, None, None, "test").into();
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(self.service)
            .time(now)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let url: reqwest::Url = url.parse().unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let mut all = vec![("host", host.as_str())];
        all.extend(headers.iter().copied());
        let signable =
            SignableRequest::new(method, url.as_str(), all.into_iter(), SignableBody::Bytes(&body)).unwrap();
        let (instructions, _) = sign(signable, &parameters).unwrap().into_parts();
        let mut request: RequestBuilder =
            self.bench.client.request(method.parse().unwrap(), url.clone()).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in instructions.headers() {
            request = request.header(name, value);
        }
        request.send().await.unwrap()
    }
}
