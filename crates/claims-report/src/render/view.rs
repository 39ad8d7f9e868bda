//! What page and e-mail show of a digest, as text that is fit to be shown: whatever is foreign in it is one visible
//! line. Escaping for HTML is the templates' part.

use dn_domain::claims::alert::{Alert, State};
use dn_domain::claims::changes::Change;
use dn_domain::claims::digest::{Digest, Dispute};
use dn_domain::id::ChannelId;
use dn_domain::printable::printable;
use serde_json::Value;

use super::chart::{Spark, spark};
use super::format::{count, cut, day, grouped, money, plain, sentence, signed};
use super::links::{self, Link};
use super::live;
use super::words::{self, Badge};

/// The most values of a list that are shown with a finding.
const SHOWN_VALUES: usize = 20;
/// What stands among the evidence and is advice: a sentence of its own, and never cut to a value's length.
const ACTION: &str = "action";
/// How deep evidence is looked into.
const MAX_DEPTH: usize = 4;
/// So many days before its deadline a dispute asks for attention.
const DUE_DAYS: i32 = 7;

/// A number or id that raised a finding.
pub(super) struct Fact {
    pub name: String,
    pub value: String,
    /// A row of numbers is drawn as well.
    pub spark: Option<Spark>,
}

/// A finding.
pub(super) struct AlertView {
    /// Where its evidence stands within the page.
    pub anchor: String,
    pub badge: Badge,
    pub kind: &'static str,
    pub state: &'static str,
    pub subject: String,
    pub title: String,
    /// The subject's id, where the title does not say it already.
    pub id: Option<String>,
    pub reason: String,
    /// What is said of today.
    pub today: Option<String>,
    /// What to do about it.
    pub action: Option<String>,
    pub value: Option<String>,
    pub facts: Vec<Fact>,
    pub links: Vec<Link>,
    /// Whether it is said by the state rather than asked for.
    pub is_quiet: bool,
}

impl AlertView {
    pub fn of(alert: &Alert) -> Self {
        let mut facts = Vec::new();
        let action = alert.evidence.get(ACTION).and_then(Value::as_str).map(sentence);
        for (name, value) in alert.evidence.iter().filter(|(name, _)| action.is_none() || *name != ACTION) {
            push_facts(&mut facts, &words::from_name(&printable(name)), value, 0);
        }
        let subject = &alert.subject;
        let title = if subject.title.trim().is_empty() { &subject.id } else { &subject.title };
        let mut links: Vec<Link> = alert.links.iter().take(SHOWN_VALUES).map(|link| Link::to(link)).collect();
        if links.iter().all(|link| link.href.is_none()) {
            links.extend(links::of_subject(&subject.kind, &subject.id).map(|address| Link::to(&address)));
        }
        Self {
            anchor: anchor(&alert.id),
            badge: words::severity(alert.severity, alert.state),
            kind: words::kind(alert.kind),
            state: words::state(alert.state),
            subject: printable(&subject.kind),
            title: printable(title),
            id: (*title != subject.id).then(|| printable(&subject.id)),
            reason: sentence(&alert.reason),
            today: live::line(alert),
            action,
            value: alert.value.map(money),
            facts,
            links,
            is_quiet: alert.state == State::Resolved
                || alert.severity == dn_domain::claims::alert::Severity::Info,
        }
    }
}

/// Where a finding's evidence stands within the page.
pub(super) fn anchor(id: &str) -> String {
    let safe: String = id.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    format!("alert-{safe}")
}

fn push_facts(facts: &mut Vec<Fact>, name: &str, value: &Value, depth: usize) {
    match value {
        Value::Object(parts) if depth < MAX_DEPTH => {
            for (part, value) in parts {
                push_facts(
                    facts,
                    &format!("{name}: {}", words::from_name(&printable(part))),
                    value,
                    depth + 1,
                );
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) && depth < MAX_DEPTH => {
            for (index, item) in items.iter().take(SHOWN_VALUES).enumerate() {
                push_facts(facts, &format!("{name} {}", index + 1), item, depth + 1);
            }
            if items.len() > SHOWN_VALUES {
                let value = format!("{} more", items.len() - SHOWN_VALUES);
                facts.push(Fact { name: name.to_owned(), value, spark: None });
            }
        }
        Value::Array(items) => {
            let mut shown: Vec<String> = items.iter().take(SHOWN_VALUES).map(scalar).collect();
            if items.len() > SHOWN_VALUES {
                shown.push(format!("{} more", items.len() - SHOWN_VALUES));
            }
            let value = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
            facts.push(Fact { name: name.to_owned(), value, spark: series(items) });
        }
        _ => facts.push(Fact { name: name.to_owned(), value: scalar(value), spark: None }),
    }
}

/// The values of a list as a line, where it is one of numbers with or without gaps.
fn series(items: &[Value]) -> Option<Spark> {
    let values: Option<Vec<Option<i64>>> = items
        .iter()
        .map(|item| match item {
            Value::Null => Some(None),
            item => item.as_i64().map(Some),
        })
        .collect();
    values.filter(|values| (4..=60).contains(&values.len())).and_then(|values| spark(&values))
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "no value".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => grouped(number),
            (None, Some(number)) => plain(number),
            (None, None) => number.to_string(),
        },
        Value::String(text) => printable(text),
        Value::Array(_) | Value::Object(_) => cut(&sentence(&value.to_string()), 80),
    }
}

