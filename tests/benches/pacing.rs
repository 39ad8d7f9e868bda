//! How fast and how gently the cleanup writes, from the sandbox's journal: `cargo bench -p dn-tests pacing`.
//!
//! Prints figures, judges nothing. Three servers: one that takes 50 ms and bears everything, at a limit of 100 calls a
//! second; one with a wall of 40 calls in any second, at the same limit; and one where one request in ten fails, in all
//! the ways that requests fail, for the whole known catalogue.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use dn_sandbox::{Profile, Service};
use dn_tests::{Rehearsal, assets_to_set, bench_is_wanted, run};

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
/// The first seconds of a run, in which a client finds out what the server bears.
const WARM_UP_MS: u64 = 20_000;

#[tokio::main]
async fn main() -> Result<()> {
    if !bench_is_wanted("pacing") {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "pace of cms-customid-cleanup (calls to YouTube, by the second in which they came in)")?;
    writeln!(out, "{:<44} {:>7} {:>9} {:>9}", "server", "calls", "served/s", "refused")?;
    for (name, wall) in [("takes 50 ms, limit 100/s", None), ("the same, lets 40 a second through", Some(40))]
    {
        let rehearsal = Rehearsal::of(assets_to_set(CHANNEL, 5_000)).await?;
        rehearsal.sandbox.faults().set_latency(Duration::from_millis(50));
        rehearsal.sandbox.faults().set_wall(wall);
        let mut environment = rehearsal.environment();
        environment.insert("RATE_PER_SECOND".to_owned(), "100".to_owned());
        let code = run("cms-customid-cleanup", &environment, &["--no-verify"]).await?.code;
        ensure!(code == Some(0), "the cleanup ended with {code:?}");
        let (calls, served, refused) = settled(&rehearsal);
        writeln!(out, "{name:<44} {calls:>7} {served:>9.1} {:>8.2}%", 100.0 * refused)?;
    }

    let rehearsal = Rehearsal::generated(1, 372, 38_412, Profile::Rough).await?;
    rehearsal.sandbox.set_task_env("FILTER_TARGET", "nobody");
    ensure!(rehearsal.backfill(&[]).await?.code == Some(0), "the backfill failed");
    rehearsal.sandbox.wait_for_idle(Duration::from_mins(1)).await?;
    let code = rehearsal.cleanup(&[]).await?.code;
    ensure!(code == Some(3), "the cleanup ended with {code:?}");
    ensure!(rehearsal.sandbox.score()?.is_perfect(), "the truth was missed");
    let patches = rehearsal.sandbox.journal().patches_per_asset();
    let (requests, assets) = (patches.values().sum::<u64>(), patches.len());
    let mut faults = BTreeMap::<_, u64>::new();
    for entry in
        rehearsal.sandbox.journal().entries().iter().filter(|entry| entry.operation == "assets.patch")
    {
        *faults.entry(entry.fault.unwrap_or("none")).or_default() += 1;
    }
    writeln!(
        out,
        "\none request in ten fails, 38,412 rows: {assets} assets written to by {requests} requests, {:.3} each; the \
         truth was met\n  faults: {faults:?}",
        requests as f64 / assets.max(1) as f64
    )?;
    Ok(())
}

/// Calls, served calls a second and the share refused, between the warm-up and the last whole second.
fn settled(rehearsal: &Rehearsal) -> (usize, f64, f64) {
    let mut calls: Vec<_> = rehearsal.sandbox.journal().entries();
    calls.retain(|entry| entry.service == Service::YouTube);
    let begun = calls.iter().map(|entry| entry.t_ms).min().unwrap_or_default() + WARM_UP_MS;
    let ended = calls.iter().map(|entry| entry.t_ms).max().unwrap_or_default();
    calls.retain(|entry| entry.t_ms >= begun && entry.t_ms < ended);
    let served = calls.iter().filter(|entry| entry.status == 200).count();
    let seconds = (ended.saturating_sub(begun) as f64 / 1_000.0).max(0.001);
    (calls.len(), served as f64 / seconds, 1.0 - served as f64 / calls.len().max(1) as f64)
}
