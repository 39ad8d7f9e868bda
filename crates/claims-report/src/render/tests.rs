//! The files of a report, read again.

use std::collections::{BTreeMap, BTreeSet};

use dn_domain::claims::alert::{Alert, Kind, Severity, State, Subject};
use dn_domain::claims::changes::Changes;
use proptest::prelude::*;
use serde_json::Value;

use super::sample;
use super::*;

fn render(digest: &Digest, changes: Option<&Changes>) -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
    begin(changes.map_or(&[], |changes| changes.rows.as_slice()))?.finish(digest)
}

fn file(digest: &Digest, changes: Option<&Changes>, name: &str) -> Vec<u8> {
    let files = render(digest, changes).unwrap();
    files.into_iter().find(|(known, _)| *known == name).unwrap().1
}

fn page_of(digest: &Digest) -> String {
    page::page(digest).unwrap()
}

/// An element: its name and its attributes.
type Element = (String, BTreeMap<String, String>);

/// The elements of a page in order.
fn elements(page: &str) -> Vec<Element> {
    let dom = tl::parse(page, tl::ParserOptions::default()).unwrap();
    let tags = dom.nodes().iter().filter_map(tl::Node::as_tag);
    tags.map(|tag| {
        let attributes = tag.attributes().iter();
        let owned =
            attributes.map(|(name, value)| (name.into_owned(), value.unwrap_or_default().into_owned()));
        (tag.name().as_utf8_str().into_owned(), owned.collect())
    })
    .collect()
}

fn attribute_values<'e>(elements: &'e [Element], name: &str) -> Vec<&'e str> {
    elements.iter().filter_map(|(_, attributes)| attributes.get(name)).map(String::as_str).collect()
}

/// So many alerts with hostile titles and long reasons.
pub(super) fn flood(count: usize) -> Vec<Alert> {
    (0..count)
        .map(|index| {
            let subject = Subject::new("video", format!("{index:011}"), "<\u{202e}&\"'>".repeat(100));
            Alert::draft(Kind::Viral, Severity::High, subject, "<b>&\u{200b}".repeat(500))
                .because("<k>", Value::from("&<\u{202e}>".repeat(300)))
                .worth(dn_domain::number::Decimal::whole(index as u64))
        })
        .collect()
}

#[test]
fn every_alert_has_its_evidence_in_the_page_and_every_link_within_it_leads_somewhere() {
    let (digest, _) = sample::busy();
    let elements = elements(&page_of(&digest));
    let ids: BTreeSet<&str> = attribute_values(&elements, "id").into_iter().collect();
    assert_eq!(ids.len(), attribute_values(&elements, "id").len(), "an id stands once");
    for alert in digest.alerts.iter().chain(&digest.quality) {
        assert!(ids.contains(view::anchor(&alert.id).as_str()), "{}", alert.reason);
    }
    for dispute in &digest.disputes {
        assert!(ids.contains(format!("dispute-{}", dispute.claim_id).as_str()));
    }
    let within = attribute_values(&elements, "href").into_iter().filter_map(|link| link.strip_prefix('#'));
    let led: BTreeSet<&str> = within.collect();
    assert!(led.is_subset(&ids), "{:?}", led.difference(&ids));
    let grave = digest.alerts.iter().find(|alert| alert.severity == Severity::Critical).unwrap();
    assert!(
        led.contains(view::anchor(&grave.id).as_str()),
        "what is critical is led to from the first screen"
    );
}

#[test]
fn a_page_with_ten_thousand_alerts_names_what_it_leaves_out_and_leads_nowhere_else() {
    let (mut digest, _) = sample::busy();
    digest.alerts = flood(10_000);
    let page = page_of(&digest);
    assert!(page.contains("9,500 more in report.xlsx and alerts.json."));
    let elements = elements(&page);
    let ids: BTreeSet<&str> = attribute_values(&elements, "id").into_iter().collect();
    for link in attribute_values(&elements, "href").into_iter().filter_map(|link| link.strip_prefix('#')) {
        assert!(ids.contains(link), "{link}");
    }
}

