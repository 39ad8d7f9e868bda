//! The second half of the story: ten weeks of claims reports, one after the other, each held against its truth.
//!
//! The weeks before come out of the object store, as a backlog would; the last one is asked of the Reporting API.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use crate::command::demo::PATIENCE;
use crate::command::scoreboard::{grouped, last_words};
use crate::command::{report, say};
use crate::eventbridge::Invocation;
use crate::sandbox::Sandbox;
use crate::weeks::{Finding, Options, WeekFiles, Weeks, generate};

const TASK: &str = "claims-report";
/// Where the weeks lie in the bucket.
const PREFIX: &str = "claims";

/// Kinds of which every plant must be found, and nothing else: they rest on no chance.
const EXACT: [&str; 3] = ["channel_doubled", "channel_missing", "custom_id_mismatch"];

/// So many findings besides the planted ones may there be a week, of all other kinds together. What is only to be known
/// ([`NOTED`]) is not counted: nobody is asked to look at it.
const BESIDES_A_WEEK: u64 = 2;

/// Kinds of which nothing is planted: a likelihood is no finding that could be right or wrong.
const NOTED: [&str; 1] = ["dispute_risk"];

/// How the weeks went.
#[derive(Default)]
pub(super) struct Outcome {
    /// The table, for the reader.
    pub text: String,
    /// Where the truth was missed.
    pub misses: Vec<String>,
    /// The last week's page.
    pub page: Option<PathBuf>,
}

/// One week's run.
struct Run {
    task: Invocation,
    /// The folder of its files; none where it made no report.
    folder: Option<PathBuf>,
    changes: Changes,
}

/// Rows of `changes.csv`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Changes {
    expected: u64,
    right: u64,
    is_same: bool,
}

/// Makes the weeks and runs the task over each.
pub(super) async fn run(sandbox: &Sandbox, seed: u64) -> Result<Outcome> {
    let weeks = make(sandbox, seed).await?;
    let state = sandbox.dir().join("claims-state");
    say(&opening(&weeks, &state));
    let mut runs: Vec<Run> = Vec::new();
    let mut outcome = Outcome::default();
    for (number, week) in weeks.weeks.iter().enumerate() {
        let is_last = number + 1 == weeks.weeks.len();
        report(&format!("{TASK}: week {} of {}", number + 1, weeks.weeks.len()));
        let run = run_week(sandbox, week, &state, is_last).await?;
        say(&line(week, &run, is_last));
        if let Some(miss) = miss(week, &run) {
            outcome.misses.push(miss);
        }
        let has_failed = run.folder.is_none();
        runs.push(run);
        // Without it the next has nothing to be compared with.
        if has_failed {
            break;
        }
    }
    outcome.page = runs
        .last()
        .filter(|_| runs.len() == weeks.weeks.len())
        .and_then(|run| run.folder.as_ref())
        .map(|folder| folder.join("report.html"));
    if let Some(page) = outcome.page.take_if(|page| !page.is_file()) {
        outcome.misses.push(format!("{} is not there", page.display()));
    }
    let scores = scores(&weeks, &runs);
    outcome.misses.extend(scores.iter().filter_map(|(kind, score)| held(kind, *score)));
    let besides: u64 = scores
        .iter()
        .filter(|(kind, _)| !NOTED.contains(&kind.as_str()))
        .map(|(_, score)| score.besides)
        .sum();
    if besides > BESIDES_A_WEEK * weeks.weeks.len() as u64 {
        outcome.misses.push(format!("{TASK} found {besides} things that nobody planted"));
    }
    outcome.text = table(&runs, &scores)?;
    // The last week alone is told on its own day.
    if let Some(folder) = runs.last().and_then(|run| run.folder.as_ref()) {
        match today(sandbox, folder)? {
            Some(text) => outcome.text.push_str(&text),
            None => outcome
                .misses
                .push(format!("{TASK} tells no surge's views of today as the Data API has them")),
        }
    }
    Ok(outcome)
}

