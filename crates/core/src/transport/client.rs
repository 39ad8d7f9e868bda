//! The one HTTP client and the one retry loop.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::download::Download;
use super::error::{CallError, CallErrorKind, excerpt};
use super::gate::{Gate, UnderWay};
use super::pacer::{Patience, Signal};
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
/// From the first byte sent to the last byte of the answer, where the operator says nothing else.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two bytes of an answer at most, or a third of the whole where that is less.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
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
    /// One try, from its first byte to the last of its answer.
    pub call_timeout: Duration,
}

impl Pace {
    /// A few calls at a time as fast as they go, with the usual five tries.
    pub fn unhurried(max_wait: Duration) -> Self {
        Self {
            rate_per_second: None,
            max_in_flight: 4,
            max_wait,
            max_tries: Some(MAX_TRIES),
            call_timeout: CALL_TIMEOUT,
        }
    }

    /// At most so many calls a second and at once.
    pub fn limited(rate_per_second: f64, max_in_flight: usize, max_wait: Duration) -> Self {
        Self { rate_per_second: Some(rate_per_second), max_in_flight, ..Self::unhurried(max_wait) }
    }

    /// One call at a time, tried until the patience is over.
    pub fn persistent(max_wait: Duration) -> Self {
        Self { max_in_flight: 1, max_tries: None, ..Self::unhurried(max_wait) }
    }

