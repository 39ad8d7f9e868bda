//! YouTube's day, and the budget of calls that an operator gives it.
//!
//! Google counts quotas by the day of Los Angeles. The budget of a day is kept in the state folder under that day's date,
//! so that the runs of one day share it; a run that crosses midnight stays with the day it began on. A budget may also be
//! one run's alone, and is then kept nowhere.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use crate::store::{Condition, Store, StoreError};

/// Where Google's days begin.
const ZONE: &str = "America/Los_Angeles";
/// No budget file is near this.
const MAX_BYTES: u64 = 4_096;

/// Google's day at a time, and when the next one begins. Days of 23 and 25 hours included.
pub fn pacific_day(now: Timestamp) -> Result<(Date, Timestamp), jiff::Error> {
    let there = now.in_tz(ZONE)?;
    let next = there.date().checked_add(1.day())?.in_tz(ZONE)?;
    Ok((there.date(), next.timestamp()))
}

/// When a quota that is used up begins anew, for a message.
pub fn reset_hint(now: Timestamp) -> String {
    match pacific_day(now) {
        Ok((_, reset)) => format!("YouTube's quotas begin anew at {reset} (midnight in Los Angeles)"),
        Err(_) => "YouTube's quotas begin anew at midnight in Los Angeles".to_owned(),
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    calls: u64,
}

/// The calls that are left of a budget.
#[derive(Debug)]
pub struct CallBudget {
    /// Where it is kept; nowhere where it is one run's alone.
    kept: Option<(Store, String)>,
    limit: u64,
    /// What the limit is of, and where it is set.
    of: &'static str,
    used: AtomicU64,
    saved: AtomicU64,
}

impl CallBudget {
    /// The budget of the day of `now`, less what earlier runs of the day used.
    pub async fn of_day(store: &Store, task: &str, limit: u64, now: Timestamp) -> Result<Self, StoreError> {
        let failed = |uri: String, error: std::io::Error| StoreError::Io { uri, error };
        let (day, _) = pacific_day(now)
            .map_err(|error| failed(ZONE.to_owned(), std::io::Error::other(error.to_string())))?;
        let key = format!("{task}/calls/{day}.json");
        let used = match store.get(&key, MAX_BYTES).await? {
            None => 0,
            Some((bytes, _)) => {
                let used: Used = serde_json::from_slice(&bytes).map_err(|error| {
                    failed(store.uri(&key), std::io::Error::new(std::io::ErrorKind::InvalidData, error))
                })?;
                used.calls
            }
        };
        let (used, saved) = (AtomicU64::new(used), AtomicU64::new(used));
        Ok(Self { kept: Some((store.clone(), key)), limit, of: "calls a day (--call-budget)", used, saved })
    }

    /// A budget of one run: `of` says what the limit counts and where it is set.
    pub fn of_run(limit: u64, of: &'static str) -> Self {
        Self { kept: None, limit, of, used: AtomicU64::new(0), saved: AtomicU64::new(0) }
    }

    /// Takes one call; false when none is left.
    pub fn take(&self) -> bool {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            (used < self.limit).then_some(used + 1)
        });
        taken.is_ok()
    }

    /// Why no call is left.
    pub fn used_up(&self) -> String {
        format!("the budget of {} {} is used up", self.limit, self.of)
    }

    /// How many calls were taken since it was last saved.
    pub fn unsaved(&self) -> u64 {
        self.used.load(Ordering::Relaxed).saturating_sub(self.saved.load(Ordering::Relaxed))
    }

    /// Keeps what was used, for the next run of the day.
    pub async fn save(&self) -> Result<(), StoreError> {
        let calls = self.used.load(Ordering::Relaxed);
        if let Some((store, key)) = &self.kept {
            let bytes = serde_json::to_vec(&Used { calls }).unwrap_or_default();
            store.put(key, bytes.into(), Condition::None).await?;
        }
        self.saved.store(calls, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::winter("2026-11-23T07:59:59Z", "2026-11-22", "2026-11-23T08:00:00Z")]
    #[case::winter_after_midnight("2026-11-23T08:00:00Z", "2026-11-23", "2026-11-24T08:00:00Z")]
    #[case::summer("2026-07-01T12:00:00Z", "2026-07-01", "2026-07-02T07:00:00Z")]
    #[case::day_of_23_hours("2026-03-08T08:00:00Z", "2026-03-08", "2026-03-09T07:00:00Z")]
    #[case::day_of_25_hours("2026-11-01T07:00:00Z", "2026-11-01", "2026-11-02T08:00:00Z")]
    #[case::leap_day("2028-02-29T20:00:00Z", "2028-02-29", "2028-03-01T08:00:00Z")]
    fn t02_a_quota_begins_anew_at_midnight_in_los_angeles(
        #[case] now: Timestamp,
        #[case] day: Date,
        #[case] reset: Timestamp,
    ) {
        assert_eq!(pacific_day(now).unwrap(), (day, reset));
    }

    #[tokio::test]
    async fn runs_of_one_day_share_its_budget_and_the_next_day_has_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let aws = aws_config::SdkConfig::builder().build();
        let store = Store::open(directory.path().to_str().unwrap(), &aws).unwrap();
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let first = CallBudget::of_day(&store, "task", 3, now).await.unwrap();
        assert!(first.take() && first.take());
        assert_eq!(first.unsaved(), 2);
        first.save().await.unwrap();
        let second = CallBudget::of_day(&store, "task", 3, now).await.unwrap();
        assert!(second.take() && !second.take() && !second.take());
        let tomorrow = now.checked_add(24.hours()).unwrap();
        assert!(CallBudget::of_day(&store, "task", 3, tomorrow).await.unwrap().take());
    }
}
