//! How a run's end reads: one JSON object for programs, text for people, the events for the bus.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dn_core::eventbridge::Event;
use dn_core::task::{End, Exit, Report, RunInfo, clock};
use dn_domain::claims::alert::{Alert, Severity};
use dn_domain::claims::digest::{Dispute, SourceFile, SourceState};
use dn_domain::claims::week::Week;
use dn_domain::printable::printable;
use serde_json::{Value, json};

use crate::backtest::Backtested;
use crate::desk::Asked;
use crate::fetch::Fetched;
use crate::history::Exported;
use crate::relearn::Relearnt;
use crate::replay::Replayed;

/// The events' source, as other programs know it.
pub const SOURCE: &str = "dn.claims.report";

/// What `runs` tells of each run, by the names of its summary.
pub(crate) const TOLD: [&str; 9] = [
    "timestamp",
    "status",
    "exitCode",
    "week",
    "assetCount",
    "claimCount",
    "videoCount",
    "newAlertCount",
    "reportUri",
];

/// So many alerts are shown on a terminal; all of them stand in the report.
pub(crate) const SHOWN: usize = 10;

/// What has been done so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Whether this is a fetch and no report.
    pub is_fetch: bool,
    /// Whether this is the dispute desk and no report.
    pub is_desk: bool,
    /// The week.
    pub week: Option<Week>,
    /// The week that it was compared with.
    pub compared_with: Option<Week>,
    /// Assets of the asset report.
    pub assets: Option<u64>,
    /// Claims of the claim report.
    pub claims: Option<u64>,
    /// Videos of the video report.
    pub videos: Option<u64>,
    /// Active claims, as the asset report counts them.
    pub active_claims: Option<u64>,
    /// Rows of `changes.csv`.
    pub changes: Option<u64>,
    /// Alerts that are told and not resolved.
    pub alerts: Option<u64>,
    /// Of all that are told those that are news to the bus.
    pub new_alerts: Option<u64>,
    /// Alerts beyond the budget.
    pub held_back: Option<u64>,
    /// Findings about the data that are not resolved.
    pub quality: Option<u64>,
    /// Open disputes and other open claims.
    pub disputes: Option<u64>,
    /// Those that cannot wait.
    pub critical_disputes: Option<u64>,
    /// Where they are from: `api` or `reports`; none where nobody was asked to ask.
    pub disputes_from: Option<&'static str>,
    /// Whether their list moved while it was read.
    pub is_approximate: Option<bool>,
    /// Entries of the list that could not be read.
    pub unreadable_disputes: u64,
    /// Those whose deadline is an estimate for want of a history.
    pub estimates: Option<u64>,
    /// Units of the Data API's quota that were spent; none where it was not asked.
    pub data_units: Option<u64>,
    /// Videos whose numbers of today it told.
    pub live_videos: Option<u64>,
    /// The first of the desk's queue.
    pub queue: Vec<Dispute>,
    /// Rows that could not be used.
    pub rejected_rows: u64,
    /// Where they are.
    pub rejects_uris: Vec<String>,
    /// Inputs that were refused.
    pub refused: u64,
    /// Where they were put aside.
    pub quarantine_uris: Vec<String>,
    /// Weeks that were missed and made up for.
    pub made_up: Vec<Week>,
    /// Weeks that are missing in the history before this one.
    pub gaps: Vec<Week>,
    /// The inputs and what became of them.
    pub sources: Vec<SourceFile>,
    /// The report's files, by name.
    pub files: BTreeMap<&'static str, String>,
    /// The alerts that the bus is told of.
    pub raised: Vec<Alert>,
    /// What became of the mail; none where none was asked for.
    pub mail: Option<Mailed>,
    /// What was fetched, a report type each.
    pub fetched: Vec<Fetched>,
    /// Where the run keeps its summary.
    pub summary_uri: Option<String>,
    /// What was scored of a panel.
    pub backtested: Option<Backtested>,
    /// What would have been told of the stored history.
    pub replayed: Option<Replayed>,
    /// What was learnt of the dispute weights.
    pub relearnt: Option<Relearnt>,
    /// The runs in the state folder, where they were asked for.
    pub runs: Option<Vec<Value>>,
    /// The files of the history, where they were asked for.
    pub exported: Option<Vec<Exported>>,
}

