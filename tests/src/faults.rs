//! Which fault is shown by which test: the rows of `tests/faults.csv`, and the tests whose names begin with their ids.
//!
//! A test says which rows it covers in its name, as `a06_the_days_quota_…` or `g07_g10_…`. docs/RELIABILITY.md is made
//! from both, so that it cannot promise what no test shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use regex::Regex;

/// What stands before and after the table in docs/RELIABILITY.md.
const BEGIN: &str = "<!-- The table is made by `cargo run -p dn-tests --bin fault-table -- --write`. -->";
const END: &str = "<!-- End of the table. -->";

/// One row of the matrix.
#[derive(Debug, Clone)]
pub struct Fault {
    /// As `a06`.
    pub id: String,
    /// `C K`, `all` …
    pub tasks: String,
    what: String,
    outcome: String,
    exit: String,
    /// Why no test shows it; empty where one does.
    pub not_tested: String,
    /// The tests that show it, as `file: sentence`.
    pub tests: BTreeSet<String>,
}

impl Fault {
    /// Whether the row is about the custom-ID workflow.
    pub fn concerns_the_workflow(&self) -> bool {
        self.tasks == "all" || self.tasks.split(' ').any(|task| task == "B" || task == "C")
    }
}

/// All rows with their tests, in the matrix's order.
pub fn faults(root: &Path) -> Result<Vec<Fault>> {
    let mut tests = tests_by_id(root)?;
    let path = root.join("tests/faults.csv");
    let mut rows = csv::Reader::from_path(&path).with_context(|| path.display().to_string())?;
    let mut faults = Vec::new();
    for row in rows.records() {
        let row = row?;
        let cell = |at: usize| row.get(at).unwrap_or_default().to_owned();
        let (letter, number) = row.get(0).unwrap_or_default().split_at(1);
        let id = format!("{}{:02}", letter.to_lowercase(), number.parse::<u32>().context("an id's number")?);
        let tests = tests.remove(&id).unwrap_or_default();
        let (tasks, what, outcome, exit, not_tested) = (cell(1), cell(2), cell(3), cell(4), cell(5));
        faults.push(Fault { id, tasks, what, outcome, exit, not_tested, tests });
    }
    // `l04` … are laws and not rows.
    let unknown: Vec<_> = tests.keys().filter(|id| !id.starts_with('l')).collect();
    ensure!(unknown.is_empty(), "tests name faults that no row of {} has: {unknown:?}", path.display());
    Ok(faults)
}

fn tests_by_id(root: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let name = Regex::new(r"(?m)^\s*(?:async )?fn ((?:[a-z][0-9]{2}_)+)([a-z0-9_]+)")?;
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut folders = vec![root.join("crates"), root.join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path)?;
                let file = path.strip_prefix(root)?.display().to_string();
                for captures in name.captures_iter(&text) {
                    let shown_by = format!("{file}: {}", captures[2].replace('_', " "));
                    for id in captures[1].trim_end_matches('_').split('_') {
                        found.entry(id.to_owned()).or_default().insert(shown_by.clone());
                    }
                }
            }
        }
    }
    Ok(found)
}

/// The table of docs/RELIABILITY.md. Rows about the claims report alone appear once a test shows them.
pub fn table(faults: &[Fault]) -> String {
    let mut text = String::new();
    let mut section = '-';
    for fault in faults.iter().filter(|fault| fault.concerns_the_workflow() || !fault.tests.is_empty()) {
        let letter = fault.id.chars().next().unwrap_or('-');
        if letter != section {
            section = letter;
            let title = match letter {
                'a' => "A: the remote API",
                'g' => "G: the GraphQL database",
                's' => "S: the object store",
                'v' => "V: files of rows",
                'e' => "E: events",
                'p' => "P: process and machine",
                _ => "T: time",
            };
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "\n### {title}\n\n| id | tasks | fault | outcome | exit | shown by |\n|---|---|---|---|---|---|\n"
            );
        }
        let shown_by = if fault.tests.is_empty() {
            format!("not tested: {}", fault.not_tested)
        } else {
            fault
                .tests
                .iter()
                .map(|test| test.replacen(": ", "`: ", 1))
                .map(|test| format!("`{test}"))
                .collect::<Vec<_>>()
                .join("<br>")
        };
        let Fault { id, tasks, what, outcome, exit, .. } = fault;
        let _ =
            writeln!(text, "| {} | {tasks} | {what} | {outcome} | {exit} | {shown_by} |", id.to_uppercase());
    }
    text
}

/// One line a section: which rows have a test.
pub fn covered(faults: &[Fault]) -> String {
    let mut lines: BTreeMap<char, Vec<String>> = BTreeMap::new();
    for fault in faults.iter().filter(|fault| fault.concerns_the_workflow() || !fault.tests.is_empty()) {
        let mark = match (fault.tests.is_empty(), fault.not_tested.is_empty()) {
            (false, _) => "",
            (true, false) => " (not tested, see docs/RELIABILITY.md)",
            (true, true) => " (NO TEST)",
        };
        let letter = fault.id.chars().next().unwrap_or('-').to_ascii_uppercase();
        lines.entry(letter).or_default().push(format!("{}{mark}", fault.id.to_uppercase()));
    }
    let tests: BTreeSet<_> = faults.iter().flat_map(|fault| &fault.tests).collect();
    let mut text = format!("faults covered by a test ({} tests):\n", tests.len());
    for ids in lines.values() {
        let _ = writeln!(text, "  {}", ids.join(" "));
    }
    text
}

/// docs/RELIABILITY.md with the table as it is now.
pub fn document(root: &Path) -> Result<(String, String)> {
    let text = fs::read_to_string(root.join("docs/RELIABILITY.md"))?;
    let begin = text.find(BEGIN).context("the table's begin")? + BEGIN.len();
    let end = text.find(END).context("the table's end")?;
    let fresh = format!("{}\n{}\n{}", &text[..begin], table(&faults(root)?), &text[end..]);
    Ok((text, fresh))
}
