//! What a catalogue is made of, worked out before its first row.

use anyhow::{Result, ensure};
use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, Timestamp};

use crate::weeks::Options;
use crate::weeks::calendar::{begin_of, days_after};
use crate::weeks::cast::{CAST, Role, STORY_WEEKS, Story};
use crate::weeks::claim::Dispute;
use crate::weeks::dice::Dice;
use crate::world::titles::{HOSTILE_NAMES, OPENINGS};

/// The last channels have stories of their own, and no asset of the cast: one is doubled, one is absent.
pub(super) const CHANNELS_APART: usize = 2;

/// A partner channel.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub id: String,
    pub custom_id: String,
    pub name: String,
}

/// A catalogue's constants.
pub(super) struct Plan {
    pub seed: u64,
    pub weeks: usize,
    pub assets: u64,
    pub videos_per_asset: u64,
    pub claims_per_asset: u64,
    pub channels: Vec<Channel>,
    pub story: Story,
    /// Whether anything happens at all: a story needs its weeks and its assets.
    pub has_story: bool,
    pub report_faults: bool,
    /// The week without reports, from 0.
    pub missing: Option<usize>,
    pub mondays: Vec<Date>,
    /// The first moment after each week.
    pub ends: Vec<Timestamp>,
    now: Timestamp,
}

impl Plan {
    pub(super) fn new(options: &Options) -> Result<Self> {
        ensure!(options.weeks > 0, "there must be at least one week");
        ensure!(options.assets > 0, "a catalogue needs at least one asset");
        ensure!(options.assets <= 2_600_000, "there are no more ISRCs than 2,600,000 here");
        let last = options.last_week;
        ensure!(last.weekday() == Weekday::Monday, "{last} is no Monday: a week is named by it");
        if let Some(missing) = options.missing_week {
            ensure!(
                missing > 1 && missing < options.weeks,
                "week {missing} of {} cannot be missing: neither the first nor the last can",
                options.weeks
            );
        }
        let weeks = options.weeks;
        let mondays: Vec<Date> = (0..weeks)
            .map(|week| days_after(last, 7 * (i64::try_from(week)? - i64::try_from(weeks)? + 1)))
            .collect::<Result<_>>()?;
        let ends: Vec<Timestamp> =
            mondays.iter().map(|monday| begin_of(days_after(*monday, 7)?)).collect::<Result<_>>()?;
        let now = match options.now {
            Some(now) => now,
            None => begin_of(days_after(last, 8)?)? + SignedDuration::from_hours(12),
        };
        let channels = channels(options.seed, options.assets);
        let has_story =
            weeks >= STORY_WEEKS && options.assets >= 8 * channels.len() as u64 + CAST.len() as u64;
        ensure!(
            has_story || !options.report_faults,
            "report faults need {STORY_WEEKS} weeks and more assets"
        );
        Ok(Self {
            seed: options.seed,
            weeks,
            assets: options.assets,
            videos_per_asset: options.videos_per_asset,
            claims_per_asset: options.claims_per_asset,
            story: Story::over(weeks),
            has_story,
            report_faults: options.report_faults,
            missing: options.missing_week.map(|week| week - 1),
            channels,
            mondays,
            ends,
            now,
        })
    }

    /// The role of an asset.
    pub(super) fn role(&self, number: u64) -> Option<Role> {
        let at = usize::try_from(number).ok()?;
        CAST.get(at).copied().filter(|_| self.has_story)
    }

    /// The channel of an asset. The cast keeps away from the channels that have a story of their own.
    pub(super) fn channel_of(&self, number: u64) -> usize {
        let count = self.channels.len();
        let count = if self.role(number).is_some() { count - CHANNELS_APART } else { count };
        usize::try_from(number).unwrap_or_default() % count
    }

    /// The channel whose videos are doubled in a week.
    pub(super) fn doubled_channel(&self) -> usize {
        self.channels.len() - 1
    }

    /// The channel that the video report lacks in a week.
    pub(super) fn absent_channel(&self) -> usize {
        self.channels.len() - 2
    }

    /// Whether something of the story happens in a week.
    pub(super) fn is_in(&self, week: usize, when: usize) -> bool {
        self.has_story && week == when
    }

    /// The dispute that a role brings. What is near is near to `now`, which lies after the last week.
    pub(super) fn dispute(&self, role: Role, dice: &mut Dice) -> Option<Dispute> {
        let hour = SignedDuration::from_hours;
        let minutes = SignedDuration::from_mins(i64::try_from(dice.below(600)).unwrap_or_default());
        let since = |days: i64| self.now - hour(24 * days) - minutes;
        let open = |since| Dispute { since, appealed: None, is_review: false, settled: None };
        Some(match role {
            Role::DisputeNear => open(since(27)),
            Role::Appeal => Dispute { appealed: Some(since(4)), ..open(since(20)) },
            Role::DisputeFresh => open(since(8)),
            Role::Potential => Dispute { is_review: true, ..open(since(9)) },
            Role::DisputeSettled => {
                let begun = self.ends.get(1).copied()? - hour(60);
                Dispute { settled: Some(4), ..open(begun) }
            }
            _ => return None,
        })
    }
}

/// Some tens of partner channels, by the size of the catalogue.
fn channels(seed: u64, assets: u64) -> Vec<Channel> {
    let count = (assets / 30).clamp(8, 60);
    (0..count)
        .map(|number| {
            let custom_id = match number % 4 {
                0 => format!("WK-{number:04}"),
                1 => format!("artist.{number}@weeks"),
                2 => format!("DN/weeks/{number}"),
                _ => format!("label_{:02}-weeks_{number}", number % 7),
            };
            let at = usize::try_from(number).unwrap_or_default();
            let word =
                |words: &[&'static str], at: usize| words.get(at % words.len()).copied().unwrap_or_default();
            let name = if number % 9 == 4 {
                word(&HOSTILE_NAMES, at / 9).to_owned()
            } else {
                format!("{} Records {number}", word(&OPENINGS, at))
            };
            Channel { id: format!("UC{}", Dice::at(seed, &[4, number]).letters(22)), custom_id, name }
        })
        .collect()
}
