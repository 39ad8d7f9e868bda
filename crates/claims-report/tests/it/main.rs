//! The program as its users meet it: files in, a report out, messages and the exit code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod platforms;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(name)
        .canonicalize()
        .unwrap()
        .display()
        .to_string()
}

/// The program with nothing of this process's environment, and without a bus: a dry run. What is told to the bus is
/// tested end to end.
fn program(arguments: &[&str]) -> Command {
    static STATE: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_claims-report"));
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").args(arguments);
    command.env("DRY_RUN", "true").env("STATE_URI", STATE.path()).env("REPORT_WEEK", "2020-01-06");
    command
}

#[derive(Debug)]
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn all_three() -> [String; 3] {
    ["claim_report/small.csv", "asset_report/small.csv", "video_report/small.csv"].map(fixture)
}

fn summary(run: &Run) -> Value {
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn a_first_week_is_told_on_stdout_and_nothing_else_there() {
    let [claims, assets, videos] = all_three();
    let run = run(&mut program(&["--claims", &claims, "--assets", &assets, "--videos", &videos]));
    assert_eq!(run.code, 3, "rows were rejected: {}", run.stderr);
    let (text, last) = run.stdout.trim_end().rsplit_once('\n').unwrap();
    assert!(last.starts_with("run 2") && last.ends_with(" s"), "{last}");
    let (text, report) = text.rsplit_once('\n').unwrap();
    assert!(report.starts_with("report ") && report.ends_with("/report.html"), "{report}");
    insta::assert_snapshot!(text, @r#"
    week of 2020-01-06, the first of the history: nothing to compare with
      assets                     3
      claims                     4
      videos                     6
      active claims              3
      changes                    -
      open disputes              1
      alerts                     0
      about the data             5
      rows rejected              2
    "#);
}

/// The files of a run, by name.
fn file(summary: &Value, name: &str) -> String {
    std::fs::read_to_string(summary["files"][name].as_str().unwrap()).unwrap()
}

#[test]
fn the_json_has_every_key_and_leads_to_every_file() {
    let [claims, assets, videos] = all_three();
    let run = run(program(&["--json"])
        .env("CLAIM_REPORT_URI", &claims)
        .env("ASSET_REPORT_URI", &assets)
        .env("VIDEO_REPORT_URI", &videos));
    assert_eq!(run.code, 3, "{}", run.stderr);
    let mut summary = summary(&run);
    for name in ["report.html", "email.html", "report.json", "changes.csv", "disputes.csv"] {
        assert!(!file(&summary, name).is_empty(), "{name}");
    }
    let digest: Value = serde_json::from_str(&file(&summary, "report.json")).unwrap();
    assert_eq!(digest["sources"], summary["sources"]);
    for array in ["alerts.json", "quality.json"] {
        assert!(serde_json::from_str::<Vec<Value>>(&file(&summary, array)).is_ok(), "{array}");
    }
    let rejects: Vec<&str> =
        summary["rejectsUris"].as_array().unwrap().iter().map(|uri| uri.as_str().unwrap()).collect();
    assert_eq!(rejects.len(), 2);
    let rejected = std::fs::read_to_string(rejects[0]).unwrap();
    assert!(rejected.lines().next().unwrap().ends_with(",code,reason"), "{rejected}");
    let object = summary.as_object_mut().unwrap();
    for volatile in
        ["durationMs", "timestamp", "runId", "summaryUri", "reportUri", "files", "rejectsUris", "sources"]
    {
        assert!(!object.remove(volatile).unwrap().is_null(), "{volatile}");
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&summary).unwrap(), @r#"
    {
      "activeClaimCount": 3,
      "alertCount": 0,
      "assetCount": 3,
      "badRowCount": 2,
      "changeCount": null,
      "claimCount": 4,
      "comparedWith": null,
      "criticalDisputeCount": 0,
      "dataUnits": null,
      "disputeCount": 1,
      "disputesApproximate": null,
      "disputesFrom": null,
      "dryRun": true,
      "error": null,
      "estimatedDeadlineCount": null,
      "exitCode": 3,
      "fetched": [],
      "heldBackCount": 0,
      "liveVideoCount": null,
      "madeUpWeeks": [],
      "mail": null,
      "missingWeeks": [],
      "newAlertCount": 5,
      "qualityCount": 5,
      "quarantineUris": [],
      "refusedCount": 0,
      "status": "partial",
      "unreadableDisputeCount": 0,
      "videoCount": 6,
      "week": "2020-01-06"
    }
    "#);
}

#[test]
fn a_report_that_was_not_given_is_null_and_an_empty_variable_counts_as_not_given() {
    let assets = fixture("asset_report/small.csv");
    let run = run(program(&["--json", "--assets", &assets])
        .env("CLAIM_REPORT_URI", "")
        .env("VIDEO_REPORT_URI", " "));
    assert_eq!(run.code, 3, "{}", run.stderr);
    let summary = summary(&run);
    for name in ["claimCount", "videoCount"] {
        assert_eq!(summary[name], Value::Null, "{name}");
    }
    assert_eq!(summary["assetCount"], 3);
}

#[test]
fn s06_a_packed_report_says_the_same_whatever_its_name() {
    let plain = fixture("claim_report/small.csv");
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("claims.csv");
    let mut encoder =
        flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::best());
    encoder.write_all(&std::fs::read(&plain).unwrap()).unwrap();
    encoder.finish().unwrap();
    let [plain, packed] = [PathBuf::from(plain), packed].map(|path| {
        let run = run(&mut program(&["--json", "--claims", path.to_str().unwrap()]));
        assert_eq!(run.code, 3, "{}", run.stderr);
        summary(&run)["sources"][1]["facts"].clone()
    });
    assert_eq!(plain["entries"], 4);
    assert_eq!(plain, packed);
}

#[test]
fn without_a_report_it_ends_with_2_and_names_every_setting() {
    let run = run(&mut program(&[]));
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    for name in ["--claims (CLAIM_REPORT_URI)", "--assets (ASSET_REPORT_URI)", "--videos (VIDEO_REPORT_URI)"]
    {
        assert!(run.stderr.contains(name), "{}", run.stderr);
    }
}

#[test]
fn v06_a_refused_report_ends_with_4_is_put_aside_and_names_file_line_column_and_remedy() {
    let basic = fixture("asset_report/basic_without_claims.csv");
    let pretty = run(&mut program(&["--log-format", "pretty", "--assets", &basic]));
    assert_eq!((pretty.code, pretty.stdout.as_str()), (4, ""), "{}", pretty.stderr);
    for part in [
        format!("{basic}:1"),
        "column \"active_claims\"".to_owned(),
        "Give the report content_owner_asset_a3.".to_owned(),
    ] {
        assert!(pretty.stderr.contains(&part), "{}", pretty.stderr);
    }
    let summary = summary(&run(&mut program(&["--json", "--assets", &basic])));
    let folder = Path::new(summary["quarantineUris"][0].as_str().unwrap()).to_owned();
    let json =
        |name: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap() };
    assert_eq!(json("reason.json")["kind"], "wrong_report_type");
    assert_eq!(json("reconciliation.json")["source"], "assets");
    assert_eq!(json("impact.json")["entries"], 0, "there is no week before");
    assert_eq!(std::fs::read(folder.join("report.csv")).unwrap(), std::fs::read(&basic).unwrap());
    assert_eq!(summary["files"], serde_json::json!({}), "no report is made");
}

