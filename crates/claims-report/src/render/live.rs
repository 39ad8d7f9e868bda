//! Today's numbers in a line, for page and mail.

use dn_domain::claims::alert::Alert;
use dn_domain::claims::live::Today;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::format::{count, grouped, short_day, signed};

/// What is said of today beside an alert's reason; none where nobody has asked.
pub(super) fn line(alert: &Alert) -> Option<String> {
    let today = Today::of(alert)?;
    let moment = today.as_of.parse::<Timestamp>().ok();
    let day = moment.map(|moment| short_day(moment.to_zoned_datetime(TimeZone::UTC).date()));
    let when = day.map_or_else(|| "Today".to_owned(), |day| format!("Today, {day}"));
    if today.is_gone {
        return Some(format!("{when}: no longer public."));
    }
    let numbers = today.numbers;
    let views = numbers.views.map(|views| {
        let since = today.gained.map(|gained| format!(" ({} since the week ended)", signed(gained)));
        format!("{}{}", count(views, "view", "views"), since.unwrap_or_default())
    });
    let likes = numbers.likes.map(|likes| count(likes, "like", "likes"));
    let comments = numbers.comments.map(|comments| count(comments, "comment", "comments"));
    let told: Vec<String> = [views, likes, comments].into_iter().flatten().collect();
    if told.is_empty() {
        return None;
    }
    let videos = match today.videos {
        Some(videos) if videos > 1 => {
            format!(", the {} videos watched most together", grouped(videos as u64))
        }
        Some(_) => ", the video watched most".to_owned(),
        None => String::new(),
    };
    Some(format!("{when}{videos}: {}.", told.join(", ")))
}

#[cfg(test)]
mod tests {
    use dn_domain::claims::alert::{Kind, Severity, Subject};
    use serde_json::json;

    use super::*;

    fn alert(numbers: &[(&str, serde_json::Value)]) -> Alert {
        let alert = Alert::draft(Kind::Viral, Severity::High, Subject::new("video", "v", "t"), "r");
        let alert = alert.because("liveAsOf", "2026-11-25T06:00:00.000Z");
        numbers.iter().fold(alert, |alert, (name, value)| alert.because(name, value.clone()))
    }

    #[test]
    fn todays_numbers_are_one_line_and_what_is_not_known_is_left_out() {
        let all = [
            ("liveViews", json!(1_234_567)),
            ("liveGained", json!(81_234)),
            ("liveLikes", json!(45_000)),
            ("liveComments", json!(1)),
        ];
        let shown = line(&alert(&all)).unwrap();
        assert_eq!(
            shown,
            "Today, 25 Nov: 1,234,567 views (+81,234 since the week ended), 45,000 likes, 1 comment."
        );
        assert_eq!(line(&alert(&all[3..])).unwrap(), "Today, 25 Nov: 1 comment.");
        assert_eq!(line(&alert(&[("liveGone", json!(true))])).unwrap(), "Today, 25 Nov: no longer public.");
        assert_eq!(line(&alert(&[])), None);
        let draft = Alert::draft(Kind::Viral, Severity::High, Subject::new("video", "v", "t"), "r");
        assert_eq!(line(&draft.because("liveViews", 7)), None, "nobody says of when");
    }

    #[test]
    fn of_an_asset_is_said_how_many_of_its_videos_the_numbers_are_of() {
        let of = |videos: serde_json::Value| {
            line(&alert(&[("liveViews", json!(8)), ("liveVideos", videos)])).unwrap()
        };
        let video = json!({"videoId": "v", "views": 4});
        assert_eq!(of(json!([video, video])), "Today, 25 Nov, the 2 videos watched most together: 8 views.");
        let gone = json!({"videoId": "w", "gone": true});
        assert_eq!(of(json!([video, gone])), "Today, 25 Nov, the video watched most: 8 views.");
    }
}
