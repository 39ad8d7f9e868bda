use std::borrow::Cow;

use super::*;
use crate::cleanup_plan::LiveAsset;
use crate::id::{AssetId, ChannelId, VideoId};

const LIMITS: Limits = Limits { canary: 0, verify: false, max_in_flight: 4, max_error_ratio: 0.5 };
const START: Duration = Duration::ZERO;

fn line(index: usize) -> PlanLine {
    PlanLine {
        asset_id: AssetId::parse(&format!("A{index:015}")).unwrap(),
        videos: vec![VideoId::parse("vid00000001").unwrap()],
        channel_id: ChannelId::parse("UCaaaaaaaaaaaaaaaaaaaaaa").unwrap(),
        old: Some("vid00000001".to_owned()),
        new: Some("artist-one".to_owned()),
        reason: Cow::Borrowed("default_video_id"),
        artists: Vec::new(),
        row: 1,
        report_etag: None,
    }
}

fn live(index: usize, custom_id: &str) -> Live<'_> {
    Live::Found(LiveAsset {
        asset_id: line(index).asset_id,
        asset_type: Some("web"),
        custom_id: Some(custom_id),
        artists: &[],
    })
}

/// Everything that is to be done at once: the lines to write, and the first other step.
fn writes(machine: &mut CarryOut, now: Duration) -> (Vec<usize>, Step) {
    let mut lines = Vec::new();
    loop {
        match machine.next(now) {
            Step::Write(index) => lines.push(index),
            step => return (lines, step),
        }
    }
}

fn answer(machine: &mut CarryOut, index: usize, answer: Answer) {
    machine.written(START, index, &line(index), answer);
}

fn found(machine: &mut CarryOut, indexes: &[usize], custom_id: &str) {
    let lines: Vec<(usize, PlanLine)> = indexes.iter().map(|index| (*index, line(*index))).collect();
    machine.read_back(START, lines.iter().map(|(index, line)| (*index, line, live(*index, custom_id))));
}

fn failure(code: &str) -> Failure {
    Failure::new(code, "no")
}

#[test]
fn writes_go_out_in_order_and_so_many_at_a_time() {
    let mut machine = CarryOut::new(6, LIMITS);
    assert_eq!(writes(&mut machine, START), (vec![0, 1, 2, 3], Step::Wait(None)));
    answer(&mut machine, 2, Answer::Written);
    assert_eq!(writes(&mut machine, START).0, [4]);
    for index in [0, 1, 3, 4] {
        answer(&mut machine, index, Answer::Written);
    }
    assert_eq!(writes(&mut machine, START).0, [5]);
    answer(&mut machine, 5, Answer::Refused(failure("gone")));
    let (_, Step::Keep(1, outcomes)) = writes(&mut machine, START) else { panic!("nothing to keep") };
    assert_eq!(outcomes.len(), 6);
    machine.kept();
    assert_eq!(machine.next(START), Step::Ended(Ending::Done));
    assert_eq!(machine.counts(), Counts { updated: 5, skipped: 0, failed: 1 });
}

#[test]
fn the_canary_is_read_back_and_kept_before_the_rest_begins() {
    let mut machine = CarryOut::new(5, Limits { canary: 2, ..LIMITS });
    assert_eq!(writes(&mut machine, START).0, [0, 1]);
    answer(&mut machine, 1, Answer::Written);
    answer(&mut machine, 0, Answer::Written);
    assert_eq!(writes(&mut machine, START), (vec![], Step::ReadBack(vec![0, 1])));
    assert!(matches!(machine.next(START), Step::Wait(_)), "until it is answered");
    found(&mut machine, &[0, 1], "artist-one");
    assert!(matches!(machine.next(START), Step::Keep(1, outcomes) if outcomes.len() == 2));
    assert_eq!(machine.next(START), Step::Wait(None), "no journal, no writes");
    machine.kept();
    assert_eq!(writes(&mut machine, START).0, [2, 3, 4]);
}

#[test]
fn a_canary_with_another_value_ends_it() {
    let mut machine = CarryOut::new(5, Limits { canary: 2, ..LIMITS });
    for index in writes(&mut machine, START).0 {
        answer(&mut machine, index, Answer::Written);
    }
    assert_eq!(machine.next(START), Step::ReadBack(vec![0, 1]));
    found(&mut machine, &[0, 1], "vid00000001");
    assert!(matches!(machine.next(START), Step::Keep(1, _)), "what is known is kept");
    machine.kept();
    assert!(matches!(machine.next(START), Step::Ended(Ending::Tripped(Tripped::Canary(_)))));
    assert_eq!(machine.counts(), Counts { updated: 0, skipped: 0, failed: 2 });
}

