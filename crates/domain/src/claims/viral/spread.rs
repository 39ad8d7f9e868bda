//! How far a series' weeks usually are from its habit: its own past, shrunk towards that of its peers.
//!
//! A young series has few weeks to tell, and the decay after its launch looks like noise. So its own spread has the
//! weight of its weeks, and the median spread of the catalogue's series at the same level that of [`PEERS`] weeks: the
//! usual shrinkage of a variance (Smyth 2004, *Linear models and empirical Bayes methods*), with medians for means.

use super::robust::shrunk_log_ratio;

/// How many weeks of its own the catalogue's spread is worth.
const PEERS: f32 = 6.0;
/// What counts are shrunk by where their noise is asked for.
const SHRINK: f32 = 5.0;
/// How many levels are told apart: two for each factor of e, up to three millions a week.
const LEVELS: usize = 31;
/// How many steps of deviation are told apart, and how large they are.
const STEPS: usize = 80;
const STEP: f32 = 0.04;
/// How many deviations a level must have.
const LEAST: u32 = 200;
/// The spread where the catalogue cannot tell yet.
const UNKNOWN: f32 = 0.3;

/// How far a count is off its habit, in log.
pub(super) fn deviation(count: f32, habit: f32) -> f32 {
    shrunk_log_ratio(count, habit, SHRINK)
}

/// The deviations of the catalogue, by level.
#[derive(Debug)]
pub(super) struct Levels {
    counts: Vec<[u32; STEPS]>,
    /// The spread of each level by the weeks before this one.
    spreads: [f32; LEVELS],
}

impl Levels {
    pub(super) fn new() -> Self {
        Self { counts: vec![[0; STEPS]; LEVELS], spreads: [UNKNOWN; LEVELS] }
    }

    /// The spread of a series: its own past deviations' and their number, and its peers'.
    pub(super) fn spread(&self, habit: f32, own: Option<(f32, usize)>) -> f32 {
        let peers = self.spreads[level(habit)];
        let (own, weeks) = own.map_or((0.0, 0.0), |(spread, weeks)| (spread, weeks as f32));
        ((own * own * weeks + peers * peers * PEERS) / (weeks + PEERS)).sqrt()
    }

    pub(super) fn deviated(&mut self, habit: f32, by: f32) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a size over a step is a place"
        )]
        let step = (by.abs() / STEP) as usize;
        let count = &mut self.counts[level(habit)][step.min(STEPS - 1)];
        *count = count.saturating_add(1);
    }

    /// Ends a week: what came is the past from now on. A level of too few deviations is told by the next lower one
    /// that has enough, or the next higher.
    pub(super) fn end_week(&mut self) {
        let medians: Vec<Option<f32>> = self.counts.iter().map(median).collect();
        for (level, spread) in self.spreads.iter_mut().enumerate() {
            let near = medians[..=level].iter().rev().chain(&medians[level + 1..]).flatten().next();
            *spread = near.map_or(UNKNOWN, |median| 1.4826 * median);
        }
    }
}

fn level(habit: f32) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the logarithm of a count is a place"
    )]
    let level = (2.0 * habit.max(0.0).ln_1p()) as usize;
    level.min(LEVELS - 1)
}

fn median(counts: &[u32; STEPS]) -> Option<f32> {
    let all: u64 = counts.iter().copied().map(u64::from).sum();
    if all < u64::from(LEAST) {
        return None;
    }
    let mut below = 0;
    for (step, count) in counts.iter().enumerate() {
        let here = u64::from(*count);
        if 2 * (below + here) >= all {
            let within = (all as f32 / 2.0 - below as f32) / here as f32;
            return Some((step as f32 + within) * STEP);
        }
        below += here;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_without_a_past_is_told_by_its_neighbours() {
        let mut levels = Levels::new();
        levels.end_week();
        assert_eq!(levels.spread(100.0, None), UNKNOWN);
        for _ in 0..LEAST {
            levels.deviated(100.0, -0.21);
        }
        assert_eq!(levels.spread(100.0, None), UNKNOWN, "this week is no past yet");
        levels.end_week();
        let expected = 1.4826 * 0.22;
        for habit in [0.0, 100.0, f32::MAX] {
            assert!((levels.spread(habit, None) - expected).abs() < 1e-3, "{habit}");
        }
    }

    #[test]
    fn a_long_past_of_its_own_outweighs_the_peers() {
        let levels = Levels::new();
        assert!((levels.spread(10.0, Some((0.9, 26))) - 0.9).abs() < 0.1);
        assert!((levels.spread(10.0, Some((0.9, 1))) - UNKNOWN).abs() < 0.2);
    }
}
