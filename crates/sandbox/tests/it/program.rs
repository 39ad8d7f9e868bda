//! The program itself.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dn-sandbox");

fn infra(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../infra").join(name)
}

#[test]
fn world_writes_the_two_input_files_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("world");
    let status = Command::new(PROGRAM)
        .args(["world", "--channels", "20", "--videos", "50", "--out"])
        .arg(&out)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let mut names: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["channels_customids.csv", "video_report_Indmusic_V_v1-3.csv"]);
    let rows = csv::Reader::from_path(out.join(&names[1])).unwrap().byte_records().count();
    assert_eq!(rows, 50);
}

#[test]
fn serve_prints_exports_alone_and_ends_when_it_is_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut serve = Command::new(PROGRAM)
        .args(["serve", "--channels", "2", "--videos", "5", "--weeks", "--dir"])
        .arg(dir.path())
        .arg("--workflow")
        .arg(infra("workflow.yaml"))
        .arg("--schema")
        .arg(infra("graphql/schema.graphql"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serve.stdout.take().unwrap()).lines();
    let mut names = Vec::new();
    // The names come in order, the rate behind them.
    while names.last().map(String::as_str) != Some("RATE_PER_SECOND") {
        let line = lines.next().unwrap().unwrap();
        let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
        assert!(value.starts_with('\'') && value.ends_with('\''), "{line}");
        names.push(name.to_owned());
    }
    for name in [
        "GRAPHQL_ENDPOINT",
        "AWS_ENDPOINT_URL_S3",
        "YOUTUBE_CREDENTIALS",
        "VIDEO_REPORT_URI",
        "STATE_URI",
        "CLAIM_REPORT_URI",
        "ANALYTICS_URI",
    ] {
        assert!(names.iter().any(|known| known == name), "{name} is missing: {names:?}");
    }
    let killed = Command::new("kill").args(["-TERM", &serve.id().to_string()]).status().unwrap();
    let weeks = dir.path().join("s3/youtube-reporting-main/claims");
    assert_eq!(fs::read_dir(weeks).unwrap().count(), 10);
    assert!(killed.success() && serve.wait().unwrap().success());
    assert!(lines.next().is_none());
}

#[test]
fn a_demonstration_that_misses_the_truth_says_so_and_fails() {
    let dir = tempfile::tempdir().unwrap();
    // Of the tasks there is one, which does nothing but leave a mark.
    let (tasks, mark) = (dir.path().join("tasks"), dir.path().join("mark"));
    fs::create_dir(&tasks).unwrap();
    let backfill = tasks.join("channelbackfill");
    fs::write(&backfill, format!("#!/bin/sh\necho > '{}'\nexit 2\n", mark.display())).unwrap();
    fs::set_permissions(&backfill, fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(PROGRAM)
        .args(["demo", "--channels", "2", "--videos", "5", "--dir"])
        .arg(dir.path().join("world"))
        .arg("--tasks")
        .arg(&tasks)
        .arg("--workflow")
        .arg(infra("workflow.yaml"))
        .arg("--schema")
        .arg(infra("graphql/schema.graphql"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(mark.exists(), "the task of that folder is run");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("THE TRUTH WAS MISSED") && said.contains("channelbackfill did not succeed"),
        "{said}"
    );
    assert!(said.contains("no event of the backfill started the cleanup"), "{said}");
    assert!(said.contains("claims-report for the week of"), "{said}");
    assert!(!said.contains("report.html"), "no page is promised that was not made");
    assert!(!said.contains('\u{1b}'), "no terminal escapes off a terminal");
}
