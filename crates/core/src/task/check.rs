//! `check`: the configuration proved without a run. Each line says one thing that a run needs, and how to mend it.
//!
//! No failure hides another: every line is always there. Nothing is sent to the bus, no lock is taken and no run
//! folder made; the state folder is asked for a write whose condition cannot hold.

pub mod probes;

use serde::Serialize;

use super::exit::{End, Exit};
use super::settings::{Environment, Problems};
use super::{Context, Frame, Report, RunInfo, Stop, Task};
use crate::aws::one_line;

/// How a line of a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// As a run needs it.
    Pass,
    /// A run would begin; somebody should look.
    Warn,
    /// A run would not come to its end.
    Fail,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

/// One line of a check. Its texts are one printable line each and hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    what: &'static str,
    state: State,
    detail: String,
    fix: Option<String>,
    /// Whether it failed because a credential or a permission was refused.
    #[serde(skip)]
    refused: bool,
}

impl Row {
    /// It is as a run needs it.
    pub fn pass(what: &'static str, detail: impl AsRef<str>) -> Self {
        Self { what, state: State::Pass, detail: one_line(detail.as_ref()), fix: None, refused: false }
    }

    /// A run would begin; somebody should look.
    pub fn warn(what: &'static str, detail: impl AsRef<str>, fix: impl AsRef<str>) -> Self {
        Self { state: State::Warn, fix: Some(one_line(fix.as_ref())), ..Self::pass(what, detail) }
    }

    /// Something is missing or wrong.
    pub fn fail(what: &'static str, detail: impl AsRef<str>, fix: impl AsRef<str>) -> Self {
        Self { state: State::Fail, ..Self::warn(what, detail, fix) }
    }

    /// A probe that came back with an error: a refused credential or permission is told apart, as a run tells it.
    pub fn of_error(what: &'static str, error: &anyhow::Error, fix: impl AsRef<str>) -> Self {
        let refused = Exit::of(error, &Stop::default()) == Exit::Unauthorized;
        Self { refused, ..Self::fail(what, format!("{error:#}"), fix) }
    }

    /// Whether what hangs on it can be asked for.
    pub fn is_good(&self) -> bool {
        self.state == State::Pass
    }

    /// What could not be asked for want of something that another line names.
    pub fn not_checked(what: &'static str, want: &str) -> Self {
        Self::warn(what, format!("not checked for want of {want}"), format!("mend {want} first"))
    }
}

/// A line for every setting that is missing or cannot be read, or one that says that all can.
pub fn settings_rows(problems: &Problems, task: &str) -> Vec<Row> {
    let fix = format!("set it as {task} --help says");
    let rows: Vec<Row> = problems.list().iter().map(|problem| Row::fail("settings", problem, &fix)).collect();
    if rows.is_empty() { vec![Row::pass("settings", "all of them can be read")] } else { rows }
}

/// What a check comes to: what is missing or wrong goes before what is refused, since it may be why.
fn exit_of(rows: &[Row]) -> Exit {
    let failed = || rows.iter().filter(|row| row.state == State::Fail);
    if failed().next().is_none() {
        Exit::Done
    } else if failed().all(|row| row.refused) {
        Exit::Unauthorized
    } else {
        Exit::Usage
    }
}

fn text(task: &str, rows: &[Row]) -> String {
    use std::fmt::Write as _;
    let width = rows.iter().map(|row| row.what.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Row { what, state, detail, fix, .. } in rows {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}  {what:<width$}  {detail}", state.word());
        let _ = match fix {
            Some(fix) => writeln!(text, "; fix: {fix}"),
            None => writeln!(text),
        };
    }
    let count = |state| rows.iter().filter(|row| row.state == state).count();
    let (passed, warned, failed) = (count(State::Pass), count(State::Warn), count(State::Fail));
    let _ = writeln!(text, "{task} check: {passed} passed, {warned} to be looked at, {failed} failed");
    text
}

/// A task whose configuration can be proved without a run.
pub trait Checked: Task<Args: Clone> {
    /// Whether the command line asks for the check instead of a run.
    fn asks_for_check(args: &Self::Args) -> bool;

    /// Goes through all that a run needs and writes nothing. Settings are read here, so that one that is missing is
    /// a line among others.
    fn check(
        args: &Self::Args,
        environment: &Environment,
        context: &Context<Vec<Row>>,
    ) -> impl Future<Output = Vec<Row>>;
}

/// The check of a task, as the harness runs it.
#[derive(Debug)]
pub(super) struct Check<T: Task> {
    args: T::Args,
    environment: Environment,
}

impl<T: Checked> Task for Check<T> {
    const NAME: &'static str = T::NAME;
    type Args = T::Args;
    type Tally = Vec<Row>;

    fn frame(args: &T::Args) -> Frame<'_> {
        // Without the run part there is no lock, no bus and no run folder.
        Frame { run: None, ..T::frame(args) }
    }

    fn prepare(args: &T::Args, environment: &Environment, _problems: &mut Problems) -> Option<Self> {
        Some(Self { args: args.clone(), environment: environment.clone() })
    }

    fn is_run(&self) -> bool {
        false
    }

    async fn run(&self, context: &Context<Vec<Row>>) -> anyhow::Result<Exit> {
        let rows = T::check(&self.args, &self.environment, context).await;
        anyhow::ensure!(context.stop.reason().is_none(), "stopped before everything was checked");
        let exit = exit_of(&rows);
        context.count(|kept| *kept = rows);
        Ok(exit)
    }

    fn report(_run: &RunInfo, rows: &Vec<Row>, _end: &End) -> Report {
        Report {
            summary: serde_json::json!(rows),
            text: if rows.is_empty() { String::new() } else { text(T::NAME, rows) },
            event: None,
            events_before: Vec::new(),
            counts: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Ended;

    fn refused() -> Row {
        let error = Ended::new(Exit::Unauthorized, "HTTP 401").into();
        Row::of_error("token", &error, "make a new one")
    }

    #[test]
    fn a_check_reads_as_a_table_with_the_fix_beside_each_line() {
        let rows = [
            Row::pass("settings", "all of them can be read"),
            Row::warn("video report", "9 days old\n", "see why none was delivered since"),
            refused(),
        ];
        insta::assert_snapshot!(text("task", &rows), @r"
        PASS  settings      all of them can be read
        WARN  video report  9 days old\n; fix: see why none was delivered since
        FAIL  token         HTTP 401; fix: make a new one
        task check: 1 passed, 1 to be looked at, 1 failed
        ");
        insta::assert_snapshot!(
            serde_json::json!(rows[2]),
            @r#"{"detail":"HTTP 401","fix":"make a new one","state":"FAIL","what":"token"}"#
        );
    }

    #[test]
    fn what_is_missing_goes_before_what_is_refused_and_a_warning_is_no_failure() {
        let pass = Row::pass("a", "good");
        let warn = Row::warn("b", "old", "look");
        let fail = Row::fail("c", "not there", "set it");
        assert_eq!(exit_of(&[pass.clone(), warn.clone()]), Exit::Done);
        assert_eq!(exit_of(&[pass, warn, refused()]), Exit::Unauthorized);
        assert_eq!(exit_of(&[refused(), fail, refused()]), Exit::Usage);
    }
}
