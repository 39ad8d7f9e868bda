//! Whether the week's reports can be believed, held against the last week that could.
//!
//! A report that says everything twice looks like a thousand viral videos, and one that is cut short like a thousand
//! claims released; so these are findings about the data, and whoever detects surges asks [`Verdict`] first. Nothing is
//! inferred from a report that is not there: a channel without rows has no views this week, not zero.

mod departures;

use std::collections::BTreeSet;

use hashbrown::HashMap;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use departures::{Departed, departures};

use super::alert::{Alert, Kind, Severity, Subject};
use super::changes::pairs;
use super::snapshot::{ReportFacts, Snapshot, Source, VideoState};
use super::week::Week;
use crate::id::ChannelId;
use crate::number::Decimal;
use crate::printable::printable;
use crate::refusal::{Refusal, RefusalKind};

/// From 1.8 times last week's on a report or channel is doubled, in tenths. A doubling is twice and some growth; parts
/// of it may be lost. A catalogue's lifetime counters grow by some percent a week.
const DOUBLED_TENTHS: u128 = 18;

/// Below 0.8 of last week's a report is partial, in tenths. Catalogues lose single videos, never a fifth of them.
const PARTIAL_TENTHS: u128 = 8;

/// From four tenths of rows that say again what others say a report is doubled: with every row twice it is a half.
const REPEATED_TENTHS: u128 = 4;

/// From so many rows on it is no chance that a week says just what the one before said: a small catalogue may stand
/// still.
const SAME_ROWS: u64 = 100;

/// Of this many things at least must last week's report consist for its size to be a measure.
const MEASURE_ENTRIES: u64 = 10;

/// So many mature videos must a channel have for their common doubling to be no chance: surges hit videos one by one.
const MATURE_VIDEOS: u64 = 6;

/// From this many lifetime views on a video is mature: younger counters double in a week by themselves.
const MATURE_VIEWS: u64 = 100;

/// The share of mature videos, in tenths, that must have doubled for the channel or report to be doubled.
const COMMON_TENTHS: u128 = 8;

/// From one row in a hundred on rejected or repeated rows are more than a note, as for the refusal of a report.
const MANY_PERCENT: u128 = 1;

/// What is known beside the two weeks.
pub struct Context<'a> {
    /// The last day that each report covers or, where that is unknown, the day it was made.
    pub dates: &'a HashMap<Source, Date>,
    /// Whether a channel is a partner's. Of the others only those with several videos are missed.
    pub is_partner: &'a dyn Fn(ChannelId) -> bool,
    /// What a thousand views are worth; none where nobody said, and then no value is estimated.
    pub rpm: Option<Decimal>,
}

/// What may be believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong with the data, the gravest first.
    pub findings: Vec<Alert>,
    /// Reports that must raise no other finding this week: missing, doubled, partial or stale.
    pub suspect_reports: BTreeSet<Source>,
    /// Channels whose videos must raise none.
    pub suspect_channels: BTreeSet<ChannelId>,
}

/// Judges a week. Without a week before, what needs one is not judged.
pub fn judge(now: &Snapshot, before: Option<&Snapshot>, context: &Context<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let twice = before.map(|before| doubled_videos(before, now));
    for source in Source::ALL {
        let was = before.and_then(|before| before.reports.get(&source));
        let Some(is) = now.reports.get(&source) else {
            if was.is_some() {
                verdict.suspect(
                    source,
                    Kind::ReportMissing,
                    "it was there last time and is not now",
                    |alert| alert,
                );
            }
            continue;
        };
        verdict.judge_rows(source, is, was);
        verdict.judge_dates(source, now, before, context);
        verdict.judge_size(source, is, was);
        let doubled = twice.as_ref().map(|twice| twice.all).filter(|_| source == Source::Videos);
        if let Some(common) = doubled.filter(|common| common.is_doubled()) {
            verdict.suspect(
                source,
                Kind::ReportDoubled,
                &format!("{} of {} videos have twice the views of last time", common.doubled, common.mature),
                |alert| {
                    alert.because("videosDoubled", common.doubled).because("videosCompared", common.mature)
                },
            );
        }
    }
    if let (Some(before), Some(twice)) = (before, &twice)
        && before.reports.contains_key(&Source::Videos)
        && now.reports.contains_key(&Source::Videos)
        && !verdict.suspect_reports.contains(&Source::Videos)
    {
        verdict.judge_channels(before, now, twice, context);
    }
    let rpm = context.rpm;
    for alert in &mut verdict.findings {
        let impact = match ChannelId::parse(&alert.subject.id) {
            Ok(channel) => Impact::of_channel(before, now, channel, rpm),
            Err(_) => Impact::of_report(before, now, &alert.subject.id, rpm),
        };
        alert.value = impact.value;
        if let Ok(impact) = serde_json::to_value(impact) {
            alert.evidence.insert("impact".to_owned(), impact);
        }
    }
    verdict
        .findings
        .sort_by(|a, b| (a.severity, a.kind, &a.subject.id).cmp(&(b.severity, b.kind, &b.subject.id)));
    verdict
}

