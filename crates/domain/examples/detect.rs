//! Scores a panel on this machine: `detect PANEL.csv > ALERTS.csv`. The program's own `backtest` does the same, for
//! packed files and in S3 too.

#![expect(clippy::print_stdout, reason = "the scores stand on stdout")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;

use dn_domain::claims::viral::{Counting, Detector, read_panel};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: detect PANEL.csv")?;
    let panel = read_panel(&path, File::open(&path)?)?;
    let mut detector = Detector::new(panel.groups(), Counting::Reported, 6.0);
    let mut text = String::from("series_id,week,score\n");
    for counts in panel.weeks() {
        let week = detector.step(counts);
        for cell in &week.cells {
            writeln!(text, "{},{},{}", panel.id(cell.series), week.number, cell.score)?;
        }
    }
    print!("{text}");
    Ok(())
}
