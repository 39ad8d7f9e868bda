//! Signing in: where access tokens come from, and the cache that all calls share.
//!
//! Access tokens live an hour at the most and a long run crosses several. However many calls wait, one request is
//! under way: the cache holds its lock while it asks.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use yup_oauth2::authenticator::DefaultAuthenticator;
use yup_oauth2::{ServiceAccountAuthenticator, ServiceAccountKey};

use crate::task::clock;
use crate::transport::error::excerpt;
use crate::transport::verdict::{Verdict, by_status};
use crate::transport::{Answer, Authorization, Call, CallError, Courier, Pace, Sent, Transport};

/// What the Content ID API asks for.
pub const CONTENT_ID_SCOPE: &str = "https://www.googleapis.com/auth/youtubepartner";
const GOOGLE_TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// One request for a token, from its first byte to its last.
const TOKEN_DEADLINE: Duration = Duration::from_secs(20);
/// A token whose lifetime the server does not say is taken to live as long as Google's do.
const USUAL_LIFE: Duration = Duration::from_hours(1);
/// No token is kept for longer, whatever the server says: the longest that are handed out live a day.
const LONGEST_LIFE: Duration = Duration::from_hours(24);
/// What kills a refresh token: said wherever one is refused, since the answer itself never says which it was.
const INVALID_GRANT_HINT: &str = "a refresh token dies when it is revoked, unused for six months, or seven days old \
    while the consent screen is in testing; a service account's assertion is refused when its key was deleted or \
    this machine's clock is wrong";

/// A credential, as its JSON says.
pub enum Credentials {
    /// A service account's key; the token comes over `yup-oauth2`.
    ServiceAccount(Box<ServiceAccountKey>),
    /// A refresh token of a person.
    AuthorizedUser {
        /// The OAuth client.
        client_id: String,
        /// The OAuth client's secret.
        client_secret: SecretString,
        /// The person's refresh token.
        refresh_token: SecretString,
        /// Where it is exchanged.
        token_uri: url::Url,
    },
    /// A service of our own that hands out access tokens.
    TokenService {
        /// Where it is asked, by POST.
        url: url::Url,
        /// Sent as `x-api-key`.
        api_key: SecretString,
    },
    /// A token made elsewhere, which nobody renews.
    Static(SecretString),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum CredentialsJson {
    ServiceAccount(Box<ServiceAccountKey>),
    AuthorizedUser {
        client_id: String,
        client_secret: SecretString,
        refresh_token: SecretString,
        token_uri: Option<url::Url>,
    },
    TokenService {
        url: url::Url,
        api_key: SecretString,
    },
    Static {
        token: SecretString,
    },
}

impl Credentials {
    /// Reads the JSON of `YOUTUBE_CREDENTIALS`. The error names what is missing and never shows the text itself.
    pub fn parse(json: &str) -> Result<Self, String> {
        let kinds = "service_account, authorized_user, token_service or static";
        let value: serde_json::Value = serde_json::from_str(json)
            .map_err(|error| format!("is no JSON (line {}, column {})", error.line(), error.column()))?;
        let kind = value.get("type").and_then(serde_json::Value::as_str).map(str::to_owned);
        let Some(kind) = kind else { return Err(format!("has no \"type\"; it is one of {kinds}")) };
        if !["service_account", "authorized_user", "token_service", "static"].contains(&kind.as_str()) {
            return Err(format!("has an unknown \"type\"; it is one of {kinds}"));
        }
        let parsed = serde_json::from_value(value).map_err(|error| {
            // serde quotes values of the wrong type: only its `missing field …` is safe to show.
            let text = error.to_string();
            let missing = text.starts_with("missing field").then_some(text);
            format!(
                "of type {kind} {}",
                missing.unwrap_or_else(|| "has a field of the wrong form".to_owned())
            )
        })?;
        Ok(match parsed {
            CredentialsJson::ServiceAccount(mut key) => {
                // The tag took `type` out of the object.
                key.key_type = Some("service_account".to_owned());
                Self::ServiceAccount(key)
            }
            CredentialsJson::AuthorizedUser { client_id, client_secret, refresh_token, token_uri } => {
                let token_uri = match token_uri {
                    Some(uri) => uri,
                    None => GOOGLE_TOKEN_URI.parse().map_err(|_| "has no token_uri".to_owned())?,
                };
                Self::AuthorizedUser { client_id, client_secret, refresh_token, token_uri }
            }
            CredentialsJson::TokenService { url, api_key } => Self::TokenService { url, api_key },
            CredentialsJson::Static { token } => Self::Static(token),
        })
    }

