//! Weeks from Monday to Sunday, by the days of Los Angeles: so Google counts.

use anyhow::Result;
use jiff::civil::{Date, Weekday};
use jiff::{Timestamp, ToSpan as _};

/// Where Google's days begin.
const ZONE: &str = "America/Los_Angeles";

/// The Monday of the last week that is over.
pub(super) fn last_complete_week(now: Timestamp) -> Result<Date> {
    let today = now.in_tz(ZONE)?.date();
    let since = today.weekday().since(Weekday::Monday);
    Ok(today.checked_sub(i32::from(since).days())?.checked_sub(7.days())?)
}

/// The first moment of a day.
pub(crate) fn begin_of(day: Date) -> Result<Timestamp> {
    Ok(day.in_tz(ZONE)?.timestamp())
}

/// The day so many days later, or earlier where negative.
pub(crate) fn days_after(day: Date, days: i64) -> Result<Date> {
    Ok(day.checked_add(days.days())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_over_when_it_is_over_in_los_angeles() {
        for (now, monday) in [
            ("2026-11-23T07:59:59Z", "2026-11-09"),
            ("2026-11-23T08:00:00Z", "2026-11-16"),
            ("2026-03-09T06:59:59Z", "2026-02-23"),
            ("2026-03-09T07:00:00Z", "2026-03-02"),
        ] {
            assert_eq!(last_complete_week(now.parse().unwrap()).unwrap().to_string(), monday, "{now}");
        }
    }
}
