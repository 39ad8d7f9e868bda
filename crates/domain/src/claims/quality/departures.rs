//! What only the surges' gate saw: reports and channels whose series all stand off their habit at once.
//!
//! [`super::judge`] compares sums and lifetime counters with one week before. A report with three quarters of a week's
//! views is far from wrong by these; held against the habit of each of its videos it is. The gate takes such a factor out
//! before it looks for surges, so nobody is alarmed, and here it is told why.

use super::{Impact, Verdict};
use crate::claims::alert::{Alert, Kind, Severity, Subject};
use crate::claims::risk::decimal;
use crate::claims::snapshot::{Snapshot, Source};
use crate::claims::viral::Departure;
use crate::id::ChannelId;
use crate::number::Decimal;

/// From half as much again on, or two thirds and less, a channel's departure is told: smaller ones come with its releases.
const TOLD_FACTOR: f32 = 1.5;

/// From here on it is no season: twice, with some of it lost.
const GRAVE_FACTOR: f32 = 1.8;

/// A report or a channel that departs from its habit.
#[derive(Debug, Clone, PartialEq)]
pub struct Departed {
    /// The report whose series they are.
    pub source: Source,
    /// The channel; none for the report as a whole.
    pub channel: Option<ChannelId>,
    /// By how much, and how surely.
    pub departure: Departure,
}

/// The findings about what departs, without what the week's verdict tells already. What has become the habit is none.
pub fn departures(
    departed: &[Departed],
    verdict: &Verdict,
    now: &Snapshot,
    before: Option<&Snapshot>,
    rpm: Option<Decimal>,
) -> Vec<Alert> {
    let mut findings: Vec<Alert> = Vec::new();
    for one in departed.iter().filter(|one| !one.departure.is_habit_now) {
        let size = one.departure.factor.max(1.0 / one.departure.factor);
        let is_told = match one.channel {
            Some(channel) => size >= TOLD_FACTOR && !verdict.suspect_channels.contains(&channel),
            None => !verdict.suspect_reports.contains(&one.source),
        };
        // A channel departs in several reports for one reason.
        let is_known =
            |known: &Alert| one.channel.is_some_and(|channel| known.subject.id == channel.as_str());
        if is_told && !findings.iter().any(is_known) {
            findings.push(finding(one, size, now, before, rpm));
        }
    }
    findings
}

fn finding(
    one: &Departed,
    size: f32,
    now: &Snapshot,
    before: Option<&Snapshot>,
    rpm: Option<Decimal>,
) -> Alert {
    let Departure { factor, error, series, is_lost, .. } = one.departure;
    let is_more = factor > 1.0;
    let (kind, subject, whose, impact) = if let Some(id) = one.channel {
        let title = now.channel(id).map(|channel| now.text(channel.name)).unwrap_or_default();
        (
            if is_more { Kind::ChannelDoubled } else { Kind::ChannelMissing },
            Subject::new("channel", id.as_str(), title),
            format!("channel {id}"),
            Impact::of_channel(before, now, id, rpm),
        )
    } else {
        let name = one.source.name();
        (
            if is_more { Kind::ReportDoubled } else { Kind::ReportPartial },
            Subject::new("file", name, name),
            name.to_owned(),
            Impact::of_report(before, now, name, rpm),
        )
    };
    let things = if one.source == Source::Assets { "assets" } else { "videos" };
    let share = decimal(f64::from(factor)).rounded(2);
    let mut reason =
        format!("{whose}: {series} {things} together have {share} times the views they use to have");
    if is_lost {
        reason.push_str("; the week is taken for a gap");
    }
    let severity = if size >= GRAVE_FACTOR { Severity::High } else { Severity::Info };
    let mut alert = Alert::draft(kind, severity, subject, reason)
        .because("factor", serde_json::json!(share))
        .because("factorLogError", serde_json::json!(decimal(f64::from(error)).rounded(3)))
        .because("series", u64::try_from(series).unwrap_or_default());
    alert.value = impact.value;
    if let Ok(impact) = serde_json::to_value(impact) {
        alert.evidence.insert("impact".to_owned(), impact);
    }
    alert
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::world::{catalogue, channel};

    fn departed(source: Source, channel: Option<ChannelId>, factor: f32) -> Departed {
        let departure = Departure {
            group: None,
            factor,
            error: 0.02,
            series: 40,
            is_lost: factor < 0.22,
            is_habit_now: false,
        };
        Departed { source, channel, departure }
    }

    fn told(departed: &[Departed], verdict: &Verdict) -> Vec<(Kind, Severity, String)> {
        let (now, before) =
            (catalogue(4, 10, 1100).snapshot(), catalogue(4, 10, 1000).in_week(-1).snapshot());
        let alerts = departures(departed, verdict, &now, Some(&before), Some(Decimal::whole(2)));
        alerts.into_iter().map(|alert| (alert.kind, alert.severity, alert.subject.id)).collect()
    }

    fn id(number: u32) -> ChannelId {
        channel(number).parse().unwrap()
    }

    #[test]
    fn what_all_series_of_a_report_or_channel_do_at_once_is_a_finding_about_the_data() {
        let found = [
            departed(Source::Videos, None, 0.75),
            departed(Source::Videos, Some(id(1)), 2.1),
            departed(Source::Videos, Some(id(2)), 0.1),
            departed(Source::Videos, Some(id(3)), 1.3),
            departed(Source::Assets, None, 2.0),
        ];
        assert_eq!(
            told(&found, &Verdict::default()),
            [
                (Kind::ReportPartial, Severity::Info, "video report".to_owned()),
                (Kind::ChannelDoubled, Severity::High, channel(1)),
                (Kind::ChannelMissing, Severity::High, channel(2)),
                (Kind::ReportDoubled, Severity::High, "asset report".to_owned()),
            ],
            "a channel that has a third more is no finding"
        );
    }

    #[test]
    fn nothing_is_told_twice_of_one_report_or_channel() {
        let found = [
            departed(Source::Videos, None, 2.0),
            departed(Source::Videos, Some(id(1)), 2.1),
            departed(Source::Assets, Some(id(1)), 2.1),
            departed(Source::Assets, Some(id(2)), 2.1),
        ];
        let mut verdict = Verdict::default();
        assert_eq!(told(&found, &verdict).len(), 3);
        verdict.suspect_reports.insert(Source::Videos);
        verdict.suspect_channels.insert(id(2));
        assert_eq!(told(&found, &verdict), [(Kind::ChannelDoubled, Severity::High, channel(1))]);
    }

    #[test]
    fn what_is_the_habit_now_is_no_finding() {
        let mut lasting = departed(Source::Videos, None, 2.0);
        lasting.departure.is_habit_now = true;
        assert_eq!(told(&[lasting], &Verdict::default()), []);
    }

    #[test]
    fn a_finding_says_by_how_much_and_what_it_touches() {
        let now = catalogue(4, 10, 1100).snapshot();
        let before = catalogue(4, 10, 1000).in_week(-1).snapshot();
        let found = [departed(Source::Videos, Some(id(2)), 0.1)];
        let alerts = departures(&found, &Verdict::default(), &now, Some(&before), Some(Decimal::whole(2)));
        insta::assert_snapshot!(alerts[0].reason, @"channel UC0000000000000000000002: 40 videos together have 0.1 times the views they use to have; the week is taken for a gap");
        insta::assert_snapshot!(serde_json::to_string(&alerts[0].evidence).unwrap(), @r#"{"factor":0.1,"factorLogError":0.02,"impact":{"channels":1,"entries":10,"value":2,"views":1000},"series":40}"#);
    }
}
