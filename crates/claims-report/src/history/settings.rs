//! How long the history reaches back.

use std::time::Duration;

use dn_core::task::Problems;
use dn_core::task::settings::given;

/// The default of `--history-retention`: a year to compare with, and the year before it.
pub const HISTORY_RETENTION: &str = "730d";

/// The history's flags.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "History")]
pub struct HistoryArgs {
    /// How long weeks are kept in the history, counted back from its newest
    #[arg(long, global = true, env = "HISTORY_RETENTION", default_value = HISTORY_RETENTION, value_name = "DURATION")]
    pub history_retention: String,
}

impl HistoryArgs {
    /// Reads the flags.
    pub fn read(&self, problems: &mut Problems) -> Option<Duration> {
        let text = given(Some(&self.history_retention));
        problems.duration(text, Some(HISTORY_RETENTION), "--history-retention (HISTORY_RETENTION)")
    }
}
