//! The pacer before servers of every temper, in time that is only counted: each scenario is a server's rule and the bands
//! that the client has to stay in. The dice are seeded.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{Begun, Pacer, Signal, Turn};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// What a server knows when a call comes in.
struct Seen {
    /// Since the scenario began.
    at: Duration,
    /// Calls under way, this one included.
    in_flight: usize,
    /// Calls that it let through in the last second.
    served_in_second: usize,
    /// A die from 0 to 1.
    die: f64,
}

#[derive(Clone, Copy)]
struct Client {
    rate_per_second: f64,
    max_in_flight: usize,
}

/// One call as the server saw it.
struct Call {
    at: Duration,
    signal: Signal,
    is_first_try: bool,
}

/// What came in, and what the client had learnt each second.
struct Log {
    calls: Vec<Call>,
    /// Calls at once that the pacer allowed.
    limits: Vec<usize>,
}

impl Log {
    fn between(&self, from_s: u64, to_s: u64) -> impl Iterator<Item = &Call> {
        let range = Duration::from_secs(from_s)..Duration::from_secs(to_s);
        self.calls.iter().filter(move |call| range.contains(&call.at))
    }

    /// Calls a second that were served.
    fn served_per_second(&self, from_s: u64, to_s: u64) -> f64 {
        let served = self.between(from_s, to_s).filter(|call| call.signal == Signal::Served).count();
        served as f64 / (to_s - from_s) as f64
    }

    /// The share of calls that were not served.
    fn refused(&self, from_s: u64, to_s: u64) -> f64 {
        let all = self.between(from_s, to_s).count();
        let refused = self.between(from_s, to_s).filter(|call| call.signal != Signal::Served).count();
        refused as f64 / all.max(1) as f64
    }

    fn limits(&self, from_s: usize, to_s: usize) -> (usize, usize) {
        let part = &self.limits[from_s..to_s];
        (*part.iter().min().unwrap(), *part.iter().max().unwrap())
    }
}

/// Plays a client with more work than it can do against a server, for so many seconds.
fn play(client: Client, seconds: u64, rule: impl Fn(&Seen) -> (Duration, Signal)) -> Log {
    let begun = Instant::now();
    let mut pacer = Pacer::new(Some(client.rate_per_second), client.max_in_flight, Duration::from_hours(1));
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let mut log = Log { calls: Vec::new(), limits: Vec::new() };
    // Calls that wait for their turn (whether for the first time) and to be repeated; answers to come.
    let mut waiting: VecDeque<bool> = vec![true; client.max_in_flight].into();
    let mut to_repeat: BinaryHeap<Reverse<Duration>> = BinaryHeap::new();
    let mut answers: Vec<(Duration, Begun, Signal)> = Vec::new();
    let mut served: VecDeque<Duration> = VecDeque::new();
    let mut now = Duration::ZERO;
    while now < Duration::from_secs(seconds) {
        while log.limits.len() as u64 <= now.as_secs() {
            log.limits.push(pacer.learnt(begun + now).1);
        }
        while let Some(index) = answers.iter().position(|(at, ..)| *at <= now) {
            let (_, call, signal) = answers.swap_remove(index);
            pacer.ended(call, begun + now, signal);
            match signal {
                Signal::Failed(_) | Signal::Overloaded(_) => to_repeat.push(Reverse(now + 250 * MS)),
                Signal::Served => waiting.push_back(true),
                Signal::Slowed(_) | Signal::Abandoned => waiting.push_back(false),
            }
        }
        let mut next = answers.iter().map(|(at, ..)| *at).min().unwrap_or(Duration::MAX);
        while let Some(Reverse(at)) = to_repeat.peek().copied() {
            if at > now {
                next = next.min(at);
                break;
            }
            to_repeat.pop();
            match pacer.take_retry(begun + now) {
                None => waiting.push_back(false),
                Some(wait) => to_repeat.push(Reverse(now + wait)),
            }
        }
        while let Some(is_first_try) = waiting.front().copied() {
            match pacer.turn(begun + now, is_first_try) {
                Turn::Full => break,
                Turn::Wait(wait) => {
                    // A timer's grain.
                    next = next.min(now + wait.max(MS));
                    break;
                }
                Turn::Begun(call) => {
                    waiting.pop_front();
                    while served.front().is_some_and(|at| *at + SECOND <= now) {
                        served.pop_front();
                    }
                    let in_flight = answers.len() + 1;
                    let seen =
                        Seen { at: now, in_flight, served_in_second: served.len(), die: dice.random() };
                    let (takes, signal) = rule(&seen);
                    if signal == Signal::Served {
                        served.push_back(now);
                    }
                    next = next.min(now + takes);
                    answers.push((now + takes, call, signal));
                    log.calls.push(Call { at: now, signal, is_first_try });
                }
            }
        }
        now = next;
    }
    while (log.limits.len() as u64) < seconds {
        log.limits.push(pacer.learnt(begun + now).1);
    }
    log
}

/// A server that lets through so many calls in any second.
fn wall(per_second: usize, takes: Duration) -> impl Fn(&Seen) -> (Duration, Signal) {
    move |seen| {
        let signal = if seen.served_in_second < per_second { Signal::Served } else { Signal::Slowed(None) };
        (takes, signal)
    }
}

const USUAL: Client = Client { rate_per_second: 100.0, max_in_flight: 32 };

#[test]
fn a_constant_link_is_used_to_the_operators_rate() {
    let log = play(USUAL, 60, |_| (50 * MS, Signal::Served));
    let rate = log.served_per_second(5, 60);
    assert!((97.0..=100.5).contains(&rate), "{rate}");
    assert_eq!(log.limits(5, 60), (32, 32));
}

