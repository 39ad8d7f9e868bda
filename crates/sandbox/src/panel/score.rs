//! What alerts are worth against the truth of a panel.
//!
//! A cell counts from week 12 on, when it has a row and four rows stand before it. A surge is found by an alert in its
//! first four weeks; another alert from the week before it to the week after it is neither right nor wrong. Every other
//! alert is false. False alerts are counted a week and 10,000 series that have a row.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::generate::FIRST_WEEK;
use super::truth::{Note, Scope, Truth};

/// How many rows must stand before a cell that counts.
const LEAST_PAST: usize = 4;
/// In how many weeks after its first a surge may be found.
const FOUND_WITHIN: usize = 3;

/// What alerts are worth.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PanelScore {
    /// Surges that could be found.
    pub surges: usize,
    /// Cells that count.
    pub cells: usize,
    /// The mean of the precisions at which each surge is found; nought for one that is not.
    pub average_precision: f64,
    /// The share of surges found with at most so many false alerts a week of 10,000 series: 1, 2 and 5.
    pub recall_at_1: f64,
    /// The same with two.
    pub recall_at_2: f64,
    /// The same with five.
    pub recall_at_5: f64,
    /// The score above which there is at most one.
    pub threshold_at_1: f64,
    /// The share of all surges' views that the surges found at that threshold hold.
    pub views_at_1: f64,
    /// What the false alerts above that threshold stand beside in the truth.
    pub false_by_kind: BTreeMap<String, usize>,
    /// Those of them in a week and channel in which the report was not to be believed.
    pub false_on_faults: usize,
}

#[derive(Deserialize)]
struct Row {
    series_id: String,
    week: usize,
    score: f64,
}

/// A series of the panel as the scorer sees it.
struct Series {
    channel: String,
    counts: Vec<bool>,
}

/// Scores `series_id,week,score` against a panel and its truth.
pub fn score_panel(panel: impl Read, alerts: impl Read, truth: &Truth) -> Result<PanelScore> {
    let (series, cells) = read_panel(panel)?;
    let by_scope = |scope| {
        let mut notes: HashMap<&str, Vec<&Note>> = HashMap::new();
        for note in truth.notes.iter().filter(|note| note.scope == scope) {
            notes.entry(&note.id).or_default().push(note);
        }
        notes
    };
    let (of_series, of_channels, of_reports) =
        (by_scope(Scope::Series), by_scope(Scope::Channel), by_scope(Scope::Report));

    let mut best: HashMap<*const Note, f64> = HashMap::new();
    let mut wrong: Vec<(f64, String, usize)> = Vec::new();
    for row in csv::Reader::from_reader(alerts).deserialize() {
        let Row { series_id, week, score } = row.context("the alerts cannot be read")?;
        ensure!(score.is_finite(), "{series_id}, week {week}: the score is no number");
        let Some(of) = series.get(&series_id) else { continue };
        if !of.counts.get(week).copied().unwrap_or(false) {
            continue;
        }
        let mut is_neutral = false;
        for note in notes(&of_series, &series_id).into_iter().filter(|note| note.is_surge()) {
            if finds(note, week) {
                let best = best.entry(std::ptr::from_ref(note)).or_insert(score);
                *best = best.max(score);
            }
            is_neutral |= week + 1 >= note.from && week <= note.to + 1;
        }
        if !is_neutral {
            wrong.push((score, series_id, week));
        }
    }
    wrong.sort_by(|one, other| other.0.total_cmp(&one.0));
    let surges: Vec<&Note> = truth
        .notes
        .iter()
        .filter(|note| note.is_surge())
        .filter(|note| series.get(&note.id).is_some_and(|of| can_be_found(note, of)))
        .collect();
    let score_of = |note: &Note| best.get(&std::ptr::from_ref(note)).copied();
    let mut found: Vec<f64> = surges.iter().filter_map(|note| score_of(note)).collect();
    found.sort_by(|one, other| other.total_cmp(one));

    let unit = cells as f64 / 10_000.0;
    let threshold =
        |budget: f64| wrong.get((budget * unit) as usize).map_or(f64::NEG_INFINITY, |wrong| wrong.0);
    let of_surges = |count: f64| count / (surges.len().max(1) as f64);
    let recall = |budget| of_surges(found.iter().filter(|score| **score > threshold(budget)).count() as f64);
    let precision = |(place, score): (usize, &f64)| {
        let right = place as f64 + 1.0;
        right / (right + wrong.partition_point(|wrong| wrong.0 >= *score) as f64)
    };
    let limit = threshold(1.0);
    let mut result = PanelScore {
        surges: surges.len(),
        cells,
        average_precision: of_surges(found.iter().enumerate().map(precision).sum()),
        recall_at_1: recall(1.0),
        recall_at_2: recall(2.0),
        recall_at_5: recall(5.0),
        threshold_at_1: limit,
        ..PanelScore::default()
    };
    let views = |notes: &mut dyn Iterator<Item = &&Note>| notes.map(|note| note.views as f64).sum::<f64>();
    let held = views(&mut surges.iter().filter(|note| score_of(note).is_some_and(|score| score > limit)));
    result.views_at_1 = held / views(&mut surges.iter()).max(1.0);
    for (_, id, week) in wrong.iter().take_while(|wrong| wrong.0 > limit) {
        let beside = [
            notes(&of_series, id),
            notes(&of_channels, series.get(id).map_or("", |of| &of.channel)),
            notes(&of_reports, ""),
        ]
        .concat();
        let here: Vec<&&Note> = beside.iter().filter(|note| (note.from..=note.to).contains(week)).collect();
        result.false_on_faults += usize::from(here.iter().any(|note| note.is_fault()));
        let kind = here.first().map_or("ordinary", |note| &note.kind);
        *result.false_by_kind.entry(kind.to_owned()).or_default() += 1;
    }
    Ok(result)
}

