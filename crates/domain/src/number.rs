//! Numbers as reports write them: whole ones, and decimals without a float.
//!
//! Money and shares are summed and compared, and a float's rounding would show in a sum of a million rows; so a
//! decimal is a whole number of billionths here. Views times an RPM of up to six places divided by a thousand is
//! then exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::printable::printable;

/// A cell that should hold a whole number and does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not a whole number from 0 to {}", u64::MAX)]
pub struct NumberError {
    /// What stands there, escaped and shortened.
    pub value: String,
}

/// A cell that should hold a decimal number and does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not a decimal number (digits, a point, at most 18 digits before and 9 after it)")]
pub struct DecimalError {
    /// What stands there, escaped and shortened.
    pub value: String,
}

/// The whole number of a cell without blanks; none where the cell is empty, which is not the same as zero.
pub fn whole(cell: &[u8]) -> Result<Option<u64>, NumberError> {
    if cell.is_empty() {
        return Ok(None);
    }
    let number = if cell.len() <= SAFE_DIGITS {
        // What stands there in millions of rows. No digit is above 9 less that of 0, and all others are.
        let (number, greatest) = cell.iter().fold((0_u64, 0), |(number, greatest), byte| {
            let digit = byte.wrapping_sub(b'0');
            (number.wrapping_mul(10).wrapping_add(u64::from(digit)), digit.max(greatest))
        });
        Some(number).filter(|_| greatest <= 9)
    } else {
        let text = std::str::from_utf8(cell).ok();
        text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok())
    };
    number.map(Some).ok_or_else(|| NumberError { value: printable(cell) })
}

/// So many digits never pass the greatest number.
const SAFE_DIGITS: usize = 19;

/// `Yes`, `No`, `true`, `false` in any case; none for everything else.
pub fn flag(cell: &[u8]) -> Option<bool> {
    if cell.eq_ignore_ascii_case(b"yes") || cell.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if cell.eq_ignore_ascii_case(b"no") || cell.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

/// A length in whole seconds, written as seconds (a fraction is cut off) or as `m:ss` or `h:mm:ss`; none where the
/// cell is empty or nothing of the kind.
pub fn seconds(cell: &[u8]) -> Option<u32> {
    if let (1..=9, true) = (cell.len(), cell.iter().all(u8::is_ascii_digit)) {
        // What stands there in millions of rows.
        return Some(cell.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')));
    }
    let text = std::str::from_utf8(cell).ok()?;
    if text.contains(':') {
        let mut total = 0_u32;
        let mut parts = 0;
        for part in text.split(':') {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            total = total.checked_mul(60)?.checked_add(part.parse().ok()?)?;
            parts += 1;
        }
        return (parts <= 3).then_some(total);
    }
    let length = Decimal::parse_bytes(cell).ok()?;
    u32::try_from(length.0 / NANOS).ok().filter(|_| length >= Decimal::ZERO)
}

const NANOS: i128 = 1_000_000_000;
const PLACES: usize = 9;
const WHOLE_DIGITS: usize = 18;

/// An exact decimal number of up to nine places.
///
/// In JSON it is a number: whole where it is whole, else with its own digits as long as they are fifteen at most,
/// which is what every reader of JSON keeps. Nothing is ever summed from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(i128);

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A whole number.
    pub fn whole(number: u64) -> Self {
        Self(i128::from(number) * NANOS)
    }

    /// Reads a decimal without blanks, separators or exponent; a sign before it is taken.
    pub fn parse_bytes(cell: &[u8]) -> Result<Self, DecimalError> {
        Self::read(cell).ok_or_else(|| DecimalError { value: printable(cell) })
    }

    fn read(cell: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(cell).ok()?;
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (before, after) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(before) || !all_digits(after) {
            return None;
        }
        let before = before.trim_start_matches('0');
        let after = after.trim_end_matches('0');
        if before.len() > WHOLE_DIGITS || after.len() > PLACES {
            return None;
        }
        let nanos: i128 = format!("0{before}{after:0<PLACES$}").parse().ok()?;
        Some(Self(if negative { -nanos } else { nanos }))
    }

    /// What so many views are worth at this rate for a thousand of them.
    pub fn for_views(self, views: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(views)) / 1000)
    }

    /// The number rounded half away from zero to so many places, at most nine.
    pub fn rounded(self, places: u32) -> Self {
        let step = 10_i128.pow(9_u32.saturating_sub(places));
        let half = step / 2 * self.0.signum();
        Self((self.0 + half) / step * step)
    }
}