#[test]
fn every_chart_has_a_name_a_description_and_its_numbers_beside_it() {
    let (digest, _) = sample::busy();
    let page = page_of(&digest);
    let elements = elements(&page);
    let charts = elements.iter().filter(|(name, _)| name == "svg").collect::<Vec<_>>();
    assert!(charts.len() > 40, "{}", charts.len());
    for (_, attributes) in &charts {
        assert_eq!(attributes.get("role").map(String::as_str), Some("img"));
    }
    for svg in page.split("<svg").skip(1) {
        let svg = svg.split("</svg>").next().unwrap();
        assert!(svg.contains("<title") && svg.contains("<desc"), "{svg}");
    }
    assert_eq!(page.matches("<summary>The numbers</summary>").count(), 3 + 6);
    // A week without a report has a word in the table and no zero.
    assert!(page.contains("<span class=\"unknown\">no value</span>"));
}

#[test]
fn the_first_page_says_that_there_is_no_past_and_has_its_charts() {
    let digest = sample::first();
    let page = page_of(&digest);
    assert!(page.contains("There is no week before to compare with."));
    assert_eq!(page.matches("<svg class=\"chart\"").count(), 3);
    assert_eq!(page.matches("<circle class=\"mark now\"").count(), 1, "active claims have one point");
    assert_eq!(page.matches("A gain needs two weeks in a row.").count(), 2);
    assert!(page.contains("492,722,573"), "the lifetime views are known in the first week");
    let csv = String::from_utf8(file(&digest, None, "changes.csv")).unwrap();
    assert_eq!(csv, format!("{}\n", dn_domain::claims::changes::COLUMNS.join(",")));
    assert!(email_text(&digest).contains("There is no week before to compare with."));
}

#[test]
fn a_week_of_which_nothing_is_known_has_every_file_and_says_so() {
    let digest = sample::empty();
    let files: Vec<_> =
        render(&digest, None).unwrap().into_iter().map(|(name, bytes)| (name, bytes.len())).collect();
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    let promised = [
        "report.json",
        "report.html",
        "email.html",
        "report.xlsx",
        "changes.csv",
        "disputes.csv",
        "alerts.json",
        "quality.json",
    ];
    assert_eq!(names, promised);
    assert!(files.iter().all(|(_, bytes)| *bytes > 2), "{files:?}");
    let page = page_of(&digest);
    assert!(page.contains("Nothing can be judged: no report of this week could be read."));
    assert!(!page.contains("NaN") && !page.contains(">0.0%"));
}

#[test]
fn weeks_that_lie_apart_are_said_to() {
    let (mut digest, _) = sample::busy();
    digest.changes.weeks_apart = Some(3);
    assert!(page_of(&digest).contains("3 weeks earlier: reports are missing between."));
}

#[test]
fn the_files_for_machines_are_the_digest_and_its_parts() {
    let (digest, _) = sample::busy();
    let parsed: Digest = serde_json::from_slice(&file(&digest, None, "report.json")).unwrap();
    assert_eq!(parsed, digest);
    let whole: Value = serde_json::from_slice(&file(&digest, None, "report.json")).unwrap();
    for name in ["alerts", "quality"] {
        let part: Value = serde_json::from_slice(&file(&digest, None, &format!("{name}.json"))).unwrap();
        assert_eq!(part, whole[name]);
    }
}

#[test]
fn the_same_digest_makes_the_same_bytes() {
    let (digest, changes) = sample::busy();
    let first = render(&digest, Some(&changes)).unwrap();
    for ((name, first), (_, again)) in first.iter().zip(render(&digest, Some(&changes)).unwrap()) {
        assert!(*first == again, "{name}");
    }
}

/// A digest in which every text that comes from outside is this one.
fn poisoned(poison: &str) -> Digest {
    let (mut digest, _) = sample::busy();
    for alert in digest.alerts.iter_mut().chain(&mut digest.quality) {
        alert.subject.title = poison.to_owned();
        alert.subject.id = poison.to_owned();
        alert.subject.kind = poison.to_owned();
        alert.reason = poison.to_owned();
        alert.links = vec![poison.to_owned(), format!("https://studio.youtube.com/video/{poison}")];
        alert.evidence.insert(poison.to_owned(), serde_json::json!({ poison: [poison, { poison: poison }] }));
    }
    for change in &mut digest.changes.rows {
        for field in [&mut change.title, &mut change.artist, &mut change.custom_id, &mut change.isrc] {
            *field = poison.to_owned();
        }
    }
    for mover in
        digest.trends.iter_mut().flat_map(|trend| trend.channels.iter_mut().chain(&mut trend.artists))
    {
        mover.title = poison.to_owned();
        mover.id = format!("{poison}x");
    }
    for source in &mut digest.sources {
        source.name = poison.to_owned();
        source.uri = poison.to_owned();
    }
    for dispute in &mut digest.disputes {
        dispute.status = poison.to_owned();
        dispute.action = poison.to_owned();
        dispute.reasons = vec![poison.to_owned()];
        dispute.link = poison.to_owned();
    }
    digest
}

