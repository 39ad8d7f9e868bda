//! What can go wrong on purpose: named profiles for a whole run, and one-off answers that a test injects.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::journal::Service;
use crate::lock::hold;
use crate::wire::Call;

/// How the services behave for a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Profile {
    /// Everything answers at once and correctly.
    #[default]
    Calm,
    /// Every answer takes 50 to 150 ms, as over the open Internet.
    Slow,
    /// An access token dies after two seconds or 400 calls, whatever lifetime it was sold with.
    TokenExpires,
    /// About three requests in a hundred fail: 5xx, 429 with `Retry-After`, or a connection that breaks before or
    /// after the write was applied. The same request fails at most twice.
    Flaky,
}

impl Profile {
    /// Longest use of an access token: lifetime and number of calls.
    pub(crate) fn token_life(self) -> (Duration, u64) {
        match self {
            Self::TokenExpires => (Duration::from_secs(2), 400),
            _ => (Duration::from_hours(1), u64::MAX),
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
        Self { profile, injected: Mutex::default(), dice: Mutex::new(Dice { rng, thrown: HashMap::new() }) }
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
        self.take_injected(service, operation, ids).or_else(|| self.throw(service, operation, call))
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
        match self.profile {
            Profile::Calm | Profile::TokenExpires => None,
            Profile::Slow => Some(Fault::Delay { ms: hold(&self.dice).rng.random_range(50..=150) }),
            Profile::Flaky => self.throw_flaky(service, operation, call),
        }
    }

    fn throw_flaky(&self, service: Service, operation: &str, call: &Call) -> Option<Fault> {
        let key = {
            let mut hasher = DefaultHasher::new();
            (service, &call.method, &call.path, &call.query, &call.body).hash(&mut hasher);
            hasher.finish()
        };
        let mut dice = hold(&self.dice);
        let roll: f64 = dice.rng.random();
        // A 429 stops the whole client for a second: five in ten thousand are two minutes of 38,000 calls' run.
        let fault = match roll {
            r if r < 0.010 => refusal(service, 500),
            r if r < 0.018 => refusal(service, 503),
            r if r < 0.024 => Fault::ResetBefore,
            // An event that was put twice starts the next task twice: that is a test of its own.
            r if r < 0.030 && operation != "PutEvents" => Fault::ResetAfter,
            r if r >= 0.9995 => refusal(service, 429),
            _ => return None,
        };
        let thrown = dice.thrown.entry(key).or_default();
        if *thrown >= FLAKY_LIMIT {
            return None;
        }
        *thrown += 1;
        Some(fault)
    }
}

/// A passing refusal in the words of each service.
fn refusal(service: Service, code: u16) -> Fault {
    let slow_down = code == 429;
    let (code, body) = match service {
        Service::YouTube => {
            let (status, reason) = if slow_down {
                ("RESOURCE_EXHAUSTED", "rateLimitExceeded")
            } else {
                ("UNAVAILABLE", "backendError")
            };
            let body = serde_json::json!({"error": {"code": code, "message": "Try again later.", "status": status,
                "errors": [{"domain": "global", "reason": reason, "message": "Try again later."}]}});
            (code, body.to_string())
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
