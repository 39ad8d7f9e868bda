//! What a week's analysis of a large catalogue costs: 100,000 videos over 104 weeks, walked through to the last of them,
//! in time and in memory. Figures, not verdicts.

#![expect(clippy::print_stdout, reason = "what a bench has to say stands on stdout")]
#![expect(clippy::expect_used, reason = "a bench that cannot measure has nothing to say")]

use std::hint::black_box;
use std::time::Instant;

use dn_domain::claims::viral::{Counting, Detector, GAP};

const SERIES: u32 = 100_000;
const WEEKS: u32 = 104;
const CHANNELS: u32 = 370;

fn main() {
    let groups: Vec<Option<u32>> = (0..SERIES).map(|series| Some(series % CHANNELS)).collect();
    let weeks: Vec<Vec<f32>> =
        (0..WEEKS).map(|week| (0..SERIES).map(|series| count(series, week)).collect()).collect();
    let panel_kib = peak_kib();
    let (start, ran_before) = (Instant::now(), processor_seconds());
    let mut detector = Detector::new(&groups, Counting::Gained, 6.0);
    let mut last = None;
    for counts in &weeks {
        last = Some(detector.step(black_box(counts)));
    }
    let (took, ran) = (start.elapsed(), processor_seconds() - ran_before);
    let last = last.expect("there are weeks");
    println!(
        "{SERIES} series, {WEEKS} weeks: {ran:.2} s of one core in {:.2} s, {} cells scored in the last week, {} alerts",
        took.as_secs_f64(),
        last.cells.len(),
        last.alerts(|_| 1.0).len()
    );
    println!("peak {} MiB, of which the panel {} MiB", peak_kib() / 1024, panel_kib / 1024);
}

/// A made-up count: a level of its own, some noise, a gap now and then, a surge now and then.
fn count(series: u32, week: u32) -> f32 {
    let mixed = mix(u64::from(series) << 32 | u64::from(week));
    if mixed.is_multiple_of(200) || week < series % 60 {
        return GAP;
    }
    let level = 2_f32.powi(i32::try_from(series % 17).expect("it is small"));
    let noise = 0.7 + 0.6 * (mixed >> 48) as f32 / 65_536.0;
    let surge = if mixed % 20_011 == 1 { 8.0 } else { 1.0 };
    (level * noise * surge * 8.0).round()
}

/// The finalizer of `SplitMix64`.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// How long the process has had a core: on a machine that others use too, the clock says more.
fn processor_seconds() -> f64 {
    let run = std::fs::read_to_string("/proc/self/schedstat").expect("Linux tells about every process");
    let nanoseconds: f64 =
        run.split(' ').next().and_then(|first| first.parse().ok()).expect("it begins with it");
    nanoseconds / 1e9
}

/// The most resident memory the process ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells about every process");
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok())
        .expect("the peak is among what it tells")
}