/// The surging videos of a report whose views of today are those that the Data API has; none where there is none, or where
/// one has others.
fn today(sandbox: &Sandbox, folder: &Path) -> Result<Option<String>> {
    let alerts: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("alerts.json"))?)?;
    let mut text = String::new();
    let is_surge = |alert: &&Value| {
        let is = |pointer: &str, word: &str| alert.pointer(pointer).and_then(Value::as_str) == Some(word);
        is("/kind", "viral") && is("/subject/type", "video") && !is("/state", "resolved")
    };
    for alert in alerts.iter().filter(is_surge) {
        let number = |name: &str| alert.pointer(&format!("/evidence/{name}")).and_then(Value::as_u64);
        let id = alert.pointer("/subject/id").and_then(Value::as_str).unwrap_or_default();
        let (Some(views), Some(video)) = (number("liveViews"), sandbox.live_video(id)) else { continue };
        if views != video.views {
            return Ok(None);
        }
        let since = grouped(number("liveGained").unwrap_or_default());
        let week = grouped(number("seen").unwrap_or_default());
        let views = grouped(views);
        writeln!(text, "  today      {id} has {views} views, {week} came in the week and {since} since")?;
    }
    Ok((!text.is_empty()).then_some(text))
}

/// Puts ten weeks where the tasks look for them, for whoever tries the program by hand; gives what a run over the last
/// one needs in its environment.
pub(super) async fn publish(sandbox: &Sandbox, seed: u64) -> Result<Vec<(String, String)>> {
    let weeks = make(sandbox, seed).await?;
    let mut folder = String::new();
    for week in &weeks.weeks {
        folder = sandbox.upload_week(week, PREFIX)?;
        sandbox.publish_week(week)?;
    }
    // Not the video report: the variable is the cleanup's too, whose report is another.
    let mut settings: Vec<(String, String)> = ["CLAIM_REPORT_URI", "ASSET_REPORT_URI", "CONFLICT_REPORT_URI"]
        .map(|name| (name.to_owned(), "reporting-api".to_owned()))
        .into();
    settings.push(("ANALYTICS_URI".to_owned(), format!("{folder}/analytics")));
    settings.push(("RIGHTS_URI".to_owned(), format!("{folder}/rights.csv")));
    Ok(settings)
}

async fn make(sandbox: &Sandbox, seed: u64) -> Result<Weeks> {
    let dir = sandbox.dir().join("weeks");
    let options = Options { seed, ..Options::until_now()? };
    let weeks = tokio::task::spawn_blocking(move || generate(&options, &dir)).await??;
    sandbox.publish_partners(&weeks)?;
    Ok(weeks)
}

