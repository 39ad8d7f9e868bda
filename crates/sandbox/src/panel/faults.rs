//! What happens to reports on their way: doubled, in part, late, lost; whole, or a channel of them.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Panel;
use super::generate::FIRST_WEEK;
use super::truth::{Scope, Truth};

/// The share of a week that a report cut off after five days has, and what its successor has then.
const FIVE_DAYS: f64 = 5.0 / 7.0;
const NINE_DAYS: f64 = 9.0 / 7.0;

/// Each fault of a whole report once in a year or part of one, and a fault of every eighth channel.
pub(super) fn deliver_badly(rng: &mut ChaCha8Rng, panel: &mut Panel, truth: &mut Truth) {
    let weeks = panel.counts.first().map_or(0, Vec::len);
    if weeks < FIRST_WEEK + 12 {
        return;
    }
    let all: Vec<usize> = (0..panel.counts.len()).collect();
    for year in 0..weeks.div_ceil(52) {
        let (from, to) = ((year * 52).max(FIRST_WEEK + 2), ((year + 1) * 52).min(weeks) - 3);
        if to < from + 12 {
            continue;
        }
        // Three in three thirds, so that none falls on another.
        let third = (to - from) / 3;
        for (place, fault) in [Fault::Doubled, Fault::Partial, Fault::Late].into_iter().enumerate() {
            let week = rng.random_range(from + place * third..from + (place + 1) * third - 2);
            fault.strike(panel, &all, week);
            truth.note(Scope::Report, String::new(), fault.name(), week, week + fault.lasts(), 0);
        }
    }
    let channel_count = panel.channels.iter().max().map_or(0, |last| last + 1);
    for place in 0..channel_count.div_ceil(8) {
        let fault = [Fault::Doubled, Fault::Late, Fault::Zeroed, Fault::Missing][place % 4];
        let (channel, week) = (rng.random_range(0..channel_count), rng.random_range(FIRST_WEEK..weeks - 2));
        let of: Vec<usize> =
            all.iter().copied().filter(|series| panel.channels[*series] == channel).collect();
        fault.strike(panel, &of, week);
        truth.note(Scope::Channel, Panel::channel_id(channel), fault.name(), week, week + fault.lasts(), 0);
    }
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Every count twice.
    Doubled,
    /// Five days, and the next week nine.
    Partial,
    /// Not there, and the next week holds both.
    Late,
    /// Not there.
    Missing,
    /// Noughts.
    Zeroed,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Doubled => "fault_doubled",
            Self::Partial => "fault_partial",
            Self::Late => "fault_late",
            Self::Missing => "fault_missing",
            Self::Zeroed => "fault_zeroed",
        }
    }

    /// How many weeks after its own may show it.
    fn lasts(self) -> usize {
        match self {
            Self::Doubled => 0,
            Self::Partial | Self::Late | Self::Missing | Self::Zeroed => 1,
        }
    }

    fn strike(self, panel: &mut Panel, series: &[usize], week: usize) {
        for series in series {
            let counts = &mut panel.counts[*series];
            match self {
                Self::Doubled => counts[week] = counts[week].map(|count| 2 * count),
                Self::Partial => {
                    counts[week] = counts[week].map(|count| share(count, FIVE_DAYS));
                    counts[week + 1] = counts[week + 1].map(|count| share(count, NINE_DAYS));
                }
                Self::Late => {
                    let late = counts[week].take().unwrap_or(0);
                    counts[week + 1] = counts[week + 1].map(|count| count + late);
                }
                Self::Missing => counts[week] = None,
                Self::Zeroed => counts[week] = counts[week].map(|_| 0),
            }
        }
    }
}

fn share(count: u64, share: f64) -> u64 {
    (count as f64 * share).round() as u64
}
