//! Making a panel: what the views of each series are made of, and what is planted in them.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::truth::{Scope, Truth};
use super::{Panel, faults};

/// How a panel is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PanelOptions {
    /// Everything that is random follows from it.
    pub seed: u64,
    /// How many series there are; a channel has about forty.
    pub series: usize,
    /// How many weeks.
    pub weeks: usize,
    /// Whether the catalogue is new uploads alone: all of them in launch, in channels of few, and surges are many.
    pub young: bool,
    /// Whether reports come doubled, in part or not at all. Without, the same seed is the same catalogue.
    pub faults: bool,
}

impl Default for PanelOptions {
    fn default() -> Self {
        Self { seed: 1, series: 10_000, weeks: 78, young: false, faults: false }
    }
}

/// The first week in which a surge may begin: before it nobody has a habit.
pub(super) const FIRST_WEEK: usize = 12;
/// Surges a week of 10,000 series.
const SURGES: f64 = 5.0;
/// The same of new uploads, which are watched because they are shared.
const YOUNG_SURGES: f64 = 40.0;
/// How many series a channel has, and one of new uploads alone.
const CHANNEL_SERIES: usize = 40;
const YOUNG_CHANNEL_SERIES: usize = 3;
/// Within how many weeks all new uploads begin.
const YOUNG_WEEKS: usize = 8;
/// How many weeks a series is there before it surges.
const LEAST_AGE: usize = 6;
/// Weeks of a year.
const YEAR: usize = 52;
/// The weeks of a year in which everything is watched more, and how much.
const HOLIDAYS: [(usize, f64); 4] = [(46, 0.08), (47, 0.16), (48, 0.22), (49, 0.12)];

/// Makes a panel and its truth.
pub fn generate(options: &PanelOptions) -> (Panel, Truth) {
    let mut maker = Maker {
        rng: ChaCha8Rng::seed_from_u64(options.seed),
        weeks: options.weeks,
        young: options.young,
        truth: Truth::default(),
    };
    let (mut panel, mut truth) = maker.make(options);
    if options.faults {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(1);
        faults::deliver_badly(&mut rng, &mut panel, &mut truth);
    }
    (panel, truth)
}

struct Maker {
    rng: ChaCha8Rng,
    weeks: usize,
    young: bool,
    truth: Truth,
}

/// A series before anything is planted in it.
struct Series {
    first: usize,
    views: Vec<f64>,
    noise: f64,
    wild: bool,
}

impl Maker {
    fn make(&mut self, options: &PanelOptions) -> (Panel, Truth) {
        let of_channel = if self.young { YOUNG_CHANNEL_SERIES } else { CHANNEL_SERIES };
        let channel_count = options.series.div_ceil(of_channel).max(1);
        let sizes: Vec<f64> = (0..channel_count).map(|_| self.normal().exp()).collect();
        let fame: Vec<f64> = (0..channel_count).map(|_| 0.7 * self.normal()).collect();
        let channels: Vec<usize> = (0..options.series).map(|_| self.choose(&sizes)).collect();
        let mut all: Vec<Series> =
            (0..options.series).map(|at| self.series(at, fame[channels[at]])).collect();
        let season = self.season();
        for series in &mut all {
            for (views, factor) in series.views.iter_mut().zip(&season) {
                *views *= factor;
            }
        }
        let songs = self.songs_of_the_season(&mut all);
        self.halos(&mut all, &channels, channel_count);
        self.surges(&mut all, &songs);
        let counts = (0..).zip(&all).map(|(at, series)| self.count(at, series)).collect();
        (Panel { channels, counts }, std::mem::take(&mut self.truth))
    }

