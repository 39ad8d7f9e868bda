//! How the counts read: one JSON object for programs, text for people, the event for the bus.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dn_core::eventbridge::Event;
use dn_core::task::{End, Exit, Report, RunInfo, clock};
use dn_domain::asset_report::AssetCounts;
use dn_domain::claim_report::ClaimCounts;
use dn_domain::printable::printable;
use serde_json::{Value, json};

use crate::counts::VideoCounts;
use crate::fetch::Fetched;

/// The event's source, as other programs know it.
pub const SOURCE: &str = "dn.claims.report";

/// What `runs` tells of each run, by the names of its summary.
pub(crate) const TOLD: [&str; 7] =
    ["timestamp", "status", "exitCode", "claimCount", "assetCount", "videoRowCount", "badRowCount"];

/// The most lines of one table in the text; the JSON has them all.
const SHOWN: usize = 20;

/// What has been counted so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The claim report.
    pub claims: Option<Counted<ClaimCounts>>,
    /// The asset report.
    pub assets: Option<Counted<AssetCounts>>,
    /// The video report.
    pub videos: Option<Counted<VideoCounts>>,
    /// The week that was fetched, by its Monday.
    pub week: Option<String>,
    /// What was fetched, a report type each.
    pub fetched: Vec<Fetched>,
    /// Where the run keeps what it counted.
    pub summary_uri: Option<String>,
    /// The runs in the state folder, where they were asked for.
    pub runs: Option<Vec<Value>>,
}

/// A report that was read to its end.
#[derive(Debug, Clone)]
pub struct Counted<C> {
    /// As it was asked for.
    pub uri: String,
    /// Which version of it.
    pub etag: Option<String>,
    /// Its size as it lies there.
    pub size_bytes: Option<u64>,
    /// When it was last written.
    pub modified: Option<jiff::Timestamp>,
    /// What it holds.
    pub counts: C,
}

/// Makes the report of an end.
pub(crate) fn report(run: &RunInfo, tally: &Tally, end: &End) -> Report {
    if let Some(runs) = &tally.runs {
        return Report { summary: json!(runs), text: runs_text(runs), event: None, counts: Vec::new() };
    }
    let detail = detail(run, tally, end);
    // That reports were fetched is no report made; that they could not be is of interest to whoever waits for one.
    let is_told = !run.dry_run && (tally.week.is_none() || !end.exit.is_finished());
    let event = is_told.then(|| Event {
        source: SOURCE.to_owned(),
        detail_type: if end.exit.is_finished() { "Claims Report Completed" } else { "Claims Report Failed" }
            .to_owned(),
        detail: detail.clone(),
        resources: Vec::new(),
    });
    let claims = tally.claims.as_ref().map(|claims| {
        let ClaimCounts { claims: count, bad_rows, by_status, by_type, by_channel } = &claims.counts;
        source(
            claims,
            &json!({
                "claimCount": count, "badRowCount": bad_rows,
                "byStatus": by_status, "byType": by_type, "byChannel": numbers(by_channel),
            }),
        )
    });
    let assets = tally.assets.as_ref().map(|assets| {
        let AssetCounts { assets: count, bad_rows, by_type, active_claims } = &assets.counts;
        source(assets, &json!({
            "assetCount": count, "badRowCount": bad_rows, "activeClaimCount": active_claims, "byType": by_type,
        }))
    });
    let videos = tally.videos.as_ref().map(|videos| {
        let VideoCounts { rows, bad_rows, rows_with_asset, by_status, by_type, by_channel } = &videos.counts;
        source(
            videos,
            &json!({
                "rowCount": rows, "badRowCount": bad_rows, "rowsWithAssetCount": rows_with_asset,
                "byStatus": by_status, "byType": by_type, "byChannel": numbers(by_channel),
            }),
        )
    });
    let mut summary = detail;
    let more = json!({
        "week": tally.week,
        "fetched": tally.week.as_ref().map(|_| fetched(tally)),
        "claims": claims,
        "assets": assets,
        "videos": videos,
        "error": end.error,
        "exitCode": end.exit.code(),
        "durationMs": run.duration_ms,
        "dryRun": run.dry_run,
    });
    if let (Value::Object(summary), Value::Object(more)) = (&mut summary, more) {
        summary.extend(more);
    }
    let text = if end.exit.is_finished() { text(run, tally) } else { String::new() };
    Report { summary, text, event, counts: metric_counts(tally) }
}

fn fetched(tally: &Tally) -> Vec<Value> {
    let entries = tally.fetched.iter().map(|one| {
        let report = one.report.as_ref();
        let state = match report {
            None => "missing",
            Some(_) if one.was_kept => "kept",
            Some(_) => "fetched",
        };
        json!({
            "reportType": one.report_type,
            "state": state,
            "reportId": report.map(|report| &report.id),
            "startTime": report.map(|report| report.start),
            "endTime": report.map(|report| report.end),
            "createTime": report.map(|report| report.created),
            "uri": one.uri,
            "sizeBytes": one.size_bytes,
        })
    });
    entries.collect()
}

/// The event's detail: totals and where the rest is, never a list that grows with the reports. The count of a report
/// that was not given, or not read to its end, is null.
fn detail(run: &RunInfo, tally: &Tally, end: &End) -> Value {
    let status = match end.exit {
        exit if exit.is_finished() => "success",
        Exit::Deferred => "deferred",
        _ => "failed",
    };
    let mut detail = json!({
        "status": status,
        "claimCount": tally.claims.as_ref().map(|claims| claims.counts.claims),
        "assetCount": tally.assets.as_ref().map(|assets| assets.counts.assets),
        "activeClaimCount": tally.assets.as_ref().map(|assets| assets.counts.active_claims),
        "videoRowCount": tally.videos.as_ref().map(|videos| videos.counts.rows),
        "badRowCount": tally.bad_rows(),
        "runId": run.run_id,
        "summaryUri": tally.summary_uri,
        "timestamp": clock::event_time(run.ended_at),
    });
    if let Some(error) = &end.error {
        detail["error"] = error.clone().into();
        detail["exitCode"] = end.exit.code().into();
    }
    detail
}

