//! The viral detector before the sandbox's panels: real programs over files, and what faults of the reports cause.

use std::collections::{BTreeMap, HashMap};

use dn_domain::claims::viral::{Counting, Detector, GAP};
use dn_sandbox::panel::{Panel, PanelOptions, Scope, Truth, generate};
use dn_tests::run;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_backtest_writes_finds_planted_surges_in_reports_that_come_badly() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (panel, truth, alerts) = (path("panel.csv"), path("panel.truth.csv"), path("alerts.csv"));
    let environment: BTreeMap<String, String> = [
        ("STATE_URI".to_owned(), path("state")),
        ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
    ]
    .into();
    let done = async |program: &str, arguments: &[&str]| {
        let run = run(program, &environment, arguments).await.unwrap();
        assert_eq!(run.code, Some(0), "{program}: {}", run.stderr);
        run.stdout
    };
    let size = ["--seed", "5", "--series", "3000", "--weeks", "60", "--faults"];
    done("dn-sandbox", &[&["panel", "--out", &panel][..], &size].concat()).await;
    done("claims-report", &["backtest", "--panel", &panel, "--alerts", &alerts]).await;
    let score =
        done("dn-sandbox", &["score-panel", "--panel", &panel, "--alerts", &alerts, "--truth", &truth]).await;
    let score: Value = serde_json::from_str(&score).unwrap();
    let at_least = |key: &str, least: f64| assert!(score[key].as_f64().unwrap() >= least, "{key}: {score}");
    at_least("surges", 70.0);
    // Chance has some 0.001; the plain ratio of a week to the weeks before it 0.35.
    at_least("averagePrecision", 0.55);
    at_least("recallAt1", 0.4);
}

#[test]
fn neither_a_report_nor_a_channel_that_comes_badly_causes_an_alert() {
    for (seed, young) in [(1, false), (2, false), (3, true)] {
        let options = PanelOptions { seed, series: 2_500, weeks: 60, young, faults: false };
        let clean = scores(&generate(&options).0);
        let (panel, truth) = generate(&PanelOptions { faults: true, ..options });
        let struck = scores(&panel);
        let caused: Vec<_> = struck
            .iter()
            .filter(|(at, score)| **score > THRESHOLD && is_struck(&panel, &truth, **at))
            .filter(|((series, week), _)| !is_surge_of_its_own(&truth, *series, *week))
            // The surge of a week that is lost shows in the next; a late one with both weeks in it is a large one.
            .filter(|((series, week), _)| {
                let near = (week - 1..=week + 1).filter_map(|week| clean.get(&(*series, week)));
                near.fold(f32::MIN, |most, score| most.max(*score)) < THRESHOLD - 0.1
            })
            .collect();
        let faults = truth.notes.iter().filter(|note| note.is_fault()).count();
        assert!(faults > 5 && caused.is_empty(), "seed {seed}, {faults} faults: {caused:?}");
    }
}

/// What about one in 10,000 series a week is above, of these panels.
const THRESHOLD: f32 = 1.1;

/// The score of every cell, by series and week.
fn scores(panel: &Panel) -> HashMap<(usize, usize), f32> {
    let groups: Vec<Option<u32>> =
        panel.channels.iter().map(|channel| u32::try_from(*channel).ok()).collect();
    let mut detector = Detector::new(&groups, Counting::Reported, 1.0);
    let mut scores = HashMap::new();
    for week in 0..panel.counts[0].len() {
        let counts: Vec<f32> =
            panel.counts.iter().map(|of| of[week].map_or(GAP, |count| count as f32)).collect();
        scores.extend(detector.step(&counts).cells.iter().map(|cell| ((cell.series, week), cell.score)));
    }
    scores
}

fn is_struck(panel: &Panel, truth: &Truth, (series, week): (usize, usize)) -> bool {
    let channel = Panel::channel_id(panel.channels[series]);
    let faults = truth.notes.iter().filter(|note| note.is_fault() && (note.from..=note.to).contains(&week));
    faults.into_iter().any(|note| note.scope == Scope::Report || note.id == channel)
}

/// Whether the series surges there, or is a song that returns: what is told of it is no fault's doing.
fn is_surge_of_its_own(truth: &Truth, series: usize, week: usize) -> bool {
    let id = Panel::series_id(series);
    let own = truth.notes.iter().filter(|note| note.scope == Scope::Series && note.id == id);
    own.into_iter()
        .filter(|note| note.is_surge() || note.kind == "each_year")
        .any(|note| note.from <= week + 1 && week <= note.to + 1)
}