/// An open dispute.
pub(super) struct DisputeView {
    /// Where it stands within the page.
    pub anchor: String,
    pub badge: Badge,
    pub claim: String,
    pub asset: Option<String>,
    pub video: Option<String>,
    pub status: String,
    pub deadline: Option<String>,
    pub is_estimate: bool,
    /// How long there is still time, in words.
    pub left: String,
    /// Whether it asks for attention now.
    pub is_due: bool,
    pub value: Option<String>,
    pub risk: Option<String>,
    pub reasons: Vec<String>,
    pub action: String,
    pub link: Link,
}

impl DisputeView {
    pub fn of(dispute: &Dispute) -> Self {
        Self {
            anchor: format!("dispute-{}", dispute.claim_id),
            badge: words::dispute(dispute.critical),
            claim: dispute.claim_id.to_string(),
            asset: dispute.asset_id.map(|id| id.to_string()),
            video: dispute.video_id.map(|id| id.to_string()),
            status: words::from_name(&printable(&dispute.status)),
            deadline: dispute.deadline.map(day),
            is_estimate: dispute.estimate,
            left: left(dispute.days_left),
            is_due: is_due(dispute),
            value: dispute.value_at_risk.map(money),
            risk: dispute.risk.map(|risk| share(&risk.to_string())),
            reasons: dispute.reasons.iter().map(|reason| words::from_name(&printable(reason))).collect(),
            action: sentence(&dispute.action),
            link: Link::to(&dispute.link),
        }
    }
}

/// Whether a dispute cannot wait for the next report.
pub(super) fn is_due(dispute: &Dispute) -> bool {
    dispute.critical || dispute.days_left.is_some_and(|days| days <= DUE_DAYS)
}

fn left(days: Option<i32>) -> String {
    match days {
        None => "no deadline known".to_owned(),
        Some(0) => "today".to_owned(),
        Some(days) if days > 0 => count(u64::from(days.unsigned_abs()), "day left", "days left"),
        Some(days) => count(u64::from(days.unsigned_abs()), "day overdue", "days overdue"),
    }
}

/// A share of one in percent.
fn share(decimal: &str) -> String {
    match decimal.parse::<f64>() {
        Ok(share) => format!("{:.1} %", share * 100.0),
        Err(_) => printable(decimal),
    }
}

/// A number of an asset that changed.
pub(super) struct ChangeView {
    pub title: String,
    pub artist: String,
    pub asset: String,
    pub custom_id: String,
    pub channel: String,
    pub metric: &'static str,
    pub before: Option<String>,
    pub now: Option<String>,
    pub difference: Option<String>,
    pub state: &'static str,
    pub link: Link,
}

impl ChangeView {
    pub fn of(change: &Change) -> Self {
        let title = if change.title.trim().is_empty() { change.asset_id.as_str() } else { &change.title };
        Self {
            title: printable(title),
            artist: printable(&change.artist),
            asset: change.asset_id.to_string(),
            custom_id: printable(&change.custom_id),
            channel: change.channel_id.as_ref().map(ChannelId::to_string).unwrap_or_default(),
            metric: words::metric(change.metric),
            before: change.before.map(grouped),
            now: change.now.map(grouped),
            difference: change.difference.map(signed),
            state: words::change(change.state),
            link: Link::to(&dn_domain::claims::links::asset(change.asset_id)),
        }
    }
}

/// How many things of a digest ask for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking {
    pub critical: u64,
    pub high: u64,
    /// Disputes that cannot wait for the next report.
    pub due: u64,
    /// Critical findings on the data.
    pub data: u64,
    /// Whether no report of the week could be read: then it is no comfort that nothing asks.
    pub is_blind: bool,
}

