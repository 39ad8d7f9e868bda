//! The wall clock: read here and nowhere else. Waiting and time limits use the monotonic clock.

use std::time::SystemTime;

/// Now, for what needs a date: run ids, events, signatures.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Now, in the standard library's form.
pub fn system_now() -> SystemTime {
    system_time(now())
}

/// A time in the standard library's form. Only a time before 1901 on a 32-bit clock has none: the epoch stands for it.
pub fn system_time(at: jiff::Timestamp) -> SystemTime {
    at.try_into().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A time as the events write it: UTC with milliseconds and `Z`, as `2025-07-29T18:45:00.000Z`.
pub fn event_time(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_in_an_event_has_milliseconds_and_z() {
        let at: jiff::Timestamp = "2025-07-29T18:45:00Z".parse().unwrap();
        assert_eq!(super::event_time(at), "2025-07-29T18:45:00.000Z");
        let at: jiff::Timestamp = "2025-07-29T18:45:00.123456Z".parse().unwrap();
        assert_eq!(super::event_time(at), "2025-07-29T18:45:00.123Z");
    }
}
