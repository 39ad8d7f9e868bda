//! Where the marks of a chart lie. The marks themselves stand in the templates.
//!
//! A week without a value is a gap: it has no mark, a line does not cross it, and a chart says so in its place. Gains
//! are columns from zero; a level is a line over a scale of its own, since its changes would not show from zero.

use std::fmt::Write as _;

use dn_domain::claims::movers::{Measure, Trend};
use dn_domain::claims::week::Week;

use super::format::{count, plain, short_day, week as week_name};
use super::words;

const LEFT: f64 = 52.0;
const RIGHT: f64 = 348.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 150.0;
/// About so many lines across a chart.
const TICKS: f64 = 3.0;

/// A column of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    pub x: String,
    pub y: String,
    pub width: String,
    pub height: String,
    /// What it says when it is pointed at.
    pub tip: String,
    pub is_last: bool,
}

/// A point of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dot {
    pub x: String,
    pub y: String,
    pub tip: String,
    pub is_last: bool,
}

/// Weeks in a row without a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gap {
    pub x: String,
    pub width: String,
    pub middle: String,
    pub tip: String,
    /// Whether there is room for words along it.
    pub is_wide: bool,
}

/// A label of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Label {
    pub at: String,
    pub text: String,
    /// Whether it may be left out where there is little room.
    pub is_minor: bool,
}

/// A week of the table behind a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub week: String,
    pub value: Option<String>,
}

/// The totals of a measure over some weeks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chart {
    /// Part of the ids within the page.
    pub name: &'static str,
    pub title: &'static str,
    pub hint: &'static str,
    /// Where the level changed, and what the next week will probably bring.
    pub notes: Vec<String>,
    /// What the chart shows, for those who do not see it.
    pub description: String,
    /// The last week's value.
    pub last: Option<String>,
    /// What is said where there is no value at all.
    pub nothing: Option<&'static str>,
    pub bars: Vec<Bar>,
    pub dots: Vec<Dot>,
    pub path: String,
    pub gaps: Vec<Gap>,
    pub ticks: Vec<Label>,
    pub weeks: Vec<Label>,
    pub zero: Option<String>,
    pub rows: Vec<Row>,
}

/// What is told of a trend in words.
fn notes(trend: &Trend) -> Vec<String> {
    let changes = trend.change_points.iter().map(|point| {
        let week = short_day(point.week.monday());
        format!("Another level since the week of {week}: {} → {}.", plain(point.before), plain(point.after))
    });
    let outlook = trend.outlook.iter().map(|outlook| {
        format!(
            "Next week about {} ({} to {} in {} of 100 weeks, by its own past errors).",
            plain(outlook.expected),
            plain(outlook.low),
            plain(outlook.high),
            outlook.percent
        )
    });
    changes.chain(outlook).collect()
}