#[test]
fn every_refused_report_is_told_at_once() {
    let basic = fixture("asset_report/basic_without_claims.csv");
    let cut_off = fixture("video_report/cut_off.csv");
    let run =
        run(&mut program(&["--json", "--assets", &basic, "--videos", &cut_off, "--claims", "/nowhere.csv"]));
    assert_eq!(run.code, 4, "{}", run.stderr);
    let error = summary(&run)["error"].as_str().unwrap().to_owned();
    for part in ["3 reports are refused", "active_claims", "stops inside row 5", "/nowhere.csv"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn s05_a_report_from_before_the_weeks_end_is_refused_with_the_days() {
    let assets = fixture("asset_report/small.csv");
    let run = run(program(&["--json", "--assets", &assets]).env("REPORT_WEEK", "2099-01-05"));
    assert_eq!(run.code, 4, "{}", run.stderr);
    let error = summary(&run)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("the week of 2099-01-05 ends on 2099-01-11"), "{error}");
}

#[test]
fn s03_a_report_that_is_not_there_ends_with_4_and_still_has_its_json() {
    let run = run(&mut program(&["--json", "--videos", "/nowhere/videos.csv"]));
    assert_eq!(run.code, 4, "{}", run.stderr);
    let summary = summary(&run);
    assert_eq!((&summary["status"], &summary["exitCode"]), (&Value::from("failed"), &Value::from(4)));
    let error = summary["error"].as_str().unwrap();
    assert!(error.contains("/nowhere/videos.csv") && error.contains("there is no such file"), "{error}");
}

#[test]
fn a_report_under_the_wrong_setting_is_named_for_what_it_is() {
    let claims = fixture("claim_report/small.csv");
    let run = run(&mut program(&["--log-format", "pretty", "--videos", &claims]));
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.stderr.contains("this looks like a claim report"), "{}", run.stderr);
}

