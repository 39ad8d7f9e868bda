//! The demonstration's opening and its score, as text.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::command::demo::Story;
use crate::eventbridge::Invocation;
use crate::fault::Profile;
use crate::journal::{Entry, Service};
use crate::sandbox::Sandbox;
use crate::score::Score;
use crate::world::Kind;

/// Wrong assets and channels that are named; the rest is counted.
const NAMED: usize = 5;

pub(super) fn opening(sandbox: &Sandbox, profile: Profile, rate: u32) -> String {
    let world = sandbox.world();
    format!(
        "The custom-ID workflow, end to end, on this machine\n\
         \x20 world    seed {}: a sheet of {} rows, a database of {} records, a report of {} rows\n\
         \x20          ({} of partner channels), a CMS of {} assets\n\
         \x20 servers  AppSync, YouTube, OAuth, S3 and EventBridge on 127.0.0.1, profile {profile:?}\n\
         \x20 rate     RATE_PER_SECOND={rate} here; the default of 10 is meant for the real YouTube\n\
         \x20 folder   {}\n",
        world.seed,
        grouped(world.sheet_rows),
        grouped(world.stored.len() as u64),
        grouped(world.report_rows),
        grouped(world.report_rows - world.claimed_rows),
        grouped(world.assets.len() as u64),
        sandbox.dir().display(),
    )
}

/// The plan as the task printed it.
pub(super) fn plan(task: &Invocation) -> Result<String> {
    let mut text =
        "cms-customid-cleanup plan, while the task that the event started is held back\n\n".to_owned();
    text.push_str(&std::fs::read_to_string(&task.stdout)?);
    Ok(text)
}

/// How the custom IDs came out, and where the truth was missed.
pub(super) fn custom_ids(sandbox: &Sandbox, story: &Story) -> Result<(String, Vec<String>)> {
    let score = sandbox.score()?;
    let mut text = String::new();
    let mut misses = Vec::new();
    write_backfill(&mut text, sandbox, story, &score, &mut misses)?;
    write_cleanup(&mut text, sandbox, story, &score, &mut misses)?;
    writeln!(text, "\nevents")?;
    for event in sandbox.events() {
        writeln!(text, "  {}", describe(&event))?;
    }
    match export_of(sandbox) {
        Some(path) => write!(text, "\nexport     {}", path.display())?,
        None => misses.push("the cleanup left no export".to_owned()),
    }
    Ok((text, misses))
}

/// All calls, whether the truth was met, and last of all the page to look at.
pub(super) fn closing(sandbox: &Sandbox, misses: &[String], page: Option<&Path>) -> Result<String> {
    let mut text = String::new();
    write_calls(&mut text, sandbox)?;
    writeln!(text, "\njournal    {}\n", sandbox.dir().join("journal.jsonl").display())?;
    if misses.is_empty() {
        write!(text, "The truth was met.")?;
    } else {
        write!(text, "THE TRUTH WAS MISSED:")?;
        for miss in misses {
            write!(text, "\n  - {miss}")?;
        }
    }
    if let Some(page) = page {
        write!(text, "\n\nreport     {}", page.display())?;
    }
    Ok(text)
}

fn write_backfill(
    text: &mut String,
    sandbox: &Sandbox,
    story: &Story,
    score: &Score,
    misses: &mut Vec<String>,
) -> Result<()> {
    write_task(text, &story.backfill)?;
    let channels = &score.channels;
    writeln!(
        text,
        "  channels   {} created, {} updated, {} unchanged, {} wrong",
        grouped(channels.created),
        grouped(channels.updated),
        grouped(channels.unchanged),
        channels.wrong.len()
    )?;
    let requests = sandbox.journal().entries().into_iter();
    let requests =
        requests.filter(|one| one.service == Service::AppSync && during(one, &story.backfill)).count();
    writeln!(text, "  requests   {requests} to the database")?;
    if story.backfill.exit_code != Some(0) {
        misses.push(format!("channelbackfill did not succeed{}", last_words(&story.backfill)));
    }
    if !channels.wrong.is_empty() {
        let named: Vec<&str> = channels.wrong.iter().take(NAMED).map(String::as_str).collect();
        misses.push(format!("{} channels are wrong: {} …", channels.wrong.len(), named.join(", ")));
    }
    Ok(())
}