/// The chart of a measure up to a week, whether or not the digest has a trend of it.
pub(super) fn chart(measure: Measure, trend: Option<&Trend>, last: Week) -> Chart {
    let (title, hint) = words::measure(measure);
    let (weeks, values): (Vec<Week>, Vec<Option<i64>>) = match trend {
        Some(trend) => (trend.weeks.clone(), trend.values.clone()),
        None => (last.row_of(dn_domain::claims::movers::TREND_WEEKS).collect(), Vec::new()),
    };
    let value_at = |index: usize| values.get(index).copied().flatten();
    let is_level = measure == Measure::ActiveClaims;
    let scale = Scale::of(values.iter().flatten().copied(), !is_level);
    let slot = (RIGHT - LEFT) / (weeks.len().max(1) as f64);
    let middle = |index: usize| LEFT + slot * (index as f64 + 0.5);
    let mut chart = Chart {
        name: match measure {
            Measure::Views => "views",
            Measure::EngagedViews => "engaged-views",
            Measure::ActiveClaims => "active-claims",
        },
        title,
        hint,
        notes: trend.map(notes).unwrap_or_default(),
        description: describe(&weeks, &values),
        last: values.last().copied().flatten().map(plain),
        nothing: None,
        bars: Vec::new(),
        dots: Vec::new(),
        path: if is_level { path(&values, middle, |value| scale.y(value)) } else { String::new() },
        gaps: Vec::new(),
        ticks: Vec::new(),
        weeks: Vec::new(),
        zero: None,
        rows: Vec::new(),
    };
    if values.iter().all(Option::is_none) {
        chart.nothing = Some(match measure {
            Measure::ActiveClaims => "No report of these weeks says.",
            Measure::Views | Measure::EngagedViews => "A gain needs two weeks in a row.",
        });
    } else {
        chart.ticks = scale.ticks();
        chart.zero = (!is_level).then(|| number(scale.y(0)));
    }
    let last_index = weeks.len().saturating_sub(1);
    for (index, week) in weeks.iter().enumerate() {
        let is_last = index == last_index;
        let name = short_day(week.monday());
        let value = value_at(index);
        chart.rows.push(Row { week: week_name(*week), value: value.map(plain) });
        // Counted from the last, which is the one that matters.
        if (last_index - index).is_multiple_of(3) {
            let is_minor = (last_index - index) % 6 != 0;
            chart.weeks.push(Label { at: number(middle(index)), text: name.clone(), is_minor });
        }
        let Some(value) = value else {
            let begins = index == 0 || value_at(index - 1).is_some();
            if chart.nothing.is_none() && begins {
                let length = (index..weeks.len()).take_while(|at| value_at(*at).is_none()).count();
                chart.gaps.push(Gap {
                    x: number(middle(index) - slot * 0.5),
                    width: number(slot * length as f64),
                    middle: number(middle(index) + slot * (length as f64 - 1.0) / 2.0),
                    tip: format!(
                        "From the week of {name}: {}",
                        count(length as u64, "week", "weeks") + " without a value"
                    ),
                    is_wide: length > 2,
                });
            }
            continue;
        };
        let tip = format!("Week of {name}: {}", plain(value));
        if is_level {
            chart.dots.push(Dot { x: number(middle(index)), y: number(scale.y(value)), tip, is_last });
        } else {
            let (zero, end) = (scale.y(0), scale.y(value));
            chart.bars.push(Bar {
                x: number(middle(index) - slot * 0.34),
                y: number(zero.min(end)),
                width: number(slot * 0.68),
                // A week with a gain of nothing is no gap, and shows.
                height: number((zero - end).abs().max(1.0)),
                tip,
                is_last,
            });
        }
    }
    chart
}

fn describe(weeks: &[Week], values: &[Option<i64>]) -> String {
    let known = || weeks.iter().zip(values).filter_map(|(week, value)| value.map(|value| (week, value)));
    let count = known().count();
    let (Some(least), Some(most)) =
        (known().min_by_key(|(_, value)| *value), known().max_by_key(|(_, value)| *value))
    else {
        return format!("{} weeks, none with a value.", weeks.len());
    };
    let end = match values.last().copied().flatten() {
        Some(value) => format!("the last {}", plain(value)),
        None => "the last without a value".to_owned(),
    };
    let at =
        |(week, value): (&Week, i64)| format!("{} in the week of {}", plain(value), short_day(week.monday()));
    format!("{} weeks, {count} with a value; {end}; least {}, most {}.", weeks.len(), at(least), at(most))
}

/// A small line without axes, for a row of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spark {
    pub description: String,
    pub path: String,
    /// Points with a gap on either side, which no line shows.
    pub alone: Vec<(String, String)>,
    pub last: Option<(String, String)>,
}

/// The small line of some values; none where fewer than two are known.
pub(super) fn spark(values: &[Option<i64>]) -> Option<Spark> {
    const WIDTH: f64 = 96.0;
    const HEIGHT: f64 = 24.0;
    let known: Vec<i64> = values.iter().flatten().copied().collect();
    let (least, most) = (known.iter().min()?, known.iter().max()?);
    if known.len() < 2 {
        return None;
    }
    let step = (WIDTH - 8.0) / (values.len().saturating_sub(1).max(1) as f64);
    let x = |index: usize| 4.0 + step * index as f64;
    let span = (*most as f64 - *least as f64).max(1.0);
    let y = |value: i64| HEIGHT - 4.0 - (value as f64 - *least as f64) / span * (HEIGHT - 8.0);
    let is_known = |index: usize| values.get(index).copied().flatten().is_some();
    let point = |index: usize, value: i64| (number(x(index)), number(y(value)));
    let alone = values
        .iter()
        .enumerate()
        .filter(|(index, _)| !is_known(index + 1) && !index.checked_sub(1).is_some_and(is_known))
        .filter_map(|(index, value)| value.map(|value| point(index, value)))
        .collect();
    let shown: Vec<String> = values.iter().map(|value| value.map_or("no value".to_owned(), plain)).collect();
    Some(Spark {
        description: format!("{} weeks: {}.", values.len(), shown.join("; ")),
        path: path(values, x, y),
        alone,
        last: values.last().copied().flatten().map(|value| point(values.len() - 1, value)),
    })
}