#[test]
fn a_jittery_link_costs_next_to_nothing() {
    // Mean 90 ms, one answer in twenty takes half a second more.
    let rule = |seen: &Seen| {
        let tail = if seen.die > 0.95 { 500 * MS } else { Duration::ZERO };
        (40 * MS + tail + (50 * MS).mul_f64(seen.die), Signal::Served)
    };
    let log = play(USUAL, 120, rule);
    let rate = log.served_per_second(5, 120);
    assert!(rate >= 95.0, "{rate}");
    assert!(log.limits(5, 120).0 >= 12, "{:?}", log.limits(5, 120));
}

#[test]
fn a07_a_wall_at_40_a_second_is_approached_and_seldom_met() {
    let log = play(USUAL, 300, wall(40, 50 * MS));
    let (rate, refused) = (log.served_per_second(30, 300), log.refused(30, 300));
    assert!((32.0..=40.0).contains(&rate), "{rate}");
    assert!(refused < 0.02, "{refused}");
}

#[test]
fn a07_a_wall_at_5_a_second_is_approached_too() {
    let log = play(Client { rate_per_second: 10.0, max_in_flight: 32 }, 600, wall(5, 300 * MS));
    let (rate, refused) = (log.served_per_second(60, 600), log.refused(60, 600));
    assert!((3.5..=5.0).contains(&rate), "{rate}");
    assert!(refused < 0.04, "{refused}");
}

#[test]
fn a_wall_that_falls_away_is_noticed() {
    let rule = |seen: &Seen| {
        let is_walled = seen.at < 60 * SECOND && seen.served_in_second >= 20;
        (50 * MS, if is_walled { Signal::Slowed(None) } else { Signal::Served })
    };
    let log = play(USUAL, 200, rule);
    let rate = log.served_per_second(150, 200);
    assert!(rate >= 95.0, "{rate}");
}

#[test]
fn a08_a_server_that_says_retry_after_30_has_30_seconds_of_silence() {
    let rule = |seen: &Seen| {
        let is_told = (20 * SECOND..21 * SECOND).contains(&seen.at);
        (50 * MS, if is_told { Signal::Slowed(Some(30 * SECOND)) } else { Signal::Served })
    };
    let log = play(USUAL, 120, rule);
    assert_eq!(log.between(21, 50).count(), 0);
    assert!(log.between(20, 21).count() <= 12, "{}", log.between(20, 21).count());
    let rate = log.served_per_second(110, 120);
    assert!(rate >= 60.0, "{rate}");
}

#[test]
fn behind_a_shallow_knee_it_settles_where_answers_take_about_twice_their_time() {
    // Eight at once are served in 100 ms, more share the same eight places.
    let rule = |seen: &Seen| {
        let crowd = (seen.in_flight as f64 / 8.0).max(1.0);
        ((100 * MS).mul_f64(crowd * (0.9 + 0.2 * seen.die)), Signal::Served)
    };
    let client = Client { rate_per_second: 1_000.0, max_in_flight: 64 };
    let log = play(client, 300, rule);
    let (rate, limits) = (log.served_per_second(60, 300), log.limits(60, 300));
    assert!(rate >= 70.0, "{rate}");
    assert!(limits.0 >= 6 && limits.1 <= 64, "{limits:?}");
}

#[test]
fn a_server_that_dies_slowly_is_asked_less_and_less() {
    // Twice as slow every ten seconds from the thirtieth on; from ten seconds an answer on there is none.
    let rule = |seen: &Seen| {
        let worse = (seen.at.as_secs_f64() - 30.0).max(0.0) / 10.0;
        let takes = (100 * MS).mul_f64(2_f64.powf(worse.min(20.0)));
        if takes > 10 * SECOND { (10 * SECOND, Signal::Overloaded(None)) } else { (takes, Signal::Served) }
    };
    let log = play(USUAL, 200, rule);
    assert!(log.limits(150, 200).1 <= 2, "{:?}", log.limits(150, 200));
    assert!(log.between(150, 200).count() <= 20, "{}", log.between(150, 200).count());
}

#[test]
fn a15_an_outage_of_a_minute_is_met_with_few_calls_and_left_behind_fast() {
    let rule = |seen: &Seen| {
        let is_down = (30 * SECOND..90 * SECOND).contains(&seen.at);
        (20 * MS, if is_down { Signal::Overloaded(None) } else { Signal::Served })
    };
    let log = play(USUAL, 240, rule);
    let during = log.between(30, 90).count();
    assert!(during <= 60, "{during} calls to a server that is down");
    let rate = log.served_per_second(160, 240); // The longest pause, with its jitter, is a minute.
    assert!(rate >= 95.0, "{rate}");
    assert!(log.refused(0, 240) < 0.01, "{}", log.refused(0, 240));
}

#[test]
fn a15_repetitions_at_a_server_that_fails_every_third_call_are_a_share_of_the_calls_and_one_a_second() {
    let rule = |seen: &Seen| (20 * MS, if seen.die < 0.33 { Signal::Failed(None) } else { Signal::Served });
    let log = play(USUAL, 600, rule);
    let first = log.calls.iter().filter(|call| call.is_first_try).count();
    let repeated = log.calls.len() - first;
    assert!(repeated as f64 <= 0.15 * first as f64 + 10.0 + 600.0, "{repeated} repetitions of {first}");
    assert!(log.served_per_second(60, 600) > 1.0, "it goes on all the same");
}
