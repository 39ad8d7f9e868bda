//! What a row of the claim report says of how likely its claim is to be disputed.

use jiff::Span;
use jiff::civil::Date;

use crate::claim_report::{ClaimColumn, ClaimRow};
use crate::claims::risk::{Sign, Signs};
use crate::claims::week::Week;
use crate::number;

/// So many days a claim is young.
const YOUNG_DAYS: i32 = 28;

/// Claims that were made on this day or later are young at the end of a week.
pub(super) fn young_since(week: Week) -> Date {
    week.sunday().saturating_sub(Span::new().days(YOUNG_DAYS - 1))
}

/// The reasons that a row tells; `is_short` and `is_partner` are known of it already.
pub(super) fn signs(
    row: &ClaimRow<'_>,
    created: Option<Date>,
    young_since: Date,
    is_short: bool,
    is_partner: bool,
) -> Signs {
    let mut signs = Signs::default();
    for (sign, holds) in [
        (Sign::ShortMatch, is_short),
        (Sign::BlockPolicy, !row.cell(ClaimColumn::PolicyBlock).is_empty()),
        (Sign::UploaderPartner, is_partner),
        (Sign::YoungClaim, created.is_some_and(|day| day >= young_since)),
        (Sign::Shorts, number::flag(row.cell(ClaimColumn::IsShortsEligible)) == Some(true)),
    ] {
        if holds {
            signs.add(sign);
        }
    }
    signs
}

/// Days from one to the week's end, both counted.
pub(super) fn age_days(day: Date, sunday: Date) -> i64 {
    sunday.duration_since(day).as_hours() / 24 + 1
}

/// Who made a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The owner's own upload.
    Upload,
    /// Somebody, by hand.
    Manual,
    /// A match.
    Automatic,
}

impl Origin {
    pub fn of(row: &ClaimRow<'_>) -> Self {
        Self::told_by(row.cell(ClaimColumn::Origin))
    }

    fn told_by(cell: &[u8]) -> Self {
        let mut origin = Self::Automatic;
        let mut rest = cell;
        // Once through it, and a closer look only where a word may begin.
        while let [first, behind @ ..] = rest {
            let says =
                |word: &[u8]| rest.get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word));
            match first {
                b'U' | b'u' if says(b"UPLOAD") => return Self::Upload,
                b'M' | b'm' if says(b"MANUAL") => origin = Self::Manual,
                b'D' | b'd' if says(b"DESCRIPTIVE") => origin = Self::Manual,
                _ => {}
            }
            rest = behind;
        }
        origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", Origin::Automatic)]
    #[case("Audio match", Origin::Automatic)]
    #[case("MANUA", Origin::Automatic)]
    #[case("Manual claim", Origin::Manual)]
    #[case("DESCRIPTIVE_SEARCH", Origin::Manual)]
    #[case("A descriptive one", Origin::Manual)]
    #[case("WEB_UPLOAD_BY_OWNER", Origin::Upload)]
    #[case("manual upload", Origin::Upload)]
    #[case("upload, manual", Origin::Upload)]
    fn who_made_a_claim_its_origin_says_somewhere(#[case] cell: &str, #[case] origin: Origin) {
        assert_eq!(Origin::told_by(cell.as_bytes()), origin);
    }
}