/// A line through the values, begun anew after each gap.
fn path(values: &[Option<i64>], x: impl Fn(usize) -> f64, y: impl Fn(i64) -> f64) -> String {
    let mut path = String::new();
    let mut is_drawing = false;
    for (index, value) in values.iter().enumerate() {
        if let Some(value) = value {
            path.push_str(if is_drawing { "L" } else { "M" });
            let _ = write!(path, "{} {}", number(x(index)), number(y(*value)));
        }
        is_drawing = value.is_some();
    }
    path
}

/// Values to heights, with round numbers at the lines.
#[derive(Debug, Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
    step: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = i64> + Clone, from_zero: bool) -> Self {
        let least = values.clone().min().unwrap_or_default() as f64;
        let most = values.max().unwrap_or_default() as f64;
        let (mut low, mut high) = if from_zero { (least.min(0.0), most.max(0.0)) } else { (least, most) };
        if high - low < 1.0 {
            // One level alone: a little room around it.
            let room = (high.abs() * 0.02).max(1.0);
            high += room;
            if !from_zero {
                low = (low - room).max(low.min(0.0));
            }
        }
        let step = round_step((high - low) / TICKS);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step }
    }

    fn y(&self, value: i64) -> f64 {
        BOTTOM - (value as f64 - self.low) / (self.high - self.low) * (BOTTOM - TOP)
    }

    fn ticks(&self) -> Vec<Label> {
        let (size, letter) = match self.high.abs().max(self.low.abs()) {
            size if size >= 1e9 => (1e9, "B"),
            size if size >= 1e6 => (1e6, "M"),
            size if size >= 1e4 => (1e3, "K"),
            _ => (1.0, ""),
        };
        let mut ticks = Vec::new();
        let mut index = 0.0;
        while self.low + index * self.step <= self.high + self.step / 2.0 {
            let value = self.low + index * self.step;
            let at = BOTTOM - (value - self.low) / (self.high - self.low) * (BOTTOM - TOP);
            let text = format!("{}{letter}", digits(value / size, self.step / size)).replace('-', "−");
            ticks.push(Label { at: number(at), text, is_minor: false });
            index += 1.0;
        }
        ticks
    }
}

/// The next of 1, 2, 5, 10 times a power of ten; at least one, since all is counted in whole numbers.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * power)
        .find(|round| *round >= step)
        .unwrap_or(power * 10.0)
}

/// A number with as many places as the step asks for.
fn digits(value: f64, step: f64) -> String {
    let places = (0..4_usize).find(|places| {
        let scaled = step * 10_f64.powf(*places as f64);
        (scaled - scaled.round()).abs() < 1e-6
    });
    format!("{value:.*}", places.unwrap_or(4))
}

