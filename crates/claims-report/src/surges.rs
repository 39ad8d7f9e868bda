//! Videos and assets that are watched far beyond their habit, by the weeks of the history.

use std::collections::BTreeSet;

use dn_domain::claims::alert::{Alert, Kind, Subject};
use dn_domain::claims::links;
use dn_domain::claims::quality::{Departed, Verdict};
use dn_domain::claims::snapshot::{Snapshot, Source};
use dn_domain::claims::viral::{Cell, Counting, Detector, GAP, Panel, draft, gains_of};
use dn_domain::claims::week::Week;
use dn_domain::id::{AssetId, ChannelId, VideoId};
use dn_domain::number::Decimal;

use crate::history::{History, HistoryError, KeptWeek};

/// So many weeks are looked back: the same weeks of last year are among them.
const PAST_WEEKS: i32 = 104;

/// So many series at most are watched, those that are watched most: a panel of them and of 104 weeks is 40 MiB.
pub(crate) const MAX_SERIES: usize = 100_000;

/// How many new surges a week a reader can attend to, of ten thousand series.
const ALERTS_OF_TEN_THOUSAND: f32 = 2.0;

/// From so many more views than expected on anybody wants to hear of a surge.
pub(crate) const LEAST_EXCESS: f32 = 100.0;

