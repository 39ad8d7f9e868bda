//! Each law can fail: a story that keeps them all is tampered with, and the one law that looks there says so.

use std::time::Duration;

use dn_domain::cleanup_plan::carry_out::Fate;

use crate::judge;
use crate::laws::{self, Law, SECRET};
use crate::story::{Settled, Story, Write};

/// The first story that keeps every law and of which `fits` gives what is asked for.
fn story<T>(fits: impl Fn(&Story) -> Option<T>) -> (Story, T) {
    let mut stories = (0..2_000).map(|seed| judge(seed).unwrap().0);
    stories.find_map(|story| fits(&story).map(|found| (story, found))).expect("a story that fits")
}

/// The last run of a story that ended with 0, and a line of it that was written.
fn done(story: &Story) -> Option<(usize, usize)> {
    let last = story.runs.len() - 1;
    let run = story.runs.get(last).filter(|run| story.undone.is_none() && run.is_finished())?;
    let line = run.fates.iter().position(|fate| *fate == Fate::Updated)?;
    Some((last, line))
}

fn broken(law: Law, story: &Story) -> String {
    law(story).expect_err("the law holds though it was broken")
}

#[test]
fn simulator_l1_sees_a_value_that_is_missing() {
    let (mut story, (run, line)) = story(done);
    let asset = story.runs[run].plan[line].0;
    story.at_last[asset].value = None;
    assert!(broken(laws::no_change_is_lost, &story).contains(&format!("asset {asset} ")));
}

#[test]
fn simulator_l2_sees_a_write_that_nobody_planned_or_before_the_plan_was_kept() {
    let (story, (run, line)) = story(done);
    let asset = story.runs[run].plan[line].0;
    let mut unplanned = story.clone();
    let value = Some("another".to_owned());
    unplanned.writes.push(Write { at: Duration::MAX, run, asset, value });
    assert!(broken(laws::no_unplanned_write, &unplanned).contains("in no plan"));
    let mut early = story;
    early.runs[run].plan_kept_at = Some(Duration::MAX);
    assert!(broken(laws::no_unplanned_write, &early).contains("before the plan was durable"));
}

#[test]
fn simulator_l3_sees_a_second_value() {
    let (mut story, write) = story(|story| story.writes.first().cloned());
    story.writes.push(Write { value: Some("another".to_owned()), ..write });
    broken(laws::no_second_value, &story);
}

#[test]
fn simulator_l4_sees_an_asset_that_is_counted_nowhere_or_wrongly() {
    let (story, (run, line)) = story(done);
    let mut uncounted = story.clone();
    uncounted.runs[run].plan.remove(line);
    uncounted.runs[run].fates.remove(line);
    uncounted.runs[run].end.as_mut().unwrap().counts.updated -= 1;
    assert!(broken(laws::counters_reconcile, &uncounted).contains("assets"));
    let mut twice = story.clone();
    twice.runs[run].end.as_mut().unwrap().counts.updated += 1;
    broken(laws::counters_reconcile, &twice);
    let mut left = story;
    left.runs[run].fates[line] = Fate::NotReached;
    left.runs[run].end.as_mut().unwrap().counts.updated -= 1;
    assert!(broken(laws::counters_reconcile, &left).contains("says it is done"));
}

#[test]
fn simulator_l5_sees_an_end_that_says_two_things() {
    let (story, (run, _)) = story(done);
    let mut status = story.clone();
    status.runs[run].end.as_mut().unwrap().status = "deferred";
    broken(laws::ends_agree, &status);
    let mut exit = story.clone();
    let failed = !exit.runs[run].settled.values().any(|settled| *settled == Settled::Rejected);
    exit.runs[run].end.as_mut().unwrap().counts.failed = u64::from(failed);
    exit.runs[run].settled.retain(|_, settled| *settled != Settled::Rejected);
    let is_partial = exit.runs[run].end.as_ref().is_some_and(|end| end.exit == 3);
    assert!(is_partial != failed, "the exit code is now another than the counters ask for");
    broken(laws::ends_agree, &exit);
    let mut journal = story;
    journal.runs[run].journal.clear();
    assert!(broken(laws::ends_agree, &journal).contains("kept None"));
}

