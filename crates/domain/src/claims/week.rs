//! Weeks from Monday to Sunday, as the reports are compared by.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calendar;
use crate::printable::printable;

/// The Monday that weeks are counted from.
const FIRST: Date = date(1970, 1, 5);

/// A week, named by its Monday. Seven plain days whatever the clocks do: a change to summer time makes no week longer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week(i32);

/// A text that names no week.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeekError {
    /// No date at all.
    #[error("\"{value}\" is not a date (YYYY-MM-DD)")]
    NoDate {
        /// What was given, escaped and shortened.
        value: String,
    },
    /// A date, but not a Monday.
    #[error("{day} is not a Monday; its week begins on {monday}")]
    NoMonday {
        /// What was given.
        day: Date,
        /// The Monday of its week.
        monday: Date,
    },
}

impl Week {
    /// The week that a day lies in.
    pub fn of(day: Date) -> Self {
        let days = day.duration_since(FIRST).as_hours() / 24;
        Self(i32::try_from(days.div_euclid(7)).unwrap_or_default())
    }

    /// The last week that is over on a day: that day's own is not.
    pub fn last_complete(today: Date) -> Self {
        Self::of(today).plus(-1)
    }

    /// Reads the Monday of a week, the only day that names it.
    pub fn parse(text: &str) -> Result<Self, WeekError> {
        let Ok(Some(day)) = calendar::date(text.as_bytes()) else {
            return Err(WeekError::NoDate { value: printable(text) });
        };
        let week = Self::of(day);
        if week.monday() == day { Ok(week) } else { Err(WeekError::NoMonday { day, monday: week.monday() }) }
    }

    /// The week's first day.
    pub fn monday(self) -> Date {
        FIRST.saturating_add((i64::from(self.0) * 7).days())
    }

    /// The week's last day.
    pub fn sunday(self) -> Date {
        self.monday().saturating_add(6.days())
    }

    /// Whether a day lies in the week.
    pub fn contains(self, day: Date) -> bool {
        Self::of(day) == self
    }

    /// So many weeks later, or earlier.
    pub fn plus(self, weeks: i32) -> Self {
        Self(self.0.saturating_add(weeks))
    }

    /// How many weeks this one comes after another.
    pub fn since(self, other: Self) -> i32 {
        self.0.saturating_sub(other.0)
    }

    /// Its number, counted from the week of Monday, 1970-01-05.
    pub fn number(self) -> i32 {
        self.0
    }

    /// So many weeks in a row, this one being the last.
    pub fn row_of(self, count: i32) -> impl DoubleEndedIterator<Item = Self> + Clone {
        (0..count).map(move |index| self.plus(index + 1 - count))
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.monday(), f)
    }
}

impl fmt::Debug for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Week({self})")
    }
}

impl FromStr for Week {
    type Err = WeekError;
    fn from_str(text: &str) -> Result<Self, WeekError> {
        Self::parse(text)
    }
}

impl Serialize for Week {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Week {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("2026-11-16", "2026-11-16")]
    #[case("2026-11-22", "2026-11-16")]
    #[case("2026-11-23", "2026-11-23")]
    #[case("2024-02-29", "2024-02-26")]
    #[case("2027-01-01", "2026-12-28")]
    #[case("1969-12-31", "1969-12-29")]
    #[case("2026-03-29", "2026-03-23")]
    fn t02_a_day_lies_in_one_week_at_leap_days_new_year_and_the_change_of_clocks(
        #[case] day: Date,
        #[case] monday: &str,
    ) {
        assert_eq!(Week::of(day).to_string(), monday);
    }

    #[test]
    fn a_week_is_named_by_its_monday_alone() {
        assert_eq!(Week::parse("2026-11-16").unwrap().sunday().to_string(), "2026-11-22");
        insta::assert_snapshot!(Week::parse("2026-11-18").unwrap_err(), @"2026-11-18 is not a Monday; its week begins on 2026-11-16");
        insta::assert_snapshot!(Week::parse("16/11/2026").unwrap_err(), @r#""16/11/2026" is not a date (YYYY-MM-DD)"#);
    }

    #[test]
    fn the_week_that_is_not_over_is_not_complete() {
        assert_eq!(Week::last_complete("2026-11-22".parse().unwrap()).to_string(), "2026-11-09");
        assert_eq!(Week::last_complete("2026-11-23".parse().unwrap()).to_string(), "2026-11-16");
    }

    #[test]
    fn a_row_of_weeks_ends_with_the_week_itself() {
        let weeks: Vec<String> =
            Week::parse("2026-01-05").unwrap().row_of(3).map(|week| week.to_string()).collect();
        assert_eq!(weeks, ["2025-12-22", "2025-12-29", "2026-01-05"]);
    }

    proptest! {
        #[test]
        fn every_day_lies_between_its_weeks_monday_and_sunday(days in -200_000_i64..200_000) {
            let day = FIRST.saturating_add(days.days());
            let week = Week::of(day);
            prop_assert!(week.monday() <= day && day <= week.sunday() && week.contains(day));
            prop_assert_eq!(week.plus(1).monday(), week.sunday().saturating_add(1.days()));
            prop_assert_eq!(week.plus(5).since(week), 5);
            prop_assert_eq!(serde_json::from_str::<Week>(&serde_json::to_string(&week).unwrap()).unwrap(), week);
        }
    }
}
