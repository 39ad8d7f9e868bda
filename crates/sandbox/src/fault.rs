//! What can go wrong on purpose: named profiles for a whole run, and one-off answers that a test injects.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::journal::Service;
use crate::lock::hold;
use crate::wire::Call;
use crate::youtube::data::UNITS_A_DAY;

/// How the services behave for a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Profile {
    /// Everything answers at once and correctly.
    #[default]
    Calm,
    /// Every answer takes 50 to 150 ms, as over the open Internet.
    Slow,
    /// Most answers take 20 to 80 ms, one in twenty up to a second.
    Jitter,
    /// An access token dies after two seconds or 400 calls, whatever lifetime it was sold with.
    TokenExpires,
    /// About three requests in a hundred fail: 5xx, 429 with `Retry-After`, or a connection that breaks before or
    /// after the write was applied. The same request fails at most twice.
    Flaky,
    /// As `flaky`, ten requests in a hundred, with half bodies and late answers among them.
    Rough,
    /// YouTube lets 40 requests through in any second and refuses the others for rate.
    RateWall,
    /// YouTube's quota of the day is used up after 500 requests; that of the Data API, which is another, is used up.
    QuotaWall,
    /// One answer in ten breaks off in the middle of its body.
    HalfBody,
    /// One answer in ten is a success by its status and none by its body: AppSync throttles inside a 200, YouTube shows
    /// a login page.
    ErrorIn200,
}

/// What [`Profile::RateWall`] lets through in a second.
const WALL_PER_SECOND: usize = 40;
/// What [`Profile::QuotaWall`] lets through at all.
const QUOTA_CALLS: u64 = 500;

impl Profile {
    /// Longest use of an access token: lifetime and number of calls.
    pub(crate) fn token_life(self) -> (Duration, u64) {
        match self {
            Self::TokenExpires => (Duration::from_secs(2), 400),
            _ => (Duration::from_hours(1), u64::MAX),
        }
    }

    /// What is left of the Data API's quota.
    pub(crate) fn data_units(self) -> u64 {
        match self {
            Self::QuotaWall => 0,
            _ => UNITS_A_DAY,
        }
    }
}

/// One wrong answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This answer instead of the service's own; nothing is applied.
    Status {
        /// HTTP status.
        code: u16,
        /// Headers besides `content-type: application/json`.
        headers: Vec<(String, String)>,
        /// The body as it is.
        body: String,
    },
    /// The connection breaks before anything was done.
    ResetBefore,
    /// The request is carried out and the connection breaks before a byte of the answer.
    ResetAfter,
    /// The request is carried out and the connection breaks in the middle of the body.
    HalfBody,
    /// The service answers as always, this much later.
    Delay {
        /// Milliseconds to wait before the request is looked at.
        ms: u64,
    },
    /// The connection stays open and no byte ever comes; the request is not carried out.
    Stall,
    /// The request is carried out, and its answer comes a byte at a time with this long between two.
    Drip {
        /// Milliseconds between two bytes.
        ms: u64,
    },
}

impl Fault {
    /// An answer with a JSON body and no headers of its own.
    pub fn status(code: u16, body: impl Into<String>) -> Self {
        Self::Status { code, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::ResetBefore => "reset-before",
            Self::ResetAfter => "reset-after",
            Self::HalfBody => "half-body",
            Self::Delay { .. } => "delay",
            Self::Stall => "stall",
            Self::Drip { .. } => "drip",
        }
    }
}

/// Which requests an injected fault is for: an operation (`*` for any), perhaps one id, perhaps not the first ones.
#[derive(Debug, Clone)]
pub struct Match {
    operation: String,
    id: Option<String>,
    skip: u64,
}

impl Match {
    /// Requests of one operation as the journal names it, `*` for every one.
    pub fn operation(name: impl Into<String>) -> Self {
        Self { operation: name.into(), id: None, skip: 0 }
    }