    /// The kind, as the JSON's `type` says it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ServiceAccount(_) => "service_account",
            Self::AuthorizedUser { .. } => "authorized_user",
            Self::TokenService { .. } => "token_service",
            Self::Static(_) => "static",
        }
    }
}

/// Where tokens come from, made ready.
enum Source {
    ServiceAccount { authenticator: DefaultAuthenticator, token_uri: url::Url },
    Exchange(Call),
    Static(SecretString),
}

struct CachedToken {
    secret: SecretString,
    /// From here on it is renewed before it is used.
    renew_at: Option<Instant>,
}

/// The access token that all calls share, renewed before it ends and once when it is refused.
pub struct TokenCache {
    source: Source,
    scopes: &'static [&'static str],
    transport: Transport,
    cached: Mutex<Option<CachedToken>>,
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenCache")
    }
}

impl TokenCache {
    /// Makes the source ready; no request yet. The pace is a [persistent](Pace::persistent) one: a token endpoint that
    /// only fails is borne for the whole patience, since without a token nothing else can go on.
    pub async fn new(
        credentials: &Credentials,
        pace: Pace,
        shutdown: CancellationToken,
    ) -> Result<Self, String> {
        let mut own_key = Authorization::None;
        let source = match credentials {
            Credentials::Static(token) => Source::Static(token.clone()),
            Credentials::ServiceAccount(key) => {
                let token_uri = key.token_uri.parse().map_err(|_| "token_uri is no address".to_owned())?;
                let authenticator = ServiceAccountAuthenticator::builder((**key).clone())
                    .build()
                    .await
                    .map_err(|error| format!("the service account's key cannot be used: {error}"))?;
                Source::ServiceAccount { authenticator, token_uri }
            }
            Credentials::AuthorizedUser { client_id, client_secret, refresh_token, token_uri } => {
                let form = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("grant_type", "refresh_token")
                    .append_pair("client_id", client_id)
                    .append_pair("client_secret", client_secret.expose_secret())
                    .append_pair("refresh_token", refresh_token.expose_secret())
                    .finish();
                Source::Exchange(token_call(
                    token_uri.clone(),
                    "application/x-www-form-urlencoded",
                    form.into(),
                ))
            }
            Credentials::TokenService { url, api_key } => {
                own_key = Authorization::Header(http::HeaderName::from_static("x-api-key"), api_key.clone());
                Source::Exchange(token_call(url.clone(), "application/json", Bytes::from_static(b"{}")))
            }
        };
        let transport = Transport::new(own_key, pace, shutdown).map_err(|error| error.to_string())?;
        Ok(Self { source, scopes: &[CONTENT_ID_SCOPE], transport, cached: Mutex::new(None) })
    }

    /// The same, for these scopes. A service account asks for them; other credentials carry what was consented to.
    #[must_use]
    pub fn for_scopes(self, scopes: &'static [&'static str]) -> Self {
        Self { scopes, ..self }
    }

    /// The token to use now: the cached one, or a new one. Callers that come while one is being fetched wait for it.
    pub async fn token(&self) -> Result<SecretString, CallError> {
        let mut cached = self.cached.lock().await;
        if let Some(token) = cached.as_ref()
            && token.renew_at.is_none_or(|at| Instant::now() < at)
        {
            return Ok(token.secret.clone());
        }
        let token = self.fetch().await?;
        let secret = token.secret.clone();
        *cached = Some(token);
        Ok(secret)
    }

    /// Notes that the server refused this token: the next caller fetches another. A token that somebody renewed in
    /// the meantime stays.
    pub async fn refuse(&self, refused: &SecretString) {
        let mut cached = self.cached.lock().await;
        if cached.as_ref().is_some_and(|token| token.secret.expose_secret() == refused.expose_secret()) {
            *cached = None;
        }
    }

    async fn fetch(&self) -> Result<CachedToken, CallError> {
        let asked_at = Instant::now();
        let answer = match &self.source {
            Source::Static(secret) => return Ok(CachedToken { secret: secret.clone(), renew_at: None }),
            Source::Exchange(call) => self.transport.send(call, &judge).await?,
            Source::ServiceAccount { authenticator, token_uri } => {
                let call = token_call(token_uri.clone(), "application/x-www-form-urlencoded", Bytes::new());
                self.transport
                    .send_by(&YupCourier { authenticator, scopes: self.scopes }, &call, &judge)
                    .await?
            }
        };
        let token = read_token(&answer).ok_or_else(|| CallError {
            operation: "oauth token".to_owned(),
            target: String::new(),
            kind: crate::transport::CallErrorKind::BadAnswer,
            reason: "the answer has no access token".to_owned(),
            tries: 1,
            lost: 0,
            elapsed: Duration::ZERO,
        })?;
        let life = token.life();
        tracing::debug!(life_s = life.as_secs(), "access token fetched");
        Ok(CachedToken {
            secret: token.access_token,
            renew_at: Some(asked_at + life.saturating_sub(renew_early(life))),
        })
    }
}