#[test]
fn a14_a_conflict_is_read_back_and_decided_once_more() {
    let conflict = || Answer::Conflict(failure("write_conflict"));
    let mut machine = CarryOut::new(4, LIMITS);
    assert_eq!(writes(&mut machine, START).0, [0, 1, 2, 3]);
    for index in 0..4 {
        answer(&mut machine, index, conflict());
        assert_eq!(machine.next(START), Step::ReadBack(vec![index]));
    }
    found(&mut machine, &[0], "artist-one");
    found(&mut machine, &[1], "somebody-else");
    found(&mut machine, &[2], "vid00000001");
    found(&mut machine, &[3], "vid00000001");
    assert_eq!((machine.next(START), machine.next(START)), (Step::Write(2), Step::Write(3)));
    answer(&mut machine, 2, Answer::Written);
    answer(&mut machine, 3, conflict());
    assert_eq!(machine.next(START), Step::ReadBack(vec![3]), "the second conflict is looked into at the end");
    found(&mut machine, &[3], "vid00000001");
    assert!(matches!(machine.next(START), Step::Keep(..)));
    machine.kept();
    assert_eq!(machine.next(START), Step::Ended(Ending::Done));
    let failed = Fate::Failed(Box::new(failure("write_conflict")));
    assert_eq!(machine.fates(), [Fate::Updated, Fate::ChangedSince, Fate::Updated, failed]);
}

