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
    let (start, rest) = cell.split_first_chunk::<8>()?;
    let mut digits = u64::from_le_bytes(*start);
    if !rest.is_empty() {
        let (day, rest) = rest.split_first_chunk()?;
        if (start[4], start[7]) != (b'-', b'-') || !matches!(rest.first(), None | Some(b'T' | b' ')) {
            return None;
        }
        // The year, and month and day moved up to it.
        let day = u64::from(u16::from_le_bytes(*day));
        digits = digits & 0xffff_ffff | digits >> 8 & 0xffff_0000_0000 | day << 48;
    }
    let [century, year, month, day] = pairs(digits)?;
    Date::new(i16::from(century) * 100 + i16::from(year), month, day).ok()
}

/// The numbers of four pairs of digits, the first digit lowest, all at once: reports have dates in each of millions of
/// rows.
fn pairs(digits: u64) -> Option<[i8; 4]> {
    let ones = digits ^ u64::from_le_bytes([b'0'; 8]);
    // Where a byte is above nine, it or this sum has the highest bit.
    let above_nine = ones.wrapping_add(u64::from_le_bytes([0x80 - 10; 8])) | ones;
    if above_nine & u64::from_le_bytes([0x80; 8]) != 0 {
        return None;
    }
    // Ten times the tens and the ones come together in each second byte: 99 at most, so that nothing is carried.
    let [first, _, second, _, third, _, fourth, _] = (ones * 10 + (ones >> 8)).to_le_bytes();
    Some([first, second, third, fourth].map(u8::cast_signed))
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
        #[values(
            "02/28/2026",
            "28.02.2026",
            "2026-02-29",
            "2026-2-8",
            "2026-02-281",
            "0x260228",
            "today",
            "2026/02-28",
            "2026-02/28",
            "20260228T10",
            "202602281",
            "2026-02-28x"
        )]
        cell: &str,
    ) {
        assert!(date(cell.as_bytes()).is_err(), "{cell}");
    }

    proptest! {
        #[test]
        fn digits_alone_are_a_date(cell in "[0-9]{8}|[0-9]{4}-[01][0-9]-[0-3][0-9]|[ -~\u{80}-\u{ff}]{4,6}|[/-:]{8}|[/-:]{4}-[/-:]{2}-[/-:]{2}") {
            let digits: Vec<u8> = cell.bytes().filter(|byte| *byte != b'-').collect();
            let is_plain = digits.len() == 8 && digits.iter().all(u8::is_ascii_digit);
            let number = |from: usize, to: usize| {
                digits[from..to].iter().fold(0_i16, |number, digit| number * 10 + i16::from(digit - b'0'))
            };
            let small = |number: i16| i8::try_from(number).unwrap();
            let expected =
                is_plain.then(|| Date::new(number(0, 4), small(number(4, 6)), small(number(6, 8))).ok()).flatten();
            prop_assert_eq!(date(cell.as_bytes()).ok().flatten(), expected);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = date(&bytes);
        }
    }
}
