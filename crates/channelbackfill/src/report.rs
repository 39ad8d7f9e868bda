//! How the end of a backfill reads: the event that the rules match, the summary for programs, the text for people.

use dn_core::eventbridge::Event;
use dn_core::task::{End, Exit, Report, RunInfo, clock};
use dn_domain::backfill_plan::PlanCounts;
use dn_domain::tally::BackfillTally;
use serde_json::{Value, json};

/// The event's source, as the rules know it.
pub const SOURCE: &str = "dn.backend.channelbackfill";

/// What a run has counted so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The rows of the sheet.
    pub rows: BackfillTally,
    /// The share of rows that may fail with the run still a success.
    pub error_tolerance: f64,
    /// Where the rejected rows are.
    pub rejects_uri: Option<String>,
}

impl Tally {
    /// In a dry run: what would be done counts as done.
    pub(crate) fn note_planned(&mut self, counts: PlanCounts) {
        self.rows.created = counts.create;
        self.rows.updated = counts.update;
        self.rows.unchanged = counts.unchanged;
    }
}

/// Makes the report of an end.
pub(crate) fn report(run: &RunInfo, tally: &Tally, end: &End) -> Report {
    let status = status(tally, end.exit);
    let mut detail = counts(tally, status, run);
    let detail_type = if end.exit.is_finished() {
        "Channel Backfill Completed"
    } else {
        detail["error"] = end.error.clone().into();
        detail["exitCode"] = end.exit.code().into();
        "Channel Backfill Failed"
    };
    let event = (!run.dry_run).then(|| Event {
        source: SOURCE.to_owned(),
        detail_type: detail_type.to_owned(),
        detail: detail.clone(),
        resources: Vec::new(),
    });
    let mut summary = detail;
    summary["rejectsUri"] = tally.rejects_uri.clone().into();
    summary["error"] = end.error.clone().into();
    summary["exitCode"] = end.exit.code().into();
    summary["durationMs"] = run.duration_ms.into();
    summary["dryRun"] = run.dry_run.into();
    Report {
        summary,
        text: text(run, tally, status),
        event,
        events_before: Vec::new(),
        counts: metric_counts(tally),
    }
}

/// A run that finished is a success as long as few enough rows failed.
fn status(tally: &Tally, exit: Exit) -> &'static str {
    match exit {
        _ if !exit.is_finished() => "failed",
        _ if tally.rows.is_within(tally.error_tolerance) => "success",
        _ => "partial",
    }
}

fn counts(tally: &Tally, status: &str, run: &RunInfo) -> Value {
    let rows = &tally.rows;
    json!({
        "status": status,
        "processedCount": rows.processed(),
        "errorCount": rows.error,
        "totalCount": rows.total,
        "timestamp": clock::event_time(run.ended_at),
        "createdCount": rows.created,
        "updatedCount": rows.updated,
        "unchangedCount": rows.unchanged,
        "skippedCount": rows.skipped,
        "runId": run.run_id,
    })
}

fn text(run: &RunInfo, tally: &Tally, status: &str) -> String {
    let BackfillTally { created, updated, unchanged, error, skipped, total } = tally.rows;
    let dry = if run.dry_run { " (dry run: nothing was written)" } else { "" };
    let mut text = format!(
        "channelbackfill {status}{dry}\n  {created} created, {updated} updated, {unchanged} unchanged, {skipped} skipped, {error} failed: {total} rows\n  run {} in {:.1} s\n",
        run.run_id,
        run.duration_ms as f64 / 1_000.0,
    );
    if let Some(uri) = &tally.rejects_uri {
        text = format!("{text}  rejected rows: {uri}\n");
    }
    text
}

fn metric_counts(tally: &Tally) -> Vec<(&'static str, u64)> {
    let rows = &tally.rows;
    vec![
        ("CreatedCount", rows.created),
        ("UpdatedCount", rows.updated),
        ("UnchangedCount", rows.unchanged),
        ("SkippedCount", rows.skipped),
        ("ErrorCount", rows.error),
        ("TotalCount", rows.total),
    ]
}
