//! `report.xlsx`: everything of the week, for those who live in spreadsheets.
//!
//! Ids, titles and all other text are written as text and never as a formula; numbers are numbers and days are days.
//! The sheet of changes may have hundreds of thousands of rows: its rows go through a temporary file, so that the
//! workbook takes little memory beside the week's own.

mod sheet;
#[cfg(test)]
mod tests;

use anyhow::anyhow;
use dn_domain::claims::alert::{Alert, State};
use dn_domain::claims::changes::Change;
use dn_domain::claims::digest::{Digest, SourceFile, Totals};
use dn_domain::claims::live::Today;
use dn_domain::claims::movers::{Measure, TREND_WEEKS, Trend};
use jiff::Timestamp;
use jiff::civil::Date;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, Worksheet};

use super::{links, words};
use sheet::{Cell, Formats, Kind, Sheet};

/// Rows of a sheet of Excel, the header among them.
const MAX_ROWS: u32 = 1_048_576;
/// From so many changes on the workbook is packed faster and less tightly: 79,000 of them are 5.0 MiB then, just what a mail
/// still takes.
const MANY_CHANGES: usize = 20_000;
/// How it is packed then, of nine levels; six is the usual one.
const FAST_LEVEL: u8 = 2;

/// A sum of the week, or of the week before.
type Total = fn(&Totals) -> Option<u64>;

/// A workbook with the sheet of changes, which is most of the work and needs no digest.
pub(super) struct Begun {
    workbook: Workbook,
    changes: Worksheet,
    /// Changes that the sheet has no room for.
    left_out: usize,
}

/// Begins the workbook of a week with all its changes.
pub(super) fn begin(changes: &[Change]) -> anyhow::Result<Begun> {
    begin_with(changes, usize::try_from(MAX_ROWS - 1)?)
}

/// The same with room for so many changes.
fn begin_with(changes: &[Change], room: usize) -> anyhow::Result<Begun> {
    let mut workbook = Workbook::new();
    if changes.len() >= MANY_CHANGES {
        workbook.set_zip_compression_level(FAST_LEVEL);
    }
    let fitting = changes.get(..room).unwrap_or(changes);
    let mut sheet = workbook.new_worksheet_with_constant_memory()?;
    write_changes(&mut sheet, &Formats::new(), fitting)?;
    Ok(Begun { workbook, changes: sheet, left_out: changes.len() - fitting.len() })
}

impl Begun {
    /// The whole workbook.
    pub fn finish(self, digest: &Digest) -> anyhow::Result<Vec<u8>> {
        let Self { mut workbook, changes, left_out } = self;
        let made: Timestamp =
            digest.generated_at.parse().map_err(|error| anyhow!("the digest's time is no time: {error}"))?;
        // The program's own clock is never asked, and the same digest makes the same workbook.
        workbook.set_properties(
            &DocProperties::new()
                .set_title(format!("Claims report, week of {}", digest.week))
                .set_creation_datetime(&ExcelDateTime::from_timestamp(made.as_second())?),
        );
        let formats = Formats::new();
        summary(workbook.add_worksheet(), &formats, digest, left_out)?;
        findings(workbook.add_worksheet(), &formats, "Alerts", &TODAY, &digest.alerts)?;
        disputes(workbook.add_worksheet(), &formats, digest)?;
        workbook.push_worksheet(changes);
        movers(workbook.add_worksheet(), &formats, digest)?;
        findings(workbook.add_worksheet(), &formats, "Quality", &[], &digest.quality)?;
        sources(workbook.add_worksheet(), &formats, &digest.sources)?;
        Ok(workbook.save_to_buffer()?)
    }
}

