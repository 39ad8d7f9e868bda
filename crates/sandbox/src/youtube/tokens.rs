//! Access tokens: handed out at the token endpoints, checked by the Content ID API.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::json;

use crate::clock;
use crate::journal::Service;
use crate::lock::hold;
use crate::wire::{Call, Operation, Play, Reply};
use crate::youtube::credentials::{
    CLIENT_EMAIL, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, STATIC_TOKEN, SigningKey, TOKEN_SERVICE_KEY,
};
use crate::youtube::reporting::ANALYTICS_SCOPES;

/// The scope that Content ID asks for.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/youtubepartner";
/// What every answer promises; a shortened life shows as a 401, as a revoked token's does.
const EXPIRES_IN_SECONDS: u64 = 3600;

/// A JWT has no padding; Google takes one that has, and clients in use send it.
const PARTS: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

struct Token {
    dies: Instant,
    calls_left: u64,
    /// What it opens; `None` for all that the account may do (a refresh token carries what was consented to).
    scopes: Option<String>,
}

/// Every token handed out so far, and how long the next one lives.
pub(crate) struct TokenBook {
    life: Duration,
    calls: u64,
    state: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    issued: u64,
    tokens: HashMap<String, Token>,
}

impl TokenBook {
    pub(crate) fn new((life, calls): (Duration, u64)) -> Self {
        Self { life, calls, state: Mutex::default() }
    }

    fn issue(&self, scopes: Option<String>) -> String {
        let mut book = hold(&self.state);
        book.issued += 1;
        let token = format!("ya29.sandbox-{:06}", book.issued);
        let entry = Token { dies: Instant::now() + self.life, calls_left: self.calls, scopes };
        book.tokens.insert(token.clone(), entry);
        token
    }

    /// Whether an `Authorization` header opens the API now. Counts as one call of the token's life.
    pub(crate) fn opens(&self, authorization: &str) -> bool {
        let Some(token) = authorization.strip_prefix("Bearer ") else { return false };
        if token == STATIC_TOKEN {
            return true;
        }
        let mut book = hold(&self.state);
        let Some(entry) = book.tokens.get_mut(token) else { return false };
        if entry.calls_left == 0 || entry.dies <= Instant::now() {
            return false;
        }
        entry.calls_left -= 1;
        true
    }

    /// Whether a token that opens was given for one of these scopes.
    pub(crate) fn has_any_scope(&self, authorization: &str, wanted: &[&str]) -> bool {
        let Some(token) = authorization.strip_prefix("Bearer ") else { return false };
        if token == STATIC_TOKEN {
            return true;
        }
        let book = hold(&self.state);
        let scopes = book.tokens.get(token).map(|token| token.scopes.as_deref());
        scopes.is_some_and(|scopes| {
            scopes.is_none_or(|scopes| scopes.split(' ').any(|scope| wanted.contains(&scope)))
        })
    }

    /// Ends the life of every token handed out so far.
    pub(crate) fn expire_all(&self) {
        hold(&self.state).tokens.clear();
    }
}

/// OAuth's token endpoint at `/token`, the HTTP token service at `/service-token`.
pub(crate) struct TokenServer {
    pub book: Arc<TokenBook>,
    pub key: &'static SigningKey,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    scope: String,
    aud: String,
    exp: i64,
    iat: i64,
}

impl TokenServer {
    fn grant(&self, call: &Call) -> Reply {
        let form: HashMap<String, String> = url::form_urlencoded::parse(&call.body).into_owned().collect();
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        match field("grant_type") {
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
                let token_uri = format!("http://{}{}", call.header("host"), call.path);
                match self.check_assertion(field("assertion"), &token_uri) {
                    Ok(scopes) => self.token(Some(scopes)),
                    Err(why) => oauth_error(400, "invalid_grant", &format!("Invalid JWT: {why}")),
                }
            }
            "refresh_token" => {
                if field("client_id") != CLIENT_ID || field("client_secret") != CLIENT_SECRET {
                    oauth_error(401, "invalid_client", "The OAuth client was not found.")
                } else if field("refresh_token") == REFRESH_TOKEN {
                    self.token(None)
                } else {
                    oauth_error(400, "invalid_grant", "Token has been expired or revoked.")
                }
            }
            other => oauth_error(400, "unsupported_grant_type", &format!("Invalid grant_type: {other}")),
        }
    }

    fn token(&self, scopes: Option<String>) -> Reply {
        let scope = scopes.clone().unwrap_or_else(|| SCOPE.to_owned());
        Reply::json(
            200,
            &json!({"access_token": self.book.issue(scopes), "expires_in": EXPIRES_IN_SECONDS, "scope": scope,
                "token_type": "Bearer"}),
        )
    }

    /// The scopes that an assertion asks for.
    fn check_assertion(&self, assertion: &str, token_uri: &str) -> anyhow::Result<String> {
        let (signed, signature) = assertion.rsplit_once('.').context("not three parts")?;
        let (header, claims) = signed.split_once('.').context("not three parts")?;
        let header: serde_json::Value = serde_json::from_slice(&PARTS.decode(header)?)?;
        ensure!(header.get("alg").and_then(serde_json::Value::as_str) == Some("RS256"), "alg is not RS256");
        let signature = PARTS.decode(signature)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.key.public_der())
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| anyhow::anyhow!("Invalid JWT Signature."))?;
        let claims: Claims = serde_json::from_slice(&PARTS.decode(claims)?)?;
        let now = clock::now().as_second();
        ensure!(claims.iss == CLIENT_EMAIL, "the issuer is unknown");
        ensure!(claims.aud == token_uri, "the audience is not this endpoint");
        let known = |scope: &str| scope == SCOPE || ANALYTICS_SCOPES.contains(&scope);
        ensure!(claims.scope.split(' ').all(known), "a scope of {:?} is unknown", claims.scope);
        if claims.iat > now + 300 || claims.exp < now || claims.exp > claims.iat + 3600 {
            bail!("Token must be a short-lived token (60 minutes) and in a reasonable timeframe.");
        }
        Ok(claims.scope)
    }
}

fn oauth_error(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(status, &json!({"error": error, "error_description": description}))
}

impl Play for TokenServer {
    fn service(&self) -> Service {
        Service::Token
    }

    fn classify(&self, call: &Call) -> Operation {
        if call.path == "/service-token" {
            return Operation::new("service");
        }
        let refresh = url::form_urlencoded::parse(&call.body)
            .any(|(name, value)| name == "grant_type" && value == "refresh_token");
        Operation::new(if refresh { "refresh" } else { "assertion" })
    }

    fn answer(&self, call: &Call) -> Reply {
        match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/token") => self.grant(call),
            ("POST", "/service-token") if call.header("x-api-key") == TOKEN_SERVICE_KEY => Reply::json(
                200,
                &json!({"access_token": self.book.issue(None), "expires_in": EXPIRES_IN_SECONDS}),
            ),
            ("POST", "/service-token") => Reply::json(403, &json!({"message": "Forbidden"})),
            _ => oauth_error(404, "not_found", "There is no such endpoint."),
        }
    }
}