/// What became of the mail.
#[derive(Debug, Clone)]
pub struct Mailed {
    /// SES's id of it; none where it was not sent.
    pub message_id: Option<String>,
    /// Why it was not sent.
    pub error: Option<String>,
}

impl Tally {
    /// Notes what the Content ID API said is open.
    pub(crate) fn note_asked(&mut self, asked: &Asked) {
        self.disputes_from = Some("api");
        self.is_approximate = Some(asked.is_approximate);
        self.unreadable_disputes = asked.unreadable;
        self.estimates = Some(asked.without_history);
    }
}

/// Makes the report of an end.
pub(crate) fn report(run: &RunInfo, tally: &Tally, end: &End) -> Report {
    let answer = |summary: Value, text: String| Report {
        summary,
        text,
        event: None,
        events_before: Vec::new(),
        counts: Vec::new(),
    };
    if let Some(runs) = &tally.runs {
        return answer(json!(runs), runs_text(runs));
    }
    if let Some(replayed) = &tally.replayed {
        let (mut summary, mut text) = (replayed_json(replayed), replayed_text(replayed));
        if let Some(relearnt) = &tally.relearnt {
            summary["disputeWeights"] = relearnt.json();
            text.push_str(&relearnt.text());
        }
        return answer(summary, text);
    }
    if let Some(Backtested { alerts, series, weeks, cells, departures }) = &tally.backtested {
        let alerts = alerts.display().to_string();
        let text = format!(
            "{cells} cells of {series} series and {weeks} weeks scored, {departures} departures of reports or \
             channels\n  scores: {}\n",
            printable(alerts.as_bytes())
        );
        let summary = json!({
            "alerts": alerts, "seriesCount": series, "weekCount": weeks, "cellCount": cells,
            "departureCount": departures,
        });
        return answer(summary, text);
    }
    if let Some(exported) = &tally.exported {
        let files = exported.iter().map(|file| json!({"uri": file.uri, "rows": file.rows})).collect();
        let lines = exported.iter().map(|file| format!("{:>10} {}\n", file.rows, printable(&file.uri)));
        return answer(files, lines.collect());
    }
    let detail = detail(run, tally, end);
    let mut events: Vec<Event> = tally.raised.iter().map(|alert| raised(run, tally, alert)).collect();
    // That reports were fetched, or the desk asked, is no report made; that they could not be is of interest to whoever
    // waits for one.
    let is_report = !tally.is_fetch && !tally.is_desk;
    let is_told = !run.dry_run && (is_report || !end.exit.is_finished());
    let event = is_told.then(|| Event {
        source: SOURCE.to_owned(),
        detail_type: if end.exit.is_finished() { "Claims Report Completed" } else { "Claims Report Failed" }
            .to_owned(),
        detail: detail.clone(),
        resources: Vec::new(),
    });
    let mut summary = detail;
    let more = json!({
        "files": tally.files,
        "rejectsUris": tally.rejects_uris,
        "quarantineUris": tally.quarantine_uris,
        "sources": tally.sources,
        "fetched": fetched(tally),
        "mail": tally.mail.as_ref().map(|mail| json!({"messageId": mail.message_id, "error": mail.error})),
        "disputesFrom": tally.disputes_from,
        "disputesApproximate": tally.is_approximate,
        "unreadableDisputeCount": tally.unreadable_disputes,
        "estimatedDeadlineCount": tally.estimates,
        "dataUnits": tally.data_units,
        "liveVideoCount": tally.live_videos,
        "error": end.error,
        "exitCode": end.exit.code(),
        "durationMs": run.duration_ms,
        "dryRun": run.dry_run,
    });
    if let (Some(summary), Some(more)) = (summary.as_object_mut(), more.as_object()) {
        summary.extend(more.clone());
    }
    let text = if end.exit.is_finished() { text(run, tally) } else { String::new() };
    // The last of the desk's alerts is the end of what it has to tell.
    let event = event.or_else(|| events.pop().filter(|_| !run.dry_run));
    Report { summary, text, event, events_before: events, counts: metric_counts(tally) }
}

