//! Findings in small worlds: each planted alone, week after week.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::claims::changes::compare;
use crate::claims::world::{World, any_world, catalogue, rows, week};

/// What the history tells of some weeks, read from the weeks themselves.
fn habits(past: &[Snapshot], now: &Snapshot) -> Habits {
    let good: BTreeMap<_, BTreeSet<_>> =
        past.iter().map(|week| (week.week, week.reports.keys().copied().collect())).collect();
    let mut habits = Habits::new(now, &good);
    let weeks = Habits::weeks_before(now.week);
    let at = |week| past.iter().find(|past| past.week == week);
    let (mut assets, mut references, mut uploaders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for week in past {
        assets.extend(week.assets.iter().map(|asset| asset.id));
        references.extend(week.references.iter().map(|reference| week.text(reference.id)));
        uploaders.extend(week.uploaders.iter().map(|uploader| uploader.id));
    }
    for id in assets {
        let points = weeks.iter().map(|week| {
            let snapshot = at(*week)?;
            let asset = snapshot.asset(id)?;
            let count = |count: u32| {
                Some(u64::from(count)).filter(|_| snapshot.reports.contains_key(&Source::Claims))
            };
            Some(AssetPoint {
                active_claims: asset.active_claims.get(),
                claims: count(asset.claims),
                created: count(asset.claims_created),
                inactive: count(asset.claims_inactive),
                short: count(asset.claims_short),
                daily_views: asset.daily_views.get(),
                daily_engaged_views: asset.daily_engaged_views.get(),
            })
        });
        habits.add_asset(now, id.as_str(), points);
    }
    for id in references {
        let created = weeks.iter().map(|week| {
            let snapshot = at(*week)?;
            let found = snapshot.references.iter().find(|reference| snapshot.text(reference.id) == id);
            found.map(|reference| u64::from(reference.claims_created))
        });
        habits.add_reference(now, id, created);
    }
    for id in uploaders {
        let created = weeks.iter().map(|week| Some(u64::from(at(*week)?.uploader(id)?.claims_created)));
        habits.add_uploader(now, id.as_str(), created);
    }
    habits
}

/// What is found in the last of these weeks.
fn found_with(worlds: &[World], verdict: &Verdict) -> Vec<Alert> {
    let weeks: Vec<Snapshot> = worlds.iter().map(World::snapshot).collect();
    let (now, past) = weeks.split_last().unwrap();
    let before = past.last();
    let changes = before.map(|before| compare(before, now));
    alerts(&Inputs {
        now,
        before,
        changes: changes.as_ref(),
        verdict,
        habits: &habits(past, now),
        rpm: "1".parse().unwrap(),
        last: &[],
    })
}

fn found(worlds: &[World]) -> Vec<(String, String)> {
    let alerts = found_with(worlds, &Verdict::default()).into_iter();
    alerts.map(|alert| (alert.kind.name(), alert.subject.id)).collect()
}

/// The same catalogue for so many weeks, with so many claims made in each by a reference of the first asset.
fn weeks(created: &[u32]) -> Vec<World> {
    let mut claims: Vec<String> = Vec::new();
    let mut worlds = Vec::new();
    for (at, count) in (0..).zip(created) {
        let mut world = catalogue(4, 10, 1000).in_week(at);
        for number in 0..*count {
            let day = week(at).monday();
            claims.push(format!(
                "new{at}-{number},UC0000000000000000000099,A000000000000000,w,r0,ACTIVE,,ID_MATCH,5,60,{day}"
            ));
        }
        world.claims.get_or_insert_default().extend(claims.iter().cloned());
        worlds.push(world);
    }
    worlds
}

fn named(kind: &str, id: &str) -> (String, String) {
    (kind.to_owned(), id.to_owned())
}

#[test]
fn a_reference_with_ten_times_its_usual_claims_is_bad_and_one_with_twice_is_not() {
    assert!(found(&weeks(&[0, 8, 9, 7, 8, 9, 80])).contains(&named("bad_reference", "r0")));
    assert_eq!(found(&weeks(&[0, 8, 9, 7, 8, 9, 18])), []);
    assert_eq!(found(&weeks(&[30])), [], "nothing before, nothing to hold it against");
}

#[test]
fn claims_that_double_from_week_to_week_are_ahead_with_an_interval() {
    let worlds = weeks(&[1, 2, 4, 8, 16, 32]);
    let alerts = found_with(&worlds, &Verdict::default());
    let ahead = alerts.iter().find(|alert| alert.kind == Kind::ClaimsAhead).unwrap();
    assert_eq!(ahead.subject.id, "A000000000000000");
    let number = |name: &str| ahead.evidence[name].as_f64().unwrap();
    assert!((number("expected") - 64.0).abs() < 8.0, "{ahead:?}");
    assert!(number("expectedLow") < 60.0 && number("expectedHigh") > 70.0, "{ahead:?}");
    let mut falling = worlds;
    falling.reverse();
    for (at, world) in (0..).zip(&mut falling) {
        world.week = at;
    }
    assert!(!found(&falling).iter().any(|(kind, _)| kind == "claims_ahead"));
}

/// The catalogue with another number of active claims and daily views of its first asset.
fn of_first(at: i32, active: u64, daily: u64) -> World {
    let mut world = catalogue(4, 10, 1000).in_week(at);
    let assets = world.assets.get_or_insert_default();
    assets[0] =
        format!("A000000000000000,label-0,Title 0,Artist 0,,SOUND_RECORDING,{active},{daily},{daily},r0");
    world
}

#[test]
fn active_claims_beyond_the_assets_habit_are_a_finding_and_its_habit_is_not() {
    let week = |changes: &[u64]| -> Vec<World> {
        (0..).zip(changes).map(|(at, active)| of_first(at, *active, 100)).collect()
    };
    let found_once = found(&week(&[200, 201, 200, 202, 201, 201, 150]));
    assert_eq!(found_once, [named("claims_change", "A000000000000000")]);
    assert_eq!(found(&week(&[200, 160, 210, 150, 205, 160, 205])), []);
    assert_eq!(found(&week(&[200, 150])), [], "one week is no habit");
}

#[test]
fn views_that_rise_without_claims_and_claims_that_rise_without_views_are_told() {
    let story = |numbers: &[(u64, u64)]| -> Vec<World> {
        (0..).zip(numbers).map(|(at, (active, daily))| of_first(at, *active, *daily)).collect()
    };
    let views = [(50, 300), (50, 310), (50, 290), (50, 450), (50, 700), (50, 1000), (50, 1500), (50, 2300)];
    assert_eq!(found(&story(&views)), [named("views_claims_discrepancy", "A000000000000000")]);
    let both: Vec<(u64, u64)> = views.iter().map(|(_, daily)| (daily / 6, *daily)).collect();
    assert!(!found(&story(&both)).iter().any(|(kind, _)| kind == "views_claims_discrepancy"));
    let claims =
        [(100, 300), (100, 310), (100, 290), (130, 300), (160, 290), (200, 300), (240, 310), (290, 300)];
    let found_claims = found(&story(&claims));
    assert!(
        found_claims.contains(&named("views_claims_discrepancy", "A000000000000000")),
        "{found_claims:?}"
    );
    // A channel that is not believed says nothing of views.
    let suspect = Verdict {
        suspect_channels: BTreeSet::from([ChannelId::parse(&crate::claims::world::channel(0)).unwrap()]),
        ..Verdict::default()
    };
    assert!(found_with(&story(&views), &suspect).is_empty());
}

#[test]
fn a_new_conflict_of_a_much_watched_asset_is_told_and_goes_on_while_it_lasts() {
    let conflict = |at: i32, rows_of: &[&str]| World { conflicts: rows(rows_of), ..of_first(at, 3, 9000) };
    let [calm, other] = [
        ["A000000000000031,Old,FR"].as_slice(),
        &["A000000000000031,Old,FR", "A000000000000000,Harbor,US|CA"],
    ];
    let new = [conflict(0, calm), conflict(1, other)];
    assert_eq!(found(&new), [named("ownership_conflict", "A000000000000000")]);
    assert_eq!(found(&[of_first(0, 3, 9000), conflict(1, other)]), [], "no report told of conflicts before");
    // A week later it is no news, and still found while it was open.
    let later = [conflict(1, other), conflict(2, other)];
    assert_eq!(found(&later), []);
    let last = found_with(&new, &Verdict::default());
    let (before, now) = (later[0].snapshot(), later[1].snapshot());
    let inputs = Inputs {
        now: &now,
        before: Some(&before),
        changes: None,
        verdict: &Verdict::default(),
        habits: &habits(std::slice::from_ref(&before), &now),
        rpm: "1".parse().unwrap(),
        last: &last,
    };
    assert_eq!(alerts(&inputs).len(), 1);
    assert_eq!(inputs.is_judged(&last[0]), Some(true));
    let suspect = Verdict { suspect_reports: BTreeSet::from([Source::Assets]), ..Verdict::default() };
    assert_eq!(Inputs { verdict: &suspect, ..inputs }.is_judged(&last[0]), Some(false));
}

/// A catalogue with sixty claims on its first asset, of which so many are released.
fn with_releases(at: i32, released: usize) -> World {
    let mut world = catalogue(4, 10, 1000).in_week(at);
    world.claims.get_or_insert_default().extend((0..60).map(|number| {
        let status = if number < released { "INACTIVE,RELEASED" } else { "ACTIVE," };
        format!(
            "old{number},UC0000000000000000000099,A000000000000000,w,r0,{status},ID_MATCH,5,60,2026-01-01"
        )
    }));
    world
}

#[test]
fn a_fifth_of_an_assets_claims_released_at_once_is_told_and_one_after_the_other_is_not() {
    let story = |released: &[usize]| -> Vec<World> {
        (0..).zip(released).map(|(at, released)| with_releases(at, *released)).collect()
    };
    assert_eq!(found(&story(&[0, 0, 1, 1, 1, 13])), [named("release_rate", "A000000000000000")]);
    assert_eq!(found(&story(&[0, 6, 12, 18, 25, 31])), []);
}

/// A catalogue whose first asset gets ten claims a week, so many of them short in each week.
fn with_matches(short: &[u32]) -> Vec<World> {
    let mut claims = Vec::new();
    let mut worlds = Vec::new();
    for (at, short) in (0..).zip(short) {
        let mut world = catalogue(4, 10, 1000).in_week(at);
        for number in 0..10 {
            let length = if number < *short { 5 } else { 50 };
            let day = week(at).monday();
            claims.push(format!(
                "m{at}-{number},UC0000000000000000000099,A000000000000000,w,r0,ACTIVE,,ID_MATCH,5,{length},{day}"
            ));
        }
        world.claims.get_or_insert_default().extend(claims.iter().cloned());
        worlds.push(world);
    }
    worlds
}

#[test]
fn a_rising_share_of_short_matches_is_told_and_one_that_always_was_high_is_not() {
    let rising = found(&with_matches(&[0, 1, 0, 1, 0, 3, 8]));
    assert!(rising.contains(&named("short_match", "A000000000000000")), "{rising:?}");
    let steady = found(&with_matches(&[7, 8, 7, 8, 8, 7, 8]));
    assert!(!steady.iter().any(|(kind, _)| kind == "short_match"), "{steady:?}");
}

#[test]
fn claims_on_a_partners_own_channel_are_told_and_its_uploads_are_none() {
    let partner = crate::claims::world::channel(3);
    let story = |origin: &str| -> Vec<World> {
        let mut worlds: Vec<World> = (0..7).map(|at| catalogue(4, 10, 1000).in_week(at)).collect();
        let day = week(6).monday();
        worlds[6].claims.get_or_insert_default().extend((0..12).map(|number| {
            format!("own{number},{partner},A000000000000000,w,r0,ACTIVE,,{origin},5,60,{day}")
        }));
        for world in &mut worlds {
            world.partners = vec![ChannelId::parse(&partner).unwrap()];
        }
        worlds
    };
    assert!(found(&story("Audio Match")).contains(&named("own_channel_claim", &partner)));
    assert!(!found(&story("Partner Upload")).iter().any(|(kind, _)| kind == "own_channel_claim"));
}

#[test]
fn a_report_that_is_not_believed_raises_nothing() {
    let worlds = weeks(&[8, 8, 9, 7, 8, 9, 80]);
    for source in Source::ALL {
        let verdict = Verdict { suspect_reports: BTreeSet::from([source]), ..Verdict::default() };
        let kinds: BTreeSet<Kind> =
            found_with(&worlds, &verdict).into_iter().map(|alert| alert.kind).collect();
        assert_eq!(kinds.contains(&Kind::BadReference), source != Source::Claims, "{source:?} {kinds:?}");
    }
}

proptest! {
    // Each case is some weeks of a catalogue.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_reports_say_a_week_of_zeros_and_a_week_twice_raise_nothing(
        world in any_world(), zeros in prop::collection::vec(Just(0_u32), 1..8),
    ) {
        prop_assert_eq!(found(&weeks(&zeros)), []);
        // The same week for ten weeks: nothing is beyond a habit.
        let same: Vec<World> = (0..10).map(|at| world.clone().in_week(at)).collect();
        prop_assert_eq!(found(&same), []);
    }

    #[test]
    fn the_order_of_rows_changes_no_finding(counts in prop::collection::vec(0_u32..40, 5..9), by: u64) {
        let worlds = weeks(&counts);
        let shuffled: Vec<World> = worlds.iter().map(|world| world.shuffled(by)).collect();
        prop_assert_eq!(found_with(&shuffled, &Verdict::default()), found_with(&worlds, &Verdict::default()));
    }

    #[test]
    fn the_largest_numbers_overflow_nothing(
        numbers in prop::collection::vec((prop::sample::select(vec![0, 1, u64::from(u32::MAX), u64::MAX - 1, u64::MAX]), any::<u64>()), 1..9),
    ) {
        let worlds: Vec<World> =
            (0..).zip(&numbers).map(|(at, (active, daily))| of_first(at, *active, *daily)).collect();
        let _ = found(&worlds);
    }
}
