use proptest::prelude::*;

use super::*;

/// Numbers that look random and are the same everywhere.
struct Noise(u64);

impl Noise {
    /// About normal, with a standard deviation of one.
    fn next(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }

    fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(self.0 >> 48).unwrap()) / 65_536.0
    }
}

type Weeks = Vec<Vec<f32>>;

/// Series that go about their habit: `groups` channels of `each`.
fn ordinary(groups: u32, each: u32, weeks: usize, seed: u64) -> (Vec<Option<u32>>, Weeks) {
    let mut noise = Noise(seed);
    let members: Vec<Option<u32>> = (0..groups * each).map(|series| Some(series / each)).collect();
    let levels: Vec<f32> = members.iter().map(|_| 200.0 * noise.next().exp()).collect();
    let week =
        |noise: &mut Noise| levels.iter().map(|level| (level * (0.2 * noise.next()).exp()).round()).collect();
    let weeks = (0..weeks).map(|_| week(&mut noise)).collect();
    (members, weeks)
}

fn run(groups: &[Option<u32>], weeks: &[Vec<f32>]) -> Vec<Week> {
    let mut detector = Detector::new(groups, Counting::Reported, 1.0);
    weeks.iter().map(|counts| detector.step(counts)).collect()
}

fn told(weeks: &[Week]) -> Vec<(u16, usize)> {
    weeks
        .iter()
        .flat_map(|week| week.alerts(|_| 1.0).into_iter().map(|cell| (week.number, cell.series)))
        .collect()
}

/// An ordinary catalogue and what is told of it once something was done to its weeks.
fn told_after(what: impl FnOnce(&mut Weeks)) -> (Vec<(u16, usize)>, Vec<Departure>) {
    let (groups, mut weeks) = ordinary(20, 20, 40, 7);
    what(&mut weeks);
    let scored = run(&groups, &weeks);
    (told(&scored), scored.into_iter().flat_map(|week| week.departures).collect())
}

fn scale(week: &mut [f32], factor: f32) {
    for value in week {
        *value = (*value * factor).round();
    }
}

#[test]
fn an_ordinary_catalogue_raises_nothing() {
    assert_eq!(told_after(|_| ()), (Vec::new(), Vec::new()));
}

#[test]
fn a_surge_is_told_in_the_week_in_which_it_begins_and_with_its_numbers() {
    let (groups, mut weeks) = ordinary(20, 20, 40, 7);
    weeks[30][5] = 5_000.0 + 6.0 * weeks[30][5];
    let week = &run(&groups, &weeks)[30];
    let alerts = week.alerts(|_| 1.0);
    assert_eq!(alerts.iter().map(|cell| cell.series).collect::<Vec<_>>(), [5]);
    let cell = alerts[0];
    assert_eq!(cell.seen, weeks[30][5]);
    assert_eq!(cell.habit_weeks, [Some(26), Some(27), Some(28), Some(29)]);
    let mut last: Vec<f32> = (26..30).map(|week| weeks[week][5]).collect();
    assert_eq!(Some(cell.expected), robust::median(&mut last));
    assert_eq!(cell.excess(), cell.seen - cell.expected);
    assert!(cell.factor() > 6.0 && (cell.report_factor, cell.group_factor) == (1.0, 1.0));
}

#[test]
fn alerts_stand_in_the_order_of_what_they_are_worth() {
    let (groups, mut weeks) = ordinary(20, 20, 40, 7);
    weeks[30][5] += 50_000.0;
    weeks[30][6] += 40_000.0;
    let week = &run(&groups, &weeks)[30];
    let order =
        |worth: fn(usize) -> f64| week.alerts(worth).iter().map(|cell| cell.series).collect::<Vec<_>>();
    assert_eq!(order(|_| 1.0), [5, 6]);
    assert_eq!(order(|series| if series == 6 { 2.0 } else { 1.0 }), [6, 5]);
}

#[test]
fn a_report_that_is_doubled_partial_or_late_raises_a_departure_and_no_alert() {
    for (factors, lost) in [
        (vec![2.0], false),
        (vec![5.0 / 7.0, 9.0 / 7.0], false),
        (vec![0.0], true),
        (vec![0.0, 2.0], true),
        (vec![3.0, 3.0], false),
    ] {
        let (alerts, departures) = told_after(|weeks| {
            for (week, factor) in (25..).zip(&factors) {
                scale(&mut weeks[week], *factor);
            }
        });
        assert_eq!(alerts, [], "{factors:?}");
        assert_eq!(departures.iter().filter(|one| one.group.is_none()).count(), factors.len(), "{factors:?}");
        assert_eq!(departures[0].is_lost, lost, "{factors:?}");
    }
}