impl Asking {
    pub fn of(digest: &Digest) -> Self {
        use dn_domain::claims::alert::Severity;
        let open = |alerts: &[Alert], severity| {
            let is_open = |alert: &&Alert| alert.state != State::Resolved && alert.severity == severity;
            u64::try_from(alerts.iter().filter(is_open).count()).unwrap_or(u64::MAX)
        };
        Self {
            critical: open(&digest.alerts, Severity::Critical),
            high: open(&digest.alerts, Severity::High),
            due: u64::try_from(digest.disputes.iter().filter(|dispute| is_due(dispute)).count())
                .unwrap_or(u64::MAX),
            data: open(&digest.quality, Severity::Critical),
            is_blind: digest.sources.iter().all(|source| source.facts.is_none()),
        }
    }

    /// The same in words, the gravest first; none when nothing asks.
    pub fn parts(&self) -> Vec<String> {
        let part = |number: u64, one: &str, many: &str| (number > 0).then(|| count(number, one, many));
        [
            part(self.critical, "critical alert", "critical alerts"),
            part(self.due, "dispute that cannot wait", "disputes that cannot wait"),
            part(self.high, "alert of high severity", "alerts of high severity"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The sentence at the top.
    pub fn sentence(&self) -> String {
        match self.parts().as_slice() {
            [] if self.is_blind => "Nothing can be judged: no report of this week could be read.".to_owned(),
            [] => "Nothing asks for you this week.".to_owned(),
            [one] => format!("{one}."),
            [parts @ .., last] => format!("{} and {last}.", parts.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use dn_domain::claims::alert::{Kind, Severity, Subject};
    use serde_json::json;

    use super::*;

    #[test]
    fn evidence_is_laid_out_flat_with_its_numbers_readable() {
        let alert = Alert::draft(Kind::Viral, Severity::High, Subject::new("video", "abcdefghijk", " "), "r")
            .because("impact", json!({"views": 1_200_000, "value": null}))
            .because("weeklyViews", json!([10, null, 12, 5000]))
            .because("ratio", 4.25)
            .because("owners", json!(["a\u{202e}", "b"]));
        let view = AlertView::of(&alert);
        let facts: Vec<_> = view.facts.iter().map(|fact| (fact.name.as_str(), fact.value.as_str())).collect();
        assert_eq!(
            facts,
            [
                ("impact: value", "no value"),
                ("impact: views", "1,200,000"),
                ("owners", "a\\u{202e}, b"),
                ("ratio", "4.25"),
                ("weekly views", "10, no value, 12, 5,000"),
            ]
        );
        assert!(view.facts[4].spark.is_some() && view.facts[2].spark.is_none());
        assert_eq!((view.title.as_str(), view.id), ("abcdefghijk", None));
        assert_eq!(view.links[0].href.as_deref(), Some("https://studio.youtube.com/video/abcdefghijk"));
    }

    #[test]
    fn what_to_do_is_a_sentence_and_no_value() {
        let mut alert = crate::render::sample::busy().0.alerts.remove(0);
        let advice = format!("See that {}.", "each reference is right and ".repeat(6));
        alert.evidence.insert(ACTION.to_owned(), advice.clone().into());
        let view = AlertView::of(&alert);
        assert_eq!(view.action, Some(advice));
        assert!(view.facts.iter().all(|fact| fact.name != "action"));
    }

    #[test]
    fn lists_of_evidence_are_cut_and_deep_evidence_ends() {
        let mut deep = json!(1);
        for _ in 0..30 {
            deep = json!({ "in": deep });
        }
        let alert = Alert::draft(Kind::Viral, Severity::High, Subject::new("file", "f", "f"), "r")
            .because("deep", deep)
            .because("many", json!((0..500).collect::<Vec<u32>>()));
        let view = AlertView::of(&alert);
        assert_eq!(view.facts.len(), 2);
        assert!(view.facts[0].value.starts_with("{\"in\""), "{}", view.facts[0].value);
        assert!(view.facts[1].value.ends_with(", 19, 480 more"), "{}", view.facts[1].value);
    }

    #[test]
    fn what_is_left_of_a_deadline_is_said_in_words() {
        let shown = [None, Some(0), Some(1), Some(12), Some(-1), Some(-3)].map(left);
        assert_eq!(
            shown,
            ["no deadline known", "today", "1 day left", "12 days left", "1 day overdue", "3 days overdue"]
        );
    }

    #[test]
    fn the_sentence_at_the_top_counts_what_asks() {
        let quiet = Asking { critical: 0, high: 0, due: 0, data: 1, is_blind: false };
        assert_eq!(quiet.sentence(), "Nothing asks for you this week.");
        let blind = Asking { is_blind: true, ..quiet };
        assert_eq!(blind.sentence(), "Nothing can be judged: no report of this week could be read.");
        let busy = Asking { critical: 1, high: 5, due: 2, data: 0, is_blind: false };
        assert_eq!(
            busy.sentence(),
            "1 critical alert, 2 disputes that cannot wait and 5 alerts of high severity."
        );
    }
}
