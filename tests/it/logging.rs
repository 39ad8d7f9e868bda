//! The rules of docs/LOGGING.md, held to what the tasks really log.

use dn_sandbox::{Asset, ReportRow, WorldBuilder};
use dn_tests::{Rehearsal, Run};
use serde_json::Value;

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "UCbbbbbbbbbbbbbbbbbbbbbb";
/// A colour for the terminal, a forged line, and a change of the writing's direction.
const HOSTILE: &str = "x\u{1b}[31m\n{\"message\":\"run failed\"}\u{202e}y";

/// A sheet and a report with text that is out to forge lines, in cells that end up in messages.
fn hostile_world() -> WorldBuilder {
    let (asset, video) = ("A1000000000000001", "vid00000001");
    WorldBuilder::new()
        .channel(CHANNEL, "artist-one", HOSTILE)
        .sheet_row(&[OTHER, HOSTILE, HOSTILE])
        .stored(CHANNEL, CHANNEL, Some("artist-one"), Some(HOSTILE))
        .stored(OTHER, OTHER, Some(HOSTILE), Some("Other"))
        .asset(Asset::web(asset, video))
        .row(ReportRow::new(video, CHANNEL).asset(asset, video))
        .row(ReportRow::new("vid00000002", CHANNEL).asset(HOSTILE, HOSTILE))
}

/// The log lines, each of which has to be one JSON object, and the metrics that end them.
fn lines(run: &Run) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}")))
        .collect();
    let metrics = lines.pop().expect("a line");
    assert!(metrics["_aws"]["CloudWatchMetrics"].is_array(), "the last line is the metrics: {metrics}");
    (lines, metrics)
}

fn is_hostile(character: char) -> bool {
    character.is_control() || ('\u{202a}'..='\u{202e}').contains(&character)
}

/// Both tasks over the hostile world, at the deepest level.
async fn runs_at_trace(format: &str) -> Vec<Run> {
    let rehearsal = Rehearsal::of(hostile_world()).await.unwrap();
    let mut environment = rehearsal.environment();
    environment.insert("RUST_LOG".to_owned(), "trace".to_owned());
    let mut runs = Vec::new();
    // One after the other and by hand: the backfill's rejected row makes it partial, which starts nothing.
    for task in ["channelbackfill", "cms-customid-cleanup"] {
        let run = dn_tests::run(task, &environment, &["--log-format", format]).await.unwrap();
        assert_eq!(run.code, Some(3), "{run:?}");
        runs.push(run);
    }
    runs
}

#[tokio::test(flavor = "multi_thread")]
async fn v16_hostile_text_forges_no_log_line_and_reaches_no_terminal() {
    for run in runs_at_trace("json").await {
        let (lines, _) = lines(&run);
        let rejected =
            lines.iter().filter(|line| line["message"].as_str().unwrap().ends_with("row rejected"));
        assert!(rejected.count() > 0, "the hostile row is told: {}", run.stderr);
        for line in &lines {
            for (name, value) in line.as_object().unwrap() {
                let text = value.as_str().unwrap_or_default();
                assert!(!text.contains(is_hostile), "{name} of {line}");
            }
            assert_ne!(line["message"], "run failed");
        }
    }
    for run in runs_at_trace("pretty").await {
        assert!(run.stderr.contains("row rejected"), "{}", run.stderr);
        for line in run.stderr.lines() {
            assert!(!line.contains(is_hostile), "{line:?}");
            assert!(!line.starts_with('{'), "a forged line: {line:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_read_alone_and_libraries_stay_at_info_when_trace_is_asked_for() {
    let own = ["dn_core", "dn_domain", "channelbackfill", "cms_customid_cleanup"];
    for run in runs_at_trace("json").await {
        let (lines, _) = lines(&run);
        let mut deep = 0;
        for line in &lines {
            let text =
                |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{name}: {line}")).to_owned();
            let (level, target, message) = (text("level"), text("target"), text("message"));
            assert!(text("timestamp").ends_with('Z'), "{line}");
            let is_own = own.contains(&target.split("::").next().unwrap());
            if level == "DEBUG" || level == "TRACE" {
                assert!(is_own, "a library below info: {line}");
                deep += 1;
            }
            if is_own {
                let begins_well = message.starts_with(|first: char| !first.is_uppercase());
                assert!(begins_well && !message.ends_with('.') && message.len() > 5, "{line}");
            }
        }
        assert!(deep > 0, "trace was asked for, and the suite's own code follows: {}", run.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failure_that_ends_a_run_is_logged_once() {
    let rehearsal = Rehearsal::of(hostile_world()).await.unwrap();
    let run = rehearsal.backfill(&["--csv", "/nowhere/sheet.csv"]).await.unwrap();
    assert_eq!(run.code, Some(4));
    let (lines, metrics) = lines(&run);
    let telling: Vec<&Value> =
        lines.iter().filter(|line| line.to_string().contains("/nowhere/sheet.csv")).collect();
    assert_eq!(telling.len(), 1, "{}", run.stderr);
    assert_eq!((&telling[0]["message"], &telling[0]["level"]), (&"run failed".into(), &"ERROR".into()));
    assert_eq!(telling[0]["exit_code"], 4);
    assert_eq!((&metrics["ExitCode"], &metrics["Failed"]), (&4.into(), &1.into()));
}