impl Verdict {
    fn add(&mut self, source: Source, kind: Kind, severity: Severity, reason: &str) -> Option<&mut Alert> {
        let subject = Subject::new("file", source.name(), source.name());
        let alert = Alert::draft(kind, severity, subject, format!("{}: {reason}", source.name()));
        // A report is doubled or partial for one reason or several; it is one finding.
        if self.findings.iter().any(|known| known.id == alert.id) {
            return None;
        }
        self.findings.push(alert);
        self.findings.last_mut()
    }

    fn suspect(&mut self, source: Source, kind: Kind, reason: &str, with: impl FnOnce(Alert) -> Alert) {
        self.suspect_reports.insert(source);
        if let Some(alert) = self.add(source, kind, Severity::Critical, reason) {
            *alert = with(alert.clone());
        }
    }

    fn note(&mut self, source: Source, kind: Kind, count: u64, rows: u64, what: &str) {
        let is_many = u128::from(count) * 100 > u128::from(rows) * MANY_PERCENT;
        let severity = if is_many { Severity::High } else { Severity::Info };
        if count > 0
            && let Some(alert) = self.add(source, kind, severity, &format!("{count} of {rows} rows {what}"))
        {
            *alert = alert.clone().because("rows", rows).because("count", count);
        }
    }

    fn judge_rows(&mut self, source: Source, is: &ReportFacts, was: Option<&ReportFacts>) {
        self.note(source, Kind::RowsRejected, is.rejected, is.rows, "could not be read");
        self.note(source, Kind::DuplicateRows, is.duplicates, is.rows, "say again what others say");
        // A column that was never there is a note: reports come in versions.
        let lost: Vec<&String> = is
            .missing_columns
            .iter()
            .filter(|name| was.is_none_or(|was| !was.missing_columns.contains(name)))
            .collect();
        let (names, severity) = match was {
            Some(_) => (lost, Severity::High),
            None => (is.missing_columns.iter().collect(), Severity::Info),
        };
        if names.is_empty() {
            return;
        }
        let listed: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let reason = format!("columns are missing: {}", listed.join(", "));
        if let Some(alert) = self.add(source, Kind::ColumnMissing, severity, &reason) {
            *alert = alert.clone().because("columns", listed);
        }
    }

    fn judge_dates(
        &mut self,
        source: Source,
        now: &Snapshot,
        before: Option<&Snapshot>,
        context: &Context<'_>,
    ) {
        let end = now.week.sunday();
        if let Some(day) = context.dates.get(&source).filter(|day| **day < end) {
            let reason = format!("it is of {day}, before the week's end on {end}");
            self.suspect(source, Kind::ReportStale, &reason, |alert| {
                alert.because("date", day.to_string()).because("weekEnd", end.to_string())
            });
        }
        let print = |snapshot: &Snapshot| {
            snapshot
                .reports
                .get(&source)
                .filter(|facts| facts.rows >= SAME_ROWS)
                .map(|facts| (facts.rows, facts.fingerprint))
        };
        // Conflicts may well stay as they are from week to week; counters do not.
        if let Some(before) = before.filter(|before| before.week != now.week)
            && source != Source::Conflicts
            && print(now).is_some()
            && print(now) == print(before)
        {
            let reason = format!("its rows are those of the week of {}, every one of them", before.week);
            self.suspect(source, Kind::ReportStale, &reason, |alert| {
                alert.because("sameAsWeek", before.week.to_string())
            });
        }
    }

