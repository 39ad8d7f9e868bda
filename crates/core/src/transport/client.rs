//! The one HTTP client and the one retry loop.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use governor::clock::{Clock as _, MonotonicClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::error::{CallError, CallErrorKind, excerpt};
use super::pacer::{Pacer, Patience};
use super::verdict::Verdict;
use super::{backoff, wait};
use crate::aws::AppSyncSigner;
use crate::task::clock;
use crate::task::lock::Lease;
use crate::youtube::CallBudget;
use crate::youtube::auth::TokenCache;

/// A call is sent this often in all; refusals for rate are not counted.
const MAX_TRIES: u32 = 5;
/// An answer that cannot be read is asked for this often in all.
const MAX_UNREADABLE: u32 = 3;
/// From the first byte sent to the last byte of the answer.
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// No answer that the suite asks for comes near this (1,000 channels are some 200 KB).
const BODY_CAP_BYTES: usize = 8 << 20;
/// Google compresses only for a user agent that says `gzip`.
const USER_AGENT: &str = concat!("dn-maintenance/", env!("CARGO_PKG_VERSION"), " (gzip)");

/// How fast, how many at once, and how long to bear a server that only fails.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Calls begun per second; `None` for as fast as the answers come.
    pub rate_per_second: Option<f64>,
    /// Calls under way at once.
    pub max_in_flight: usize,
    /// The whole client's patience, from the first failure.
    pub max_wait: Duration,
    /// Tries of one call; `None` to try until the patience is over (a token without which nothing goes on).
    pub max_tries: Option<u32>,
}

impl Pace {
    /// A few calls at a time as fast as they go, with the usual five tries.
    pub fn unhurried(max_wait: Duration) -> Self {
        Self { rate_per_second: None, max_in_flight: 4, max_wait, max_tries: Some(MAX_TRIES) }
    }

    /// At most so many calls a second and at once.
    pub fn limited(rate_per_second: f64, max_in_flight: usize, max_wait: Duration) -> Self {
        Self { rate_per_second: Some(rate_per_second), max_in_flight, max_wait, max_tries: Some(MAX_TRIES) }
    }
}

/// How a call proves who it is from.
#[derive(Debug)]
pub enum Authorization {
    /// It does not.
    None,
    /// A fixed header, such as AppSync's `x-api-key`.
    Header(HeaderName, SecretString),
    /// AWS Signature Version 4 over the exact bytes, made anew for every try.
    AppSyncIam(AppSyncSigner),
    /// A Google access token, renewed when it is refused.
    Bearer(Arc<TokenCache>),
}

/// One call, as a service's client describes it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Service and operation, as `youtube assets.patch`: what messages and metrics call it.
    pub operation: &'static str,
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: url::Url,
    /// Headers besides those of the authorization.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
}

/// A whole answer: its body is within the cap.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub body: Bytes,
}

impl Answer {
    /// When the server says that it answered, to the second.
    pub fn date(&self) -> Option<std::time::SystemTime> {
        httpdate::parse_http_date(self.headers.get(http::header::DATE)?.to_str().ok()?).ok()
    }

    /// What the server says about waiting.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
        backoff::retry_after(value, clock::system_now())
    }
}

/// A client of one service: its pace, its authorization and its patience are shared by all who hold it.
#[derive(Debug)]
pub struct Transport {
    http: reqwest::Client,
    authorization: Authorization,
    permits: Semaphore,
    limiter: Option<DefaultDirectRateLimiter>,
    clock: MonotonicClock,
    pacer: Mutex<Pacer>,
    max_tries: Option<u32>,
    shutdown: CancellationToken,
    halted: OnceLock<(CallErrorKind, String)>,
    sent: AtomicU64,
    lease: Option<Arc<Lease>>,
    budget: Option<Arc<CallBudget>>,
}

const STOPPING: &str = "the run is being stopped";
const LOCK_LOST: &str = "the lease of the task's lock is over (a store that did not answer, or a process that was \
    frozen); another run may hold it by now";