#[test]
fn a_missing_report_is_no_fault_of_the_week_after_it_whether_or_not_that_holds_both() {
    for factor in [1.0, 2.0] {
        let (alerts, departures) = told_after(|weeks| {
            weeks[25].fill(GAP);
            scale(&mut weeks[26], factor);
        });
        assert_eq!((alerts, departures.len()), (Vec::new(), usize::from(factor > 1.0)));
    }
}

#[test]
fn a_channel_that_is_doubled_zeroed_or_late_raises_a_departure_and_no_alert() {
    let channel = 60..80;
    for (factors, gap) in
        [(vec![2.0], false), (vec![0.0], false), (vec![4.0, 3.0], false), (vec![1.0, 2.0], true)]
    {
        let (alerts, departures) = told_after(|weeks| {
            for (week, factor) in (25..).zip(&factors) {
                scale(&mut weeks[week][channel.clone()], *factor);
            }
            if gap {
                weeks[25][channel.clone()].fill(GAP);
            }
        });
        assert_eq!(alerts, [], "{factors:?}");
        assert_eq!(departures.len(), factors.iter().filter(|factor| **factor != 1.0).count(), "{factors:?}");
        assert!(departures.iter().all(|one| one.group == Some(3)), "{departures:?}");
    }
}

#[test]
fn a_report_that_counts_otherwise_from_now_on_is_the_habit_after_three_weeks() {
    let (alerts, departures) = told_after(|weeks| {
        for week in &mut weeks[25..] {
            scale(week, 8.0);
        }
    });
    assert!(alerts.iter().all(|(week, _)| *week > 28), "{alerts:?}");
    assert_eq!(
        departures.iter().map(|one| one.is_habit_now).collect::<Vec<_>>(),
        [false, false, false, true]
    );
}

#[test]
fn a_surge_is_still_told_of_in_a_doubled_report() {
    let (alerts, _) = told_after(|weeks| {
        weeks[25][5] = 9_000.0;
        scale(&mut weeks[25], 2.0);
    });
    assert_eq!(alerts, [(25, 5)]);
}

#[test]
fn a_young_channel_whose_videos_all_decay_is_no_departure() {
    let (mut groups, mut weeks) = ordinary(20, 20, 40, 7);
    groups.extend([Some(20); 12]);
    for (week, counts) in weeks.iter_mut().enumerate() {
        let age = week as f32 - 9.0;
        counts.extend((0_u8..12).map(|video| {
            if age < 1.0 { GAP } else { (10_000.0 + 500.0 * f32::from(video)) * age.powf(-0.8) }
        }));
    }
    let scored = run(&groups, &weeks);
    assert_eq!(told(&scored), []);
    assert!(scored.iter().all(|week| week.departures.is_empty()));
}

#[test]
fn a_series_after_a_gap_of_its_own_may_hold_the_gap_in_reports_and_not_in_gains() {
    let (groups, mut weeks) = ordinary(20, 20, 40, 7);
    for week in &mut weeks[20..22] {
        week[5] = GAP;
    }
    let piled = |counting| {
        let mut detector = Detector::new(&groups, counting, 1.0);
        let week = weeks[..23].iter().map(|counts| detector.step(counts)).last().unwrap();
        week.cells.iter().find(|cell| cell.series == 5).unwrap().piled_weeks
    };
    assert_eq!((piled(Counting::Reported), piled(Counting::Gained)), (3, 1));
}

#[test]
fn songs_of_the_season_that_rise_together_are_a_crowd() {
    let (groups, mut weeks) = ordinary(40, 30, 30, 7);
    let festive = (0..1_200).step_by(40);
    for series in festive.clone() {
        weeks[20][series] = weeks[20][series] * 5.0 + 100.0;
    }
    weeks[24][3] = 9_000.0;
    let scored = run(&groups, &weeks);
    assert!(scored[20].alerts(|_| 1.0).is_empty());
    assert!(scored[20].cells[0].crowd > 0.5);
    assert_eq!(scored[24].alerts(|_| 1.0)[0].series, 3);
}

