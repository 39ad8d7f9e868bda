//! Claims whose risk was assessed, and what became of them: what the weights are fitted to.

use std::collections::{BTreeMap, HashMap};

use dn_domain::claims::risk::refit::Outcome;
use dn_domain::claims::risk::{Fate, Sight, Sign, Signs, WATCHED_WEEKS, Watched};
use dn_domain::claims::snapshot::Source;
use dn_domain::id::{AssetId, ClaimId};
use rusqlite::{Row, Transaction, params};

use super::HistoryError;
use super::entry::Entry;
use super::tables::{Tables, number_of, parsed, week_of};

/// What became of the claims that were noted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fates {
    /// Those that were disputed or kept, the oldest first.
    pub outcomes: Vec<Outcome>,
    /// How many there are of each, those that are no outcome included.
    pub counts: BTreeMap<Fate, usize>,
}

impl Tables {
    /// What became of the claims that were noted.
    pub fn fates(&self) -> Result<Fates, HistoryError> {
        let mut fates = Fates::default();
        let Some(newest) = self.weeks()?.pop() else { return Ok(fates) };
        let mut statement = self.connection.prepare_cached(
            "SELECT week, signs, is_manual, is_ranked, is_drawn, looked, disputed, released, gone FROM candidate \
             ORDER BY week, claim_id",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let noted = week_of(row.get(0)?)?;
            let fate = watched(row, 5)?.fate(noted, newest.week);
            *fates.counts.entry(fate).or_default() += 1;
            if matches!(fate, Fate::Disputed | Fate::Kept) {
                let signs: String = row.get(1)?;
                fates.outcomes.push(Outcome {
                    week: noted,
                    signs: Signs::named(signs.split(' ')),
                    is_manual: row.get(2)?,
                    is_ranked: row.get(3)?,
                    is_drawn: row.get(4)?,
                    is_disputed: fate == Fate::Disputed,
                });
            }
        }
        Ok(fates)
    }
}

