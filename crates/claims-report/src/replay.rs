//! `backtest` over the stored history: what the detector would have told in each week, at several budgets.
//!
//! Only videos are replayed, by their lifetime counters. The history does not keep which channel a video was of, so faults
//! of a single channel are not told from surges here; those of a whole report are.

use std::collections::BTreeSet;

use dn_domain::claims::snapshot::Source;
use dn_domain::claims::viral::{Counting, Detector, Panel, gains_of};
use dn_domain::claims::week::Week;

use crate::history::{History, HistoryError, KeptWeek};
use crate::surges::{LEAST_EXCESS, MAX_SERIES, alerts_a_week};

/// The budgets that are tried: new alerts a week.
const BUDGETS: [f32; 6] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0];

/// So many of the last alerts are named.
const NAMED: usize = 50;

/// What the detector would have told.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The history's weeks, the gaps between them included.
    pub weeks: Vec<Week>,
    /// Videos of which the history knows counters.
    pub series: usize,
    /// Of each budget how many alerts each week would have had.
    pub budgets: Vec<(f32, Vec<usize>)>,
    /// The budget that a run goes by with so many videos.
    pub budget: f32,
    /// What would have been told at it, the last weeks first.
    pub raised: Vec<Raised>,
}

/// An alert that would have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// The week.
    pub week: Week,
    /// The video.
    pub video_id: String,
    /// Its score.
    pub score: f32,
    /// Views that were expected.
    pub expected: f32,
    /// Views that it had.
    pub seen: f32,
}

/// Replays the history.
pub(crate) async fn replay(history: &History, alert_budget: usize) -> anyhow::Result<Replayed> {
    let kept = history.weeks().await?;
    let (Some(first), Some(last)) = (kept.first(), kept.last()) else {
        return Ok(Replayed {
            weeks: Vec::new(),
            series: 0,
            budgets: Vec::new(),
            budget: 0.0,
            raised: Vec::new(),
        });
    };
    let weeks: Vec<Week> = last.week.row_of(last.week.since(first.week) + 1).collect();
    let is_believed = |week: &&KeptWeek| !week.suspects.contains(&Source::Videos);
    let believed: BTreeSet<Week> = kept.iter().filter(is_believed).map(|week| week.week).collect();
    let asked = weeks.clone();
    let panel = history
        .ask(move |tables| {
            let mut panel = Panel::new(asked.len());
            let (mut counts, mut gains) = (Vec::new(), Vec::new());
            tables.video_series::<HistoryError>(&asked, |id, points| {
                if panel.len() == MAX_SERIES {
                    return Ok(());
                }
                counts.clear();
                counts.extend(asked.iter().zip(points).map(|(week, point)| {
                    point.and_then(|point| point.views).filter(|_| believed.contains(week))
                }));
                gains_of(&counts, &mut gains);
                panel.push(id, "", &gains);
                Ok(())
            })?;
            Ok(panel)
        })
        .await?;
    Ok(tokio::task::spawn_blocking(move || over(&panel, weeks, alert_budget)).await?)
}

fn over(panel: &Panel, weeks: Vec<Week>, alert_budget: usize) -> Replayed {
    let budgets = BUDGETS
        .map(|budget| (budget, told(panel, &weeks, budget).into_iter().map(|week| week.len()).collect()));
    let budget = alerts_a_week(panel.len(), alert_budget);
    let mut raised: Vec<Raised> = told(panel, &weeks, budget).into_iter().rev().flatten().collect();
    raised.truncate(NAMED);
    Replayed { series: panel.len(), budgets: budgets.into(), budget, raised, weeks }
}

/// What is told in each week at a budget.
fn told(panel: &Panel, weeks: &[Week], budget: f32) -> Vec<Vec<Raised>> {
    let mut detector = Detector::new(panel.groups(), Counting::Gained, budget);
    let told = panel.weeks().iter().zip(weeks).map(|(counts, week)| {
        let scored = detector.step(counts);
        let alerts = scored.alerts(|_| 1.0).into_iter().filter(|cell| cell.excess() >= LEAST_EXCESS);
        let raised = alerts.map(|cell| Raised {
            week: *week,
            video_id: panel.id(cell.series).to_owned(),
            score: cell.score,
            expected: cell.expected,
            seen: cell.believed,
        });
        raised.collect()
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surge_of_the_past_is_told_in_its_week_at_every_budget() {
        let mut panel = Panel::new(8);
        for video in 0..200_u16 {
            let level = 1_000.0 + f32::from(video);
            let mut gains = [level; 8];
            if video == 7 {
                gains[6] = 40_000.0;
            }
            panel.push(&format!("v{video:010}"), "", &gains);
        }
        let weeks: Vec<Week> = Week::parse("2026-11-16").unwrap().row_of(8).collect();
        let replayed = over(&panel, weeks.clone(), 50);
        assert_eq!((replayed.series, replayed.budget), (200, 1.0));
        assert_eq!(replayed.budgets.len(), BUDGETS.len());
        for (budget, counts) in &replayed.budgets {
            assert_eq!(counts.as_slice(), [0, 0, 0, 0, 0, 0, 1, 0], "{budget}");
        }
        let [raised] = replayed.raised.as_slice() else { panic!("{:?}", replayed.raised) };
        assert_eq!((raised.week, raised.video_id.as_str()), (weeks[6], "v0000000007"));
        assert!(raised.seen > 39_000.0 && raised.expected < 2_000.0, "{raised:?}");
    }
}