/// A report's own particulars and what it holds, in one object.
fn source<C>(counted: &Counted<C>, held: &Value) -> Value {
    let mut object = json!({
        "uri": counted.uri,
        "etag": counted.etag,
        "sizeBytes": counted.size_bytes,
        "modified": counted.modified.map(clock::event_time),
    });
    if let (Some(object), Some(held)) = (object.as_object_mut(), held.as_object()) {
        object.extend(held.clone());
    }
    object
}

fn numbers<K: ToString>(counts: &BTreeMap<K, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(key, count)| (key.to_string(), *count)).collect()
}

fn text(run: &RunInfo, tally: &Tally) -> String {
    let mut text = String::new();
    if let Some(claims) = &tally.claims {
        let counts = &claims.counts;
        heading(
            &mut text,
            "claim report",
            &claims.uri,
            &[("claims", counts.claims), ("rows passed over", counts.bad_rows)],
        );
        table(&mut text, "status", &counts.by_status);
        table(&mut text, "type", &counts.by_type);
        table(&mut text, "channel", &numbers(&counts.by_channel));
    }
    if let Some(assets) = &tally.assets {
        let counts = &assets.counts;
        let figures = [
            ("assets", counts.assets),
            ("active claims", counts.active_claims),
            ("rows passed over", counts.bad_rows),
        ];
        heading(&mut text, "asset report", &assets.uri, &figures);
        table(&mut text, "type", &counts.by_type);
    }
    if let Some(videos) = &tally.videos {
        let counts = &videos.counts;
        let figures = [
            ("rows", counts.rows),
            ("rows with an asset", counts.rows_with_asset),
            ("rows passed over", counts.bad_rows),
        ];
        heading(&mut text, "video report", &videos.uri, &figures);
        table(&mut text, "privacy status", &counts.by_status);
        table(&mut text, "content type", &counts.by_type);
        table(&mut text, "channel", &numbers(&counts.by_channel));
    }
    for one in &tally.fetched {
        let what = match (&one.report, one.was_kept) {
            (None, _) => "missing".to_owned(),
            (Some(report), true) => format!("{} was there already", printable(&report.id)),
            (Some(report), false) => format!("{} fetched", printable(&report.id)),
        };
        let _ = writeln!(text, "{:<34} {what}", one.report_type);
        if let Some(uri) = &one.uri {
            let _ = writeln!(text, "  {}", printable(uri));
        }
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "run {} in {:.1} s", run.run_id, run.duration_ms as f64 / 1_000.0);
    text
}

/// A line for each run, oldest first.
fn runs_text(runs: &[Value]) -> String {
    let mut text = format!(
        "{:<30} {:<24} {:>5} {:>10} {:>10} {:>10} {:>8}\n",
        "run", "ended", "exit", "claims", "assets", "videos", "bad rows"
    );
    for run in runs {
        let cell = |name: &str| match &run[name] {
            Value::Null => "-".to_owned(),
            Value::String(text) => printable(text),
            other => other.to_string(),
        };
        let _ = writeln!(
            text,
            "{:<30} {:<24} {:>5} {:>10} {:>10} {:>10} {:>8}",
            cell("runId"),
            cell("timestamp"),
            cell("exitCode"),
            cell("claimCount"),
            cell("assetCount"),
            cell("videoRowCount"),
            cell("badRowCount")
        );
    }
    text
}

fn heading(text: &mut String, kind: &str, uri: &str, figures: &[(&str, u64)]) {
    let figures: Vec<String> = figures.iter().map(|(what, count)| format!("{what} {count}")).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{kind} {}: {}", printable(uri), figures.join(", "));
}

/// The largest counts first, equal ones by name.
fn table(text: &mut String, title: &str, counts: &BTreeMap<String, u64>) {
    if counts.is_empty() {
        return;
    }
    let mut rows: Vec<_> = counts.iter().collect();
    rows.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    let _ = match rows.len() {
        all if all > SHOWN => writeln!(text, "  by {title}, the first {SHOWN} of {all}:"),
        _ => writeln!(text, "  by {title}:"),
    };
    rows.truncate(SHOWN);
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, count) in rows {
        let _ = writeln!(text, "    {name:<width$} {count:>10}");
    }
}

impl Tally {
    /// Rows passed over, of all reports.
    fn bad_rows(&self) -> u64 {
        let claims = self.claims.as_ref().map(|claims| claims.counts.bad_rows);
        let assets = self.assets.as_ref().map(|assets| assets.counts.bad_rows);
        let videos = self.videos.as_ref().map(|videos| videos.counts.bad_rows);
        [claims, assets, videos].into_iter().flatten().sum()
    }
}

fn metric_counts(tally: &Tally) -> Vec<(&'static str, u64)> {
    vec![
        ("ClaimCount", tally.claims.as_ref().map_or(0, |claims| claims.counts.claims)),
        ("AssetCount", tally.assets.as_ref().map_or(0, |assets| assets.counts.assets)),
        ("VideoRowCount", tally.videos.as_ref().map_or(0, |videos| videos.counts.rows)),
        ("BadRowCount", tally.bad_rows()),
    ]
}