fn write_cleanup(
    text: &mut String,
    sandbox: &Sandbox,
    story: &Story,
    score: &Score,
    misses: &mut Vec<String>,
) -> Result<()> {
    let Some(cleanup) = &story.cleanup else {
        misses.push("no event of the backfill started the cleanup".to_owned());
        return Ok(());
    };
    writeln!(text)?;
    write_task(text, cleanup)?;
    writeln!(text, "  started by rule {}", cleanup.rule)?;
    let assets = &score.assets;
    let total = score.right_count() + assets.wrong.len() as u64;
    writeln!(
        text,
        "  assets     {} of {} right, {} wrong, {} untouched, {} written without need",
        grouped(score.right_count()),
        grouped(total),
        assets.wrong.len(),
        grouped(assets.untouched),
        assets.unplanned_writes.len()
    )?;
    for (kind, count) in &assets.right {
        writeln!(text, "             {:>8}  {}", grouped(*count), in_words(kind))?;
    }
    let writes: Vec<Entry> = sandbox.journal().entries().into_iter().filter(Entry::writes_an_asset).collect();
    if let (Some(first), Some(last)) = (writes.first(), writes.last()) {
        let span_ms = last.t_ms.saturating_sub(first.t_ms).max(1);
        let rate = writes.len() as f64 * 1000.0 / span_ms as f64;
        writeln!(text, "  rate       {rate:.0} writes a second over {:.1} s", span_ms as f64 / 1000.0)?;
    }
    write_reads(text, sandbox, cleanup)?;
    // Assets that the CMS refuses are the truth here, and the task says so with its exit code.
    let refused = assets.right.keys().any(|kind| matches!(kind, Kind::Refused(_)));
    let wanted = if refused { 3 } else { 0 };
    if cleanup.exit_code != Some(wanted) {
        misses.push(format!("cms-customid-cleanup should end with {wanted}{}", last_words(cleanup)));
    }
    if let Some(plan) = story.plan.as_ref().filter(|plan| !matches!(plan.exit_code, Some(0 | 3))) {
        misses.push(format!("the plan could not be shown{}", last_words(plan)));
    }
    if !assets.wrong.is_empty() {
        let named: Vec<String> = assets
            .wrong
            .iter()
            .take(NAMED)
            .map(|wrong| {
                format!(
                    "{} ({:?}: has {:?}, should have {:?})",
                    wrong.id, wrong.kind, wrong.found, wrong.expected
                )
            })
            .collect();
        misses.push(format!("{} assets are wrong: {} …", assets.wrong.len(), named.join(", ")));
    }
    if !assets.metadata_lost.is_empty() {
        misses.push(format!(
            "{} assets lost metadata: {} …",
            assets.metadata_lost.len(),
            assets.metadata_lost[0]
        ));
    }
    if !assets.unplanned_writes.is_empty() {
        let named: Vec<&str> =
            assets.unplanned_writes.iter().take(NAMED).map(|write| write.asset_id.as_str()).collect();
        misses.push(format!(
            "{} writes were not planned: {} …",
            assets.unplanned_writes.len(),
            named.join(", ")
        ));
    }
    Ok(())
}

/// What the cleanup read of the CMS: to decide, and then to see that what it wrote was kept.
fn write_reads(text: &mut String, sandbox: &Sandbox, cleanup: &Invocation) -> Result<()> {
    let entries = sandbox.journal().entries();
    let calls = || entries.iter().filter(|entry| entry.service == Service::YouTube && during(entry, cleanup));
    let first_write = calls().find(|entry| entry.writes_an_asset()).map_or(u64::MAX, |entry| entry.seq);
    let (live, back): (Vec<&Entry>, Vec<&Entry>) =
        calls().filter(|entry| entry.operation == "assets.list").partition(|entry| entry.seq < first_write);
    // The canary's assets are read back twice.
    let assets =
        |calls: &[&Entry]| calls.iter().flat_map(|entry| &entry.ids).collect::<HashSet<_>>().len() as u64;
    writeln!(
        text,
        "  reads      {} calls for the live values of {} assets, {} calls to read {} back",
        grouped(live.len() as u64),
        grouped(assets(&live)),
        grouped(back.len() as u64),
        grouped(assets(&back))
    )?;
    Ok(())
}

