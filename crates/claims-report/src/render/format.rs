//! Numbers, money, dates and foreign text as people read them.

use dn_domain::claims::week::Week;
use dn_domain::number::Decimal;
use dn_domain::printable::one_line;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The most characters of a sentence that holds foreign parts.
const SENTENCE_CHARS: usize = 600;

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    group(&number.to_string())
}

/// A signed number with its sign always there, the minus as a minus and not as a hyphen.
pub(super) fn signed(number: i64) -> String {
    let sign = match number {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// A number that may fall below zero, with a sign only then.
pub(super) fn plain(number: i64) -> String {
    let sign = if number < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// An amount with two places.
pub(super) fn money(amount: Decimal) -> String {
    let text = amount.rounded(2).to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("−", digits),
        None => ("", text.as_str()),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    format!("{sign}{}.{part:0<2}", group(whole))
}

/// How much more or less than before, in percent of it; none where nothing was before.
pub(super) fn percent(before: u64, now: u64) -> Option<String> {
    if before == 0 {
        return None;
    }
    let change = (now as f64 / before as f64 - 1.0) * 100.0;
    let size = format!("{:.1} %", change.abs());
    Some(match size.as_str() {
        "0.0 %" => "±0 %".to_owned(),
        _ if change < 0.0 => format!("−{size}"),
        _ => format!("+{size}"),
    })
}

fn group(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `16 Nov 2026`.
pub(super) fn day(day: Date) -> String {
    day.strftime("%-d %b %Y").to_string()
}

/// `16 Nov`, where the year is clear.
pub(super) fn short_day(day: Date) -> String {
    day.strftime("%-d %b").to_string()
}

/// `16–22 November 2026`, with month and year said twice only where they change within the week.
pub(super) fn week(week: Week) -> String {
    let (first, last) = (week.monday(), week.sunday());
    let from = if first.year() != last.year() {
        first.strftime("%-d %B %Y – ").to_string()
    } else if first.month() != last.month() {
        first.strftime("%-d %B – ").to_string()
    } else {
        format!("{}–", first.day())
    };
    format!("{from}{}", last.strftime("%-d %B %Y"))
}

/// `23 Nov 2026, 06:00 UTC`; what is no time is shown as it stands.
pub(super) fn moment(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time.to_zoned_datetime(TimeZone::UTC).strftime("%-d %b %Y, %H:%M UTC").to_string(),
        Err(_) => sentence(time),
    }
}

/// `3 alerts`, `1 alert`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A length as a number to be shown.
pub(super) fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// A sentence of ours that may hold foreign parts: one line, nothing invisible in it, no longer than a paragraph.
pub(super) fn sentence(text: &str) -> String {
    cut(&one_line(text), SENTENCE_CHARS)
}

/// The first so many characters, with a sign that there are more.
pub(super) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let numbers = [0, 12, 999, 1_000, 123_456, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "12", "999", "1,000", "123,456", "1,234,567"]);
        assert_eq!([signed(-1_200), signed(0), signed(7)], ["−1,200", "0", "+7"]);
        assert_eq!([plain(i64::MIN), plain(7)], ["−9,223,372,036,854,775,808", "7"]);
    }

    #[rstest]
    #[case("0", "0.00")]
    #[case("12.5", "12.50")]
    #[case("1234567.005", "1,234,567.01")]
    #[case("-1000", "−1,000.00")]
    #[case("-0.001", "0.00")]
    fn amounts_have_two_places(#[case] amount: &str, #[case] shown: &str) {
        assert_eq!(money(amount.parse().unwrap()), shown);
    }

    #[rstest]
    #[case(100, 112, Some("+12.0 %"))]
    #[case(100, 50, Some("−50.0 %"))]
    #[case(100_000, 100_001, Some("±0 %"))]
    #[case(0, 5, None)]
    fn a_change_is_given_in_percent_of_what_was(
        #[case] before: u64,
        #[case] now: u64,
        #[case] shown: Option<&str>,
    ) {
        assert_eq!(percent(before, now).as_deref(), shown);
    }

    #[rstest]
    #[case("2026-11-16", "16–22 November 2026")]
    #[case("2026-11-30", "30 November – 6 December 2026")]
    #[case("2026-12-28", "28 December 2026 – 3 January 2027")]
    fn a_week_says_month_and_year_once_where_it_can(#[case] monday: &str, #[case] shown: &str) {
        assert_eq!(week(Week::parse(monday).unwrap()), shown);
    }

    #[test]
    fn a_time_is_shown_in_utc_and_what_is_none_harmlessly() {
        assert_eq!(moment("2026-11-23T07:30:00+01:00"), "23 Nov 2026, 06:30 UTC");
        assert_eq!(moment("soon\u{202e}"), "soon\\u{202e}");
    }

    #[test]
    fn v16_a_sentence_is_one_visible_line_and_ends_somewhere() {
        assert_eq!(sentence("a\nb\u{200b}"), "a\\nb\\u{200b}");
        assert_eq!(sentence(&"é".repeat(5_000)).chars().count(), SENTENCE_CHARS + 1);
    }
}
