//! How the end of a cleanup reads: the event, the summary for programs, the text for people.

use std::sync::Arc;

use dn_core::eventbridge::Event;
use dn_core::task::{End, Exit, Report, RunInfo, clock};
use dn_domain::cleanup_plan::{ChannelCounts, Overview, Overwrite};
use dn_domain::custom_id::CustomId;
use dn_domain::printable::printable;
use dn_domain::tally::CleanupTally;
use serde_json::{Value, json};

use crate::answer::{self, Answer};

/// The event's source, as other programs know it.
pub const SOURCE: &str = "dn.backend.cmscustomidcleanup";

/// What a run has counted so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The partner assets of the report.
    pub assets: CleanupTally,
    /// Rows of the report that could not be read.
    pub rejected_rows: u64,
    /// Channels left out, for somebody to mend their record.
    pub channels_left_out: u64,
    /// The event that started the run, if one did.
    pub triggered_by: Option<String>,
    /// Why there was nothing to do for the event that started the task.
    pub ignored: Option<String>,
    /// Requests to YouTube, repeated ones included.
    pub youtube_calls: u64,
    /// How long the writes take at the configured rate: of the plan, and of what is left once the run has ended.
    pub eta_seconds: Option<u64>,
    /// Which command was given.
    pub command: Option<&'static str>,
    /// The plan at a glance, once there is one.
    pub overview: Option<Overview>,
    /// How large the inputs were.
    pub(crate) sizes: Option<crate::history::Sizes>,
    /// What `explain` or `drift` found out.
    pub answer: Option<Arc<Answer>>,
    /// The runs in the state folder, where they were asked for.
    pub runs: Option<Vec<Value>>,
    /// Where the export is.
    pub export_path: Option<String>,
    /// Where the plan is.
    pub plan_uri: Option<String>,
    /// Where the rejects are.
    pub rejects_uri: Option<String>,
}

impl Tally {
    /// Assets that a run which was cut short did not come to. Derived, so that the counts add up at every end.
    pub fn remaining(&self) -> u64 {
        let CleanupTally { updated, already_right, skipped, conflict, failed, total } = self.assets;
        total.saturating_sub(updated + already_right + skipped + conflict + failed)
    }
}

/// Makes the report of an end.
pub(crate) fn report(run: &RunInfo, tally: &Tally, end: &End) -> Report {
    let (status, detail_type) = match end.exit {
        Exit::Done | Exit::Changes => ("success", "CMS Custom ID Cleanup Completed"),
        Exit::RowsFailed => ("partial", "CMS Custom ID Cleanup Completed"),
        Exit::Deferred => ("deferred", "CMS Custom ID Cleanup Deferred"),
        _ => ("failed", "CMS Custom ID Cleanup Failed"),
    };
    if let Some(answer) = tally.answer.as_deref().filter(|_| end.exit.is_finished()) {
        return answer::report(run, tally, end, answer);
    }
    if let Some(runs) = &tally.runs {
        return Report {
            summary: json!(runs),
            text: runs_text(runs),
            event: None,
            events_before: Vec::new(),
            counts: Vec::new(),
        };
    }
    let mut detail = counts(run, tally, status);
    if let Some(error) = &end.error {
        detail["error"] = error.clone().into();
        detail["exitCode"] = end.exit.code().into();
    }
    let told = !run.dry_run
        && tally.ignored.is_none()
        && !matches!(tally.command, Some("plan" | "explain" | "drift"));
    let event = told.then(|| Event {
        source: SOURCE.to_owned(),
        detail_type: detail_type.to_owned(),
        detail: detail.clone(),
        resources: Vec::new(),
    });
    let mut summary = detail;
    let more = json!({
        "error": end.error,
        "exitCode": end.exit.code(),
        "youtubeCalls": tally.youtube_calls,
        "durationMs": run.duration_ms,
        "etaSeconds": tally.eta_seconds,
        "exportPath": tally.export_path,
        "planUri": tally.plan_uri,
        "rejectsUri": tally.rejects_uri,
        "remainingCount": tally.remaining(),
        "rejectedRowCount": tally.rejected_rows,
        "dryRun": run.dry_run,
        "ignored": tally.ignored,
        "command": tally.command,
        "channels": tally.overview.as_ref().map(channels),
        "overwrites": tally.overview.as_ref().map(Overview::overwrites),
    });
    if let (Value::Object(summary), Value::Object(more)) = (&mut summary, more) {
        summary.extend(more);
    }
    Report {
        summary,
        text: text(run, tally, status),
        event,
        events_before: Vec::new(),
        counts: metric_counts(tally),
    }
}

fn counts(run: &RunInfo, tally: &Tally, status: &str) -> Value {
    let assets = &tally.assets;
    json!({
        "status": status,
        "updatedCount": assets.updated,
        "alreadyRightCount": assets.already_right,
        "skippedCount": assets.skipped,
        "conflictCount": assets.conflict,
        "failedCount": assets.failed,
        "totalCount": assets.total,
        "runId": run.run_id,
        "triggeredBy": tally.triggered_by.as_deref().unwrap_or("manual"),
        "timestamp": clock::event_time(run.ended_at),
    })
}

