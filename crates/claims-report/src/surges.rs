//! Videos and assets that are watched far beyond their habit, by the weeks of the history.

use std::collections::{BTreeSet, HashMap};

use dn_domain::claims::alert::{Alert, Kind, Subject};
use dn_domain::claims::links;
use dn_domain::claims::quality::Verdict;
use dn_domain::claims::snapshot::{Snapshot, Source};
use dn_domain::claims::viral::{Counting, Detector, GAP, Panel, draft, gains_of};
use dn_domain::claims::week::Week;
use dn_domain::number::Decimal;

use crate::history::{History, HistoryError, KeptWeek};

/// So many weeks are looked back: the same weeks of last year are among them.
const PAST_WEEKS: i32 = 104;

/// So many series at most are watched, those that are watched most: a panel of them and of 104 weeks is 100 MiB.
const MAX_SERIES: usize = 250_000;

/// How many new surges a week a reader can attend to, of ten thousand series.
const ALERTS_OF_TEN_THOUSAND: f32 = 2.0;

/// From so many more views than expected on anybody wants to hear of a surge.
const LEAST_EXCESS: f32 = 100.0;

/// What a series is of, this week.
struct Now {
    channel: String,
    title: String,
    /// A lifetime counter of a video, a week's count of an asset.
    count: u64,
}

/// What is watched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watched {
    Videos,
    Assets,
}

/// What the surges of a week are asked with.
pub(crate) struct Question<'a> {
    pub history: &'a History,
    /// The history's weeks.
    pub weeks: &'a [KeptWeek],
    pub verdict: &'a Verdict,
    pub rpm: Decimal,
    pub alert_budget: usize,
}

/// The surges of a week; none where its reports cannot be believed.
pub(crate) async fn surges(question: &Question<'_>, now: &Snapshot) -> anyhow::Result<Vec<Alert>> {
    let mut alerts = Vec::new();
    for (watched, source) in [(Watched::Videos, Source::Videos), (Watched::Assets, Source::Assets)] {
        if now.reports.contains_key(&source) && !question.verdict.suspect_reports.contains(&source) {
            alerts.extend(of_series(question, now, watched, source).await?);
        }
    }
    Ok(alerts)
}

async fn of_series(
    question: &Question<'_>,
    now: &Snapshot,
    watched: Watched,
    source: Source,
) -> anyhow::Result<Vec<Alert>> {
    let known = question.weeks.iter().filter(|kept| kept.week < now.week);
    let Some(first) = known.clone().map(|kept| kept.week).min() else { return Ok(Vec::new()) };
    // What was not believed is a gap.
    let believed: BTreeSet<Week> =
        known.filter(|kept| !kept.suspects.contains(&source)).map(|kept| kept.week).collect();
    let weeks: Vec<Week> = now.week.plus(-1).row_of(now.week.since(first).min(PAST_WEEKS)).collect();
    let current = current(now, watched);
    let suspects: BTreeSet<String> =
        question.verdict.suspect_channels.iter().map(ToString::to_string).collect();
    let asked = weeks.clone();
    let (panel, current) = question
        .history
        .ask(move |tables| {
            let mut panel = Panel::new(asked.len() + 1);
            let (mut counts, mut values) = (Vec::new(), Vec::new());
            let mut add = |id: &str, past: &mut dyn Iterator<Item = Option<u64>>| {
                let Some(now) = current.get(id) else { return };
                counts.clear();
                counts.extend(
                    asked.iter().zip(past).map(|(week, count)| count.filter(|_| believed.contains(week))),
                );
                counts.push(Some(now.count));
                match watched {
                    Watched::Videos => gains_of(&counts, &mut values),
                    Watched::Assets => {
                        values.clear();
                        values.extend(counts.iter().map(|count| count.map_or(GAP, |count| count as f32)));
                    }
                }
                panel.push(id, &now.channel, &values);
            };
            match watched {
                Watched::Videos => tables.video_series::<HistoryError>(&asked, |id, weeks| {
                    add(id, &mut weeks.iter().map(|week| week.and_then(|week| week.views)));
                    Ok(())
                })?,
                Watched::Assets => tables.asset_series::<HistoryError>(&asked, |id, weeks| {
                    add(
                        id,
                        &mut weeks
                            .iter()
                            .map(|week| week.and_then(|week| Some(week.daily_views?.saturating_mul(7)))),
                    );
                    Ok(())
                })?,
            }
            Ok((panel, current))
        })
        .await?;
    let (rpm, budget) = (question.rpm, question.alert_budget);
    let detected = tokio::task::spawn_blocking(move || {
        let series = panel.len() as f32;
        let a_week = (ALERTS_OF_TEN_THOUSAND * series / 10_000.0).max(1.0).min(budget as f32);
        let counting = match watched {
            Watched::Videos => Counting::Gained,
            Watched::Assets => Counting::Reported,
        };
        let mut detector = Detector::new(panel.groups(), counting, a_week);
        let Some(last) = panel.weeks().iter().map(|counts| detector.step(counts)).last() else {
            return Vec::new();
        };
        let monday =
            |number: u16| weeks.get(usize::from(number)).map(ToString::to_string).unwrap_or_default();
        let surged = last.alerts(|_| 1.0).into_iter().filter(|cell| cell.excess() >= LEAST_EXCESS);
        let surged = surged.filter_map(|cell| {
            let id = panel.id(cell.series);
            let now = current.get(id).filter(|now| !suspects.contains(&now.channel))?;
            let (kind, link) = match watched {
                Watched::Videos => ("video", links::video(id)),
                Watched::Assets => ("asset", links::asset(id)),
            };
            let subject = Subject::new(kind, id, now.title.clone());
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an excess is never below nought"
            )]
            let excess = cell.excess().round() as u64;
            let alert = draft(Kind::Viral, subject, "views", &last, cell, monday);
            Some(alert.worth(rpm.for_views(excess).rounded(2)).see(link))
        });
        surged.collect()
    });
    Ok(detected.await?)
}

/// This week's series: those that are watched most.
fn current(now: &Snapshot, watched: Watched) -> HashMap<String, Now> {
    let text = |text| now.text(text).to_owned();
    let mut all: Vec<(String, Now)> = match watched {
        Watched::Videos => now
            .videos
            .iter()
            .filter_map(|video| {
                let channel = now.channel_at(video.channel).map(|channel| channel.id.to_string());
                let entry = Now {
                    channel: channel.unwrap_or_default(),
                    title: text(video.title),
                    count: video.views.get()?,
                };
                Some((video.id.to_string(), entry))
            })
            .collect(),
        Watched::Assets => now
            .assets
            .iter()
            .filter(|asset| asset.is_reported)
            .filter_map(|asset| {
                let channel = asset.channel.map(|channel| channel.to_string()).unwrap_or_default();
                let count = asset.daily_views.get()?.saturating_mul(7);
                Some((asset.id.to_string(), Now { channel, title: text(asset.title), count }))
            })
            .collect(),
    };
    if all.len() > MAX_SERIES {
        all.sort_unstable_by(|(a, one), (b, other)| (other.count, a).cmp(&(one.count, b)));
        all.truncate(MAX_SERIES);
    }
    all.into_iter().collect()
}