    /// What one series would be watched: its level, its launch, its drift.
    fn series(&mut self, at: usize, fame: f64) -> Series {
        let level = (5.0 + 1.9 * self.normal() + fame).exp().clamp(0.3, 2e6);
        let is_new = self.young || self.rng.random_bool(0.25);
        let firsts = if self.young { YOUNG_WEEKS.min(self.weeks) } else { self.weeks.max(2) - 1 };
        let first = if is_new { self.rng.random_range(0..firsts) } else { 0 };
        let drift = 0.006 * self.normal();
        let climbs = self.rng.random_bool(if self.young { 0.1 } else { 0.3 });
        let (start, power) = (self.within(3.0, 30.0), self.within(0.6, 1.5));
        let (middle, width, top) = (self.within(2.0, 7.0), self.within(0.7, 2.0), self.within(1.0, 5.0));
        let grows = self.rng.random_bool(0.05).then(|| {
            (
                self.rng.random_range(0..self.weeks.max(1)),
                self.rng.random_range(12..26),
                self.within(0.03, 0.06),
            )
        });
        let mut wander = 0.0;
        let wandering = self.within(0.02, 0.07);
        let mut views = vec![0.0; self.weeks];
        for (week, views) in views.iter_mut().enumerate().skip(first) {
            let age = (week - first) as f64;
            wander = 0.94 * wander + wandering * self.normal();
            let launch = match (is_new, climbs) {
                (false, _) => 1.0,
                (true, false) => 1.0 + start * (age + 1.0).powf(-power),
                (true, true) => top / (1.0 + ((middle - age) / width).exp()),
            };
            let grown =
                grows.map_or(0.0, |(from, weeks, by)| by * week.saturating_sub(from).min(weeks) as f64);
            *views = level * launch * (drift * age + wander + grown).exp();
        }
        if is_new {
            let kind = if climbs { "launch_climb" } else { "launch_decay" };
            self.note_series(at, kind, first, first + 12);
        }
        if let Some((from, weeks, _)) = grows {
            self.note_series(at, "slow_growth", from, from + weeks);
        }
        Series { first, views, noise: (-1.9 + 0.5 * self.normal()).exp(), wild: self.rng.random_bool(0.05) }
    }

    fn season(&mut self) -> Vec<f64> {
        let mut restless = 0.0;
        let weeks = 0..self.weeks;
        let season = weeks.map(|week| {
            restless = 0.6 * restless + 0.03 * self.normal();
            let holiday = HOLIDAYS.iter().find(|(of_year, _)| week % YEAR == *of_year);
            (restless + holiday.map_or(0.0, |(_, more)| *more)).exp()
        });
        season.collect()
    }

    /// Songs that come back each year, most of them at the holidays. Gives which series they are.
    fn songs_of_the_season(&mut self, all: &mut [Series]) -> Vec<bool> {
        let mut songs = vec![false; all.len()];
        for at in 0..all.len() {
            if !self.rng.random_bool(0.02) {
                continue;
            }
            songs[at] = true;
            let peak = if self.rng.random_bool(0.85) { 47 } else { self.rng.random_range(0..YEAR) };
            let factor = self.within(3.0, 8.0);
            for (week, views) in all[at].views.iter_mut().enumerate() {
                let from_peak = (week + YEAR - peak) % YEAR;
                let share = match from_peak {
                    0 | 1 => 1.0,
                    2 => 0.6,
                    51 => 0.5,
                    _ => 0.0,
                };
                *views *= 1.0 + (factor - 1.0) * share;
            }
            for week in (peak..=self.weeks).step_by(YEAR) {
                self.note_series(at, "each_year", week.saturating_sub(1), week + 2);
            }
        }
        songs
    }

    /// All videos of an artist rise together: a tour, a headline.
    fn halos(&mut self, all: &mut [Series], channels: &[usize], channel_count: usize) {
        for _ in 0..channel_count / 20 {
            if self.weeks < FIRST_WEEK + 6 {
                return;
            }
            let channel = self.rng.random_range(0..channel_count);
            let from = self.rng.random_range(FIRST_WEEK..self.weeks - 5);
            let factor = self.within(1.4, 2.2);
            for series in
                all.iter_mut().zip(channels).filter(|(_, of)| **of == channel).map(|(series, _)| series)
            {
                for (week, share) in [1.0, 0.8, 0.5, 0.25].into_iter().enumerate() {
                    series.views[from + week] *= 1.0 + (factor - 1.0) * share;
                }
            }
            self.truth.note(Scope::Channel, Panel::channel_id(channel), "halo", from, from + 4, 0);
        }
    }