#[test]
fn simulator_l6_sees_a_secret_in_a_message_and_in_the_journal() {
    let (story, (run, _)) = story(done);
    let mut said = story.clone();
    said.runs[run].said.push(format!("refused: {SECRET}"));
    broken(laws::no_secret, &said);
    let mut kept = story;
    kept.runs[run].journal.values_mut().next().unwrap().extend(SECRET.bytes());
    broken(laws::no_secret, &kept);
}

#[test]
fn simulator_l7_sees_lines_and_outcomes_that_pile_up() {
    let (story, (run, _)) = story(done);
    let mut lines = story.clone();
    lines.runs[run].most_lines_held = story.max_in_flight + 1;
    broken(laws::bounded_memory, &lines);
    let mut outcomes = story;
    outcomes.runs[run].most_unkept = 5_000;
    broken(laws::bounded_memory, &outcomes);
}

#[test]
fn simulator_l8_sees_another_end_and_too_much_that_is_repeated() {
    let (mut other, (run, line)) = story(done);
    let asset = other.runs[run].plan[line].0;
    other.at_last[asset].value = Some("another".to_owned());
    broken(laws::running_again_completes, &other);

    // A killed run that had written much, and a later one that writes all of it again.
    let much = |story: &Story| {
        let killed = story.runs.iter().position(|run| run.killed_at.is_some())?;
        let written = story.runs[killed].fates.iter().filter(|fate| **fate == Fate::Updated).count();
        let is_alone = story.edits.is_empty() && story.undone.is_none() && story.lies.is_empty();
        (is_alone && written > story.max_in_flight && killed + 1 < story.runs.len()).then_some(killed)
    };
    let (mut again, killed) = story(much);
    let later = again.runs.len() - 1;
    again.runs[later].plan = again.runs[killed].plan.clone();
    again.runs[later].begun =
        again.runs[killed].begun.iter().map(|(_, line)| (Duration::MAX, *line)).collect();
    for between in killed + 1..later {
        again.runs[between].begun.clear();
    }
    again.at_last.clear();
    assert!(broken(laws::running_again_completes, &again).contains("written again"));
}

#[test]
fn simulator_l9_sees_a_write_after_the_verdict() {
    let (mut story, (run, verdict_at)) = story(|story| {
        let run = story.runs.iter().position(|run| run.verdict_at.is_some() && !run.begun.is_empty())?;
        story.runs[run].verdict_at.map(|at| (run, at))
    });
    story.runs[run].begun.push((verdict_at + Duration::from_millis(1_001), 0));
    broken(laws::writes_stop, &story);
}

#[test]
fn simulator_p5_sees_a_write_beside_an_open_journal_and_after_a_lost_one() {
    let (story, (run, _)) = story(done);
    let mut beside = story.clone();
    beside.runs[run].begun_while_keeping = 1;
    broken(laws::no_journal_no_writes, &beside);
    let mut after = story;
    after.runs[run].not_kept_at = Some(Duration::ZERO);
    assert!(broken(laws::no_journal_no_writes, &after).contains("refused"));
}

#[test]
fn simulator_undo_sees_a_value_not_put_back_one_that_is_not_its_own_and_a_second_undo_that_writes() {
    let (story, undone) = story(|story| {
        let undone = story.undone?;
        let was_written = story.runs[undone].fates.contains(&Fate::Updated);
        (was_written && story.edits.is_empty() && story.lies.is_empty()).then_some(undone)
    });
    let run = &story.runs[undone];
    let line = run.fates.iter().position(|fate| *fate == Fate::Updated).unwrap();
    let last = story.runs.len() - 1;
    let (asset, written) = (run.plan[line].0, run.plan[line].1.new.clone());
    let mut kept = story.clone();
    kept.at_last[asset].value = written;
    kept.runs[last].settled.retain(|_, settled| *settled != Settled::Rejected);
    assert!(broken(laws::undo_restores, &kept).contains(&format!("asset {asset} ")));
    let mut other = story.clone();
    let untouched = (0..other.at_last.len()).find(|index| !run.plan.iter().any(|(one, _)| one == index));
    if let Some(untouched) = untouched {
        other.at_last[untouched].value = Some("another".to_owned());
        broken(laws::undo_restores, &other);
    }
    let mut again = story;
    again.writes.push(Write { at: Duration::MAX, run: last, asset, value: None });
    assert!(broken(laws::undo_restores, &again).contains("undoing again"));
}
