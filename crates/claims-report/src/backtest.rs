//! `backtest`: the shipped detector over a panel of past weeks, week by week as it would have run.
//!
//! What it writes is every scored cell, so that anybody can hold it against what is known to have happened; the
//! threshold and the alert budget play no part.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use dn_core::store::{self, ObjectReader};
use dn_core::task::{Context, InputError};
use dn_domain::claims::viral::{Counting, Detector, Panel, SERIES_COLUMN, read_panel};
use tempfile::NamedTempFile;

/// Of which panel, and where to.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct BacktestArgs {
    /// The panel.
    #[arg(
        help = "The panel, instead of the stored history: a CSV series_id,group_id,w0,w1,… with an empty cell where a series has no row that week; a \
                path or s3://bucket/key, plain or gzip",
        long,
        requires = "alerts",
        value_name = "FILE"
    )]
    pub panel: Option<String>,
    /// Where the scores go.
    #[arg(
        help = "Where the scores go: a CSV series_id,week,score with a row for each scored cell",
        long,
        requires = "panel",
        value_name = "OUT.csv"
    )]
    pub alerts: Option<PathBuf>,
    /// Where new weights go.
    #[arg(
        help = "Where the dispute weights go that are fitted to what became of claims: a table for --dispute-weights; \
                nothing is written while there are too few outcomes",
        long,
        conflicts_with = "panel",
        value_name = "OUT.toml"
    )]
    pub weights_out: Option<PathBuf>,
}

/// What was scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backtested {
    /// Where the scores are.
    pub alerts: PathBuf,
    /// Series of the panel.
    pub series: usize,
    /// Weeks of the panel.
    pub weeks: usize,
    /// Cells that were scored.
    pub cells: u64,
    /// How often a whole report or a whole channel departed from its habit.
    pub departures: u64,
}

/// Scores the panel. Nothing is left at the output's place when the panel is refused or the run is stopped.
pub(crate) async fn backtest<T>(
    context: &Context<T>,
    panel: &str,
    alerts: &Path,
) -> anyhow::Result<Backtested> {
    let reader = store::open_read(panel, &context.aws)
        .await
        .map_err(InputError)
        .context("the panel could not be opened")?;
    let (name, alerts) = (panel.to_owned(), alerts.to_owned());
    let stopped = context.stop.token();
    tokio::task::spawn_blocking(move || score_file(&name, reader, &alerts, &|| stopped.is_cancelled()))
        .await?
}

fn score_file(
    name: &str,
    reader: ObjectReader,
    alerts: &Path,
    is_stopped: &dyn Fn() -> bool,
) -> anyhow::Result<Backtested> {
    let panel = read_panel(name, reader.into_sync_read())?;
    tracing::info!(panel = name, series = panel.len(), weeks = panel.weeks().len(), "panel read");
    let unwritable = || format!("{} could not be written", alerts.display());
    let folder = alerts.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = NamedTempFile::new_in(folder).with_context(unwritable)?;
    let (cells, departures) = score(&panel, &file, is_stopped)?;
    file.persist(alerts).map_err(|error| error.error).with_context(unwritable)?;
    Ok(Backtested {
        alerts: alerts.to_owned(),
        series: panel.len(),
        weeks: panel.weeks().len(),
        cells,
        departures,
    })
}

/// Writes the score of every cell that has one, week after week, and counts cells and departures.
fn score(panel: &Panel, to: impl Write, is_stopped: &dyn Fn() -> bool) -> anyhow::Result<(u64, u64)> {
    let mut out = csv::Writer::from_writer(to);
    out.write_record([SERIES_COLUMN, "week", "score"])?;
    // How many would be told a week is of no interest where every score is.
    let mut detector = Detector::new(panel.groups(), Counting::Reported, 0.0);
    let (mut cells, mut departures) = (0, 0);
    for counts in panel.weeks() {
        anyhow::ensure!(!is_stopped(), "stopped while the panel was scored");
        let week = detector.step(counts);
        let number = week.number.to_string();
        for cell in &week.cells {
            out.write_record([panel.id(cell.series), &number, &cell.score.to_string()])?;
        }
        cells += week.cells.len() as u64;
        departures += week.departures.len() as u64;
    }
    out.flush()?;
    Ok((cells, departures))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel() -> Panel {
        let mut panel = Panel::new(8);
        panel.push("steady, \"quoted\"", "c", &[100.0; 8]);
        panel.push("=surge", "c", &[100.0, 100.0, 100.0, 100.0, 100.0, 900.0, 100.0, 100.0]);
        panel
    }

    #[test]
    fn every_scored_cell_is_written_with_its_exact_id_and_the_surge_has_the_highest_score() {
        let mut out = Vec::new();
        let counts = score(&panel(), &mut out, &|| false).unwrap();
        assert_eq!(counts, (8, 0));
        let mut rows = csv::Reader::from_reader(&out[..]);
        let rows: Vec<(String, u16, f32)> = rows.deserialize().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 8);
        assert_eq!((rows[0].0.as_str(), rows[0].1), ("steady, \"quoted\"", 4));
        let highest = rows.iter().max_by(|one, other| one.2.total_cmp(&other.2)).unwrap();
        assert_eq!((highest.0.as_str(), highest.1), ("=surge", 5));
    }

    #[test]
    fn a_run_that_winds_down_ends_between_two_weeks() {
        let stopped = score(&panel(), Vec::new(), &|| true).unwrap_err();
        assert_eq!(stopped.to_string(), "stopped while the panel was scored");
    }
}