    /// Only requests about this asset, channel, key or event.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Lets the first `count` matching requests pass.
    #[must_use]
    pub fn after(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    fn fits(&self, operation: &str, ids: &[String]) -> bool {
        (self.operation == "*" || operation.split('+').any(|part| part == self.operation))
            && self.id.as_ref().is_none_or(|id| ids.contains(id))
    }
}

impl From<&str> for Match {
    fn from(operation: &str) -> Self {
        Self::operation(operation)
    }
}

struct Injected {
    service: Service,
    wanted: Match,
    left: u64,
    fault: Fault,
}

/// The faults to come: what tests injected, then what the profile throws.
pub struct Faults {
    profile: Profile,
    injected: Mutex<Vec<Injected>>,
    dice: Mutex<Dice>,
    latency: Mutex<Duration>,
    wall: Mutex<Option<Wall>>,
    youtube_calls: AtomicU64,
}

/// A limit of calls in any second; what is refused does not count.
struct Wall {
    per_second: usize,
    passed: VecDeque<Instant>,
}

struct Dice {
    rng: ChaCha8Rng,
    thrown: HashMap<u64, u8>,
}

/// A request fails at most this often under `flaky`: a client that gives up after five tries must come through.
const FLAKY_LIMIT: u8 = 2;

impl Faults {
    pub(crate) fn new(profile: Profile, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed ^ 0x0066_6175_6c74_7321);
        let faults = Self {
            profile,
            injected: Mutex::default(),
            dice: Mutex::new(Dice { rng, thrown: HashMap::new() }),
            latency: Mutex::default(),
            wall: Mutex::default(),
            youtube_calls: AtomicU64::new(0),
        };
        faults.set_wall((profile == Profile::RateWall).then_some(WALL_PER_SECOND));
        faults
    }

    /// Lets this many YouTube requests through in any second, or all of them.
    pub fn set_wall(&self, per_second: Option<usize>) {
        *hold(&self.wall) = per_second.map(|per_second| Wall { per_second, passed: VecDeque::new() });
    }

    /// Makes every YouTube answer take this long.
    pub fn set_latency(&self, latency: Duration) {
        *hold(&self.latency) = latency;
    }

    pub(crate) fn latency(&self, service: Service) -> Duration {
        if service == Service::YouTube { *hold(&self.latency) } else { Duration::ZERO }
    }

    /// Plays `fault` on the next `times` requests that fit. Earlier injections go first.
    pub fn inject(&self, service: Service, wanted: impl Into<Match>, times: u64, fault: Fault) {
        hold(&self.injected).push(Injected { service, wanted: wanted.into(), left: times, fault });
    }

    /// Takes back what was injected and did not yet happen.
    pub fn clear(&self) {
        hold(&self.injected).clear();
    }

    /// Injected faults that are still to happen; a test that expects them all to be met asks for 0.
    pub fn pending(&self) -> u64 {
        hold(&self.injected).iter().map(|one| one.left).sum()
    }

    pub(crate) fn next(
        &self,
        service: Service,
        operation: &str,
        ids: &[String],
        call: &Call,
    ) -> Option<Fault> {
        self.take_injected(service, operation, ids)
            .or_else(|| self.refuse_for_rate(service))
            .or_else(|| self.throw(service, operation, call))
    }

    fn refuse_for_rate(&self, service: Service) -> Option<Fault> {
        if service != Service::YouTube {
            return None;
        }
        let mut wall = hold(&self.wall);
        let wall = wall.as_mut()?;
        let now = Instant::now();
        while wall.passed.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1)) {
            wall.passed.pop_front();
        }
        if wall.passed.len() < wall.per_second {
            wall.passed.push_back(now);
            return None;
        }
        let body = google_error(403, "PERMISSION_DENIED", "rateLimitExceeded", "Rate Limit Exceeded");
        Some(Fault::status(403, body))
    }

    fn take_injected(&self, service: Service, operation: &str, ids: &[String]) -> Option<Fault> {
        let mut injected = hold(&self.injected);
        let at = injected.iter().position(|one| one.service == service && one.wanted.fits(operation, ids))?;
        let one = injected.get_mut(at)?;
        if one.wanted.skip > 0 {
            one.wanted.skip -= 1;
            return None;
        }
        one.left -= 1;
        let fault = one.fault.clone();
        if one.left == 0 {
            injected.remove(at);
        }
        Some(fault)
    }

    fn throw(&self, service: Service, operation: &str, call: &Call) -> Option<Fault> {
        let roll = || hold(&self.dice).rng.random::<f64>();
        match self.profile {
            Profile::Calm | Profile::TokenExpires | Profile::RateWall => None,
            Profile::Slow => Some(Fault::Delay { ms: hold(&self.dice).rng.random_range(50..=150) }),
            Profile::Jitter => {
                let longest = if roll() < 0.05 { 1_000 } else { 80 };
                Some(Fault::Delay { ms: hold(&self.dice).rng.random_range(20..=longest) })
            }
            Profile::Flaky => self.throw_once_or_twice(call, |roll| flaky(service, operation, roll)),
            Profile::Rough => self.throw_once_or_twice(call, |roll| rough(service, operation, roll)),
            Profile::QuotaWall => {
                let is_over = service == Service::YouTube
                    && self.youtube_calls.fetch_add(1, Ordering::Relaxed) >= QUOTA_CALLS;
                is_over.then(|| {
                    let message = "The request cannot be completed because you have exceeded your quota.";
                    Fault::status(403, google_error(403, "PERMISSION_DENIED", "quotaExceeded", message))
                })
            }
            // An event that was put twice starts the next task twice: that is a test of its own.
            Profile::HalfBody if operation == "PutEvents" => None,
            Profile::HalfBody => {
                self.throw_once_or_twice(call, |roll| (roll < 0.1).then_some(Fault::HalfBody))
            }
            Profile::ErrorIn200 => {
                self.throw_once_or_twice(call, |roll| (roll < 0.1).then(|| error_in_200(service))?)
            }
        }
    }

    /// Throws a die; the same request meets a fault twice at most.
    fn throw_once_or_twice(&self, call: &Call, fault: impl FnOnce(f64) -> Option<Fault>) -> Option<Fault> {
        let key = {
            let mut hasher = DefaultHasher::new();
            (&call.method, &call.path, &call.query, &call.body).hash(&mut hasher);
            hasher.finish()
        };
        let mut dice = hold(&self.dice);
        let fault = fault(dice.rng.random())?;
        let thrown = dice.thrown.entry(key).or_default();
        if *thrown >= FLAKY_LIMIT {
            return None;
        }
        *thrown += 1;
        Some(fault)
    }
}