/// The event of one alert. Its evidence is small by its making: numbers and a few ids.
fn raised(run: &RunInfo, tally: &Tally, alert: &Alert) -> Event {
    Event {
        source: SOURCE.to_owned(),
        detail_type: "Claims Alert Raised".to_owned(),
        detail: json!({
            "id": alert.id,
            "severity": alert.severity,
            "kind": alert.kind,
            "subject": alert.subject,
            "reason": alert.reason,
            "evidence": alert.evidence,
            "state": alert.state,
            "value": alert.value,
            "links": alert.links,
            "week": tally.week,
            "reportUri": tally.files.get("report.html"),
            "runId": run.run_id,
            "timestamp": clock::event_time(run.ended_at),
        }),
        resources: Vec::new(),
    }
}

fn replayed_json(replayed: &Replayed) -> Value {
    let budgets = replayed.budgets.iter().map(|(budget, counts)| {
        json!({"newAlertsAWeek": budget, "alerts": counts, "total": counts.iter().sum::<usize>()})
    });
    let raised = replayed.raised.iter().map(|one| {
        json!({
            "week": one.week, "videoId": one.video_id, "score": one.score,
            "expected": one.expected.round(), "seen": one.seen.round(),
        })
    });
    json!({
        "weeks": replayed.weeks,
        "seriesCount": replayed.series,
        "budgets": budgets.collect::<Vec<_>>(),
        "budget": replayed.budget,
        "raised": raised.collect::<Vec<_>>(),
    })
}

fn replayed_text(replayed: &Replayed) -> String {
    let (Some(first), Some(last)) = (replayed.weeks.first(), replayed.weeks.last()) else {
        return "the history has no week to look back on\n".to_owned();
    };
    // Writing to a String cannot fail.
    let mut text =
        format!("{} videos, {} weeks from {first} to {last}\n", replayed.series, replayed.weeks.len());
    let _ = writeln!(text, "{:>16} {:>8} {:>10} {:>8}", "new alerts/week", "alerts", "per week", "most");
    for (budget, counts) in &replayed.budgets {
        let total: usize = counts.iter().sum();
        let most = counts.iter().max().copied().unwrap_or_default();
        let per_week = total as f64 / counts.len().max(1) as f64;
        let _ = writeln!(text, "{budget:>16} {total:>8} {per_week:>10.1} {most:>8}");
    }
    let _ = writeln!(text, "at the {} a week that a run goes by:", replayed.budget);
    for one in &replayed.raised {
        let (week, id) = (one.week, printable(&one.video_id));
        let _ = writeln!(text, "  {week} {id} {:.0} views, {:.0} expected", one.seen, one.expected);
    }
    text
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

/// The event's detail: counts and where the rest is, never a list that grows with the reports. The count of what was not
/// given, or not come to, is null.
fn detail(run: &RunInfo, tally: &Tally, end: &End) -> Value {
    let status = match end.exit {
        Exit::Done => "success",
        exit if exit.is_finished() => "partial",
        Exit::Deferred => "deferred",
        _ => "failed",
    };
    let mut detail = json!({
        "status": status,
        "week": tally.week,
        "comparedWith": tally.compared_with,
        "assetCount": tally.assets,
        "claimCount": tally.claims,
        "videoCount": tally.videos,
        "activeClaimCount": tally.active_claims,
        "changeCount": tally.changes,
        "alertCount": tally.alerts,
        "newAlertCount": tally.new_alerts,
        "heldBackCount": tally.held_back,
        "qualityCount": tally.quality,
        "disputeCount": tally.disputes,
        "criticalDisputeCount": tally.critical_disputes,
        "badRowCount": tally.rejected_rows,
        "refusedCount": tally.refused,
        "madeUpWeeks": tally.made_up,
        "missingWeeks": tally.gaps,
        "reportUri": tally.files.get("report.html"),
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

fn text(run: &RunInfo, tally: &Tally) -> String {
    let mut text = String::new();
    if tally.is_fetch {
        fetched_text(&mut text, tally);
    } else if tally.is_desk {
        desk_text(&mut text, tally);
    } else {
        week_text(&mut text, tally);
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "run {} in {:.1} s", run.run_id, run.duration_ms as f64 / 1_000.0);
    text
}

fn week_text(text: &mut String, tally: &Tally) {
    let number = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let week = tally.week.map(|week| week.to_string()).unwrap_or_default();
    let compared = match tally.compared_with {
        Some(before) => format!("compared with {before}"),
        None => "the first of the history: nothing to compare with".to_owned(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "week of {week}, {compared}");
    let figures = [
        ("assets", number(tally.assets)),
        ("claims", number(tally.claims)),
        ("videos", number(tally.videos)),
        ("active claims", number(tally.active_claims)),
        ("changes", number(tally.changes)),
        ("open disputes", number(tally.disputes)),
        ("alerts", number(tally.alerts)),
        ("about the data", number(tally.quality)),
        ("rows rejected", tally.rejected_rows.to_string()),
    ];
    for (name, count) in figures {
        let _ = writeln!(text, "  {name:<15} {count:>12}");
    }
    for source in tally.sources.iter().filter(|source| source.state == SourceState::Refused) {
        let _ = writeln!(text, "refused: {} {}", printable(&source.name), printable(&source.uri));
    }
    for week in &tally.made_up {
        let _ = writeln!(text, "made up for the week of {week}");
    }
    for week in &tally.gaps {
        let _ = writeln!(text, "the week of {week} is missing in the history");
    }
    for alert in tally.raised.iter().take(SHOWN) {
        let severity = match alert.severity {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Info => "info",
        };
        let (kind, title) = (alert.kind.name(), printable(&alert.subject.title));
        let _ = writeln!(text, "new: {severity:<8} {kind} {} {title}", printable(&alert.subject.id));
        let _ = writeln!(text, "     {}", printable(&alert.reason));
    }
    if let Some(more) = tally.raised.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "new: {more} more in the report");
    }
    if let Some(mail) = &tally.mail {
        let _ = match (&mail.message_id, &mail.error) {
            (_, Some(error)) => writeln!(text, "mail not sent: {}", printable(error)),
            _ => writeln!(text, "mail sent"),
        };
    }
    if let Some(uri) = tally.files.get("report.html") {
        let _ = writeln!(text, "report {}", printable(uri));
    }
}

fn fetched_text(text: &mut String, tally: &Tally) {
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
}

fn desk_text(text: &mut String, tally: &Tally) {
    let number = |count: Option<u64>| count.unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{}{} open, {} cannot wait, {} deadlines estimated, {} alerts new",
        if tally.is_approximate == Some(true) { "about " } else { "" },
        number(tally.disputes),
        number(tally.critical_disputes),
        number(tally.estimates),
        number(tally.new_alerts),
    );
    for one in &tally.queue {
        let left = match one.days_left {
            Some(days) if one.estimate => format!("about {days} d"),
            Some(days) => format!("{days} d"),
            None => "-".to_owned(),
        };
        let value = one.value_at_risk.map(|value| value.to_string()).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:<8} {:<17} {left:>10} {value:>12}  {} {}",
            if one.critical { "critical" } else { "" },
            printable(&one.status),
            one.claim_id,
            printable(&one.link)
        );
    }
    if let Some(uri) = tally.files.get("disputes.csv") {
        let _ = writeln!(text, "queue {}", printable(uri));
    }
}