/// What one sending of a call came to, before anybody judged it.
#[derive(Debug)]
pub enum Sent {
    /// The server answered, whatever it said.
    Answer(Answer),
    /// No whole answer came.
    NotAnswered {
        /// The whole chain of causes.
        reason: String,
        /// Whether sending again is no use (a certificate that is not trusted).
        fatal: bool,
    },
    /// The answer went over the cap.
    TooLarge {
        /// With the body's first bytes.
        reason: String,
    },
}

/// Sends a call once. [`Transport::send`] uses the HTTP client; a library that insists on a client of its own is
/// wrapped into one of these, so that its calls live under the same pace, patience and retry.
pub trait Courier: Sync {
    /// One sending; `headers` are those of the authorization.
    fn carry(&self, headers: HeaderMap) -> BoxFuture<'_, Sent>;
}

/// The ordinary courier: the suite's HTTP client.
struct HttpCourier<'a> {
    http: &'a reqwest::Client,
    call: &'a Call,
}

impl Courier for HttpCourier<'_> {
    fn carry(&self, headers: HeaderMap) -> BoxFuture<'_, Sent> {
        let Call { method, url, headers: own, body, .. } = self.call;
        let request = self.http.request(method.clone(), url.clone()).headers(own.clone()).headers(headers);
        Box::pin(perform(request.body(body.clone())))
    }
}

impl Transport {
    /// A client that begins no call once `shutdown` is cancelled.
    pub fn new(
        authorization: Authorization,
        pace: Pace,
        shutdown: CancellationToken,
    ) -> Result<Self, reqwest::Error> {
        #[expect(clippy::disallowed_methods, reason = "the one place that builds the HTTP client")]
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(10))
            .timeout(CALL_DEADLINE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let limiter = pace.rate_per_second.and_then(|rate| {
            let quota = Quota::with_period(Duration::from_secs_f64(1.0 / rate))?;
            Some(RateLimiter::direct(quota.allow_burst(burst(rate))))
        });
        Ok(Self {
            http,
            authorization,
            permits: Semaphore::new(pace.max_in_flight.max(1)),
            limiter,
            clock: MonotonicClock,
            pacer: Mutex::new(Pacer::new(pace.max_wait)),
            max_tries: pace.max_tries,
            shutdown,
            halted: OnceLock::new(),
            sent: AtomicU64::new(0),
            lease: None,
            budget: None,
        })
    }

    /// The same client, which begins no call once this lease is over. For clients that write.
    #[must_use]
    pub fn under(mut self, lease: Option<Arc<Lease>>) -> Self {
        self.lease = lease;
        self
    }

