//! Settings: flags and environment into values, with every problem at once.
//!
//! A flag wins over its variable; a variable that is set and empty counts as not set (ECS cannot leave one out of an
//! override). Secrets come from the environment alone: a command line is seen by everybody on the machine.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderName;
use secrecy::SecretString;

use crate::aws::AppSyncSigner;
use crate::graphql::Versioning;
use crate::transport::{Authorization, Pace};
use crate::youtube::Credentials;

/// The default of `--state-uri`.
pub const STATE_URI: &str = "./state";
/// The default of `--event-bus`.
pub const EVENT_BUS: &str = "dn-backend-workflow-bus-dev";
/// The default of `--max-wait`.
pub const MAX_WAIT: &str = "3m";
/// The default of `--call-timeout`.
pub const CALL_TIMEOUT: &str = "30s";
/// The default of `--lock-lease`.
pub const LOCK_LEASE: &str = "2m";
/// The default of `--rate-per-second`: twice to four times what a serial loop does.
pub const RATE_PER_SECOND: &str = "10";
/// The default of `--max-in-flight`.
pub const MAX_IN_FLIGHT: &str = "32";
/// The default of `--versioned-api`.
pub const VERSIONED_API: &str = "auto";
const YOUTUBE_REPORTING_BASE_URL: &str = "https://youtubereporting.googleapis.com/v1";
const YOUTUBE_DATA_BASE_URL: &str = "https://www.googleapis.com/youtube/v3";
const YOUTUBE_API_BASE_URL: &str = "https://youtubepartner.googleapis.com/youtube/partner/v1";

/// How a task speaks.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// The summary as one JSON object on stdout, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Logs on stderr: for people on a terminal, JSON elsewhere
    #[arg(long, global = true, env = "LOG_FORMAT", default_value = "auto", value_name = "auto|json|pretty")]
    pub log_format: String,
}

/// Where a run keeps its state, whom it tells, and how long it may take.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Run")]
pub struct RunArgs {
    /// Where run folders are kept
    #[arg(long, global = true, env = "STATE_URI", default_value = STATE_URI, value_name = "URI", help = "Where run folders are kept: a directory or s3://bucket/prefix")]
    pub state_uri: String,
    /// The EventBridge bus that is told how the run ended
    #[arg(long, global = true, env = "EVENT_BUS_NAME", default_value = EVENT_BUS, value_name = "NAME")]
    pub event_bus: String,
    /// How long to bear a server that only fails, from its first failure; then exit 5
    #[arg(long, global = true, env = "MAX_WAIT", default_value = MAX_WAIT, value_name = "DURATION")]
    pub max_wait: String,
    /// How long one try of an HTTP call may take, from its first byte to the last of its answer
    #[arg(long, global = true, env = "CALL_TIMEOUT", default_value = CALL_TIMEOUT, value_name = "DURATION")]
    pub call_timeout: String,
    /// The lease of the task's lock; a dead run's lock is free after it
    #[arg(long, global = true, env = "LOCK_LEASE", default_value = LOCK_LEASE, value_name = "DURATION")]
    pub lock_lease: String,
    /// Stop cleanly after this long (exit 8); a next run goes on [default: none]
    #[arg(long, global = true, env = "MAX_DURATION", value_name = "DURATION")]
    pub max_duration: Option<String>,
    /// Read everything, decide everything, write nothing outside the run folder
    #[arg(long, global = true, env = "DRY_RUN", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_name = "BOOL", hide_possible_values = true)]
    pub dry_run: String,
}

const ENDPOINT_HELP: &str = "AppSync's address [default: the one variable of the form \
    API_<NAME>_GRAPHQLAPIENDPOINTOUTPUT, else AMPLIFY_DATA_GRAPHQL_ENDPOINT]";

/// The GraphQL database.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "GraphQL database")]
pub struct GraphqlArgs {
    /// AppSync's address.
    #[arg(long, global = true, env = "GRAPHQL_ENDPOINT", value_name = "URL", help = ENDPOINT_HELP)]
    pub graphql_endpoint: Option<String>,
    /// Whether the API keeps versions of its records (`_version`): auto asks it, yes and no save the question
    #[arg(long, global = true, env = "GRAPHQL_VERSIONED", default_value = VERSIONED_API, value_name = "auto|yes|no")]
    pub versioned_api: String,
}

