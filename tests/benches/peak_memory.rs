//! The cleanup's peak memory over reports of growing length, with real programs against the sandbox.
//!
//! Prints figures, judges nothing: `cargo bench -p dn-tests`. Idle is a run over a report of one partner row, with
//! every client connected and one write made. The larger reports have the same partner catalogue: a CMS report grows
//! by claims on other people's videos.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use dn_sandbox::{Asset, Profile, ReportRow, Service, WorldBuilder};
use dn_tests::{Rehearsal, bench_is_wanted, command};

/// What one run used.
struct Figures {
    peak_kib: u64,
    seconds: f64,
    report_mib: f64,
    writes: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    if !bench_is_wanted("peak_memory") {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    let channel = "UCaaaaaaaaaaaaaaaaaaaaaa";
    let one_row = WorldBuilder::new()
        .stored(channel, channel, Some("artist-one"), None)
        .asset(Asset::web("A1000000000000001", ""))
        .row(ReportRow::new("vid00000001", channel).asset("A1000000000000001", ""));
    let idle = measure(&Rehearsal::of(one_row).await?).await?;
    writeln!(out, "peak memory of cms-customid-cleanup")?;
    writeln!(
        out,
        "{:>10} {:>10} {:>9} {:>9} {:>10} {:>12}",
        "rows", "report", "writes", "seconds", "peak", "above idle"
    )?;
    print(&mut out, 1, &idle, &idle)?;
    for rows in [38_412, 1_000_000] {
        let rehearsal = Rehearsal::generated(1, 372, rows, Profile::Calm).await?;
        // The cleanup that the bus starts finds nothing to do, so that the one measured here does it all.
        rehearsal.sandbox.set_task_env("FILTER_TARGET", "nobody");
        ensure!(rehearsal.backfill(&[]).await?.code == Some(0), "the backfill failed");
        rehearsal.sandbox.wait_for_idle(Duration::from_mins(1)).await?;
        let figures = measure(&rehearsal).await?;
        ensure!(rehearsal.sandbox.score()?.is_perfect(), "the truth was missed");
        print(&mut out, rows, &figures, &idle)?;
    }
    Ok(())
}

async fn measure(rehearsal: &Rehearsal) -> Result<Figures> {
    let mut command = command("cms-customid-cleanup", &rehearsal.environment(), &[])?;
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let watch = tokio::task::spawn_blocking(move || -> Result<(u64, Option<i32>)> {
        let status = format!("/proc/{}/status", child.id());
        let mut peak_kib = 0;
        loop {
            peak_kib = peak_kib.max(high_water_mark_kib(&status).unwrap_or(0));
            if let Some(end) = child.try_wait()? {
                return Ok((peak_kib, end.code()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let (peak_kib, code) = watch.await??;
    ensure!(code == Some(0) || code == Some(3), "the cleanup ended with {code:?}");
    let report = std::fs::metadata(&rehearsal.sandbox.world().report_path).context("the report")?.len();
    Ok(Figures {
        peak_kib,
        seconds: started.elapsed().as_secs_f64(),
        report_mib: report as f64 / f64::from(1 << 20),
        writes: rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch"),
    })
}

/// The kernel's own high-water mark: no sample can miss a peak.
fn high_water_mark_kib(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.trim().parse().ok()
}

fn print(out: &mut impl std::io::Write, rows: usize, figures: &Figures, idle: &Figures) -> Result<()> {
    let mib = |kib: u64| kib as f64 / 1_024.0;
    let Figures { peak_kib, seconds, report_mib, writes } = figures;
    let above = mib(peak_kib.saturating_sub(idle.peak_kib));
    let peak = mib(*peak_kib);
    writeln!(
        out,
        "{rows:>10} {report_mib:>6.1} MiB {writes:>9} {seconds:>9.1} {peak:>6.1} MiB {above:>8.1} MiB"
    )?;
    Ok(())
}