fn summary(sheet: &mut Worksheet, formats: &Formats, digest: &Digest, left_out: usize) -> anyhow::Result<()> {
    let columns = [("What", 34.0), ("This week", 22.0), ("Before", 22.0), ("Difference", 18.0)];
    let mut sheet = Sheet::begin(sheet, formats, "Summary", &columns)?;
    let before = digest.changes.before;
    sheet.row([
        Cell::Text("Week, its Monday"),
        Cell::Day(digest.week.monday()),
        Cell::of(before, |week| Cell::Day(week.monday())),
    ])?;
    sheet.row([Cell::Text("Made"), Cell::Text(&digest.generated_at)])?;
    let was = digest.totals.before.as_deref();
    let totals: [(&str, Total); 6] = [
        ("Active claims", |totals| totals.numbers.active_claims),
        ("Lifetime views", |totals| totals.numbers.views),
        ("Lifetime engaged views", |totals| totals.numbers.engaged_views),
        ("Claims reported", |totals| totals.claims),
        ("Videos", |totals| totals.videos),
        ("Assets", |totals| totals.assets),
    ];
    for (name, of) in totals {
        let (now, was) = (of(&digest.totals), was.and_then(of));
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let difference = now.zip(was).map(|(now, was)| signed(now).saturating_sub(signed(was)));
        sheet.row([
            Cell::Text(name),
            Cell::of(now, Cell::Whole),
            Cell::of(was, Cell::Whole),
            Cell::of(difference, Cell::Signed),
        ])?;
    }
    let open = digest.alerts.iter().filter(|alert| alert.state != State::Resolved);
    let at_risk = digest.disputes.iter().filter_map(|dispute| dispute.value_at_risk).sum();
    let claims = &digest.changes.claims;
    for (name, cell) in [
        ("Value of open alerts", Cell::Amount(open.filter_map(|alert| alert.value).sum())),
        ("Value at risk in disputes", Cell::Amount(at_risk)),
        ("Rate per thousand views", Cell::of(digest.rpm, Cell::Amount)),
        ("Alerts", Cell::Whole(u64::try_from(digest.alerts.len())?)),
        ("Alerts below the budget", Cell::Whole(digest.held_back_count)),
        ("Open disputes", Cell::Whole(u64::try_from(digest.disputes.len())?)),
        ("Findings on the data", Cell::Whole(u64::try_from(digest.quality.len())?)),
        ("Changes of assets", Cell::Whole(digest.changes.count)),
        ("Changes that no sheet has room for", Cell::Whole(u64::try_from(left_out)?)),
        ("Claims opened", Cell::of(before, |_| Cell::Whole(claims.opened))),
        ("Claims released", Cell::of(before, |_| Cell::Whole(claims.released))),
        ("Claims no longer reported", Cell::of(before, |_| Cell::Whole(claims.gone))),
        ("Claims newly disputed", Cell::of(before, |_| Cell::Whole(claims.disputed))),
        ("Disputes settled", Cell::of(before, |_| Cell::Whole(claims.settled))),
    ] {
        sheet.row([Cell::Text(name), cell])?;
    }
    sheet.end()
}

/// The columns of today's numbers.
const TODAY: [(&str, f64); 4] =
    [("Views today", 16.0), ("Since the week ended", 18.0), ("Likes today", 14.0), ("Comments today", 14.0)];

/// Findings, with the columns of today's numbers where they may have them.
fn findings(
    sheet: &mut Worksheet,
    formats: &Formats,
    name: &str,
    today: &[(&str, f64)],
    alerts: &[Alert],
) -> anyhow::Result<()> {
    let mut columns = vec![
        ("Severity", 10.0),
        ("State", 10.0),
        ("Kind", 24.0),
        ("Subject", 11.0),
        ("Subject ID", 26.0),
        ("Title", 36.0),
        ("Reason", 60.0),
        ("Value", 14.0),
    ];
    columns.extend(today);
    columns.extend([("Evidence", 60.0), ("Link", 18.0), ("Alert ID", 20.0)]);
    let mut sheet = Sheet::begin(sheet, formats, name, &columns)?;
    for alert in alerts.iter().take(usize::try_from(MAX_ROWS - 1)?) {
        let evidence = serde_json::to_string(&alert.evidence)?;
        let page = links::of_subject(&alert.subject.kind, &alert.subject.id);
        let link = alert.links.iter().find(|link| links::known(link).is_some()).or(page.as_ref());
        let label = link.map(|link| links::Link::to(link).label);
        let numbers = if today.is_empty() { Vec::new() } else { numbers_of_today(alert) };
        let told = [
            Cell::Text(words::severity(alert.severity, State::Ongoing).word),
            Cell::Text(words::state(alert.state)),
            Cell::Text(words::kind(alert.kind)),
            Cell::Text(&alert.subject.kind),
            Cell::Text(&alert.subject.id),
            Cell::Text(&alert.subject.title),
            Cell::Text(&alert.reason),
            Cell::of(alert.value, Cell::Amount),
        ];
        let rest = [
            Cell::Text(&evidence),
            Cell::of(link.zip(label.as_ref()), |(link, label)| Cell::Link(link, label)),
            Cell::Text(&alert.id),
        ];
        sheet.row(told.into_iter().chain(numbers).chain(rest))?;
    }
    sheet.end()
}

