//! What became of every row and every asset, in counters that must add up.
//!
//! The exit code, the event and the summary are all computed from one tally, so that they cannot say different
//! things; and a tally whose parts do not sum to its total is a bug that must not be reported as a success.

/// Counters whose parts do not sum to their total.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the counters of the {task} do not add up: {parts} sum to {sum}, the total is {total}")]
pub struct Unreconciled {
    /// Whose counters.
    pub task: &'static str,
    /// The parts with their names.
    pub parts: String,
    /// What the parts sum to.
    pub sum: u64,
    /// What they should sum to.
    pub total: u64,
}

fn reconcile(task: &'static str, parts: &[(&str, u64)], total: u64) -> Result<(), Unreconciled> {
    let sum = parts.iter().map(|(_, count)| count).sum();
    if sum == total {
        return Ok(());
    }
    let parts: Vec<String> = parts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    Err(Unreconciled { task, parts: parts.join(" + "), sum, total })
}

/// What became of one row of the channel sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillOutcome {
    /// The channel was not stored before.
    Created,
    /// The channel was stored otherwise.
    Updated,
    /// The channel needed nothing.
    Unchanged,
    /// The row was rejected or failed for good.
    Error,
    /// The row says again what another says, or nothing.
    Skipped,
}

/// What became of one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanupOutcome {
    /// It got its channel's custom ID (in a dry run: would get it).
    Updated,
    /// It had it.
    AlreadyRight,
    /// It was left alone because its value was set by hand.
    Skipped,
    /// It was left alone because it is not clear whose custom ID it should carry.
    Conflict,
    /// It was refused, is gone, or failed for good.
    Failed,
}

/// The channels of a backfill.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackfillTally {
    /// Channels that were not stored before.
    pub created: u64,
    /// Channels that were stored otherwise.
    pub updated: u64,
    /// Channels that needed nothing.
    pub unchanged: u64,
    /// Rows rejected or failed for good.
    pub error: u64,
    /// Exact duplicates and blank rows.
    pub skipped: u64,
    /// Rows of the sheet.
    pub total: u64,
}

impl BackfillTally {
    /// A tally of a sheet of so many rows, none of them accounted for yet. The total is taken from the sheet and not
    /// summed up, or it could not prove anything.
    pub fn of(total: u64) -> Self {
        Self { total, ..Self::default() }
    }

    /// Accounts for some rows.
    pub fn add(&mut self, outcome: BackfillOutcome, count: u64) {
        *match outcome {
            BackfillOutcome::Created => &mut self.created,
            BackfillOutcome::Updated => &mut self.updated,
            BackfillOutcome::Unchanged => &mut self.unchanged,
            BackfillOutcome::Error => &mut self.error,
            BackfillOutcome::Skipped => &mut self.skipped,
        } += count;
    }

    /// Rows whose channel now is as the sheet says.
    pub fn processed(&self) -> u64 {
        self.created + self.updated + self.unchanged
    }

    /// Whether so few rows failed that the run still is a success. The share is of all rows of the sheet.
    pub fn is_within(&self, error_tolerance: f64) -> bool {
        self.error == 0 || self.error as f64 <= error_tolerance * self.total as f64
    }

    /// Proves that `created + updated + unchanged + error + skipped = total`.
    pub fn reconcile(&self) -> Result<(), Unreconciled> {
        reconcile(
            "backfill",
            &[
                ("created", self.created),
                ("updated", self.updated),
                ("unchanged", self.unchanged),
                ("error", self.error),
                ("skipped", self.skipped),
            ],
            self.total,
        )
    }
}

/// The assets of a cleanup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CleanupTally {
    /// Assets that got their channel's custom ID (in a dry run: that would get it).
    pub updated: u64,
    /// Assets that had it.
    pub already_right: u64,
    /// Assets left alone because their value was set by hand.
    pub skipped: u64,
    /// Assets for which it is not clear whose custom ID they should carry.
    pub conflict: u64,
    /// Assets that were refused, are gone, or failed for good.
    pub failed: u64,
    /// Partner assets of the report.
    pub total: u64,
}