/// The Content ID API.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "YouTube")]
pub struct YoutubeArgs {
    /// The content owner that calls are made for (onBehalfOfContentOwner)
    #[arg(long, global = true, env = "YOUTUBE_CONTENT_OWNER", value_name = "ID")]
    pub content_owner: Option<String>,
    /// YouTube calls begun per second
    #[arg(long, global = true, env = "RATE_PER_SECOND", default_value = RATE_PER_SECOND, value_name = "NUMBER")]
    pub rate_per_second: String,
    /// YouTube calls under way at once
    #[arg(long, global = true, env = "MAX_IN_FLIGHT", default_value = MAX_IN_FLIGHT, value_name = "NUMBER")]
    pub max_in_flight: String,
    /// YouTube calls of one day of Los Angeles, of all runs together; then exit 8 [default: none]
    #[arg(long, global = true, env = "CALL_BUDGET", value_name = "NUMBER")]
    pub call_budget: Option<String>,
}

/// What `--help` says of the variables that are no flags.
pub const GRAPHQL_ENVIRONMENT_HELP: &str = "\
Environment only (GraphQL database):
  GRAPHQL_API_KEY         the API key, else API_<NAME>_GRAPHQLAPIKEYOUTPUT of the endpoint's NAME; without one SigV4
  GRAPHQL_AUTH            api-key or iam, where both could be meant";

/// As [`GRAPHQL_ENVIRONMENT_HELP`], for YouTube.
pub const YOUTUBE_ENVIRONMENT_HELP: &str = "\
Environment only (YouTube):
  YOUTUBE_CREDENTIALS       JSON: service_account, authorized_user, token_service or static
  YOUTUBE_CREDENTIALS_FILE  the same from a file
  YOUTUBE_API_BASE_URL      [default: https://youtubepartner.googleapis.com/youtube/partner/v1]";

/// As [`GRAPHQL_ENVIRONMENT_HELP`], for the Reporting API.
pub const REPORTING_ENVIRONMENT_HELP: &str = "\
Environment only (YouTube's Reporting API):
  YOUTUBE_CREDENTIALS         JSON: service_account, authorized_user, token_service or static
  YOUTUBE_CREDENTIALS_FILE    the same from a file
  YOUTUBE_REPORTING_BASE_URL  [default: https://youtubereporting.googleapis.com/v1]";

/// As [`GRAPHQL_ENVIRONMENT_HELP`], for the Data API.
pub const DATA_ENVIRONMENT_HELP: &str = "\
Environment only (YouTube's Data API):
  YOUTUBE_DATA_BASE_URL  [default: https://www.googleapis.com/youtube/v3]";

/// As [`GRAPHQL_ENVIRONMENT_HELP`], for the e-mail.
pub const MAIL_ENVIRONMENT_HELP: &str = "\
Environment only (e-mail, read by AWS's SDK):
  AWS_ENDPOINT_URL_SESV2";

/// As [`GRAPHQL_ENVIRONMENT_HELP`], for AWS.
pub const AWS_ENVIRONMENT_HELP: &str = "\
Environment only (AWS, read by its SDK):
  AWS_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL_EVENTBRIDGE, and the usual sources of credentials";

/// The process's environment, read once.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process; what is no UTF-8 is left out.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process() -> Self {
        let readable = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        readable.collect()
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The variables `API_<NAME><suffix>`, as NAME and value.
    fn amplify<'a>(&'a self, suffix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| {
            let middle = name.strip_prefix("API_")?.strip_suffix(suffix)?;
            (!value.trim().is_empty()).then_some((middle, value.trim()))
        })
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// Every problem of a configuration, collected so that the operator mends them in one go.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Notes a problem.
    pub fn add(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// All of them.
    pub fn list(&self) -> &[String] {
        &self.0
    }

    /// A setting without which the task cannot start.
    pub fn required(&mut self, value: Option<&str>, flag: &str, variable: &str) -> Option<String> {
        let value = given(value);
        if value.is_none() {
            self.add(format!("{flag} ({variable}) is not set"));
        }
        value.map(str::to_owned)
    }

    /// A duration, as `90s`, `15m`, `2h` or `7d`.
    pub fn duration(&mut self, value: Option<&str>, default: Option<&str>, name: &str) -> Option<Duration> {
        let text = given(value).or(default)?;
        let parsed = parse_duration(text);
        if parsed.is_none() {
            self.add(format!(
                "{name} is {text:?}; a duration is a whole number with s, m, h or d, as 90s, 15m, 2h, 7d"
            ));
        }
        parsed
    }

    /// A number between two bounds.
    pub fn number(
        &mut self,
        value: &str,
        default: &str,
        name: &str,
        bounds: std::ops::RangeInclusive<f64>,
    ) -> Option<f64> {
        let text = given(Some(value)).unwrap_or(default);
        let parsed = text.parse().ok().filter(|number| bounds.contains(number));
        if parsed.is_none() {
            self.add(format!(
                "{name} is {text:?}; it is a number from {} to {}",
                bounds.start(),
                bounds.end()
            ));
        }
        parsed
    }

    /// Yes or no, as variables write it.
    pub fn switch(&mut self, value: &str, name: &str) -> bool {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "0" | "false" | "no" | "off" => false,
            "1" | "true" | "yes" | "on" => true,
            _ => {
                self.add(format!("{name} is {value:?}; it is true or false"));
                false
            }
        }
    }

    /// An address that credentials are sent to: https, or http to this machine.
    pub fn address(&mut self, value: &str, name: &str) -> Option<url::Url> {
        let url: url::Url = match value.parse() {
            Ok(url) => url,
            Err(error) => {
                self.add(format!("{name} is no address ({error})"));
                return None;
            }
        };
        let loopback = match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if url.scheme() == "https" || (url.scheme() == "http" && loopback) {
            return Some(url);
        }
        self.add(format!(
            "{name} must begin with https:// (http:// is for this machine alone): credentials are sent there"
        ));
        None
    }
}

/// A value that is set and not empty.
pub fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|value| !value.is_empty())
}

