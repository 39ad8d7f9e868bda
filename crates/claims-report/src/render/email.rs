//! The e-mail: what asks for attention, small enough for every mail program, and the same as plain text.

use std::fmt::Write as _;

use anyhow::bail;
use askama::Template;
use dn_domain::claims::alert::{Alert, State};
use dn_domain::claims::digest::Digest;

use super::format::{count, cut, grouped, length, money, short_day, signed, week};
use super::view::{AlertView, Asking, ChangeView, DisputeView};

/// Longer mails are cut by some programs, with a link where the rest should be.
pub(super) const MAX_BYTES: usize = 100_000;

/// How many rows each list has at most: as many of the first as fit.
const ROWS: [usize; 5] = [12, 8, 4, 1, 0];
/// How many changes a mail names at most: they are to be looked at, not to be worked off.
const CHANGES: usize = 5;
/// The most characters of a sentence, a title and a name in a mail.
const SENTENCE_CHARS: usize = 240;

/// A finding in a mail.
struct Item {
    shape: &'static str,
    word: &'static str,
    colour: &'static str,
    kind: String,
    title: String,
    reason: String,
    aside: String,
    href: Option<String>,
    label: String,
}

/// A list of a mail.
struct List {
    title: &'static str,
    /// What is said where there is nothing.
    nothing: &'static str,
    items: Vec<Item>,
    /// How many more there are, in words.
    more: Option<String>,
    /// Which file has the rest.
    rest: &'static str,
}