#[test]
fn extreme_panels_are_scored_without_a_number_that_is_none() {
    let many = |value: f32| vec![vec![value; 300]; 20];
    for weeks in [
        many(0.0),
        many(GAP),
        many(f32::MAX),
        many(f32::INFINITY),
        many(-1.0),
        many(u64::MAX as f32),
        vec![vec![5.0]; 20],
        vec![vec![]; 20],
        [many(0.0), many(f32::MAX), many(0.0)].concat(),
        [many(f32::MAX), many(GAP), many(f32::MAX), many(50.0), many(f32::MAX)].concat(),
    ] {
        let groups: Vec<Option<u32>> = weeks[0].iter().map(|_| Some(0)).collect();
        for week in run(&groups, &weeks) {
            assert!(week.cells.iter().all(|cell| cell.score.is_finite() && cell.excess().is_finite()));
        }
    }
}

/// What may stand in a week: gaps, noughts, small and huge counts.
fn any_count() -> impl Strategy<Value = f32> {
    prop_oneof![
        2 => Just(GAP),
        1 => Just(0.0),
        6 => (0_u32..2_000).prop_map(|count| count as f32),
        1 => any::<u64>().prop_map(|count| count as f32),
    ]
}

fn any_panel() -> impl Strategy<Value = (Vec<Option<u32>>, Weeks)> {
    (1_usize..12, 1_usize..70).prop_flat_map(|(series, weeks)| {
        (
            prop::collection::vec(prop::option::of(0_u32..3), series),
            prop::collection::vec(prop::collection::vec(any_count(), series), weeks),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_later_week_changes_nothing_of_an_earlier_one(
        (groups, weeks) in any_panel(),
        cut in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let cut = cut.index(weeks.len());
        let mut other = weeks.clone();
        let mut noise = Noise(seed);
        for week in &mut other[cut..] {
            for value in week {
                *value = noise.uniform() * 1e6;
            }
        }
        let (before, with_others) = (run(&groups, &weeks[..cut]), run(&groups, &other));
        prop_assert_eq!(&before[..], &with_others[..cut]);
    }

    #[test]
    fn neither_the_order_of_series_nor_the_names_of_groups_matter((groups, weeks) in any_panel()) {
        let backwards = |week: &Vec<f32>| week.iter().rev().copied().collect::<Vec<f32>>();
        let renamed: Vec<Option<u32>> = groups.iter().rev().map(|group| group.map(|group| 7 - group)).collect();
        let turned = run(&renamed, &weeks.iter().map(backwards).collect::<Vec<_>>());
        let last = groups.len() - 1;
        for (one, other) in run(&groups, &weeks).iter().zip(&turned) {
            let scores: Vec<_> = one.cells.iter().map(|cell| (cell.series, cell.score)).collect();
            let same: Vec<_> = other.cells.iter().rev().map(|cell| (last - cell.series, cell.score)).collect();
            prop_assert_eq!(scores, same);
            prop_assert_eq!(one.threshold, other.threshold);
        }
    }

    #[test]
    fn what_is_large_is_judged_by_factors_alone(seed in any::<u64>(), factor in 10_u8..200) {
        let (groups, weeks) = ordinary(3, 40, 16, seed);
        let scaled = |by: f32| weeks.iter().map(|week| week.iter().map(|count| count * by).collect()).collect::<Weeks>();
        let (one, other) = (run(&groups, &scaled(1e4)), run(&groups, &scaled(1e4 * f32::from(factor))));
        for (one, other) in one.iter().zip(&other) {
            for (one, other) in one.cells.iter().zip(&other.cells) {
                // The catalogue's spread is told by level, so that it is another one at another level.
                prop_assert!((one.score - other.score).abs() < 0.15, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_week_that_is_delivered_twice_raises_nothing_that_it_did_not_raise_once(seed in any::<u64>(), at in 12_usize..30) {
        let (groups, mut weeks) = ordinary(10, 12, 30, seed);
        weeks[at][3] = 20_000.0;
        let once = told(&run(&groups, &weeks[..=at]));
        weeks.insert(at, weeks[at].clone());
        let twice = told(&run(&groups, &weeks[..=at + 1]));
        prop_assert!(once.contains(&(u16::try_from(at).unwrap(), 3)));
        let series = |told: &[(u16, usize)]| told.iter().map(|(_, series)| *series).collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(series(&twice), series(&once));
    }
}