/// A thousand years, for ever and a day: clocks and calendars can still count to its end.
const LONGEST_SECONDS: u64 = 365_250 * 86_400;

/// A duration, as `90s`, `15m`, `2h` or `7d`; zero is none, nor is more than a thousand years.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let seconds = number.checked_mul(seconds).filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds))?;
    Some(Duration::from_secs(seconds))
}

/// How the run behaves: what all tasks with state share.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// Where state is kept.
    pub state_uri: String,
    /// Who is told.
    pub event_bus: String,
    /// The patience with a server that only fails.
    pub max_wait: Duration,
    /// The time of one try of a call.
    pub call_timeout: Duration,
    /// The lease of the task's lock.
    pub lock_lease: Duration,
    /// The time the run is given.
    pub max_duration: Option<Duration>,
    /// Nothing outside the run folder is written.
    pub dry_run: bool,
}

impl RunSettings {
    /// The pace of a client that makes few calls.
    pub fn pace(&self) -> Pace {
        Pace::unhurried(self.max_wait).timing_out(self.call_timeout)
    }
}

impl RunArgs {
    /// Reads the flags.
    pub fn read(&self, problems: &mut Problems) -> RunSettings {
        let or = |value: &str, default: &str| given(Some(value)).unwrap_or(default).to_owned();
        RunSettings {
            state_uri: or(&self.state_uri, STATE_URI),
            event_bus: or(&self.event_bus, EVENT_BUS),
            max_wait: problems
                .duration(Some(&self.max_wait), Some(MAX_WAIT), "--max-wait (MAX_WAIT)")
                .unwrap_or_default(),
            call_timeout: problems
                .duration(Some(&self.call_timeout), Some(CALL_TIMEOUT), "--call-timeout (CALL_TIMEOUT)")
                .unwrap_or_default(),
            lock_lease: problems
                .duration(Some(&self.lock_lease), Some(LOCK_LEASE), "--lock-lease (LOCK_LEASE)")
                .unwrap_or_default(),
            max_duration: problems.duration(
                self.max_duration.as_deref(),
                None,
                "--max-duration (MAX_DURATION)",
            ),
            dry_run: problems.switch(&self.dry_run, "--dry-run (DRY_RUN)"),
        }
    }
}

/// Where the GraphQL database is and how to be let in.
#[derive(Debug, Clone)]
pub struct GraphqlSettings {
    /// The address.
    pub endpoint: url::Url,
    /// The API key; `None` for SigV4.
    pub api_key: Option<SecretString>,
    /// Whether the API keeps versions.
    pub versioning: Versioning,
}

impl GraphqlSettings {
    /// What a transport needs.
    pub fn authorization(&self, aws: &aws_config::SdkConfig) -> anyhow::Result<Authorization> {
        Ok(match &self.api_key {
            Some(key) => Authorization::Header(HeaderName::from_static("x-api-key"), key.clone()),
            None => Authorization::AppSyncIam(AppSyncSigner::new(aws)?),
        })
    }
}

