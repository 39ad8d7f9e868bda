//! Logs: JSON off a terminal, for people on one; always on stderr.
//!
//! What the suite itself logs follows `RUST_LOG`. Libraries are held at `info` whatever is asked for: at `debug` and
//! `trace` HTTP and sign-in libraries write headers, tokens and keys.

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry};

use super::Environment;

/// Modules whose logs are the suite's own and hold no secret at any level.
const OWN_TARGETS: [&str; 5] =
    ["dn_core", "dn_domain", "channelbackfill", "cms_customid_cleanup", "claims_report"];

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

impl LogFormat {
    /// Reads `--log-format`; `None` when it is none of the three.
    pub fn read(text: &str) -> Option<Self> {
        match text.trim() {
            "" | "auto" if std::io::stderr().is_terminal() => Some(Self::Pretty),
            "" | "auto" | "json" => Some(Self::Json),
            "pretty" => Some(Self::Pretty),
            _ => None,
        }
    }
}

/// Begins logging. A second call in one process (tests) changes nothing.
pub fn begin(format: LogFormat, environment: &Environment) {
    let asked = environment.get("RUST_LOG").unwrap_or("info");
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse_lossy(asked);
    let held = filter_fn(|metadata| {
        let own = OWN_TARGETS.iter().any(|target| metadata.target().split("::").next() == Some(*target));
        own || *metadata.level() <= tracing::Level::INFO
    });
    let colours = std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none();
    let lines = match format {
        LogFormat::Json => tracing_subscriber::fmt::layer::<Registry>()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(std::io::stderr)
            .with_filter(held)
            .with_filter(filter)
            .boxed(),
        LogFormat::Pretty => tracing_subscriber::fmt::layer::<Registry>()
            .with_ansi(colours)
            .with_target(false)
            .with_writer(std::io::stderr)
            .with_filter(held)
            .with_filter(filter)
            .boxed(),
    };
    let _ = tracing_subscriber::registry().with(lines).try_init();
}
