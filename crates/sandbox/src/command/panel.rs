//! `panel` makes a panel and its truth, `score-panel` scores alerts against them.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use super::say;
use crate::panel::{PanelOptions, Truth, generate, score_panel};

/// How a panel is made and where it goes.
#[derive(Debug, Clone, Args)]
pub(super) struct PanelArgs {
    /// The panel's file, a CSV.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The truth's file [default: the panel's with the ending truth.csv].
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Everything that is random follows from it.
    #[arg(long, default_value_t = PanelOptions::default().seed)]
    seed: u64,
    /// How many series.
    #[arg(long, default_value_t = PanelOptions::default().series)]
    series: usize,
    /// How many weeks.
    #[arg(long, default_value_t = PanelOptions::default().weeks)]
    weeks: usize,
    /// Make a catalogue of new uploads alone
    #[arg(long)]
    young: bool,
    /// Deliver some reports doubled, in part, late or not at all; without, the same seed is the same catalogue.
    #[arg(long)]
    faults: bool,
}

impl PanelArgs {
    pub(super) fn run(&self) -> Result<ExitCode> {
        ensure!(self.series > 0 && self.weeks > 0, "a panel has at least one series and one week");
        let Self { seed, series, weeks, young, faults, .. } = *self;
        let (panel, truth) = generate(&PanelOptions { seed, series, weeks, young, faults });
        let truth_path = self.truth.clone().unwrap_or_else(|| self.out.with_extension("truth.csv"));
        let mut out =
            BufWriter::new(File::create(&self.out).with_context(|| self.out.display().to_string())?);
        panel.write(&mut out)?;
        out.flush()?;
        let mut out =
            BufWriter::new(File::create(&truth_path).with_context(|| truth_path.display().to_string())?);
        truth.write(&mut out)?;
        out.flush()?;
        let surges = truth.notes.iter().filter(|note| note.is_surge()).count();
        say(&format!(
            "{}: {series} series, {weeks} weeks\n{}: {surges} surges, {} other notes",
            self.out.display(),
            truth_path.display(),
            truth.notes.len() - surges
        ));
        Ok(ExitCode::SUCCESS)
    }
}

/// What is scored.
#[derive(Debug, Clone, Args)]
pub(super) struct ScoreArgs {
    /// The panel.
    #[arg(long, value_name = "FILE")]
    panel: PathBuf,
    /// The alerts.
    #[arg(long, value_name = "FILE", help = "The alerts: series_id,week,score, as backtest writes them")]
    alerts: PathBuf,
    /// The panel's truth.
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
}

impl ScoreArgs {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let open = |path: &PathBuf| -> Result<BufReader<File>> {
            Ok(BufReader::new(File::open(path).with_context(|| path.display().to_string())?))
        };
        let truth = Truth::read(open(&self.truth)?)?;
        let score = score_panel(open(&self.panel)?, open(&self.alerts)?, &truth)?;
        say(&serde_json::to_string_pretty(&score)?);
        Ok(ExitCode::SUCCESS)
    }
}