/// The notes about one id.
fn notes<'a>(notes: &HashMap<&str, Vec<&'a Note>>, id: &str) -> Vec<&'a Note> {
    notes.get(id).cloned().unwrap_or_default()
}

fn finds(note: &Note, week: usize) -> bool {
    (note.from..=note.to.min(note.from + FOUND_WITHIN)).contains(&week)
}

fn can_be_found(note: &Note, of: &Series) -> bool {
    of.counts.iter().enumerate().any(|(week, counts)| *counts && finds(note, week))
}

/// Which cells of each series count, and how many do.
fn read_panel(panel: impl Read) -> Result<(HashMap<String, Series>, usize)> {
    let mut all = HashMap::new();
    let mut cells = 0;
    for row in csv::Reader::from_reader(panel).records() {
        let row = row.context("the panel cannot be read")?;
        let mut before = 0;
        let mut counts = Vec::with_capacity(row.len());
        for (week, cell) in row.iter().skip(2).enumerate() {
            let is_there = !cell.is_empty();
            counts.push(is_there && before >= LEAST_PAST && week >= FIRST_WEEK);
            before += usize::from(is_there);
        }
        cells += counts.iter().filter(|counts| **counts).count();
        let (id, channel) = (row.get(0).unwrap_or_default(), row.get(1).unwrap_or_default());
        all.insert(id.to_owned(), Series { channel: channel.to_owned(), counts });
    }
    Ok((all, cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANEL: &str = "series_id,group_id,w0,w1,w2,w3,w4,w5,w6,w7,w8,w9,w10,w11,w12,w13,w14,w15\n\
                         a,x,1,1,1,1,1,1,1,1,1,1,1,1,1,9,9,1\n\
                         b,x,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1\n\
                         c,x,,,,,,,,,,,1,1,1,1,1,\n";

    fn score(alerts: &str) -> PanelScore {
        let mut truth = Truth::default();
        truth.note(Scope::Series, "a".to_owned(), "surge_flash", 13, 14, 16);
        truth.note(Scope::Channel, "x".to_owned(), "fault_doubled", 12, 12, 0);
        score_panel(PANEL.as_bytes(), format!("series_id,week,score\n{alerts}").as_bytes(), &truth).unwrap()
    }

    fn is(share: f64, expected: f64) -> bool {
        (share - expected).abs() < 1e-9
    }

    #[test]
    fn a_surge_above_every_false_alert_is_all_precision() {
        let right = score("a,13,2\nb,13,1\n");
        assert_eq!((right.surges, right.cells), (1, 9));
        assert!(is(right.average_precision, 1.0) && is(right.recall_at_1, 1.0));
        assert!(is(right.views_at_1, 1.0));
        assert!(is(score("a,13,1\nb,13,2\nb,14,2\n").average_precision, 1.0 / 3.0));
        assert!(is(score("").average_precision, 0.0));
    }

    #[test]
    fn what_stands_beside_a_surge_or_does_not_count_is_neither_right_nor_wrong() {
        let beside = score("a,13,2\na,12,9\na,15,9\nb,3,9\nc,13,9\nc,15,9\nnobody,13,9\n");
        assert!(is(beside.average_precision, 1.0), "{beside:?}");
    }

    #[test]
    fn a_false_alert_in_a_week_of_a_fault_is_told() {
        // A panel so small has no room for one false alert, so the threshold is the highest of them.
        let on_fault = score("b,12,3\nb,13,2\n");
        assert!(is(on_fault.threshold_at_1, 3.0) && on_fault.false_on_faults == 0);
        let many = score_many();
        assert_eq!((many.false_on_faults, many.false_by_kind.get("fault_doubled")), (1, Some(&1)));
    }

    /// The same with so many quiet series that one false alert is allowed.
    fn score_many() -> PanelScore {
        let mut panel = PANEL.to_owned();
        panel.extend((0..2_500).map(|quiet| format!("q{quiet},y{}\n", ",1".repeat(16))));
        let truth = Truth {
            notes: vec![Note {
                scope: Scope::Channel,
                id: "x".to_owned(),
                kind: "fault_doubled".to_owned(),
                from: 12,
                to: 12,
                views: 0,
            }],
        };
        let alerts = "series_id,week,score\nb,12,3\nq1,13,2\n";
        score_panel(panel.as_bytes(), alerts.as_bytes(), &truth).unwrap()
    }
}
