//! Today's numbers beside the week's: which videos an alert is about, and what is said of them once somebody has asked.
//!
//! A report is some days old when it is read, and what surges does not wait. The live numbers stand in an alert's
//! evidence and nowhere else: what an alert is, how grave, and whether it is news never depends on them, so that the same
//! week told twice tells the same.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::alert::{Alert, Kind, State};
use super::snapshot::{Snapshot, VideoState};
use crate::id::{AssetId, VideoId};

/// Of an asset so many videos are asked for: those that were watched most in the week.
pub const VIDEOS_PER_ASSET: usize = 3;

const VIEWS: &str = "liveViews";
const GAINED: &str = "liveGained";
const LIKES: &str = "liveLikes";
const COMMENTS: &str = "liveComments";
const GONE: &str = "liveGone";
const AS_OF: &str = "liveAsOf";
const VIDEOS: &str = "liveVideos";

/// The videos that an alert is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The alert's id.
    pub alert: String,
    /// The videos, those watched most first.
    pub videos: Vec<WantedVideo>,
}

/// A video that an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedVideo {
    /// The video.
    pub id: VideoId,
    /// Its lifetime views at the end of the week.
    pub reported: Option<u64>,
}

/// A video's lifetime counters of today; none where YouTube does not show them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Views.
    pub views: Option<u64>,
    /// Likes.
    pub likes: Option<u64>,
    /// Comments.
    pub comments: Option<u64>,
}

/// What became of a video that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// The public can watch it.
    There(Numbers),
    /// It was deleted or is private.
    Gone,
}

/// Which videos the alerts are about that live on today's numbers, in the order of the alerts.
pub fn wanted(alerts: &[Alert], now: &Snapshot, before: Option<&Snapshot>) -> Vec<Wanted> {
    let of_interest = alerts.iter().filter(|alert| {
        let kinds = [Kind::Viral, Kind::EngagementSpike, Kind::CrossPlatform, Kind::ClaimsAhead];
        alert.state != State::Resolved && kinds.contains(&alert.kind)
    });
    let of_interest: Vec<&Alert> = of_interest.collect();
    let of_asset = |alert: &&Alert| {
        let id =
            Some(&alert.subject).filter(|subject| subject.kind == "asset")?.id.parse::<AssetId>().ok()?;
        let place = now.assets.binary_search_by_key(&id, |asset| asset.id).ok()?;
        u32::try_from(place).ok()
    };
    let mut watched: BTreeMap<u32, Vec<Watched>> =
        of_interest.iter().filter_map(of_asset).map(|asset| (asset, Vec::new())).collect();
    if !watched.is_empty() {
        for video in &now.videos {
            if let Some(most) = video.asset.and_then(|asset| watched.get_mut(&asset)) {
                keep(most, Watched::of(video, before));
            }
        }
    }
    let videos = |alert: &&Alert| {
        if alert.subject.kind == "video" {
            let id: VideoId = alert.subject.id.parse().ok()?;
            let reported = find(now, id).and_then(|video| video.views.get());
            return Some(vec![WantedVideo { id, reported }]);
        }
        let most = watched.get(&of_asset(alert)?)?;
        Some(most.iter().map(|one| WantedVideo { id: one.id, reported: one.views }).collect())
    };
    of_interest
        .iter()
        .filter_map(|alert| Some(Wanted { alert: alert.id.clone(), videos: videos(alert)? }))
        .filter(|wanted| !wanted.videos.is_empty())
        .collect()
}

/// A video of an asset, by how much it was watched.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Watched {
    /// In the week; none where the week before does not tell.
    gain: Option<u64>,
    views: Option<u64>,
    id: VideoId,
}

impl Watched {
    fn of(video: &VideoState, before: Option<&Snapshot>) -> Self {
        let was = before.and_then(|before| find(before, video.id)).and_then(|was| was.views.get());
        let views = video.views.get();
        // One that was not there the week before has gained all it has.
        let gain = match (views, was, before) {
            (Some(views), Some(was), _) => views.checked_sub(was),
            (Some(views), None, Some(_)) => Some(views),
            _ => None,
        };
        Self { gain, views, id: video.id }
    }
}

/// Keeps the first few by what the week brought, then by all they have.
fn keep(most: &mut Vec<Watched>, one: Watched) {
    let order = |one: &Watched| (Reverse(one.gain), Reverse(one.views), one.id);
    let place = most.partition_point(|known| order(known) < order(&one));
    if place < VIDEOS_PER_ASSET {
        most.truncate(VIDEOS_PER_ASSET - 1);
        most.insert(place, one);
    }
}

fn find(week: &Snapshot, id: VideoId) -> Option<&VideoState> {
    let place = week.videos.binary_search_by_key(&id, |video| video.id).ok()?;
    week.videos.get(place)
}

