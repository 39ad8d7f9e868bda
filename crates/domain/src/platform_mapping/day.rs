//! Days as exports write them, in a cell or in the file's name, and the weeks that sums are of.

use jiff::civil::{Date, Weekday};
use jiff::fmt::strtime::BrokenDownTime;

use crate::platform_file::Span;
use crate::printable::printable;

/// Where a row has its day from, and how much time its values are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DayFrom {
    pub place: DayPlace,
    /// As `strftime` has it: `%Y-%m-%d`.
    pub format: String,
    pub totals: Totals,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DayPlace {
    Column(String),
    /// The name of the file, or of the folder it lies in.
    FileName,
}

/// How much time a value is of, and which day of it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Totals {
    Day,
    /// A week by its first day.
    WeekFrom,
    /// A week by its last day.
    WeekTo,
}

impl Totals {
    /// The day as the normal form has it: of a week its Sunday.
    fn settle(self, day: Date) -> Result<(Date, Span), String> {
        let week = |wanted, to_sunday: i64, name: &str| {
            if day.weekday() != wanted {
                return Err(format!(
                    "{day} is no {name}: a sum of seven other days than Monday to Sunday is of no week"
                ));
            }
            let sunday = day.checked_add(jiff::Span::new().days(to_sunday));
            sunday.map(|sunday| (sunday, Span::Week)).map_err(|_| format!("{day} is beyond all calendars"))
        };
        match self {
            Self::Day => Ok((day, Span::Day)),
            Self::WeekFrom => week(Weekday::Monday, 6, "Monday"),
            Self::WeekTo => week(Weekday::Sunday, 0, "Sunday"),
        }
    }
}

impl DayFrom {
    /// Whether the format tells a whole day, and no part of it twice in different ways.
    pub fn is_whole(format: &str) -> bool {
        [jiff::civil::date(2026, 11, 23), jiff::civil::date(2003, 2, 5)].into_iter().all(|day| {
            BrokenDownTime::from(day.at(0, 0, 0, 0))
                .to_string(format)
                .is_ok_and(|text| read(format, text.as_bytes()) == Some(day))
        })
    }

    /// The day of a cell without blanks.
    pub fn of_cell(&self, cell: &[u8]) -> Result<(Date, Span), String> {
        let day = read(&self.format, cell)
            .ok_or_else(|| format!("\"{}\" is not a date ({})", printable(cell), self.format))?;
        self.totals.settle(day)
    }