impl GraphqlArgs {
    /// As [`Self::read`], for a task that can do without: nothing where no endpoint is named at all.
    pub fn read_if_given(
        &self,
        environment: &Environment,
        problems: &mut Problems,
    ) -> Option<GraphqlSettings> {
        let is_named = given(self.graphql_endpoint.as_deref()).is_some()
            || environment.amplify("_GRAPHQLAPIENDPOINTOUTPUT").next().is_some()
            || environment.get("AMPLIFY_DATA_GRAPHQL_ENDPOINT").is_some();
        if is_named { self.read(environment, problems) } else { None }
    }

    /// Finds the endpoint and its key. Two endpoints that could be meant are a problem, not a choice.
    pub fn read(&self, environment: &Environment, problems: &mut Problems) -> Option<GraphqlSettings> {
        let amplify: Vec<_> = environment.amplify("_GRAPHQLAPIENDPOINTOUTPUT").collect();
        let explicit = given(self.graphql_endpoint.as_deref())
            .map(|url| (None, url, "--graphql-endpoint (GRAPHQL_ENDPOINT)".to_owned()));
        let found = match (explicit, amplify.as_slice()) {
            (Some(explicit), _) => Some(explicit),
            (None, [(name, url)]) => {
                Some((Some(*name), *url, format!("API_{name}_GRAPHQLAPIENDPOINTOUTPUT")))
            }
            (None, []) => environment
                .get("AMPLIFY_DATA_GRAPHQL_ENDPOINT")
                .map(|url| (None, url, "AMPLIFY_DATA_GRAPHQL_ENDPOINT".to_owned())),
            (None, several) => {
                let names: Vec<_> =
                    several.iter().map(|(name, _)| format!("API_{name}_GRAPHQLAPIENDPOINTOUTPUT")).collect();
                problems.add(format!(
                    "{} are all set: say which with --graphql-endpoint (GRAPHQL_ENDPOINT)",
                    names.join(" and ")
                ));
                return None;
            }
        };
        let Some((name, url, source)) = found else {
            problems.add(
                "--graphql-endpoint (GRAPHQL_ENDPOINT) is not set, nor API_<NAME>_GRAPHQLAPIENDPOINTOUTPUT, nor AMPLIFY_DATA_GRAPHQL_ENDPOINT",
            );
            return None;
        };
        let endpoint = problems.address(url, &source);
        let named_key = name.and_then(|name| environment.get(&format!("API_{name}_GRAPHQLAPIKEYOUTPUT")));
        // An endpoint given by itself may be the one of a NAME whose key is there.
        let same_endpoint = amplify.iter().find(|(_, candidate)| *candidate == url);
        let same_key =
            same_endpoint.and_then(|(name, _)| environment.get(&format!("API_{name}_GRAPHQLAPIKEYOUTPUT")));
        let key = environment.get("GRAPHQL_API_KEY").or(named_key).or(same_key);
        let api_key = match environment.get("GRAPHQL_AUTH") {
            Some("iam") => None,
            Some("api-key") if key.is_none() => {
                problems.add("GRAPHQL_AUTH is api-key, and GRAPHQL_API_KEY is not set");
                None
            }
            None | Some("api-key") => key,
            Some(other) => {
                problems.add(format!("GRAPHQL_AUTH is {other:?}; it is api-key or iam"));
                None
            }
        };
        let versioning = given(Some(&self.versioned_api)).unwrap_or(VERSIONED_API).parse();
        let versioning: Option<Versioning> = versioning
            .map_err(|error| problems.add(format!("--versioned-api (GRAPHQL_VERSIONED): {error}")))
            .ok();
        let api_key = api_key.map(SecretString::from);
        Some(GraphqlSettings { endpoint: endpoint?, api_key, versioning: versioning? })
    }
}

/// What the Content ID API needs.
#[derive(Debug)]
pub struct YoutubeSettings {
    /// `onBehalfOfContentOwner`.
    pub content_owner: String,
    /// How to sign in.
    pub credentials: Credentials,
    /// `…/youtube/partner/v1`.
    pub api_base_url: url::Url,
    /// The Reporting API's `…/v1`.
    pub reporting_base_url: url::Url,
    /// The Data API's `…/youtube/v3`.
    pub data_base_url: url::Url,
    /// Calls begun per second.
    pub rate_per_second: f64,
    /// Calls under way at once.
    pub max_in_flight: usize,
    /// Calls of one day of Los Angeles; `None` for as many as the API lets through.
    pub call_budget: Option<u64>,
}

