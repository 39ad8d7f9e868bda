//! The laws of acceptance, each as a check of its own over what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dn_domain::cleanup_plan::carry_out::{Fate, Outcome, OutcomeWord, read_outcomes};

use crate::cms::{default_value, target};
use crate::story::{Purpose, RunStory, Settled, Story};

/// What no log and no report may say: the simulated API puts it into its error texts.
pub const SECRET: &str = "ya29.a0AfH6SMBsecretsecret";

/// A check: what is wrong, if anything.
pub type Law = fn(&Story) -> Result<(), String>;

/// All of them by name.
pub const LAWS: [(&str, Law); 11] = [
    ("L1 no desired change is lost", no_change_is_lost),
    ("L2 no unplanned write", no_unplanned_write),
    ("L3 no second value in one run", no_second_value),
    ("L4 counters reconcile", counters_reconcile),
    ("L5 exit, event and journal agree", ends_agree),
    ("L6 no secret", no_secret),
    ("L7 bounded memory", bounded_memory),
    ("L8 running again ends as without a fault", running_again_completes),
    ("L9 writes stop with the verdict", writes_stop),
    ("P5 no journal, no writes", no_journal_no_writes),
    ("undo restores what nobody touched", undo_restores),
];

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// The last run that came to its own end; every schedule ends with one.
fn last_finished(story: &Story) -> Option<(usize, &RunStory)> {
    let finished = story.runs.iter().enumerate().filter(|(_, run)| run.is_finished());
    finished.max_by_key(|(_, run)| run.end.as_ref().map(|end| end.at))
}

/// What a run says became of an asset.
fn told(run: &RunStory, asset: usize) -> Option<Fate> {
    let line = run.plan.iter().position(|(planned, _)| *planned == asset)?;
    run.fates.get(line).cloned()
}

/// L1: at the end an asset has the value it should have, or the last run reported it.
pub fn no_change_is_lost(story: &Story) -> Result<(), String> {
    if story.undone.is_some() {
        return Ok(());
    }
    let Some((number, run)) = last_finished(story) else { return Err("no run came to its end".to_owned()) };
    for (index, asset) in story.at_last.iter().enumerate() {
        let is_right = asset.value.as_deref() == target(index);
        let is_reported = match run.settled.get(&index) {
            Some(Settled::AlreadyRight) => false,
            Some(Settled::Skipped | Settled::Conflict | Settled::Rejected) => true,
            None => match told(run, index) {
                Some(Fate::Failed(failure)) => !failure.reason.is_empty(),
                Some(Fate::ChangedSince) => true,
                Some(Fate::Updated | Fate::NotReached | Fate::Unknown(_)) | None => false,
            },
        };
        ensure(is_right || is_reported, || {
            format!("asset {index} carries {:?} and run {number} says {:?}", asset.value, told(run, index))
        })?;
    }
    Ok(())
}

/// L2: every write that the CMS carried out was in the plan of its run, and the plan was durable before.
pub fn no_unplanned_write(story: &Story) -> Result<(), String> {
    for write in &story.writes {
        let run = &story.runs[write.run];
        let is_planned =
            run.plan.iter().any(|(asset, line)| *asset == write.asset && line.new == write.value);
        ensure(is_planned, || format!("{write:?} is in no plan"))?;
        ensure(run.plan_kept_at.is_some_and(|kept| kept <= write.at), || {
            format!("{write:?} came before the plan was durable")
        })?;
    }
    Ok(())
}

/// L3: no asset gets a second, different value in one run.
pub fn no_second_value(story: &Story) -> Result<(), String> {
    let mut values = BTreeMap::new();
    for write in &story.writes {
        let first = values.entry((write.run, write.asset)).or_insert(&write.value);
        ensure(*first == &write.value, || format!("{write:?} after {first:?}"))?;
    }
    Ok(())
}

/// L4: the parts sum to the total, and the counters are what the fates say.
pub fn counters_reconcile(story: &Story) -> Result<(), String> {
    for (number, run) in story.runs.iter().enumerate() {
        let Some(end) = run.end.as_ref().filter(|_| run.plan_kept_at.is_some()) else { continue };
        let count = |is_it: fn(&Fate) -> bool| run.fates.iter().filter(|fate| is_it(fate)).count() as u64;
        let updated = count(|fate| *fate == Fate::Updated);
        let skipped = count(|fate| *fate == Fate::ChangedSince);
        let failed = count(|fate| matches!(fate, Fate::Failed(_)));
        let left = count(|fate| matches!(fate, Fate::NotReached | Fate::Unknown(_)));
        let told = (end.counts.updated, end.counts.skipped, end.counts.failed);
        ensure(told == (updated, skipped, failed), || format!("run {number}: {told:?} of {:?}", run.fates))?;
        let total = match run.purpose {
            Purpose::Cleanup => story.at_first.len() as u64,
            Purpose::Undo(_) => (run.settled.len() + run.plan.len()) as u64,
        };
        let sum = updated + skipped + failed + left + run.settled.len() as u64;
        ensure(sum == total, || format!("run {number}: {sum} of {total} assets"))?;
        ensure(left == 0 || !run.is_finished(), || format!("run {number} left {left} and says it is done"))?;
    }
    Ok(())
}

