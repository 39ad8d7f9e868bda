//! Whole channels and reports that stand off their habit, which sums and lifetime counters do not show.

use std::fmt::Write as _;

use dn_sandbox::WorldBuilder;
use dn_tests::{Rehearsal, run};
use serde_json::Value;

const CHANNELS: u64 = 8;
const VIDEOS: u64 = 15;
/// So many weeks it takes until a channel has a habit: eight for those of its videos, and four weeks of these.
const WEEKS: i32 = 14;

fn channel(number: u64) -> String {
    format!("UC{number:022}")
}

/// Views that a video gains in an ordinary week: each its own, and never quite the same.
fn gain(video: u64, week: i32) -> u64 {
    1_000 + video * 10 + (video * 7 + u64::from(week.unsigned_abs()) * 13) % 50
}

/// The quality findings and the surges after ordinary weeks and a last one whose gains are changed.
async fn found(change: impl Fn(u64, u64) -> u64) -> (Vec<Value>, Vec<Value>) {
    let rehearsal = Rehearsal::of(WorldBuilder::new()).await.unwrap();
    let path = rehearsal.directory().join("videos.csv");
    let mut environment = rehearsal.environment();
    environment.insert("VIDEO_REPORT_URI".to_owned(), path.display().to_string());
    let monday: jiff::civil::Date = "2020-01-06".parse().unwrap();
    let mut views = vec![100_000; usize::try_from(CHANNELS * VIDEOS).unwrap()];
    let mut last = Value::Null;
    for week in 0..WEEKS {
        let mut text =
            "video_id,channel_id,channel_display_name,video_title,time_published,views,asset_id,custom_id\n"
                .to_owned();
        for (video, views) in (0..).zip(&mut views) {
            let ordinary = gain(video, week);
            *views += if week + 1 == WEEKS { change(video / VIDEOS, ordinary) } else { ordinary };
            writeln!(
                text,
                "v{video:010},{},Name,Title,2015-01-01,{views},A{video:015},label",
                channel(video / VIDEOS)
            )
            .unwrap();
        }
        std::fs::write(&path, text).unwrap();
        let monday = monday.saturating_add(jiff::Span::new().weeks(week)).to_string();
        let run = run("claims-report", &environment, &["--json", "--week", &monday]).await.unwrap();
        assert_eq!(run.code, Some(0), "{run:?}");
        last = run.summary().unwrap();
    }
    let read = |name: &str| {
        let text = std::fs::read_to_string(last["files"][name].as_str().unwrap()).unwrap();
        let alerts: Vec<Value> = serde_json::from_str(&text).unwrap();
        let open =
            alerts.into_iter().filter(|alert| alert["state"] != "resolved" && alert["severity"] != "info");
        open.collect()
    };
    (read("quality.json"), read("alerts.json"))
}

/// Kind and subject of each.
fn told(alerts: &[Value]) -> Vec<(&str, &str)> {
    alerts.iter().map(|one| (one["kind"].as_str().unwrap(), one["subject"]["id"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_has_three_times_its_week_at_once_is_a_finding_about_the_data_and_no_surge() {
    let tripled = channel(3);
    let (quality, alerts) = found(|channel, gain| if channel == 3 { gain * 3 } else { gain }).await;
    assert_eq!(told(&quality), [("channel_doubled", tripled.as_str())], "{quality:#?}");
    let factor = quality[0]["evidence"]["factor"].as_f64().unwrap();
    assert!((2.8..3.2).contains(&factor), "{quality:#?}");
    assert!(!told(&alerts).iter().any(|(kind, _)| *kind == "viral"), "{alerts:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_with_a_third_of_the_weeks_views_is_partial_and_channels_are_not_named_besides() {
    let (quality, alerts) = found(|_, gain| gain / 3).await;
    assert_eq!(told(&quality), [("report_partial", "video report")], "{quality:#?}");
    assert_eq!(told(&alerts), [], "{alerts:#?}");
}
