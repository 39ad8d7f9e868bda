//! How long to wait before the next try: a pure schedule, and what a server's `Retry-After` says.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};

/// The first wait of the schedule, before jitter.
pub const FIRST_WAIT: Duration = Duration::from_millis(250);
/// No single wait of the schedule is longer than this, before jitter.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A server's `Retry-After` is honoured up to this; beyond it the server means "not today".
pub const RETRY_AFTER_CAP: Duration = Duration::from_mins(15);

/// An endless schedule of waits: doubling from [`FIRST_WAIT`] to [`LONGEST_WAIT`], each with up to its own length
/// of jitter on top, so that 32 calls refused together do not come back together.
pub fn schedule() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

/// The wait of the `n`-th consecutive failure (from 0) of the whole client.
pub fn nth(n: u32) -> Duration {
    schedule().nth(n.min(16) as usize).unwrap_or(LONGEST_WAIT)
}

/// A factor from 1 to 1 + `share`, so that what failed together is not repeated together.
pub fn jitter(share: f64) -> f64 {
    // The schedule's own dice: its first wait has up to its own length on top.
    let first = schedule().next().unwrap_or(FIRST_WAIT).as_secs_f64() / FIRST_WAIT.as_secs_f64();
    share.mul_add(first - 1.0, 1.0)
}

/// Reads a `Retry-After` value: seconds or an HTTP date. Negative, past and unreadable values are `None`;
/// absurd ones are capped at [`RETRY_AFTER_CAP`].
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).ok()?,
    };
    (!wait.is_zero()).then(|| wait.min(RETRY_AFTER_CAP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_doubles_to_its_cap_with_jitter_on_top() {
        for (wait, floor_ms) in schedule().zip([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
        {
            let wait_ms = u64::try_from(wait.as_millis()).unwrap();
            assert!((floor_ms..=2 * floor_ms).contains(&wait_ms), "{wait_ms} ms at a floor of {floor_ms} ms");
        }
    }

    #[rstest::rstest]
    #[case("30", Some(30))]
    #[case(" 7 ", Some(7))]
    #[case("0", None)]
    #[case("-5", None)]
    #[case("1000000000", Some(900))]
    #[case("Thu, 01 Jan 1970 00:02:00 GMT", Some(20))]
    #[case("Thu, 01 Jan 1970 00:00:00 GMT", None)]
    #[case("tomorrow", None)]
    fn a08_retry_after_is_read_in_both_forms_and_capped(#[case] value: &str, #[case] seconds: Option<u64>) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs));
    }
}
