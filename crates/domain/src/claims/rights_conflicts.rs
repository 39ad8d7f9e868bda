//! Rights records that contradict each other, or YouTube.
//!
//! A record of a country goes before its owner's record of the world; owners are compared by their names without case,
//! punctuation and legal forms. A work has one finding, whatever contradicts whatever in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::alert::{Alert, Kind, Severity};
use super::platforms::KeyKind;
use super::recordings::Recordings;
use super::rights::{Right, RightsBook};
use super::snapshot::Snapshot;
use crate::number::Decimal;
use crate::printable::printable;
use crate::rights_record::Territory;

/// YouTube's name in the records.
const YOUTUBE: &str = "youtube";

/// All there is of a right.
const WHOLE: u64 = 100;

/// Words that say what kind of company an owner is and not which.
const LEGAL_FORMS: [&str; 12] =
    ["ltd", "limited", "inc", "llc", "gmbh", "sa", "srl", "bv", "ag", "plc", "co", "corp"];

/// Owners with their shares, by the name they are compared by.
type Owners<'a> = BTreeMap<String, (&'a str, Decimal)>;

/// All such works.
pub fn alerts(book: &RightsBook, now: &Snapshot) -> Vec<Alert> {
    let mut works: BTreeMap<(KeyKind, &str), BTreeMap<&str, Vec<&Right>>> = BTreeMap::new();
    for right in &book.rights {
        let platforms = works.entry((right.kind, &right.key)).or_default();
        platforms.entry(&right.platform).or_default().push(right);
    }
    let recordings = Recordings::of(now);
    works.iter().filter_map(|(work, platforms)| alert(&recordings, now, *work, platforms)).collect()
}

fn alert(
    recordings: &Recordings<'_>,
    now: &Snapshot,
    work: (KeyKind, &str),
    platforms: &BTreeMap<&str, Vec<&Right>>,
) -> Option<Alert> {
    let mut territories: BTreeSet<Territory> =
        platforms.values().flatten().map(|right| right.territory).collect();
    let asset = recordings.asset(work.0, work.1);
    let rival = asset.map(|asset| now.text(asset.conflicting_owner)).filter(|owner| !owner.is_empty());
    let contested: BTreeSet<Territory> = asset
        .map(|asset| now.text(asset.conflicting_countries))
        .unwrap_or_default()
        .split('|')
        .filter_map(|code| Territory::parse_bytes(code.trim().as_bytes()))
        .collect();
    if rival.is_some() {
        territories.extend(&contested);
    }
    let mut told: Vec<(String, Value)> = Vec::new();
    for territory in territories {
        let by_platform: Vec<(&str, Owners<'_>)> = platforms
            .iter()
            .map(|(platform, rights)| (*platform, owners(rights, territory)))
            .filter(|(_, owners)| !owners.is_empty())
            .collect();
        for (platform, owners) in &by_platform {
            let total: Decimal = owners.values().map(|(_, share)| *share).sum();
            if owners.len() > 1 && total > Decimal::whole(WHOLE) {
                told.push((
                    format!("on {} in {territory}: {}, {total} % together", printable(platform), named(owners)),
                    json!({"conflict": "over_100", "platform": platform, "territory": territory.to_string(), "owners": listed(owners)}),
                ));
            }
        }
        if let Some(((first, owners), (other, others))) = disagreement(&by_platform) {
            told.push((
                format!(
                    "in {territory}: {} on {}, {} on {}",
                    named(owners),
                    printable(first),
                    named(others),
                    printable(other)
                ),
                json!({
                    "conflict": "platforms_disagree",
                    "territory": territory.to_string(),
                    "platforms": {*first: listed(owners), *other: listed(others)},
                }),
            ));
        }
        let on_youtube = by_platform.iter().find(|(platform, _)| *platform == YOUTUBE);
        let is_contested =
            contested.is_empty() && territory == Territory::World || contested.contains(&territory);
        if let (Some(rival), Some((_, owners)), true) = (rival, on_youtube, is_contested)
            && !owners.contains_key(&plain(rival))
        {
            told.push((
                format!("in {territory}: {} by the records, and {} at YouTube", named(owners), printable(rival)),
                json!({"conflict": "youtube_disagrees", "territory": territory.to_string(), "owners": listed(owners), "conflictingOwner": rival}),
            ));
        }
    }
    if told.is_empty() {
        return None;
    }
    let (texts, conflicts): (Vec<String>, Vec<Value>) = told.into_iter().unzip();
    let shown: Vec<&str> = texts.iter().take(3).map(String::as_str).collect();
    let more = texts.len() - shown.len();
    let mut reason = shown.join("; ");
    if more > 0 {
        reason = format!("{reason}; and {more} more");
    }
    Some(
        recordings
            .draft(Kind::RightsConflict, Severity::High, work, reason)
            .because("conflicts", conflicts)
            .because(
                "action",
                "Mend the record that is wrong; until then the share is held back where two own it.",
            ),
    )
}

/// Who owns a work on a platform in a territory.
fn owners<'a>(rights: &[&'a Right], territory: Territory) -> Owners<'a> {
    let mut owners: BTreeMap<String, (&'a str, Territory, Decimal)> = BTreeMap::new();
    for right in
        rights.iter().filter(|right| right.territory == territory || right.territory == Territory::World)
    {
        let own = (right.owner.as_str(), right.territory, right.share);
        owners
            .entry(plain(&right.owner))
            .and_modify(|known| {
                let is_nearer = known.1 == Territory::World && right.territory != Territory::World;
                let is_as_near = known.1 == right.territory && right.share > known.2;
                if is_nearer || is_as_near {
                    *known = own;
                }
            })
            .or_insert(own);
    }
    owners
        .into_iter()
        .filter(|(_, (.., share))| *share > Decimal::ZERO)
        .map(|(name, (owner, _, share))| (name, (owner, share)))
        .collect()
}

