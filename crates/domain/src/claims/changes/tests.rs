use super::*;
use crate::claims::world::{World, any_world, catalogue, rows};
use proptest::prelude::*;

fn assets(week: i32, text: &[&str]) -> Snapshot {
    World { assets: rows(text), ..World::default() }.in_week(week).snapshot()
}

fn csv(changes: &Changes) -> String {
    String::from_utf8(changes.write_csv(Vec::new()).unwrap()).unwrap()
}

#[test]
fn active_claims_come_first_and_an_asset_that_is_gone_has_no_now_and_no_difference() {
    let before = assets(
        -1,
        &[
            "A000000000000001,alpha,First,Ann,USABC2600001,WEB,3,100,50,",
            "A000000000000002,alpha,Second,Ann,,WEB,10,100,,",
            "A000000000000003,alpha,\"Third, gone\",Ann,,WEB,7,1,,",
            "A000000000000005,alpha,Same,Ann,,WEB,7,1,,",
        ],
    );
    let now = assets(
        0,
        &[
            "A000000000000001,alpha,First,Ann,USABC2600001,WEB,5,90,,",
            "A000000000000002,,Second,Ann,,WEB,2,,,",
            "A000000000000004,beta,New,Bo,,WEB,0,4,,",
            "A000000000000005,alpha,Same,Ann,,WEB,7,1,,",
        ],
    );
    let changes = compare(&before, &now);
    assert_eq!(changes.weeks_apart, 1);
    insta::assert_snapshot!(csv(&changes), @r#"
    asset_id,custom_id,channel_id,title,artist,isrc,metric,before,now,difference,state
    A000000000000002,,,Second,Ann,,active_claims,10,2,-8,down
    A000000000000003,alpha,,"Third, gone",Ann,,active_claims,7,,,gone
    A000000000000001,alpha,,First,Ann,USABC2600001,active_claims,3,5,2,up
    A000000000000004,beta,,New,Bo,,active_claims,,0,,new
    A000000000000001,alpha,,First,Ann,USABC2600001,daily_views,100,90,-10,down
    A000000000000004,beta,,New,Bo,,daily_views,,4,,new
    A000000000000003,alpha,,"Third, gone",Ann,,daily_views,1,,,gone
    "#);
}

#[test]
fn v15_a_hostile_text_is_evaluated_by_no_spreadsheet() {
    let before = assets(-1, &["A000000000000001,,,,,WEB,3,,,"]);
    for (cell, written) in [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("  =x", "'=x"),
        ("\u{feff}\u{202e}=x", "'\u{feff}\u{202e}=x"),
        ("a=b", "a=b"),
        ("\"x\n=1\"", "\"x\n=1\""),
        ("＝1", "'＝1"),
    ] {
        let now = assets(0, &[&format!("A000000000000001,,{cell},{cell},,WEB,4,,,")]);
        let changes = compare(&before, &now);
        let text = csv(&changes);
        assert_eq!(text.matches(written).count(), 2, "{text}");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        for record in reader.records() {
            let record = record.unwrap();
            assert_eq!(record.len(), COLUMNS.len());
            assert!(record.iter().all(|cell| !cell.trim_start().starts_with(['=', '+', '@'])), "{record:?}");
        }
    }
    assert_eq!(neutral("\tx"), "'\tx");
    assert_eq!(neutral("\rx"), "'\rx");
}

#[test]
fn a_missing_week_is_named_and_not_taken_for_zero() {
    let before = assets(-3, &["A000000000000001,,,,,WEB,3,,,"]);
    let now = assets(0, &["A000000000000001,,,,,WEB,4,,,"]);
    let changes = compare(&before, &now);
    assert_eq!(changes.weeks_apart, 3);
    assert_eq!(changes.rows[0].difference, Some(1));
    // No asset report at all this week: nothing is gone.
    let nothing = World { videos: rows(&[]), ..World::default() }.snapshot();
    assert_eq!(compare(&before, &nothing).rows.as_slice(), []);
}

#[test]
fn v19_a_number_that_became_unknown_is_no_change() {
    let before = assets(-1, &["A000000000000001,,,,,WEB,3,5,,", "A000000000000002,,,,,WEB,0,0,0,"]);
    let now = assets(0, &["A000000000000001,,,,,WEB,3,,7,", "A000000000000002,,,,,WEB,0,0,0,"]);
    assert_eq!(compare(&before, &now).rows.as_slice(), []);
}

#[test]
fn what_became_of_claims_is_told_for_each_asset() {
    let claims = |week, states: &[(&str, &str)]| {
        let rows = states
            .iter()
            .map(|(id, state)| {
                format!("{id},UC0000000000000000000001,A00000000000000{},v,r,{state},x,1,30,", id.len() % 2)
            })
            .collect();
        World { claims: Some(rows), ..World::default() }.in_week(week).snapshot()
    };
    let before = claims(
        -1,
        &[
            ("held", "ACTIVE,"),
            ("freed", "ACTIVE,"),
            ("away", "ACTIVE,"),
            ("away-inactive", "INACTIVE,"),
            ("back", "INACTIVE,"),
            ("asked", "ACTIVE,"),
            ("decided", "PENDING,DISPUTED"),
        ],
    );
    let now = claims(
        0,
        &[
            ("held", "ACTIVE,"),
            ("freed", "INACTIVE,"),
            ("back", "ACTIVE,"),
            ("asked", "PENDING,DISPUTED"),
            ("decided", "ACTIVE,"),
            ("fresh", "PENDING,APPEALED"),
        ],
    );
    let changes = compare(&before, &now);
    let expected = ClaimMoves { opened: 2, released: 1, gone: 1, disputed: 2, settled: 1 };
    assert_eq!(changes.claims_total, expected);
    let mut sum = ClaimMoves::default();
    for moves in changes.claims.values() {
        sum.plus(*moves);
    }
    assert_eq!(sum, expected);
    assert_eq!(changes.claims.len(), 2);
}

proptest! {
    #[test]
    fn a_week_compared_with_itself_has_no_changes(world in any_world(), by: u64) {
        let week = world.snapshot();
        let changes = compare(&week, &world.shuffled(by).snapshot());
        prop_assert_eq!(changes.rows.as_slice(), []);
        prop_assert!(changes.claims_total.is_empty() && changes.claims.is_empty());
    }

    #[test]
    fn every_claim_of_either_week_is_compared_once(before in any_world(), now in any_world()) {
        let (before, now) = (before.snapshot(), now.snapshot());
        let mut states: BTreeMap<u64, (Option<ClaimState>, Option<ClaimState>)> = BTreeMap::new();
        for claim in &before.claims {
            states.entry(claim.key()).or_default().0 = Some(claim.state());
        }
        for claim in &now.claims {
            states.entry(claim.key()).or_default().1 = Some(claim.state());
        }
        let mut expected = ClaimMoves::default();
        if have(&before, &now, Source::Claims) {
            for (was, is) in states.into_values() {
                expected.add(was, is);
            }
        }
        prop_assert_eq!(Moves::between(&before, &now).total, expected);
    }

    #[test]
    fn claims_that_are_forgotten_once_they_are_compared_are_not_missed(before in any_world(), now in any_world()) {
        let (mut before, now) = (before.in_week(-1).snapshot(), now.snapshot());
        let changes = compare(&before, &now);
        let moves = Moves::between(&before, &now);
        before.forget_claims();
        let rows = Arc::new(changed_numbers(&before, &now));
        prop_assert_eq!(Changes::new(&before, &now, rows, moves), changes);
    }

    #[test]
    fn every_difference_is_of_two_known_numbers(before in any_world(), now in any_world()) {
        let changes = compare(&before.clone().in_week(-1).snapshot(), &now.snapshot());
        for change in changes.rows.iter() {
            prop_assert_eq!(change.difference.is_some(), change.before.is_some() && change.now.is_some());
            prop_assert_eq!(change.state == ChangeState::Gone, change.now.is_none());
            prop_assert_eq!(change.state == ChangeState::New, change.before.is_none());
        }
        prop_assert!(changes.rows.is_sorted_by_key(|change| change.metric));
        // And the reverse comparison has the reverse differences.
        let reverse = compare(&now.in_week(-1).snapshot(), &before.snapshot());
        let sum = |changes: &Changes| changes.rows.iter().filter_map(|change| change.difference).sum::<i64>();
        prop_assert_eq!(sum(&changes), -sum(&reverse));
        let moved = changes.claims_total;
        prop_assert_eq!(moved.opened, reverse.claims_total.released + reverse.claims_total.gone);
    }
}

#[test]
fn a_catalogue_that_only_grew_has_only_growth() {
    let changes = compare(&catalogue(2, 5, 1000).in_week(-1).snapshot(), &catalogue(2, 5, 1500).snapshot());
    assert!(changes.rows.iter().all(|change| change.state == ChangeState::Up));
    assert_eq!(changes.rows.len(), 20, "both means of ten assets, and no claim");
}