fn number(position: f64) -> String {
    let text = format!("{position:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> Week {
        Week::parse("2026-11-16").unwrap()
    }

    fn trend(measure: Measure, values: Vec<Option<i64>>) -> Trend {
        let weeks = last().row_of(i32::try_from(values.len()).unwrap()).collect();
        Trend {
            measure,
            weeks,
            values,
            change_points: Vec::new(),
            outlook: None,
            channels: Vec::new(),
            artists: Vec::new(),
        }
    }

    #[test]
    fn t05_a_gap_has_no_mark_and_the_line_does_not_cross_it() {
        let values = vec![Some(10), Some(12), None, Some(11), Some(10)];
        let level = chart(Measure::ActiveClaims, Some(&trend(Measure::ActiveClaims, values.clone())), last());
        assert_eq!(level.path.matches('M').count(), 2, "{}", level.path);
        assert_eq!((level.dots.len(), level.gaps.len(), level.bars.len()), (4, 1, 0));
        assert_eq!(level.rows[2].value, None);
        let gains = chart(Measure::Views, Some(&trend(Measure::Views, values)), last());
        assert_eq!((gains.bars.len(), gains.gaps.len(), gains.path.as_str()), (4, 1, ""));
        assert_eq!(gains.ticks[0].text, "0", "gains are measured from zero");
        assert_eq!(
            gains.description,
            "5 weeks, 4 with a value; the last 10; least 10 in the week of 19 Oct, most 12 in the week of 26 Oct."
        );
    }

    #[test]
    fn one_point_is_a_chart_and_weeks_without_a_value_are_said_once() {
        let one =
            chart(Measure::ActiveClaims, Some(&trend(Measure::ActiveClaims, vec![None, Some(7)])), last());
        assert_eq!((one.dots.len(), one.nothing), (1, None));
        assert!(one.dots[0].y.parse::<f64>().unwrap() > TOP);
        let many = vec![None, None, None, Some(1), None, Some(2)];
        let gaps = chart(Measure::Views, Some(&trend(Measure::Views, many)), last()).gaps;
        let shown: Vec<_> = gaps.iter().map(|gap| (gap.tip.as_str(), gap.is_wide)).collect();
        assert_eq!(
            shown,
            [
                ("From the week of 12 Oct: 3 weeks without a value", true),
                ("From the week of 9 Nov: 1 week without a value", false)
            ]
        );
        let none = chart(Measure::Views, None, last());
        assert_eq!((none.rows.len(), none.gaps.len(), none.last), (12, 0, None));
        assert_eq!(none.nothing, Some("A gain needs two weeks in a row."));
    }

    #[test]
    fn marks_stay_within_the_chart_whatever_the_values() {
        for values in [
            vec![Some(i64::MAX), Some(0)],
            vec![Some(-5), Some(5)],
            vec![Some(0), Some(0)],
            vec![Some(i64::MIN), None, Some(i64::MAX)],
            vec![Some(1_000_000_000), Some(1_000_000_001)],
        ] {
            for measure in Measure::ALL {
                let chart = chart(measure, Some(&trend(measure, values.clone())), last());
                let inside = |text: &str| {
                    let y: f64 = text.parse().unwrap();
                    (TOP - 0.1..=BOTTOM + 0.1).contains(&y)
                };
                assert!(chart.bars.iter().all(|bar| inside(&bar.y)), "{values:?} {:?}", chart.bars);
                assert!(chart.dots.iter().all(|dot| inside(&dot.y)), "{values:?} {:?}", chart.dots);
                assert!(!chart.ticks.is_empty() && chart.ticks.len() < 9, "{:?}", chart.ticks);
            }
        }
    }

    #[test]
    fn the_lines_of_a_scale_have_round_numbers_that_differ() {
        let ticks = |values: &[i64], from_zero| -> Vec<String> {
            let scale = Scale::of(values.iter().copied(), from_zero);
            scale.ticks().into_iter().map(|tick| tick.text).collect()
        };
        assert_eq!(ticks(&[12_400_000], true), ["0M", "5M", "10M", "15M"]);
        assert_eq!(ticks(&[512_300, 519_800], false), ["510K", "515K", "520K"]);
        assert_eq!(ticks(&[-2, 3], true), ["−2", "0", "2", "4"]);
        assert_eq!(ticks(&[1_240_000, 1_260_000], false), ["1.24M", "1.25M", "1.26M"]);
    }

    #[test]
    fn a_small_line_shows_a_point_between_gaps() {
        let spark = spark(&[Some(1), None, Some(3), None, Some(4), Some(5)]).unwrap();
        assert_eq!((spark.alone.len(), spark.path.matches('L').count()), (2, 1));
        assert_eq!(spark.description, "6 weeks: 1; no value; 3; no value; 4; 5.");
        assert_eq!(super::spark(&[None, Some(1)]), None);
    }
}
