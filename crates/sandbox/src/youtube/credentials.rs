//! The credentials of the played account, in every form a task accepts.

use std::sync::OnceLock;

use anyhow::{Context, anyhow};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// The account's e-mail address, the issuer of its assertions.
pub(crate) const CLIENT_EMAIL: &str = "custom-ids@sandbox.iam.gserviceaccount.example";
pub(crate) const CLIENT_ID: &str = "sandbox-client.apps.example";
pub(crate) const CLIENT_SECRET: &str = "sandbox-client-secret";
pub(crate) const REFRESH_TOKEN: &str = "1//sandbox-refresh-token";
pub(crate) const TOKEN_SERVICE_KEY: &str = "sandbox-token-service-key";
pub(crate) const STATIC_TOKEN: &str = "ya29.sandbox-static-token";

/// The ways a task can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// A service account's key: signed assertions.
    ServiceAccount,
    /// A person's refresh token.
    AuthorizedUser,
    /// An HTTP service that hands out access tokens for an API key.
    TokenService,
    /// One access token that never dies.
    Static,
}

/// An RSA key made for this process: a key that is checked in would trip every secret scanner.
pub(crate) struct SigningKey {
    pkcs8_pem: String,
    public_der: Vec<u8>,
}

impl SigningKey {
    /// One key for the process: making one takes longer than starting the servers.
    pub(crate) fn shared() -> anyhow::Result<&'static Self> {
        static KEY: OnceLock<Option<SigningKey>> = OnceLock::new();
        KEY.get_or_init(|| Self::generate().ok()).as_ref().context("no RSA key could be made")
    }

    fn generate() -> anyhow::Result<Self> {
        let pair =
            RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("RSA key generation failed"))?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| anyhow!("the RSA key has no PKCS#8 form"))?;
        let body = STANDARD.encode(der.as_ref());
        let mut pkcs8_pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        for line in body.as_bytes().chunks(64) {
            pkcs8_pem.push_str(std::str::from_utf8(line)?);
            pkcs8_pem.push('\n');
        }
        pkcs8_pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(Self { pkcs8_pem, public_der: pair.public_key().as_ref().to_vec() })
    }

    pub(crate) fn public_der(&self) -> &[u8] {
        &self.public_der
    }
}

/// The credential JSON of one kind; `token_origin` is the token server's address.
pub(crate) fn credential_json(
    kind: CredentialKind,
    token_origin: &str,
    key: &SigningKey,
) -> serde_json::Value {
    match kind {
        CredentialKind::ServiceAccount => json!({
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": "sandbox-key-1",
            "private_key": key.pkcs8_pem,
            "client_email": CLIENT_EMAIL,
            "client_id": CLIENT_ID,
            "auth_uri": format!("{token_origin}/auth"),
            "token_uri": format!("{token_origin}/token"),
            "auth_provider_x509_cert_url": format!("{token_origin}/certs"),
            "client_x509_cert_url": format!("{token_origin}/certs/1"),
        }),
        CredentialKind::AuthorizedUser => json!({
            "type": "authorized_user",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
            "token_uri": format!("{token_origin}/token"),
        }),
        CredentialKind::TokenService => json!({
            "type": "token_service",
            "url": format!("{token_origin}/service-token"),
            "api_key": TOKEN_SERVICE_KEY,
        }),
        CredentialKind::Static => json!({"type": "static", "token": STATIC_TOKEN}),
    }
}