    /// How many requests went out, repeated ones included.
    pub fn request_count(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends a call until it succeeds, is refused for good, or trying is no use; `judge` says which.
    ///
    /// Every call of the suite is safe to repeat (a read, or a write of an absolute value), so a lost answer is
    /// met by sending again.
    pub async fn send(
        &self,
        call: &Call,
        judge: &(dyn Fn(&Answer) -> Verdict + Sync),
    ) -> Result<Answer, CallError> {
        self.send_by(&HttpCourier { http: &self.http, call }, call, judge).await
    }

    /// As [`Self::send`], by another courier.
    pub async fn send_by(
        &self,
        courier: &dyn Courier,
        call: &Call,
        judge: &(dyn Fn(&Answer) -> Verdict + Sync),
    ) -> Result<Answer, CallError> {
        let started = Instant::now();
        let mut tries = 0;
        let mut unreadable = 0;
        let mut replayed = false;
        let mut waits = backoff::schedule();
        loop {
            let fail = |kind, reason| self.fail(call, kind, reason, tries, started);
            let permit = match self.permit().await {
                Ok(permit) => permit,
                Err((kind, reason)) => return Err(fail(kind, reason)),
            };
            let (headers, token) = match self.authorize(call).await {
                Ok(proof) => proof,
                // Where the credentials come from may have a bad moment, as any server.
                Err(error) if error.kind == CallErrorKind::Exhausted => {
                    if self.max_tries.is_some_and(|max| tries + 1 >= max) {
                        return Err(fail(error.kind, error.reason));
                    }
                    tries += 1;
                    drop(permit);
                    self.pause(waits.next()).await;
                    continue;
                }
                Err(error) => return Err(fail(error.kind, error.reason)),
            };
            // Asked last: signing in may have taken its time.
            self.may_begin().map_err(|(kind, reason)| fail(kind, reason))?;
            tries += 1;
            self.sent.fetch_add(1, Ordering::Relaxed);
            let sent = courier.carry(headers).await;
            drop(permit);
            let verdict = match sent {
                Sent::Answer(answer) => match judge(&answer) {
                    Verdict::Success => {
                        self.pacer().succeeded();
                        tracing::trace!(operation = call.operation, tries, "call answered");
                        return Ok(answer);
                    }
                    verdict => verdict,
                },
                Sent::NotAnswered { reason, fatal: false } => {
                    Verdict::Transient { reason, retry_after: None }
                }
                Sent::NotAnswered { reason, fatal: true } => Verdict::Fatal { reason },
                Sent::TooLarge { reason } => Verdict::Unreadable { reason },
            };
            let fail = |kind, reason| self.fail(call, kind, reason, tries, started);
            tracing::debug!(operation = call.operation, tries, ?verdict, "call not served");
            match verdict {
                Verdict::Success => {}
                Verdict::Refused { code, reason } => {
                    self.pacer().succeeded();
                    return Err(fail(CallErrorKind::Refused { code }, reason));
                }
                Verdict::Fatal { reason } => return Err(fail(CallErrorKind::Unauthorized, reason)),
                Verdict::QuotaExhausted { reason } => {
                    return Err(fail(CallErrorKind::QuotaExhausted, reason));
                }
                Verdict::Unauthorized { reason } => match (&self.authorization, token) {
                    (Authorization::Bearer(cache), Some(token)) if !replayed => {
                        replayed = true;
                        tries -= 1;
                        cache.refuse(&token).await;
                    }
                    _ => return Err(fail(CallErrorKind::Unauthorized, reason)),
                },
                Verdict::RateLimited { reason, retry_after } => {
                    if let Patience::Over { failing_for } =
                        self.pacer().rate_limited(Instant::now(), retry_after)
                    {
                        return Err(fail(CallErrorKind::PatienceOver, out_of_patience(&reason, failing_for)));
                    }
                    tries -= 1;
                }
                Verdict::Unreadable { reason } => {
                    unreadable += 1;
                    if unreadable >= MAX_UNREADABLE {
                        return Err(fail(CallErrorKind::BadAnswer, reason));
                    }
                    self.pause(waits.next()).await;
                }
                Verdict::Transient { reason, retry_after } => {
                    if let Patience::Over { failing_for } = self.pacer().failed(Instant::now(), retry_after) {
                        return Err(fail(CallErrorKind::PatienceOver, out_of_patience(&reason, failing_for)));
                    }
                    if self.max_tries.is_some_and(|max| tries >= max) {
                        return Err(fail(CallErrorKind::Exhausted, reason));
                    }
                    self.pause(waits.next()).await;
                }
            }
        }
    }

    /// Waits for a turn: a free place, the shared pause, and the rate. The place is taken last, so that a pause
    /// holds no place.
    async fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>, (CallErrorKind, String)> {
        let interrupted = || (CallErrorKind::Interrupted, STOPPING.to_owned());
        loop {
            let permit = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Err(interrupted()),
                permit = self.permits.acquire() => permit.map_err(|_| interrupted())?,
            };
            let paused = self.pacer().wait_from(Instant::now());
            let turn = paused.or_else(|| {
                let limiter = self.limiter.as_ref()?;
                limiter.check().err().map(|not_until| not_until.wait_time_from(self.clock.now()))
            });
            let Some(turn) = turn else { return Ok(permit) };
            drop(permit);
            self.pause(Some(turn)).await;
        }
    }

    /// The same client, within a budget of calls: repeated ones cost too.
    #[must_use]
    pub fn within(mut self, budget: Option<Arc<CallBudget>>) -> Self {
        self.budget = budget;
        self
    }

    /// Whether a call may begin now: not once the run is being stopped, a verdict was fatal, or the lease is over.
    fn may_begin(&self) -> Result<(), (CallErrorKind, String)> {
        if self.shutdown.is_cancelled() {
            return Err((CallErrorKind::Interrupted, STOPPING.to_owned()));
        }
        if let Some((kind, reason)) = self.halted.get() {
            return Err((kind.clone(), reason.clone()));
        }
        match &self.lease {
            Some(lease) if !lease.is_held() => return Err((CallErrorKind::LockLost, LOCK_LOST.to_owned())),
            _ => {}
        }
        match &self.budget {
            Some(budget) if !budget.take() => Err((CallErrorKind::QuotaExhausted, budget.used_up())),
            _ => Ok(()),
        }
    }