impl CleanupTally {
    /// A tally of so many partner assets, none of them accounted for yet. The total is taken from the scan and not
    /// summed up, or it could not prove anything.
    pub fn of(total: u64) -> Self {
        Self { total, ..Self::default() }
    }

    /// Accounts for some assets.
    pub fn add(&mut self, outcome: CleanupOutcome, count: u64) {
        *match outcome {
            CleanupOutcome::Updated => &mut self.updated,
            CleanupOutcome::AlreadyRight => &mut self.already_right,
            CleanupOutcome::Skipped => &mut self.skipped,
            CleanupOutcome::Conflict => &mut self.conflict,
            CleanupOutcome::Failed => &mut self.failed,
        } += count;
    }

    /// Whether somebody has to look into the rejects file.
    pub fn has_failures(&self) -> bool {
        self.failed > 0
    }

    /// Proves that `updated + already_right + skipped + conflict + failed = total`.
    pub fn reconcile(&self) -> Result<(), Unreconciled> {
        reconcile(
            "cleanup",
            &[
                ("updated", self.updated),
                ("already right", self.already_right),
                ("skipped", self.skipped),
                ("conflict", self.conflict),
                ("failed", self.failed),
            ],
            self.total,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn counters_that_do_not_add_up_are_named() {
        let tally = CleanupTally { updated: 2, failed: 1, total: 4, ..CleanupTally::default() };
        insta::assert_snapshot!(tally.reconcile().unwrap_err(), @"the counters of the cleanup do not add up: updated 2 + already right 0 + skipped 0 + conflict 0 + failed 1 sum to 3, the total is 4");
        assert_eq!(CleanupTally { total: 3, ..tally }.reconcile(), Ok(()));
    }

    #[test]
    fn l04_an_asset_not_accounted_for_is_noticed() {
        use CleanupOutcome::{AlreadyRight, Conflict, Failed, Skipped, Updated};
        let mut tally = CleanupTally::of(15);
        for (outcome, count) in [(Updated, 1), (AlreadyRight, 2), (Skipped, 3), (Conflict, 4)] {
            tally.add(outcome, count);
            assert!(tally.reconcile().is_err() && !tally.has_failures());
        }
        tally.add(Failed, 5);
        assert!(tally.reconcile().is_ok() && tally.has_failures());
    }

    #[test]
    fn l04_a_row_not_accounted_for_is_noticed() {
        use BackfillOutcome::{Created, Error, Skipped, Unchanged, Updated};
        let mut tally = BackfillTally::of(15);
        for (outcome, count) in [(Created, 1), (Updated, 2), (Unchanged, 3), (Error, 4)] {
            tally.add(outcome, count);
            assert!(tally.reconcile().is_err());
        }
        tally.add(Skipped, 5);
        assert_eq!((tally.reconcile(), tally.processed()), (Ok(()), 6));
    }

    #[test]
    fn the_specifications_example_reconciles() {
        let tally =
            BackfillTally { created: 300, updated: 60, unchanged: 8, skipped: 4, total: 372, error: 0 };
        assert_eq!(tally.reconcile(), Ok(()));
        assert_eq!(tally.processed(), 368);
        assert!(BackfillTally { total: 373, ..tally }.reconcile().is_err());
    }

    #[rstest]
    #[case(0, 0, 0.0, true)]
    #[case(0, 372, 0.0, true)]
    #[case(3, 372, 0.01, true)]
    #[case(4, 372, 0.01, false)]
    #[case(1, 100, 0.01, true)]
    #[case(1, 1, 1.0, true)]
    #[case(1, 372, 0.0, false)]
    fn the_tolerance_is_a_share_of_all_rows(
        #[case] error: u64,
        #[case] total: u64,
        #[case] tolerance: f64,
        #[case] within: bool,
    ) {
        assert_eq!(BackfillTally { error, total, ..BackfillTally::default() }.is_within(tolerance), within);
    }
}
