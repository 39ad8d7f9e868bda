//! What became of a planned write: a fate while the run is under way, a line of `outcomes-NNNN.jsonl` for later.
//!
//! The journal is written in parts, since an object store cannot append. Of two lines about one asset the later one
//! counts. It is not what a crash is recovered from (that is the plan); it says which values a run may take back.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::id::AssetId;
use crate::printable::printable;

/// Why a planned write did not come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A stable word for machines.
    pub code: String,
    /// A sentence for people.
    pub reason: String,
}

impl Failure {
    /// A failure with its reason.
    pub fn new(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { code: code.into(), reason: reason.into() }
    }
}

/// What became of one planned write so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Fate {
    /// Not begun, or begun and not answered.
    #[default]
    NotReached,
    /// The asset carries the new value.
    Updated,
    /// Somebody set another value in the meantime: left alone.
    ChangedSince,
    /// It failed for good; the asset does not carry the new value by this run.
    Failed(Box<Failure>),
    /// It was sent, and nobody knows yet whether it was carried out. If it was not, this is why.
    Unknown(Box<Failure>),
}

/// The word for an outcome in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeWord {
    /// The asset carries the new value.
    Updated,
    /// Left alone, since somebody set another value in the meantime.
    Skipped,
    /// Failed for good.
    Failed,
    /// Sent, and not known whether it was carried out.
    Unknown,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The asset.
    pub asset_id: AssetId,
    /// What became of it.
    pub outcome: OutcomeWord,
    /// The value that was to be written.
    pub new: Option<String>,
    /// Why not, as a stable word for machines.
    pub code: Option<String>,
    /// Why not, as a sentence for people.
    pub reason: Option<String>,
}

impl Outcome {
    pub(super) fn of(asset_id: AssetId, new: Option<&str>, fate: &Fate) -> Option<Self> {
        let (outcome, failure) = match fate {
            Fate::NotReached => return None,
            Fate::Updated => (OutcomeWord::Updated, None),
            Fate::ChangedSince => (OutcomeWord::Skipped, None),
            Fate::Failed(failure) => (OutcomeWord::Failed, Some(failure)),
            Fate::Unknown(failure) => (OutcomeWord::Unknown, Some(failure)),
        };
        let code = failure.map(|failure| failure.code.as_str());
        let code = code.or((outcome == OutcomeWord::Skipped).then_some("changed_since"));
        Some(Self {
            asset_id,
            outcome,
            new: new.map(str::to_owned),
            code: code.map(str::to_owned),
            reason: failure.map(|failure| failure.reason.clone()),
        })
    }

    /// The line as JSON, without a line end.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// A line of the journal that is no outcome.
#[derive(Debug, thiserror::Error)]
#[error("line {number}, \"{line}\", is no outcome of a write: {cause}")]
pub struct OutcomeLineError {
    number: usize,
    line: String,
    cause: serde_json::Error,
}

/// Reads a part of the journal. A last line without its end was torn off by a crash and says nothing; any other line
/// that is no outcome refuses the whole part: a journal is never guessed.
pub fn read_outcomes(part: &[u8]) -> Result<Vec<Outcome>, OutcomeLineError> {
    let whole = part.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = part[..whole].split(|byte| *byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| {
            // What a line has besides is not looked at; damaged bytes in it are damage all the same.
            let text = std::str::from_utf8(line).map_err(serde::de::Error::custom);
            text.and_then(serde_json::from_str).map_err(|cause| OutcomeLineError {
                number: index + 1,
                line: printable(line),
                cause,
            })
        })
        .collect()
}

/// The assets that a run says it did not write: their values are not its to take back. What is not known is judged by
/// the live value, as what no outcome speaks of.
pub fn not_written(outcomes: impl IntoIterator<Item = Outcome>) -> HashSet<AssetId> {
    let mut assets = HashSet::new();
    for outcome in outcomes {
        match outcome.outcome {
            OutcomeWord::Updated | OutcomeWord::Unknown => assets.remove(&outcome.asset_id),
            OutcomeWord::Failed | OutcomeWord::Skipped => assets.insert(outcome.asset_id),
        };
    }
    assets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(number: u8, fate: &Fate) -> Outcome {
        let asset = AssetId::parse(&format!("A{number:015}")).unwrap();
        Outcome::of(asset, Some("artist-one"), fate).unwrap()
    }

    fn failed() -> Fate {
        Fate::Failed(Box::new(Failure::new("forbidden", "not ours")))
    }

    fn part(outcomes: &[Outcome]) -> String {
        outcomes.iter().map(|outcome| outcome.to_json().unwrap() + "\n").collect()
    }

    #[test]
    fn p03_a_line_torn_off_by_a_crash_is_passed_over_wherever_it_broke() {
        let outcomes = [outcome(1, &Fate::Updated), outcome(2, &failed()), outcome(3, &Fate::ChangedSince)];
        let text = part(&outcomes);
        let second = part(&outcomes[..2]).len();
        for cut in second..text.len() {
            assert_eq!(read_outcomes(&text.as_bytes()[..cut]).unwrap(), outcomes[..2], "cut at {cut}");
        }
        assert_eq!(read_outcomes(text.as_bytes()).unwrap(), outcomes);
    }

    #[test]
    fn p06_a_line_in_the_middle_that_is_no_outcome_refuses_the_journal() {
        let text = part(&[outcome(1, &Fate::Updated), outcome(2, &failed())]);
        let torn = text.replacen("\"updated\"", "\"upd", 1);
        let error = read_outcomes(torn.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("line 1, "), "{error}");
        let newer = text.replacen("\"updated\"", "\"postponed\"", 1);
        assert!(read_outcomes(newer.as_bytes()).is_err(), "a word of another version is not guessed");
    }

    #[test]
    fn of_two_outcomes_of_one_asset_the_later_one_counts() {
        let unknown = Fate::Unknown(Box::new(Failure::new("unavailable", "no answer")));
        let outcomes = [
            outcome(1, &Fate::Updated),
            outcome(1, &failed()),
            outcome(2, &failed()),
            outcome(2, &Fate::Updated),
            outcome(3, &unknown),
            outcome(4, &Fate::ChangedSince),
        ];
        let assets = not_written(outcomes);
        let numbers: Vec<bool> =
            (1..=4).map(|n: u8| assets.contains(&AssetId::parse(&format!("A{n:015}")).unwrap())).collect();
        assert_eq!(numbers, [true, false, false, true]);
    }
}