#[test]
fn t07_a_platform_file_that_is_refused_leaves_a_report_without_it_and_3() {
    let folder = tempfile::tempdir().unwrap();
    let good = "date,platform,isrc,metric,value\n2026-11-22,spotify,USABC2600001,streams,5\n";
    std::fs::write(folder.path().join("spotify.csv"), good).unwrap();
    std::fs::write(folder.path().join("tiktok.csv"), "date,platform\n2026-11-16,tiktok\n").unwrap();
    let assets = folder.path().join("assets.csv");
    std::fs::write(&assets, "asset_id,active_claims,asset_type\nA000000000000001,1,WEB\n").unwrap();
    let analytics = tempfile::tempdir().unwrap();
    for name in ["spotify.csv", "tiktok.csv"] {
        std::fs::copy(folder.path().join(name), analytics.path().join(name)).unwrap();
    }
    let run = run(&mut program(&[
        "--json",
        "--assets",
        assets.to_str().unwrap(),
        "--analytics",
        analytics.path().to_str().unwrap(),
    ]));
    assert_eq!(run.code, 3, "{}", run.stderr);
    let summary = summary(&run);
    assert_eq!(summary["refusedCount"], 1);
    let states: Vec<(&str, &str)> = summary["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["state"].as_str().unwrap()))
        .filter(|(name, _)| name.contains(".csv"))
        .collect();
    assert_eq!(states, [("spotify.csv", "used"), ("tiktok.csv", "refused")]);
    let quality: Vec<Value> = serde_json::from_str(&file(&summary, "quality.json")).unwrap();
    assert!(
        quality.iter().any(|one| one["kind"] == "column_missing" && one["subject"]["id"] == "tiktok.csv"),
        "{quality:?}"
    );
}

#[test]
fn v16_hostile_values_stay_on_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.csv");
    let mut file = std::fs::File::create(&path).unwrap();
    writeln!(file, "claim_id,channel_id,claim_status,claim_type").unwrap();
    for n in 0..30 {
        writeln!(file, "c{n},UC\u{1b}[31m{n:017},\"A\u{1b}[31m\nB\",T").unwrap();
    }
    let told = run(&mut program(&["--log-format", "pretty", "--claims", path.to_str().unwrap()]));
    assert_eq!(told.code, 3, "{}", told.stderr);
    assert!(!told.stdout.contains('\u{1b}') && !told.stderr.contains("\u{1b}[31m0"), "{told:?}");
    assert!(told.stderr.matches("row rejected").count() <= 20, "{}", told.stderr);
}

/// A panel of a series that surges and one that does not.
const PANEL: &str =
    "series_id,group_id,w0,w1,w2,w3,w4,w5\nsteady,c,90,110,100,,95,105\nsurge,c,90,110,100,95,105,2000\n";

#[test]
fn a_backtest_writes_every_scored_cell_of_a_packed_panel_and_the_same_bytes_again() {
    let folder = tempfile::tempdir().unwrap();
    let (panel, alerts) = (folder.path().join("panel.csv.gz"), folder.path().join("alerts.csv"));
    let mut encoder =
        flate2::write::GzEncoder::new(std::fs::File::create(&panel).unwrap(), flate2::Compression::best());
    encoder.write_all(PANEL.as_bytes()).unwrap();
    encoder.finish().unwrap();
    let backtest = || {
        let (panel, alerts) = (panel.to_str().unwrap(), alerts.to_str().unwrap());
        let run = run(&mut program(&["backtest", "--panel", panel, "--alerts", alerts, "--json"]));
        assert_eq!(run.code, 0, "{}", run.stderr);
        (summary(&run), std::fs::read_to_string(alerts).unwrap())
    };
    let (summary, scores) = backtest();
    assert_eq!((&summary["cellCount"], &summary["seriesCount"]), (&Value::from(3), &Value::from(2)));
    let rows: Vec<&str> = scores.lines().collect();
    assert_eq!(rows[0], "series_id,week,score");
    let cells: Vec<&str> = rows[1..].iter().map(|row| row.rsplit_once(',').unwrap().0).collect();
    assert_eq!(cells, ["surge,4", "steady,5", "surge,5"]);
    let score = |row: &str| row.rsplit_once(',').unwrap().1.parse::<f32>().unwrap();
    assert!(score(rows[3]) > 1.5 && score(rows[2]) < 0.5, "{scores}");
    assert_eq!(backtest().1, scores);
}

#[test]
fn a_panel_with_a_cell_that_is_no_count_ends_with_4_names_the_cell_and_leaves_no_scores() {
    let folder = tempfile::tempdir().unwrap();
    let (panel, alerts) = (folder.path().join("panel.csv"), folder.path().join("alerts.csv"));
    std::fs::write(&panel, PANEL.replace("2000", "n/a")).unwrap();
    let (panel, alerts) = (panel.to_str().unwrap(), alerts.to_str().unwrap());
    let run =
        run(&mut program(&["backtest", "--panel", panel, "--alerts", alerts, "--log-format", "pretty"]));
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.stderr.contains(&format!("{panel}:3: column \"w5\": \"n/a\" is no count")), "{}", run.stderr);
    assert!(!Path::new(alerts).exists());
}
