//! Inputs that were refused: put aside in the run folder, with what is wrong, how they compare with the last good one,
//! and what they leave untold.

use std::io::{Read as _, Write as _};

use anyhow::Context as _;
use dn_core::store;
use dn_core::task::{Context, Scratch, clock};
use dn_domain::claims::alert::Kind;
use dn_domain::claims::quality::{Impact, reconcile, refused};
use dn_domain::claims::snapshot::ReportFacts;
use dn_domain::claims::week::Week;
use dn_domain::number::Decimal;
use serde_json::json;

use crate::Tally;
use crate::inputs::{Refused, slug};

/// A file up to this size is copied; of a larger one a pointer is kept.
const MAX_COPY_BYTES: u64 = 64 << 20;

/// What is known beside the file itself.
pub(crate) struct Known<'a> {
    /// The last good report of its kind.
    pub last_good: Option<&'a (Week, ReportFacts)>,
    /// The views of the last week that is known.
    pub week_views: Option<u64>,
    pub rpm: Decimal,
    pub week: Week,
}

/// Puts a refused input aside. That it could not be put aside hides nothing: the refusal itself is the run's end.
pub(crate) async fn put_aside(
    context: &Context<Tally>,
    input: &Refused,
    known: &Known<'_>,
) -> anyhow::Result<()> {
    let Known { last_good, week_views, rpm, week } = known;
    let folder = context.run_folder()?;
    let name = match input.source {
        Some(source) => slug(source).to_owned(),
        None => file_name(&input.name),
    };
    let path = |file: &str| format!("quarantine/{name}/{file}");
    let kind = refused(&input.name, &input.refusal).kind;
    let copied = match kind {
        Kind::ReportMissing => Ok(None),
        _ => copy(context, &input.uri, &path("report.csv")).await,
    };
    let copied = copied.unwrap_or_else(|error| {
        tracing::warn!(uri = input.uri, error = format!("{error:#}"), "refused file not copied");
        None
    });
    let reason = json!({
        "file": input.name,
        "uri": input.uri,
        "kind": kind,
        "line": input.refusal.line,
        "column": input.refusal.column,
        "problem": input.refusal.problem,
        "remedy": input.refusal.remedy,
        "message": input.refusal.to_string(),
        "week": week,
        "runId": context.info.run_id,
        "at": clock::event_time(context.info.started_at),
        "copy": copied,
    });
    put(context, &path("reason.json"), &reason).await?;
    let before = last_good.map(|(week, facts)| (*week, facts));
    if let Some(source) = input.source {
        let reconciliation = serde_json::to_value(reconcile(source, before, input.facts.as_ref()))?;
        put(context, &path("reconciliation.json"), &reconciliation).await?;
    }
    let impact = Impact::of_refused(before.map(|(_, facts)| facts), *week_views, Some(*rpm));
    put(context, &path("impact.json"), &serde_json::to_value(impact)?).await?;
    let uri = folder.uri(&format!("quarantine/{name}/"));
    context.count(|tally| tally.quarantine_uris.push(uri));
    Ok(())
}

async fn put(context: &Context<Tally>, name: &str, value: &serde_json::Value) -> anyhow::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(context.run_folder()?.put(name, bytes).await?)
}

/// Copies a file's text, unpacked, into the run folder; gives its address, or nothing for one that is too large.
async fn copy(context: &Context<Tally>, uri: &str, name: &str) -> anyhow::Result<Option<String>> {
    let reader = store::open_read(uri, &context.aws).await?;
    let copied = tokio::task::spawn_blocking(move || -> std::io::Result<Option<Scratch>> {
        let mut text = reader.into_sync_read().take(MAX_COPY_BYTES + 1);
        let mut scratch = Scratch::new()?;
        // What can still be read of a file that breaks off is what somebody wants to look at.
        let mut buffer = vec![0; 1 << 16];
        let mut copied = 0_u64;
        while let Ok(read) = text.read(&mut buffer) {
            let part = buffer.get(..read).unwrap_or_default();
            if part.is_empty() {
                break;
            }
            copied += read as u64;
            scratch.write_all(part)?;
        }
        scratch.flush()?;
        Ok((copied <= MAX_COPY_BYTES).then_some(scratch))
    });
    let Some(scratch) = copied.await?? else { return Ok(None) };
    let folder = context.run_folder()?;
    folder.put_scratch(name, scratch).await.context("the copy could not be kept")?;
    Ok(Some(folder.uri(name)))
}

/// A foreign name as part of a path.
pub(crate) fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let name: String = name.chars().map(safe).take(100).collect();
    if name.trim_matches('.').is_empty() {
        "file".to_owned()
    } else {
        name.trim_start_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_foreign_name_stays_within_its_folder() {
        for (name, safe) in [("../../x.csv", "_.._x.csv"), ("..", "file"), ("a b/ü.csv", "a_b__.csv")] {
            assert_eq!(super::file_name(name), safe);
        }
    }
}