/// How long before its end a token is renewed: five minutes for one that lives over ten, else a minute, and never
/// more than half a life (a short-lived one would be renewed for every call).
fn renew_early(life: Duration) -> Duration {
    let margin = if life > Duration::from_mins(10) { Duration::from_mins(5) } else { Duration::from_mins(1) };
    margin.min(life / 2)
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl TokenAnswer {
    fn life(&self) -> Duration {
        self.expires_in.map_or(USUAL_LIFE, Duration::from_secs).min(LONGEST_LIFE)
    }
}

/// In how much time the token of an answer is renewed; the verdict where there is none.
pub(crate) fn renewed_after(answer: &Answer) -> Result<Option<Duration>, Verdict> {
    match judge(answer) {
        Verdict::Success => Ok(read_token(answer)
            .map(|token| token.life())
            .map(|life| life.saturating_sub(renew_early(life)))),
        verdict => Err(verdict),
    }
}

fn read_token(answer: &Answer) -> Option<TokenAnswer> {
    let token: TokenAnswer = serde_json::from_slice(&answer.body).ok()?;
    (!token.access_token.expose_secret().is_empty()).then_some(token)
}

fn token_call(url: url::Url, content_type: &'static str, body: Bytes) -> Call {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    Call { operation: "oauth token", method: Method::POST, url, headers, body }
}

/// The verdict on a token endpoint's answer. The body is never quoted when it may hold a token.
fn judge(answer: &Answer) -> Verdict {
    #[derive(Deserialize)]
    struct Problem {
        error: String,
        #[serde(default)]
        error_description: String,
    }
    if (200..300).contains(&answer.status) {
        return match read_token(answer) {
            Some(_) => Verdict::Success,
            None => {
                Verdict::Transient { reason: "the answer has no access token".to_owned(), retry_after: None }
            }
        };
    }
    let problem = serde_json::from_slice::<Problem>(&answer.body).ok();
    let reason = match &problem {
        Some(Problem { error, error_description }) => {
            format!(
                "HTTP {} {}: {}",
                answer.status,
                excerpt(error.as_bytes()),
                excerpt(error_description.as_bytes())
            )
        }
        // A body of another form may repeat what it was asked with.
        None => format!(
            "HTTP {} with a body of {} bytes that is no OAuth error",
            answer.status,
            answer.body.len()
        ),
    };
    let temporary = matches!(
        problem.as_ref().map(|p| p.error.as_str()),
        Some("temporarily_unavailable" | "internal_failure" | "server_error")
    );
    match by_status(answer.status, &reason, answer.retry_after()) {
        Verdict::Refused { reason, .. } if temporary => Verdict::Transient { reason, retry_after: None },
        Verdict::Refused { reason, .. } | Verdict::Fatal { reason } | Verdict::Unauthorized { reason } => {
            Verdict::Fatal { reason: format!("no access token was given: {reason}; {INVALID_GRANT_HINT}") }
        }
        verdict => verdict,
    }
}

/// Carries the request for a token by `yup-oauth2`, which insists on an HTTP client of its own. Its retry-less call
/// is put under our pace and patience, and what it takes for a token without one (a 503 with a JSON error object) is
/// seen as what it is.
struct YupCourier<'a> {
    authenticator: &'a DefaultAuthenticator,
    scopes: &'static [&'static str],
}