/// Puts today's numbers into the evidence of an alert: sums over its videos, each of them only where every video that is
/// left tells it. Nothing is put there where nothing was answered.
pub fn put(alert: &mut Alert, videos: &[WantedVideo], found: &BTreeMap<VideoId, Live>, as_of: &str) {
    let answered: Vec<(&WantedVideo, Live)> =
        videos.iter().filter_map(|video| Some((video, *found.get(&video.id)?))).collect();
    let there: Vec<(&WantedVideo, Numbers)> = answered
        .iter()
        .filter_map(|(video, live)| match live {
            Live::There(numbers) => Some((*video, *numbers)),
            Live::Gone => None,
        })
        .collect();
    let evidence = &mut alert.evidence;
    if answered.is_empty() {
        return;
    }
    evidence.insert(AS_OF.to_owned(), as_of.into());
    if alert.subject.kind != "video" {
        let each = answered.iter().map(|(video, live)| each(video.id, *live)).collect();
        evidence.insert(VIDEOS.to_owned(), Value::Array(each));
    }
    if there.is_empty() {
        // Of a video that nobody answered for nothing is known.
        if answered.len() == videos.len() {
            evidence.insert(GONE.to_owned(), true.into());
        }
        return;
    }
    let sum = |of: fn(&Numbers) -> Option<u64>| -> Option<u64> {
        there.iter().try_fold(0_u64, |sum, (_, numbers)| sum.checked_add(of(numbers)?))
    };
    let views = sum(|numbers| numbers.views);
    let counts =
        [(VIEWS, views), (LIKES, sum(|numbers| numbers.likes)), (COMMENTS, sum(|numbers| numbers.comments))];
    for (name, count) in counts {
        if let Some(count) = count {
            evidence.insert(name.to_owned(), count.into());
        }
    }
    let reported = there.iter().try_fold(0_u64, |sum, (video, _)| sum.checked_add(video.reported?));
    let signed = |count: u64| i64::try_from(count).ok();
    if let Some((views, reported)) = views.and_then(signed).zip(reported.and_then(signed)) {
        evidence.insert(GAINED.to_owned(), (views - reported).into());
    }
}

fn each(id: VideoId, live: Live) -> Value {
    match live {
        Live::There(Numbers { views, likes, comments }) => {
            json!({"videoId": id.as_str(), "views": views, "likes": likes, "comments": comments})
        }
        Live::Gone => json!({"videoId": id.as_str(), "gone": true}),
    }
}

/// Today's numbers of an alert, as its evidence has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Today<'a> {
    /// When they were asked for, RFC 3339.
    pub as_of: &'a str,
    /// Whether nobody can watch any of its videos any more.
    pub is_gone: bool,
    /// The sums over its videos.
    pub numbers: Numbers,
    /// Views since the end of the week.
    pub gained: Option<i64>,
    /// How many videos these are of; none for an alert on one video.
    pub videos: Option<usize>,
}

