//! The detector: a state machine over weeks.

use super::budget::Budget;
use super::crowd::Crowd;
use super::expectation::{WEEKS_A_YEAR, expect};
use super::gate::{CHANNEL_DEPARTURE, CHANNEL_SERIES, Departure, Gate, REPORT_DEPARTURE, REPORT_SERIES};
use super::memory::{HABIT_WEEKS, Memory};
use super::robust::shrunk_log_ratio;
use super::spread::{Levels, deviation};
use super::week::{Cell, Week};
use super::{GAP, LEAST_PAST, MOST};

/// What counts are shrunk by in the score: a surge of a few dozen views is nothing to act on.
const SHRINK: f32 = 40.0;
/// What the spread is added to in the score: it counts, but a small one makes no small change a surge.
const STEADIEST: f32 = 1.0;
/// How many weeks make a series mature, and what habit: its log ratio then says something about its group.
const MATURE_WEEKS: u16 = 8;
const MATURE_HABIT: f32 = 10.0;
/// How many weeks a series must have for its last year to be known.
const KNOWN_WEEKS: u16 = 50;

/// What a value counts, where rows were missing before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// What the report says of the week: after a gap it may hold the gap's count too.
    Reported,
    /// A gain of a lifetime counter for each week since the last row ([`super::LifetimeCounters`]).
    Gained,
}

/// Scores week after week. What it says of a week depends on that week and those before alone.
#[derive(Debug)]
pub struct Detector {
    counting: Counting,
    week: u16,
    /// How many weeks had any row.
    reports: u16,
    groups: Vec<Option<u32>>,
    /// The series, group by group, and where each group begins.
    members: Vec<u32>,
    begins: Vec<usize>,
    memory: Memory,
    report: Gate,
    channels: Vec<Gate>,
    levels: Levels,
    crowd: Crowd,
    budget: Budget,
    was_alert: Vec<bool>,
}

impl Detector {
    /// A detector for series of these groups, that is to tell of about so many new surges a week.
    pub fn new(groups: &[Option<u32>], counting: Counting, alerts_a_week: f32) -> Self {
        let group_count = groups.iter().flatten().max().map_or(0, |last| *last as usize + 1);
        let mut begins = vec![0; group_count + 1];
        for group in groups.iter().flatten() {
            begins[*group as usize + 1] += 1;
        }
        for place in 1..begins.len() {
            begins[place] += begins[place - 1];
        }
        let mut next = begins.clone();
        let mut members = vec![0; begins[group_count]];
        for (series, group) in (0..).zip(groups) {
            if let Some(group) = group {
                members[next[*group as usize]] = series;
                next[*group as usize] += 1;
            }
        }
        Self {
            counting,
            week: 0,
            reports: 0,
            groups: groups.to_vec(),
            members,
            begins,
            memory: Memory::new(groups.len()),
            report: Gate::default(),
            channels: vec![Gate::default(); group_count],
            levels: Levels::new(),
            crowd: Crowd::default(),
            budget: Budget::new(alerts_a_week),
            was_alert: vec![false; groups.len()],
        }
    }

    /// Takes the next week: a value for each series, [`GAP`] where it has no row. What is no count is a gap too.
    pub fn step(&mut self, counts: &[f32]) -> Week {
        let is_count = |value: &f32| *value >= 0.0 && value.is_finite();
        let count =
            |series| counts.get(series).copied().filter(is_count).map_or(GAP, |count| count.min(MOST));
        let seen: Vec<f32> = (0..self.memory.series()).map(count).collect();
        let mut judged = Judged {
            habits: seen.iter().enumerate().map(|(series, seen)| self.habit(series, *seen)).collect(),
            believed: seen.clone(),
            report: None,
            channels: vec![None; self.channels.len()],
        };
        self.judge_report(&mut judged);
        self.judge_channels(&mut judged);
        let (mut cells, mut tail) = self.score(&seen, &judged);
        let crowd = self.crowd.judge(&mut tail);
        if crowd > 0.0 {
            for cell in &mut cells {
                if !self.is_last_year_known(cell.series) {
                    cell.score -= crowd;
                    cell.crowd = crowd;
                }
            }
        }
        let departures = judged.report.into_iter().chain(judged.channels.iter().copied().flatten()).collect();
        let week = Week { number: self.week, threshold: self.budget.threshold(), cells, departures };
        self.keep_scores(&week);
        self.remember(&seen, judged);
        week
    }

    fn habit(&self, series: usize, seen: f32) -> f32 {
        if seen.is_nan() { GAP } else { self.memory.habit(series).unwrap_or(GAP) }
    }

    /// Whether a series says something about its group this week.
    fn is_mature(&self, series: usize, judged: &Judged) -> bool {
        self.memory.seen(series) >= MATURE_WEEKS
            && !judged.believed[series].is_nan()
            && judged.habits[series] >= MATURE_HABIT
    }

    fn judge_report(&mut self, judged: &mut Judged) {
        let mut ratios: Vec<f32> = (0..self.memory.series())
            .filter(|series| self.is_mature(*series, judged))
            .map(|series| judged.deviation(series))
            .collect();
        judged.report = self.report.judge(None, &mut ratios, REPORT_SERIES, REPORT_DEPARTURE);
        if let Some(departure) = judged.report {
            for series in 0..self.memory.series() {
                judged.take_out(series, departure, &mut self.memory);
            }
        }
    }

