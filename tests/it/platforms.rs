//! Exports of other platforms, from S3 to the history.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dn_tests::{Run, root, run};
use serde_json::Value;

use crate::services::Services;

const WEEK: &str = "2026-11-16";
const ASSETS: &str = "asset_id,active_claims,asset_type\nA000000000000001,1,WEB\n";

/// The block of a language that stands so many blocks of it into the document about platforms.
fn block(language: &str, number: usize) -> String {
    let document = std::fs::read_to_string(root().join("docs/PLATFORMS.md")).unwrap();
    let rest = document.split(format!("```{language}\n").as_str()).nth(number).unwrap().to_owned();
    rest.split("```").next().unwrap().to_owned()
}

/// Every file below a folder of the state bucket, written anew.
fn put(services: &Services, folder: &str, files: &[(&str, String)]) {
    let folder = services.object(folder);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// A run over what lies in the bucket, and what the history has of the platforms after it.
async fn told(environment: &BTreeMap<String, String>) -> (Run, BTreeSet<String>) {
    let made = run("claims-report", environment, &["--json", "--week", WEEK]).await.unwrap();
    let out = tempfile::tempdir().unwrap();
    let to = out.path().display().to_string();
    let exported = run("claims-report", environment, &["history", "export", "--to", &to]).await.unwrap();
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let rows = std::fs::read_to_string(out.path().join("platform_week.csv")).unwrap();
    (made, rows.lines().skip(1).map(str::to_owned).collect())
}

#[tokio::test]
async fn t07_exports_in_s3_come_into_the_history_as_their_normal_form_would_and_an_unknown_one_stays_out() {
    let services = Services::start().await;
    let mut environment = services.sandbox.env();
    environment.remove("VIDEO_REPORT_URI");
    std::fs::write(services.object("assets.csv"), ASSETS).unwrap();
    for (name, value) in
        [("ASSET_REPORT_URI", "assets.csv"), ("ANALYTICS_URI", "analytics"), ("MAPPINGS_URI", "own")]
    {
        environment.insert(name.to_owned(), format!("s3://sandbox-state/{value}"));
    }
    put(&services, "own", &[("boomplay.toml", block("toml", 1)), ("README.txt", "no mapping".to_owned())]);
    let spotify = "song,isrc,listeners,streams,saves,release_date\nBlue,USABC2600001,3,1200,4,2020-01-01\n";
    put(
        &services,
        "analytics",
        &[
            ("boomplay-kw47.csv", block("csv", 1)),
            ("label-songs-2026-11-22.csv", format!("\u{feff}{spotify}")),
            ("radio.csv", "Sender,Einsätze\nx,1\n".to_owned()),
        ],
    );
    let (made, exports) = told(&environment).await;
    assert_eq!(made.code, Some(3), "{made:?}");
    let summary = made.summary().unwrap();
    let counts = (&summary["refusedCount"], &summary["badRowCount"]);
    assert_eq!(counts, (&Value::from(1), &Value::from(0)), "{}", made.stderr);
    let quarantine = summary["quarantineUris"][0].as_str().unwrap();
    let reason = std::fs::read_to_string(Path::new(quarantine).join("reason.json")).unwrap();
    assert!(reason.contains("no mapping knows it"), "{reason}");

    put(
        &services,
        "analytics",
        &[
            ("boomplay.csv", block("csv", 2)),
            (
                "spotify.csv",
                "date,platform,isrc,metric,value\n2026-11-16,spotify,USABC2600001,streams,1000\n\
                 2026-11-22,spotify,USABC2600001,streams,200\n2026-11-22,spotify,USABC2600001,saves,4\n"
                    .to_owned(),
            ),
        ],
    );
    let (made, normal) = told(&environment).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(exports, normal);
    assert!(exports.iter().any(|row| row.contains("boomplay,isrc,USABC2600001,streams,2202")), "{exports:?}");
    assert_eq!(exports.len(), 8, "{exports:?}");
}

#[tokio::test]
async fn a_faulty_mapping_in_s3_ends_the_run_with_2_and_is_named() {
    let services = Services::start().await;
    let mut environment = services.sandbox.env();
    environment.remove("VIDEO_REPORT_URI");
    std::fs::write(services.object("assets.csv"), ASSETS).unwrap();
    environment.insert("ASSET_REPORT_URI".to_owned(), "s3://sandbox-state/assets.csv".to_owned());
    environment.insert("MAPPINGS_URI".to_owned(), "s3://sandbox-state/own".to_owned());
    put(
        &services,
        "own",
        &[("boomplay.toml", block("toml", 1).replace("values = [\"Summe\"]", "values = []"))],
    );
    let made = run("claims-report", &environment, &["--json", "--week", WEEK]).await.unwrap();
    assert_eq!(made.code, Some(2), "{made:?}");
    let error = made.summary().unwrap()["error"].as_str().unwrap().to_owned();
    assert!(
        error.contains(
            "s3://sandbox-state/own/boomplay.toml:31: key \"leave_out.values\": it is empty. Name what stands"
        ),
        "{error}"
    );
}