type OnPlatform<'a, 'b> = &'b (&'a str, Owners<'a>);

/// The first two platforms whose owners are not the same.
fn disagreement<'a, 'b>(
    by_platform: &'b [(&'a str, Owners<'a>)],
) -> Option<(OnPlatform<'a, 'b>, OnPlatform<'a, 'b>)> {
    let first = by_platform.first()?;
    let other = by_platform.iter().find(|(_, owners)| !owners.keys().eq(first.1.keys()))?;
    Some((first, other))
}

/// An owner's name as it is compared.
fn plain(owner: &str) -> String {
    let lower = owner.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let kept: Vec<&str> = words.clone().filter(|word| !LEGAL_FORMS.contains(word)).collect();
    // A name of nothing but such words is compared as it is.
    if kept.is_empty() {
        if words.clone().next().is_none() { lower.clone() } else { words.collect::<Vec<_>>().join(" ") }
    } else {
        kept.join(" ")
    }
}

fn named(owners: &Owners<'_>) -> String {
    let told: Vec<String> =
        owners.values().map(|(owner, share)| format!("{} {share} %", printable(owner))).collect();
    told.join(" and ")
}

fn listed(owners: &Owners<'_>) -> Vec<Value> {
    owners.values().map(|(owner, share)| json!({"owner": owner, "share": share})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::world::{World, rows};
    use crate::rights_record::{RightsFile, RightsLine};
    use proptest::prelude::*;

    fn book(rows: &[&str]) -> RightsBook {
        let text = format!("platform,isrc,upc,custom_id,territory,owner,share\n{}\n", rows.join("\n"));
        let mut file = RightsFile::open("rights.csv", text.as_bytes()).unwrap();
        let mut book = RightsBook::new("2026-11-22".parse().unwrap());
        while let Some(line) = file.next_row().unwrap() {
            let RightsLine::Row(row) = line else { panic!("a row of ours") };
            book.add(&row.record().unwrap());
        }
        book
    }

    fn week() -> Snapshot {
        World {
            assets: rows(&[
                "A000000000000001,alpha,First,Ann,USABC2600001,SOUND_RECORDING,3,12,9,r1",
                "A000000000000002,alpha,Second,Ann,USABC2600002,SOUND_RECORDING,3,12,9,r2",
            ]),
            conflicts: rows(&["A000000000000002,Harbor Lane,US|DE"]),
            ..World::default()
        }
        .snapshot()
    }

    fn found(rows: &[&str]) -> Vec<String> {
        let alerts = alerts(&book(rows), &week()).into_iter();
        alerts.map(|alert| format!("{} {}: {}", alert.subject.kind, alert.subject.id, alert.reason)).collect()
    }

    #[test]
    fn owners_that_share_a_country_or_part_the_world_are_no_conflict() {
        let none: [&str; 0] = [];
        assert_eq!(
            found(&[
                "youtube,USABC2600001,,,WW,Alpha Ltd.,50",
                "youtube,USABC2600001,,,WW,Second Writer,50",
                "spotify,USABC2600001,,,US,ALPHA,50",
                "spotify,USABC2600001,,,US,second-writer,50",
                // The record of the country goes before the owner's of the world.
                "youtube,USABC2600003,,,WW,Alpha,100",
                "youtube,USABC2600003,,,DE,Alpha,60",
                "youtube,USABC2600003,,,DE,Beta,0",
            ]),
            none
        );
    }

    #[test]
    fn more_than_all_of_it_and_two_owners_by_two_platforms_are_conflicts() {
        assert_eq!(
            found(&[
                "youtube,USABC2600001,,,WW,Alpha,60",
                "youtube,USABC2600001,,,DE,Beta,60",
                "spotify,USABC2600009,,,WW,Alpha,100",
                "youtube,USABC2600009,,,FR,Beta,100",
            ]),
            [
                "asset A000000000000001: on youtube in DE: Alpha 60 % and Beta 60 %, 120 % together",
                "recording USABC2600009: in FR: Alpha 100 % on spotify, Beta 100 % on youtube",
            ]
        );
    }

    #[test]
    fn records_that_know_nothing_of_youtubes_other_owner_are_a_conflict_and_those_that_do_are_none() {
        assert_eq!(
            found(&["youtube,USABC2600002,,,WW,Alpha,100"]),
            [
                "asset A000000000000002: in DE: Alpha 100 % by the records, and Harbor Lane at YouTube; in US: Alpha \
                 100 % by the records, and Harbor Lane at YouTube"
            ]
        );
        let none: [&str; 0] = [];
        assert_eq!(found(&["youtube,USABC2600002,,,WW,Harbor Lane Inc,100"]), none);
        assert_eq!(found(&["spotify,USABC2600002,,,WW,Alpha,100"]), none, "nothing is said of YouTube");
    }

    proptest! {
        #[test]
        fn neither_the_order_of_records_nor_a_record_twice_changes_anything(
            records in prop::collection::vec(
                ("(youtube|spotify)", 1_u8..3, "(WW|US|DE)", "(Alpha|Beta Ltd|beta)", 0_u8..101), 1..12),
            by in any::<prop::sample::Index>(),
        ) {
            let mut rows: Vec<String> = records
                .iter()
                .map(|(platform, work, territory, owner, share)| {
                    format!("{platform},USABC260000{work},,,{territory},{owner},{share}")
                })
                .collect();
            let ids = |rows: &[String]| {
                let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
                alerts(&book(&rows), &week()).into_iter().map(|alert| alert.id).collect::<Vec<_>>()
            };
            let once = ids(&rows);
            let middle = by.index(rows.len());
            rows.rotate_left(middle);
            rows.push(rows[0].clone());
            prop_assert_eq!(ids(&rows), once);
        }
    }
}