/// A line for each run, oldest first.
fn runs_text(runs: &[Value]) -> String {
    let mut text = format!(
        "{:<30} {:<24} {:>5} {:<10} {:>8} {:>9} {:>9} {:>6}\n",
        "run", "ended", "exit", "week", "assets", "claims", "videos", "new"
    );
    for run in runs {
        let cell = |name: &str| match &run[name] {
            Value::Null => "-".to_owned(),
            Value::String(text) => printable(text),
            other => other.to_string(),
        };
        let _ = writeln!(
            text,
            "{:<30} {:<24} {:>5} {:<10} {:>8} {:>9} {:>9} {:>6}",
            cell("runId"),
            cell("timestamp"),
            cell("exitCode"),
            cell("week"),
            cell("assetCount"),
            cell("claimCount"),
            cell("videoCount"),
            cell("newAlertCount")
        );
    }
    text
}

fn metric_counts(tally: &Tally) -> Vec<(&'static str, u64)> {
    vec![
        ("ClaimCount", tally.claims.unwrap_or(0)),
        ("AssetCount", tally.assets.unwrap_or(0)),
        ("VideoCount", tally.videos.unwrap_or(0)),
        ("BadRowCount", tally.rejected_rows),
        ("NewAlertCount", tally.new_alerts.unwrap_or(0)),
        ("QualityCount", tally.quality.unwrap_or(0)),
        ("CriticalDisputeCount", tally.critical_disputes.unwrap_or(0)),
        ("RefusedCount", tally.refused),
    ]
}