/// What of a text is never to stand in a page or mail as it is.
fn is_hidden(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        || (character.is_control() && character != '\n')
}

fn assert_harmless(page: &str) {
    assert!(!page.to_ascii_lowercase().contains("<script"), "{page}");
    assert_eq!(page.chars().find(|character| is_hidden(*character)), None);
    let known = [
        "html",
        "head",
        "meta",
        "link",
        "title",
        "style",
        "body",
        "header",
        "div",
        "p",
        "h1",
        "h2",
        "h3",
        "br",
        "nav",
        "a",
        "b",
        "main",
        "section",
        "span",
        "ol",
        "ul",
        "li",
        "bdi",
        "dl",
        "dt",
        "dd",
        "article",
        "details",
        "summary",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "figure",
        "figcaption",
        "svg",
        "desc",
        "line",
        "text",
        "rect",
        "path",
        "circle",
        "footer",
    ];
    for (name, attributes) in elements(page) {
        assert!(known.contains(&name.as_str()), "<{name}>");
        for (attribute, value) in attributes {
            assert!(!attribute.starts_with("on") && attribute != "src", "{attribute}={value}");
            let is_safe = ["#", "data:,", "https://studio.youtube.com/", "https://www.youtube.com/"];
            assert!(attribute != "href" || is_safe.iter().any(|start| value.starts_with(start)), "{value}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn t08_hostile_titles_are_shown_and_never_obeyed(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "<script>alert(1)</script>", "\"", "'", "><img src=x onerror=alert(1)>", "\u{202e}", "\u{200b}", "\n",
                "\u{0}", "</title>", "</style>", "<!--", "-->", "]]>", "&lt;", "javascript:alert(1)", "{{ 7*7 }}",
                "{% if %}", "=1+1", " onload=alert(1) ", "é", "</svg><svg onload=alert(1)>", "\u{2066}", "`",
            ]),
            1..6,
        ),
    ) {
        let digest = poisoned(&pieces.concat());
        assert_harmless(&page_of(&digest));
        assert_harmless(&email_html(&digest, &[]).unwrap());
        let plain = email_text(&digest);
        prop_assert_eq!(plain.chars().find(|character| is_hidden(*character)), None);
        prop_assert!(subject(&digest).is_ascii());
    }
}

/// The keys of a JSON value, as paths; what lies below evidence is not promised.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(parts) => {
            for (key, part) in parts {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                found.insert(path.clone());
                if key != "evidence" {
                    paths(part, &path, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{path}[]"), found)),
        _ => {}
    }
}

#[test]
fn the_document_of_the_report_names_every_key_and_no_other() {
    let document = include_str!("../../../../docs/REPORT.md");
    let mut told = BTreeSet::new();
    for line in document.lines().filter_map(|line| line.strip_prefix("| `")) {
        told.insert(line.split('`').next().unwrap().to_owned());
    }
    let (digest, _) = sample::busy();
    let mut found = BTreeSet::new();
    paths(&serde_json::to_value(&digest).unwrap(), "", &mut found);
    // Quality has the same shape as alerts, and the totals before as those of the week.
    found.retain(|path| !path.starts_with("quality[].") && !path.starts_with("totals.before."));
    assert_eq!(told.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new(), "told and not there");
    assert_eq!(found.difference(&told).collect::<Vec<_>>(), Vec::<&String>::new(), "there and not told");
    assert!(document.contains(&format!("schema version {}", digest.schema_version)));
}

#[test]
fn todays_numbers_stand_with_their_alert_on_the_first_screen_in_the_list_and_in_the_mail() {
    let (digest, _) = sample::busy();
    let line = "Today, 23 Nov: 24,811,300 views (+402,118 since the week ended), 1,104,220 likes.";
    assert_eq!(page_of(&digest).matches(line).count(), 2);
    assert_eq!(email_html(&digest, &[]).unwrap().matches(line).count(), 1);
    assert_eq!(email_text(&digest).matches(line).count(), 1);
}

#[test]
fn what_is_resolved_or_only_to_be_known_asks_for_nothing() {
    let (mut digest, _) = sample::busy();
    for alert in &mut digest.alerts {
        alert.state = State::Resolved;
    }
    digest.disputes.clear();
    let page = page_of(&digest);
    assert!(page.contains("Nothing asks for you this week."));
    assert!(page.contains("Nothing: no critical or high alert is open"));
}