fn write_task(text: &mut String, task: &Invocation) -> Result<()> {
    let exit = task.exit_code.map_or("never started".to_owned(), |code| format!("exit {code}"));
    let wall_ms = task.ended_ms.unwrap_or(task.started_ms).saturating_sub(task.started_ms);
    let peak = task
        .peak_memory_bytes
        .map_or("unknown".to_owned(), |bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)));
    writeln!(text, "{}: {exit}, {:.1} s, peak memory {peak}", task.container, wall_ms as f64 / 1000.0)?;
    Ok(())
}

fn write_calls(text: &mut String, sandbox: &Sandbox) -> Result<()> {
    let faults = sandbox.journal().entries().iter().filter(|entry| entry.fault.is_some()).count() as u64;
    let faults = if faults == 0 {
        String::new()
    } else {
        format!(", {} of them answered by a fault", grouped(faults))
    };
    writeln!(text, "calls{faults}")?;
    for ((service, operation), count) in sandbox.journal().counts() {
        writeln!(text, "  {:<12} {operation:<28} {:>8}", service.name(), grouped(count))?;
    }
    Ok(())
}

fn during(entry: &Entry, task: &Invocation) -> bool {
    entry.t_ms >= task.started_ms && task.ended_ms.is_none_or(|end| entry.t_ms <= end)
}

fn describe(event: &serde_json::Value) -> String {
    let text = |value: Option<&serde_json::Value>| {
        value.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let detail = event.get("detail");
    let status = text(detail.and_then(|detail| detail.get("status")));
    let numbers: Vec<String> = detail
        .and_then(serde_json::Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some(format!("{name} {}", grouped(value.as_u64()?))))
        .collect();
    format!("{} ({status}): {}", text(event.get("detail-type")), numbers.join(", "))
}

fn in_words(kind: &Kind) -> String {
    match kind {
        Kind::Updated => "written with their channel's custom ID".to_owned(),
        Kind::AlreadyRight => "right already".to_owned(),
        Kind::SetByHand => "set by hand and left alone".to_owned(),
        Kind::Conflict => "claimed by partners that disagree, left alone".to_owned(),
        Kind::Refused(reason) => format!("refused and reported: {reason}"),
        Kind::NotPartner => "of no partner, left alone".to_owned(),
    }
}

/// The end of a task's stderr, for the reader who asks why.
pub(super) fn last_words(task: &Invocation) -> String {
    let ended = match (&task.start_error, task.exit_code) {
        (Some(why), _) => why.clone(),
        (None, Some(code)) => format!("exit {code}"),
        (None, None) => "no exit code".to_owned(),
    };
    let said = std::fs::read(&task.stderr).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let tail: Vec<&str> = said.lines().rev().take(3).collect();
    let tail: Vec<String> =
        tail.into_iter().rev().map(|line| format!("\n      {}", shortened(line))).collect();
    format!(" ({ended}); its log is {}{}", task.stderr.display(), tail.join(""))
}

fn shortened(line: &str) -> String {
    line.chars().filter(|letter| !letter.is_control()).take(300).collect()
}

fn export_of(sandbox: &Sandbox) -> Option<PathBuf> {
    std::fs::read_dir(sandbox.dir().join("export"))
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "json"))
}

/// `38,412`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_digits_by_three() {
        assert_eq!(
            [0, 999, 1000, 38_412, 1_000_000].map(grouped),
            ["0", "999", "1,000", "38,412", "1,000,000"]
        );
    }
}
