//! What a week's scores are, with the numbers behind each.

use super::expectation::Basis;
use super::gate::Departure;
use super::memory::HABIT_WEEKS;

/// One series in one week: its score, and everything the score was made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The series, by its place in the panel.
    pub series: usize,
    /// How surely and how far it is beyond what was expected; comparable between series and weeks.
    pub score: f32,
    /// What its row says.
    pub seen: f32,
    /// The same without what a fault or season of the whole report or channel did to it.
    pub believed: f32,
    /// What was expected.
    pub expected: f32,
    /// What the expectation rests on.
    pub basis: Basis,
    /// The median of its last weeks.
    pub habit: f32,
    /// These weeks, oldest first; none where there were fewer.
    pub habit_weeks: [Option<u16>; HABIT_WEEKS],
    /// How many weeks the count may hold: more than one where the series had no row in the weeks before.
    pub piled_weeks: u16,
    /// The spread of its weeks about their habit, in log.
    pub spread: f32,
    /// The factor that the report as a whole departed by; one where it did not.
    pub report_factor: f32,
    /// The factor that its channel departed by besides.
    pub group_factor: f32,
    /// What was taken from the score because a crowd of series rose.
    pub crowd: f32,
}

impl Cell {
    /// How many times what was expected it has.
    pub fn factor(&self) -> f32 {
        self.believed / self.expected.max(1.0)
    }

    /// How much more it has than was expected; nought where it has less.
    pub fn excess(&self) -> f32 {
        (self.believed - self.expected).max(0.0)
    }
}

/// A week, scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Week {
    /// Its number, from nought.
    pub number: u16,
    /// Every series that has a row in it and enough of a past, in the order of the panel.
    pub cells: Vec<Cell>,
    /// Above which score a series is to be told of.
    pub threshold: f32,
    /// What the report as a whole (first) and channels departed by. Each is a finding about the data.
    pub departures: Vec<Departure>,
}

impl Week {
    /// Whether a series is to be told of.
    pub fn is_alert(&self, cell: &Cell) -> bool {
        cell.score > self.threshold
    }

    /// The series to be told of, those first that are worth most: the excess times what one count of the series is
    /// worth. What tells a surge from noise does not tell which surge matters, so this is not the order of the scores.
    pub fn alerts(&self, worth: impl Fn(usize) -> f64) -> Vec<&Cell> {
        let mut alerts: Vec<(f64, &Cell)> = self
            .cells
            .iter()
            .filter(|cell| self.is_alert(cell))
            .map(|cell| (f64::from(cell.excess()) * worth(cell.series), cell))
            .collect();
        alerts.sort_by(|(one, a), (other, b)| other.total_cmp(one).then(a.series.cmp(&b.series)));
        alerts.into_iter().map(|(_, cell)| cell).collect()
    }
}