impl Courier for YupCourier<'_> {
    fn carry(&self, _headers: HeaderMap) -> BoxFuture<'_, Sent> {
        Box::pin(async move {
            let asked =
                tokio::time::timeout(TOKEN_DEADLINE, self.authenticator.force_refreshed_token(self.scopes))
                    .await;
            let transient = |reason: String| Sent::NotAnswered { reason, fatal: false };
            match asked {
                Err(_) => transient(format!("no answer within {} s", TOKEN_DEADLINE.as_secs())),
                Ok(Ok(token)) => {
                    let expires_in = token.expiration_time().map(|at| {
                        let seconds = at.unix_timestamp() - clock::now().as_second();
                        u64::try_from(seconds).unwrap_or(0)
                    });
                    answer(200, &serde_json::json!({"access_token": token.token(), "expires_in": expires_in}))
                }
                Ok(Err(yup_oauth2::Error::AuthError(refusal))) => answer(
                    400,
                    &serde_json::json!({"error": refusal.error.as_str(), "error_description": refusal.error_description.unwrap_or_default()}),
                ),
                Ok(Err(error)) => transient(error.to_string()),
            }
        })
    }
}

fn answer(status: u16, body: &serde_json::Value) -> Sent {
    Sent::Answer(Answer { status, headers: HeaderMap::new(), body: body.to_string().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("", "is no JSON")]
    #[case(r#"{"token":"ya29.secret"}"#, "has no \"type\"")]
    #[case(r#"{"type":"magic","token":"ya29.secret"}"#, "unknown \"type\"")]
    #[case(r#"{"type":"static"}"#, "missing field `token`")]
    #[case(r#"{"type":"token_service","url":"ya29.secret","api_key":"k"}"#, "wrong form")]
    fn l06_a_bad_credential_is_named_and_never_shown(#[case] json: &str, #[case] part: &str) {
        let error = Credentials::parse(json).unwrap_err();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn each_kind_of_credential_is_read() {
        let user = r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
        match Credentials::parse(user).unwrap() {
            Credentials::AuthorizedUser { token_uri, .. } => assert_eq!(token_uri.as_str(), GOOGLE_TOKEN_URI),
            other => panic!("{other:?}"),
        }
        let service = r#"{"type":"token_service","url":"https://tokens.example/x","api_key":"k"}"#;
        assert_eq!(Credentials::parse(service).unwrap().kind(), "token_service");
        assert_eq!(Credentials::parse(r#"{"type":"static","token":"t"}"#).unwrap().kind(), "static");
    }

    #[rstest::rstest]
    #[case(3_600, 300)]
    #[case(601, 300)]
    #[case(600, 60)]
    #[case(120, 60)]
    #[case(10, 5)]
    #[case(0, 0)]
    fn a03_a_token_is_renewed_before_its_end(#[case] life_s: u64, #[case] early_s: u64) {
        assert_eq!(renew_early(Duration::from_secs(life_s)), Duration::from_secs(early_s));
    }

    #[test]
    fn a03_a_token_that_is_said_to_live_for_ever_is_renewed_within_a_day() {
        let body = Bytes::from_static(br#"{"access_token":"t","expires_in":18446744073709551615}"#);
        let answer = Answer { status: 200, headers: HeaderMap::new(), body };
        assert_eq!(renewed_after(&answer), Ok(Some(Duration::from_mins(24 * 60 - 5))));
    }

    #[test]
    fn a05_invalid_grant_is_fatal_and_says_what_kills_a_token() {
        let body = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
        let answer = Answer { status: 400, headers: HeaderMap::new(), body: body.as_bytes().into() };
        match judge(&answer) {
            Verdict::Fatal { reason } => assert!(reason.contains("six months"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a04_a_200_without_a_token_is_tried_again() {
        let body = Bytes::from_static(b"{\"expires_in\":3600}");
        let answer = Answer { status: 200, headers: HeaderMap::new(), body };
        assert!(matches!(judge(&answer), Verdict::Transient { .. }));
    }
}