    /// The same, with this long for one try.
    #[must_use]
    pub fn timing_out(self, call_timeout: Duration) -> Self {
        Self { call_timeout, ..self }
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
    gate: Gate,
    max_wait: Duration,
    max_tries: Option<u32>,
    shutdown: CancellationToken,
    halts: Mutex<Halts>,
    /// Wakes those that wait, to look at the halts.
    halted: Notify,
    sent: AtomicU64,
    lease: Option<Arc<Lease>>,
    budget: Option<Arc<CallBudget>>,
}

/// Why calls are not begun any more.
#[derive(Debug, Default)]
struct Halts {
    whole: Option<(CallErrorKind, String)>,
    /// Operations of which no call is begun any more: their own quota is used up (the other methods of an API may have
    /// theirs left), or whoever sends them has ended them.
    operations: HashMap<&'static str, (CallErrorKind, String)>,
    /// Operations whose calls wait until they are let go on.
    held: HashSet<&'static str>,
}

const STOPPING: &str = "the run is being stopped";
const LOCK_LOST: &str = "the lease of the task's lock is over (a store that did not answer, or a process that was \
    frozen); another run may hold it by now";

/// Waits between the tries of a call while the server serves nobody: five tries outlast a bad minute. Where the
/// patience is short they are shorter in the same measure, so that it is the tries that end and not the patience.
const ALONE: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(40)];

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
    /// What came could not be kept on the local disk.
    NotWritten {
        /// The file, and why.
        reason: String,
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
            .read_timeout(IDLE_TIMEOUT.min(pace.call_timeout / 3))
            .timeout(pace.call_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            http,
            authorization,
            gate: Gate::new(pace.rate_per_second, pace.max_in_flight, pace.max_wait),
            max_wait: pace.max_wait,
            max_tries: pace.max_tries,
            shutdown,
            halts: Mutex::default(),
            halted: Notify::new(),
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

    /// As [`Self::send`], with the answer's body written to a local file. What broke off is resumed.
    pub async fn download(
        &self,
        call: &Call,
        path: &std::path::Path,
        judge: &(dyn Fn(&Answer) -> Verdict + Sync),
    ) -> Result<Answer, CallError> {
        self.send_by(&Download::new(&self.http, &call.url, path), call, judge).await
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
        let mut lost = 0;
        let mut unreadable = 0;
        let mut replayed = false;
        let mut sent_before = false;
        let mut waits = Waits::new(self.max_wait);
        let mut failing_since = None;
        loop {
            let fail = |kind, reason| self.fail(call, kind, reason, (tries, lost), started);
            let under_way = match self.turn(call, !sent_before).await {
                Ok(under_way) => under_way,
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
                    drop(under_way);
                    self.pause(call, waits.next(false)).await;
                    continue;
                }
                Err(error) => return Err(fail(error.kind, error.reason)),
            };
            // Asked last: signing in may have taken its time.
            self.may_send(call).map_err(|(kind, reason)| fail(kind, reason))?;
            tries += 1;
            sent_before = true;
            self.sent.fetch_add(1, Ordering::Relaxed);
            let sent_at = Instant::now();
            let sent = courier.carry(headers).await;
            let (verdict, answered) = match sent {
                Sent::Answer(answer) => match judge(&answer) {
                    Verdict::Success => {
                        under_way.end(Signal::Served);
                        tracing::trace!(operation = call.operation, tries, "call answered");
                        return Ok(answer);
                    }
                    verdict => (verdict, answer.status),
                },
                Sent::NotAnswered { reason, fatal: false } => {
                    (Verdict::Transient { reason, retry_after: None }, 0)
                }
                Sent::NotAnswered { reason, fatal: true } => (Verdict::Fatal { reason }, 0),
                Sent::TooLarge { reason } => (Verdict::Unreadable { reason }, 0),
                Sent::NotWritten { reason } => {
                    return Err(self.fail(call, CallErrorKind::NotWritten, reason, (tries, lost), started));
                }
            };
            lost += u32::from(matches!(verdict, Verdict::Transient { .. } | Verdict::Unreadable { .. }));
            let fail = |kind, reason| self.fail(call, kind, reason, (tries, lost), started);
            tracing::debug!(operation = call.operation, tries, ?verdict, "call not served");
            match verdict {
                Verdict::Success => {}
                Verdict::Refused { code, reason } => {
                    under_way.end(Signal::Served);
                    return Err(fail(CallErrorKind::Refused { code }, reason));
                }
                Verdict::Fatal { reason } => return Err(fail(CallErrorKind::Unauthorized, reason)),
                Verdict::Redirected { reason } => return Err(fail(CallErrorKind::Redirected, reason)),
                Verdict::QuotaExhausted { reason } => {
                    return Err(fail(CallErrorKind::QuotaExhausted, reason));
                }
                Verdict::Unauthorized { reason } => match (&self.authorization, token) {
                    (Authorization::Bearer(cache), Some(token)) if !replayed => {
                        replayed = true;
                        tries -= 1;
                        drop(under_way);
                        cache.refuse(&token).await;
                    }
                    _ => return Err(fail(CallErrorKind::Unauthorized, reason)),
                },
                Verdict::RateLimited { reason, retry_after } => {
                    let patience = under_way.end(Signal::Slowed(retry_after));
                    if let Patience::Over { failing_for } = patience {
                        return Err(fail(CallErrorKind::PatienceOver, out_of_patience(&reason, failing_for)));
                    }
                    tries -= 1;
                }
                Verdict::Unreadable { reason } => {
                    drop(under_way);
                    unreadable += 1;
                    if unreadable >= MAX_UNREADABLE {
                        return Err(fail(CallErrorKind::BadAnswer, reason));
                    }
                    self.wait_to_repeat(call, waits.next(true)).await;
                }
                Verdict::Transient { reason, retry_after } => {
                    // No answer, or one that names the load: fewer at once.
                    let is_load = matches!(answered, 0 | 408 | 503 | 504);
                    let signal =
                        if is_load { Signal::Overloaded(retry_after) } else { Signal::Failed(retry_after) };
                    let patience = under_way.end(signal);
                    if let Patience::Over { failing_for } = patience {
                        return Err(fail(CallErrorKind::PatienceOver, out_of_patience(&reason, failing_for)));
                    }
                    if self.is_exhausted(tries, *failing_since.get_or_insert_with(Instant::now)) {
                        return Err(fail(CallErrorKind::Exhausted, reason));
                    }
                    // A server that serves others fails at this call; one that serves nobody is down.
                    let is_serving = self.max_tries.is_none() || self.gate.pacer().served_since(sent_at);
                    self.wait_to_repeat(call, waits.next(is_serving)).await;
                }
            }
        }
    }

    /// Whether a call was tried often enough. While the server serves nobody at all, that is no fault of the call: then
    /// it fails only shortly before the whole client's patience ends, so that a few rows which fail for ever and are
    /// the last ones left are known as such.
    fn is_exhausted(&self, tries: u32, failing_since: Instant) -> bool {
        let Some(max) = self.max_tries else { return false };
        tries >= max
            && (!self.gate.pacer().is_storm() || failing_since.elapsed() >= self.max_wait.mul_f64(0.75))
    }

    /// Waits for a turn at the gate, unless nothing may begin any more.
    async fn turn(&self, call: &Call, is_first_try: bool) -> Result<UnderWay<'_>, (CallErrorKind, String)> {
        loop {
            let halted = self.halted.notified();
            self.may_begin(call)?;
            let is_held = self.is_held(call);
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => {}
                () = halted => {}
                under_way = self.gate.enter(is_first_try), if !is_held => {
                    self.may_begin(call)?;
                    // Given back where it was held while it stood at the gate.
                    if !self.is_held(call) {
                        return Ok(under_way);
                    }
                }
            }
        }
    }

    /// Begins no call of these operations any more, not even one that stands at the gate: each ends as interrupted.
    pub fn end_operations(&self, operations: &[&'static str], reason: &str) {
        let mut halts = self.halts.lock().unwrap_or_else(PoisonError::into_inner);
        for operation in operations {
            let ended = (CallErrorKind::Interrupted, reason.to_owned());
            halts.operations.entry(operation).or_insert(ended);
        }
        drop(halts);
        self.halted.notify_waiters();
    }

    /// Keeps the calls of these operations from beginning until they are let go on; others pass them at the gate.
    pub fn hold_operations(&self, operations: &[&'static str], is_held: bool) {
        let mut halts = self.halts.lock().unwrap_or_else(PoisonError::into_inner);
        for operation in operations {
            if is_held {
                halts.held.insert(operation);
            } else {
                halts.held.remove(operation);
            }
        }
        drop(halts);
        self.halted.notify_waiters();
    }

    fn is_held(&self, call: &Call) -> bool {
        self.halts.lock().unwrap_or_else(PoisonError::into_inner).held.contains(call.operation)
    }

    /// The same client, within a budget of calls: repeated ones cost too.
    #[must_use]
    pub fn within(mut self, budget: Option<Arc<CallBudget>>) -> Self {
        self.budget = budget;
        self
    }

    /// Whether a call may begin now: not once the run is being stopped, a verdict was fatal, or the lease is over.
    fn may_begin(&self, call: &Call) -> Result<(), (CallErrorKind, String)> {
        if self.shutdown.is_cancelled() {
            return Err((CallErrorKind::Interrupted, STOPPING.to_owned()));
        }
        let halts = self.halts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(whole) = &halts.whole {
            return Err(whole.clone());
        }
        if let Some(ended) = halts.operations.get(call.operation) {
            return Err(ended.clone());
        }
        match &self.lease {
            Some(lease) if !lease.is_held() => Err((CallErrorKind::LockLost, LOCK_LOST.to_owned())),
            _ => Ok(()),
        }
    }

    /// As [`Self::may_begin`], and the call is paid for.
    fn may_send(&self, call: &Call) -> Result<(), (CallErrorKind, String)> {
        self.may_begin(call)?;
        match &self.budget {
            Some(budget) if !budget.take() => Err((CallErrorKind::QuotaExhausted, budget.used_up())),
            _ => Ok(()),
        }
    }

    /// Waits, unless nothing is to be begun any more.
    async fn pause(&self, call: &Call, time: Duration) {
        self.unless_halted(call, wait(time)).await;
    }

    /// Waits before the same call is sent again: its own time, and until the client may repeat at all.
    async fn wait_to_repeat(&self, call: &Call, time: Duration) {
        self.pause(call, time).await;
        self.unless_halted(call, self.gate.wait_for_retry()).await;
    }

    async fn unless_halted(&self, call: &Call, waiting: impl Future<Output = ()>) {
        let mut waiting = std::pin::pin!(waiting);
        loop {
            let halted = self.halted.notified();
            // Looked at after the wake-up is asked for: a halt between the two is not missed.
            if self.may_begin(call).is_err() {
                return;
            }
            tokio::select! { biased; () = self.shutdown.cancelled() => {}, () = halted => {}, () = &mut waiting => return }
        }
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
            lost: 0,
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
        (tries, lost): (u32, u32),
        started: Instant,
    ) -> CallError {
        self.halt(call, &kind, &reason);
        let operation = call.operation.to_owned();
        CallError {
            operation,
            target: target(&call.method, &call.url),
            kind,
            reason,
            tries,
            lost,
            elapsed: started.elapsed(),
        }
    }

    /// Keeps calls that have not begun from beginning, and wakes those that wait. What Google counts for each method
    /// apart ends that method alone; the operator's own budget is for all of them, and asked at every call.
    fn halt(&self, call: &Call, kind: &CallErrorKind, reason: &str) {
        if !kind.ends_the_run() || *kind == CallErrorKind::Interrupted {
            return;
        }
        let mut halts = self.halts.lock().unwrap_or_else(PoisonError::into_inner);
        if *kind == CallErrorKind::QuotaExhausted {
            halts.operations.entry(call.operation).or_insert_with(|| (kind.clone(), reason.to_owned()));
        } else {
            halts.whole.get_or_insert_with(|| (kind.clone(), reason.to_owned()));
        }
        drop(halts);
        self.halted.notify_waiters();
    }
}

/// The waits between the tries of one call.
struct Waits {
    serving: Box<dyn Iterator<Item = Duration> + Send>,
    alone: std::vec::IntoIter<Duration>,
}

impl Waits {
    fn new(max_wait: Duration) -> Self {
        let whole: Duration = ALONE.iter().sum();
        // With the jitter of up to a quarter, the tries end before the patience.
        let share = (max_wait.as_secs_f64() * 0.6 / whole.as_secs_f64()).min(1.0);
        let alone: Vec<_> = ALONE.iter().map(|wait| wait.mul_f64(share * backoff::jitter(0.25))).collect();
        Self { serving: Box::new(backoff::schedule()), alone: alone.into_iter() }
    }

    fn next(&mut self, is_serving: bool) -> Duration {
        let (serving, alone) = (self.serving.next(), self.alone.next());
        let wait = if is_serving { serving } else { alone.or(serving) };
        wait.unwrap_or(backoff::LONGEST_WAIT)
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
pub(super) fn not_answered(error: reqwest::Error) -> Sent {
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