    fn judge_size(&mut self, source: Source, is: &ReportFacts, was: Option<&ReportFacts>) {
        if is.rows >= MEASURE_ENTRIES && at_least(is.duplicates, is.rows, REPEATED_TENTHS) {
            let reason = format!("{} of {} rows say again what others say", is.duplicates, is.rows);
            self.suspect(source, Kind::ReportDoubled, &reason, |alert| {
                alert.because("rows", is.rows).because("duplicates", is.duplicates)
            });
        }
        // Conflicts come and go by themselves; their number is no measure.
        let Some(was) = was.filter(|was| was.entries >= MEASURE_ENTRIES && source != Source::Conflicts)
        else {
            return;
        };
        let sizes = [
            ("rows", Some(is.rows), Some(was.rows)),
            ("entries", Some(is.entries), Some(was.entries)),
            ("views", is.views, was.views),
            ("engagedViews", is.engaged_views, was.engaged_views),
            ("activeClaims", is.active_claims, was.active_claims),
        ];
        for (name, is, was) in sizes {
            let (Some(is), Some(was)) = (is, was) else { continue };
            let kind = if was > 0 && at_least(is, was, DOUBLED_TENTHS) {
                Kind::ReportDoubled
            } else if !at_least(is, was, PARTIAL_TENTHS) {
                Kind::ReportPartial
            } else {
                continue;
            };
            let reason = format!("{name}: {is} now, {was} last time");
            self.suspect(source, kind, &reason, |alert| {
                alert.because("measure", name).because("now", is).because("before", was)
            });
        }
    }

    fn judge_channels(
        &mut self,
        before: &Snapshot,
        now: &Snapshot,
        twice: &DoubledVideos,
        context: &Context<'_>,
    ) {
        for pair in pairs(&before.channels, &now.channels, |channel| channel.id) {
            let (Some(was), is) = pair else { continue };
            let videos = is.map_or(0, |is| is.videos);
            let is_partner = (context.is_partner)(was.id);
            let is_known = u64::from(was.videos) >= if is_partner { 1 } else { MATURE_VIDEOS };
            if is_known && videos == 0 {
                self.suspect_channel(
                    before,
                    was.id,
                    Kind::ChannelMissing,
                    "none of its videos is in the report",
                    |alert| alert.because("videosBefore", was.videos).because("videos", videos),
                );
                continue;
            }
            if u64::from(was.videos) >= MATURE_VIDEOS && u64::from(videos) * 2 < u64::from(was.videos) {
                let reason = format!("{videos} of its {} videos are in the report", was.videos);
                self.suspect_channel(before, was.id, Kind::ChannelMissing, &reason, |alert| {
                    alert.because("videosBefore", was.videos).because("videos", videos)
                });
            }
            let Some(is) = is else { continue };
            // Rows for each video, then and now, as a ratio of four whole numbers.
            let rows_now = u64::from(is.video_rows) * u64::from(was.videos);
            let rows_then = u64::from(was.video_rows) * u64::from(is.videos);
            let common = twice.by_channel.get(&is.id).copied().unwrap_or_default();
            if common.mature >= MATURE_VIDEOS && common.is_doubled() {
                let reason = format!(
                    "{} of {} videos have twice the views of last time",
                    common.doubled, common.mature
                );
                self.suspect_channel(now, is.id, Kind::ChannelDoubled, &reason, |alert| {
                    alert.because("videosDoubled", common.doubled).because("videosCompared", common.mature)
                });
            } else if u64::from(is.videos) >= MATURE_VIDEOS
                && rows_then > 0
                && at_least(rows_now, rows_then, DOUBLED_TENTHS)
            {
                let reason = format!(
                    "{} rows for {} videos, {} for {} last time",
                    is.video_rows, is.videos, was.video_rows, was.videos
                );
                self.suspect_channel(now, is.id, Kind::ChannelDoubled, &reason, |alert| {
                    alert.because("rows", is.video_rows).because("rowsBefore", was.video_rows)
                });
            }
        }
    }