#[derive(Template)]
#[template(path = "email.html")]
struct Mail {
    week: String,
    headline: String,
    doubt: Option<String>,
    is_first: bool,
    figures: Vec<(&'static str, String)>,
    lists: Vec<List>,
    held_back: Option<String>,
    /// The names and addresses of the files that do not go with the mail; none in the file itself.
    places: Vec<(String, String)>,
}

/// The mail as HTML: tables and inline styles, no picture, and never longer than [`MAX_BYTES`]. `places` are the names and
/// addresses of the files that do not go with it.
pub fn email_html(digest: &Digest, places: &[(String, String)]) -> anyhow::Result<String> {
    let places: Vec<(String, String)> =
        places.iter().map(|(name, address)| (name.clone(), cut(address, SENTENCE_CHARS))).collect();
    for rows in ROWS {
        let mail = Mail { places: places.clone(), ..mail(digest, rows) }.render()?;
        if mail.len() < MAX_BYTES {
            return Ok(mail);
        }
    }
    // What is left has no foreign text.
    bail!("an e-mail without any list is longer than {MAX_BYTES} bytes")
}

fn mail(digest: &Digest, rows: usize) -> Mail {
    let asking = Asking::of(digest);
    Mail {
        week: week(digest.week),
        headline: asking.sentence(),
        doubt: doubt(&asking),
        is_first: digest.changes.before.is_none(),
        figures: figures(digest),
        lists: lists(digest, rows),
        held_back: (digest.held_back_count > 0).then(|| grouped(digest.held_back_count)),
        places: Vec::new(),
    }
}

fn doubt(asking: &Asking) -> Option<String> {
    (asking.data > 0).then(|| {
        let findings = count(asking.data, "critical finding", "critical findings");
        format!("The data are in doubt: {findings} on their quality.")
    })
}

fn figures(digest: &Digest) -> Vec<(&'static str, String)> {
    let open = digest.alerts.iter().filter(|alert| alert.state != State::Resolved);
    let at_risk = digest.disputes.iter().filter_map(|dispute| dispute.value_at_risk).sum();
    let mut figures = vec![
        ("Open alerts are worth", money(open.filter_map(|alert| alert.value).sum())),
        ("At risk in disputes", money(at_risk)),
    ];
    let totals = &digest.totals;
    if let Some(now) = totals.numbers.active_claims {
        let before = totals.before.as_ref().and_then(|before| before.numbers.active_claims);
        let size = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let change = before.map(|before| format!(" ({})", signed(size(now).saturating_sub(size(before)))));
        figures.push(("Active claims", format!("{}{}", grouped(now), change.unwrap_or_default())));
    }
    if digest.changes.before.is_some() {
        let claims = &digest.changes.claims;
        figures.push(("Claims opened", grouped(claims.opened)));
        figures.push(("Claims released", grouped(claims.released)));
        figures.push(("Claims newly disputed", grouped(claims.disputed)));
    }
    figures
}

fn lists(digest: &Digest, rows: usize) -> Vec<List> {
    let list = |title, nothing, items: Vec<Item>, count: u64, rest| {
        let more = count.saturating_sub(length(&items));
        List { title, nothing, items, more: (more > 0).then(|| grouped(more)), rest }
    };
    let open = |title, nothing, alerts: &[Alert]| {
        let open = || alerts.iter().filter(|alert| alert.state != State::Resolved);
        let count = u64::try_from(open().count()).unwrap_or(u64::MAX);
        list(title, nothing, open().take(rows).map(of_alert).collect(), count, "report.html")
    };
    let disputes = digest.disputes.iter().take(rows).map(of_dispute).collect();
    let changes = digest.changes.rows.iter().take(rows.min(CHANGES)).map(of_change).collect();
    vec![
        open("Alerts", "No alert is open.", &digest.alerts),
        list("Disputes", "No dispute is open.", disputes, length(&digest.disputes), "disputes.csv"),
        list("Most changed", "No change is known.", changes, digest.changes.count, "changes.csv"),
        open("Data quality", "Nothing is wrong with the data.", &digest.quality),
    ]
}

fn of_alert(alert: &Alert) -> Item {
    let view = AlertView::of(alert);
    let link = view.links.into_iter().find(|link| link.href.is_some());
    Item {
        shape: view.badge.shape,
        word: view.badge.word,
        colour: view.badge.colour,
        kind: format!("{}, {}", view.kind, view.state),
        title: view.title,
        reason: match view.today {
            Some(today) => format!("{} {today}", cut(&view.reason, SENTENCE_CHARS)),
            None => cut(&view.reason, SENTENCE_CHARS),
        },
        aside: view.value.unwrap_or_default(),
        label: link.as_ref().map(|link| link.label.clone()).unwrap_or_default(),
        href: link.and_then(|link| link.href),
    }
}

fn of_dispute(dispute: &dn_domain::claims::digest::Dispute) -> Item {
    let view = DisputeView::of(dispute);
    let deadline = dispute.deadline.map(|day| format!(", {}", short_day(day))).unwrap_or_default();
    Item {
        shape: view.badge.shape,
        word: view.badge.word,
        colour: view.badge.colour,
        kind: format!("{}, {}{deadline}", view.status, view.left),
        title: view.video.map_or_else(|| format!("claim {}", view.claim), |video| format!("video {video}")),
        reason: cut(&view.action, SENTENCE_CHARS),
        aside: view.value.unwrap_or_default(),
        label: view.link.label,
        href: view.link.href,
    }
}

fn of_change(change: &dn_domain::claims::changes::Change) -> Item {
    let view = ChangeView::of(change);
    let number = |number: Option<String>| number.unwrap_or_else(|| "not there".to_owned());
    // The shape stands before the state's word.
    let (shape, word) = view.state.split_once(' ').unwrap_or(("", view.state));
    Item {
        shape,
        word,
        colour: "#475467",
        kind: view.metric.to_owned(),
        title: view.title,
        reason: format!("{} → {}", number(view.before), number(view.now)),
        aside: view.difference.unwrap_or_default(),
        label: view.link.label,
        href: view.link.href,
    }
}

/// The mail as plain text, with the same lists.
pub fn email_text(digest: &Digest) -> String {
    let mail = mail(digest, ROWS[0]);
    let mut text = format!("Weekly claims report, {}\n\n{}\n", mail.week, mail.headline);
    if let Some(doubt) = &mail.doubt {
        let _ = writeln!(text, "{doubt}");
    }
    if mail.is_first {
        let _ = writeln!(text, "There is no week before to compare with.");
    }
    text.push('\n');
    for (name, value) in &mail.figures {
        let _ = writeln!(text, "{name}: {value}");
    }
    for list in &mail.lists {
        let _ = writeln!(text, "\n{}\n", list.title.to_uppercase());
        if list.items.is_empty() && list.more.is_none() {
            let _ = writeln!(text, "{}", list.nothing);
        }
        for item in &list.items {
            let aside = if item.aside.is_empty() { String::new() } else { format!("  [{}]", item.aside) };
            let _ =
                writeln!(text, "* {}: {}{aside}\n  {}: {}", item.word, item.kind, item.title, item.reason);
            if let Some(href) = &item.href {
                let _ = writeln!(text, "  {href}");
            }
        }
        if let Some(more) = &list.more {
            let _ = writeln!(text, "{more} more in {}.", list.rest);
        }
    }
    if let Some(more) = &mail.held_back {
        let _ = writeln!(text, "\n{more} more alerts below the budget.");
    }
    text.push_str("\nThe whole report: report.html and report.xlsx of this run.\n");
    text
}

/// The subject of the mail: one short line of plain letters, the gravest first.
pub fn subject(digest: &Digest) -> String {
    let asking = Asking::of(digest);
    let week = digest.week;
    let doubt = if asking.data > 0 { "data in doubt, " } else { "" };
    let parts: Vec<String> = [
        (asking.critical, "critical"),
        (asking.high, "high"),
        (asking.due, if asking.due == 1 { "dispute due" } else { "disputes due" }),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{number} {what}"))
    .collect();
    let asks = match parts.as_slice() {
        [] if asking.is_blind => "no report could be read".to_owned(),
        [] => "nothing asks for you".to_owned(),
        parts => parts.join(", "),
    };
    format!("Claims report, week of {week}: {doubt}{asks}")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::super::tests::flood;
    use super::*;

    #[test]
    fn the_mail_stays_small_whatever_the_week() {
        let (mut digest, _) = sample::busy();
        digest.alerts = flood(10_000);
        digest.quality = flood(300);
        digest.held_back_count = 12_345;
        let mail = email_html(&digest, &[]).unwrap();
        assert!(mail.len() < MAX_BYTES, "{} bytes", mail.len());
        assert!(mail.contains(" more in report.html"), "what is left out is counted");
        assert!(mail.contains("12,345 more alerts below the budget"));
        assert!(email_text(&digest).len() < MAX_BYTES);
    }

    #[test]
    fn a_mail_has_no_picture_no_style_sheet_and_no_script() {
        let mail = email_html(&sample::busy().0, &[]).unwrap();
        for word in ["<img", "<style", "<link", "<script", "url(", "class=", "cid:", "<svg"] {
            assert!(!mail.contains(word), "{word}");
        }
        assert!(mail.contains("3 more alerts below the budget"));
        assert!(!mail.contains("javascript:"));
    }

    #[test]
    fn the_subject_says_what_asks_in_plain_letters() {
        let (digest, _) = sample::busy();
        assert_eq!(
            subject(&digest),
            "Claims report, week of 2026-11-16: data in doubt, 2 critical, 3 high, 4 disputes due"
        );
        assert_eq!(subject(&sample::empty()), "Claims report, week of 2026-11-16: no report could be read");
        let quiet = Digest { alerts: Vec::new(), ..sample::first() };
        assert_eq!(subject(&quiet), "Claims report, week of 2026-11-16: nothing asks for you");
        assert!(subject(&digest).is_ascii());
    }

    #[test]
    fn the_plain_text_says_what_the_mail_says() {
        let (digest, _) = sample::busy();
        let text = email_text(&digest);
        let first: String = text.lines().take(19).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(first, @r"
        Weekly claims report, 16–22 November 2026

        2 critical alerts, 4 disputes that cannot wait and 3 alerts of high severity.
        The data are in doubt: 1 critical finding on their quality.

        Open alerts are worth: 7,306.75
        At risk in disputes: 6,391.50
        Active claims: 519,732 (+611)
        Claims opened: 9,120
        Claims released: 1,404
        Claims newly disputed: 58

        ALERTS

        * critical: Wrong custom ID, new  [1,840.50]
          Midnight Rain (Official Video): its custom ID is old-label, its channel's is lotus-01: the wrong artist is paid for 1,204 active claims
          https://studio.youtube.com/asset/A000000000000001
        * critical: Dispute runs out, new  [960.25]
          <script>alert(document.cookie)</script>: the appeal runs out in 2 days
        ");
        assert!(
            text.contains("harmless\\u{202e}gpj.exe") && text.contains("2,595 more in changes.csv."),
            "{text}"
        );
        assert!(!text.contains('\u{202e}'));
    }
}