impl Add for Decimal {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Decimal {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Decimal {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::ZERO, Add::add)
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::parse_bytes(text.as_bytes())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) =
            (self.0.unsigned_abs() / NANOS.unsigned_abs(), self.0.unsigned_abs() % NANOS.unsigned_abs());
        let digits = format!("{part:09}");
        let shown = digits.trim_end_matches('0');
        let point = if shown.is_empty() { "" } else { "." };
        f.pad_integral(self.0 >= 0, "", &format!("{whole}{point}{shown}"))
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0 / NANOS) {
            Ok(whole) if self.0 % NANOS == 0 => serializer.serialize_i64(whole),
            _ => {
                let number: f64 = self.to_string().parse().map_err(serde::ser::Error::custom)?;
                serializer.serialize_f64(number)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let text = match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            // Displayed without an exponent, and with the fewest digits that mean this number.
            (None, Some(number)) => number.to_string(),
            (None, None) => number.to_string(),
        };
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("0", "0")]
    #[case("12", "12")]
    #[case("-0.5", "-0.5")]
    #[case("+007.250", "7.25")]
    #[case("0.000000001", "0.000000001")]
    #[case("0.0000000010", "0.000000001")]
    #[case("999999999999999999.999999999", "999999999999999999.999999999")]
    fn a_decimal_keeps_every_digit(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(text.parse::<Decimal>().unwrap().to_string(), shown);
    }

    #[rstest]
    fn v19_what_is_no_decimal_is_an_error(
        #[values(
            "",
            ".",
            "1.",
            ".5",
            "1,5",
            "1 000",
            "1e3",
            "NaN",
            "inf",
            "0.0000000001",
            "1000000000000000000",
            "--1"
        )]
        text: &str,
    ) {
        assert!(text.parse::<Decimal>().is_err(), "{text}");
    }

    #[test]
    fn views_times_a_rate_is_exact_where_a_float_is_not() {
        let rate: Decimal = "0.1".parse().unwrap();
        let sum: Decimal = (0..3).map(|_| rate.for_views(1000)).sum();
        assert_eq!(sum.to_string(), "0.3");
        assert_eq!("1.234567".parse::<Decimal>().unwrap().for_views(7).to_string(), "0.008641969");
    }

    #[rstest]
    #[case("1.005", "1.01")]
    #[case("-1.005", "-1.01")]
    #[case("1.004999999", "1")]
    fn money_is_rounded_half_away_from_zero(#[case] text: &str, #[case] rounded: &str) {
        assert_eq!(text.parse::<Decimal>().unwrap().rounded(2).to_string(), rounded);
    }

    #[rstest]
    #[case("9", Some(9))]
    #[case("9.99", Some(9))]
    #[case("1:05", Some(65))]
    #[case("1:00:05", Some(3605))]
    #[case("", None)]
    #[case("-3", None)]
    #[case("1:2:3:4", None)]
    #[case("1:", None)]
    fn a_length_is_seconds_or_a_clock(#[case] cell: &str, #[case] length: Option<u32>) {
        assert_eq!(seconds(cell.as_bytes()), length);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parsers_panic(bytes: Vec<u8>) {
            let _ = (whole(&bytes), flag(&bytes), seconds(&bytes), Decimal::parse_bytes(&bytes));
        }

        #[test]
        fn a_decimal_of_fifteen_digits_comes_back_from_json(whole in -99_999_999_i64..99_999_999, micros in 0_u32..1_000_000) {
            let number: Decimal = format!("{whole}.{micros:06}").parse().unwrap();
            let json = serde_json::to_string(&number).unwrap();
            prop_assert_eq!(serde_json::from_str::<Decimal>(&json).unwrap(), number, "{}", json);
        }
    }
}