impl YoutubeSettings {
    /// The pace of the calls.
    pub fn pace(&self, run: &RunSettings) -> Pace {
        Pace::limited(self.rate_per_second, self.max_in_flight, run.max_wait).timing_out(run.call_timeout)
    }
}

impl YoutubeArgs {
    /// Whether a content owner and a credential are named: for a task that can do without.
    pub fn is_given(&self, environment: &Environment) -> bool {
        let credentials = ["YOUTUBE_CREDENTIALS", "YOUTUBE_CREDENTIALS_FILE"];
        given(self.content_owner.as_deref()).is_some()
            && credentials.iter().any(|name| environment.get(name).is_some())
    }

    /// Reads the flags and the credential.
    pub fn read(&self, environment: &Environment, problems: &mut Problems) -> Option<YoutubeSettings> {
        let content_owner =
            problems.required(self.content_owner.as_deref(), "--content-owner", "YOUTUBE_CONTENT_OWNER");
        let credentials = read_credentials(environment, problems);
        let base = environment.get("YOUTUBE_API_BASE_URL").unwrap_or(YOUTUBE_API_BASE_URL);
        let api_base_url = problems.address(base, "YOUTUBE_API_BASE_URL");
        let base = environment.get("YOUTUBE_REPORTING_BASE_URL").unwrap_or(YOUTUBE_REPORTING_BASE_URL);
        let reporting_base_url = problems.address(base, "YOUTUBE_REPORTING_BASE_URL");
        let base = environment.get("YOUTUBE_DATA_BASE_URL").unwrap_or(YOUTUBE_DATA_BASE_URL);
        let data_base_url = problems.address(base, "YOUTUBE_DATA_BASE_URL");
        let rate = problems.number(
            &self.rate_per_second,
            RATE_PER_SECOND,
            "--rate-per-second (RATE_PER_SECOND)",
            0.01..=10_000.0,
        );
        let in_flight = problems.number(
            &self.max_in_flight,
            MAX_IN_FLIGHT,
            "--max-in-flight (MAX_IN_FLIGHT)",
            1.0..=1_024.0,
        );
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just before")]
        let max_in_flight = in_flight? as usize;
        let call_budget = match given(self.call_budget.as_deref()).map(str::parse) {
            None => None,
            Some(Ok(calls)) => Some(calls),
            Some(Err(_)) => {
                problems.add("--call-budget (CALL_BUDGET) is no whole number");
                return None;
            }
        };
        Some(YoutubeSettings {
            call_budget,
            content_owner: content_owner?,
            credentials: credentials?,
            api_base_url: api_base_url?,
            reporting_base_url: reporting_base_url?,
            data_base_url: data_base_url?,
            rate_per_second: rate?,
            max_in_flight,
        })
    }
}