/// L5: exit code, status and the kept outcomes say the same thing.
pub fn ends_agree(story: &Story) -> Result<(), String> {
    for (number, run) in story.runs.iter().enumerate() {
        let Some(end) = &run.end else { continue };
        let failed = end.counts.failed + run.count(Settled::Rejected);
        let status = match end.exit {
            0 => "success",
            3 => "partial",
            8 => "deferred",
            11 => "",
            _ => "failed",
        };
        ensure(end.status == status, || format!("run {number}: exit {} is {:?}", end.exit, end.status))?;
        if run.is_finished() {
            ensure((end.exit == 3) == (failed > 0), || {
                format!("run {number}: exit {} with {failed} failed", end.exit)
            })?;
            ensure(end.is_journal_whole, || format!("run {number} is done without its journal"))?;
        }
        if end.is_journal_whole {
            let last = last_words(run)?;
            for ((asset, line), fate) in run.plan.iter().zip(&run.fates) {
                let word = match fate {
                    Fate::NotReached => None,
                    Fate::Updated => Some(OutcomeWord::Updated),
                    Fate::ChangedSince => Some(OutcomeWord::Skipped),
                    Fate::Failed(_) => Some(OutcomeWord::Failed),
                    Fate::Unknown(_) => Some(OutcomeWord::Unknown),
                };
                let kept = last.get(&line.asset_id.to_string()).map(|outcome| outcome.outcome);
                ensure(kept == word, || format!("run {number}, asset {asset}: kept {kept:?}, is {fate:?}"))?;
            }
        }
    }
    Ok(())
}

fn last_words(run: &RunStory) -> Result<BTreeMap<String, Outcome>, String> {
    let mut last = BTreeMap::new();
    for part in run.journal.values() {
        for outcome in read_outcomes(part).map_err(|error| error.to_string())? {
            last.insert(outcome.asset_id.to_string(), outcome);
        }
    }
    Ok(last)
}

/// L6: no secret in anything that is kept or told.
pub fn no_secret(story: &Story) -> Result<(), String> {
    for (number, run) in story.runs.iter().enumerate() {
        let kept = run.journal.values().map(|part| String::from_utf8_lossy(part));
        let said = run.said.iter().map(|text| text.as_str().into());
        for text in kept.chain(said) {
            ensure(!text.contains(SECRET), || format!("run {number} said it: {text}"))?;
        }
    }
    Ok(())
}

/// L7: what is held does not grow with the plan.
pub fn bounded_memory(story: &Story) -> Result<(), String> {
    for (number, run) in story.runs.iter().enumerate() {
        ensure(run.most_lines_held <= story.max_in_flight, || {
            format!(
                "run {number} held {} lines, {} may be under way",
                run.most_lines_held, story.max_in_flight
            )
        })?;
        ensure(run.most_unkept <= 2_000 + story.max_in_flight, || {
            format!("run {number} held {} outcomes", run.most_unkept)
        })?;
    }
    Ok(())
}

