//! Plain dates as reports write them. No time zone is in play: YouTube's reports count days of their own.

use jiff::civil::Date;

use crate::printable::printable;

/// A cell that should hold a date and does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not a date (YYYY-MM-DD)")]
pub struct DateError {
    /// What stands there, escaped and shortened.
    pub value: String,
}

/// The date of a cell without blanks; none where the cell is empty.
///
/// `YYYY-MM-DD` and the Reporting API's `YYYYMMDD` are taken, a time of day behind the former is passed over. What
/// depends on a country's habit (`05/01/2026`) is an error: a guess would move money between weeks.
pub fn date(cell: &[u8]) -> Result<Option<Date>, DateError> {
    if cell.is_empty() {
        return Ok(None);
    }
    read(cell).map(Some).ok_or_else(|| DateError { value: printable(cell) })
}

fn read(cell: &[u8]) -> Option<Date> {
    let (year, month, day) = match cell {
        [y1, y2, y3, y4, m1, m2, d1, d2] => ([*y1, *y2, *y3, *y4], [*m1, *m2], [*d1, *d2]),
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] => {
            if !matches!(rest.first(), None | Some(b'T' | b' ')) {
                return None;
            }
            ([*y1, *y2, *y3, *y4], [*m1, *m2], [*d1, *d2])
        }
        _ => return None,
    };
    let [century, year] = [number([year[0], year[1]])?, number([year[2], year[3]])?];
    Date::new(i16::from(century) * 100 + i16::from(year), number(month)?, number(day)?).ok()
}

/// The number of two digits.
fn number(digits: [u8; 2]) -> Option<i8> {
    let [tens, ones] = digits.map(|digit| digit.wrapping_sub(b'0'));
    // At most 99.
    (tens <= 9 && ones <= 9).then(|| i8::try_from(tens * 10 + ones).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("2026-02-28")]
    #[case("20260228")]
    #[case("2026-02-28T10:00:00Z")]
    #[case("2026-02-28 10:00")]
    fn a_date_is_read_in_the_forms_that_reports_use(#[case] cell: &str) {
        assert_eq!(date(cell.as_bytes()).unwrap().unwrap().to_string(), "2026-02-28");
    }

    #[rstest]
    fn v19_a_date_in_another_form_is_an_error(
        #[values("02/28/2026", "28.02.2026", "2026-02-29", "2026-2-8", "2026-02-281", "0x260228", "today")]
        cell: &str,
    ) {
        assert!(date(cell.as_bytes()).is_err(), "{cell}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = date(&bytes);
        }
    }
}