/// The credential that YouTube is signed in to with.
pub fn read_credentials(environment: &Environment, problems: &mut Problems) -> Option<Credentials> {
    let (source, json) = if let Some(json) = environment.get("YOUTUBE_CREDENTIALS") {
        ("YOUTUBE_CREDENTIALS".to_owned(), json.to_owned())
    } else if let Some(path) = environment.get("YOUTUBE_CREDENTIALS_FILE") {
        let source = format!("YOUTUBE_CREDENTIALS_FILE {path}");
        match std::fs::read_to_string(path) {
            Ok(json) => (source, json),
            Err(error) => {
                problems.add(format!("{source} cannot be read: {error}"));
                return None;
            }
        }
    } else {
        problems.add("YOUTUBE_CREDENTIALS (JSON) or YOUTUBE_CREDENTIALS_FILE is not set");
        return None;
    };
    let credentials = match Credentials::parse(&json) {
        Ok(credentials) => credentials,
        Err(problem) => {
            problems.add(format!("{source} {problem}"));
            return None;
        }
    };
    let address = match &credentials {
        Credentials::ServiceAccount(key) => Some(key.token_uri.clone()),
        Credentials::AuthorizedUser { token_uri, .. } => Some(token_uri.to_string()),
        Credentials::TokenService { url, .. } => Some(url.to_string()),
        Credentials::Static(_) => None,
    };
    match address {
        Some(address) => {
            problems.address(&address, &format!("the token address of {source}")).map(|_| credentials)
        }
        None => Some(credentials),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[rstest::rstest]
    #[case("90s", Some(90))]
    #[case("15m", Some(900))]
    #[case("2h", Some(7_200))]
    #[case("7d", Some(604_800))]
    #[case("0s", None)]
    #[case("90", None)]
    #[case("-1m", None)]
    #[case("1.5h", None)]
    #[case("m", None)]
    #[case("7é", None)]
    fn durations_are_a_number_and_a_unit(#[case] text: &str, #[case] seconds: Option<u64>) {
        assert_eq!(parse_duration(text), seconds.map(Duration::from_secs));
    }

    #[rstest::rstest]
    #[case::explicit_with_key(&[("GRAPHQL_API_KEY", "k")], Some("https://a.example/graphql"), Ok(true))]
    #[case::amplify_pair(&[("API_X_GRAPHQLAPIENDPOINTOUTPUT", "https://x.example/graphql"), ("API_X_GRAPHQLAPIKEYOUTPUT", "k")], None, Ok(true))]
    #[case::amplify_without_its_key(&[("API_X_GRAPHQLAPIENDPOINTOUTPUT", "https://x.example/graphql"), ("API_Y_GRAPHQLAPIKEYOUTPUT", "k")], None, Ok(false))]
    #[case::iam_said(&[("GRAPHQL_API_KEY", "k"), ("GRAPHQL_AUTH", "iam")], Some("https://a.example/graphql"), Ok(false))]
    #[case::amplify_gen2(&[("AMPLIFY_DATA_GRAPHQL_ENDPOINT", "https://d.example/graphql")], None, Ok(false))]
    #[case::two(&[("API_X_GRAPHQLAPIENDPOINTOUTPUT", "https://x.example/graphql"), ("API_Y_GRAPHQLAPIENDPOINTOUTPUT", "https://y.example/graphql")], None, Err("are all set"))]
    #[case::none(&[], None, Err("is not set"))]
    #[case::empty_is_not_set(&[("AMPLIFY_DATA_GRAPHQL_ENDPOINT", " ")], Some(""), Err("is not set"))]
    #[case::key_said_and_missing(&[("GRAPHQL_AUTH", "api-key")], Some("https://a.example/graphql"), Err("GRAPHQL_API_KEY is not set"))]
    #[case::plain_http(&[], Some("http://a.example/graphql"), Err("https://"))]
    #[case::loopback(&[("GRAPHQL_API_KEY", "k")], Some("http://127.0.0.1:9/graphql"), Ok(true))]
    fn the_endpoint_and_its_key_are_found_or_the_problem_is_named(
        #[case] variables: &[(&str, &str)],
        #[case] flag: Option<&str>,
        #[case] expected: Result<bool, &str>,
    ) {
        let mut problems = Problems::default();
        let args =
            GraphqlArgs { graphql_endpoint: flag.map(str::to_owned), versioned_api: VERSIONED_API.into() };
        let settings = args.read(&environment(variables), &mut problems);
        match expected {
            Ok(with_key) => {
                assert!(problems.list().is_empty(), "{problems:?}");
                assert_eq!(settings.unwrap().api_key.is_some(), with_key);
            }
            Err(part) => assert!(problems.list().iter().any(|p| p.contains(part)), "{problems:?}"),
        }
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let mut problems = Problems::default();
        let args = YoutubeArgs {
            content_owner: None,
            rate_per_second: "fast".into(),
            max_in_flight: "0".into(),
            call_budget: None,
        };
        assert!(
            args.read(&environment(&[("YOUTUBE_API_BASE_URL", "http://evil.example")]), &mut problems)
                .is_none()
        );
        insta::assert_snapshot!(problems.list().join("\n"), @r#"
        --content-owner (YOUTUBE_CONTENT_OWNER) is not set
        YOUTUBE_CREDENTIALS (JSON) or YOUTUBE_CREDENTIALS_FILE is not set
        YOUTUBE_API_BASE_URL must begin with https:// (http:// is for this machine alone): credentials are sent there
        --rate-per-second (RATE_PER_SECOND) is "fast"; it is a number from 0.01 to 10000
        --max-in-flight (MAX_IN_FLIGHT) is "0"; it is a number from 1 to 1024
        "#);
    }
}