/// A series this week, in as few bytes as there may be a million of them.
#[derive(Clone, Copy)]
struct Now {
    /// Its channel.
    channel: Option<ChannelId>,
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

/// What is found in the series of a week.
#[derive(Debug, Default)]
pub(crate) struct Surges {
    /// What is watched far beyond its habit.
    pub alerts: Vec<Alert>,
    /// Whole reports and channels that stand off theirs: no surges.
    pub departed: Vec<Departed>,
}

/// The surges of a week; none where its reports cannot be believed.
pub(crate) async fn surges(question: &Question<'_>, now: &Snapshot) -> anyhow::Result<Surges> {
    let mut surges = Surges::default();
    for (watched, source) in [(Watched::Videos, Source::Videos), (Watched::Assets, Source::Assets)] {
        if now.reports.contains_key(&source) && !question.verdict.suspect_reports.contains(&source) {
            of_series(question, now, watched, source, &mut surges).await?;
        }
    }
    Ok(surges)
}

async fn of_series(
    question: &Question<'_>,
    now: &Snapshot,
    watched: Watched,
    source: Source,
    surges: &mut Surges,
) -> anyhow::Result<()> {
    let known = question.weeks.iter().filter(|kept| kept.week < now.week);
    let Some(first) = known.clone().map(|kept| kept.week).min() else { return Ok(()) };
    // What was not believed is a gap.
    let believed: BTreeSet<Week> =
        known.filter(|kept| !kept.suspects.contains(&source)).map(|kept| kept.week).collect();
    let weeks: Vec<Week> = now.week.plus(-1).row_of(now.week.since(first).min(PAST_WEEKS)).collect();
    let mut current = current(now, watched).into_iter().peekable();
    let asked = weeks.clone();
    let panel = question
        .history
        .ask(move |tables| {
            let mut panel = Panel::new(asked.len() + 1);
            let (mut counts, mut values) = (Vec::new(), Vec::new());
            let mut add = |id: &str, past: &mut dyn Iterator<Item = Option<u64>>| {
                // Both come in the order of ids.
                while current.next_if(|(other, _)| **other < *id).is_some() {}
                let Some((_, now)) = current.next_if(|(other, _)| **other == *id) else { return };
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
                panel.push(id, now.channel.as_ref().map_or("", ChannelId::as_str), &values);
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
            Ok(panel)
        })
        .await?;
    let budget = question.alert_budget;
    let detected = tokio::task::spawn_blocking(move || {
        let a_week = alerts_a_week(panel.len(), budget);
        let counting = match watched {
            Watched::Videos => Counting::Gained,
            Watched::Assets => Counting::Reported,
        };
        let mut detector = Detector::new(panel.groups(), counting, a_week);
        let last = panel.weeks().iter().map(|counts| detector.step(counts)).last();
        let told =
            last.iter().flat_map(|last| last.alerts(|_| 1.0)).filter(|cell| cell.excess() >= LEAST_EXCESS);
        let told: Vec<(String, Cell)> = told.map(|cell| (panel.id(cell.series).to_owned(), *cell)).collect();
        let departures = last.iter().flat_map(|last| &last.departures);
        let departed: Vec<Departed> = departures
            .map(|departure| Departed {
                source,
                channel: departure.group.and_then(|group| ChannelId::parse(panel.group_id(group)).ok()),
                departure: *departure,
            })
            .collect();
        (last, told, departed)
    });
    let (last, told, departed) = detected.await?;
    surges.departed.extend(departed);
    let Some(last) = last else { return Ok(()) };
    let monday = |number: u16| weeks.get(usize::from(number)).map(ToString::to_string).unwrap_or_default();
    let alerts = told.iter().filter_map(|(id, cell)| {
        let (subject, channel, link) = subject(now, watched, id)?;
        let is_suspect = channel.is_some_and(|channel| question.verdict.suspect_channels.contains(&channel));
        if is_suspect {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an excess is never below nought"
        )]
        let excess = cell.excess().round() as u64;
        let alert = draft(Kind::Viral, subject, "views", &last, cell, monday);
        Some(alert.worth(question.rpm.for_views(excess).rounded(2)).see(link))
    });
    surges.alerts.extend(alerts);
    Ok(())
}

/// How many new surges a week are told of so many series, within the budget of a run.
pub(crate) fn alerts_a_week(series: usize, budget: usize) -> f32 {
    (ALERTS_OF_TEN_THOUSAND * series as f32 / 10_000.0).max(1.0).min(budget as f32)
}

/// What a series is of: for people, with its channel and where to look.
fn subject(now: &Snapshot, watched: Watched, id: &str) -> Option<(Subject, Option<ChannelId>, String)> {
    match watched {
        Watched::Videos => {
            let video = VideoId::parse(id).ok()?;
            let place = now.videos.binary_search_by_key(&video, |video| video.id).ok()?;
            let video = now.videos.get(place)?;
            let channel = now.channel_at(video.channel).map(|channel| channel.id);
            Some((Subject::new("video", id, now.text(video.title)), channel, links::video(id)))
        }
        Watched::Assets => {
            let asset = now.asset(AssetId::parse(id).ok()?)?;
            Some((Subject::new("asset", id, now.text(asset.title)), asset.channel, links::asset(id)))
        }
    }
}

/// This week's series: those that are watched most, in the order of their ids.
fn current(now: &Snapshot, watched: Watched) -> Vec<(Box<str>, Now)> {
    let videos = || now.videos.iter().filter_map(|video| Some((video, video.views.get()?)));
    let assets = || {
        let reported = now.assets.iter().filter(|asset| asset.is_reported);
        reported.filter_map(|asset| Some((asset, asset.daily_views.get()?.saturating_mul(7))))
    };
    let mut counts: Vec<u64> = match watched {
        Watched::Videos => videos().map(|(_, count)| count).collect(),
        Watched::Assets => assets().map(|(_, count)| count).collect(),
    };
    // The count below which a series is not among those that are watched most.
    let least = if counts.len() > MAX_SERIES {
        let place = counts.len() - MAX_SERIES;
        let (_, least, _) = counts.select_nth_unstable(place);
        *least
    } else {
        0
    };
    drop(counts);
    match watched {
        Watched::Videos => videos()
            .filter(|(_, count)| *count >= least)
            .map(|(video, count)| {
                let channel = now.channel_at(video.channel).map(|channel| channel.id);
                (video.id.as_str().into(), Now { channel, count })
            })
            .take(MAX_SERIES)
            .collect(),
        Watched::Assets => assets()
            .filter(|(_, count)| *count >= least)
            .map(|(asset, count)| (asset.id.as_str().into(), Now { channel: asset.channel, count }))
            .take(MAX_SERIES)
            .collect(),
    }
}