    async fn pause(&self, time: Option<Duration>) {
        let time = time.unwrap_or_default();
        tokio::select! { biased; () = self.shutdown.cancelled() => {}, () = wait(time) => {} }
    }

    /// The headers that prove who the call is from, and the token that is to be refused if it is.
    async fn authorize(&self, call: &Call) -> Result<(HeaderMap, Option<SecretString>), CallError> {
        let mut headers = HeaderMap::new();
        let mut used = None;
        let refuse = |reason: String| CallError {
            operation: call.operation.to_owned(),
            target: target(&call.method, &call.url),
            kind: CallErrorKind::Unauthorized,
            reason,
            tries: 0,
            elapsed: Duration::ZERO,
        };
        match &self.authorization {
            Authorization::None => {}
            Authorization::Header(name, secret) => {
                let value = sensitive(secret.expose_secret()).map_err(refuse)?;
                headers.insert(name.clone(), value);
            }
            Authorization::AppSyncIam(signer) => {
                let proof = signer
                    .sign(&call.method, &call.url, &call.headers, &call.body, clock::system_now())
                    .await
                    .map_err(|error| {
                        let kind = if error.is_temporary() {
                            CallErrorKind::Exhausted
                        } else {
                            CallErrorKind::Unauthorized
                        };
                        CallError { kind, ..refuse(format!("the request could not be signed: {error}")) }
                    })?;
                headers.extend(proof.into_iter().map(|(name, value)| (Some(name), value)));
            }
            Authorization::Bearer(cache) => {
                let token = Box::pin(cache.token()).await?;
                let value = sensitive(&format!("Bearer {}", token.expose_secret())).map_err(refuse)?;
                headers.insert(http::header::AUTHORIZATION, value);
                used = Some(token);
            }
        }
        Ok((headers, used))
    }

    /// Makes the error; one that ends the run also keeps every call that has not begun from beginning.
    fn fail(
        &self,
        call: &Call,
        kind: CallErrorKind,
        reason: String,
        tries: u32,
        started: Instant,
    ) -> CallError {
        if kind.ends_the_run() && kind != CallErrorKind::Interrupted {
            self.halted.get_or_init(|| (kind.clone(), reason.clone()));
        }
        let operation = call.operation.to_owned();
        CallError {
            operation,
            target: target(&call.method, &call.url),
            kind,
            reason,
            tries,
            elapsed: started.elapsed(),
        }
    }

    fn pacer(&self) -> MutexGuard<'_, Pacer> {
        self.pacer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends once and reads the whole answer, up to the cap.
async fn perform(request: reqwest::RequestBuilder) -> Sent {
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return not_answered(error),
    };
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_CAP_BYTES => {
                return Sent::TooLarge {
                    reason: format!("the answer is larger than {BODY_CAP_BYTES} bytes: {}", excerpt(&body)),
                };
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return not_answered(error),
        }
    }
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    Sent::Answer(Answer { status, headers, body: body.freeze() })
}

/// The whole chain of causes: reqwest's own text names only the outermost.
fn not_answered(error: reqwest::Error) -> Sent {
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    let fatal = error.is_builder() || reason.contains("invalid peer certificate");
    Sent::NotAnswered { reason, fatal }
}

fn out_of_patience(reason: &str, failing_for: Duration) -> String {
    format!("{reason}; the server has done nothing but fail for {} s (--max-wait)", failing_for.as_secs())
}

/// Method and address without the query, which may name a content owner.
pub(crate) fn target(method: &Method, url: &url::Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    format!("{method} {url}")
}

fn sensitive(value: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| "the credential has a character that no HTTP header may have".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// A tenth of a second's calls may go at once, at least one: enough not to lose calls to the timer's grain.
fn burst(rate: f64) -> NonZeroU32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=1000 before")]
    let calls = (rate / 10.0).clamp(1.0, 1_000.0) as u32;
    NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN)
}