    fn judge_channels(&mut self, judged: &mut Judged) {
        let mut ratios = Vec::new();
        for group in 0..self.channels.len() {
            let members = &self.members[self.begins[group]..self.begins[group + 1]];
            let mature =
                members.iter().map(|series| *series as usize).filter(|one| self.is_mature(*one, judged));
            ratios.clear();
            ratios.extend(mature.map(|series| judged.deviation(series)));
            let place = u32::try_from(group).ok();
            let departure = self.channels[group].judge(place, &mut ratios, CHANNEL_SERIES, CHANNEL_DEPARTURE);
            if let Some(departure) = departure {
                for series in members {
                    judged.take_out(*series as usize, departure, &mut self.memory);
                }
                judged.channels[group] = Some(departure);
            }
        }
    }

    /// The cells, and the scores by which a crowd is known.
    fn score(&self, seen: &[f32], judged: &Judged) -> (Vec<Cell>, Vec<f32>) {
        let (mut cells, mut tail) = (Vec::new(), Vec::new());
        let report_factor = judged.report.map_or(1.0, |departure| departure.factor);
        for (series, seen) in seen.iter().enumerate() {
            let (believed, habit) = (judged.believed[series], judged.habits[series]);
            if believed.is_nan() || habit.is_nan() || self.memory.seen(series) < LEAST_PAST {
                continue;
            }
            let expected = expect(&self.memory, series, habit, self.missing(series));
            let spread = self.levels.spread(habit, self.memory.own_spread(series));
            let score = |expected| shrunk_log_ratio(believed, expected, SHRINK) / (STEADIEST + spread);
            if self.memory.seen(series) >= MATURE_WEEKS {
                tail.push(score(expected.without_last_year));
            }
            let mut habit_weeks = [None; HABIT_WEEKS];
            for (place, week) in habit_weeks.iter_mut().zip(self.memory.last_weeks(series)) {
                *place = Some(*week);
            }
            let channel = self.groups[series].and_then(|group| judged.channels[group as usize]);
            cells.push(Cell {
                series,
                score: score(expected.count),
                seen: *seen,
                believed,
                expected: expected.count,
                basis: expected.basis,
                habit,
                habit_weeks,
                piled_weeks: expected.piled_weeks,
                spread,
                report_factor,
                group_factor: channel.map_or(1.0, |departure| departure.factor),
                crowd: 0.0,
            });
        }
        (cells, tail)
    }

    /// In how many weeks before this one the series alone had no row.
    fn missing(&self, series: usize) -> u16 {
        match self.counting {
            Counting::Gained => 0,
            Counting::Reported => self.reports.saturating_sub(self.memory.seen_last(series) + 1),
        }
    }

    fn is_last_year_known(&self, series: usize) -> bool {
        self.memory.seen(series) >= KNOWN_WEEKS
            && (WEEKS_A_YEAR - 4..=WEEKS_A_YEAR + 4).any(|weeks| !self.memory.ago(series, weeks).is_nan())
    }

    fn keep_scores(&mut self, week: &Week) {
        if week.cells.is_empty() {
            return;
        }
        let fresh = week.cells.iter().filter(|cell| !self.was_alert[cell.series]).map(|cell| cell.score);
        self.budget.take(fresh.collect());
        self.was_alert.fill(false);
        for cell in &week.cells {
            self.was_alert[cell.series] = week.is_alert(cell);
        }
    }

    fn remember(&mut self, seen: &[f32], judged: Judged) {
        for (series, seen) in seen.iter().enumerate() {
            if seen.is_nan() {
                continue;
            }
            let (believed, habit) = (judged.believed[series], judged.habits[series]);
            if !believed.is_nan() {
                if !habit.is_nan() && self.memory.seen(series) >= LEAST_PAST {
                    let by = deviation(believed, habit);
                    self.memory.deviated(series, by);
                    self.levels.deviated(habit, by);
                }
                self.memory.believed(series, believed, self.week);
            }
            self.memory.was_seen(series, self.reports);
        }
        self.levels.end_week();
        self.memory.keep_week(judged.believed);
        self.week = self.week.saturating_add(1);
        if seen.iter().any(|seen| !seen.is_nan()) {
            self.reports = self.reports.saturating_add(1);
        }
    }
}

/// A week while it is judged.
struct Judged {
    habits: Vec<f32>,
    /// The counts without what departures did to them.
    believed: Vec<f32>,
    report: Option<Departure>,
    channels: Vec<Option<Departure>>,
}

impl Judged {
    fn deviation(&self, series: usize) -> f32 {
        deviation(self.believed[series], self.habits[series])
    }

    /// Takes a departure out of a series' week; where it is the habit now, out of its past.
    fn take_out(&mut self, series: usize, departure: Departure, memory: &mut Memory) {
        if departure.is_habit_now {
            memory.rescale(series, departure.factor);
            self.habits[series] *= departure.factor;
        } else if departure.is_lost {
            self.believed[series] = GAP;
        } else {
            self.believed[series] /= departure.factor;
        }
    }
}