    /// The day that a path's last part names, or else the folder before it.
    pub fn of_path(&self, path: &str) -> Result<(Date, Span), String> {
        let mut parts = path.rsplit('/');
        let (file, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let found = Some(self.all_in(file)).filter(|days| !days.is_empty());
        let days = found.unwrap_or_else(|| self.all_in(folder));
        let (Some(first), Some(last)) = (days.first().copied(), days.last().copied()) else {
            return Err(format!("neither the file's name nor its folder's has a date ({})", self.format));
        };
        let length = last.duration_since(first).as_hours() / 24;
        match (self.totals, days.len()) {
            (_, 1) => self.totals.settle(first),
            // Some exports name the day after the last.
            (Totals::WeekFrom, 2) if matches!(length, 6 | 7) => self.totals.settle(first),
            (Totals::WeekTo, 2) if length == 6 => self.totals.settle(last),
            _ => Err(format!(
                "the name has {} dates, {first} to {last}, and that is no {}",
                days.len(),
                match self.totals {
                    Totals::Day => "day",
                    Totals::WeekFrom | Totals::WeekTo => "week",
                }
            )),
        }
    }

    /// All days in a name, in the order in which they stand there.
    fn all_in(&self, name: &str) -> Vec<Date> {
        let is_digit_at =
            |at: Option<usize>| at.and_then(|at| name.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
        let mut days = Vec::new();
        let mut from = 0;
        while let Some(rest) = name.get(from..).filter(|rest| !rest.is_empty()) {
            let found = BrokenDownTime::parse_prefix(&self.format, rest).ok().and_then(|(read, length)| {
                let is_apart = !is_digit_at(from.checked_sub(1)) && !is_digit_at(Some(from + length));
                sensible(&read).filter(|_| is_apart && length > 0).map(|day| (day, length))
            });
            match found {
                Some((day, length)) => {
                    days.push(day);
                    from += length;
                }
                None => from += rest.chars().next().map_or(1, char::len_utf8),
            }
        }
        days
    }
}

/// A cell's day.
fn read(format: &str, cell: &[u8]) -> Option<Date> {
    sensible(&BrokenDownTime::parse(format, cell).ok()?)
}

/// A day of our times: `strptime` alone would take `26` for the year 26, and `-2026` for one before Christ.
fn sensible(read: &BrokenDownTime) -> Option<Date> {
    read.to_date().ok().filter(|day| (1900..=2199).contains(&day.year()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn from(format: &str, totals: Totals) -> DayFrom {
        DayFrom { place: DayPlace::FileName, format: format.to_owned(), totals }
    }

    #[rstest]
    #[case("%Y-%m-%d", "2026-11-16")]
    #[case("%Y%m%d", "20261116")]
    #[case("%m/%d/%Y", "11/16/2026")]
    #[case("%d.%m.%Y", "16.11.2026")]
    #[case("%b %d, %Y", "Nov 16, 2026")]
    #[case("%Y-%m-%dT%H:%M:%S", "2026-11-16T07:30:00")]
    fn a_cell_is_read_as_its_format_says(#[case] format: &str, #[case] cell: &str) {
        assert!(DayFrom::is_whole(format), "{format}");
        let (day, span) = from(format, Totals::Day).of_cell(cell.as_bytes()).unwrap();
        assert_eq!((day.to_string().as_str(), span), ("2026-11-16", Span::Day));
    }

    #[rstest]
    fn v19_a_date_in_another_form_is_no_guess(
        #[values("16.11.2026", "2026-11-16 ", "2026-13-01", "26-11-16", "2026-02-30", "")] cell: &str,
    ) {
        assert!(from("%Y-%m-%d", Totals::Day).of_cell(cell.as_bytes()).is_err(), "{cell}");
    }

    #[rstest]
    fn a_format_that_tells_no_whole_day_is_none(
        #[values("%Y-%m", "%H:%M", "day", "", "%Q", "%Y-%d")] format: &str,
    ) {
        assert!(!DayFrom::is_whole(format));
    }

    #[rstest]
    #[case(Totals::WeekTo, "week/songs-2026-11-22.csv", Ok("2026-11-22"))]
    #[case(Totals::WeekTo, "week/songs_2026-11-16_2026-11-22.csv", Ok("2026-11-22"))]
    #[case(Totals::WeekFrom, "Content 2026-11-16_2026-11-23 Label/Table data.csv", Ok("2026-11-22"))]
    #[case(Totals::WeekTo, "week/songs_2026-10-26_2026-11-22.csv", Err("2 dates, 2026-10-26 to 2026-11-22"))]
    #[case(Totals::WeekTo, "week/songs-2026-11-20.csv", Err("2026-11-20 is no Sunday"))]
    #[case(Totals::WeekFrom, "week/songs-2026-11-20.csv", Err("2026-11-20 is no Monday"))]
    #[case(Totals::Day, "week/songs-2026-11-20_2026-11-21.csv", Err("that is no day"))]
    #[case(Totals::WeekTo, "week/songs-7day.csv", Err("has a date"))]
    #[case(Totals::WeekTo, "week/12026-11-221.csv", Err("has a date"))]
    fn a_name_tells_of_one_whole_week_or_of_none(
        #[case] totals: Totals,
        #[case] path: &str,
        #[case] wanted: Result<&str, &str>,
    ) {
        match (from("%Y-%m-%d", totals).of_path(path), wanted) {
            (Ok((day, span)), Ok(wanted)) => {
                assert_eq!((day.to_string().as_str(), span), (wanted, Span::Week));
            }
            (Err(fault), Err(wanted)) => assert!(fault.contains(wanted), "{fault}"),
            (found, _) => panic!("{found:?}"),
        }
    }
}
