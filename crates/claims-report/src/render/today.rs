//! The first screen of the page: what needs its reader, what is worth how much, what changed.

use std::collections::BTreeSet;

use dn_domain::claims::alert::{Alert, Kind, Severity, State};
use dn_domain::claims::digest::{Digest, Dispute, Totals};
use dn_domain::claims::movers::{Measure, Trend};
use dn_domain::number::Decimal;
use dn_domain::printable::printable;

use super::format::{count, grouped, length, money, percent, plain, signed, week};
use super::page::{SHOWN_ALERTS, SHOWN_DISPUTES};
use super::view::{AlertView, Asking, DisputeView, is_due};
use super::words::{self, Badge};

/// The most things that are compared by their value.
const WORTH: usize = 5;

/// A sentence on the report itself.
pub(super) struct Notice {
    pub badge: Badge,
    pub text: String,
    /// Where more of it stands.
    pub href: Option<&'static str>,
}

/// Something that asks for attention.
pub(super) struct Ask {
    pub href: String,
    pub badge: Badge,
    pub kind: String,
    pub title: String,
    pub reason: String,
    /// Its numbers of today.
    pub today: Option<String>,
    /// What it is worth, or how long there is time.
    pub aside: Vec<String>,
}

/// A sum of money.
pub(super) struct Sum {
    pub name: &'static str,
    pub amount: String,
    pub note: String,
}

/// A thing and what it is worth beside others.
pub(super) struct Worth {
    pub href: String,
    pub title: String,
    pub kind: String,
    pub amount: String,
    /// In hundredths of the largest.
    pub share: u32,
}

/// A number of what changed.
pub(super) struct Move {
    pub name: &'static str,
    pub count: String,
}

/// A number of the week beside the one before.
pub(super) struct Figure {
    pub name: &'static str,
    pub value: Option<String>,
    pub difference: Option<String>,
    pub percent: Option<String>,
}

pub(super) fn notices(digest: &Digest) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut say = |badge, text: String, href| notices.push(Notice { badge, text, href });
    let critical = words::severity(Severity::Critical, State::New);
    let note = words::severity(Severity::Info, State::New);
    let doubts = Asking::of(digest).data;
    if doubts > 0 {
        let findings = count(doubts, "critical finding", "critical findings");
        say(critical, format!("The data are in doubt: {findings} on their quality."), Some("quality"));
    }
    match (digest.changes.before, digest.changes.weeks_apart) {
        (None, _) => say(
            note,
            "There is no week before to compare with. Gains, movers and changes show from the next report on."
                .to_owned(),
            None,
        ),
        (Some(before), Some(apart)) if apart > 1 => say(
            words::severity(Severity::High, State::New),
            format!("Compared with the week of {}, {apart} weeks earlier: reports are missing between.", week(before)),
            Some("sources"),
        ),
        _ => {}
    }
    notices
}

/// All that asks for attention: what is critical, then disputes by their deadline, then what is of high severity.
pub(super) fn asking(digest: &Digest) -> Vec<Ask> {
    let shown: Vec<&Dispute> = digest.disputes.iter().take(SHOWN_DISPUTES).collect();
    let mut due: Vec<&Dispute> = shown.iter().copied().filter(|dispute| is_due(dispute)).collect();
    due.sort_by_key(|dispute| (dispute.days_left.is_none(), dispute.days_left));
    let queued: BTreeSet<&str> = due.iter().map(|dispute| dispute.claim_id.as_str()).collect();
    // A dispute that stands in the queue asks once, with what the queue knows of it.
    let open = |alert: &&Alert| {
        alert.state != State::Resolved
            && !(alert.kind == Kind::DisputeDeadline && queued.contains(alert.subject.id.as_str()))
    };
    let of = |severity| {
        let alerts = digest.alerts.iter().take(SHOWN_ALERTS);
        alerts.filter(open).filter(move |alert| alert.severity == severity).map(ask)
    };
    of(Severity::Critical)
        .chain(due.into_iter().map(|dispute| ask_of_dispute(digest, dispute)))
        .chain(of(Severity::High))
        .collect()
}

fn ask(alert: &Alert) -> Ask {
    let view = AlertView::of(alert);
    Ask {
        href: view.anchor,
        badge: view.badge,
        kind: view.kind.to_owned(),
        title: view.title,
        reason: view.reason,
        today: view.today,
        aside: view.value.into_iter().collect(),
    }
}

fn ask_of_dispute(digest: &Digest, dispute: &Dispute) -> Ask {
    let title = title_of(digest, dispute);
    let view = DisputeView::of(dispute);
    Ask {
        href: view.anchor,
        badge: if dispute.critical { view.badge } else { words::severity(Severity::High, State::New) },
        kind: format!("Dispute, {}", view.status),
        title,
        reason: view.action,
        today: None,
        aside: std::iter::once(view.left).chain(view.value).collect(),
    }
}