async fn run_week(sandbox: &Sandbox, week: &WeekFiles, state: &Path, is_last: bool) -> Result<Run> {
    let folder = sandbox.upload_week(week, PREFIX)?;
    let mut arguments = vec!["run".to_owned(), "--json".to_owned()];
    for (setting, value) in [
        ("--week", week.monday.to_string()),
        ("--state-uri", state.to_string_lossy().into_owned()),
        ("--analytics", format!("{folder}/analytics")),
        ("--rights", format!("{folder}/rights.csv")),
    ] {
        arguments.extend([setting.to_owned(), value]);
    }
    if is_last {
        sandbox.publish_week(week)?;
    }
    for report in ["claims", "assets", "videos", "conflicts"] {
        let place = if is_last { "reporting-api".to_owned() } else { format!("{folder}/{report}.csv") };
        arguments.extend([format!("--{report}"), place]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let task = sandbox.run_task(TASK, &arguments, PATIENCE).await?;
    let folder = page_of(&task).and_then(|page| Some(page.parent()?.to_owned()));
    let changes = match &folder {
        Some(folder) => compare(&folder.join("changes.csv"), &week.changes)?,
        None => Changes::default(),
    };
    Ok(Run { task, folder, changes })
}

/// Where the task says that its page is.
fn page_of(task: &Invocation) -> Option<PathBuf> {
    let said = std::fs::read(&task.stdout).ok()?;
    let summary: Value = serde_json::from_slice(&said).ok()?;
    Some(PathBuf::from(summary.get("reportUri")?.as_str()?))
}

/// Holds `changes.csv` against what it must be. The first week has none to be compared with, and may leave it out.
fn compare(found: &Path, expected: &Path) -> Result<Changes> {
    let expected = std::fs::read(expected)?;
    let rows = |bytes: &[u8]| -> Result<Vec<csv::ByteRecord>> {
        Ok(csv::Reader::from_reader(bytes).into_byte_records().collect::<Result<_, _>>()?)
    };
    let wanted = rows(&expected)?;
    let count = wanted.len() as u64;
    let Ok(found) = std::fs::read(found) else {
        return Ok(Changes { expected: count, right: 0, is_same: count == 0 });
    };
    let is_same = found == expected;
    // A file of another form has no right row.
    let rows = rows(&found).unwrap_or_default();
    let right = rows.iter().zip(&wanted).filter(|(found, wanted)| found == wanted).count() as u64;
    Ok(Changes { expected: count, right, is_same })
}

fn miss(week: &WeekFiles, run: &Run) -> Option<String> {
    let monday = week.monday;
    if run.task.exit_code != Some(0) {
        return Some(format!("{TASK} for the week of {monday} did not succeed{}", last_words(&run.task)));
    }
    if run.folder.is_none() {
        return Some(format!("{TASK} for the week of {monday} does not say where its report is"));
    }
    let Changes { expected, right, is_same } = run.changes;
    (!is_same).then(|| {
        format!(
            "changes.csv of the week of {monday} has {} of {} rows in their place; it should be {}",
            grouped(right),
            grouped(expected),
            week.changes.display()
        )
    })
}

fn opening(weeks: &Weeks, state: &Path) -> String {
    format!(
        "\nThe claims report, week after week\n\
         \x20 weeks    {}, below {}\n\
         \x20 history  {}\n",
        weeks.weeks.len(),
        weeks.dir.display(),
        state.display()
    )
}

fn line(week: &WeekFiles, run: &Run, is_last: bool) -> String {
    let from = if is_last { "reporting-api" } else { "s3" };
    let exit = run.task.exit_code.map_or("never started".to_owned(), |code| format!("exit {code}"));
    format!(
        "  {}  {from:<13}  {exit}, {:>4.1} s, {:>6} of {:>6} changes right",
        week.monday,
        seconds(&run.task),
        grouped(run.changes.right),
        grouped(run.changes.expected)
    )
}

fn seconds(task: &Invocation) -> f64 {
    task.ended_ms.unwrap_or(task.started_ms).saturating_sub(task.started_ms) as f64 / 1000.0
}

/// Type, kind and id of what was found in a week.
type Found = BTreeSet<(String, String, String)>;

/// What a run found: the open entries of `alerts.json` and `quality.json`.
fn found_by(folder: &Path) -> Found {
    ["alerts.json", "quality.json"]
        .into_iter()
        .filter_map(|name| std::fs::read(folder.join(name)).ok())
        .filter_map(|bytes| serde_json::from_slice::<Vec<Value>>(&bytes).ok())
        .flatten()
        .filter(|entry| entry.get("state").and_then(Value::as_str) != Some("resolved"))
        .map(|entry| {
            let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
            let subject = entry.get("subject");
            let part = |name: &str| text(subject.and_then(|subject| subject.get(name)));
            let kind = text(entry.get("kind"));
            // What is planted of a recording may be told of its asset; then the recording stands in the evidence.
            let isrc = text(entry.get("evidence").and_then(|evidence| evidence.get("isrc")));
            if BY_RECORDING.contains(&kind.as_str()) && !isrc.is_empty() {
                return (kind, "isrc".to_owned(), isrc);
            }
            (kind, part("type"), part("id"))
        })
        .collect()
}

/// Kinds that are planted of a recording.
const BY_RECORDING: [&str; 3] = ["cross_platform", "engagement_spike", "rights_conflict"];

/// How many findings of a kind were planted, found, and made up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Score {
    planted: u64,
    found: u64,
    besides: u64,
}

/// Holds what was found in a week against what was planted. What follows from a plant may be found and need not be.
fn score(found: &Found, truth: &[&Finding], scores: &mut BTreeMap<String, Score>) {
    let key = |finding: &Finding| {
        (finding.kind.to_owned(), finding.subject_type.to_owned(), finding.subject_id.clone())
    };
    let known: Found = truth.iter().map(|finding| key(finding)).collect();
    let planted: Found =
        truth.iter().filter(|finding| !finding.implied).map(|finding| key(finding)).collect();
    for finding in &planted {
        let score = scores.entry(finding.0.clone()).or_default();
        score.planted += 1;
        score.found += u64::from(found.contains(finding));
    }
    for finding in found.difference(&known) {
        scores.entry(finding.0.clone()).or_default().besides += 1;
    }
}

fn scores(weeks: &Weeks, runs: &[Run]) -> BTreeMap<String, Score> {
    let mut scores = BTreeMap::new();
    for (run, week) in runs.iter().zip(&weeks.weeks) {
        let Some(folder) = &run.folder else { continue };
        let truth: Vec<&Finding> =
            weeks.findings.iter().filter(|finding| finding.week == week.monday).collect();
        score(&found_by(folder), &truth, &mut scores);
    }
    scores
}

/// Whether the truth of a kind was missed.
fn held(kind: &str, score: Score) -> Option<String> {
    let Score { planted, found, besides } = score;
    (found < planted || (besides > 0 && EXACT.contains(&kind))).then(|| {
        format!(
            "{TASK} found {found} of {planted} planted findings of the kind {kind}, and {besides} besides"
        )
    })
}

fn table(runs: &[Run], scores: &BTreeMap<String, Score>) -> Result<String> {
    let mut text = String::new();
    let wall: f64 = runs.iter().map(|run| seconds(&run.task)).sum();
    let peak = runs.iter().filter_map(|run| run.task.peak_memory_bytes).max();
    let peak =
        peak.map_or("unknown".to_owned(), |bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)));
    writeln!(text, "\n{TASK}: {} weeks, {wall:.1} s, peak memory {peak}", runs.len())?;
    let sum = |number: fn(&Changes) -> u64| runs.iter().map(|run| number(&run.changes)).sum::<u64>();
    writeln!(
        text,
        "  changes    {} of {} rows right",
        grouped(sum(|changes| changes.right)),
        grouped(sum(|changes| changes.expected))
    )?;
    writeln!(text, "  findings   {:<26} planted   found besides", "")?;
    for (kind, score) in scores {
        writeln!(
            text,
            "             {kind:<26} {:>7} {:>7} {:>7}",
            score.planted, score.found, score.besides
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_right_row_by_row_and_the_same_byte_by_byte() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let truth = file("truth", "asset_id,now\na,1\nb,2\n");
        let compare = |text: &str| compare(&file("found", text), &truth).unwrap();
        let changes = |right, is_same| Changes { expected: 2, right, is_same };
        assert_eq!(compare("asset_id,now\na,1\nb,2\n"), changes(2, true));
        assert_eq!(compare("asset_id,now\na,1\nb,3\n"), changes(1, false));
        assert_eq!(compare("asset_id,now\na,1\nb,2\nc,3\n"), changes(2, false));
        assert_eq!(compare("asset_id,now\nb,2\n"), changes(0, false));
        let missing = dir.path().join("nowhere");
        assert_eq!(super::compare(&missing, &truth).unwrap(), changes(0, false));
        let header = file("header", "asset_id,now\n");
        assert!(super::compare(&missing, &header).unwrap().is_same, "the first week has nothing to compare");
    }

    #[test]
    fn what_follows_from_a_plant_is_neither_wanted_nor_held_against_the_task() {
        let finding = |kind, id: &str, implied| Finding {
            week: "2026-11-16".parse().unwrap(),
            kind,
            subject_type: "asset",
            subject_id: id.to_owned(),
            note: String::new(),
            implied,
        };
        let truth =
            [finding("viral", "a", false), finding("viral", "b", false), finding("claims_ahead", "a", true)];
        let found = [("viral", "a"), ("claims_ahead", "a"), ("viral", "z")]
            .map(|(kind, id)| (kind.to_owned(), "asset".to_owned(), id.to_owned()));
        let mut scores = BTreeMap::new();
        score(&found.into_iter().collect(), &truth.iter().collect::<Vec<_>>(), &mut scores);
        let expected = Score { planted: 2, found: 1, besides: 1 };
        assert!(held("viral", expected).is_some_and(|miss| miss.contains("1 of 2")));
        assert_eq!(held("viral", Score { found: 2, ..expected }), None);
        assert!(held("custom_id_mismatch", Score { found: 2, ..expected }).is_some(), "nothing besides");
        assert_eq!(scores.into_iter().collect::<Vec<_>>(), [("viral".to_owned(), expected)]);
    }
}
