//! The answer of a command that only asks: `explain`, `drift`.

use dn_core::task::{End, Report, RunInfo, clock};
use serde_json::{Value, json};

use crate::Tally;

/// What was found out.
#[derive(Debug, Clone)]
pub struct Answer {
    /// For programs: the fields of one object.
    pub(crate) fields: Value,
    /// For people, with a last newline.
    pub(crate) text: String,
}

/// How the end of such a command reads. The bus is told nothing.
pub(crate) fn report(run: &RunInfo, tally: &Tally, end: &End, answer: &Answer) -> Report {
    let mut summary = json!({
        "runId": run.run_id,
        "command": tally.command,
        "status": "success",
        "timestamp": clock::event_time(run.ended_at),
        "exitCode": end.exit.code(),
        "error": end.error,
        "youtubeCalls": tally.youtube_calls,
        "durationMs": run.duration_ms,
        "rejectedRowCount": tally.rejected_rows,
        "rejectsUri": tally.rejects_uri,
    });
    if let (Value::Object(summary), Value::Object(fields)) = (&mut summary, &answer.fields) {
        summary.extend(fields.clone());
    }
    let seconds = run.duration_ms as f64 / 1_000.0;
    let calls = tally.youtube_calls;
    let text = format!("{}run {} in {seconds:.1} s, {calls} YouTube calls\n", answer.text, run.run_id);
    Report { summary, text, event: None, events_before: Vec::new(), counts: vec![("YoutubeCalls", calls)] }
}