/// What people know a dispute by: the title that its alert has, else its ids.
fn title_of(digest: &Digest, dispute: &Dispute) -> String {
    let alert = digest
        .alerts
        .iter()
        .find(|alert| alert.kind == Kind::DisputeDeadline && alert.subject.id == dispute.claim_id.as_str());
    let title = alert.map(|alert| alert.subject.title.trim()).filter(|title| !title.is_empty());
    if let Some(title) = title {
        return printable(title);
    }
    match &dispute.video_id {
        Some(video) => format!("Claim on video {video}"),
        None => format!("Claim {}", dispute.claim_id),
    }
}

pub(super) fn worth(digest: &Digest) -> Vec<Worth> {
    let alerts = digest
        .alerts
        .iter()
        .take(SHOWN_ALERTS)
        .filter(|alert| alert.state != State::Resolved && alert.kind != Kind::DisputeDeadline)
        .filter_map(|alert| {
            let view = AlertView::of(alert);
            Some((alert.value?, view.anchor, view.title, view.kind.to_owned()))
        });
    let disputes = digest.disputes.iter().take(SHOWN_DISPUTES).filter_map(|dispute| {
        let view = DisputeView::of(dispute);
        Some((
            dispute.value_at_risk?,
            view.anchor,
            title_of(digest, dispute),
            format!("Dispute, {}", view.status),
        ))
    });
    let mut all: Vec<(Decimal, String, String, String)> =
        alerts.chain(disputes).filter(|(value, ..)| *value > Decimal::ZERO).collect();
    all.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
    let most = all.first().map_or(Decimal::ZERO, |(value, ..)| *value);
    all.into_iter()
        .take(WORTH)
        .map(|(value, href, title, kind)| Worth {
            href,
            title,
            kind,
            amount: money(value),
            share: hundredths(value, most),
        })
        .collect()
}

/// A part of a whole in hundredths, at least one so that it shows.
fn hundredths(part: Decimal, whole: Decimal) -> u32 {
    let size = |amount: Decimal| amount.to_string().parse::<f64>().unwrap_or_default();
    let share = size(part) / size(whole) * 100.0;
    (1..=100).rev().find(|step| f64::from(*step) <= share).unwrap_or(1)
}

pub(super) fn sums(digest: &Digest) -> Vec<Sum> {
    let open = || digest.alerts.iter().filter(|alert| alert.state != State::Resolved);
    let valued = |amounts: &[Decimal]| format!("{} with a value", grouped(length(amounts)));
    let alert_values: Vec<Decimal> = open().filter_map(|alert| alert.value).collect();
    let at_risk: Vec<Decimal> = digest.disputes.iter().filter_map(|dispute| dispute.value_at_risk).collect();
    vec![
        Sum {
            name: "Open alerts",
            amount: money(alert_values.iter().copied().sum()),
            note: valued(&alert_values),
        },
        Sum {
            name: "At risk in disputes",
            amount: money(at_risk.iter().copied().sum()),
            note: valued(&at_risk),
        },
    ]
}

pub(super) fn moves(digest: &Digest) -> Vec<Move> {
    if digest.changes.before.is_none() {
        return Vec::new();
    }
    let claims = &digest.changes.claims;
    [
        ("claims opened", claims.opened),
        ("claims released", claims.released),
        ("claims no longer reported", claims.gone),
        ("claims newly disputed", claims.disputed),
        ("disputes settled", claims.settled),
        ("numbers of assets changed", digest.changes.count),
    ]
    .into_iter()
    .map(|(name, number)| Move { name, count: grouped(number) })
    .collect()
}

pub(super) fn figures(totals: &Totals, trends: &[Trend]) -> Vec<Figure> {
    let gained = |name, measure: Measure| {
        let trend = trends.iter().find(|trend| trend.measure == measure);
        let mut last = trend.into_iter().flat_map(|trend| trend.values.iter().rev().copied());
        let (now, before) = (last.next().flatten(), last.next().flatten());
        let difference = now.zip(before).map(|(now, before)| now.saturating_sub(before));
        let unsigned = |number: i64| u64::try_from(number).ok();
        let percent = now.zip(before).and_then(|(now, before)| percent(unsigned(before)?, unsigned(now)?));
        Figure { name, value: now.map(plain), difference: difference.map(signed), percent }
    };
    let held = |name, of: fn(&Totals) -> Option<u64>| {
        let (now, before) = (of(totals), totals.before.as_deref().and_then(of));
        let size = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Figure {
            name,
            value: now.map(grouped),
            difference: now.zip(before).map(|(now, before)| signed(size(now).saturating_sub(size(before)))),
            percent: now.zip(before).and_then(|(now, before)| percent(before, now)),
        }
    };
    vec![
        gained("Views gained", Measure::Views),
        gained("Engaged views gained", Measure::EngagedViews),
        held("Active claims", |totals| totals.numbers.active_claims),
        held("Claims reported", |totals| totals.claims),
        held("Videos", |totals| totals.videos),
        held("Assets", |totals| totals.assets),
        held("Lifetime views", |totals| totals.numbers.views),
        held("Lifetime engaged views", |totals| totals.numbers.engaged_views),
    ]
}