/// L8: the end is what it would be without any fault, and of a killed run at most what was under way is repeated.
pub fn running_again_completes(story: &Story) -> Result<(), String> {
    if story.undone.is_some() {
        return Ok(());
    }
    let Some((_, last)) = last_finished(story) else { return Err("no run came to its end".to_owned()) };
    for (index, asset) in story.at_last.iter().enumerate() {
        let others = story.edits.iter().rev().find(|edit| edit.asset == index);
        let base = others.map_or(&story.at_first[index].value, |edit| &edit.value);
        let may_be_replaced =
            story.is_enforced || base.as_ref().is_none_or(|value| *value == default_value(index));
        let expected = match target(index) {
            Some(target) if may_be_replaced && asset.is_writable() => Some(target),
            _ => base.as_deref(),
        };
        let is_rejected =
            matches!(told(last, index), Some(Fate::Failed(_) | Fate::ChangedSince)) && asset.value == *base;
        ensure(asset.value.as_deref() == expected || is_rejected, || {
            format!("asset {index} carries {:?}, without a fault {expected:?}", asset.value)
        })?;
    }
    for (number, run) in story.runs.iter().enumerate() {
        let Some(killed_at) = run.killed_at else { continue };
        let lied = |asset: usize| story.lies.contains(&(number, asset));
        let at_work: BTreeSet<usize> = run.begun.iter().map(|(_, line)| *line).collect();
        let mut repeated = BTreeSet::new();
        for (later, again) in story.runs.iter().enumerate().skip(number + 1) {
            // One that a clock that jumped let in beside it could not know.
            if again.purpose != run.purpose || again.began < killed_at {
                continue;
            }
            for (at, line) in &again.begun {
                let asset = again.plan[*line].0;
                let Some(first) = run.plan.iter().position(|(planned, _)| *planned == asset) else {
                    continue;
                };
                let is_edited = story
                    .edits
                    .iter()
                    .any(|edit| edit.asset == asset && edit.at >= run.began && edit.at <= *at);
                let is_settled =
                    matches!(run.fates[first], Fate::Failed(_) | Fate::ChangedSince | Fate::Unknown(_));
                let first_again = story.runs[number + 1..later]
                    .iter()
                    .all(|between| !between.begun.iter().any(|(_, line)| between.plan[*line].0 == asset));
                if at_work.contains(&first) && !is_edited && !is_settled && !lied(asset) && first_again {
                    repeated.insert(asset);
                }
            }
        }
        ensure(repeated.len() <= story.max_in_flight, || {
            format!("of run {number}, killed, {repeated:?} were written again")
        })?;
    }
    Ok(())
}

/// L9: no write is begun after the verdict that ends the run.
pub fn writes_stop(story: &Story) -> Result<(), String> {
    for (number, run) in story.runs.iter().enumerate() {
        let Some(verdict_at) = run.verdict_at else { continue };
        let late = run.begun.iter().find(|(at, _)| *at > verdict_at + Duration::from_secs(1));
        ensure(late.is_none(), || format!("run {number}: {late:?} after the verdict at {verdict_at:?}"))?;
    }
    Ok(())
}

/// P5: no write is begun while it is not known whether outcomes can be kept, nor once it is known that they cannot.
pub fn no_journal_no_writes(story: &Story) -> Result<(), String> {
    for (number, run) in story.runs.iter().enumerate() {
        ensure(run.begun_while_keeping == 0, || {
            format!("run {number} began {} writes while outcomes were being kept", run.begun_while_keeping)
        })?;
        let late = run.not_kept_at.and_then(|since| run.begun.iter().find(|(at, _)| *at >= since));
        ensure(late.is_none(), || format!("run {number} began {late:?} after its outcomes were refused"))?;
    }
    Ok(())
}

/// Undo puts back what nobody touched since, and touches nothing else; undoing again changes nothing.
pub fn undo_restores(story: &Story) -> Result<(), String> {
    let Some(undone) = story.undone else { return Ok(()) };
    let run = &story.runs[undone];
    let undos: Vec<(usize, &RunStory)> =
        story.runs.iter().enumerate().filter(|(_, one)| one.purpose == Purpose::Undo(undone)).collect();
    let finished: Vec<_> = undos.iter().filter(|(_, one)| one.is_finished()).collect();
    let (Some((_, last)), true) = (finished.last(), finished.len() >= 2) else {
        return Err("the undo was not done twice".to_owned());
    };
    for (index, asset) in story.at_last.iter().enumerate() {
        let edited = story.edits.iter().rev().find(|edit| edit.asset == index && edit.at >= run.began);
        let expected = edited.map_or(&run.before[index], |edit| &edit.value);
        let reported = last.settled.get(&index) == Some(&Settled::Rejected)
            || matches!(told(last, index), Some(Fate::Failed(_)));
        ensure(asset.value == *expected || reported, || {
            format!("asset {index} carries {:?}, was {expected:?}, and is not reported", asset.value)
        })?;
    }
    let (again, last) = *undos.last().unwrap_or(&(0, run));
    for write in story.writes.iter().filter(|write| write.run == again) {
        let failed_before = undos.iter().filter(|(number, _)| *number < again).any(|(number, before)| {
            matches!(told(before, write.asset), Some(Fate::Failed(_) | Fate::Unknown(_)))
                || story.lies.contains(&(*number, write.asset))
        });
        ensure(failed_before, || format!("undoing again wrote {write:?}: {:?}", last.settled))?;
    }
    Ok(())
}
