//! What became of a claim whose risk was once assessed.
//!
//! A claim is looked after for twelve weeks. A dispute may come later still, and no public data tell how many do; twelve
//! weeks are three times as long as a claim is young, and a manager who has to wait longer for an outcome learns nothing
//! from it. So what is learnt is how likely a dispute is within twelve weeks, which is less than how likely it is at all.
//!
//! All claims are given the same time: one that was disputed at once is no outcome before the twelve weeks are over, or
//! the newest outcomes would be disputes alone.

use crate::claims::snapshot::ClaimState;
use crate::claims::week::Week;

/// So many weeks a claim is looked after.
pub const WATCHED_WEEKS: u8 = 12;

/// A dispute waits thirty days for its answer: with so many weeks at most between two looks none is overlooked unless
/// somebody answered it meanwhile.
const MOST_BETWEEN_LOOKS: u8 = 4;

/// Whether a claim, by its fingerprint, has its week in twelve now.
pub(super) fn is_due(key: u64, week: Week) -> bool {
    let turn = u64::try_from(week.number().rem_euclid(i32::from(WATCHED_WEEKS))).unwrap_or_default();
    key % u64::from(WATCHED_WEEKS) == turn
}

/// What a later week's report said of the claim, where it no longer stood as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The uploader disputed it, or had appealed.
    Disputed,
    /// It was given up.
    Released,
    /// The report did not have it any more.
    Gone,
}

impl Sight {
    /// What a state tells; none of a claim that stands as before, or waits for something else.
    pub fn of(state: Option<ClaimState>) -> Option<Self> {
        match state {
            Some(state) if state.is_disputed() => Some(Self::Disputed),
            Some(ClaimState::Inactive) => Some(Self::Released),
            Some(_) => None,
            None => Some(Self::Gone),
        }
    }
}

/// The weeks after the one in which a claim was noted, a bit for each: the lowest is the week after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watched {
    /// In which its state was looked at, in a report that could be believed.
    pub looked: u16,
    /// In which it was disputed.
    pub disputed: u16,
    /// In which it was given up.
    pub released: u16,
    /// In which it was not there.
    pub gone: u16,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// The uploader disputed it.
    Disputed,
    /// Twelve weeks later it stands, and nobody had disputed it.
    Kept,
    /// It was given up and had not been seen disputed: perhaps it had been between two reports.
    Released,
    /// It disappeared from the reports.
    Gone,
    /// The twelve weeks are not over.
    Open,
    /// Nobody looked for more than four weeks.
    Overlooked,
}

impl Watched {
    /// The bit of a week; none of one in which it is not looked after.
    pub fn bit(noted: Week, week: Week) -> Option<u16> {
        let weeks =
            u8::try_from(week.since(noted)).ok().filter(|weeks| (1..=WATCHED_WEEKS).contains(weeks))?;
        Some(1 << (weeks - 1))
    }

    /// What became of a claim that was noted in a week, by a history whose newest week is another.
    pub fn fate(self, noted: Week, newest: Week) -> Fate {
        if newest.since(noted) < i32::from(WATCHED_WEEKS) {
            return Fate::Open;
        }
        let first = |bits: u16| bits.trailing_zeros();
        let mut last = 0;
        for weeks in 1..=WATCHED_WEEKS {
            let is_looked = self.looked & (1 << (weeks - 1)) != 0;
            if is_looked && weeks - last <= MOST_BETWEEN_LOOKS {
                last = weeks;
            }
        }
        if WATCHED_WEEKS + 1 - last > MOST_BETWEEN_LOOKS {
            return Fate::Overlooked;
        }
        let (disputed, released, gone) = (first(self.disputed), first(self.released), first(self.gone));
        match disputed.min(released).min(gone) {
            none if none >= u16::BITS => Fate::Kept,
            earliest if earliest == disputed => Fate::Disputed,
            earliest if earliest == released => Fate::Released,
            _ => Fate::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn week(index: i32) -> Week {
        Week::parse("2026-11-16").unwrap().plus(index)
    }

    const ALL: u16 = 0xfff;

    fn fate(watched: Watched) -> Fate {
        watched.fate(week(0), week(12))
    }

    #[test]
    fn a_claim_is_kept_when_it_stands_after_twelve_weeks_and_open_until_then() {
        let kept = Watched { looked: ALL, ..Watched::default() };
        assert_eq!(fate(kept), Fate::Kept);
        assert_eq!(kept.fate(week(0), week(11)), Fate::Open);
        let disputed = Watched { looked: 1, disputed: 1, ..Watched::default() };
        assert_eq!(
            disputed.fate(week(0), week(1)),
            Fate::Open,
            "disputes are no sooner an outcome than others"
        );
        assert_eq!(fate(Watched { looked: ALL, ..disputed }), Fate::Disputed);
    }

    #[test]
    fn what_is_seen_first_is_what_became_of_it() {
        let fate = |disputed, released, gone| fate(Watched { looked: ALL, disputed, released, gone });
        assert_eq!(fate(0b0010, 0b1100, 0), Fate::Disputed, "given up after the dispute");
        assert_eq!(fate(0b1000, 0b0100, 0), Fate::Released);
        assert_eq!(fate(0, 0, 0b1000), Fate::Gone);
        assert_eq!(fate(0b1000, 0, 0b0001), Fate::Gone);
    }

    #[test]
    fn a_dispute_that_nobody_may_have_seen_is_no_outcome() {
        let looked = |looked| fate(Watched { looked, ..Watched::default() });
        assert_eq!(looked(0b1000_1000_1000), Fate::Kept, "every fourth week");
        assert_eq!(looked(0b1000_1000_0000), Fate::Overlooked);
        assert_eq!(looked(0b0000_1000_1000), Fate::Overlooked, "the end is missing");
        assert_eq!(looked(0b0001_0001_0001), Fate::Kept);
        assert_eq!(looked(0), Fate::Overlooked);
    }

    #[test]
    fn a_weeks_bit_is_that_of_the_twelve_weeks_after_and_of_no_other() {
        assert_eq!(Watched::bit(week(0), week(0)), None);
        assert_eq!(Watched::bit(week(0), week(1)), Some(1));
        assert_eq!(Watched::bit(week(0), week(12)), Some(0b1000_0000_0000));
        assert_eq!(Watched::bit(week(0), week(13)), None);
        assert_eq!(Watched::bit(week(0), week(-1)), None);
    }

    proptest! {
        #[test]
        fn every_claim_has_one_week_in_twelve(key in any::<u64>(), start in -3_000_i32..3_000) {
            let due = (0..12).filter(|index| is_due(key, week(start + index))).count();
            prop_assert_eq!(due, 1);
        }

        #[test]
        fn more_looks_never_make_an_outcome_unknown(looked in 0..=ALL, more in 0..=ALL) {
            let of = |looked| fate(Watched { looked, ..Watched::default() });
            if of(looked) == Fate::Kept {
                prop_assert_eq!(of(looked | more), Fate::Kept);
            }
        }
    }
}