/// What is known so far of the claims that a week noted: it is not lost where the week is done again.
pub(super) fn known(
    transaction: &Transaction<'_>,
    entry: &Entry,
) -> Result<HashMap<String, Watched>, HistoryError> {
    let mut statement = transaction
        .prepare_cached("SELECT claim_id, looked, disputed, released, gone FROM candidate WHERE week = ?1")?;
    let rows =
        statement.query_map([number_of(entry.snapshot.week)], |row| Ok((row.get(0)?, watched(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes the claims of a week. One that a week notes that is done again, and did not before, stays without an outcome:
/// the weeks after it did not look for it.
pub(super) fn write(
    transaction: &Transaction<'_>,
    entry: &Entry,
    known: &HashMap<String, Watched>,
) -> Result<(), HistoryError> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO candidate VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    for claim in &entry.candidates {
        let watched = known.get(claim.claim_id.as_str()).copied().unwrap_or_default();
        insert.execute(params![
            number_of(entry.snapshot.week),
            claim.claim_id.as_str(),
            claim.asset_id.as_ref().map(AssetId::as_str),
            claim.channel_id.as_str(),
            codes(claim.signs),
            claim.is_manual,
            claim.is_ranked,
            claim.is_drawn,
            claim.probability,
            claim.at_stake.to_string(),
            watched.looked,
            watched.disputed,
            watched.released,
            watched.gone,
        ])?;
    }
    Ok(())
}

/// Reasons by their codes, with blanks between.
pub(super) fn codes(signs: Signs) -> String {
    signs.iter().map(Sign::name).collect::<Vec<_>>().join(" ")
}

/// Looks what the week says of the claims that were noted in the twelve weeks before. A claim report that was not given,
/// or not believed, says nothing.
pub(super) fn look(transaction: &Transaction<'_>, entry: &Entry) -> Result<(), HistoryError> {
    let now = entry.snapshot.week;
    let is_looked = entry.reports.iter().any(|report| report.source == Source::Claims && !report.is_suspect);
    let mut noted = transaction.prepare_cached("SELECT claim_id FROM candidate WHERE week = ?1")?;
    let mut update = transaction.prepare_cached(
        "UPDATE candidate SET looked = (looked & ~?3) | ?4, disputed = (disputed & ~?3) | ?5, \
         released = (released & ~?3) | ?6, gone = (gone & ~?3) | ?7 WHERE week = ?1 AND claim_id = ?2",
    )?;
    for week in now.plus(-1).row_of(i32::from(WATCHED_WEEKS)) {
        let Some(bit) = Watched::bit(week, now) else { continue };
        let number = number_of(week);
        let claims: Vec<Option<ClaimId>> =
            noted.query_map([number], |row| Ok(parsed(row, 0)))?.collect::<Result<Result<_, _>, _>>()??;
        for claim in claims.into_iter().flatten() {
            let sight = is_looked.then(|| sight(entry, &claim)).flatten();
            let seen = |what| if sight == Some(what) { bit } else { 0 };
            update.execute(params![
                number,
                claim.as_str(),
                bit,
                if is_looked { bit } else { 0 },
                seen(Sight::Disputed),
                seen(Sight::Released),
                seen(Sight::Gone),
            ])?;
        }
    }
    Ok(())
}

fn sight(entry: &Entry, claim: &ClaimId) -> Option<Sight> {
    if entry.disputed.contains(claim) {
        return Some(Sight::Disputed);
    }
    Sight::of(entry.snapshot.claim_state(claim))
}

fn watched(row: &Row<'_>, first: usize) -> rusqlite::Result<Watched> {
    Ok(Watched {
        looked: row.get(first)?,
        disputed: row.get(first + 1)?,
        released: row.get(first + 2)?,
        gone: row.get(first + 3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::sample::{entry, noted, snapshot, week};
    use rusqlite::types::Value;

    const YEARS: std::time::Duration = std::time::Duration::from_hours(730 * 24);

    struct Bench {
        _folder: tempfile::TempDir,
        tables: Tables,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let tables = Tables::open(&folder.path().join("history.sqlite"), YEARS).unwrap();
            Self { _folder: folder, tables }
        }

        /// Records a week whose report has the claims of two assets, all active, as it is changed.
        fn record(&mut self, index: i32, change: impl FnOnce(&mut Entry)) {
            let mut entry = entry("run", snapshot(week(index), &[1, 2], 700));
            entry.candidates.clear();
            change(&mut entry);
            self.tables.record(&entry).unwrap();
        }

        fn rows(&self) -> Vec<Vec<Value>> {
            let mut statement =
                self.tables.connection.prepare("SELECT * FROM candidate ORDER BY week, claim_id").unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
            rows.unwrap().collect::<Result<_, _>>().unwrap()
        }

        fn count(&self, fate: Fate) -> usize {
            self.tables.fates().unwrap().counts.get(&fate).copied().unwrap_or_default()
        }
    }

    fn notes(entry: &mut Entry) {
        entry.candidates =
            vec![noted("c1-0", &["short_match"]), noted("c1-1", &["viral", "shorts"]), noted("c9-0", &[])];
    }

    fn disputes(entry: &mut Entry) {
        entry.disputed.insert("c1-1".parse().unwrap());
    }

    fn believes_no_claims(entry: &mut Entry) {
        for report in entry.reports.iter_mut().filter(|report| report.source == Source::Claims) {
            report.is_suspect = true;
        }
    }

    #[test]
    fn twelve_weeks_later_a_claim_is_kept_disputed_or_gone() {
        let mut bench = Bench::new();
        bench.record(0, notes);
        for index in 1..12 {
            bench.record(index, |entry| {
                if index == 5 {
                    disputes(entry);
                }
            });
            assert_eq!(bench.count(Fate::Open), 3, "in week {index}");
        }
        bench.record(12, |_| ());
        let Fates { outcomes, counts } = bench.tables.fates().unwrap();
        assert_eq!(counts, [(Fate::Disputed, 1), (Fate::Kept, 1), (Fate::Gone, 1)].into());
        let told: Vec<_> = outcomes.iter().map(|one| (one.week, one.signs, one.is_disputed)).collect();
        let signs = |names: &[&str]| Signs::named(names.iter().copied());
        assert_eq!(
            told,
            [(week(0), signs(&["short_match"]), false), (week(0), signs(&["viral", "shorts"]), true)],
            "a claim that is gone is no outcome"
        );
        // What comes after the twelve weeks has no say.
        bench.record(13, |entry| entry.disputed.extend(["c1-0".parse().unwrap()]));
        assert_eq!(bench.count(Fate::Disputed), 1);
    }

    #[test]
    fn a_week_done_again_forgets_nothing_and_takes_back_what_it_said() {
        let mut bench = Bench::new();
        bench.record(0, notes);
        for index in 1..=12 {
            bench.record(index, disputes);
        }
        let before = bench.rows();
        bench.record(0, notes);
        bench.record(7, disputes);
        assert_eq!(bench.rows(), before);
        for index in 1..=12 {
            bench.record(index, |_| ());
        }
        assert_eq!(bench.count(Fate::Disputed), 0);
        assert_eq!(bench.count(Fate::Kept), 2);
    }

    #[test]
    fn a_report_that_was_not_believed_says_nothing_of_a_claim() {
        let mut bench = Bench::new();
        bench.record(0, notes);
        for index in 1..=12 {
            bench.record(index, |entry| {
                if index % 4 != 0 {
                    believes_no_claims(entry);
                    disputes(entry);
                }
            });
        }
        assert_eq!((bench.count(Fate::Kept), bench.count(Fate::Disputed)), (2, 0));
        bench.record(8, believes_no_claims);
        assert_eq!(bench.count(Fate::Overlooked), 3, "eight weeks without a look");
    }

    #[test]
    fn a_claim_that_only_a_later_run_noted_has_no_outcome() {
        let mut bench = Bench::new();
        bench.record(0, |_| ());
        for index in 1..=12 {
            bench.record(index, disputes);
        }
        bench.record(0, notes);
        assert_eq!(bench.count(Fate::Overlooked), 3);
        assert!(bench.tables.fates().unwrap().outcomes.is_empty());
    }
}