    fn surges(&mut self, all: &mut [Series], songs: &[bool]) {
        if self.weeks <= FIRST_WEEK + 1 {
            return;
        }
        let cells = (all.len() * (self.weeks - FIRST_WEEK)) as f64;
        let mut left = (cells / 10_000.0 * if self.young { YOUNG_SURGES } else { SURGES }).round() as usize;
        let mut taken = songs.to_vec();
        for _ in 0..left * 50 {
            let at = self.rng.random_range(0..all.len());
            let from = self.rng.random_range(FIRST_WEEK..self.weeks - 1);
            if left == 0 || taken[at] || from < all[at].first + LEAST_AGE {
                continue;
            }
            let usual = all[at].views[from - 4..from].iter().sum::<f64>() / 4.0;
            let times = 1.5 * (1.0 - self.rng.random::<f64>()).powf(-1.0 / 1.2);
            let most = (usual * times.min(60.0)).max(200.0 - 400.0 * (1.0 - self.rng.random::<f64>()).ln());
            let (kind, more) = self.shape(from, most);
            let strong: Vec<usize> =
                (from..self.weeks).filter(|week| more[*week] >= (usual / 2.0).max(50.0)).collect();
            let (Some(onset), Some(end)) = (strong.first(), strong.last()) else { continue };
            for (views, more) in all[at].views.iter_mut().zip(&more) {
                *views += more;
            }
            let views = more.iter().sum::<f64>() as u64;
            self.truth.note(Scope::Series, Panel::series_id(at), kind, *onset, *end, views);
            taken[at] = true;
            left -= 1;
        }
    }

    /// The views that a surge adds, week by week, with their most.
    fn shape(&mut self, from: usize, most: f64) -> (&'static str, Vec<f64>) {
        // It begins on some day of its first week, which so holds a part of it.
        let begun = self.within(0.15, 1.0);
        let (fall, rise) = (self.within(0.7, 1.6), self.within(0.5, 1.1));
        let (peak, lasts) = (self.rng.random_range(2..5), self.rng.random_range(6..16));
        let kind = *["surge_flash", "surge_flash", "surge_wave", "surge_lasting"]
            .get(self.rng.random_range(0..4_usize))
            .unwrap_or(&"surge_flash");
        let add = |age: usize| match kind {
            "surge_flash" => (age as f64 + 1.0).powf(-fall),
            "surge_wave" => (-rise * age.abs_diff(peak) as f64).exp(),
            _ if age < lasts => 1.0,
            _ => 0.3,
        };
        let more = (0..self.weeks).map(|week| match week.checked_sub(from) {
            None => 0.0,
            Some(0) => begun * most * add(0),
            // Where most of the first week was over, the next is as new as that was.
            Some(age) if kind == "surge_flash" && begun < 0.55 => most * add(age - 1),
            Some(age) => most * add(age),
        });
        (kind, more.collect())
    }

    /// Views into what a report counts: noise that grows with the level, odd weeks, rows that are missing or doubled.
    fn count(&mut self, at: usize, series: &Series) -> Vec<Option<u64>> {
        let mut counts = vec![None; self.weeks];
        for (week, count) in counts.iter_mut().enumerate().skip(series.first) {
            let mut noise = series.noise * self.normal();
            if series.wild {
                // Heavy tails: a normal number over another one's root.
                noise /= self.rng.random::<f64>().max(0.2).sqrt();
            }
            if self.rng.random_bool(0.02) {
                noise += (0.4 * self.normal()).abs();
            }
            let counted = self.poisson(series.views[week] * noise.exp());
            let is_doubled = week >= FIRST_WEEK && self.rng.random_bool(0.000_5);
            if is_doubled {
                self.note_series(at, "row_doubled", week, week);
            }
            let is_missing = self.rng.random_bool(0.005);
            *count = (!is_missing).then_some(if is_doubled { 2 * counted } else { counted });
        }
        counts
    }

    fn note_series(&mut self, at: usize, kind: &str, from: usize, to: usize) {
        let last = self.weeks.saturating_sub(1);
        self.truth.note(Scope::Series, Panel::series_id(at), kind, from.min(last), to.min(last), 0);
    }

    fn within(&mut self, low: f64, high: f64) -> f64 {
        self.rng.random_range(low..high)
    }

    fn choose(&mut self, weights: &[f64]) -> usize {
        let mut left = self.rng.random::<f64>() * weights.iter().sum::<f64>();
        for (place, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return place;
            }
        }
        weights.len() - 1
    }

    /// A normal number, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let (one, other): (f64, f64) = (1.0 - self.rng.random::<f64>(), self.rng.random());
        (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
    }

    /// A Poisson number; a large one by the normal numbers near it.
    fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let limit = (-mean).exp();
        let (mut count, mut product) = (0, self.rng.random::<f64>());
        while product > limit {
            product *= self.rng.random::<f64>();
            count += 1;
        }
        count
    }
}