    fn suspect_channel(
        &mut self,
        names: &Snapshot,
        id: ChannelId,
        kind: Kind,
        reason: &str,
        with: impl FnOnce(Alert) -> Alert,
    ) {
        let title = names.channel(id).map(|channel| names.text(channel.name)).unwrap_or_default();
        self.suspect_channels.insert(id);
        let subject = Subject::new("channel", id.as_str(), title);
        self.findings.push(with(Alert::draft(
            kind,
            Severity::High,
            subject,
            format!("channel {id}: {reason}"),
        )));
    }
}

/// Whether a number is at least so many tenths of another.
fn at_least(number: u64, of: u64, tenths: u128) -> bool {
    u128::from(number) * 10 >= u128::from(of) * tenths
}

/// How many mature videos there are, and how many of them have twice the views.
#[derive(Debug, Clone, Copy, Default)]
struct Common {
    mature: u64,
    doubled: u64,
}

impl Common {
    fn is_doubled(self) -> bool {
        self.mature >= MATURE_VIDEOS && at_least(self.doubled, self.mature, COMMON_TENTHS)
    }
}

struct DoubledVideos {
    all: Common,
    by_channel: HashMap<ChannelId, Common>,
}

fn doubled_videos(before: &Snapshot, now: &Snapshot) -> DoubledVideos {
    let mut doubled = DoubledVideos { all: Common::default(), by_channel: HashMap::new() };
    for (was, is) in pairs(&before.videos, &now.videos, |video| video.id) {
        let (Some(was), Some(is)) = (was, is) else { continue };
        // Engaged views only where neither week has views: one measure throughout.
        let both = |of: fn(&VideoState) -> Option<u64>| of(was).zip(of(is));
        let Some((from, to)) =
            both(|video| video.views.get()).or_else(|| both(|video| video.engaged_views.get()))
        else {
            continue;
        };
        if from < MATURE_VIEWS {
            continue;
        }
        let twice = u64::from(at_least(to, from, DOUBLED_TENTHS));
        let channel = now.channel_at(is.channel).map(|channel| channel.id);
        let of_channel = channel.map(|channel| doubled.by_channel.entry(channel).or_default());
        for common in [Some(&mut doubled.all), of_channel].into_iter().flatten() {
            common.mature += 1;
            common.doubled += twice;
        }
    }
    doubled
}

/// The finding about a report or another file that was refused: nothing of it was used.
pub fn refused(name: &str, refusal: &Refusal) -> Alert {
    let kind = match refusal.kind {
        RefusalKind::WrongReportType => Kind::WrongReportType,
        RefusalKind::MissingColumn | RefusalKind::DuplicateColumn => Kind::ColumnMissing,
        RefusalKind::Truncated | RefusalKind::Shrunken => Kind::ReportPartial,
        RefusalKind::Stale => Kind::ReportStale,
        RefusalKind::Empty | RefusalKind::HeaderOnly | RefusalKind::Missing | RefusalKind::Unreadable(_) => {
            Kind::ReportMissing
        }
        RefusalKind::WrongDelimiter
        | RefusalKind::Encoding
        | RefusalKind::TooLarge
        | RefusalKind::WrongValue
        | RefusalKind::TooManyBadRows => Kind::RowsRejected,
    };
    let subject = Subject::new("file", name, name);
    let mut alert = Alert::draft(kind, Severity::Critical, subject, refusal.to_string())
        .because("file", printable(&refusal.file));
    if let Some(line) = refusal.line {
        alert = alert.because("line", line);
    }
    if let Some(column) = &refusal.column {
        alert = alert.because("column", printable(column.as_bytes()));
    }
    alert
}

/// One number of a report, last time and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconciledNumber {
    /// What is counted.
    pub name: String,
    /// Last time; none where it was not known.
    pub before: Option<u64>,
    /// Now; none where it is not known.
    pub now: Option<u64>,
    /// Now less last time; none where one of the two is unknown.
    pub difference: Option<i64>,
}

/// A report of this run held against the same report of the last good one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
    /// The report.
    pub source: Source,
    /// The week of the last good one.
    pub before: Option<Week>,
    /// Its numbers side by side.
    pub numbers: Vec<ReconciledNumber>,
}

