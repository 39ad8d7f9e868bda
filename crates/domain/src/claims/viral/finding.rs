//! A surge as a finding of the report.

use serde_json::{Value, json};

use super::expectation::Basis;
use super::week::{Cell, Week};
use crate::claims::alert::{Alert, Kind, Severity, Subject};

/// A finding about a scored series: [`Kind::Viral`] for views and claims, [`Kind::EngagementSpike`] for engagement.
///
/// `measure` says what is counted ("views"), `date` gives the day by which a week is known to the reader.
pub fn draft(
    kind: Kind,
    subject: Subject,
    measure: &str,
    week: &Week,
    cell: &Cell,
    date: impl Fn(u16) -> String,
) -> Alert {
    let rests_on = match cell.basis {
        Basis::Habit => "by the median of its last weeks",
        Basis::Climb => "by the climb after its launch",
        Basis::LastYear => "by the same weeks of last year",
    };
    let reason = format!(
        "{:.0} {measure} where {:.0} were expected {rests_on}: {:.1} times as many",
        cell.believed,
        cell.expected,
        cell.factor()
    );
    let weeks: Vec<Value> = cell.habit_weeks.iter().flatten().map(|week| json!(date(*week))).collect();
    Alert::draft(kind, Severity::High, subject, reason)
        .because("seen", rounded(cell.seen, 1.0))
        .because("believed", rounded(cell.believed, 1.0))
        .because("expected", rounded(cell.expected, 1.0))
        .because("habit", rounded(cell.habit, 1.0))
        .because("habitWeeks", weeks)
        .because("excess", rounded(cell.excess(), 1.0))
        .because("factor", rounded(cell.factor(), 100.0))
        .because("piledWeeks", cell.piled_weeks)
        .because("spread", rounded(cell.spread, 100.0))
        .because("score", rounded(cell.score, 1000.0))
        .because("threshold", rounded(week.threshold, 1000.0))
        .because("reportFactor", rounded(cell.report_factor, 100.0))
        .because("channelFactor", rounded(cell.group_factor, 100.0))
        .because("crowd", rounded(cell.crowd, 1000.0))
}

fn rounded(number: f32, steps: f64) -> Value {
    let rounded = (f64::from(number) * steps).round() / steps;
    // A whole number reads as one.
    if steps > 1.0 {
        json!(rounded)
    } else {
        format!("{rounded:.0}").parse::<u64>().map_or(json!(rounded), Value::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_the_numbers_that_raised_it() {
        let cell = Cell {
            series: 0,
            score: 1.2345,
            seen: 8_000.0,
            believed: 4_000.0,
            expected: 900.4,
            basis: Basis::Habit,
            habit: 900.4,
            habit_weeks: [None, Some(1), Some(2), Some(4)],
            piled_weeks: 1,
            spread: 0.25,
            report_factor: 2.0,
            group_factor: 1.0,
            crowd: 0.0,
        };
        let week = Week { number: 5, cells: Vec::new(), threshold: 1.1, departures: Vec::new() };
        let alert = draft(Kind::Viral, Subject::new("video", "v", "t"), "views", &week, &cell, |week| {
            format!("week {week}")
        });
        insta::assert_snapshot!(alert.reason, @"4000 views where 900 were expected by the median of its last weeks: 4.4 times as many");
        insta::assert_snapshot!(serde_json::to_string(&alert.evidence).unwrap(), @r#"{"believed":4000,"channelFactor":1.0,"crowd":0.0,"excess":3100,"expected":900,"factor":4.44,"habit":900,"habitWeeks":["week 1","week 2","week 4"],"piledWeeks":1,"reportFactor":2.0,"score":1.235,"seen":8000,"spread":0.25,"threshold":1.1}"#);
    }
}