/// The cells of [`TODAY`].
fn numbers_of_today(alert: &Alert) -> Vec<Cell<'_>> {
    let today = Today::of(alert);
    let views = match today {
        Some(today) if today.is_gone => Cell::Text("no longer public"),
        today => Cell::of(today.and_then(|today| today.numbers.views), Cell::Whole),
    };
    vec![
        views,
        Cell::of(today.and_then(|today| today.gained), Cell::Signed),
        Cell::of(today.and_then(|today| today.numbers.likes), Cell::Whole),
        Cell::of(today.and_then(|today| today.numbers.comments), Cell::Whole),
    ]
}

fn disputes(sheet: &mut Worksheet, formats: &Formats, digest: &Digest) -> anyhow::Result<()> {
    let columns = [
        ("Claim", 26.0),
        ("Asset", 20.0),
        ("Video", 16.0),
        ("Status", 18.0),
        ("Deadline", 12.0),
        ("Days left", 10.0),
        ("Estimate", 10.0),
        ("Critical", 10.0),
        ("Value at risk", 14.0),
        ("Risk", 9.0),
        ("Reasons", 40.0),
        ("Action", 50.0),
        ("Link", 18.0),
    ];
    let mut sheet = Sheet::begin(sheet, formats, "Disputes", &columns)?;
    for dispute in digest.disputes.iter().take(usize::try_from(MAX_ROWS - 1)?) {
        let asset = dispute.asset_id.map(|id| id.to_string());
        let reasons = dispute.reasons.join(", ");
        let link = links::Link::to(&dispute.link);
        sheet.row([
            Cell::Text(dispute.claim_id.as_str()),
            Cell::Text(asset.as_deref().unwrap_or_default()),
            Cell::Text(dispute.video_id.as_ref().map_or("", |id| id.as_str())),
            Cell::Text(&dispute.status),
            Cell::of(dispute.deadline, Cell::Day),
            Cell::of(dispute.days_left, |days| Cell::Signed(days.into())),
            Cell::yes_no(dispute.estimate),
            Cell::yes_no(dispute.critical),
            Cell::of(dispute.value_at_risk, Cell::Amount),
            Cell::of(dispute.risk, Cell::Share),
            Cell::Text(&reasons),
            Cell::Text(&dispute.action),
            Cell::Link(&dispute.link, &link.label),
        ])?;
    }
    sheet.end()
}

fn write_changes(sheet: &mut Worksheet, formats: &Formats, changes: &[Change]) -> anyhow::Result<()> {
    let columns = [
        ("Asset", 20.0),
        ("Custom ID", 18.0),
        ("Channel", 27.0),
        ("Title", 44.0),
        ("Artist", 28.0),
        ("ISRC", 16.0),
        ("Metric", 20.0),
        ("Before", 14.0),
        ("Now", 14.0),
        ("Difference", 14.0),
        ("State", 9.0),
    ];
    let mut sheet = Sheet::begin(sheet, formats, "Changes", &columns)?;
    let (text, whole) = (Kind::Text, Kind::Whole);
    sheet.of_kinds(&[text, text, text, text, text, text, text, whole, whole, Kind::Signed, text])?;
    for change in changes {
        let page = dn_domain::claims::links::asset(change.asset_id);
        sheet.row([
            Cell::Link(&page, change.asset_id.as_str()),
            Cell::Text(&change.custom_id),
            Cell::Text(change.channel_id.as_ref().map_or("", |id| id.as_str())),
            Cell::Text(&change.title),
            Cell::Text(&change.artist),
            Cell::Text(&change.isrc),
            Cell::Text(words::metric(change.metric)),
            Cell::of(change.before, Cell::Whole),
            Cell::of(change.now, Cell::Whole),
            Cell::of(change.difference, Cell::Signed),
            Cell::Text(change.state.name()),
        ])?;
    }
    sheet.end()
}

