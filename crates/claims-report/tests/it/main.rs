//! The program as its users meet it: files in, counts on stdout, messages and the exit code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

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
    command.env("DRY_RUN", "true").env("STATE_URI", STATE.path());
    command
}

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
fn counts_all_three_reports_and_says_nothing_else_on_stdout() {
    let [claims, assets, videos] = all_three();
    let run = run(&mut program(&["--claims", &claims, "--assets", &assets, "--videos", &videos]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text =
        run.stdout.replace(&claims, "[claims]").replace(&assets, "[assets]").replace(&videos, "[videos]");
    let (text, last) = text.trim_end().rsplit_once('\n').unwrap();
    assert!(last.starts_with("run 2") && last.ends_with(" s"), "{last}");
    insta::assert_snapshot!(text, @r#"
    claim report [claims]: claims 4, rows passed over 1
      by status:
        ACTIVE            2
        INACTIVE          1
        PENDING           1
      by type:
        AUDIO                       2
        AUDIOVISUAL                 1
        DESCRIPTIVE_SEARCH          1
      by channel:
        UCalpha00000000000000000          2
        UCbravo00000000000000000          2
    asset report [assets]: assets 3, active claims 3, rows passed over 1
      by type:
        SOUND_RECORDING          2
        WEB                      1
    video report [videos]: rows 6, rows with an asset 5, rows passed over 0
      by channel:
        UCbravo00000000000000000          3
        UCalpha00000000000000000          2
        UCdelta00000000000000000          1
    "#);
}

#[test]
fn the_json_has_every_key_and_the_same_counts() {
    let [claims, assets, videos] = all_three();
    let run = run(program(&["--json"])
        .env("CLAIM_REPORT_URI", &claims)
        .env("ASSET_REPORT_URI", &assets)
        .env("VIDEO_REPORT_URI", &videos));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut summary = summary(&run);
    for name in ["claims", "assets", "videos"] {
        let source = summary[name].as_object_mut().unwrap();
        for volatile in ["uri", "etag", "modified"] {
            assert!(source.remove(volatile).unwrap().is_string(), "{name}.{volatile}");
        }
    }
    for volatile in ["durationMs", "timestamp", "runId", "summaryUri"] {
        assert!(!summary.as_object_mut().unwrap().remove(volatile).unwrap().is_null(), "{volatile}");
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&summary).unwrap(), @r#"
    {
      "activeClaimCount": 3,
      "assetCount": 3,
      "assets": {
        "activeClaimCount": 3,
        "assetCount": 3,
        "badRowCount": 1,
        "byType": {
          "SOUND_RECORDING": 2,
          "WEB": 1
        },
        "sizeBytes": 243
      },
      "badRowCount": 2,
      "claimCount": 4,
      "claims": {
        "badRowCount": 1,
        "byChannel": {
          "UCalpha00000000000000000": 2,
          "UCbravo00000000000000000": 2
        },
        "byStatus": {
          "ACTIVE": 2,
          "INACTIVE": 1,
          "PENDING": 1
        },
        "byType": {
          "AUDIO": 2,
          "AUDIOVISUAL": 1,
          "DESCRIPTIVE_SEARCH": 1
        },
        "claimCount": 4,
        "sizeBytes": 584
      },
      "dryRun": true,
      "error": null,
      "exitCode": 0,
      "fetched": null,
      "status": "success",
      "videoRowCount": 6,
      "videos": {
        "badRowCount": 0,
        "byChannel": {
          "UCalpha00000000000000000": 2,
          "UCbravo00000000000000000": 3,
          "UCdelta00000000000000000": 1
        },
        "byStatus": {},
        "byType": {},
        "rowCount": 6,
        "rowsWithAssetCount": 5,
        "sizeBytes": 594
      },
      "week": null
    }
    "#);
}

#[test]
fn a_report_that_was_not_given_is_null_and_an_empty_variable_counts_as_not_given() {
    let assets = fixture("asset_report/small.csv");
    let run = run(program(&["--json", "--assets", &assets])
        .env("CLAIM_REPORT_URI", "")
        .env("VIDEO_REPORT_URI", " "));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let summary = summary(&run);
    for name in ["claims", "videos", "claimCount", "videoRowCount"] {
        assert_eq!(summary[name], Value::Null, "{name}");
    }
    assert_eq!(summary["assets"]["assetCount"], 3);
}

#[test]
fn s06_a_packed_report_counts_the_same_whatever_its_name() {
    let plain = fixture("claim_report/small.csv");
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("claims.csv");
    let mut encoder =
        flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::best());
    encoder.write_all(&std::fs::read(&plain).unwrap()).unwrap();
    encoder.finish().unwrap();
    let [plain, packed] = [PathBuf::from(plain), packed].map(|path| {
        let run = run(&mut program(&["--json", "--claims", path.to_str().unwrap()]));
        assert_eq!(run.code, 0, "{}", run.stderr);
        summary(&run)["claims"].clone()
    });
    assert_eq!(plain["claimCount"], 4);
    for key in ["claimCount", "badRowCount", "byStatus", "byType", "byChannel"] {
        assert_eq!(plain[key], packed[key], "{key}");
    }
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
fn v06_a_refused_report_ends_with_4_and_names_file_line_column_and_remedy() {
    let basic = fixture("asset_report/basic_without_claims.csv");
    let run = run(&mut program(&["--log-format", "pretty", "--assets", &basic]));
    assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{}", run.stderr);
    for part in [
        format!("{basic}:1"),
        "column \"active_claims\"".to_owned(),
        "Give the report content_owner_asset_a3.".to_owned(),
    ] {
        assert!(run.stderr.contains(&part), "{}", run.stderr);
    }
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
fn v16_hostile_values_stay_on_their_line_and_a_long_table_is_cut_in_the_text_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.csv");
    let mut file = std::fs::File::create(&path).unwrap();
    writeln!(file, "claim_id,channel_id,claim_status,claim_type").unwrap();
    for n in 0..30 {
        writeln!(file, "c{n},UC{n:022},\"A\u{1b}[31m\nB\",T").unwrap();
    }
    let path = path.to_str().unwrap();
    let told = run(&mut program(&["--claims", path]));
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(!told.stdout.contains('\u{1b}'), "{:?}", told.stdout);
    assert!(told.stdout.contains("by channel, the first 20 of 30:"), "{}", told.stdout);
    assert_eq!(told.stdout.matches("UC00").count(), 20);
    let json = summary(&run(&mut program(&["--json", "--claims", path])));
    assert_eq!(json["claims"]["byChannel"].as_object().unwrap().len(), 30);
}