#[test]
fn a21_an_echo_of_another_value_holds_the_writes_until_it_was_read_back_and_the_second_ends_them() {
    let other = || Answer::EchoedOtherwise("the answer carries x".to_owned());
    let mut machine = CarryOut::new(9, Limits { max_in_flight: 2, ..LIMITS });
    assert_eq!(writes(&mut machine, START).0, [0, 1]);
    answer(&mut machine, 0, other());
    assert_eq!(machine.next(START), Step::ReadBack(vec![0]));
    assert!(matches!(machine.next(START), Step::Wait(_)), "though a place is free");
    found(&mut machine, &[0], "artist-one");
    assert_eq!(machine.fates()[0], Fate::Updated, "a wrong echo of a right value is no failure");
    answer(&mut machine, 1, other());
    assert_eq!(machine.next(START), Step::ReadBack(vec![1]));
    found(&mut machine, &[1], "x");
    assert_eq!(writes(&mut machine, START).0, [2, 3], "one is borne");
    answer(&mut machine, 2, other());
    assert_eq!(machine.next(START), Step::ReadBack(vec![2]));
    found(&mut machine, &[2], "x");
    assert!(matches!(machine.next(START), Step::Wait(_)), "for the one under way");
    answer(&mut machine, 3, Answer::Written);
    assert!(matches!(machine.next(START), Step::Keep(..)));
    machine.kept();
    let Step::Ended(Ending::Tripped(tripped)) = machine.next(START) else { panic!("it went on") };
    insta::assert_snapshot!(tripped, @r#"2 writes were answered with another value, and reading back bore it out, the last time so: A000000000000002: the answer carries x; read back, it carries Some("x"); either the API writes what it was not told, or another program sets custom IDs: no further write is begun"#);
}

#[test]
fn a18_what_nobody_knows_is_read_back_at_the_end() {
    let mut machine = CarryOut::new(2, LIMITS);
    for index in writes(&mut machine, START).0 {
        answer(&mut machine, index, Answer::Unknown(failure("unavailable")));
    }
    assert_eq!(machine.counts(), Counts::default());
    assert_eq!(machine.next(START), Step::ReadBack(vec![0, 1]));
    machine.read_back(START, [(0, &line(0), live(0, "artist-one")), (1, &line(1), live(1, "vid00000001"))]);
    assert_eq!(machine.counts(), Counts { updated: 1, skipped: 0, failed: 1 });
    assert_eq!(machine.fates()[1], Fate::Failed(Box::new(failure("unavailable"))));
}

#[test]
fn p05_without_a_journal_no_write_is_begun() {
    let mut machine = CarryOut::new(5, Limits { canary: 1, ..LIMITS });
    assert_eq!(writes(&mut machine, START).0, [0]);
    answer(&mut machine, 0, Answer::Written);
    assert_eq!(machine.next(START), Step::ReadBack(vec![0]));
    found(&mut machine, &[0], "artist-one");
    let Step::Keep(1, outcomes) = machine.next(START) else { panic!("nothing to keep") };
    machine.not_kept(START, outcomes.clone());
    assert_eq!(machine.next(START), Step::Keep(1, outcomes.clone()), "the end tries once more");
    machine.not_kept(START, outcomes);
    assert_eq!(machine.next(START), Step::Ended(Ending::NotKept));
}

#[test]
fn p05_a_second_write_after_a_conflict_waits_for_the_journal_too() {
    let mut machine = CarryOut::new(3, Limits { max_in_flight: 2, ..LIMITS });
    assert_eq!(writes(&mut machine, START).0, [0, 1]);
    answer(&mut machine, 0, Answer::Written);
    answer(&mut machine, 1, Answer::Conflict(failure("write_conflict")));
    let later = Duration::from_mins(1);
    assert_eq!(machine.next(later), Step::ReadBack(vec![1]));
    assert!(matches!(machine.next(later), Step::Keep(1, _)));
    found(&mut machine, &[1], "vid00000001");
    assert_eq!(machine.next(later), Step::Wait(None), "until it is known whether outcomes can be kept");
    machine.kept();
    assert_eq!(writes(&mut machine, later).0, [1, 2]);
}

#[test]
fn a_journal_that_fails_at_the_very_end_is_no_success() {
    let mut machine = CarryOut::new(1, LIMITS);
    assert_eq!(writes(&mut machine, START).0, [0]);
    answer(&mut machine, 0, Answer::Written);
    let Step::Keep(1, outcomes) = machine.next(START) else { panic!("nothing to keep") };
    machine.not_kept(START, outcomes);
    assert_eq!(machine.next(START), Step::Ended(Ending::NotKept));
}

#[test]
fn outcomes_are_kept_before_they_are_a_minute_old() {
    let mut machine = CarryOut::new(5, Limits { max_in_flight: 1, ..LIMITS });
    assert_eq!(writes(&mut machine, START).0, [0]);
    answer(&mut machine, 0, Answer::Written);
    let (begun, wait) = writes(&mut machine, Duration::from_secs(59));
    assert_eq!((begun, wait), (vec![1], Step::Wait(Some(Duration::from_mins(1)))));
    assert!(matches!(machine.next(Duration::from_mins(1)), Step::Keep(1, _)));
}

#[test]
fn p01_a_stop_begins_nothing_waits_for_what_is_under_way_and_not_for_ever() {
    let mut machine = CarryOut::new(9, LIMITS);
    assert_eq!(writes(&mut machine, START).0.len(), 4);
    let at = Duration::from_secs(5);
    machine.stop(at);
    answer(&mut machine, 0, Answer::Written);
    assert_eq!(machine.next(at), Step::Wait(Some(at + DRAIN)));
    assert!(matches!(machine.next(at + DRAIN), Step::Keep(1, outcomes) if outcomes.len() == 1));
    machine.kept();
    assert_eq!(machine.next(at + DRAIN), Step::Ended(Ending::OutOfTime(3)));
}

#[test]
fn a_verdict_for_all_ends_it_at_once_and_a_conflict_that_waited_is_let_go() {
    let mut machine = CarryOut::new(9, LIMITS);
    assert_eq!(writes(&mut machine, START).0, [0, 1, 2, 3]);
    answer(&mut machine, 0, Answer::Conflict(failure("write_conflict")));
    answer(&mut machine, 1, Answer::EndsTheRun { unknown: None });
    answer(&mut machine, 2, Answer::EndsTheRun { unknown: Some(failure("interrupted")) });
    assert_eq!(machine.next(START), Step::Wait(None));
    answer(&mut machine, 3, Answer::EchoedOtherwise("x".to_owned()));
    let Step::Keep(1, outcomes) = machine.next(START) else { panic!("nothing to keep") };
    let words: Vec<OutcomeWord> = outcomes.iter().map(|outcome| outcome.outcome).collect();
    assert_eq!(words, [OutcomeWord::Unknown, OutcomeWord::Unknown]);
    machine.kept();
    assert_eq!(machine.next(START), Step::Ended(Ending::BrokeOff));
}

#[test]
fn a11_twenty_forbidden_at_first_are_the_content_owners_fault() {
    let mut machine = CarryOut::new(60, Limits { max_in_flight: 32, ..LIMITS });
    for index in writes(&mut machine, START).0.into_iter().take(20) {
        assert!(!machine.is_ending());
        answer(&mut machine, index, Answer::Refused(failure("forbidden")));
    }
    assert!(writes(&mut machine, START).0.is_empty(), "no storm");
    let mut machine = CarryOut::new(60, Limits { max_in_flight: 32, ..LIMITS });
    for index in writes(&mut machine, START).0 {
        let said = if index == 0 { Answer::Written } else { Answer::Refused(failure("forbidden")) };
        answer(&mut machine, index, said);
    }
    assert!(!machine.is_ending());
}

#[test]
fn more_than_half_of_the_last_hundred_failing_ends_it() {
    let mut machine = CarryOut::new(200, Limits { max_in_flight: 200, ..LIMITS });
    assert_eq!(writes(&mut machine, START).0.len(), 200);
    for index in 0..100 {
        assert!(!machine.is_ending(), "{index}");
        let said = if index < 49 { Answer::Written } else { Answer::Refused(failure("invalidValue")) };
        answer(&mut machine, index, said);
    }
    assert!(machine.is_ending());
}

#[test]
fn an_asset_that_is_gone_is_not_cleared() {
    let mut machine = CarryOut::new(1, Limits { verify: true, ..LIMITS });
    let undo = PlanLine { new: None, old: Some("artist-one".to_owned()), ..line(0) };
    assert_eq!(writes(&mut machine, START).0, [0]);
    machine.written(START, 0, &undo, Answer::Written);
    assert_eq!(machine.next(START), Step::ReadBack(vec![0]));
    machine.read_back(START, [(0, &undo, Live::Gone)]);
    assert_eq!(machine.counts(), Counts { updated: 0, skipped: 0, failed: 1 });
}
