//! `report.html`: one file that needs nothing else.

use askama::Template;
use dn_domain::claims::digest::{Digest, SourceFile};
use dn_domain::claims::movers::{Measure, Mover, Trend};
use dn_domain::printable::printable;

use super::chart::{Chart, Spark, chart, spark};
use super::format::{day, grouped, length, moment, money, plain, sentence, short_day, signed, week};
use super::today::{Ask, Figure, Move, Notice, Sum, Worth, asking, figures, moves, notices, sums, worth};
use super::view::{AlertView, Asking, ChangeView, DisputeView};
use super::words::{self, Badge};

/// What a list of the page shows at most, so that a browser opens it whatever happened: the rest stands in the workbook.
pub(super) const SHOWN_ALERTS: usize = 500;
pub(super) const SHOWN_DISPUTES: usize = 500;
const SHOWN_CHANGES: usize = 200;
/// The most things that the first screen names.
const ASKING: usize = 6;
/// How many changes stand open; the others are folded.
const CHANGES_OPEN: usize = 20;

/// The page as a whole.
#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    week: String,
    generated_at: String,
    /// What a reader must know before anything else.
    notices: Vec<Notice>,
    headline: String,
    asking: Vec<Ask>,
    asking_more: u64,
    worth: Vec<Worth>,
    sums: Vec<Sum>,
    rpm: Option<String>,
    moves: Vec<Move>,
    figures: Vec<Figure>,
    alerts: Listed<AlertView>,
    held_back: Option<String>,
    disputes: Listed<DisputeView>,
    charts: Vec<Chart>,
    movers: Vec<Movers>,
    changes: Listed<ChangeView>,
    before: Option<String>,
    quality: Listed<AlertView>,
    sources: Vec<SourceView>,
}

/// A list that is shown as far as it goes.
struct Listed<T> {
    items: Vec<T>,
    count: String,
    /// How many more there are, in words.
    more: Option<String>,
}

impl<T> Listed<T> {
    fn new<S>(items: &[S], most: usize, count: u64, view: impl Fn(&S) -> T) -> Self {
        let shown = u64::try_from(items.len().min(most)).unwrap_or(u64::MAX);
        let more = count.saturating_sub(shown);
        Self {
            items: items.iter().take(most).map(view).collect(),
            count: grouped(count),
            more: (more > 0).then(|| grouped(more)),
        }
    }
}

/// Who moved most in a measure.
struct Movers {
    title: String,
    weeks: Vec<String>,
    rows: Vec<MoverRow>,
}

struct MoverRow {
    title: String,
    id: Option<String>,
    last: String,
    change: String,
    is_up: bool,
    spark: Option<Spark>,
    values: Vec<Option<String>>,
}

struct SourceView {
    name: String,
    uri: String,
    badge: Badge,
    date: Option<String>,
    facts: Vec<(&'static str, String)>,
    missing_columns: Option<String>,
    before: Option<String>,
    reconciled: Vec<Reconciled>,
}

struct Reconciled {
    name: String,
    before: Option<String>,
    now: Option<String>,
    difference: Option<String>,
}

/// The page of a week.
pub(super) fn page(digest: &Digest) -> anyhow::Result<String> {
    let asking = asking(digest);
    let asking_more = length(&asking).saturating_sub(ASKING as u64);
    let trend_of = |measure| digest.trends.iter().find(|trend| trend.measure == measure);
    let page = Page {
        week: week(digest.week),
        generated_at: moment(&digest.generated_at),
        notices: notices(digest),
        headline: Asking::of(digest).sentence(),
        asking: asking.into_iter().take(ASKING).collect(),
        asking_more,
        worth: worth(digest),
        sums: sums(digest),
        rpm: digest.rpm.map(money),
        moves: moves(digest),
        figures: figures(&digest.totals, &digest.trends),
        alerts: Listed::new(&digest.alerts, SHOWN_ALERTS, length(&digest.alerts), AlertView::of),
        held_back: (digest.held_back_count > 0).then(|| grouped(digest.held_back_count)),
        disputes: Listed::new(&digest.disputes, SHOWN_DISPUTES, length(&digest.disputes), DisputeView::of),
        charts: Measure::ALL
            .into_iter()
            .map(|measure| chart(measure, trend_of(measure), digest.week))
            .collect(),
        movers: digest.trends.iter().flat_map(movers).collect(),
        changes: Listed::new(&digest.changes.rows, SHOWN_CHANGES, digest.changes.count, ChangeView::of),
        before: digest.changes.before.map(week),
        quality: Listed::new(&digest.quality, SHOWN_ALERTS, length(&digest.quality), AlertView::of),
        sources: digest.sources.iter().map(source).collect(),
    };
    Ok(page.render()?)
}

fn movers(trend: &Trend) -> [Movers; 2] {
    let (title, _) = words::measure(trend.measure);
    let weeks: Vec<String> = trend.weeks.iter().map(|week| short_day(week.monday())).collect();
    [("channel", &trend.channels), ("artist", &trend.artists)].map(|(whose, movers)| Movers {
        title: format!("{title}, by {whose}"),
        weeks: weeks.clone(),
        rows: movers.iter().map(mover).collect(),
    })
}

fn mover(mover: &Mover) -> MoverRow {
    let title = if mover.title.trim().is_empty() { &mover.id } else { &mover.title };
    MoverRow {
        title: printable(title),
        id: (*title != mover.id).then(|| printable(&mover.id)),
        last: plain(mover.last),
        change: signed(mover.change),
        is_up: mover.change > 0,
        spark: spark(&mover.values),
        values: mover.values.iter().map(|value| value.map(plain)).collect(),
    }
}

fn source(source: &SourceFile) -> SourceView {
    let known = |name, number: Option<u64>| number.map(|number| (name, grouped(number)));
    let facts = source.facts.as_ref();
    let reconciliation = source.reconciliation.as_ref();
    SourceView {
        name: printable(&source.name),
        uri: sentence(&source.uri),
        badge: words::source(source.state),
        date: source.date.map(day),
        facts: facts.map_or_else(Vec::new, |facts| {
            [
                known("rows", Some(facts.rows)),
                known("used", Some(facts.used)),
                known("duplicates", Some(facts.duplicates)),
                known("rejected", Some(facts.rejected)),
                known("entries", Some(facts.entries)),
                known("channels", Some(facts.channels)),
            ]
            .into_iter()
            .flatten()
            .collect()
        }),
        missing_columns: facts
            .filter(|facts| !facts.missing_columns.is_empty())
            .map(|facts| sentence(&facts.missing_columns.join(", "))),
        before: reconciliation.and_then(|held| held.before).map(week),
        reconciled: reconciliation.map_or_else(Vec::new, |held| {
            let numbers =
                held.numbers.iter().filter(|number| number.before.is_some() || number.now.is_some());
            let row = |number: &dn_domain::claims::quality::ReconciledNumber| Reconciled {
                name: words::from_name(&printable(&number.name)),
                before: number.before.map(grouped),
                now: number.now.map(grouped),
                difference: number.difference.map(signed),
            };
            numbers.map(row).collect()
        }),
    }
}