impl<'a> Today<'a> {
    /// What an alert says of today; none where nobody has asked.
    pub fn of(alert: &'a Alert) -> Option<Self> {
        let value = |name: &str| alert.evidence.get(name);
        let count = |name: &str| value(name)?.as_u64();
        let is_there = |video: &&Value| video.get("gone").is_none();
        Some(Self {
            as_of: value(AS_OF)?.as_str()?,
            is_gone: value(GONE).and_then(Value::as_bool) == Some(true),
            numbers: Numbers { views: count(VIEWS), likes: count(LIKES), comments: count(COMMENTS) },
            gained: value(GAINED).and_then(Value::as_i64),
            videos: value(VIDEOS)
                .and_then(Value::as_array)
                .map(|videos| videos.iter().filter(is_there).count()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::alert::{Severity, Subject, settle};
    use crate::claims::world::{World, channel, rows};

    fn alert(kind: Kind, subject: &str, id: &str) -> Alert {
        Alert::draft(kind, Severity::High, Subject::new(subject, id, "t"), "r").because("seen", 7)
    }

    fn id(number: u32) -> VideoId {
        format!("v{number:010}").parse().unwrap()
    }

    /// Videos with their views, all of one asset.
    fn week(index: i32, videos: &[(u32, &str)]) -> Snapshot {
        let row = |(number, views): &(u32, &str)| {
            format!("{},{},C,T,{views},,A000000000000001,label", id(*number), channel(1))
        };
        let videos: Vec<String> = videos.iter().map(row).collect();
        let assets = rows(&["A000000000000001,label,Song,Artist,,WEB,1,10,10,"]);
        World { week: index, assets, videos: Some(videos), ..World::default() }.snapshot()
    }

    fn ids(wanted: &[Wanted]) -> Vec<Vec<VideoId>> {
        wanted.iter().map(|one| one.videos.iter().map(|video| video.id).collect()).collect()
    }

    #[test]
    fn an_alert_on_an_asset_is_about_the_videos_that_the_week_was_spent_on() {
        let before = week(0, &[(1, "9000"), (2, "100"), (3, "50"), (4, "10"), (5, "10")]);
        let now = week(1, &[(1, "9001"), (2, "900"), (3, "60"), (4, "5"), (5, "40"), (6, "70"), (7, "")]);
        let asset = alert(Kind::Viral, "asset", "A000000000000001");
        let alerts = std::slice::from_ref(&asset);
        let found = wanted(alerts, &now, Some(&before));
        assert_eq!(ids(&found), [[id(2), id(6), id(5)]]);
        assert_eq!(found[0].alert, asset.id);
        assert_eq!(found[0].videos[0].reported, Some(900));
        assert_eq!(ids(&wanted(alerts, &now, None)), [[id(1), id(2), id(6)]], "by all they have");
    }

    #[test]
    fn a_video_is_its_own_and_what_is_resolved_of_another_kind_or_of_no_video_is_passed_over() {
        let now = week(0, &[(1, "9000")]);
        let video = id(1).to_string();
        let alerts = [
            alert(Kind::ClaimsAhead, "video", &video),
            Alert { state: State::Resolved, ..alert(Kind::Viral, "video", &video) },
            alert(Kind::ShortMatch, "asset", "A000000000000001"),
            alert(Kind::EngagementSpike, "recording", "USABC2600001"),
            alert(Kind::CrossPlatform, "asset", "A000000000000009"),
            alert(Kind::Viral, "video", "no id"),
            alert(Kind::Viral, "video", "unreported1"),
        ];
        let found = wanted(&alerts, &now, None);
        let unreported = "unreported1".parse().unwrap();
        assert_eq!(ids(&found), [[id(1)], [unreported]]);
        assert_eq!(found[1].videos[0].reported, None);
    }

    fn told(subject: &str, videos: &[WantedVideo], found: &[(VideoId, Live)]) -> Alert {
        let mut alert = alert(Kind::Viral, subject, "x");
        put(&mut alert, videos, &found.iter().copied().collect(), "2026-11-25T06:00:00Z");
        alert
    }

    fn there(views: u64, likes: Option<u64>, comments: Option<u64>) -> Live {
        Live::There(Numbers { views: Some(views), likes, comments })
    }

    #[test]
    fn the_evidence_says_todays_numbers_and_what_came_since_the_report() {
        let one = [WantedVideo { id: id(1), reported: Some(900) }];
        let alert = told("video", &one, &[(id(1), there(1_000, Some(7), None))]);
        insta::assert_snapshot!(serde_json::to_string(&alert.evidence).unwrap(), @r#"{"liveAsOf":"2026-11-25T06:00:00Z","liveGained":100,"liveLikes":7,"liveViews":1000,"seen":7}"#);
        let today = Today::of(&alert).unwrap();
        assert_eq!((today.numbers.views, today.gained, today.videos), (Some(1_000), Some(100), None));
        // YouTube takes views off again.
        assert_eq!(
            Today::of(&told("video", &one, &[(id(1), there(1, None, None))])).unwrap().gained,
            Some(-899)
        );
    }

    #[test]
    fn sums_are_of_what_is_left_and_a_count_that_one_video_hides_is_no_sum() {
        let three = [1, 2, 3].map(|number| WantedVideo { id: id(number), reported: Some(100) });
        let found =
            [(id(1), there(500, Some(7), Some(1))), (id(2), there(300, None, Some(2))), (id(3), Live::Gone)];
        let alert = told("asset", &three, &found);
        insta::assert_snapshot!(serde_json::to_string(&alert.evidence).unwrap(), @r#"{"liveAsOf":"2026-11-25T06:00:00Z","liveComments":3,"liveGained":600,"liveVideos":[{"comments":1,"likes":7,"videoId":"v0000000001","views":500},{"comments":2,"likes":null,"videoId":"v0000000002","views":300},{"gone":true,"videoId":"v0000000003"}],"liveViews":800,"seen":7}"#);
        assert_eq!(Today::of(&alert).unwrap().videos, Some(2));
    }

    #[test]
    fn an_alert_whose_videos_are_gone_says_so_and_one_that_nobody_answered_for_says_nothing() {
        let two = [1, 2].map(|number| WantedVideo { id: id(number), reported: None });
        let gone = told("asset", &two, &[(id(1), Live::Gone), (id(2), Live::Gone)]);
        assert!(Today::of(&gone).unwrap().is_gone);
        let half = told("asset", &two, &[(id(1), Live::Gone)]);
        assert!(!Today::of(&half).unwrap().is_gone, "of the other nothing is known");
        let none = told("asset", &two, &[]);
        assert_eq!((none.evidence.len(), Today::of(&none)), (1, None));
    }

    #[test]
    fn t06_another_live_number_is_no_other_alert() {
        let one = [WantedVideo { id: id(1), reported: Some(900) }];
        let last = settle(vec![told("video", &one, &[(id(1), there(1_000, None, None))])], &[], |_| true);
        let next = settle(vec![told("video", &one, &[(id(1), Live::Gone)])], &last, |_| true);
        assert_eq!((&next[0].id, next[0].state), (&last[0].id, State::Ongoing));
    }
}