/// Holds a report against the last good one; either may be absent.
pub fn reconcile(
    source: Source,
    before: Option<(Week, &ReportFacts)>,
    now: Option<&ReportFacts>,
) -> Reconciliation {
    let was = before.map(|(_, facts)| facts);
    let number = |name: &str, of: fn(&ReportFacts) -> Option<u64>| {
        let (before, now) = (was.and_then(of), now.and_then(of));
        let difference = before.zip(now).map(|(before, now)| {
            let size = i64::try_from(before.abs_diff(now)).unwrap_or(i64::MAX);
            if now < before { -size } else { size }
        });
        ReconciledNumber { name: name.to_owned(), before, now, difference }
    };
    Reconciliation {
        source,
        before: before.map(|(week, _)| week),
        numbers: vec![
            number("rows", |facts| Some(facts.rows)),
            number("used", |facts| Some(facts.used)),
            number("duplicates", |facts| Some(facts.duplicates)),
            number("rejected", |facts| Some(facts.rejected)),
            number("entries", |facts| Some(facts.entries)),
            number("channels", |facts| Some(facts.channels)),
            number("views", |facts| facts.views),
            number("engagedViews", |facts| facts.engaged_views),
            number("activeClaims", |facts| facts.active_claims),
        ],
    }
}

/// What a fault of the data touches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Impact {
    /// Videos (assets, claims) in question: the larger of last time's number and this one.
    pub entries: u64,
    /// Channels in question, likewise.
    pub channels: u64,
    /// By how many lifetime views the two weeks differ, or how many a week has; none where that is unknown.
    pub views: Option<u64>,
    /// What these views are worth.
    pub value: Option<Decimal>,
}

impl Impact {
    fn new(entries: [u64; 2], channels: [u64; 2], views: [Option<u64>; 2], rpm: Option<Decimal>) -> Self {
        let [was, is] = views;
        let views = was.zip(is).map(|(was, is)| was.abs_diff(is));
        Self {
            entries: entries[0].max(entries[1]),
            channels: channels[0].max(channels[1]),
            views,
            value: views.zip(rpm).map(|(views, rpm)| rpm.for_views(views)),
        }
    }

    /// What a report that is refused leaves untold: the things of the last good one, and the views that they gained in
    /// its week.
    pub fn of_refused(
        last_good: Option<&ReportFacts>,
        week_views: Option<u64>,
        rpm: Option<Decimal>,
    ) -> Self {
        let count = |of: fn(&ReportFacts) -> u64| last_good.map_or(0, of);
        Self {
            entries: count(|facts| facts.entries),
            channels: count(|facts| facts.channels),
            views: week_views,
            value: week_views.zip(rpm).map(|(views, rpm)| rpm.for_views(views)),
        }
    }

    fn of_report(before: Option<&Snapshot>, now: &Snapshot, name: &str, rpm: Option<Decimal>) -> Self {
        let source = Source::ALL.into_iter().find(|source| source.name() == name);
        let facts = [before, Some(now)].map(|snapshot| {
            snapshot.zip(source).and_then(|(snapshot, source)| snapshot.reports.get(&source))
        });
        let count = |of: fn(&ReportFacts) -> u64| facts.map(|facts| facts.map_or(0, of));
        // An asset report's views are a daily mean and no counter; a difference of means is nobody's money.
        let is_counter = source != Some(Source::Assets);
        let views = facts.map(|facts| facts.and_then(|facts| facts.views).filter(|_| is_counter));
        Self::new(count(|facts| facts.entries), count(|facts| facts.channels), views, rpm)
    }

    fn of_channel(before: Option<&Snapshot>, now: &Snapshot, id: ChannelId, rpm: Option<Decimal>) -> Self {
        let channels = [before, Some(now)].map(|snapshot| snapshot.and_then(|snapshot| snapshot.channel(id)));
        let videos = channels.map(|channel| channel.map_or(0, |channel| u64::from(channel.videos)));
        let views = channels.map(|channel| channel.and_then(|channel| channel.views.get()));
        Self::new(videos, [1, 1], views, rpm)
    }
}

#[cfg(test)]
mod tests;