fn movers(sheet: &mut Worksheet, formats: &Formats, digest: &Digest) -> anyhow::Result<()> {
    let weeks: Vec<_> = digest.week.row_of(TREND_WEEKS).collect();
    let names: Vec<String> = weeks.iter().map(ToString::to_string).collect();
    let mut columns =
        vec![("Measure", 22.0), ("By", 10.0), ("ID", 27.0), ("Name", 36.0), ("Now", 14.0), ("Change", 14.0)];
    columns.extend(names.iter().map(|name| (name.as_str(), 14.0)));
    let mut sheet = Sheet::begin(sheet, formats, "Movers", &columns)?;
    for trend in &digest.trends {
        let measure = words::measure(trend.measure).0;
        let row =
            |by: &'static str, id, name, last: Option<i64>, change: Option<i64>, values: &[Option<i64>]| {
                let head = [
                    Cell::Text(measure),
                    Cell::Text(by),
                    Cell::Text(id),
                    Cell::Text(name),
                    Cell::of(last, |last| level(trend.measure, last)),
                    Cell::of(change, Cell::Signed),
                ];
                head.into_iter().chain(by_week(trend, &weeks, values)).collect::<Vec<_>>()
            };
        let last = trend.values.last().copied().flatten();
        sheet.row(row("all", "", "", last, None, &trend.values))?;
        for (by, movers) in [("channel", &trend.channels), ("artist", &trend.artists)] {
            for mover in movers {
                let (last, change) = (Some(mover.last), Some(mover.change));
                sheet.row(row(by, &mover.id, &mover.title, last, change, &mover.values))?;
            }
        }
    }
    sheet.end()
}

/// The values of a trend's weeks, put to the weeks of the sheet.
fn by_week<'c>(
    trend: &Trend,
    weeks: &[dn_domain::claims::week::Week],
    values: &[Option<i64>],
) -> Vec<Cell<'c>> {
    let of = |week| {
        let at = trend.weeks.iter().position(|known| known == week)?;
        values.get(at).copied().flatten()
    };
    weeks.iter().map(|week| Cell::of(of(week), |value| level(trend.measure, value))).collect()
}

/// A gain may fall below zero, and then has its sign; a level has none.
fn level<'c>(measure: Measure, value: i64) -> Cell<'c> {
    match u64::try_from(value) {
        Ok(value) => Cell::Whole(value),
        Err(_) if measure == Measure::ActiveClaims => Cell::Empty,
        Err(_) => Cell::Signed(value),
    }
}

fn sources(sheet: &mut Worksheet, formats: &Formats, sources: &[SourceFile]) -> anyhow::Result<()> {
    let columns = [
        ("Source", 20.0),
        ("State", 22.0),
        ("Address", 60.0),
        ("Up to", 12.0),
        ("Missing columns", 30.0),
        ("Compared with", 14.0),
        ("Number", 16.0),
        ("Before", 16.0),
        ("Now", 16.0),
        ("Difference", 14.0),
    ];
    let mut sheet = Sheet::begin(sheet, formats, "Sources", &columns)?;
    for source in sources {
        let missing = source.facts.as_ref().map(|facts| facts.missing_columns.join(", ")).unwrap_or_default();
        let head = |before: Option<Date>| {
            [
                Cell::Text(&source.name),
                Cell::Text(words::source(source.state).word),
                Cell::Text(&source.uri),
                Cell::of(source.date, Cell::Day),
                Cell::Text(&missing),
                Cell::of(before, Cell::Day),
            ]
        };
        let reconciliation = match &source.reconciliation {
            Some(known) => Some(known.clone()),
            // Without a report to hold it against, its own numbers alone.
            None => source.facts.as_ref().map(|facts| {
                let any = dn_domain::claims::snapshot::Source::Assets;
                dn_domain::claims::quality::reconcile(any, None, Some(facts))
            }),
        };
        let Some(reconciliation) = reconciliation else {
            sheet.row(head(None))?;
            continue;
        };
        let before = reconciliation.before.map(dn_domain::claims::week::Week::monday);
        for number in &reconciliation.numbers {
            sheet.row(head(before).into_iter().chain([
                Cell::Text(&words::from_name(&number.name)),
                Cell::of(number.before, Cell::Whole),
                Cell::of(number.now, Cell::Whole),
                Cell::of(number.difference, Cell::Signed),
            ]))?;
        }
    }
    sheet.end()
}