fn flaky(service: Service, operation: &str, roll: f64) -> Option<Fault> {
    // A 429 stops the whole client for a second: five in ten thousand are two minutes of 38,000 calls' run.
    Some(match roll {
        r if r < 0.010 => refusal(service, 500),
        r if r < 0.018 => refusal(service, 503),
        r if r < 0.024 => Fault::ResetBefore,
        // An event that was put twice starts the next task twice: that is a test of its own.
        r if r < 0.030 && operation != "PutEvents" => Fault::ResetAfter,
        r if r >= 0.9995 => refusal(service, 429),
        _ => return None,
    })
}

fn rough(service: Service, operation: &str, roll: f64) -> Option<Fault> {
    let is_repeatable = operation != "PutEvents";
    Some(match roll {
        r if r < 0.030 => refusal(service, 500),
        r if r < 0.045 => refusal(service, 503),
        r if r < 0.060 => Fault::ResetBefore,
        r if r < 0.075 && is_repeatable => Fault::ResetAfter,
        r if r < 0.090 && is_repeatable => Fault::HalfBody,
        r if r < 0.0998 => Fault::Delay { ms: 100 },
        r if r < 0.1 => refusal(service, 429),
        _ => return None,
    })
}

fn error_in_200(service: Service) -> Option<Fault> {
    match service {
        Service::AppSync => {
            let body = serde_json::json!({"data": null, "errors": [{"errorType": "ThrottlingException",
                "message": "Rate exceeded", "path": null}]});
            Some(Fault::status(200, body.to_string()))
        }
        Service::YouTube | Service::Data => {
            let body = "<!DOCTYPE html><html><title>Sign in - Google Accounts</title></html>".to_owned();
            Some(Fault::Status {
                code: 200,
                headers: vec![("content-type".to_owned(), "text/html".to_owned())],
                body,
            })
        }
        Service::Reporting | Service::Token | Service::S3 | Service::EventBridge => None,
    }
}

fn google_error(code: u16, status: &str, reason: &str, message: &str) -> String {
    serde_json::json!({"error": {"code": code, "message": message, "status": status,
        "errors": [{"domain": "global", "reason": reason, "message": message}]}})
    .to_string()
}

/// A passing refusal in the words of each service.
fn refusal(service: Service, code: u16) -> Fault {
    let slow_down = code == 429;
    let (code, body) = match service {
        Service::YouTube | Service::Reporting | Service::Data => {
            let (status, reason) = if slow_down {
                ("RESOURCE_EXHAUSTED", "rateLimitExceeded")
            } else {
                ("UNAVAILABLE", "backendError")
            };
            (code, google_error(code, status, reason, "Try again later."))
        }
        Service::AppSync => {
            let kind = if slow_down { "ThrottlingException" } else { "InternalFailureException" };
            (code, serde_json::json!({"errors": [{"errorType": kind, "message": "Try again."}]}).to_string())
        }
        Service::Token => {
            (code, r#"{"error":"internal_failure","error_description":"Try again."}"#.to_owned())
        }
        // S3 says "slow down" with 503.
        Service::S3 => {
            let (code, name) = if code == 500 { (500, "InternalError") } else { (503, "SlowDown") };
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{name}</Code><Message>Try again.</Message></Error>"
            );
            (code, body)
        }
        // The AWS JSON protocol throttles with 400 and a type.
        Service::EventBridge if slow_down => {
            (400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#.to_owned())
        }
        Service::EventBridge => (code, r#"{"__type":"InternalException","message":"Try again."}"#.to_owned()),
    };
    let headers = if slow_down { vec![("retry-after".to_owned(), "1".to_owned())] } else { Vec::new() };
    Fault::Status { code, headers, body }
}
