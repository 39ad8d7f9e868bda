//! The weekly report's page as its reader has it: in a browser, with an accessibility checker looking on.
//!
//! What the browser sees comes back as JSON from `tests/browser/look.mjs`; pictures and the print of each page are left
//! in `target/screenshots`, for people to look at.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use claims_report::render::begin;
use dn_domain::claims::digest::Digest;
use serde_json::Value;

#[path = "../../crates/claims-report/src/render/sample.rs"]
mod sample;

const SCRIPT: &str = include_str!("../browser/look.mjs");
const PACKAGE: &str = include_str!("../browser/package.json");
const LOCK: &str = include_str!("../browser/package-lock.json");

/// Where browsers with the engine that the script speaks to are installed.
const BROWSERS: [&str; 5] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/bin/google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// The ways of looking at a page that are told apart most.
const TWO_WAYS: &str = "light,phone";
const ALL_WAYS: &str = "light,dark,tablet,phone,phone-dark";

/// What the browser sees of weeks by name, in these ways of looking at their pages.
fn look(pages: &[(&str, &Digest, &str)]) -> Result<Vec<Value>> {
    let browser = BROWSERS
        .into_iter()
        .find(|path| Path::new(path).exists())
        .context("the page is tested in a browser: install one (Debian: chromium)")?;
    let target = dn_tests::programs()?.parent().context("the build folder")?.to_owned();
    let folder = install(&target)?;
    let out = target.join("screenshots");
    fs::create_dir_all(&out)?;
    let mut node = Command::new("node");
    node.arg("look.mjs").arg(browser).arg(&out).current_dir(&folder).stderr(Stdio::inherit());
    for (name, digest, ways) in pages {
        for (file, bytes) in begin(&[])?.finish(digest)? {
            let (path, ways) = match file {
                "report.html" => (out.join(format!("{name}.html")), *ways),
                "email.html" => (out.join(format!("{name}-mail.html")), TWO_WAYS),
                _ => continue,
            };
            fs::write(&path, bytes)?;
            node.arg(format!("{}@{ways}", path.display()));
        }
    }
    let output = node.stdin(Stdio::null()).output().context("node")?;
    ensure!(output.status.success(), "the browser could not be asked: {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The folder with the script and its packages, installed below the build folder by the first test that asks.
fn install(target: &Path) -> Result<PathBuf> {
    let folder = target.join("browser");
    let mark = folder.join("installed");
    // Another test run may be at it; the lock goes with the file.
    let lock = File::create(target.join("browser.lock"))?;
    lock.lock()?;
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("look.mjs"), SCRIPT)?;
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == LOCK) {
        return Ok(folder);
    }
    fs::write(folder.join("package.json"), PACKAGE)?;
    fs::write(folder.join("package-lock.json"), LOCK)?;
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&folder);
    let output = npm.stdin(Stdio::null()).output().context("npm, which comes with Node")?;
    ensure!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
    fs::write(mark, LOCK)?;
    Ok(folder)
}

fn is_empty(seen: &Value, key: &str) -> bool {
    seen[key].as_array().is_some_and(Vec::is_empty)
}

#[test]
fn t08_the_page_loads_nothing_runs_nothing_and_is_readable_by_everybody_on_every_screen() {
    let (busy, _) = sample::busy();
    let (first, empty) = (sample::first(), sample::empty());
    let seen =
        look(&[("busy", &busy, ALL_WAYS), ("first", &first, TWO_WAYS), ("empty", &empty, TWO_WAYS)]).unwrap();
    assert_eq!(seen.len(), 5 + 2 + 2 + 3 * 2, "the pages of three weeks and their mails");
    for seen in &seen {
        let name = format!("{} {}", seen["page"], seen["way"]);
        let is_mail = seen["page"].as_str().unwrap().ends_with("-mail");
        assert!(is_empty(seen, "requests"), "{name} loads {}", seen["requests"]);
        assert!(is_empty(seen, "console"), "{name} says {}", seen["console"]);
        assert_eq!(seen["scripts"], 0, "{name}: nothing that runs or sends");
        let width = seen["width"].as_i64().unwrap();
        assert!(seen["scrollWidth"].as_i64().unwrap() <= width, "{name}: too wide: {}", seen["tooWide"]);
        assert!(is_empty(seen, "deadAnchors") && is_empty(seen, "doubledIds"), "{name}: {seen}");
        assert_eq!(seen["namelessCharts"], 0, "{name}");
        let findings = seen["findings"].as_array().unwrap();
        let grave = |finding: &&Value| matches!(finding["impact"].as_str(), Some("serious" | "critical"));
        let grave: Vec<&Value> = findings.iter().filter(grave).collect();
        assert!(grave.is_empty(), "{name}: {grave:#?}");
        assert!(seen["passes"].as_u64().unwrap() > 10, "{name}: the checker looked at {}", seen["passes"]);
        for link in seen["links"].as_array().unwrap() {
            let link = link.as_str().unwrap();
            let hosts = ["https://studio.youtube.com/", "https://www.youtube.com/"];
            assert!(hosts.iter().any(|host| link.starts_with(host)), "{name} leads to {link}");
        }
        let charts = seen["charts"].as_u64().unwrap();
        assert!(if is_mail { charts == 0 } else { charts >= 3 }, "{name} has {charts} charts");
    }
    let of =
        |page: &str, way: &str| seen.iter().find(|seen| seen["page"] == page && seen["way"] == way).unwrap();
    assert_ne!(of("busy", "light")["background"], of("busy", "dark")["background"], "dark is dark");
    for page in ["busy", "first", "empty"] {
        let print = &of(page, "light")["print"];
        let sizes: Vec<f64> = print["box"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        let is_a4 = (sizes[2] - 595.0).abs() < 1.5 && (sizes[3] - 842.0).abs() < 1.5;
        assert!(is_a4, "{page} is printed on {sizes:?}");
        assert!((1..=30).contains(&print["pages"].as_u64().unwrap()), "{page}: {print}");
    }
}
