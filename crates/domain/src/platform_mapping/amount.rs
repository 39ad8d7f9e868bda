//! Numbers as exports write them.

use crate::number::Decimal;
use crate::printable::printable;

/// How an export writes its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbers {
    /// What stands before the places.
    pub decimal: char,
    /// What may stand between groups of three digits.
    pub thousands: Option<char>,
    /// What means that a number is not known, in small letters; an empty cell does too.
    pub unknown: Vec<String>,
}

impl Numbers {
    /// The number of a cell without blanks; none where it is not known, which is not zero.
    pub fn read(&self, cell: &[u8]) -> Result<Option<Decimal>, String> {
        let fault = || {
            let groups =
                self.thousands.map_or_else(String::new, |mark| format!(", groups of three with \"{mark}\""));
            format!("\"{}\" is not a number (places behind \"{}\"{groups})", printable(cell), self.decimal)
        };
        let text = std::str::from_utf8(cell).map_err(|_| fault())?;
        if text.is_empty() || self.unknown.contains(&text.to_lowercase()) {
            return Ok(None);
        }
        self.plain(text)
            .and_then(|plain| Decimal::parse_bytes(plain.as_bytes()).ok())
            .map(Some)
            .ok_or_else(fault)
    }

    /// The number as [`Decimal`] reads it.
    fn plain(&self, text: &str) -> Option<String> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", text.strip_prefix('+').unwrap_or(text)),
        };
        let (before, after) = match digits.split_once(self.decimal) {
            Some((before, after)) => (before, Some(after)),
            None => (digits, None),
        };
        let is_whole = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let mut groups = before.split(|character| self.parts(character));
        let mut plain = format!("{sign}{}", groups.next().filter(|first| is_whole(first))?);
        let first = plain.len() - sign.len();
        for group in groups {
            // A mark elsewhere may mean something else altogether: 1,5 is no 15.
            if first > 3 || group.len() != 3 || !is_whole(group) {
                return None;
            }
            plain.push_str(group);
        }
        if let Some(after) = after {
            if !is_whole(after) {
                return None;
            }
            plain.push('.');
            plain.push_str(after);
        }
        Some(plain)
    }

    /// Whether a character parts groups; a blank may be one of those that do not break a line.
    fn parts(&self, character: char) -> bool {
        self.thousands == Some(character)
            || (self.thousands == Some(' ') && matches!(character, '\u{a0}' | '\u{202f}' | '\u{2009}'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn numbers(decimal: char, thousands: Option<char>) -> Numbers {
        Numbers { decimal, thousands, unknown: vec!["n/a".to_owned()] }
    }

    #[rstest]
    #[case('.', None, "1200.50", "1200.5")]
    #[case('.', Some(','), "1,234,567.5", "1234567.5")]
    #[case('.', Some(','), "-1234567", "-1234567")]
    #[case(',', Some('.'), "1.234.567,25", "1234567.25")]
    #[case(',', Some(' '), "1\u{202f}234\u{a0}567", "1234567")]
    #[case('.', Some('\''), "12'345", "12345")]
    fn numbers_are_read_as_the_export_writes_them(
        #[case] decimal: char,
        #[case] thousands: Option<char>,
        #[case] cell: &str,
        #[case] value: &str,
    ) {
        let read = numbers(decimal, thousands).read(cell.as_bytes()).unwrap().unwrap();
        assert_eq!(read.to_string(), value);
    }

    #[rstest]
    fn v19_a_mark_in_the_wrong_place_is_an_error_and_no_guess(
        #[values(
            "1,5",
            "1,2345",
            ",123",
            "1234,567",
            "1,234,56",
            "1.",
            "1,234.5,6",
            "5%",
            "€5",
            "1e3",
            "--1"
        )]
        cell: &str,
    ) {
        let fault = numbers('.', Some(',')).read(cell.as_bytes()).unwrap_err();
        assert!(
            fault.contains("is not a number (places behind \".\", groups of three with \",\")"),
            "{fault}"
        );
    }

    #[rstest]
    fn what_is_not_known_is_no_zero(#[values("", "N/A")] cell: &str) {
        assert_eq!(numbers('.', None).read(cell.as_bytes()), Ok(None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = numbers(',', Some('.')).read(&bytes);
        }

        #[test]
        fn a_number_with_marks_is_the_number_without(whole in 0_u64..1_000_000_000_000) {
            let plain = whole.to_string();
            let mut marked = String::new();
            for (at, digit) in plain.chars().enumerate() {
                if at > 0 && (plain.len() - at).is_multiple_of(3) {
                    marked.push('.');
                }
                marked.push(digit);
            }
            prop_assert_eq!(numbers(',', Some('.')).read(marked.as_bytes()), Ok(Some(Decimal::whole(whole))));
        }
    }
}