fn text(run: &RunInfo, tally: &Tally, status: &str) -> String {
    use std::fmt::Write as _;
    if let Some(reason) = &tally.ignored {
        return format!("cms-customid-cleanup: nothing to do: {reason}\n");
    }
    let CleanupTally { updated, already_right, skipped, conflict, failed, total } = tally.assets;
    let is_plan = run.dry_run || tally.command == Some("plan");
    let dry = if is_plan { " (nothing was written)" } else { "" };
    let mut text =
        tally.overview.as_ref().filter(|_| is_plan).map_or_else(String::new, |plan| plan_text(plan, tally));
    let _ = write!(
        text,
        "cms-customid-cleanup {status}{dry}\n  \
         {updated:>8} {}\n  \
         {already_right:>8} already right\n  \
         {skipped:>8} left alone, their custom ID was set by hand\n  \
         {conflict:>8} in conflict, left alone\n  \
         {failed:>8} refused, gone or failed\n",
        if is_plan { "to be updated" } else { "updated" }
    );
    // Writing to a String cannot fail.
    if tally.remaining() > 0 {
        let _ = writeln!(text, "  {:>8} not come to", tally.remaining());
    }
    let seconds = run.duration_ms as f64 / 1_000.0;
    let _ = writeln!(text, "  {total:>8} partner assets");
    if tally.rejected_rows > 0 {
        let _ = writeln!(text, "  {:>8} rows of the report could not be read", tally.rejected_rows);
    }
    let _ = writeln!(text, "  run {} in {seconds:.1} s, {} YouTube calls", run.run_id, tally.youtube_calls);
    for (name, place) in
        [("export", &tally.export_path), ("plan", &tally.plan_uri), ("rejects", &tally.rejects_uri)]
    {
        if let Some(place) = place {
            let _ = writeln!(text, "  {name}: {place}");
        }
    }
    text
}

fn metric_counts(tally: &Tally) -> Vec<(&'static str, u64)> {
    let assets = &tally.assets;
    vec![
        ("UpdatedCount", assets.updated),
        ("AlreadyRightCount", assets.already_right),
        ("SkippedCount", assets.skipped),
        ("ConflictCount", assets.conflict),
        ("FailedCount", assets.failed),
        ("TotalCount", assets.total),
        ("RemainingCount", tally.remaining()),
        ("YoutubeCalls", tally.youtube_calls),
    ]
}

/// The plan's channels for programs.
fn channels(plan: &Overview) -> Value {
    let channels = plan.channels().into_iter().map(|(channel, counts)| {
        let mut row = json!(counts);
        row["channelId"] = json!(channel);
        row["customId"] = json!(plan.target(channel));
        row
    });
    channels.collect()
}

/// So many channels stand in the table for people; the rest is summed up.
const CHANNELS_SHOWN: usize = 20;

/// The plan for people: what changes for each channel.
fn plan_text(plan: &Overview, tally: &Tally) -> String {
    use std::fmt::Write as _;
    let channels = plan.channels();
    let mut text = format!(
        "{:<24} {:<24} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>8}\n",
        "channel", "gets", "empty", "default", "overwrite", "right", "by hand", "conflict", "rejected"
    );
    let mut row = |name: &str, target: &str, counts: &ChannelCounts| {
        let _ = writeln!(
            text,
            "{name:<24} {target:<24} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>8}",
            counts.fill_empty,
            counts.fill_default,
            counts.overwrite,
            counts.already_right,
            counts.set_by_hand,
            counts.conflict,
            counts.rejected
        );
    };
    for (channel, counts) in channels.iter().take(CHANNELS_SHOWN) {
        row(channel.as_str(), plan.target(*channel).map_or("-", CustomId::as_str), counts);
    }
    row("all", "", &plan.total());
    if channels.len() > CHANNELS_SHOWN {
        let _ =
            writeln!(text, "({} channels more; all of them with --json)", channels.len() - CHANNELS_SHOWN);
    }
    for Overwrite { asset_id, old, new } in plan.overwrites() {
        let _ = writeln!(text, "overwrites {asset_id}: {} → {new}", printable(old));
    }
    let seconds = tally.eta_seconds.unwrap_or_default();
    let _ = writeln!(text, "{} writes, {seconds} s at the configured rate\n", plan.total().writes());
    text
}

fn runs_text(runs: &[Value]) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "{:<30} {:<6} {:<25} {:>4} {:>8} {:>8} {:>8}  {}\n",
        "run", "what", "ended", "exit", "updated", "failed", "left", "started by"
    );
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        value => value.to_string(),
    };
    for run in runs {
        let _ = writeln!(
            text,
            "{:<30} {:<6} {:<25} {:>4} {:>8} {:>8} {:>8}  {}",
            cell(&run["runId"]),
            cell(&run["command"]),
            cell(&run["timestamp"]),
            cell(&run["exitCode"]),
            cell(&run["updatedCount"]),
            cell(&run["failedCount"]),
            cell(&run["remainingCount"]),
            cell(&run["triggeredBy"])
        );
    }
    text
}
